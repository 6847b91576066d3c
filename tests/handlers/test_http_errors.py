"""C8: an answer that is raised, from however deep: `slimHTTP.HTTPError`."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import logging
import os
import pickle
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from support import (
    PATIENCE,
    Log,
    Program,
    Serving,
    serving,
    tick,
    tick_async,
    tree,
    wait_until_async,
)
from support.sites import ask, module_site, site_fixture

of = pytest.mark.parametrize
site = site_fixture(response_headers={'X-Scope': 'kept'})


def error(*args: Any, **more: Any) -> Exception:
    import slimHTTP

    return slimHTTP.HTTPError(*args, **more)


def deep(request: Any, level: int = 5) -> Any:
    if level:
        return deep(request, level - 1)
    raise error(404, 'no such <user>', {'X-Own': 'yes'})


async def later(request: Any) -> Any:
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.sleep(0), deeper(request))


async def deeper(request: Any) -> Any:
    await asyncio.sleep(0)
    return deep(request)


def generator(request: Any) -> Any:
    yield deep(request)


async def async_generator(request: Any) -> Any:
    await asyncio.sleep(0)
    yield deep(request)


def handed_on(request: Any) -> Any:
    return later(request)


def after_a_failure(request: Any) -> Any:
    try:
        raise KeyError('no such row')
    except KeyError:
        raise error(404, 'no such <user>', {'X-Own': 'yes'})  # noqa: B904 - as people write it


#: From where it is raised.
FROM: dict[str, Callable[[Any], Any]] = {
    'deep': deep,
    'a coroutine': later,
    'a generator': generator,
    'an async generator': async_generator,
    'a coroutine of a function': handed_on,
    'an except block': after_a_failure,
    'a partial': functools.partial(deep, level=2),
}


def check(answer: Any) -> None:
    assert answer.status == 404
    assert answer.headers['X-Own'] == 'yes'
    assert answer.headers['X-Scope'] == 'kept'
    assert answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert 'no such &lt;user&gt;' in answer.text
    assert '404 Not Found' in answer.text


@of('place', FROM)
def test_c8_3_it_may_be_raised_from_anywhere(site: Serving, place: str) -> None:
    with Log() as log:
        site.http.route('/')(FROM[place])
        check(site.get('/'))
        site.http.GET(FROM[place])
        check(site.get('/other'))
    assert not [record for record in log.records if record.levelno > logging.INFO]
    assert 'HTTPError' not in log.text


def test_c8_3_the_log_tells_of_it_at_debug() -> None:
    source = (
        'import slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        "@http.route('/')\n"
        'def handler(request):\n'
        "    raise slimHTTP.HTTPError(404, 'no such user')\n"
        'http.run()\n'
    )
    with Program(source, env={'SLIMHTTP_LOG': 'debug'}) as program:
        assert program.get('/').status == 404
        program.wait_for('DEBUG .*GET /: route `/` .*HTTPError: 404 Not Found: no such user')
        assert program.stop() == 0
        assert 'Traceback' not in program.stderr


def test_c6_2_a_module_may_raise_it(tmp_path: Path) -> None:
    source = (
        'import slimHTTP\n'
        'def on_request(request):\n'
        "    raise slimHTTP.HTTPError(410, {'error': 'gone'})\n"
    )
    with module_site(tmp_path, source) as site:
        answer = ask(site)
    assert (answer.status, json.loads(answer.body)) == (410, {'error': 'gone'})


#: What it is made of, and the answer: status, type, body.
MADE: dict[str, tuple[tuple[Any, ...], int, Any, Any]] = {
    'a status': ((403,), 403, 'text/html; charset=utf-8', '403 Forbidden'),
    'a status nobody knows': ((499,), 499, 'text/html; charset=utf-8', '499'),
    'of ours': ((503, 'soon'), 503, 'text/html; charset=utf-8', 'soon'),
    'no whole text': ((404, 'no \udcff'), 404, 'text/html; charset=utf-8', 'no \ufffd'),
    'a dict': ((422, {'a': [1]}), 422, 'application/json', '{"a":[1]}'),
    'a list': ((400, ['a']), 400, 'application/json', '["a"]'),
    'bytes': ((400, b'<p>x'), 400, 'text/html; charset=utf-8', '<p>x'),
    'text of a type': ((400, 'x<y', {'content-type': 'text/plain'}), 400, 'text/plain', 'x<y'),
    'elsewhere': ((303, None, {'Location': '/me'}), 303, None, ''),
    'not modified': ((304,), 304, None, ''),
    'a length of its own': ((404, 'x', {'Content-Length': '3'}), 404, 'text/html; charset=utf-8', 'x'),
}  # fmt: skip


@of('method', ['GET', 'HEAD'])
@of('what', MADE)
def test_c8_3_the_answer_is_what_it_is_made_of(site: Serving, what: str, method: str) -> None:
    args, status, kind, body = MADE[what]

    @site.http.route('/')
    def handler(request):
        request.response_headers['X-Handler'] = 'not said'
        raise error(*args)

    site.http.route('/well')(lambda request: 'well')
    with site.client() as client:
        answer = client.request(method, '/')
        assert answer.status == status
        assert answer.headers.get('Content-Type') == kind
        assert 'X-Handler' not in answer.headers
        if method == 'GET':
            assert body in answer.text
        assert client.get('/well').text == 'well'
        assert client.connections == 1
    if what == 'elsewhere':
        assert answer.headers['Location'] == '/me'


def test_c8_3_the_pages_of_the_scope_are_for_it_too(tmp_path: Path) -> None:
    tree(tmp_path, {'404.html': 'the page of the site'})
    pages = {'error_pages': {'404': '404.html'}, 'web_root': os.fspath(tmp_path)}
    with serving(vhosts={'a.example': pages}) as site:
        for host in (None, 'a.example'):
            site.http.route('/text', host)(lambda request: (_ for _ in ()).throw(error(404, 'x')))
            site.http.route('/json', host)(
                lambda request: (_ for _ in ()).throw(error(404, {}, {'WWW-Authenticate': 'x'}))
            )
        assert site.get('/text', host='a.example').text == 'the page of the site'
        assert site.get('/text', host='a.example').status == 404
        assert '<p>x</p>' in site.get('/text', host='b.example').text
        answer = site.get('/json', host='a.example')
        assert (answer.text, answer.headers['WWW-Authenticate']) == ('{}', 'x')


def test_c8_3_debug_tells_no_more(site: Serving) -> None:
    site.http.config['debug'] = True
    site.http.route('/')(deep)
    check(site.get('/'))


def kinds() -> dict[str, Callable[[], Exception]]:
    return {
        'of two arguments': lambda: NotThere('user', 7),
        'of its own attributes': lambda: Teapot(),
        'of a status enum': lambda: error(__import__('http').HTTPStatus.GONE),
    }


def _classes() -> tuple[Any, Any]:
    import slimHTTP

    class NotThere(slimHTTP.HTTPError):
        def __init__(self, what: str, number: int) -> None:
            super().__init__(404, f'no {what} {number}')
            self.number = number

    class Teapot(slimHTTP.HTTPError):
        status = 418

        def __init__(self) -> None:
            Exception.__init__(self)
            self.detail = {'tea': True}

    for kind in (NotThere, Teapot):
        kind.__module__ = __name__
        kind.__qualname__ = kind.__name__
    return NotThere, Teapot


NotThere, Teapot = _classes()


@of('kind', ['of two arguments', 'of its own attributes', 'of a status enum'])
def test_c8_3_a_class_of_ones_own_is_one_too(site: Serving, kind: str) -> None:
    make = kinds()[kind]

    @site.http.route('/')
    def handler(request):
        raise make()

    answer = site.get('/')
    expected = {
        'of two arguments': (404, 'no user 7'),
        'of its own attributes': (418, '{"tea":true}'),
        'of a status enum': (410, '410 Gone'),
    }[kind]
    assert answer.status == expected[0]
    assert expected[1] in answer.text
    # It goes to other processes and back.
    original = make()
    for other in (
        copy.copy(original),
        copy.deepcopy(original),
        pickle.loads(pickle.dumps(original)),
    ):
        assert type(other) is type(original)
        assert (other.status, other.detail) == (original.status, original.detail)
        assert str(other) == str(original)
        assert vars(other) == vars(original)


def test_c8_3_it_is_caught_as_any_exception(site: Serving) -> None:
    import slimHTTP

    assert issubclass(slimHTTP.HTTPError, slimHTTP.slimHTTP_Error)

    @site.http.route('/')
    def handler(request):
        try:
            deep(request)
        except slimHTTP.HTTPError as caught:
            return f'{caught.status} {caught.detail} {caught.headers} {caught}'

    assert site.get('/').text == (
        "404 no such <user> {'X-Own': 'yes'} 404 Not Found: no such <user>"
    )


@of(
    ('args', 'kind'),
    [
        ((200,), ValueError),
        ((600,), ValueError),
        (('404',), TypeError),
        ((True,), TypeError),
        ((404, 3), TypeError),
        ((404, {1}), TypeError),
    ],
)
def test_c8_3_nonsense_is_told_where_it_is_written(args: tuple[Any, ...], kind: Any) -> None:
    with pytest.raises(kind, match='expected'):
        error(*args)


@of('headers', [{'X': 'a\r\nSet-Cookie: evil=1'}, 'text', {'X': object()}])
def test_c8_3_fields_that_are_none_are_a_failure(site: Serving, headers: Any) -> None:
    @site.http.route('/')
    def handler(request):
        raise error(404, 'x', headers)

    with Log() as log:
        answer = site.get('/')
        assert answer.status == 500
        assert 'Set-Cookie' not in answer.headers
        log.wait_for('(?i)header')


def test_c9_a_hook_may_raise_it() -> None:
    with serving() as site, Log() as log:

        @site.http.on_accept
        def accept(socket, ip, port):
            raise error(403)

        @site.http.route('/')
        def well(request):
            return 'well'

        with pytest.raises(Exception):  # noqa: B017 - refused as a connection is
            site.get('/')
        site.http.on_accept_func = None

        @site.http.on_upgrade
        def upgrade(request):
            raise error(426, 'no such protocol')

        answer = site.get('/', Connection='upgrade', Upgrade='x')
        assert answer.status == 426
        assert 'no such protocol' in answer.text
        assert site.get('/').text == 'well'
        assert 'Traceback' not in log.text


# WebSockets


def refusals() -> dict[str, Callable[[Any], Any]]:
    async def at_once(ws):
        raise error(401, {'error': 'who?'}, {'WWW-Authenticate': 'Bearer'})

    async def after_a_look(ws):
        await tick_async()
        ws.request.query.get('token')
        raise error(401, {'error': 'who?'}, {'WWW-Authenticate': 'Bearer'})

    def plain(ws):
        tick()
        raise error(401, {'error': 'who?'}, {'WWW-Authenticate': 'Bearer'})

    return {'at once': at_once, 'after a look': after_a_look, 'plain': plain}


@of('how', ['at once', 'after a look', 'plain'])
def test_c8_4_a_websocket_is_refused_before_it_is_used(site: Serving, how: str) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    site.http.websocket('/')(refusals()[how])
    with Log() as log:
        with pytest.raises(InvalidStatus) as refused:
            connect(f'ws://127.0.0.1:{site.http.port}/', open_timeout=PATIENCE)
        answer = refused.value.response
        assert answer.status_code == 401
        assert answer.headers['WWW-Authenticate'] == 'Bearer'
        assert json.loads(answer.body) == {'error': 'who?'}
        assert 'Traceback' not in log.text


@of(('status', 'code'), [(403, 1008), (404, 1008), (500, 1011), (503, 1011)])
@of('plain', [True, False])
def test_c8_4_a_websocket_in_use_is_closed_by_it(
    site: Serving, status: int, code: int, plain: bool
) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    if plain:

        @site.http.websocket('/')
        def serve(ws):
            ws.send('hello')
            ws.receive()
            raise error(status)
    else:

        @site.http.websocket('/')
        async def serve_async(ws):
            await ws.send('hello')
            await ws.receive()
            raise error(status)

    with Log() as log:
        with connect(f'ws://127.0.0.1:{site.http.port}/') as client:
            assert client.recv(PATIENCE) == 'hello'
            client.send('go on')
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        assert 'Traceback' not in log.text


@of('plain', [True, False])
def test_c8_4_a_handler_that_only_waits_lets_its_client_in(site: Serving, plain: bool) -> None:
    """It never uses its WebSocket; somebody else tells it something, or it opens in time."""
    from websockets.sync.client import connect

    there = threading.Event()
    done = threading.Event()
    members: list[Any] = []
    if plain:

        @site.http.websocket('/')
        def serve(ws):
            members.append(ws)
            there.set()
            done.wait(PATIENCE)
    else:

        @site.http.websocket('/')
        async def serve_async(ws):
            members.append(ws)
            there.set()
            await wait_until_async(done.is_set)

    try:
        with connect(f'ws://127.0.0.1:{site.http.port}/', open_timeout=PATIENCE) as client:
            assert there.is_set()
            assert members[0].send_nowait('told by others')
            assert client.recv(PATIENCE) == 'told by others'
    finally:
        done.set()
