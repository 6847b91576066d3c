"""C9: upgraded connections under load, and sides that do not read."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from typing import Any

import pytest
from support import (
    PATIENCE,
    Log,
    Serving,
    at_once,
    in_background,
    serving,
    wait_until,
    websocket_identity,
)
from support.sites import site_fixture
from support.upgrades import MASK, Deaf, Hoarder, WebSocket, echo_websockets
from support.websocket_frames import websocket_frame

of = pytest.mark.parametrize
site = site_fixture()


def test_c9_an_identity_that_never_reads_stops_its_client_and_nobody_else() -> None:
    # What it has not read keeps the connection for as long as it is let.
    with serving(grace_period=0.2) as site, site.client() as client:
        site.http.on_upgrade(Deaf)
        site.http.route('/')(lambda request: 'other')
        client.send('GET', '/', [('Upgrade', 'x'), ('Connection', 'upgrade')])
        assert client.read_head().status == 101
        client.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(socket.timeout):
            while sent < 64_000_000:
                sent += client.socket.send(b'x' * 65536)
        # What the buffers of the system and ours hold, and no more.
        assert sent < 32_000_000
        assert site.get('/').text == 'other'


def test_c9_an_identity_that_understands_nothing_is_cut_at_a_bound(site: Serving) -> None:
    site.http.on_upgrade(Hoarder)
    with Log() as log, site.client() as client:
        client.send('GET', '/', [('Upgrade', 'x'), ('Connection', 'upgrade')])
        assert client.read_head().status == 101
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.socket.sendall(b'x' * (1 << 20))
        log.wait_for('leaves [0-9]+ bytes in its `buffer`')
        with contextlib.suppress(ConnectionError):
            assert client.read_rest() == b''


def test_c9_who_does_not_read_stops_who_sends_within_bounds(site: Serving) -> None:
    """`send` waits as a socket's does; without patience it says so."""
    identities = echo_websockets(site)
    with WebSocket(site.address) as ws:
        ws.ask(b'hello')
        socket_ = identities[0].socket
        assert socket_.gettimeout() == 60
        socket_.setblocking(False)
        sent = [0]

        def flood() -> None:
            while sent[0] < 1 << 30:
                sent[0] += socket_.send(b'x' * 65536)

        with pytest.raises(BlockingIOError):
            flood()
        socket_.settimeout(0.05)
        with pytest.raises(TimeoutError):
            flood()
        socket_.settimeout(PATIENCE)
        with in_background(lambda: socket_.send(b'END')) as result:
            taken = 0
            while taken < sent[0]:
                taken += len(ws.client.read_exactly(min(65536, sent[0] - taken)))
            assert result() == 3
        assert ws.client.read_exactly(3) == b'END'


def test_c9_what_is_sent_before_close_arrives(site: Serving) -> None:
    identities = echo_websockets(site)
    with WebSocket(site.address) as ws:
        ws.ask(b'hello')
        identities[0].send(b'x' * 3_000_000)
        identities[0].close()
        assert ws.client.read_rest() == b'x' * 3_000_000
        with pytest.raises(ConnectionError):
            identities[0].send(b'x')


def test_c9_a_hundred_upgraded_connections_at_once(site: Serving) -> None:
    identities = echo_websockets(site)

    def talk() -> None:
        with WebSocket(site.address) as ws:
            for n in range(20):
                assert ws.ask(b'%d' % n) == b'%d' % n

    for _ in range(4):
        at_once([talk] * 25, 120)
    assert len(identities) == 100
    wait_until(lambda: site.http.sockets == {}, 'the end of all')


def test_c9_upgraded_connections_with_threads_keep_their_order() -> None:
    """One connection is one thread's at a time."""
    with serving(python_threads=4) as site:
        at_work: set[int] = set()
        broken: list[int] = []
        lock = threading.Lock()

        class Careful(websocket_identity.WebSocketIdentity):
            def build_request(self) -> Any:
                with lock:
                    if id(self) in at_work:
                        broken.append(1)
                    at_work.add(id(self))
                os.sched_yield()
                yield from super().build_request()
                with lock:
                    at_work.discard(id(self))

        echo_websockets(site, Careful)

        def talk() -> None:
            with WebSocket(site.address) as ws:
                messages = [struct.pack('!I', n) for n in range(500)]
                ws.client.send_raw(b''.join(websocket_frame(m, 2, MASK) for m in messages))
                assert [ws.receive() for _ in messages] == messages

        at_once([talk] * 8, 120)
        assert broken == []


@of('kind', [Deaf, Hoarder])
def test_c9_a_client_that_leaves_an_identity_that_does_not_read(site: Serving, kind: Any) -> None:
    gone: list[Any] = []
    site.http.on_upgrade(kind)
    site.http.on_close(gone.append)
    with site.client() as client:
        client.send('GET', '/', [('Upgrade', 'x'), ('Connection', 'upgrade')])
        assert client.read_head().status == 101
        client.send_raw(b'x' * 100_000)
    wait_until(lambda: [type(identity) for identity in gone] == [kind], 'on_close')
