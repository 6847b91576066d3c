"""Tasks that take their first step as they are made, as on CPython before 3.12."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from slimHTTP._serve._loop import _is_step_of
from slimHTTP._slimhttp import EagerTasks

TAKES_CONTEXT = sys.version_info >= (3, 11)

mark: contextvars.ContextVar[str] = contextvars.ContextVar('mark', default='none')


def run(work: Callable[[EagerTasks], Awaitable[None]], make: Any = asyncio.Task) -> None:
    """Run `work` within a callback of a loop, of which it is given the maker of tasks."""
    loop = asyncio.new_event_loop()
    try:
        tasks = EagerTasks(loop, make, TAKES_CONTEXT, _is_step_of)
        loop.run_until_complete(work(tasks))
        assert 'call_soon' not in vars(loop)
    finally:
        loop.close()


def start(tasks: EagerTasks, coroutine: Coroutine[Any, Any, Any], **options: Any) -> Any:
    """Make a task outside of any, as a callback of the loop does."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def callback() -> None:
        try:
            future.set_result(tasks(coroutine, **options))
        except BaseException as error:
            future.set_exception(RuntimeError(repr(error)))

    loop.call_soon(callback)
    return future


def test_a_task_that_waits_for_nothing_is_done_as_it_is_made() -> None:
    async def answer() -> str:
        assert asyncio.current_task() is not None
        mark.set('inner')
        return 'answer'

    async def work(tasks: EagerTasks) -> None:
        task = await start(tasks, answer())
        assert task.done()
        assert task.result() == 'answer'
        assert mark.get() == 'none'

    run(work)


def test_a_task_that_waits_goes_on_as_itself_and_in_its_context() -> None:
    seen = []
    released = asyncio.Event()

    async def answer() -> None:
        mark.set('inner')
        seen.append(asyncio.current_task())
        await released.wait()
        seen.append(asyncio.current_task())
        assert mark.get() == 'inner'

    async def work(tasks: EagerTasks) -> None:
        task = await start(tasks, answer())
        assert not task.done()
        assert seen == [task]
        released.set()
        await task
        assert seen == [task, task]
        assert mark.get() == 'none'

    run(work)


def test_a_task_runs_in_the_context_that_is_given() -> None:
    given = contextvars.copy_context()
    given.run(mark.set, 'given')
    seen = []

    async def answer() -> None:
        seen.append(mark.get())

    async def work(tasks: EagerTasks) -> None:
        await start(tasks, answer(), context=given)
        assert seen == ['given']

    run(work)


@pytest.mark.parametrize('with_context', [False, True], ids=['plain', 'in a context'])
@pytest.mark.parametrize('before', [False, True], ids=['behind', 'before'])
def test_what_else_is_asked_for_meanwhile_is_the_loops(with_context: bool, before: bool) -> None:
    called: list[str] = []

    def make(coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        def other() -> None:
            called.append('other')

        def ask() -> None:
            if with_context:
                options['loop'].call_soon(other, context=contextvars.copy_context())
            else:
                options['loop'].call_soon(called.append, 'other')

        if before:
            ask()
        task = asyncio.Task(coroutine, **options)
        if not before:
            ask()
        return task

    async def answer() -> None:
        called.append('answer')

    async def work(tasks: EagerTasks) -> None:
        task = await start(tasks, answer())
        assert task.done()
        await asyncio.sleep(0)
        assert called == ['answer', 'other']

    run(work, make)


def test_what_ends_the_loop_comes_out_of_the_first_step() -> None:
    async def answer() -> None:
        raise KeyboardInterrupt('now')

    async def work(tasks: EagerTasks) -> None:
        with pytest.raises(RuntimeError, match='KeyboardInterrupt'):
            await start(tasks, answer())

    run(work)


def test_where_no_task_can_be_made_nothing_is_kept_back() -> None:
    called: list[str] = []

    def make(coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        options['loop'].call_soon(lambda: called.append('other'), context=contextvars.Context())
        raise ValueError('no task')

    async def answer() -> None:
        called.append('answer')

    async def work(tasks: EagerTasks) -> None:
        coroutine = answer()
        with pytest.raises(RuntimeError, match='no task'):
            await start(tasks, coroutine)
        coroutine.close()
        await asyncio.sleep(0)
        assert called == ['other']

    run(work, make)
