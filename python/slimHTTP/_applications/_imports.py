"""The threads on which applications are imported: one for each, for an import may never end.

Whoever serves goes on meanwhile. Imports change what is the whole process's (`sys.path`,
`app_env`), so those of one server run in the order in which they were asked for; but an import
that hangs is not waited for long. Its thread ends with the process (`_serve._threads`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from slimHTTP._serve import _fork, _threads

#: How long an import waits for the one before it (s).
_PATIENCE: Final = 2.0


class Imports(_fork.LockOwner):
    """Those of one server."""

    def __init__(self) -> None:
        super().__init__()
        #: Set when the import that was asked for last has ended.
        self._last: threading.Event | None = None

    def start(self, work: Callable[[], None], label: str) -> None:
        """Do `work` on a thread of its own, behind what was started before.

        Raises RuntimeError where there is no thread to spare.
        """
        ended = threading.Event()
        with self._lock:
            before, self._last = self._last, ended
        try:
            _threads.start(_run, work, before, ended, name=f'slimHTTP start of {label}')
        except RuntimeError:
            ended.set()
            raise


def _run(work: Callable[[], None], before: threading.Event | None, ended: threading.Event) -> None:
    try:
        if before is not None:
            before.wait(_PATIENCE)
        work()
    finally:
        ended.set()


@contextlib.contextmanager
def calling_behind(timeout: float, call: Callable[[], None], label: str) -> Iterator[None]:
    """Call `call` on another thread if the block takes longer than `timeout` seconds."""
    timer = threading.Timer(min(timeout, threading.TIMEOUT_MAX), call)
    timer.name, timer.daemon = f'slimHTTP timeout of {label}', True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
