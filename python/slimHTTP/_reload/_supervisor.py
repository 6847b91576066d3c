"""The supervisor: keeps the sockets, and starts a worker anew after each edit.

It has one thread, which waits for messages of workers, for signals, and for the next look at the
files. A new worker is started before the old one is given up: that goes on until the new one
serves, and for as long as the new one fails, telling whoever opens a page why. Of the program
nothing is imported here, so nothing in it can break the supervisor.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from slimHTTP import _log
from slimHTTP._debug import _failed_start
from slimHTTP._errors import LoggerError
from slimHTTP._reload import listens_on
from slimHTTP._reload._channel import Message
from slimHTTP._reload._watch import MAX_FILES, Watch, Watched
from slimHTTP._reload._worker_process import Stage, WorkerProcess
from slimHTTP._slimhttp import CommandLine

#: How often the files are looked at (s), and at most which part of the time that may take.
_INTERVAL: Final = 0.25
_MAX_SHARE: Final = 0.1
#: An edit is complete when no file has changed for so long (s): editors and version control write
#: several, and one of them twice. And how long that is waited for.
_QUIET: Final = 0.05
_MAX_UNQUIET: Final = 1.0
#: How long a worker may take to end beyond its grace (s); then it is killed.
_MARGIN: Final = 3.0
#: A signal that comes so soon (s) is the first one once more, see `_serve._run`.
_REPEAT_WINDOW: Final = 0.5
#: How many processes in succession may end before they show why nothing serves.
_MAX_UNSHOWN: Final = 3
#: How many files are named in the log.
_MAX_NAMED: Final = 3


def supervise(arguments: list[str], command: CommandLine) -> int:
    """Serve what `command` asks for, anew after each edit, until a signal; gives the status."""
    listening = command.listen()
    if isinstance(listening, str):
        sys.stderr.write(listening)
        return 1
    sockets = [(name, socket.socket(fileno=descriptor)) for name, descriptor in listening]
    reached = command.reached
    try:
        _log.configure(str(reached['config'].get('log') or 'info'))
    except LoggerError:
        _log.configure('info')  # The worker tells what is wrong with it.
    watched = command.reload
    assert watched is not None, 'it is called for who asks for it'
    folders, includes, excludes, files = watched
    watch = Watch(
        Watched([str(folder) for folder in folders], includes, excludes, [str(f) for f in files])
    )
    try:
        return _Supervisor(arguments, sockets, reached, watch, command).run()
    finally:
        for _, bound in sockets:
            bound.close()


class _Supervisor:
    """The workers of one program, at most one of which serves and one starts."""

    def __init__(
        self,
        arguments: list[str],
        sockets: list[tuple[str, socket.socket]],
        reached: dict[str, Any],
        watch: Watch,
        command: CommandLine,
    ) -> None:
        self._arguments = arguments
        self._sockets = sockets
        self._reached = reached
        self._watch = watch
        self._command = command
        self._workers: list[WorkerProcess] = []
        #: The one that serves.
        self._current: WorkerProcess | None = None
        #: The one that is to take over.
        self._starting: WorkerProcess | None = None
        #: The one that starts when no other one is left, for it wants to be alone.
        self._waiting: WorkerProcess | None = None
        self._has_greeted = False
        #: Why nothing serves, and how many processes have ended that were to show it.
        self._failure: Message = {}
        self._unshown = 0
        #: What has changed since a worker was started, and when that is complete.
        self._changed: dict[str, None] = {}
        self._settled = self._unquiet = 0.0
        self._next_look = 0.0
        #: The status to exit with, once it is to end.
        self._status: int | None = None
        self._signals: list[int] = []
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Supervise until a signal, or until the program ends by itself."""
        with _receiving_signals(self._signals) as woken:
            self._selector.register(woken, selectors.EVENT_READ)
            self._log_watch()
            self._start()
            try:
                while self._status is None:
                    self._wait(max(0.0, self._due() - time.monotonic()))
                    # Before ends of workers, which have the signals of a terminal too.
                    self._handle_signals()
                    if self._status is None:
                        self._reap()
                        self._look()
                self._finish()
            finally:
                for worker in self._workers:
                    worker.kill()
                    worker.close()
                self._selector.close()
        return self._status

    # Time and signals.

    def _due(self) -> float:
        """Give when something is to be done by the clock."""
        deadlines = [worker.deadline for worker in self._workers if worker.stage is Stage.ENDING]
        due = min([self._next_look, *deadlines])
        # A worker that has ended without closing its channel is found by then.
        return min(due, time.monotonic() + _INTERVAL)

    def _wait(self, timeout: float) -> None:
        """Wait for messages and signals; do what the messages ask for."""
        for worker in self._workers:
            self._watch_channel(worker)
        for key, events in self._selector.select(timeout):
            if isinstance(key.data, WorkerProcess):
                if events & selectors.EVENT_WRITE:
                    key.data.send_rest()
                if events & selectors.EVENT_READ:
                    self._receive(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(4096)  # type: ignore[union-attr]

    def _reap(self) -> None:
        """Find the workers that have ended; kill those that should have."""
        for worker in list(self._workers):
            status = worker.status()
            if status is not None:
                self._has_ended(worker, status)
            elif worker.stage is Stage.ENDING and time.monotonic() >= worker.deadline:
                worker.kill()
                worker.deadline += _MARGIN

    def _handle_signals(self) -> None:
        while self._signals and self._status is None:
            number = self._signals.pop(0)
            if number == signal.SIGUSR1:
                if self._current is not None:
                    with contextlib.suppress(OSError):
                        os.kill(self._current.pid, number)
            elif number == signal.SIGUSR2:
                self._restart('SIGUSR2', [])
            elif number == signal.SIGHUP and not _terminal_is_gone():
                self._restart('SIGHUP', [])
            else:
                self._status = 0

    def _look(self) -> None:
        """Look at the files when it is time; start anew once an edit is complete."""
        now = time.monotonic()
        if now < self._next_look:
            return
        changed = self._watch.look()
        took = time.monotonic() - now
        now += took
        self._note(changed)
        complete = self._changed and (now >= self._settled or now >= self._unquiet)
        if complete:
            changed = list(self._changed)
            self._restart(_named(changed), changed)
        pause = _QUIET if self._changed else _INTERVAL
        self._next_look = now + max(pause, took / _MAX_SHARE)

    def _note(self, changed: list[str]) -> None:
        """Add to what has changed, and wait until it is complete."""
        if not changed:
            return
        now = time.monotonic()
        if not self._changed:
            self._unquiet = now + _MAX_UNQUIET
        self._changed.update(dict.fromkeys(changed))
        self._settled = now + _QUIET
        self._next_look = min(self._next_look, self._settled)

    def _log_watch(self) -> None:
        more = f', and no more than {MAX_FILES} of a folder' if self._watch.is_full else ''
        _log.logger.info('an edit starts it anew: %d files are looked at%s', len(self._watch), more)

    # Workers.

    def _start(self, failure: Message | None = None) -> None:
        """Start a worker; with `failure` one that only shows that."""
        worker = WorkerProcess(
            self._arguments,
            self._sockets,
            shows_failure=failure is not None,
            greets=not self._has_greeted,
        )
        self._starting = worker
        self._workers.append(worker)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        if failure is not None:
            worker.send('reached', **self._reached)
            worker.send('show', **failure)

    def _restart(self, reason: str, changed: list[str]) -> None:
        """Start a new worker, in place of one that has not started yet."""
        self._changed.clear()
        _log.logger.info('%s: starting anew', reason)
        if self._starting is not None:
            self._starting.end(_MARGIN)
        self._waiting = None
        _forget_compiled(changed)
        self._start()

    def _receive(self, worker: WorkerProcess) -> None:
        """Do what a worker's messages ask for."""
        messages = worker.channel.receive()
        if messages is None:
            self._unregister(worker)
            return
        for message in messages:
            if message['kind'] in ('ready', 'files', 'failed'):
                self._note(self._watch.add(message.pop('files', []), worker.began_at))
            if worker is not self._starting:
                continue  # It was given up meanwhile.
            if message['kind'] == 'ready':
                self._takes_over(worker, message)
            elif message['kind'] == 'failed':
                worker.has_failed(_MARGIN)
                self._has_failed(message)
            elif message['kind'] == 'alone':
                self._waiting = worker
                if self._current is not None:
                    self._current.end(_MARGIN, has_successor=True)
                    self._current = None
                self._let_alone()

    def _takes_over(self, worker: WorkerProcess, message: Message) -> None:
        """Give up the old worker: the new one serves."""
        worker.stage, worker.grace = Stage.SERVING, message['grace']
        old, self._current, self._starting = self._current, worker, None
        self._command.notify_ready('serves, and starts anew after each edit')
        if old is not None:
            old.end(_MARGIN, has_successor=True)
        if worker.shows_failure:
            return
        self._unshown = 0
        if message['listens_on'] != listens_on(self._reached):
            _log.logger.warning('it goes on where it listens: start it again for another address')
        if self._has_greeted:
            _log.logger.info('started anew in %.2f s', time.monotonic() - worker.began)
        self._has_greeted = True

    def _has_failed(self, failure: Message) -> None:
        """Tell why nothing has started, in the log and to whoever opens a page."""
        self._starting = None
        if self._current is not None and not self._current.shows_failure:
            message = 'it has not started anew: %s; what worked last goes on until an edit mends it'
        else:
            message = 'it has not started: %s; an edit starts it'
        _log.logger.error(message, failure['summary'])
        self._show(failure)

    def _show(self, failure: Message) -> None:
        """Let who serves show why nothing better does, or start one who shows it."""
        failure = {key: failure[key] for key in ('summary', 'text', 'page', 'policy')}
        self._failure = failure
        if self._current is None:
            self._start(failure)
        else:
            self._current.send('show', **failure)

    def _has_ended(self, worker: WorkerProcess, status: int) -> None:
        """Forget a worker that has ended, and see what that means."""
        self._receive(worker)  # What it has said before.
        self._unregister(worker)
        self._workers.remove(worker)
        worker.close()
        stage = worker.stage
        if worker is self._starting:
            self._starting = None
            if worker.shows_failure:
                self._has_not_shown(status)
            else:
                self._has_failed(_failed_start.of_exit(status, 'before it served'))
        elif worker is self._current and stage is Stage.SERVING:
            self._current = None
            if self._status is not None or status in (0, 128 + signal.SIGINT):
                # Somebody has stopped it, and with it all of this.
                self._status = status if self._status is None else self._status
            else:
                failure = _failed_start.of_exit(status, 'while it served')
                _log.logger.error('%s; an edit starts it', failure['summary'])
                if self._starting is None:
                    self._show(failure)
        if worker is self._waiting:
            self._waiting = None
        self._let_alone()

    def _has_not_shown(self, status: int) -> None:
        """Start another process that shows why nothing serves, or give up.

        The sockets are open, so whoever connects would wait for ever.
        """
        self._unshown += 1
        _log.logger.error('the process that shows why nothing serves ended with %d', status)
        if self._unshown < _MAX_UNSHOWN:
            self._start(self._failure)
        else:
            _log.logger.error('nothing serves, and nothing shows why: it ends')
            self._status = 1

    def _let_alone(self) -> None:
        """Let the worker go on that wants to be alone, if it is."""
        if self._waiting is not None and self._workers == [self._waiting]:
            self._waiting.send('alone')
            self._waiting = None

    def _watch_channel(self, worker: WorkerProcess) -> None:
        """Wait for room too where a message is on its way."""
        events = selectors.EVENT_READ
        if worker.channel.is_sending:
            events |= selectors.EVENT_WRITE
        with contextlib.suppress(KeyError):  # Its channel has ended.
            self._selector.modify(worker.channel, events, worker)

    def _unregister(self, worker: WorkerProcess) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.channel)

    def _finish(self) -> None:
        """Let all workers end; a second signal does not wait."""
        self._command.notify_stopping()
        begun = time.monotonic()
        self._starting = None
        self._next_look = math.inf  # No edit matters any more.
        for worker in self._workers:
            worker.end(_MARGIN)
        while self._workers:
            self._wait(max(0.0, self._due() - time.monotonic()))
            self._reap()
            if self._signals and time.monotonic() - begun >= _REPEAT_WINDOW:
                self._status = 128 + signal.SIGINT
                return
            self._signals.clear()


def _forget_compiled(files: list[str]) -> None:
    """Remove what Python has compiled of files that have changed.

    It knows what it has compiled by the second and the size, and would take the old one after two
    edits within a second that leave the size as it is.
    """
    for file in files:
        if file.endswith('.py'):
            with contextlib.suppress(OSError, NotImplementedError):
                os.unlink(importlib.util.cache_from_source(file))


def _named(files: list[str]) -> str:
    """Say which files have changed: `app.py, shop/models.py have changed`."""
    here = os.getcwd() + os.sep
    names = [file[len(here) :] if file.startswith(here) else file for file in files]
    if len(names) > _MAX_NAMED:
        return f'{", ".join(names[:_MAX_NAMED])} and {len(names) - _MAX_NAMED} more have changed'
    return f'{", ".join(names)} {"has" if len(names) == 1 else "have"} changed'


#: Which of the standard streams were a terminal at the start.
_terminals: Final = {descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)}


def _terminal_is_gone() -> bool:
    return any(not os.isatty(descriptor) for descriptor in _terminals)


@contextlib.contextmanager
def _receiving_signals(received: list[int]) -> Iterator[socket.socket]:
    """Put the signals that come into `received` while the block runs; what is given wakes."""
    woken, waking = socket.socketpair()
    woken.setblocking(False)
    waking.setblocking(False)
    before = {}
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        handler = signal.getsignal(number)
        # What is ignored (`nohup`, a job in the background) stays ignored.
        if handler is not signal.SIG_IGN and handler is not None:
            before[number] = signal.signal(number, lambda got, _frame: received.append(got))
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        woken.close()
        waking.close()
