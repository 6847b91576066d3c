"""One client of a WebSocket does not hold up the others of its I/O thread, whatever it sends."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator

import pytest
from support import PATIENCE, Client, Serving, quantile, serving
from support.websocket_frames import DEFLATE, FIN, MORE, PING, RSV1, TEXT, frame, handshake, opened

of = pytest.mark.parametrize

#: Longer than anybody waits whose turn comes as it should, with room for a machine that is busy.
PATIENT = 1.5
#: The same for one in two: a machine that is busy delays some and not most.
USUALLY = 0.15

#: A block that says it is the last one, and has nothing in it; a megabyte of them is a message.
LAST = b'\x03\x00'
#: Four blocks of fixed codes, with nothing in them, and the beginning of what ends a message.
FIXED = b'\x02\x08\x20\x80\x00'

#: What is sent again and again.
FLOODS = {
    'bytes that unpack to nothing': frame(FIN | RSV1 | TEXT, LAST * 250_000),
    'blocks of nothing': frame(FIN | RSV1 | TEXT, FIXED * 100_000 + b'\0'),
    'pings': frame(FIN | PING) * 50_000,
    'fragments of nothing': frame(TEXT) + frame(MORE) * 50_000 + frame(FIN),
    'messages of nothing': frame(FIN | TEXT) * 50_000,
}


@pytest.fixture
def site() -> Iterator[Serving]:
    with serving(io_threads=1, grace_period=2) as site:

        @site.http.websocket('/echo')
        async def takes(ws):
            async for _ in ws:
                pass

        @site.http.websocket('/much')
        async def much(ws):
            await ws.send('0123456789abcdef' * 4_000_000)

        yield site


@contextlib.contextmanager
def floods(clients: list[Client], data: bytes) -> Iterator[None]:
    """Each sends the same over and over, and reads what comes."""

    def send(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(data)

    def read(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while sock.recv(1 << 16):
                pass

    threads = [
        threading.Thread(target=work, args=(client.socket,))
        for client in clients
        for work in (send, read)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            with contextlib.suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE)


def others_have_their_turn(site: Serving, seconds: float) -> None:
    """Requests that need no Python are answered as they come, one behind the other."""
    waits, end = [], time.monotonic() + seconds
    with site.client() as client:
        while time.monotonic() < end:
            begun = time.monotonic()
            client.send('GET', '/missing')
            client.read_response()
            waits.append(time.monotonic() - begun)
    assert quantile(waits, 0.5) < USUALLY, sorted(waits)
    assert max(waits) < PATIENT


def test_the_floods_are_what_they_say() -> None:
    for packed in (LAST * 9, FIXED * 9 + b'\0\0\0\xff\xff'):
        machine, rest = zlib.decompressobj(wbits=-15), packed
        while rest:
            assert machine.decompress(rest) == b''
            rest, machine = machine.unused_data, zlib.decompressobj(wbits=-15)


@of('name', FLOODS)
def test_others_do_not_wait_for_a_flood(site: Serving, name: str) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(site.client()) for _ in range(5)]
        for client in clients:
            opened(client, DEFLATE)
        stack.enter_context(floods(clients, FLOODS[name]))
        others_have_their_turn(site, 1)
        # They are served, not cut.
        assert all(client.socket.fileno() >= 0 for client in clients)


def test_others_do_not_wait_for_a_long_message(site: Serving) -> None:
    with site.client() as client:
        client.send('GET', '/much', handshake(Sec_WebSocket_Extensions=DEFLATE))
        assert client.read_head().status == 101
        with floods([client], frame(FIN | PING)):
            others_have_their_turn(site, 1)
