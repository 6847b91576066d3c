"""Handlers whose generator is watched: how far a client has pulled it, and that it is closed."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any


class WatchedStream:
    """Yields `chunk` to whoever pulls, 20,000 times at the most; a handler as it stands."""

    def __init__(self, chunk: bytes, *, asynchronous: bool) -> None:
        self.chunk = chunk
        self.asynchronous = asynchronous
        #: How many chunks were pulled.
        self.pulled = 0
        #: Set where the generator has ended, or was closed.
        self.closed = threading.Event()

    def __call__(self, request: Any) -> Any:
        return self._chunks_later() if self.asynchronous else self._chunks()

    def _chunks(self) -> Iterator[bytes]:
        try:
            while self.pulled < 20_000:
                self.pulled += 1
                yield self.chunk
        finally:
            self.closed.set()

    async def _chunks_later(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks():
            yield chunk
