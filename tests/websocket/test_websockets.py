"""WebSockets as programs write them and as clients see them: messages, the end, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
import slimHTTP
from support import PATIENCE, Log, Program, Serving, at_once, serving, tick_async, wait_until
from support.sites import site_fixture
from support.websocket_clients import client, closing
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import ClientConnection

of = pytest.mark.parametrize
site = site_fixture(grace_period=2)


# Messages.


@of('path', ['/async', '/sync'])
@of('compression', ['deflate', None])
def test_messages_both_ways(site: Serving, path: str, compression: str | None) -> None:
    @site.http.websocket('/async')
    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    @site.http.websocket('/sync')
    def echo_sync(ws):
        for message in ws:
            ws.send(message)

    with client(site, path, compression=compression) as ws:
        for message in ('', 'Hello', 'κόσμε 🎈', 'x' * 200_000, b'', b'\0\xff', bytes(300_000)):
            ws.send(message)
            assert ws.recv(timeout=PATIENCE) == message
        ws.send(['in ', 'fragments'])
        assert ws.recv(timeout=PATIENCE) == 'in fragments'
        assert ws.ping().wait(PATIENCE)


def test_the_handshake_is_a_request_like_others(site: Serving) -> None:
    @site.http.websocket('/room/<name>/<int:seat>')
    async def handler(ws):
        request = ws.request
        await ws.send_json(
            [ws.params, request.query, request.headers[b'x-a'].decode(), request.url]
        )
        await ws.send(request.CLIENT_IDENTITY.address)

    options = {'additional_headers': {'X-A': 'b'}}
    with client(site, '/room/blue/7?q=1', **options) as ws:
        said = ws.recv(timeout=PATIENCE)
        assert said == '[{"name":"blue","seat":7},{"q":"1"},"b","/room/blue/7"]'
        assert ws.recv(timeout=PATIENCE) == '127.0.0.1'


def test_json(site: Serving) -> None:
    @site.http.websocket('/ws')
    async def handler(ws):
        value = await ws.receive_json()
        await ws.send_json({'got': value})
        with pytest.raises(ValueError):
            await ws.receive_json()
        await ws.send('fine')

    with client(site) as ws:
        ws.send('{"a": [1, null]}')
        assert ws.recv(timeout=PATIENCE) == '{"got":{"a":[1,null]}}'
        ws.send('nonsense')
        assert ws.recv(timeout=PATIENCE) == 'fine'


@of('message', [None, 1, ['a'], {'a': 1}])
def test_what_is_no_message(site: Serving, message: Any) -> None:
    raised: list[BaseException] = []

    @site.http.websocket('/ws')
    async def handler(ws):
        for send in (ws.send_nowait, lambda it: slimHTTP.broadcast([ws], it)):
            try:
                send(message)
            except TypeError as error:
                raised.append(error)
        await ws.send(bytearray(b'a') + memoryview(b'b'))

    with client(site) as ws:
        assert ws.recv(timeout=PATIENCE) == b'ab'
    assert len(raised) == 2


def test_pings(site: Serving) -> None:
    @site.http.websocket('/async')
    async def ping(ws):
        took = [await ws.ping(), await ws.ping(b'data'), await ws.ping('text')]
        await ws.send(str(all(0 <= seconds < PATIENCE for seconds in took)))
        with pytest.raises(ValueError):
            await ws.ping(b'x' * 126)
        await asyncio.gather(*[ws.ping() for _ in range(100)])
        await ws.send('all')

    @site.http.websocket('/sync')
    def ping_sync(ws):
        ws.ping(b'data')
        ws.send(str(ws.ping(timeout=PATIENCE) >= 0))

    with client(site, '/async') as ws:
        assert ws.recv(timeout=PATIENCE) == 'True'
        assert ws.recv(timeout=PATIENCE) == 'all'
    with client(site, '/sync') as ws:
        assert ws.recv(timeout=PATIENCE) == 'True'


# The end.


@of('path', ['/async', '/sync'])
def test_how_the_client_closes_is_told(site: Serving, path: str) -> None:
    told: list[Any] = []

    @site.http.websocket('/async')
    async def handler(ws):
        await ws.send('go')
        assert (ws.closed, ws.close_code, ws.close_reason) == (False, None, None)
        async for _message in ws:
            pass
        told.extend([ws.closed, ws.close_code, ws.close_reason])
        for use in (ws.receive, lambda: ws.send('x'), lambda: ws.ping()):
            with pytest.raises(slimHTTP.WebSocketClosed) as raised:
                await use()
            assert (raised.value.code, raised.value.reason) == (ws.close_code, ws.close_reason)
        await ws.close()
        told.append('done')

    @site.http.websocket('/sync')
    def handler_sync(ws):
        ws.send('go')
        assert (ws.closed, ws.close_code, ws.close_reason) == (False, None, None)
        for _message in ws:
            pass
        told.extend([ws.closed, ws.close_code, ws.close_reason])
        for use in (ws.receive, lambda: ws.send('x'), ws.ping):
            with pytest.raises(slimHTTP.WebSocketClosed):
                use()
        ws.close()
        told.append('done')

    with client(site, path) as ws:
        assert ws.recv(timeout=PATIENCE) == 'go'
        ws.send('unread')
        ws.close(3001, 'bye')
    wait_until(lambda: 'done' in told, 'the handler ends')
    assert told == [True, 3001, 'bye', 'done']
    told.clear()
    with client(site, path) as ws:
        assert ws.recv(timeout=PATIENCE) == 'go'
        ws.socket.shutdown(2)
    wait_until(lambda: 'done' in told, 'the handler ends')
    assert told == [True, 1006, '', 'done']


@of('path', ['/async', '/sync'])
def test_how_the_handler_closes_is_told(site: Serving, path: str) -> None:
    told: list[Any] = []

    @site.http.websocket('/async')
    async def handler(ws):
        for number in range(20):
            await ws.send(str(number))
        for code, reason in ((1005, ''), (999, ''), (70_000, ''), (1000, 'x' * 124)):
            with pytest.raises(ValueError):
                await ws.close(code, reason)
        await ws.close(4000, 'enough')
        told.extend([ws.close_code, ws.close_reason])
        with pytest.raises(slimHTTP.WebSocketClosed, match='4000 enough'):
            ws.send_nowait('x')

    @site.http.websocket('/sync')
    def handler_sync(ws):
        for number in range(20):
            ws.send(str(number))
        ws.close(4000, 'enough', timeout=PATIENCE)
        told.extend([ws.close_code, ws.close_reason])

    with client(site, path) as ws:
        for number in range(20):
            assert ws.recv(timeout=PATIENCE) == str(number)
        assert closing(ws) == (4000, 'enough')
    wait_until(lambda: told == [4000, 'enough'], 'the handler ends')


@of('path', ['/async', '/sync'])
def test_a_handler_that_returns_or_raises(site: Serving, path: str) -> None:
    def act(message: str) -> None:
        if message == 'raise':
            raise ZeroDivisionError('on purpose')
        if message == 'exit':
            raise SystemExit(3)

    @site.http.websocket('/async')
    async def handler(ws):
        act(await ws.receive())

    @site.http.websocket('/sync')
    def handler_sync(ws):
        act(ws.receive())

    for message, code in (('return', 1000), ('raise', 1011), ('exit', 1011), ('return', 1000)):
        with Log() as log, client(site, path) as ws:
            ws.send(message)
            assert closing(ws) == (code, '')
            if message == 'raise':
                log.wait_for(f'GET {path} failed.*Traceback.*act.*ZeroDivisionError: on purpose')
            elif message == 'return':
                assert 'failed' not in log.text


@of('path', ['/async', '/sync'])
def test_who_sends_to_a_client_that_has_left_has_not_failed(site: Serving, path: str) -> None:
    ended = threading.Event()

    @site.http.websocket('/async')
    async def handler(ws):
        try:
            while True:
                await ws.send('x' * 1000)
        finally:
            ended.set()

    @site.http.websocket('/sync')
    def handler_sync(ws):
        try:
            while True:
                ws.send('x' * 1000)
        finally:
            ended.set()

    with Log() as log:
        with client(site, path) as ws:
            ws.recv(timeout=PATIENCE)
            ws.socket.shutdown(2)
        assert ended.wait(PATIENCE)

        # One who fails is told of.
        @site.http.websocket('/fails')
        async def fails(ws):
            raise ZeroDivisionError

        with client(site, '/fails') as ws:
            assert closing(ws)[0] == 1011
        log.wait_for('ZeroDivisionError')
        assert 'WebSocketClosed' not in log.text


def test_a_server_that_stops_says_1001_and_lets_handlers_end() -> None:
    ended: list[Any] = []

    async def handler(ws):
        async for _message in ws:
            pass
        await tick_async()  # saves something
        ended.append(ws.close_code)

    def handler_sync(ws):
        for _message in ws:
            pass
        ended.append(ws.close_code)

    async def stubborn(ws):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append('cancelled')
            raise

    with serving(grace_period=0.5) as site:
        for name in (handler, handler_sync, stubborn):
            site.http.websocket(f'/{name.__name__}')(name)
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(client(site, path))
                for path in ('/handler', '/handler_sync', '/stubborn')
            ]
            site.http.stop()
            assert at_once([lambda it=it: closing(it) for it in clients]) == [(1001, '')] * 3
            wait_until(lambda: len(ended) == 3, 'all handlers end')
    assert sorted(map(str, ended)) == ['1001', '1001', 'cancelled']


def test_a_program_ends_with_websockets_open() -> None:
    program = """
import slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=1)
@http.websocket('/async')
async def handler(ws):
    await ws.send('here')
    async for message in ws: pass
@http.websocket('/sync')
def handler_sync(ws):
    ws.send('here')
    for message in ws: pass
http.run()
"""
    with Program(program) as process, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(client(process, path)) for path in ('/async', '/sync') * 3]
        for ws in clients:
            assert ws.recv(timeout=PATIENCE) == 'here'
        assert process.stop() == 0
        assert [closing(ws)[0] for ws in clients] == [1001] * 6
        assert 'Traceback' not in process.stderr


def test_c12_7_what_a_change_leaves_alone(site: Serving) -> None:
    """Replaced routes and removed virtual hosts keep the WebSockets that are open."""

    def answering(answer: str) -> Any:
        async def handler(ws):
            async for _message in ws:
                await ws.send(answer)

        return handler

    http = site.http
    http.config['vhosts'] = {'a.example': {}}
    http.websocket('/ws')(answering('one'))
    http.websocket('/ws', 'a.example')(answering('host'))

    def of_host() -> ClientConnection:
        return client(site, host='a.example')

    def said(ws: ClientConnection) -> str:
        ws.send('?')
        return str(ws.recv(timeout=PATIENCE))

    with client(site) as old, of_host() as of_vhost:
        assert (said(old), said(of_vhost)) == ('one', 'host')
        http.websocket('/ws')(answering('two'))
        del http.config['vhosts']['a.example']
        with client(site) as new:
            assert (said(old), said(new), said(of_vhost)) == ('one', 'two', 'host')


# Telling many.


def test_many_are_told_from_anywhere(site: Serving) -> None:
    room: set[Any] = set()

    @site.http.websocket('/async')
    async def member(ws):
        room.add(ws)
        async for _message in ws:
            pass

    @site.http.websocket('/sync')
    def member_sync(ws):
        room.add(ws)
        for _message in ws:
            pass

    @site.http.route('/tell')
    def tell(request):
        return str([len(slimHTTP.broadcast(room, 'from a route')), len(room)])

    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(client(site, path))
            for path in ('/async', '/sync')
            for _ in range(5)
        ]
        wait_until(lambda: len(room) == 10, 'all are there')
        assert site.get('/tell').body == b'[0, 10]'
        at_once([lambda ws=ws: ws.send_nowait('from a thread') for ws in room])
        for ws in clients:
            assert ws.recv(timeout=PATIENCE) == 'from a route'
            assert ws.recv(timeout=PATIENCE) == 'from a thread'
        clients[0].close()
        wait_until(lambda: any(ws.closed for ws in room), 'one has left')
        assert site.get('/tell').body == b'[1, 10]'
    wait_until(lambda: all(ws.closed for ws in room), 'all have left')
    for ws in room:
        with pytest.raises(slimHTTP.WebSocketClosed):
            ws.send_nowait('x')


def test_several_tasks_share_one(site: Serving) -> None:
    @site.http.websocket('/ws')
    async def handler(ws):
        async def tick(name):
            for number in range(50):
                await ws.send(f'{name}{number}')

        async def answer():
            async for message in ws:
                await ws.send(message)

        answering = asyncio.ensure_future(answer())
        await asyncio.gather(tick('a'), tick('b'))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ws.receive(), 0.01)
        await ws.send('ticked')
        await answering

    with client(site) as ws:
        said = [ws.recv(timeout=PATIENCE) for _ in range(100)]
        for name in 'ab':
            assert [it for it in said if it[0] == name] == [f'{name}{n}' for n in range(50)]
        assert ws.recv(timeout=PATIENCE) == 'ticked'


def test_awaiting_on_another_loop_is_a_mistake_that_is_named() -> None:
    with serving(websocket_queue=1) as site:
        outcome: list[Any] = []

        @site.http.websocket('/ws')
        async def handler(ws):
            def elsewhere():
                try:
                    asyncio.run(ws.receive())
                except RuntimeError as error:
                    outcome.append(str(error))

            await asyncio.to_thread(elsewhere) if hasattr(asyncio, 'to_thread') else None
            await ws.send('done')

        with client(site) as ws:
            assert ws.recv(timeout=PATIENCE) == 'done'
        assert 'use `send_nowait`' in outcome[0]


def test_a_thousand_come_and_go(site: Serving) -> None:
    async def run() -> None:
        host, port = site.address

        async def one(number: int) -> None:
            async with connect_async(f'ws://{host}:{port}/ws', open_timeout=60) as ws:
                await ws.send(str(number))
                assert await ws.recv() == str(number)

        for start in range(0, 1000, 100):
            await asyncio.gather(*[one(number) for number in range(start, start + 100)])

    alive = [0]

    @site.http.websocket('/ws')
    async def handler(ws):
        alive[0] += 1
        try:
            async for message in ws:
                await ws.send(message)
        finally:
            alive[0] -= 1

    asyncio.run(run())
    wait_until(lambda: alive[0] == 0, 'every handler has ended')
