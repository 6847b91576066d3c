"""Too many connections: one client alone locks nobody out, and idle ones make room."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import slimHTTP
from support import PATIENCE, Log, Serving, lenient_tls, serving, tick, wait_until


@contextlib.contextmanager
def crowded(**config: Any) -> Iterator[Serving]:
    """A server with a handler, `/held`, that keeps its requests until the block ends."""
    go_on = threading.Event()
    with serving(python_threads=8, **config) as site:

        @site.http.route('/held')
        def held(request):
            go_on.wait(2 * PATIENCE)
            return 'held'

        site.http.route('/')(lambda request: 'answered')
        try:
            yield site
        finally:
            go_on.set()


def connected(site: Serving, source: Optional[str] = None) -> socket.socket:
    return socket.create_connection(site.address, PATIENCE, (source, 0) if source else None)


def asked(client: socket.socket, path: str = '/') -> socket.socket:
    client.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
    return client


def readable(client: socket.socket, patience: float = 0) -> bool:
    return bool(select.select([client], [], [], patience)[0])


def served(client: socket.socket) -> bool:
    """Whether a request on it is answered; False where it is closed instead."""
    try:
        return b'answered' in asked(client).recv(1000)
    except ConnectionError:
        return False


def ended(client: socket.socket) -> bool:
    """Whether the server closes it, without a word."""
    try:
        return client.recv(1000) == b''
    except ConnectionError:
        return True


# One client


def test_one_client_has_so_many_connections_and_others_are_not_concerned() -> None:
    with (
        Log() as log,
        crowded(max_connections_per_address=3) as site,
        contextlib.ExitStack() as stack,
    ):
        own = [stack.enter_context(connected(site)) for _ in range(3)]
        assert all(served(client) for client in own)
        with connected(site) as fourth:
            assert ended(fourth), 'one too many is closed at once'
        log.wait_for(r'127\.0\.0\.1 has 3 connections \(`max_connections_per_address`\)')
        with connected(site, '127.0.0.2') as other:
            assert served(other), 'somebody else is let in'
        own[0].close()

        def again() -> bool:
            with connected(site) as next_one:
                return served(next_one)

        assert wait_until(again, 'the place of one that has left')
        assert all(served(client) for client in own[1:])


def test_c3_3_the_bound_of_one_client_may_change() -> None:
    with crowded(max_connections_per_address=1) as site, connected(site) as first:
        assert served(first)
        with connected(site) as second:
            assert ended(second)
        site.http.config['max_connections_per_address'] = 2
        with connected(site) as second:
            assert served(second)


@pytest.mark.parametrize(
    'config', [{}, {'max_connections_per_address': 1, 'trusted_proxies': '127.0.0.1'}]
)
def test_a_proxy_before_us_may_have_any_number(config: dict) -> None:
    with crowded(max_connections=300, **config) as site, contextlib.ExitStack() as stack:
        own = [stack.enter_context(connected(site)) for _ in range(120)]
        assert all(served(client) for client in own)


# All of them


def test_the_one_that_was_idle_longest_makes_room() -> None:
    with Log() as log, crowded(max_connections=3) as site, contextlib.ExitStack() as stack:
        held, first, second = (stack.enter_context(connected(site)) for _ in range(3))
        asked(held, '/held')
        assert served(first)
        # The order in which they became idle, for a clock that ticks.
        tick()
        assert served(second)
        with connected(site) as fourth:
            begin = time.monotonic()
            assert served(fourth)
            assert time.monotonic() - begin < 5
            assert first.recv(1000) == b'', 'closed without a word, as between two requests'
            assert served(second)
            assert not readable(held), 'who has asked for something stays'
        log.wait_for(r'3 connections are open \(`max_connections`\): idle ones are closed')


def test_where_none_is_idle_the_next_one_waits() -> None:
    with crowded(max_connections=2) as site:
        with connected(site) as held, connected(site) as begun:
            asked(held, '/held')
            begun.sendall(b'GET / HT')
            with connected(site) as third:
                asked(third)
                assert not readable(third, 1.3), 'it waits, and is not refused'
                begun.sendall(b'TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
                assert b'answered' in begun.recv(1000)
                assert readable(third, PATIENCE)
                assert b'answered' in third.recv(1000)
                assert not readable(held)


def test_those_who_never_asked_for_anything_make_room_for_many() -> None:
    with crowded(max_connections=20) as site, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(site, '127.0.0.2')) for _ in range(20)]
        with connected(site) as one:
            assert served(one)
        clients = [stack.enter_context(connected(site)) for _ in range(10)]
        assert all(served(client) for client in clients)
        closed = [client for client in silent if readable(client, 0)]
        assert 9 <= len(closed) <= 12, 'as many as were needed'


def test_those_who_never_begin_a_tls_handshake_make_room_too() -> None:
    with crowded(mode=slimHTTP.HTTPS, max_connections=5) as site, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(site, '127.0.0.2')) for _ in range(5)]
        begin = time.monotonic()
        with lenient_tls().wrap_socket(connected(site)) as client:
            assert served(client)
        assert time.monotonic() - begin < 5, 'and nobody waits for a time-out'
        closed = [client for client in silent if readable(client)]
        assert len(closed) == 1, 'as many as were needed'
        assert ended(closed[0])


def test_a_tls_handshake_that_has_begun_has_its_time_and_no_more() -> None:
    options: Any = {'max_connections': 1, 'header_timeout': 2.5}
    with crowded(mode=slimHTTP.HTTPS, **options) as site, connected(site) as begun:
        # The beginning of a record (RFC 8446 section 5.1).
        begun.sendall(b'\x16\x03\x01')
        with lenient_tls().wrap_socket(connected(site), do_handshake_on_connect=False) as second:
            assert not readable(begun, 1.5), 'it does not make room'
            second.do_handshake()
            assert served(second)
            assert ended(begun)


def test_a_client_that_says_nothing_over_tls_is_closed() -> None:
    with crowded(mode=slimHTTP.HTTPS, header_timeout=0.3) as site, connected(site) as silent:
        assert readable(silent, PATIENCE)
        assert ended(silent)


@pytest.mark.parametrize('heeds', [True, False], ids=['who heeds it', 'who is deaf'])
def test_an_idle_http2_connection_is_told_to_go(heeds: bool) -> None:
    context = lenient_tls()
    context.set_alpn_protocols(['h2'])
    options: Any = {'max_connections': 1, 'quiet': True}
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, **options) as server:
        server.route('/')(lambda request: 'answered')
        address = ('127.0.0.1', server.port)
        with context.wrap_socket(socket.create_connection(address, PATIENCE)) as first:
            first.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(SETTINGS))
            with lenient_tls().wrap_socket(
                socket.create_connection(address, PATIENCE), do_handshake_on_connect=False
            ) as second:
                seen = set()
                with first.makefile('rb') as incoming, contextlib.suppress(OSError):
                    while head := incoming.read(9):
                        content = incoming.read(int.from_bytes(head[:3], 'big'))
                        seen.add(head[3])
                        if heeds and head[3] == PING:
                            first.sendall(frame(PING, 1, content))
                assert GOAWAY in seen
                second.do_handshake()
                second.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
                assert b'answered' in second.recv(1000)


SETTINGS, PING, GOAWAY = 4, 6, 7


def frame(kind: int, flags: int = 0, content: bytes = b'') -> bytes:
    """A frame of the connection (RFC 9113 section 4.1)."""
    return len(content).to_bytes(3, 'big') + bytes([kind, flags]) + bytes(4) + content
