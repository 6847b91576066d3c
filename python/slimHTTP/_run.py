"""Serving: the threads that take turns, and the signals that end it.

Only Python's own threads do Python's work: whoever is in `turn()`. The main
thread waits there without polling, because a signal writes to the server's
wake-up descriptor.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from slimHTTP._slimhttp import Server

if TYPE_CHECKING:
    from slimHTTP._server import HTTP_SERVER

#: How long a turn waits for work at most (s); whatever else matters wakes it.
_LONG: Final = 60.0
#: The same where signals cannot wake it: how late Ctrl-C may be noticed.
_SHORT: Final = 0.1


def greet(server: Server) -> None:
    """Say on standard error what is served where, unless it is to be quiet."""
    if not server.quiet and sys.stderr is not None:
        print(server.greeting, file=sys.stderr, flush=True)


def start_workers(http: HTTP_SERVER, server: Server) -> list[threading.Thread]:
    """Start the threads beyond the first that `threads=N` asks for."""
    workers = [
        threading.Thread(
            target=work, args=(http, server), name=f'slimHTTP worker {number}', daemon=True
        )
        for number in range(2, server.threads + 1)
    ]
    for worker in workers:
        worker.start()
    return workers


def work(http: HTTP_SERVER, server: Server) -> None:
    """Take turns until the server has stopped and nothing is left to do."""
    try:
        while server.turn(_LONG):
            pass
    except KeyboardInterrupt:
        # A handler raised it; on any thread it means that the server shall end.
        http.stop()


def run(http: HTTP_SERVER, server: Server, start: Callable[[], list[threading.Thread]]) -> None:
    """Start a server, serve on this thread until it stops, and close it then.

    `start` gives the threads that serve too.

    On the main thread, the first Ctrl-C or SIGTERM stops it gracefully and the
    second raises KeyboardInterrupt at once.
    """
    try:
        with _signals(http, server) as longest:
            # Not before: who has read the greeting may send a signal.
            workers = start()
            while server.turn(longest):
                pass
            for worker in workers:
                worker.join()
    finally:
        # After the signal handlers are gone: nothing may write to its wake-up
        # descriptor once it is closed.
        http.close()


def turn(server: Server, timeout: float) -> bool:
    """Take one turn, waiting `timeout` seconds for work; see `Server.turn`.

    Ctrl-C ends a long wait too.
    """
    if timeout <= _SHORT:
        return server.turn(timeout)
    with _wakened_by_signals(server) as wakened:
        return server.turn(timeout if wakened else _SHORT)


@contextlib.contextmanager
def _signals(http: HTTP_SERVER, server: Server) -> Iterator[float]:
    """Stop by signals while the block runs; gives how long a turn may wait in it."""
    if threading.current_thread() is not threading.main_thread():
        yield _LONG
        return
    asked = False

    def on_signal(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        http.stop()

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            # What is ignored (`nohup`, a job in the background) stays ignored; what
            # was not set from Python (None) could not be put back.
            if handler is not signal.SIG_IGN and handler is not None:
                before[number] = signal.signal(number, on_signal)
        with _wakened_by_signals(server) as wakened:
            yield _LONG if wakened else _SHORT
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _wakened_by_signals(server: Server) -> Iterator[bool]:
    """Let signals end a wait while the block runs; gives whether they do.

    A descriptor that somebody else has set (an asyncio loop) stays: it must hear
    of its signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield True  # Signals are none of this thread's business.
        return
    before = signal.set_wakeup_fd(server.wakeup_fd, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
        yield False
        return
    try:
        yield True
    finally:
        signal.set_wakeup_fd(-1)


def command_line(arguments: list[str]) -> int:
    """Do what `python -m slimHTTP` is asked to; gives the exit status."""
    from slimHTTP._face import Face
    from slimHTTP._server import HTTP_SERVER

    face = Face()
    server = Server.from_command_line(arguments, face)
    if isinstance(server, int):
        return server
    try:
        HTTP_SERVER.adopt(server, face).run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0
