"""C11.3: the lifespan of an ASGI application, and what is its alone when that fails."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any, Callable

import pytest
import slimHTTP
from support import serving, wait_until
from support.applications import Recorded
from support.log import Log
from support.waiting import tick, tick_async, wait_until_async

#: The other scopes of a server one of whose applications fails.
HOST = 'failing.example'


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [environ['SCRIPT_NAME'].encode() + b'|' + environ['PATH_INFO'].encode()]


def wait_for(recorded: Recorded, *seen: str) -> None:
    wait_until(lambda: recorded.seen == [*seen], f'{seen}, not {recorded.seen}')


# What fails alone.


async def raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError('no database')


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})


async def refuses_and_raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    try:
        raise LookupError('no database')
    except LookupError:
        await send({'type': 'lifespan.startup.failed', 'message': 'Traceback …'})
        raise


async def exits(scope: Any, receive: Any, send: Any) -> None:
    sys.exit(3)


async def never_answers(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def returns(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def says_nonsense(scope: Any, receive: Any, send: Any) -> None:
    await send({'type': 'lifespan.startup'})


@pytest.mark.parametrize(
    ('application', 'said'),
    [
        (raises, 'LookupError: no database\n  Traceback .*in raises\n'),
        (refuses, 'expected an application that starts up, found `lifespan.startup.failed`: no database'),
        (refuses_and_raises, 'LookupError: no database\n  Traceback .*in refuses_and_raises\n'),
        (exits, r'expected an application that starts, found one that exits \(SystemExit\)'),
        (never_answers, 'expected an answer to `lifespan.startup` within 0.4 s, found none\n'
                        '  hint: see `app_start_timeout`'),
        (returns, 'expected `lifespan.startup.complete`, as `lifespan` is `on`, found an application'
                  ' that returns without an answer'),
        (says_nonsense, 'RuntimeError: unexpected ASGI message `lifespan.startup` in the lifespan'),
    ],
)  # fmt: skip
def test_c11_3_one_that_fails_to_start_up_fails_alone(
    application: Callable[..., Any], said: str
) -> None:
    with Log() as log:
        with serving(
            app=wsgi,
            vhosts={HOST: {'app': application, 'lifespan': 'on', 'app_start_timeout': 0.4}},
        ) as site:

            @site.http.route('/route')
            async def route(request: Any) -> str:
                return 'route'

            failing = site.get(host=HOST)
            assert (failing.status, failing.headers['Retry-After']) == (503, '1')
            assert site.get().status == 200
            assert site.get('/route').text == 'route'
            assert site.get(host=HOST).status == 503
            assert site.http._hosting.wait(10)
            [(label, _)] = site.http._hosting.failures()
            assert application.__name__ in label
        told = [record for record in log.records if 'has not started' in record.getMessage()]
    assert len(told) == 1, log.text
    log.wait_for(rf'application `.*{application.__name__}` has not started: {said}')


def test_c11_3_one_that_blocks_the_loop_holds_up_no_other_side() -> None:
    blocked, released = threading.Event(), threading.Event()

    async def blocks(scope: Any, receive: Any, send: Any) -> None:
        blocked.set()
        released.wait(30)
        await Recorded().lifespan(scope, receive, send)

    with Log() as log:
        with serving(app=wsgi, vhosts={HOST: {'app': blocks}}) as site:

            @site.http.route('/route')
            async def route(request: Any) -> str:
                return 'route'

            assert blocked.wait(10)
            with site.client() as waiting:
                waiting.send('GET', '/route')
                assert site.get('/x').text == '|/x'
                log.wait_for('blocked the event loop for .* while 1 request waits')
                released.set()
                assert waiting.read_response().text == 'route'


@pytest.mark.parametrize('lifespan', ['auto', 'off'])
def test_c11_3_one_without_a_lifespan_is_served(lifespan: str) -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope['type'])
        assert scope['type'] == 'http'

    with Log() as log:
        with serving(app=application, lifespan=lifespan) as site:
            assert site.http._hosting.wait(10)
            assert site.http._hosting.failures() == []
        assert 'has not started' not in log.text
        assert ('has no lifespan' in log.text) == (lifespan == 'auto')
    assert seen == (['lifespan'] if lifespan == 'auto' else [])


def test_c11_3_one_that_raises_in_its_start_up_is_served_and_told_of() -> None:
    with Log() as log, serving(app=raises) as site:
        log.wait_for('raised when it was started up, and is served as if it had no lifespan')
        assert site.http._hosting.wait(10)


# A lifespan.


def test_c11_3_a_lifespan_is_that_of_the_server() -> None:
    recorded = Recorded()
    order: list[str] = []
    http = slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, quiet=True, app=recorded)

    @http.on_start
    def on_start() -> None:
        order.extend(['on_start', *recorded.seen])

    @http.on_stop
    def on_stop() -> None:
        order.extend(['on_stop', *recorded.seen])

    assert recorded.seen == []
    with http:
        wait_for(recorded, 'startup')
    assert order == ['on_start', 'on_stop', 'startup', 'shutdown']
    [scope] = recorded.scopes
    assert scope == {
        'type': 'lifespan',
        'asgi': {'version': '3.0', 'spec_version': '2.0'},
        'state': {'at': 'shutdown'},
    }


def test_c11_3_tasks_of_a_start_up_end_with_it() -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append('task')

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        task = asyncio.ensure_future(background())
        await send({'type': 'lifespan.startup.complete'})
        await receive()
        ended.append('shutdown')
        task.cancel()
        await send({'type': 'lifespan.shutdown.complete'})

    began = time.monotonic()
    with Log() as log, serving(app=application, grace_period=20) as site:
        assert site.http._hosting.wait(10)
    assert ended == ['shutdown', 'task']
    assert time.monotonic() - began < 10, 'nobody has waited for the task'
    assert 'cancelled' not in log.text


async def fails_to_shut_down(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({'type': 'lifespan.startup.complete'})
    await receive()
    await send({'type': 'lifespan.shutdown.failed', 'message': 'disk full'})


async def raises_at_the_end(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({'type': 'lifespan.startup.complete'})
    await receive()
    raise LookupError('disk full')


async def never_ends(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({'type': 'lifespan.startup.complete'})
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ('application', 'said'),
    [
        (fails_to_shut_down, 'says that it has failed to shut down: disk full'),
        (raises_at_the_end, 'failed in shutting down: LookupError: disk full\n  Traceback'),
        (never_ends, r'has not shut down within 0\.\d+ s: cancelled|has not shut down within'),
    ],
)
def test_c11_3_a_shutdown_that_fails_is_told(application: Callable[..., Any], said: str) -> None:
    with Log() as log:
        with serving(app=application, grace_period=0.3) as site:
            assert site.http._hosting.wait(10)
        log.wait_for(said)


def test_c11_3_one_that_asks_for_more_behind_its_shutdown_has_shut_down() -> None:
    ended: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        # As the specification shows it, but without the `return`.
        try:
            while True:
                kind = (await receive())['type']
                await send({'type': f'{kind}.complete'})
        finally:
            ended.append(kind)

    began = time.monotonic()
    with Log() as log, serving(app=application, grace_period=20) as site:
        assert site.http._hosting.wait(10)
    assert time.monotonic() - began < 10, 'nobody has waited for its end'
    assert ended == ['lifespan.shutdown']
    assert 'cancelled' not in log.text


def test_c11_3_one_that_has_failed_and_goes_on_is_ended() -> None:
    ended = threading.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({'type': 'lifespan.startup.failed', 'message': 'no database'})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with serving(app=application) as site:
        assert site.http._hosting.wait(10)
        assert site.http._hosting.failures()
        assert ended.is_set()


def test_c11_3_a_task_of_a_request_is_none_of_the_start_up_beside_it() -> None:
    starting, go_on = threading.Event(), threading.Event()
    tasks: list[Any] = []

    async def starts_up(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        starting.set()
        await wait_until_async(go_on.is_set)
        await send({'type': 'lifespan.startup.complete'})
        await receive()
        await send({'type': 'lifespan.shutdown.complete'})

    async def never_done() -> None:
        await asyncio.Event().wait()

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.ensure_future(never_done()))
        await send({'type': 'http.response.start', 'status': 200})
        await send({'type': 'http.response.body', 'body': b'x'})

    vhosts = {HOST: {'app': starts_up, 'lifespan': 'on'}}
    with Log() as log:
        site = serving(app=asked, lifespan='off', vhosts=vhosts, grace_period=0.2)
        with site as served:
            assert starting.wait(10)
            assert served.get('/').body == b'x'
            go_on.set()
            assert served.http._hosting.wait(10)
        log.wait_for('still running at the end of the grace period, cancelled: .*never_done')


def test_c11_3_one_that_a_change_takes_away_shuts_down() -> None:
    recorded, other = Recorded(), Recorded()
    with serving(app=recorded) as site:
        wait_for(recorded, 'startup')
        site.http.configuration({'app': other})
        wait_for(other, 'startup')
        wait_for(recorded, 'startup', 'shutdown')
        assert other.seen == ['startup']
        site.http.configuration({})
        wait_for(other, 'startup', 'shutdown')
    assert recorded.seen == other.seen == ['startup', 'shutdown']


def test_c11_3_one_that_starts_while_it_is_taken_away_shuts_down() -> None:
    recorded, go_on = Recorded(), threading.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while not go_on.is_set():
            await tick_async()
        await recorded(scope, receive, send)

    with serving(app=application) as site:
        wait_until(lambda: site.http._hosting._lifespans, 'its start-up')
        site.http.configuration({})
        go_on.set()
        wait_for(recorded, 'startup', 'shutdown')


# Requests of one that has started.


def test_c11_3_requests_see_the_state_of_the_start_up() -> None:
    recorded = Recorded()
    with serving(app=recorded) as site:
        assert [site.get().text, site.get().text] == ['startup', 'startup']
    assert recorded.seen == ['startup', 'http', 'http', 'shutdown']


def test_c11_3_requests_wait_for_the_start_up() -> None:
    go_on = threading.Event()

    class Slow(Recorded):
        async def lifespan(self, scope: Any, receive: Any, send: Any) -> None:
            while not go_on.is_set():
                await tick_async()
            await super().lifespan(scope, receive, send)

    recorded = Slow()
    with serving(app=recorded) as site, site.client() as client:
        client.send('GET', '/')
        wait_until(lambda: recorded.scopes, 'its start-up')
        assert recorded.seen == []
        go_on.set()
        assert client.read_response().text == 'startup'


def test_c11_3_one_that_is_taken_away_shuts_down_behind_its_requests() -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(Recorded):
        async def respond(self, scope: Any, receive: Any, send: Any) -> None:
            began.set()
            while not go_on.is_set():
                await tick_async()
            await super().respond(scope, receive, send)

    recorded, other = Slow(), Recorded()
    with serving(app=recorded) as site, site.client() as client:
        client.send('GET', '/')
        assert began.wait(10)
        site.http.config['app'] = other
        assert site.get().text == 'startup'
        assert other.seen == ['startup', 'http']
        tick(1.5)
        assert recorded.seen == ['startup', 'http']
        go_on.set()
        assert client.read_response().text == 'startup'
        wait_for(recorded, 'startup', 'http', 'shutdown')


def test_c11_3_one_that_is_taken_away_waits_no_longer_than_the_grace_period() -> None:
    began = threading.Event()

    class Endless(Recorded):
        async def respond(self, scope: Any, receive: Any, send: Any) -> None:
            began.set()
            await asyncio.Event().wait()

    recorded = Endless()
    with serving(app=recorded, grace_period=0.5) as site, site.client() as client:
        client.send('GET', '/')
        assert began.wait(10)
        site.http.configuration({'grace_period': 0.5})
        wait_for(recorded, 'startup', 'http', 'shutdown')


def test_c11_3_one_that_comes_back_before_it_has_ended_goes_on() -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(Recorded):
        async def respond(self, scope: Any, receive: Any, send: Any) -> None:
            if scope['path'] == '/slow':
                began.set()
                while not go_on.is_set():
                    await tick_async()
            await super().respond(scope, receive, send)

    recorded = Slow()
    with serving(app=recorded) as site, site.client() as client:
        client.send('GET', '/slow')
        assert began.wait(10)
        site.http.configuration({})
        site.http.config['app'] = recorded
        assert site.get().text == 'startup'
        go_on.set()
        assert client.read_response().text == 'startup'
        assert site.get().text == 'startup'
    assert recorded.seen == ['startup', 'http', 'http', 'http', 'shutdown']
