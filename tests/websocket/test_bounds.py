"""What keeps a WebSocket, its client and its handler, within bounds."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any

import pytest
from support import PATIENCE, Serving, serving, tick_async, wait_until, wait_until_async
from support.sites import site_fixture
from support.websocket_clients import client, closing
from support.websocket_frames import handshake
from websockets.exceptions import ConnectionClosed, InvalidStatus

of = pytest.mark.parametrize
site = site_fixture(grace_period=2)


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
                await tick_async(0.001)
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
    with serving(websocket_ping_interval=0.1, websocket_ping_timeout=1) as site:
        told: list[Any] = []

        @site.http.websocket('/ws')
        async def handler(ws):
            async for _message in ws:
                pass
            told.append((ws.request.query['who'], ws.close_code, ws.close_reason))

        with client(site, '/ws?who=alive', ping_interval=None) as alive:
            with site.client() as dead:
                dead.send('GET', '/ws?who=dead', handshake())
                assert dead.read_head().status == 101
                assert dead.expect_close() == b'\x89\x00'
            wait_until(lambda: told, 'the handler knows')
            assert told == [('dead', 1006, 'the client is silent')]
            assert alive.ping().wait(PATIENCE)


def test_a_client_that_has_gone_is_found_though_its_messages_are_not_taken() -> None:
    with serving(websocket_ping_interval=0.1, websocket_queue=1) as site:
        ended: list[Any] = []

        @site.http.websocket('/ws')
        async def handler(ws):
            await wait_until_async(lambda: ws.closed)
            ended.append(ws.close_code)

        with client(site, ping_interval=None) as ws:
            ws.send('x')
            ws.send('y')
            # At once, and without the closing frames, which stand behind what is not read.
            ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            ws.socket.shutdown(socket.SHUT_RD)
            ws.socket.close()
            wait_until(lambda: ended, 'the handler knows')
        assert ended == [1006]


@of('path', ['/async', '/sync'])
def test_a_ping_that_is_not_answered(path: str) -> None:
    """Its answer is behind messages that nobody receives."""
    with serving(websocket_queue=1) as site:

        @site.http.websocket('/async')
        async def handler(ws):
            await ws.send('go')
            try:
                await ws.ping(timeout=0.2)
            except TimeoutError:
                await ws.send('in vain')

        @site.http.websocket('/sync')
        def handler_sync(ws):
            ws.send('go')
            try:
                ws.ping(timeout=0.2)
            except TimeoutError:
                ws.send('in vain')

        with site.client() as silent:
            silent.send('GET', path, handshake())
            assert silent.read_head().status == 101
            assert silent.read_exactly(4) == b'\x81\x02go'
            assert silent.read_exactly(2) == b'\x89\x08'
            silent.read_exactly(8)
            assert silent.read_exactly(9) == b'\x81\x07in vain'


def test_silence_ends_where_that_is_wanted() -> None:
    with serving(websocket_idle_timeout=0.3, websocket_ping_interval=0.05) as site:

        @site.http.websocket('/ws')
        async def handler(ws):
            async for message in ws:
                await ws.send(message)

        with client(site) as ws:
            ws.send('x')
            assert ws.recv(timeout=PATIENCE) == 'x'
            # Pings are no messages.
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
