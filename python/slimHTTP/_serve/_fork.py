"""`os.fork` in a program that serves: new locks for the child, and its exit.

A child has its parent's memory, and of its threads only the one that forked. A lock that
another one held at that moment would never be released in the child. So every object with a
lock derives from `LockOwner` and gets a new one there. (Locks that are a module's own are
renewed by that module.) The hook runs in the child, on its only thread, before `os.fork`
returns.

A child that a handler has forked has none of the threads that talk to clients. What it raises
in order to exit is no failure of the handler, and it must not go on as if it were a server.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import Final

from slimHTTP._serve import _threads

#: Whether this process was forked by a thread that served.
_handlers_child = False


class LockOwner:
    """An object that is guarded by `_lock`, reentrant, and new in a forked child."""

    def __init__(self) -> None:
        # A new lock and not the old one set free: the thread that forks may hold
        # it, and lets go of the one that it took.
        self._lock = threading.RLock()
        _owners[id(self)] = self


#: By identity, for an owner need not be hashable.
_owners: Final[weakref.WeakValueDictionary[int, LockOwner]] = weakref.WeakValueDictionary()


def exit_as_child(error: BaseException) -> None:
    """End this process if a handler has forked it and it exits by `error` (SystemExit)."""
    if not _handlers_child or not issubclass(type(error), SystemExit):
        return
    code = getattr(error, 'code', None)
    status = 0 if code is None else code
    if not isinstance(status, int):
        sys.stderr.write(f'{status}\n')
        status = 1
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # Not by way of the interpreter's end, which would close the parent's servers.
    os._exit(status & 0xFF)


def _renew() -> None:
    global _handlers_child
    _handlers_child = _handlers_child or _threads.is_serving_thread()
    for owner in list(_owners.values()):
        owner._lock = threading.RLock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_renew)
