"""`run()` and `poll()`: the threads that answer requests, and the signals that end them.

No thread of the extension enters Python. The threads of Python that call `Server.turn` do the work:
the one in `run()` or `poll()`, and further ones with `python_threads=N`. A turn waits for jobs
without the interpreter's lock, calls the handlers of those that have come, one after the other, and
returns. The main thread waits there without polling, because a signal writes to the server's
wake-up descriptor. Signal handlers run on the main thread, between any two of its instructions, so
they wait for no lock that the code which they interrupt may hold.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from slimHTTP import _log
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._serve import _loop, _preload, _threads
from slimHTTP._serve._lifecycle import Applications, Lifecycle
from slimHTTP._slimhttp import Server
from slimHTTP._types import ServerInstance

#: How long a turn waits for work at most (s); whatever else matters wakes it.
_MAX_WAIT: Final = 60.0
#: The same where signals cannot wake it, so that Ctrl-C is noticed no later than this.
_POLL_INTERVAL: Final = 0.1
#: How long what is under way may take before it is said what is waited for (s).
#: A signal that comes within it is the first one once more, sent to the process and to
#: its group, as `timeout` and some supervisors do: nobody has asked twice.
_REPEAT_WINDOW: Final = 0.5
#: How long after the grace period a handler that still runs is waited for (s).
MARGIN: Final = 1.0

#: What has another process take over, on a thread of its own; it calls what it is given once the
#: server ends for that.
Upgrade = Callable[[Callable[[], None]], None]


def print_greeting(server: Server) -> None:
    """Say on standard error what is served where, unless it is to be quiet."""
    if not server.quiet and sys.stderr is not None:
        # In one piece: other lines come from other threads.
        sys.stderr.write(f'{server.greeting}\n')
        sys.stderr.flush()


def start_python_threads(http: ServerInstance, server: Server) -> list[threading.Thread]:
    """Start the threads beyond the first that `python_threads=N` asks for."""
    return [
        _threads.start(work, http, server, name=f'slimHTTP Python thread {number}')
        for number in range(2, server.python_threads + 1)
    ]


def become_user(server: Server) -> None:
    """Become the configured `user` for good, where there is one; a second call does nothing."""
    if server.kind(('user',)) == 'value':
        _preload.import_all()
    server.become_user()


def work(http: ServerInstance, server: Server) -> None:
    """Take turns until the server has stopped and nothing is left to do."""
    try:
        with _threads.serving(server):
            while server.turn(_MAX_WAIT):
                pass
    except KeyboardInterrupt:
        # A handler raised it; on any thread it means that the server shall end.
        http.stop()


def run(
    http: ServerInstance,
    server: Server,
    lifecycle: Lifecycle,
    prepare: Callable[[], None],
    start: Callable[[], list[threading.Thread]],
    upgrade: Upgrade | None = None,
) -> None:
    """Start a server, serve on this thread until it stops, and close it then.

    `prepare` lets the program begin; `start` starts the server, and gives the threads that
    serve too.

    On the main thread, the first Ctrl-C or SIGTERM (or SIGHUP, where the terminal
    is gone) stops it gracefully and the second raises KeyboardInterrupt at once.
    SIGUSR1 has the access logs opened anew; a SIGHUP that somebody sends does
    nothing. SIGUSR2 has `upgrade` called, if it is given. A handler that still runs when the
    grace period is over does not hold up the end; on the main thread it is
    interrupted.

    Raises slimHTTP_Error where a handler of the server calls it.
    """
    if _threads.is_serving(server) or _loop.is_on_loop():
        raise slimHTTP_Error(
            f'{http!r} cannot run inside a handler: `run()` serves until the server stops,'
            ' and the handler would never return'
        )
    signals = _SignalHandler(http, server, upgrade)
    try:
        with lifecycle.deferring_finish():
            # Before signals are handled, for they end it gracefully from then on.
            prepare()
            with _handling_signals(signals, server) as max_wait:
                with _threads.serving(server):
                    # Not before: who has read the greeting may send a signal.
                    threads = start()
                    while server.turn(max_wait):
                        pass
                    # Shorter than the margin, after which this thread would be interrupted.
                    _threads.join(threads, MARGIN / 2)
                if lifecycle.has_stop_hooks:
                    signals.extend(server.grace_period)
                lifecycle.finish(http)
    except KeyboardInterrupt:
        if not signals.overdue:
            lifecycle.skip_stop_hooks()
            raise
        _log.logger.warning('a handler still ran when the grace period was over: interrupted')
    finally:
        # After the signal handlers are gone: nothing may write to its wake-up
        # descriptor once it is closed.
        http.close()


def run_with_applications(
    http: ServerInstance,
    server: Server,
    lifecycle: Lifecycle,
    applications: Applications,
    prepare: Callable[[], None],
    start: Callable[[], list[threading.Thread]],
    upgrade: Upgrade | None = None,
) -> list[tuple[str, BaseException]]:
    """Do what `run` does, but serve nobody before every application has started.

    For whoever serves nothing rather than anything without them; otherwise requests wait for
    them. Gives the applications that have failed, for which it does not begin to serve, and why;
    the log has told it.
    """
    failed: list[tuple[str, BaseException]] = []

    def prepare_applications() -> None:
        prepare()
        # As where they start behind the server: none runs as root.
        become_user(server)
        # Programs may expect the main thread (`signal.signal`), and nobody is held up yet.
        applications.begin(on_this_thread=True)
        # Each has a time of its own, `app_start_timeout`.
        applications.wait(None)
        failed.extend(applications.failures())
        if failed:
            raise _NotStarted

    with contextlib.suppress(_NotStarted):
        run(http, server, lifecycle, prepare_applications, start, upgrade)
    return failed


class _NotStarted(Exception):
    """An application has not, so the server does not either."""


def turn(server: Server, timeout: float) -> bool:
    """Take one turn, waiting `timeout` seconds for work; see `Server.turn`.

    Ctrl-C ends a long wait too.
    """
    with _threads.serving(server):
        if timeout <= _POLL_INTERVAL:
            return server.turn(timeout)
        with _waking_on_signals(server) as woken:
            return server.turn(timeout if woken else _POLL_INTERVAL)


class _SignalHandler:
    """The handlers of signals while one `run()` serves, and what has come of them.

    Its methods run on the main thread, but for `_enforce_grace_period`, which has a thread of
    its own from the first signal on.
    """

    def __init__(
        self, http: ServerInstance, server: Server, upgrade: Upgrade | None = None
    ) -> None:
        self._http = http
        self._upgrade = upgrade
        self._server = server
        self._lock = threading.Lock()
        #: When the first signal came.
        self._first_signal: float | None = None
        self._ended = threading.Event()
        #: The standard streams that are a terminal now.
        self._terminals = _terminals()
        #: Whether the grace period is over, and the main thread still busy.
        self.overdue = False
        self._extension = 0.0

    @property
    def can_upgrade(self) -> bool:
        """Whether another process may take over."""
        return self._upgrade is not None

    def stop(self, number: int, frame: Any) -> None:
        """Stop by the first signal, interrupt by the next; the handler of both.

        What comes within a moment of the first is the same one again.
        One that this thread does not notice the server sends once more; where
        it cannot be noticed, for the thread is in a call in C that never
        returns, the third one ends the process.
        """
        repeated = self._server.signals.handled()
        if self._ended.is_set():
            return
        if self.overdue:
            raise KeyboardInterrupt
        if self._first_signal is not None:
            if not repeated and time.monotonic() - self._first_signal >= _REPEAT_WINDOW:
                raise KeyboardInterrupt
            return
        self._first_signal = time.monotonic()
        self._http.stop()
        # Not `threading.Thread`: starting one takes a lock that the code which this
        # signal interrupts may hold. Where there is no thread to spare, the user's
        # second signal is the only one.
        with contextlib.suppress(RuntimeError):
            again = signal.SIGTERM if number == signal.SIGHUP else number
            hint = f'; {"Ctrl-C" if again == signal.SIGINT else "a signal"} again ends it now'
            grace_period = self._server.grace_period
            _thread.start_new_thread(self._enforce_grace_period, (again, grace_period, hint))

    def on_hangup(self, number: int, frame: Any) -> None:
        """Stop where the terminal is gone; what somebody sends must not by surprise."""
        if not self._terminals <= _terminals():
            self.stop(number, frame)
        else:
            _log.logger.warning(
                'SIGHUP: nothing is read anew while it runs; %s',
                'start it again for another configuration'
                if self._upgrade is None
                else 'SIGUSR2 starts it anew, and no client is refused meanwhile',
            )

    def reopen_logs(self, number: int, frame: Any) -> None:
        """Have the access logs opened anew, as logrotate asks by SIGUSR1."""
        _log.logger.info('SIGUSR1: the access logs are opened anew')
        self._server.signals.reopen_logs()

    def start_upgrade(self, number: int, frame: Any) -> None:
        """Have another process take over."""
        if self._upgrade is not None and not self._ended.is_set():
            # Not `threading.Thread`, as above.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._upgrade, (self._retired,))

    def _retired(self) -> None:
        """Enforce the grace period, which has begun: another process has taken over."""
        self._enforce_grace_period(signal.SIGTERM, self._server.grace_period, '')

    def extend(self, seconds: float) -> None:
        """Give this thread so many seconds more: the requests are done, `on_stop` is not."""
        self._extension = seconds

    def end(self) -> None:
        """Let signals do nothing from now on, those under way included."""
        try:
            # A signal that is handled before this is done may still raise.
            self._ended.set()
        finally:
            self._ended.set()
            with self._lock:
                pass
            self._server.signals.end_serving()
            # What has been sent arrives on the way back from a system call.
            os.getppid()

    def _enforce_grace_period(self, number: int, grace_period: float, hint: str) -> None:
        """Say what is waited for; after the grace period, interrupt the main thread."""
        if self._ended.wait(_REPEAT_WINDOW):
            return
        waits_for = self._server.signals.waits_for()
        if waits_for is not None and not self._server.quiet and sys.stderr is not None:
            sys.stderr.write(f'slimHTTP waits for {waits_for}, up to {grace_period:g} s{hint}\n')
            sys.stderr.flush()
        timeout = max(0.0, grace_period - _REPEAT_WINDOW) + MARGIN
        main = threading.main_thread().ident
        while main is not None and not self._ended.wait(timeout):
            with self._lock:
                if self._ended.is_set():
                    return
                if self._extension:
                    timeout, self._extension = self._extension, 0.0
                    continue
                self.overdue = True
                # To the thread and not to the process, so that it ends a system
                # call in which that thread blocks.
                self._server.signals.expect()
                signal.pthread_kill(main, number)
            timeout = MARGIN


def _terminals() -> set[int]:
    """Give the standard streams that are a terminal; one that has been closed is none."""
    return {descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)}


@contextlib.contextmanager
def _handling_signals(signals: _SignalHandler, server: Server) -> Iterator[float]:
    """Let `signals` receive them while the block runs; gives how long a turn may wait."""
    if threading.current_thread() is not threading.main_thread():
        yield _MAX_WAIT
        return
    before = {}
    handlers = [(signal.SIGHUP, signals.on_hangup), (signal.SIGUSR1, signals.reopen_logs)]
    if signals.can_upgrade:
        handlers.append((signal.SIGUSR2, signals.start_upgrade))
    try:
        for number, receive in handlers:
            # What would end the process, and nobody else has taken.
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, receive)
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            # What is ignored (`nohup`, a job in the background) stays ignored; what
            # was not set from Python (None) could not be put back.
            if handler is not signal.SIG_IGN and handler is not None:
                before[number] = signal.signal(number, signals.stop)
        server.signals.begin_serving()
        with _waking_on_signals(server) as woken:
            yield _MAX_WAIT if woken else _POLL_INTERVAL
    finally:
        signals.end()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _waking_on_signals(server: Server) -> Iterator[bool]:
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
