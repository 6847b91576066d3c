"""C10.7: HTTP/2 without TLS, by prior knowledge, where a listener says `h2c`."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import slimHTTP
from support import (
    PATIENCE,
    Client,
    UnixClient,
    connections_at_rest,
    ended,
    exchange,
    serving,
    tree,
    unused_port,
    wait_until,
)
from support.http2_client import Http2

of = pytest.mark.parametrize

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
SETTINGS = b'\x00\x00\x00\x04\x00\x00\x00\x00\x00'


@contextlib.contextmanager
def by_prior_knowledge(folder: Any, **options: Any) -> Iterator[tuple[Any, int]]:
    """A server that takes HTTP/2 in plain, and the port where it does."""
    tree(folder, {'index.html': 'front', 'large.bin': b'x' * 3_000_000})
    port = unused_port()
    listener = {'address': f'http://127.0.0.1:{port}', 'h2c': True}
    listener.update(options.pop('listener', {}))
    with serving(web_root=str(folder), listen=[listener], **options) as site:
        yield site, port


def test_c10_7_both_protocols_are_spoken_at_one_port(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path) as (site, port):
        site.http.route('/echo', methods=['POST'])(lambda request: bytes(request.payload))
        with httpx.Client(http1=False, http2=True, timeout=PATIENCE) as client:
            url = f'http://127.0.0.1:{port}'
            front = client.get(f'{url}/')
            assert (front.http_version, front.text) == ('HTTP/2', 'front')
            assert client.get(f'{url}/large.bin').content == b'x' * 3_000_000
            assert client.post(f'{url}/echo', content=b'y' * 90_000).content == b'y' * 90_000
            assert client.get(f'{url}/missing').status_code == 404
        with Client(('127.0.0.1', port)) as client:
            for _ in range(3):
                assert client.get('/').text == 'front'
            assert client.request('POST', '/echo', body=b'PRI').body == b'PRI'
            assert client.request('PROPFIND', '/').status == 405
            assert client.connections == 1


def test_c10_7_many_requests_at_once(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path) as (_, port), Http2(port, tls=False) as connection:
        streams = [connection.ask('/') for _ in range(50)]
        assert [connection.answer(stream).body for stream in streams] == [b'front'] * 50


def test_c10_7_the_preface_may_be_split_at_every_byte(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path) as (_, port):
        for cut in range(1, len(PREFACE)):
            with socket.create_connection(('127.0.0.1', port), PATIENCE) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.sendall(PREFACE[:cut])
                client.sendall(PREFACE[cut:] + SETTINGS)
                # The server begins with its settings (RFC 9113 section 3.4).
                assert client.recv(9)[3:5] == b'\x04\x00'


@of('begun', [b'', b'P', b'PRI * HTTP/2.0\r\n'])
def test_c10_7_what_may_become_a_preface_is_not_waited_for_for_ever(
    tmp_path: Any, begun: bytes
) -> None:
    with by_prior_knowledge(tmp_path, header_timeout=0.5, idle_timeout=0.5) as (_, port):
        with Client(('127.0.0.1', port)) as client:
            before = time.monotonic()
            if begun:
                client.send_raw(begun)
            assert client.read_rest() == b''
            assert time.monotonic() - before >= 0.4


def test_c10_7_http_1_is_what_it_was(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path, header_timeout=0.5) as (_, port):
        address = ('127.0.0.1', port)
        assert exchange(address, b'GET / HT').startswith(b'HTTP/1.1 408 ')
        assert exchange(address, b'PRI / HTTP/1.1\r\nHost: a\r\n\r\nX').startswith(b'HTTP/1.1 405 ')
        assert exchange(address, b'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n').startswith(b'HTTP/1.1 505 ')
        opening = {
            'Connection': 'Upgrade, HTTP2-Settings',
            'Upgrade': 'h2c',
            'HTTP2-Settings': 'AAMAAABkAAQAAP__',
        }
        with Client(address) as client:
            # RFC 9113 took that away.
            assert client.request('GET', '/', opening).text == 'front'


def test_c10_7_a_connection_of_http_1_rests_there_too(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path, idle_timeout=60) as (_, port):
        with Client(('127.0.0.1', port)) as client:
            before = connections_at_rest()
            assert client.get('/').text == 'front'
            wait_until(lambda: connections_at_rest() == before + 1, 'a connection at rest')
            assert client.get('/').text == 'front'
            assert client.connections == 1


@of('tls', [False, True], ids=['plain', 'TLS'])
def test_c10_7_where_it_is_not_said_nothing_is_new(tmp_path: Any, tls: bool) -> None:
    with serving(web_root=str(tmp_path), mode=slimHTTP.HTTPS if tls else None) as site:
        received = exchange(site.address, PREFACE + SETTINGS)
        assert received.startswith(b'HTTP/1.1 400 ' if tls else b'HTTP/1.1 505 ')


def test_c10_7_plain_http_2_is_sent_to_https_too(tmp_path: Any) -> None:
    options = {'redirect_https': 8443, 'hsts': 60, 'trusted_proxies': '127.0.0.1'}
    with by_prior_knowledge(tmp_path, **options) as (_, port):
        with Http2(port, tls=False) as connection:
            for method, status in (('GET', 301), ('POST', 308)):
                asked = [
                    (':method', method),
                    (':scheme', 'http'),
                    (':path', '/x'),
                    (':authority', 'a'),
                ]
                answer = connection.answer(connection.ask_by(asked))
                assert (answer.status, answer.headers['location']) == (status, 'https://a:8443/x')
            # A scheme is what the client says; a proxy that is trusted says how it came.
            assert connection.answer(connection.ask('/')).status == 301
            answer = connection.answer(connection.ask('/', ('x-forwarded-proto', 'https')))
            assert (answer.status, answer.headers['strict-transport-security']) == (
                200,
                'max-age=60',
            )


def test_c10_7_behind_a_header_of_the_proxy_protocol(tmp_path: Any) -> None:
    listener = {'proxy_protocol': '127.0.0.1'}
    with by_prior_knowledge(tmp_path, listener=listener) as (site, port):
        site.http.route('/who')(lambda request: request.remote)
        ahead = b'PROXY TCP4 192.0.2.7 198.51.100.2 1 2\r\n'
        with Http2(port, ahead=ahead, tls=False) as connection:
            assert connection.answer(connection.ask('/who')).body == b'192.0.2.7'


def test_c10_7_over_a_socket_in_the_file_system(tmp_path_factory: Any, monkeypatch: Any) -> None:
    folder = tmp_path_factory.mktemp('s')
    monkeypatch.chdir(folder)
    tree(folder, {'index.html': 'front'})
    with serving(web_root='.', listen=[{'address': 'unix:a.sock', 'h2c': True}]):
        transport = httpx.HTTPTransport(uds='a.sock', http1=False, http2=True)
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            response = client.get('http://a/')
            assert (response.http_version, response.text) == ('HTTP/2', 'front')
        with UnixClient('a.sock') as client:
            assert client.get('/').text == 'front'


def test_c10_7_it_ends_with_the_server(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path) as (_, port):
        silent = Client(('127.0.0.1', port))
        assert silent.socket
        connection = Http2(port, tls=False)
        assert connection.answer(connection.ask('/')).body == b'front'
    with silent, connection:
        assert ended(silent)
        while connection.receive():
            pass
        assert connection.goaway == [0]


@pytest.mark.skipif(shutil.which('curl') is None, reason='skipped: no curl')
def test_c10_7_curl(tmp_path: Any) -> None:
    with by_prior_knowledge(tmp_path) as (_, port):
        command = ['curl', '-q', '-sS', '--noproxy', '*', '-w', ' %{http_version}']
        url = f'http://127.0.0.1:{port}/'
        for option, version in (('--http2-prior-knowledge', '2'), ('--http1.1', '1.1')):
            done = subprocess.run(
                [*command, option, url], stdout=subprocess.PIPE, timeout=PATIENCE, check=True
            )
            assert done.stdout == f'front {version}'.encode()
