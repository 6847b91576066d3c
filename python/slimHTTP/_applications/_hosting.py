"""Which applications a server hosts: what a change brings is started, what it takes away is ended.

One `Hosting` per server. `begin` is called once, on the thread that starts the server, when
`on_start` is done and the process has its final rights; `sync` after each change, on the thread
that makes it; `end` after the last request. Importing an application runs its code: it may take
long or never end, and change the configuration in turn. So each import has a thread of its own, no
lock is held meanwhile, and nobody waits for it but who asks to (`wait`); only where nothing is
served before, the thread that begins imports (`begin`). The lifespans of ASGI applications run on
the event loop.

An application starts once for each server that names it, however often that is. A number is what
the configuration says of one (reference, interface, folder, …); several have the same
application where they come to the same object.

    starting → ready → leaving → gone
            ↘ failed ↗
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Union

from slimHTTP import _callables, _log
from slimHTTP._applications import _environment, _imports, _start_failure
from slimHTTP._applications._wrappers import Wrapper
from slimHTTP._serve import _fork, _loop, _threads
from slimHTTP._slimhttp import Server

if TYPE_CHECKING:
    from slimHTTP._applications._lifespan import Lifespan


#: How often it is looked whether the last request of an application is done (s).
_INTERVAL: Final = 0.05
#: How much longer than they may take the shutdowns are waited for (s).
_MARGIN: Final = 2.0


class _Named(NamedTuple):
    """An application as the configuration names it, see `Applications.list` of the extension."""

    number: int
    reference: str
    given: Union[Callable[..., Any], None]
    interface: str
    lifespan: str
    folder: Any
    env: list[tuple[str, str]]
    timeout: float
    debug: bool

    @property
    def label(self) -> str:
        """What messages call it."""
        if self.given is None:
            return f'application `{self.reference}`'
        given = self.given.app if isinstance(self.given, Wrapper) else self.given
        return f'application `{_callables.name_of(given)}`'


class _Hosted:
    """An application of one server, from its start to its end."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.state: Literal['starting', 'ready', 'failed', 'ended'] = 'starting'
        #: The object, once it is there, and what it speaks.
        self.application: Callable[..., Any] | None = None
        self.interface: Literal['asgi', 'wsgi'] | None = None
        self.lifespan: Lifespan | None = None
        #: The numbers that the site in force has for it, and those that it had.
        self.numbers: set[int] = set()
        self.leaving: set[int] = set()
        #: Why it has not started.
        self.failure: BaseException | None = None


class _Deferred(threading.local):
    """What this thread is to do once it has changed the configuration and let go of its lock."""

    depth = 0
    #: Whether there was a change, and what is to be tried anew.
    changed = False
    retry: set[str] | None = set()  # noqa: RUF012 - replaced, never changed


class Hosting(_fork.LockOwner):
    """The applications of one server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._begun = self._ended = False
        self._deferred = _Deferred()
        #: By number. An application has several where it is written in several ways.
        self._hosted: dict[int, _Hosted] = {}
        #: Notified when one has started, or has failed to.
        self._settled = threading.Condition()
        #: The lifespans that have begun and have not ended.
        self._lifespans: set[Lifespan] = set()
        self._imports = _imports.Imports()

    @property
    def has_lifespans(self) -> bool:
        """Whether an application is to be told that the server ends, which may take its time."""
        return bool(self._lifespans)

    def begin(self, *, on_this_thread: bool = False) -> None:
        """Start what the configuration names; a second call does nothing.

        `on_this_thread` has applications imported here: for the main thread, while nothing is
        served that it would hold up.
        """
        with self._lock:
            if self._begun:
                return
            self._begun = True
        self.sync(on_this_thread=on_this_thread)

    def sync(self, retry: Iterable[str] | None = (), *, on_this_thread: bool = False) -> None:
        """Start and end applications until they are those of the site in force.

        Of those that have failed to start, those are tried anew that are called as `retry`
        says, or with None all. Raises what ends the program, and nothing that an application
        raises.
        """
        if not self._begun:
            return
        again: set[str] | None = None if retry is None else set(retry)
        deferred = self._deferred
        if deferred.depth:
            deferred.changed = True
            if again is None or deferred.retry is None:
                deferred.retry = None
            else:
                deferred.retry = deferred.retry | again
            return
        while self._sync_once(again, on_this_thread) and not self._ended:
            # An import may have changed the configuration, or another thread meanwhile.
            again = set()

    @contextlib.contextmanager
    def deferring(self) -> Iterator[None]:
        """Leave what `sync` has to do until the end of the block, the outermost of this thread.

        Around each change of the configuration: within it a lock is held, for which others wait.
        """
        deferred = self._deferred
        deferred.depth += 1
        try:
            yield
        finally:
            deferred.depth -= 1
            if deferred.changed and not deferred.depth:
                retry, deferred.retry, deferred.changed = deferred.retry, set(), False
                self.sync(retry)

    def _sync_once(self, retry: set[str] | None, on_this_thread: bool) -> bool:
        """Look at the configuration, and do what is to be done; tells whether that was anything."""
        named = [_Named(*one) for one in self._server.applications.list()]
        # What is there already is not held up by an import.
        named.sort(key=lambda one: one.given is None)
        did = False
        for one in named:
            hosted = self._claim(one, anew=retry is None or one.reference in retry)
            if hosted is not None:
                did = True
                if on_this_thread or one.given is not None:
                    self._start(one, hosted)
                else:
                    self._start_apart(one, hosted)
        numbers = {one.number for one in named}
        for number in [number for number in list(self._hosted) if number not in numbers]:
            did |= self._let_go(number)
        return did

    def _claim(self, named: _Named, *, anew: bool) -> _Hosted | None:
        """Give what this thread is to start, so that no other does; None where nothing is."""
        number = named.number
        with self._lock:
            if self._ended:
                return None
            known = self._hosted.get(number)
            if known is not None and known.state != 'ended':
                if number in known.leaving:  # It comes back.
                    known.leaving.discard(number)
                    known.numbers.add(number)
                if known.state != 'failed' or not anew:
                    return None
            hosted = self._hosted[number] = _Hosted(named.label)
            hosted.numbers.add(number)
            self._server.applications.starting(number)
            return hosted

    # Starting.

    def _start_apart(self, named: _Named, hosted: _Hosted) -> None:
        """Import an application on a thread of its own, behind the import before it."""
        try:
            self._imports.start(lambda: self._import(named, hosted), hosted.label)
        except RuntimeError as error:  # There is no thread to spare.
            self._fail(hosted, named, error)

    def _import(self, named: _Named, hosted: _Hosted) -> None:
        """Start an application; what the thread of an import does."""
        try:
            with _threads.serving(self._server):
                self._start(named, hosted)
        except KeyboardInterrupt:
            # As where a handler raises it.
            self._server.stop()
            self._server.wake()
        # It may have left the configuration meanwhile.
        self.sync()

    def _tell_overdue(self, named: _Named, hosted: _Hosted) -> None:
        with self._lock:
            if self._ended or hosted.application is not None or hosted.state != 'starting':
                return
            for number in hosted.numbers:
                self._server.applications.failed(number, None)
        _log.logger.error(
            '%s has not started within %g s (`app_start_timeout`): its import still runs',
            hosted.label, named.timeout,
        )  # fmt: skip

    def _start(self, named: _Named, hosted: _Hosted) -> None:
        """Import an application, and begin its start-up."""
        if self._ended:
            return
        try:
            if named.given is not None:
                application, interface = _find(named, hosted.label)
            else:
                overdue = _imports.calling_behind(
                    named.timeout, lambda: self._tell_overdue(named, hosted), hosted.label
                )
                with overdue:
                    application, interface = _find(named, hosted.label)
        except KeyboardInterrupt as error:
            self._fail(hosted, named, error)
            raise
        except BaseException as error:  # SystemExit too: the server has other scopes.
            _fork.exit_as_child(error)
            self._fail(hosted, named, error)
            return
        if self._ended:  # Its import has outlasted the server.
            return
        if self._join(hosted, application, interface):
            return
        if interface == 'asgi' and not self._ended:
            _loop.attach(self._server)
        if interface == 'wsgi' or named.lifespan == 'off':
            self._set_ready(hosted)
            with self._lock:
                abandoned = not hosted.numbers
            if abandoned and interface == 'asgi':
                _loop.spawn(self._end(hosted))
            return
        from slimHTTP._applications._lifespan import Lifespan

        required = named.lifespan == 'on'
        hosted.lifespan = Lifespan(application, hosted.label, required=required)
        self._lifespans.add(hosted.lifespan)
        if not _loop.spawn(self._start_up(hosted, hosted.lifespan, named)):
            # The last server has let go of the loop: this one ends too.
            self._lifespans.discard(hosted.lifespan)
            self._fail(hosted, named, _Ended())

    def _join(
        self, hosted: _Hosted, application: Callable[..., Any], interface: Literal['asgi', 'wsgi']
    ) -> bool:
        """Let what hosts the same object have the numbers of `hosted`; tells whether one does."""
        with self._lock:
            hosted.application, hosted.interface = application, interface
            for other in self._hosted.values():
                if (
                    other is not hosted
                    and other.application is application
                    and other.interface == interface
                    and other.state in ('starting', 'ready')
                ):
                    break
            else:
                return False
            for number in hosted.numbers | hosted.leaving:
                self._hosted[number] = other
                if other.state == 'ready':
                    self._tell_ready(number, other)
            other.numbers |= hosted.numbers
            other.leaving |= hosted.leaving
        # `hosted`, which was starting, is none any more.
        self._notify_settled()
        return True

    async def _start_up(self, hosted: _Hosted, lifespan: Lifespan, named: _Named) -> None:
        """Wait for the start-up of an ASGI application, on the event loop."""
        try:
            supported = await lifespan.start(named.timeout)
        except BaseException as error:
            self._lifespans.discard(lifespan)
            self._fail(hosted, named, error)
            if isinstance(error, Exception):
                return
            raise  # The server ends.
        if not supported:
            hosted.lifespan = None
            self._lifespans.discard(lifespan)
        self._set_ready(hosted)
        with self._lock:
            abandoned = not hosted.numbers
        if abandoned:
            await self._end(hosted)

    def _set_ready(self, hosted: _Hosted) -> None:
        with self._lock:
            hosted.state = 'ready'
            for number in hosted.numbers | hosted.leaving:
                self._tell_ready(number, hosted)
        self._notify_settled()

    def _notify_settled(self) -> None:
        with self._settled:
            self._settled.notify_all()

    def _tell_ready(self, number: int, hosted: _Hosted) -> None:
        assert hosted.application is not None
        assert hosted.interface is not None
        state = None if hosted.lifespan is None else hosted.lifespan.state
        self._server.applications.ready(
            number, hosted.application, hosted.interface, state, hosted.label
        )

    def _fail(self, hosted: _Hosted, named: _Named, error: BaseException) -> None:
        """Let the requests of an application be answered 503, and say why in the log."""
        page = None
        # Nor has one failed that is interrupted or cancelled, for the server ends.
        if isinstance(error, (Exception, SystemExit)):
            page = _start_failure.tell(hosted.label, error, debug=named.debug)
        with self._lock:
            hosted.state, hosted.failure = 'failed', error
            hosted.lifespan = None
            for number in hosted.numbers:
                self._server.applications.failed(number, page)
            for number in list(hosted.leaving):
                self._forget(number)
        self._notify_settled()

    # What whoever supervises this process asks.

    def wait(self, timeout: float | None) -> bool:
        """Wait until each application has started or has failed to; tells whether each has.

        Not on the event loop.
        """

        def settled() -> bool:
            return not any(one.state == 'starting' for one in list(self._hosted.values()))

        with self._settled:
            return self._settled.wait_for(settled, timeout)

    def failures(self) -> list[tuple[str, BaseException]]:
        """Give what messages call the applications that have not started, and why."""
        every = dict.fromkeys(list(self._hosted.values()))
        return [(one.label, one.failure) for one in every if one.failure is not None]

    # Ending.

    def _let_go(self, number: int) -> bool:
        """Let an application go that the site in force does not name; tells whether it was."""
        with self._lock:
            hosted = self._hosted.get(number)
            if hosted is None:
                return False
            was_named = number in hosted.numbers
            hosted.numbers.discard(number)
            hosted.leaving.add(number)
            if hosted.state == 'failed':
                self._forget(number)
            elif hosted.state != 'ready':
                pass  # It ends once it has started.
            elif hosted.numbers or hosted.interface == 'wsgi':
                # Nothing is to be called: it is looked at again behind the next change.
                if not self._server.applications.is_in_use(number):
                    self._forget(number)
            elif was_named:
                _loop.spawn(self._end(hosted))
            return was_named

    async def _end(self, hosted: _Hosted) -> None:
        """Shut an application down once its requests are done, unless it comes back before.

        On the event loop. Its requests have a grace period, and then the application has one.
        """
        import asyncio

        deadline = time.monotonic() + self._server.grace_period
        while any(self._server.applications.is_in_use(number) for number in list(hosted.leaving)):
            if hosted.numbers or self._ended or time.monotonic() >= deadline:
                break
            await asyncio.sleep(_INTERVAL)
        with self._lock:
            if hosted.numbers or hosted.state != 'ready':
                return
            # Who names it again from now on starts it again.
            hosted.state = 'ended'
            for number in list(hosted.leaving):
                self._forget(number)
        lifespan = hosted.lifespan
        if lifespan is not None:
            try:
                await lifespan.stop(self._server.grace_period)
            finally:
                self._lifespans.discard(lifespan)

    def _forget(self, number: int) -> None:
        hosted = self._hosted.pop(number, None)
        self._server.applications.remove(number)
        if hosted is not None:
            hosted.numbers.discard(number)
            hosted.leaving.discard(number)
            if not any(other.label == hosted.label for other in self._hosted.values()):
                _environment.forget(hosted.label)

    def end(self, timeout: float) -> None:
        """Shut every application down, within `timeout` seconds: the server has ended.

        Not on the event loop, which does that.
        """
        with self._lock:
            self._ended = True
            every = list(dict.fromkeys(self._hosted.values()))
            lifespans = list(self._lifespans)
        if lifespans:
            # RuntimeError: the loop has ended, and has cancelled them. Overdue: it is blocked,
            # as the watchdog has said.
            with contextlib.suppress(RuntimeError, _loop.Overdue):
                _loop.run_coroutine(_stop_all(lifespans, timeout), timeout + _MARGIN)
        self._lifespans.clear()
        with self._lock:
            for hosted in every:
                hosted.state = 'ended'
                for number in hosted.numbers | hosted.leaving:
                    self._forget(number)
        self._notify_settled()


class _Ended(BaseException):
    """Why an application has not started when its server ends; the log has nothing to tell."""


async def _stop_all(lifespans: list[Lifespan], timeout: float) -> None:
    import asyncio

    await asyncio.gather(*(lifespan.stop(timeout) for lifespan in lifespans))


def _find(named: _Named, label: str) -> tuple[Callable[..., Any], Literal['asgi', 'wsgi']]:
    """Give an application and what it speaks, whose own code may run here for the first time."""
    from slimHTTP._applications import _importing, _interface

    changed = _environment.apply(named.env, label)
    found: Any = named.given
    if found is None:
        module = named.reference.partition(':')[0]
        if changed and module in sys.modules:
            _log.logger.warning(
                '%s: `%s` has been imported before %s changed, and may have looked at it then',
                label, module, ', '.join(f'`{name}`' for name in changed),
            )  # fmt: skip
        try:
            found = _importing.load(named.reference, str(named.folder))
        finally:
            _log.enable()
    if isinstance(found, Wrapper):
        _interface.check(found.app, found.interface)
        return found.app, found.interface
    if named.interface == 'asgi' or named.interface == 'wsgi':
        _interface.check(found, named.interface)  # type: ignore[arg-type]
        return found, named.interface  # type: ignore[return-value]
    return found, _interface.interface_of(found)
