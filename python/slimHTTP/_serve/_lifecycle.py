"""The hooks `on_start` and `on_stop`: before the first request, and after the last one.

Applications start behind `on_start` and end before `on_stop`, see `_applications`.

One `Lifecycle` per server. Plain functions run on the thread that serves (the one in `run()`,
in `poll()`, or that enters and leaves the `with` block); coroutines on the event loop of the
handlers, while that thread waits for them; one after the other. `close()` may come from any
thread at any moment: whoever is in `run()` or in a `with` block takes the end upon itself
(`deferring_finish`), and otherwise the thread that closes runs it. A lock makes it happen once.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from slimHTTP import _callables, _log
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._serve import _loop
from slimHTTP._types import ServerInstance

Hook = Callable[..., Any]


class Applications(Protocol):
    """The applications of a server, as far as its start and its end are concerned."""

    def begin(self, *, on_this_thread: bool = False) -> None:
        """Start what the configuration names; import it here if `on_this_thread`."""

    def wait(self, timeout: float | None) -> bool:
        """Wait until each has started or has failed to; tells whether each has."""

    def failures(self) -> list[tuple[str, BaseException]]:
        """Give what messages call those that have not started, and why."""

    @property
    def has_lifespans(self) -> bool:
        """Whether an application is to be told that the server ends."""

    def end(self, timeout: float) -> None:
        """Shut every application down, within `timeout` seconds."""


class Lifecycle:
    """The beginning and the end of one server, each once."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications
        self._on_start: list[Hook] = []
        self._on_stop: list[Hook] = []
        self._lock = threading.Lock()
        self._starting = False
        #: The process in which it was started; a forked child is not it.
        self._started_in = 0
        self._finished = False
        self._deferrals = 0
        self._grace_began: float | None = None

    def on_start(self, function: Hook) -> None:
        """Register a function; slimHTTP_Error once the server has started."""
        if self._starting or self._started_in:
            name = _callables.name_of(function)
            raise slimHTTP_Error(
                f'on_start: the server has started already, so `{name}` would never be called:'
                ' register it before `run()`, `poll()` or the `with` block'
            )
        self._on_start.append(function)

    def on_stop(self, function: Hook) -> None:
        """Register a function; slimHTTP_Error once the server has ended."""
        if self._finished:
            name = _callables.name_of(function)
            raise slimHTTP_Error(f'on_stop: the server has ended, `{name}` would never be called')
        self._on_stop.append(function)

    def start(self, http: ServerInstance) -> None:
        """Call the functions of `on_start`, unless that was done.

        Raises slimHTTP_Error where one of them fails: then the server is closed.
        """
        if self._started_in:
            return
        if self._starting:
            raise slimHTTP_Error(f'{http!r} is being started: `on_start` cannot serve')
        self._starting = True
        try:
            for function in self._on_start:
                self._run_start_hook(function, http)
        except BaseException:
            self._finished = True
            http.close()
            raise
        finally:
            self._starting = False
        # What they have begun on the loop ends with it, and is not waited for.
        _loop.exempt_tasks()
        self._started_in = os.getpid()

    def _run_start_hook(self, function: Hook, http: ServerInstance) -> None:
        try:
            result = call_with_instance(function, http)
            if _is_awaitable(result):
                http.join_loop()
                _apply_context(_loop.run_coroutine(_context_after(result), None))
        except Exception as error:
            raise slimHTTP_Error(
                f'{http!r} does not start: `{_callables.name_of(function)}` (on_start) failed:'
                f' {type(error).__name__}: {error}'
            ) from error
        if http.closed:
            raise slimHTTP_Error(
                f'{http!r} was closed by `{_callables.name_of(function)}` (on_start)'
            )

    def begin_grace_period(self) -> None:
        """Begin the grace period: the server takes no more connections."""
        if self._grace_began is None:
            self._grace_began = time.monotonic()

    @contextlib.contextmanager
    def deferring_finish(self) -> Iterator[None]:
        """Keep `finish` for whoever is in this block, whatever thread closes the server."""
        self._deferrals += 1
        try:
            yield
        finally:
            self._deferrals -= 1

    @property
    def has_started(self) -> bool:
        """Whether the functions of `on_start` were called."""
        return self._started_in != 0

    @property
    def finish_is_deferred(self) -> bool:
        """Whether a thread in `run()` or a `with` block is going to call `finish`."""
        return self._deferrals > 0

    def skip_stop_hooks(self) -> None:
        """End without calling `on_stop`: a second Ctrl-C does not wait."""
        self._finished = True

    @property
    def has_stop_hooks(self) -> bool:
        """Whether `finish` has something to call, which may take its time."""
        has_any = bool(self._on_stop) or self._applications.has_lifespans
        return has_any and self._started_in == os.getpid() and not self._finished

    def finish(self, http: ServerInstance) -> None:
        """Give the tasks of handlers what is left of the grace period, then end the rest.

        Called once the last request is answered; a second call does nothing. Applications
        and the functions of `on_stop` have a grace period of their own, all of them together.
        """
        with self._lock:
            if self._finished or self._started_in != os.getpid():
                return
            self._finished = True
            grace = http._server.grace_period
            begun = self._grace_began
            # A server that was closed, not stopped, has cut what was in flight.
            timeout = 0.0 if begun is None else max(begun + grace - time.monotonic(), 0.0)
            _loop.finish_tasks(http._server, timeout)
            deadline = time.monotonic() + grace
            self._applications.end(grace)
            for function in reversed(self._on_stop):
                self._run_stop_hook(function, http, deadline)

    def _run_stop_hook(self, function: Hook, http: ServerInstance, deadline: float) -> None:
        name = _callables.name_of(function)
        try:
            result = call_with_instance(function, http)
            if _is_awaitable(result):
                http.join_loop()
                _loop.run_coroutine(result, max(deadline - time.monotonic(), 0.0))
        except _loop.Overdue:
            _log.logger.warning(
                '`%s` (on_stop) has not ended within the grace period: cancelled', name
            )
        except KeyboardInterrupt:
            raise
        except BaseException:
            _log.logger.exception('`%s` (on_stop) failed', name)


async def _context_after(work: Awaitable[Any]) -> contextvars.Context:
    """Await `work` and give the context in which it ran, with what it has set there."""
    await work
    return contextvars.copy_context()


def _apply_context(context: contextvars.Context) -> None:
    """Set here what was set there: handlers begin with what this thread has."""
    unset = object()
    for variable, value in context.items():
        if variable.get(unset) is not value:
            variable.set(value)


def _is_awaitable(result: Any) -> bool:
    return hasattr(result, '__await__')


def call_with_instance(function: Callable[..., Any], instance: ServerInstance) -> Any:
    """Call a function with the instance, if and as it takes it."""
    import inspect  # Here, for a server that is asked nothing needs none of it.

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # A callable that does not tell.
        return function()
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD or (
            parameter.name == 'instance'
            and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        ):
            return function(instance=instance)
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL or (
            parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            and parameter.default is parameter.empty
        ):
            return function(instance)
    return function()
