"""Handlers that are watched: how far a stream is pulled and that it is closed, that a call is cancelled."""

from __future__ import annotations

import asyncio
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


class WatchedCall:
    """A call that waits; `handler` is what to route to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def handler(self, request: Any) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
