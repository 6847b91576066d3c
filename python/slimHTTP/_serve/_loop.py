"""The event loop for `async def` handlers: one thread for the whole process.

It runs while a server uses it and ends with the last one. Each server has a file descriptor
that is readable while coroutines wait for the loop; on this thread, and on no other, the
extension turns them into tasks and delivers their results (`_turn`). `attach`, `detach` and
`run_coroutine` are called on other threads; functions whose name begins with `_` run on the
loop's, but for `_reset_in_child`. A lock guards which servers use it; nothing waits while it is
held.

`asyncio` is imported by the first server that has something for it: a program of plain
functions never does. That server's `event_loop` says which loop it is.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import os
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from slimHTTP import _log
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._serve import _threads
from slimHTTP._slimhttp import EagerTasks, Server

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

#: How long a task that is cancelled at the end may clean up (s).
_CLEANUP_TIMEOUT: Final = 1.0
#: How many tasks that were cancelled at the end are named.
_MAX_NAMED: Final = 10

_lock = threading.Lock()
_servers: Final[dict[Server, int]] = {}
#: What the handlers of a server find in their contexts: what its program had set when
#: it was started.
_base_contexts: Final[dict[Server, contextvars.Context]] = {}
#: The loop that serves; None from the moment it is to end.
_loop: asyncio.AbstractEventLoop | None = None
#: Which one that is: `asyncio` or `uvloop`.
_implementation = ''
#: The tasks that are no handler's: what programs have begun in `on_start`, and our own.
_exempt: Final[weakref.WeakSet[asyncio.Task[Any]]] = weakref.WeakSet()
#: Set in the contexts of lifespans, and so of all that they begin, which is no handler's either.
_is_program: Final = contextvars.ContextVar('slimHTTP_is_program', default=False)


def attach(server: Server) -> None:
    """Let the loop serve `server`, and start it if need be; a second call does nothing."""
    global _loop, _implementation
    if server in _servers:
        return
    with _lock:
        if server in _servers:
            return
        loop = _loop
        if loop is None:
            _implementation, loop = _new_loop(server.event_loop)
            _loop = loop
            _threads.start(_main, loop, name='slimHTTP event loop')
        elif server.event_loop not in ('auto', _implementation):
            _log.logger.warning(
                'event_loop: `%s` is wished for, but another server of this process has begun'
                ' with `%s`: a process has one event loop',
                server.event_loop, _implementation,
            )  # fmt: skip
        descriptor = _servers[server] = server.async_fd()
        loop.call_soon_threadsafe(_watch, loop, server, descriptor)


def check(event_loop: str) -> None:
    """Raise slimHTTP_Error where there is no such loop: a server says so before it starts."""
    if event_loop != 'uvloop':
        return
    from importlib.util import find_spec

    if find_spec('uvloop') is None:
        raise slimHTTP_Error(
            'event_loop: expected a package `uvloop`, found none\n'
            f'  hint: install it for {sys.executable}, or say `auto`, which takes it where it is'
        )


def _new_loop(event_loop: str) -> tuple[str, asyncio.AbstractEventLoop]:
    """Give what implements the loop that is wished for, and a new one."""
    if event_loop in ('uvloop', 'auto'):
        try:
            import uvloop

            return 'uvloop', uvloop.new_event_loop()
        except ImportError:
            if event_loop == 'uvloop':
                raise
    import asyncio

    return 'asyncio', asyncio.new_event_loop()


def detach(server: Server) -> None:
    """Let go of a server that is closed; the loop ends if it was the last one."""
    global _loop
    _base_contexts.pop(server, None)
    with _lock:
        descriptor = _servers.pop(server, None)
        loop = _loop
        if descriptor is None or loop is None:
            return
        last = not _servers
        if last:
            _loop = None
        with contextlib.suppress(RuntimeError):  # Closed: its thread has died.
            loop.call_soon_threadsafe(_unwatch, loop, server, descriptor, last)


def set_base_context(server: Server) -> None:
    """Let the contexts of `server`'s handlers begin with a copy of the current one."""
    _base_contexts[server] = contextvars.copy_context()


def is_on_loop() -> bool:
    """Tell whether this is the loop's thread: an `async def` handler, or a task of one."""
    asyncio = sys.modules.get('asyncio')
    if _loop is None or asyncio is None:
        return False
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


class Overdue(Exception):
    """What `run_coroutine` was to run has taken longer than its timeout."""


def run_coroutine(work: Awaitable[Any], timeout: float | None) -> Any:
    """Run `work` on the loop, to which a server is attached, and wait for its result.

    Called on another thread. Raises what it raises, and Overdue after `timeout` seconds:
    it was cancelled then, and had a moment to clean up.
    """
    import concurrent.futures

    future = _submit(_with_timeout(work, timeout), work)
    if future is None:
        raise RuntimeError('the event loop has ended')
    try:
        # Not for ever, where a handler blocks the loop.
        return future.result(None if timeout is None else timeout + 2 * _CLEANUP_TIMEOUT)
    except concurrent.futures.TimeoutError:
        if future.done():  # Its own.
            raise
        raise Overdue from None
    finally:
        future.cancel()


def spawn(work: Coroutine[Any, Any, Any]) -> bool:
    """Begin `work` on the loop, and wait for nothing; tells whether there is a loop.

    It is no handler's, so that `finish_tasks` leaves it. It tells its failures itself.
    """
    return _submit(_exempted(work), work) is not None


def _submit(
    wrapped: Coroutine[Any, Any, Any], work: Awaitable[Any]
) -> concurrent.futures.Future[Any] | None:
    """Begin on the loop what runs `work`; where there is none, neither is left unawaited."""
    import asyncio

    loop = _loop
    if loop is not None:
        # RuntimeError: it has been closed just now.
        with contextlib.suppress(RuntimeError):
            return asyncio.run_coroutine_threadsafe(wrapped, loop)
    wrapped.close()
    close = getattr(work, 'close', None)
    if close is not None:
        close()
    return None


async def _exempted(work: Coroutine[Any, Any, Any]) -> None:
    import asyncio

    this = asyncio.current_task()
    assert this is not None  # It is one: `spawn` alone calls this.
    _exempt.add(this)
    await work


async def _with_timeout(work: Awaitable[Any], timeout: float | None) -> Any:
    import asyncio

    this = asyncio.current_task()
    assert this is not None  # Nobody calls this but `run_coroutine`.
    _exempt.add(this)
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=_CLEANUP_TIMEOUT)
        raise Overdue
    return task.result()


def create_program_task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Give a task of `work`, which `finish_tasks` leaves with all that it begins: no handler's."""
    import asyncio

    def create() -> asyncio.Task[Any]:
        _is_program.set(True)
        return asyncio.get_running_loop().create_task(work)

    return contextvars.copy_context().run(create)


def exempt_tasks() -> None:
    """Leave the tasks of now out of `finish_tasks`: `on_start` has begun them for the program."""
    if _loop is not None:
        import asyncio

        _exempt.update(asyncio.all_tasks(_loop))


def finish_tasks(server: Server, timeout: float) -> None:
    """Give the tasks that handlers have started `timeout` seconds to end, then cancel them.

    Where another server has the loop too they go on with it.
    """
    with _lock:
        if _loop is None or set(_servers) != {server}:
            return
    with contextlib.suppress(Overdue):
        run_coroutine(_drain(timeout), timeout + 2 * _CLEANUP_TIMEOUT)


async def _drain(timeout: float) -> None:
    import asyncio

    left = asyncio.all_tasks() - {asyncio.current_task()} - set(_exempt)
    left = {task for task in left if not _is_programs(task)}
    if left:
        _, left = await asyncio.wait(left, timeout=timeout)
    if not left:
        return
    named = ', '.join(_name_of(task) for task in list(left)[:_MAX_NAMED])
    more = f' and {len(left) - _MAX_NAMED} more' if len(left) > _MAX_NAMED else ''
    _log.logger.warning(
        'still running at the end of the grace period, cancelled: %s%s', named, more
    )
    for task in left:
        task.cancel()
    await asyncio.wait(left, timeout=_CLEANUP_TIMEOUT)


def _is_programs(task: asyncio.Task[Any]) -> bool:
    """Tell whether a lifespan has begun a task, or a task of its has."""
    if sys.version_info >= (3, 12):
        context = task.get_context()
    else:
        # It is not told otherwise; of the contexts that a task has its own is the first.
        contexts = (it for it in gc.get_referents(task) if isinstance(it, contextvars.Context))
        context = next(contexts, None)
    return context is not None and context.get(_is_program, False)


def _name_of(task: asyncio.Task[Any]) -> str:
    name = getattr(task.get_coro(), '__qualname__', None)
    return f'`{name}` ({task.get_name()})' if name else task.get_name()


def _watch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int) -> None:
    loop.add_reader(descriptor, _turn, loop, server, _task_maker(loop))


def _turn(
    loop: asyncio.AbstractEventLoop, server: Server, make_task: Callable[..., asyncio.Task[Any]]
) -> None:
    # Where a program has a task factory of its own, that makes the tasks.
    if loop.get_task_factory() is not None:
        make_task = functools.partial(_create_task, loop)
    base = _base_contexts.get(server)
    if base is None:
        server.async_turn(make_task)
    else:
        base.copy().run(server.async_turn, make_task)


def _task_maker(loop: asyncio.AbstractEventLoop) -> Callable[..., asyncio.Task[Any]]:
    """Give what makes a task of a coroutine and takes its first step at once, outside of any task.

    A handler that waits for nothing is done then, and the loop never hears of its task. The task
    runs in `context`, or in a copy of the current one.
    """
    import asyncio

    if sys.version_info >= (3, 12):
        return functools.partial(asyncio.Task, loop=loop, eager_start=True)
    return EagerTasks(loop, asyncio.Task, sys.version_info >= (3, 11), _is_step_of)


def _create_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any],
    context: contextvars.Context | None = None,
) -> asyncio.Task[Any]:
    # Not every factory takes a context.
    if context is None:
        context = contextvars.copy_context()
    return context.run(loop.create_task, coroutine)


def _is_step_of(coroutine: Coroutine[Any, Any, Any], callback: Callable[..., None]) -> bool:
    """Tell whether `callback` is a step of the task of `coroutine`."""
    owner = getattr(callback, '__self__', None)
    # A task that is written in C has steps that do not tell whose they are.
    for holder in gc.get_referents(callback) if owner is None else (owner,):
        get_coro = getattr(holder, 'get_coro', None)
        if get_coro is not None and get_coro() is coroutine:
            return True
    return False


def _unwatch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int, last: bool) -> None:
    try:
        loop.remove_reader(descriptor)
        # The last turn of a closed server cancels what still runs for it.
        server.async_turn(loop.create_task)
    finally:
        if last:
            loop.stop()


def _run_until_detached(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until `detach` ends it, whatever a handler raises or stops."""
    while True:
        try:
            loop.run_forever()
        except SystemExit:
            # asyncio lets it out of the loop; to the server it is a failure like any
            # other, which its task keeps.
            pass
        except KeyboardInterrupt:
            for server in list(_servers):
                server.stop()
                server.wake()
        else:
            if loop is _loop:
                _log.logger.warning('a handler has stopped the event loop; it goes on')
        if loop is not _loop:
            return


def _run_to_completion(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    """Run `loop` until `work` is done, whatever a task raises or stops."""
    task = loop.create_task(work)
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt, RuntimeError):
            # RuntimeError: the loop was stopped before the task was done.
            if _threads.is_ending():
                return


async def _cancel_tasks() -> None:
    """Cancel what is left on the loop and wait until it has cleaned up."""
    import asyncio

    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _main(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        _run_until_detached(loop)
    finally:
        try:
            _run_to_completion(loop, _cancel_tasks())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _reset_in_child() -> None:
    """Begin anew in a forked child, which has the parent's memory but not its threads."""
    global _lock, _loop
    _lock = threading.Lock()
    _servers.clear()
    _base_contexts.clear()
    _loop = None


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_reset_in_child)
