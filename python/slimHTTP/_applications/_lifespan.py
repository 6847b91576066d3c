"""The lifespan of one ASGI application: its start-up and its shutdown, as one call of it.

`asgi.readthedocs.io/en/latest/specs/lifespan.html`. The call is a task of the event loop from
the start-up to the end; everything here runs on the loop's thread. `start` and `stop` wait for
what the application answers, `stop` may be called more than once, at the same time too.

    unanswered → complete → asked to shut down → ended
              ↘ failed, unsupported
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from slimHTTP import _log
from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._debug import _failure
from slimHTTP._serve import _fork, _loop

#: How long an application that says that it has failed may take to raise why, and one that is
#: cancelled to clean up (s).
_MOMENT: Final = 1.0


class Lifespan:
    """The lifespan of one application for one server."""

    def __init__(self, application: Callable[..., Any], label: str, *, required: bool) -> None:
        self._application = application
        self._label = label
        #: Whether one that does not support it has failed.
        self._required = required
        #: What the application keeps for its requests.
        self.state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._received = 0
        self._failure: str | None = None
        self._stopping = False

    async def start(self, timeout: float) -> bool:
        """Let the application start up; tells whether it supports that.

        Raises ApplicationFault or what the application has raised where it has failed, and
        where it has not answered within `timeout` seconds: it is cancelled then.
        """
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[bool] = loop.create_future()
        self._asked = asyncio.Event()
        self._shut_down = asyncio.Event()
        self._idle = asyncio.Event()
        # With all that it begins, which is no request's and ends with it.
        self._task = _loop.create_program_task(self._run())
        try:
            await asyncio.wait({self._answered}, timeout=timeout)
        except asyncio.CancelledError:
            await self._cancel()
            raise
        if not self._answered.done():
            await self._cancel()
            raise ApplicationFault(
                f'an answer to `lifespan.startup` within {timeout:g} s',
                'none',
                'see `app_start_timeout`; `lifespan` may be `off`',
            )
        try:
            # Raises CancelledError where `stop` has come before.
            return self._answered.result()
        except BaseException:
            # It may go on behind `lifespan.startup.failed`.
            await self._cancel()
            raise

    async def stop(self, timeout: float) -> None:
        """Let the application shut down, and wait for that `timeout` seconds at most."""
        task = self._task
        if task is None or task.done():
            return
        if not self._answered.done():  # It has not even started.
            await self._cancel()
            return
        self._stopping = True
        self._asked.set()
        await _first(task, self._shut_down, timeout)
        if self._shut_down.is_set():
            # It may have something to do behind that, but nothing to receive.
            await _first(task, self._idle, _MOMENT)
        elif not task.done():
            _log.logger.warning(
                '%s has not shut down within %g s: cancelled', self._label, max(timeout, 0.0)
            )
        await self._cancel()

    async def _cancel(self) -> None:
        task = self._task
        self._stopping = True
        self._answered.cancel()
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_MOMENT)

    async def _run(self) -> None:
        scope = {
            'type': 'lifespan',
            'asgi': {'version': '3.0', 'spec_version': '2.0'},
            'state': self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError as error:
            if self._stopping:
                raise
            self._ended(error)
        except BaseException as error:  # SystemExit too: the loop serves others.
            _fork.exit_as_child(error)
            self._ended(error)
        else:
            self._ended(None)

    def _ended(self, error: BaseException | None) -> None:
        """Take note that the application has returned, or what it has raised."""
        if not self._answered.done():
            self._ended_unanswered(error)
        elif error is not None and not self._answered.cancelled() and self._failure is None:
            when = 'shutting down' if self._stopping else 'its lifespan'
            _log.logger.error(
                '%s failed in %s: %s', self._label, when, _failure.summary(error),
                exc_info=_failure.exc_info(error),
            )  # fmt: skip

    def _ended_unanswered(self, error: BaseException | None) -> None:
        if isinstance(error, SystemExit):
            # Not raised as what it is: whoever waits for the answer would be ended.
            fault = ApplicationFault('an application that starts', 'one that exits (SystemExit)')
            self._answered.set_exception(fault.with_traceback(error.__traceback__))
        elif self._failure is not None:
            self._fail(error)
        elif not self._required:
            self._log_unsupported(error)
            self._answered.set_result(False)
        elif isinstance(error, Exception):
            self._answered.set_exception(error)
        else:
            self._answered.set_exception(
                ApplicationFault(
                    '`lifespan.startup.complete`, as `lifespan` is `on`',
                    'an application that returns without an answer'
                    if error is None
                    else f'`{type(error).__name__}`',
                )
            )

    def _log_unsupported(self, error: BaseException | None) -> None:
        """Say that it is served without a lifespan: aloud where it has begun to start up."""
        if error is None or not self._received:
            _log.logger.debug('%s has no lifespan', self._label)
            return
        _log.logger.warning(
            '%s raised when it was started up, and is served as if it had no lifespan'
            ' (`lifespan` is `auto`): %s',
            self._label, _failure.summary(error), exc_info=_failure.exc_info(error),
        )  # fmt: skip

    def _fail(self, error: BaseException | None) -> None:
        if self._answered.done():
            return
        # What it has raised says where; frameworks give the traceback as message.
        if isinstance(error, Exception):
            self._answered.set_exception(error)
            return
        message = (self._failure or '').strip()
        found = f'`lifespan.startup.failed`: {message}' if message else '`lifespan.startup.failed`'
        self._answered.set_exception(ApplicationFault('an application that starts up', found))

    async def _receive(self) -> dict[str, Any]:
        self._received += 1
        if self._received == 1:
            return {'type': 'lifespan.startup'}
        if self._received == 2:
            await self._asked.wait()
            return {'type': 'lifespan.shutdown'}
        # There is nothing more to come.
        self._idle.set()
        nothing: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await nothing

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message['type']
        answered = self._answered.done() or self._failure is not None
        if kind == 'lifespan.startup.complete' and not answered:
            self._answered.set_result(True)
        elif kind == 'lifespan.startup.failed' and not answered:
            self._failure = str(message.get('message', ''))
            asyncio.get_running_loop().call_later(_MOMENT, self._fail, None)
        elif kind == 'lifespan.shutdown.complete' and self._asked.is_set():
            self._shut_down.set()
        elif kind == 'lifespan.shutdown.failed' and self._asked.is_set():
            self._shut_down.set()
            text = str(message.get('message', '')).strip()
            _log.logger.error(
                '%s says that it has failed to shut down%s',
                self._label,
                f': {text}' if text else '',
            )
        else:
            raise RuntimeError(f'unexpected ASGI message `{kind}` in the lifespan')


async def _first(task: asyncio.Task[None], event: asyncio.Event, timeout: float) -> None:
    """Wait for the end of `task` or for `event`, `timeout` seconds at most."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, waiting}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
