"""WebSockets as programs write them and as clients see them, with the `websockets` package."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from harness import CERTIFICATE, CERTIFICATE_KEY, PATIENCE, Program, Serving, serving, wait_until
from harness_more import Log, at_once
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

of = pytest.mark.parametrize


@pytest.fixture
def site() -> Iterator[Serving]:
    with serving(grace_period=2) as site:
        yield site


def client(
    site: Any, path: str = '/ws', scheme: str = 'ws', host: str = '', **options: Any
) -> ClientConnection:
    """Open a WebSocket, of the virtual host `host` if there is one."""
    options.setdefault('close_timeout', PATIENCE)
    address, port = site.address
    if host:
        options['sock'] = socket.create_connection((address, port))
    return connect(f'{scheme}://{host or address}:{port}{path}', **options)


def closing(connection: ClientConnection) -> tuple[int, str]:
    """Read until it is closed; how."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=PATIENCE)
    close = connection.protocol.close_rcvd
    return (1006, '') if close is None else (close.code, close.reason)


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
        await asyncio.sleep(0.05)  # saves something
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


def test_what_a_change_leaves_alone(site: Serving) -> None:
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

    with client(site) as old, of_host() as guest:
        assert (said(old), said(guest)) == ('one', 'host')
        http.websocket('/ws')(answering('two'))
        del http.config['vhosts']['a.example']
        with client(site) as new:
            assert (said(old), said(new), said(guest)) == ('one', 'two', 'host')


# Bounds.


def test_messages_that_are_too_long() -> None:
    with serving(
        websocket_max_message='1KiB', vhosts={'a.example': {'websocket_max_message': '10KiB'}}
    ) as site:
        codes: list[Any] = []

        async def handler(ws):
            async for message in ws:
                await ws.send(str(len(message)))
            codes.append(ws.close_code)

        site.http.websocket('/ws')(handler)
        site.http.websocket('/ws', 'a.example')(handler)
        for host, most in (('b', 1024), ('a.example', 10_240)):
            with client(site, host=host) as ws:
                ws.send('x' * most)
                assert ws.recv(timeout=PATIENCE) == str(most)
                ws.send('x' * (most + 1))
                assert closing(ws)[0] == 1009
        wait_until(lambda: codes == [1009, 1009], 'the handlers know')


@of('compressed', [True, False])
def test_compression_is_an_option(compressed: bool) -> None:
    with serving(websocket_compress=compressed) as site:

        @site.http.websocket('/ws')
        async def handler(ws):
            await ws.send('x')

        with client(site) as ws:
            agreed = ws.response.headers.get('Sec-WebSocket-Extensions')
            assert (agreed is not None) is compressed


@of('path', ['/async', '/sync'])
def test_a_handler_is_no_faster_than_its_client(path: str) -> None:
    with serving(websocket_queue=4) as site:
        sent, full = [0], threading.Event()

        @site.http.websocket('/async')
        async def handler(ws):
            while ws.send_nowait(bytes(100_000)):
                sent[0] += 1
                await asyncio.sleep(0.001)
            full.set()
            await ws.send('the last')

        @site.http.websocket('/sync')
        def handler_sync(ws):
            with contextlib.suppress(TimeoutError):
                while True:
                    ws.send(bytes(100_000), timeout=0.05)
                    sent[0] += 1
            full.set()
            ws.send('the last')

        with client(site, path, max_queue=1, compression=None) as ws:
            assert full.wait(PATIENCE)
            for _ in range(sent[0]):
                assert len(ws.recv(timeout=PATIENCE)) == 100_000
            assert ws.recv(timeout=PATIENCE) == 'the last'


def test_a_client_is_no_faster_than_its_handler() -> None:
    """Nor are other connections held up by one of which the handler takes nothing."""
    with serving(websocket_queue=4) as site:
        go_on = threading.Event()
        got: list[int] = []

        @site.http.websocket('/slow')
        def slow(ws):
            go_on.wait(PATIENCE)
            for message in ws:
                got.append(len(message))

        @site.http.websocket('/echo')
        async def echo(ws):
            async for message in ws:
                await ws.send(message)

        sent = 0
        with client(site, '/slow', compression=None) as flood, client(site, '/echo') as other:
            flood.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                while sent < 1000:
                    flood.send(bytes(100_000))
                    sent += 1
            # What the system's buffers hold, and ours.
            assert sent < 400
            other.send('still here')
            assert other.recv(timeout=PATIENCE) == 'still here'
            go_on.set()
            wait_until(lambda: len(got) >= sent, 'all of it arrives')


def test_dead_clients_are_found() -> None:
    with serving(websocket_ping_interval=0.1, websocket_ping_timeout=0.1) as site:
        told: list[Any] = []

        @site.http.websocket('/ws')
        async def handler(ws):
            async for _message in ws:
                pass
            told.append((ws.request.query['who'], ws.close_code, ws.close_reason))

        with client(site, '/ws?who=alive', ping_interval=None) as alive:
            with site.client() as dead:
                fields = {
                    'Connection': 'Upgrade',
                    'Upgrade': 'websocket',
                    'Sec-WebSocket-Version': '13',
                    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
                }
                dead.send('GET', '/ws?who=dead', fields)
                assert dead.read_head().status == 101
                assert dead.expect_close() == b'\x89\x00'
            wait_until(lambda: told, 'the handler knows')
            assert told == [('dead', 1006, 'the client is silent')]
            assert alive.ping().wait(PATIENCE)


def test_silence_ends_where_that_is_wanted() -> None:
    with serving(websocket_idle_timeout=0.2, websocket_ping_interval=0.05) as site:

        @site.http.websocket('/ws')
        async def handler(ws):
            async for message in ws:
                await ws.send(message)

        with client(site) as ws:
            began = time.monotonic()
            while time.monotonic() - began < 0.5:
                ws.send('x')
                ws.recv(timeout=PATIENCE)
            assert closing(ws) == (1001, 'idle')


def test_threads_are_bounded() -> None:
    with serving(max_websocket_threads=2) as site:

        @site.http.websocket('/sync')
        def handler(ws):
            for message in ws:
                ws.send(message)

        @site.http.websocket('/async')
        async def handler_async(ws):
            await ws.send('fine')

        with client(site, '/sync') as one:
            with client(site, '/sync') as other:
                with pytest.raises(InvalidStatus) as refused, client(site, '/sync'):
                    pass
                assert refused.value.response.status_code == 503
                assert refused.value.response.headers['Retry-After']
                with client(site, '/async') as ws:
                    assert ws.recv(timeout=PATIENCE) == 'fine'
                other.send('still here')
                assert other.recv(timeout=PATIENCE) == 'still here'

            def again() -> bool:
                try:
                    with client(site, '/sync') as ws:
                        ws.send('x')
                        return ws.recv(timeout=PATIENCE) == 'x'
                except InvalidStatus:
                    return False

            wait_until(again, 'a place is free')
            one.send('x')
            assert one.recv(timeout=PATIENCE) == 'x'


def test_python_that_is_busy_holds_nobody_else_up(site: Serving) -> None:
    """A thread of its own for each plain handler: requests are served meanwhile."""
    go_on = threading.Event()

    @site.http.websocket('/sync')
    def handler(ws):
        go_on.wait(PATIENCE)
        ws.send('late')

    @site.http.route('/')
    def hello(request):
        return 'hello'

    with client(site, '/sync') as ws:
        assert site.get('/').body == b'hello'
        go_on.set()
        assert ws.recv(timeout=PATIENCE) == 'late'


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


# The handshake.


def handshake(**changes: str) -> dict[str, str]:
    fields = {
        'Connection': 'Upgrade',
        'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    fields.update({name.replace('_', '-'): value for name, value in changes.items()})
    return {name: value for name, value in fields.items() if value}


@of(
    ('method', 'fields', 'status'),
    [
        ('GET', {}, 426),
        ('HEAD', handshake(), 426),
        ('POST', handshake(), 405),
        ('GET', handshake(Upgrade='h2c'), 426),
        ('GET', handshake(Sec_WebSocket_Version='8'), 426),
        ('GET', handshake(Sec_WebSocket_Version=''), 426),
        ('GET', handshake(Sec_WebSocket_Key=''), 400),
        ('GET', handshake(Sec_WebSocket_Key='short'), 400),
        ('GET', handshake(Origin='https://evil.example'), 403),
        ('GET', handshake(Origin='null'), 403),
        ('GET', handshake(), 101),
    ],
)
@of('module', [False, True])
def test_handshakes(
    tmp_path: Any, method: str, fields: dict[str, str], status: int, module: bool
) -> None:
    """A module's are judged as a route's are; what Python need not see it does not see."""
    source = """
import slimHTTP
http = next(iter(slimHTTP.instances.values()))
@http.websocket('/ws')
async def handler(ws):
    await ws.send('x')
"""
    if module:
        (tmp_path / 'app.py').write_text(source)
        config = {'module': str(tmp_path / 'app.py')}
    else:
        config = {}
    called = []
    with serving(**config) as site:
        if not module:

            @site.http.websocket('/ws')
            async def handler(ws):
                called.append(1)

        with site.client() as client:
            client.send(method, '/ws', fields)
            response = client.read_head()
            assert response.status == status
            if status == 426:
                assert response.headers['Upgrade'] == 'websocket'
                assert response.headers['Connection'].lower() == 'upgrade'
                assert response.headers['Sec-WebSocket-Version'] == '13'
            elif status == 405:
                assert response.headers['Allow'] == 'GET, HEAD'
        assert not called or status == 101


def test_origins(site: Serving) -> None:
    @site.http.websocket('/same')
    async def same(ws): ...

    @site.http.websocket('/listed', origins=['https://a.example', 'http://b.example:8080'])
    async def listed(ws): ...

    @site.http.websocket('/any', origins=['*'])
    async def anybody(ws): ...

    host, port = site.address
    for path, origin, status in (
        ('/same', '', 101),
        ('/same', f'http://{host}:{port}', 101),
        ('/same', f'http://{host}', 403),
        ('/same', 'https://a.example', 403),
        ('/listed', '', 101),
        ('/listed', 'https://A.example:443', 101),
        ('/listed', 'http://b.example:8080', 101),
        ('/listed', f'http://{host}:{port}', 403),
        ('/any', 'null', 101),
    ):
        with site.client() as client:
            client.send('GET', path, handshake(Origin=origin))
            assert client.read_head().status == status, (path, origin)


def test_subprotocols(site: Serving) -> None:
    @site.http.websocket('/ws', subprotocols=['v2', 'v1'])
    async def handler(ws):
        await ws.send(str(ws.subprotocol))

    for offered, spoken in ((['v1', 'v2'], 'v2'), (['v1'], 'v1'), (['v0'], None), (None, None)):
        with client(site, subprotocols=offered) as ws:
            assert ws.recv(timeout=PATIENCE) == str(spoken)
            assert ws.subprotocol == spoken


@of(
    ('arguments', 'error'),
    [
        ({'url': 'ws'}, ValueError),
        ({'url': '/ws', 'origins': 'https://a.example'}, TypeError),
        ({'url': '/ws', 'origins': ['a.example']}, ValueError),
        ({'url': '/ws', 'origins': [1]}, TypeError),
        ({'url': '/ws', 'subprotocols': 'v1'}, TypeError),
        ({'url': '/ws', 'vhost': 1}, TypeError),
        ({'url': '/ws/<'}, ValueError),
    ],
)
def test_arguments_that_make_no_route(site: Serving, arguments: Any, error: type) -> None:
    with pytest.raises(error):

        @site.http.websocket(**arguments)
        async def handler(ws): ...


def test_routes_show_it(site: Serving) -> None:
    @site.http.websocket('/ws')
    async def handler(ws): ...

    assert site.http.routes[None]['/ws'].parser is handler
    # A route of the same path replaces it.
    site.http.route('/ws')(lambda request: 'plain')
    assert site.get('/ws').body == b'plain'


def test_over_tls() -> None:
    with serving(mode=slimHTTP.HTTPS, cert=str(CERTIFICATE), key=str(CERTIFICATE_KEY)) as site:

        @site.http.websocket('/ws')
        async def handler(ws):
            async for message in ws:
                await ws.send(message)

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with client(site, scheme='wss', ssl=context) as ws:
            for message in ('Hello', bytes(1_000_000), 'x' * 500_000):
                ws.send(message)
                assert ws.recv(timeout=PATIENCE) == message


def test_a_module_opens_websockets(tmp_path: Any) -> None:
    """It is run for the handshake, and that run stays for the WebSocket."""
    module = tmp_path / 'app.py'
    module.write_text("""
import slimHTTP
http = next(iter(slimHTTP.instances.values()))
slimHTTP.memory.increment('runs')

@http.websocket('/async/<name>', vhost='a.example')
async def handler(ws):
    async for message in ws:
        await ws.send(f'one {ws.params["name"]} {message}')

@http.websocket('/sync', vhost='a.example')
def handler_sync(ws):
    for message in ws:
        ws.send('one ' + message)

def on_request(request):
    return 'a page'
""")
    with serving(vhosts={'a.example': {'module': str(module)}}) as site:

        def guest(path: str) -> ClientConnection:
            return client(site, path, host='a.example')

        def said(ws: ClientConnection) -> str:
            ws.send('?')
            return str(ws.recv(timeout=PATIENCE))

        slimHTTP.memory.pop('runs', None)
        with guest('/async/x') as old, guest('/sync') as old_sync:
            assert (said(old), said(old_sync)) == ('one x ?', 'one ?')
            assert slimHTTP.memory['runs'] == 2
            assert site.get('/', 'a.example').body == b'a page'
            module.write_text(module.read_text().replace('one', 'two'))
            with guest('/async/x') as new:
                assert (said(new), said(old)) == ('two x ?', 'one x ?')
