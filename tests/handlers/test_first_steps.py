"""C8.4: the task of an `async def` handler takes its first step in the turn that makes it."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from support import PATIENCE, Serving
from support.sites import site_fixture

of = pytest.mark.parametrize
site = site_fixture(grace_period=1)


@of('factory', [False, True])
def test_c8_4_a_handler_is_one_task_from_its_first_step_on(site: Serving, factory: bool) -> None:
    made: list[asyncio.Task] = []

    def make(loop, coroutine):
        made.append(asyncio.Task(coroutine, loop=loop))
        return made[-1]

    @site.http.route('/factory')
    async def set_factory(request):
        asyncio.get_running_loop().set_task_factory(make if factory else None)
        return 'set'

    @site.http.route('/at-once')
    async def at_once(request):
        task = asyncio.current_task()
        return {'of a task': task is not None, 'made': task in made}

    @site.http.route('/later')
    async def later(request):
        first = asyncio.current_task()
        # It is cancelled and goes on, which it can as a task alone.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(PATIENCE), 0.01)
        same = asyncio.current_task() is first and first in asyncio.all_tasks()
        return {'of a task': same, 'made': first in made}

    with site.client() as client:
        assert client.get('/factory').text == 'set'
        for path in ['/at-once', '/later', '/at-once']:
            assert client.get(path).json() == {'of a task': True, 'made': factory}, path


def test_c8_4_a_first_step_that_takes_long_holds_back_no_answer(site: Serving) -> None:
    begun, batch, slow_ends = (threading.Event() for _ in range(3))

    @site.http.route('/hold')
    async def hold(request):
        begun.set()
        batch.wait(PATIENCE)
        return 'held'

    @site.http.route('/quick')
    async def quick(request):
        return 'quick'

    @site.http.route('/slow')
    async def slow(request):
        slow_ends.wait(PATIENCE)
        return 'slow'

    with site.client() as first, site.client() as second, site.client() as third:
        first.send('GET', '/hold')
        assert begun.wait(PATIENCE)
        # While the loop is held up these come together.
        second.send('GET', '/quick')
        third.send('GET', '/slow')
        batch.set()
        assert first.read_response().text == 'held'
        assert second.read_response().text == 'quick'
        slow_ends.set()
        assert third.read_response().text == 'slow'
