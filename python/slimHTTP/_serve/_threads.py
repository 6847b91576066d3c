"""The registry of the threads that serve, and their end before the interpreter's.

CPython ends a daemon thread that wants to go on while the interpreter shuts down, in the middle
of that thread's stack. Under a handler lie frames of the extension, which nothing may cut: the
process would crash. So every thread that runs handlers is registered here, and at exit
`end_all` joins them first; the event loop's thread and those of WebSockets are among them.
Functions here are called on any thread; the registry is a set of which every use is a single
operation.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from slimHTTP._slimhttp import Server

#: How long the end of the program waits for handlers that still run (s).
_EXIT_TIMEOUT: Final = 1.0
#: The same once an exception has been raised in them.
_RAISE_TIMEOUT: Final = 0.5
#: How often it is raised: the first one may be caught.
_RAISE_ATTEMPTS: Final = 2

#: The threads that serve now. Every use of it is one operation, so no lock.
_serving: Final[set[threading.Thread]] = set()
_ending = False


class _Current(threading.local):
    """The servers that this thread is serving, the innermost last."""

    servers: tuple[Server, ...] = ()


_current: Final = _Current()


def start(target: Callable[..., None], *args: Any, name: str) -> threading.Thread:
    """Start a thread that serves; it ends with the program at the latest.

    It begins in a copy of this thread's context: what a program has set at start is
    seen by the handlers of every thread.
    """
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(_run_registered, target, *args), name=name, daemon=True
    )
    _serving.add(thread)
    thread.start()
    return thread


@contextlib.contextmanager
def serving(server: Server) -> Iterator[None]:
    """List the current thread, whoever has started it, while it serves `server`."""
    thread = threading.current_thread()
    before, registered = _current.servers, thread in _serving
    try:
        _serving.add(thread)
        _current.servers = (*before, server)
        yield
    finally:
        _current.servers = before
        if not registered:
            _serving.discard(thread)


def is_serving(server: Server) -> bool:
    """Tell whether this is a handler of `server`, or what it has called."""
    return server in _current.servers


def is_serving_thread() -> bool:
    """Tell whether this thread serves, the event loop included: a handler may be running on it."""
    return threading.current_thread() in _serving


def is_ending() -> bool:
    """Tell whether the program ends, so that a SystemExit may be of `end_all`."""
    return _ending


def join(threads: list[threading.Thread], timeout: float) -> None:
    """Wait for all of `threads`, `timeout` seconds at most; this one is passed over."""
    deadline = time.monotonic() + timeout
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(deadline - time.monotonic(), 0.0))


def end_all() -> None:
    """End every thread that serves; called at exit, when all servers are closed.

    A handler that still runs has a moment to finish. Then SystemExit is raised
    in it, which ends whatever is in Python code. What blocks in C for longer
    cannot be ended, and need not be: it will not wake before the process is gone.
    """
    global _ending
    _ending = True
    _join_others(_EXIT_TIMEOUT)
    for _ in range(_RAISE_ATTEMPTS):
        for thread in _others():
            _raise_exit_in(thread)
        _join_others(_RAISE_TIMEOUT)


def _run_registered(target: Callable[..., None], *args: Any) -> None:
    try:
        target(*args)
    finally:
        _serving.discard(threading.current_thread())


def _others() -> list[threading.Thread]:
    this = threading.current_thread()
    return [thread for thread in list(_serving) if thread is not this and thread.is_alive()]


def _join_others(timeout: float) -> None:
    # Ctrl-C ends the wait: go on to the next means.
    with contextlib.suppress(KeyboardInterrupt):
        join(_others(), timeout)


def _raise_exit_in(thread: threading.Thread) -> None:
    import ctypes  # Only here: few programs come to this.

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
        )


def _reset_in_child() -> None:
    """Keep this thread only: a forked child has none of the others."""
    _serving.intersection_update({threading.current_thread()})


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_reset_in_child)
