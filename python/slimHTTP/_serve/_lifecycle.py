"""What a program does before the first request and after the last one.

The functions of `@http.on_start` and `@http.on_stop`, one `Lifecycle` per server. They
run on the thread that serves (the one in `run()`, in `poll()`, or that enters and leaves
the `with` block), the coroutines on the event loop of the handlers, one after the other.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from slimHTTP import _callables, _log
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._serve import _loop
from slimHTTP._types import ServerInstance

Hook = Callable[..., Any]


class Lifecycle:
    """The beginning and the end of one server, each once."""

    def __init__(self) -> None:
        self._on_start: list[Hook] = []
        self._on_stop: list[Hook] = []
        self._lock = threading.Lock()
        self._starting = False
        #: The process in which it was started; a forked child is not it.
        self._process = 0
        self._over = False
        self._owners = 0
        self._stopped: float | None = None

    def on_start(self, function: Hook) -> None:
        """Register a function; slimHTTP_Error once the server has started."""
        if self._starting or self._process:
            name = _callables.name_of(function)
            raise slimHTTP_Error(
                f'on_start: the server has started already, so `{name}` would never be called:'
                ' register it before `run()`, `poll()` or the `with` block'
            )
        self._on_start.append(function)

    def on_stop(self, function: Hook) -> None:
        """Register a function; slimHTTP_Error once the server has ended."""
        if self._over:
            name = _callables.name_of(function)
            raise slimHTTP_Error(f'on_stop: the server has ended, `{name}` would never be called')
        self._on_stop.append(function)

    def start(self, http: ServerInstance) -> None:
        """Call the functions of `on_start`, unless that was done.

        Raises slimHTTP_Error where one of them fails: then the server is closed.
        """
        if self._process:
            return
        if self._starting:
            raise slimHTTP_Error(f'{http!r} is being started: `on_start` cannot serve')
        self._starting = True
        try:
            for function in self._on_start:
                self._begin(function, http)
        except BaseException:
            self._over = True
            http.close()
            raise
        finally:
            self._starting = False
        # What they have begun on the loop ends with it, and is not waited for.
        _loop.spare_tasks()
        self._process = os.getpid()

    def _begin(self, function: Hook, http: ServerInstance) -> None:
        try:
            result = ask(function, http)
            if _is_coroutine(result):
                http.join_loop()
                _take_over(_loop.complete(_context_after(result), None))
        except Exception as error:
            raise slimHTTP_Error(
                f'{http!r} does not start: `{_callables.name_of(function)}` (on_start) failed:'
                f' {type(error).__name__}: {error}'
            ) from error
        if http.closed:
            raise slimHTTP_Error(
                f'{http!r} was closed by `{_callables.name_of(function)}` (on_start)'
            )

    def stopping(self) -> None:
        """Hear that the server takes no more connections; the grace period begins."""
        if self._stopped is None:
            self._stopped = time.monotonic()

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Leave the end to who is in this block, whoever closes the server meanwhile."""
        self._owners += 1
        try:
            yield
        finally:
            self._owners -= 1

    @property
    def has_begun(self) -> bool:
        """Whether the functions of `on_start` were called."""
        return self._process != 0

    @property
    def is_owned(self) -> bool:
        """Whether somebody else sees to the end."""
        return self._owners > 0

    def abandon(self) -> None:
        """End without a word: somebody does not want to wait."""
        self._over = True

    @property
    def has_more(self) -> bool:
        """Whether the end has something to do that may take its time."""
        return bool(self._on_stop) and self._process == os.getpid() and not self._over

    def finish(self, http: ServerInstance) -> None:
        """Give the tasks of handlers what is left of the grace period, then call `on_stop`.

        Called once the last request is answered; a second call does nothing. The
        functions have a grace period of their own, all of them together.
        """
        with self._lock:
            if self._over or self._process != os.getpid():
                return
            self._over = True
            grace = http._server.grace_period
            begun = self._stopped
            # What was closed and not stopped has cut what was in flight.
            patience = 0.0 if begun is None else max(begun + grace - time.monotonic(), 0.0)
            _loop.finish_tasks(http._server, patience)
            latest = time.monotonic() + grace
            for function in reversed(self._on_stop):
                self._stop(function, http, latest)

    def _stop(self, function: Hook, http: ServerInstance, latest: float) -> None:
        name = _callables.name_of(function)
        try:
            result = ask(function, http)
            if _is_coroutine(result):
                http.join_loop()
                _loop.complete(result, max(latest - time.monotonic(), 0.0))
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


def _take_over(context: contextvars.Context) -> None:
    """Set here what was set there: handlers begin with what this thread has."""
    unset = object()
    for variable, value in context.items():
        if variable.get(unset) is not value:
            variable.set(value)


def _is_coroutine(result: Any) -> bool:
    return hasattr(result, '__await__')


def ask(function: Callable[..., Any], instance: ServerInstance) -> Any:
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
