"""C10.3: plain HTTP at a port of TLS gets an answer that says so, and TLS is what it was."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import (
    PATIENCE,
    Serving,
    lenient_tls,
    serving,
    tree,
)

of = pytest.mark.parametrize

TOLD = b'This port speaks TLS'


@contextlib.contextmanager
def over_tls(**config: Any) -> Iterator[Serving]:
    with serving(mode=slimHTTP.HTTPS, **config) as site:
        yield site


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Serving]:
    tree(tmp_path, {'index.html': 'front'})
    with over_tls(web_root=str(tmp_path), hsts=True, redirects={'/old': '/new'}) as site:
        yield site


def exchanged(site: Serving, *pieces: bytes) -> bytes:
    """What the server sends to a client of these pieces, to its end."""
    with socket.create_connection(site.address, PATIENCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        received = b''
        while data := client.recv(65536):
            received += data
        return received


@of('method', ['GET', 'HEAD', 'POST', 'OPTIONS'])
@of('target', ['/', '/x?y=z', '/old'])
def test_c10_3_it_is_sent_to_the_same_port_by_https(
    site: Serving, method: str, target: str
) -> None:
    port = site.http.port
    for host in ('a.example', f'a.example:{port}'):
        with site.client() as client:
            body = b'content' if method == 'POST' else None
            response = client.request(method, target, body=body, host=host)
            assert response.status == (301 if method in ('GET', 'HEAD') else 308)
            assert response.headers['location'] == f'https://a.example:{port}{target}'
            assert 'strict-transport-security' not in response.headers
            assert response.closes


def test_c10_3_whoever_follows_it_arrives(site: Serving) -> None:
    there = site.get('/').headers['location']
    assert there == f'https://127.0.0.1:{site.http.port}/'
    with site.client(tls=lenient_tls()) as client:
        assert client.get('/').text == 'front'


@of(
    'request_bytes',
    [
        b'GET / HTTP/1.0\r\n\r\n',
        b'GET / HTTP/1.1\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
        b'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n',
        b'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
        b'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n',
        b'get / http/1.1\r\nHost: a\r\n\r\n',
        b'hello\r\n\r\n',
        # HTTP/2 by prior knowledge (RFC 9113 section 3.4).
        b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00',
    ],
)
def test_c10_3_what_cannot_be_sent_there_is_told_so(site: Serving, request_bytes: bytes) -> None:
    received = exchanged(site, request_bytes)
    head, _, page = received.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 400 Bad Request\r\n')
    assert b'connection: close' in head.lower()
    assert TOLD in page


def test_c10_3_no_handler_is_asked(tmp_path: Any) -> None:
    asked = []
    with over_tls() as site:
        site.http.route('/', prefix=True)(lambda request: asked.append(1) or 'x')
        site.http.on_accept(lambda socket, ip, port: True)
        site.http.on_upgrade(lambda request: asked.append(2))
        upgrade = {'Connection': 'Upgrade', 'Upgrade': 'echo'}
        for fields in ({}, upgrade):
            with site.client() as client:
                assert client.request('GET', '/', fields, host='a').status == 301
        assert asked == []
        with site.client(tls=lenient_tls()) as client:
            assert client.get('/').text == 'x'


def test_c10_3_a_request_may_come_byte_by_byte(site: Serving) -> None:
    request = b'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'
    pieces = [request[at : at + 1] for at in range(len(request))]
    assert exchanged(site, *pieces).startswith(b'HTTP/1.1 301 Moved Permanently\r\n')


@of('version', ['TLSv1_2', 'TLSv1_3'])
@of('size', [1, 2, 5, 6, 100])
def test_c10_3_tls_may_begin_with_any_piece(site: Serving, version: str, size: int) -> None:
    context = lenient_tls()
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, to_send)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = to_send.read()
    with socket.create_connection(site.address, PATIENCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(hello[:size])
        client.sendall(hello[size:])
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if data := to_send.read():
                    client.sendall(data)
                received.write(client.recv(65536))
        tls.write(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        client.sendall(to_send.read())
        while data := client.recv(65536):
            received.write(data)
        assert tls.read(65536).startswith(b'HTTP/1.1 200 OK\r\n')


@of(
    'junk', [b'\x00' * 64, b'\x80\x2e\x01' + b'\x00' * 61, b'\xff' * 64, b' GET / HTTP/1.1\r\n\r\n']
)
def test_c10_3_what_is_neither_gets_an_alert(site: Serving, junk: bytes) -> None:
    # An alert of TLS (RFC 8446 section 6): its type, a version, two bytes, and it is fatal.
    received = exchanged(site, junk)
    assert received[:2] == b'\x15\x03'
    assert received[3:6] == b'\x00\x02\x02'
    assert len(received) == 7


def test_c10_3_it_has_no_more_time_than_another() -> None:
    with over_tls(header_timeout=0.5, idle_timeout=60) as site:
        for begun in (b'G', b'GET / HTTP/1.1\r\nHost: a\r\n', b'\x16'):
            with socket.create_connection(site.address, PATIENCE) as client:
                client.sendall(begun)
                received = b''
                while data := client.recv(65536):
                    received += data
                status = b'' if begun == b'\x16' else b'HTTP/1.1 408 Request Timeout'
                assert received.startswith(status)
                assert bool(received) == bool(status)


def test_c10_3_it_is_no_way_around_limits(tmp_path: Any) -> None:
    with over_tls(max_head=1024) as site:
        long = b'GET / HTTP/1.1\r\nHost: a\r\nX: ' + b'x' * 2000 + b'\r\n\r\n'
        assert exchanged(site, long).startswith(b'HTTP/1.1 400 ')
        site.http.config['allow'] = '192.0.2.1'
        assert exchanged(site) == b''
