"""C10.6: connections that a trusted proxy hands on by the PROXY protocol, version 1 and 2."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    PATIENCE,
    Cli,
    Client,
    Log,
    UnixClient,
    Upstream,
    ended,
    exchange,
    lenient_tls,
    serving,
    tree,
    unused_port,
)
from support.http2_client import Http2

of = pytest.mark.parametrize

#: A client, and what it has connected to.
CLIENT, LOCAL = ('192.0.2.7', 40000), ('198.51.100.2', 8443)
CLIENT_6, LOCAL_6 = ('2001:db8::7', 40000), ('2001:db8::2', 8443)

SIGNATURE = b'\r\n\r\n\x00\r\nQUIT\n'
GET = b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'


def line(client: Any = CLIENT, local: Any = LOCAL) -> bytes:
    """A header of version 1."""
    family = 'TCP6' if ':' in client[0] else 'TCP4'
    text = f'PROXY {family} {client[0]} {local[0]} {client[1]} {local[1]}\r\n'
    return text.encode()


def binary(client: Any = CLIENT, local: Any = LOCAL, tlvs: bytes = b'', command: int = 1) -> bytes:
    """A header of version 2."""
    kind = socket.AF_INET6 if ':' in client[0] else socket.AF_INET
    addresses = b''.join(socket.inet_pton(kind, end[0]) for end in (client, local))
    rest = addresses + struct.pack('!HH', client[1], local[1]) + tlvs
    family = 0x21 if kind == socket.AF_INET6 else 0x11
    return SIGNATURE + struct.pack('!BBH', 0x20 | command, family, len(rest)) + rest


LOCAL_COMMAND = SIGNATURE + struct.pack('!BBH', 0x20, 0, 0)
UNIX_FAMILY = SIGNATURE + struct.pack('!BBH', 0x21, 0x31, 216) + b'/' * 216


def ends(environ: Any, start_response: Any) -> list[bytes]:
    """An application that says whom it sees, and where."""
    start_response('200 OK', [('Content-Type', 'application/json')])
    names = ('REMOTE_ADDR', 'REMOTE_PORT', 'SERVER_PORT', 'wsgi.url_scheme')
    return [json.dumps([environ.get(name) for name in names]).encode()]


@contextlib.contextmanager
def behind_a_proxy(**options: Any) -> Iterator[Any]:
    """A server that listens for a proxy of this machine, in plain and by TLS; and those ports."""
    plain, secure = unused_port(), unused_port()
    proxy = {'proxy_protocol': options.pop('proxy_protocol', '127.0.0.1')}
    listen = [
        {'address': f'http://127.0.0.1:{plain}', **proxy},
        {'address': f'https://127.0.0.1:{secure}', **proxy},
    ]
    pair = {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)}
    with serving(listen=listen, app=ends, **pair, **options) as site:
        yield site, ('127.0.0.1', plain), ('127.0.0.1', secure)


def content(received: bytes) -> Any:
    head, _, body = received.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200 OK\r\n'), received
    return json.loads(body[body.index(b'[') : body.rindex(b']') + 1])


def handshake(plain: socket.socket, *protocols: str) -> ssl.SSLSocket:
    context = lenient_tls()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(plain, server_hostname='localhost')


HEADERS = {
    'line': (line(), CLIENT, LOCAL),
    'line of IPv6': (line(CLIENT_6, LOCAL_6), CLIENT_6, LOCAL_6),
    'binary': (binary(), CLIENT, LOCAL),
    'binary of IPv6': (binary(CLIENT_6, LOCAL_6), CLIENT_6, LOCAL_6),
    'binary with more': (binary(tlvs=b'\x04\x00\x02ab' + b'\x03\x00\x04\0\0\0\0'), CLIENT, LOCAL),
}


@of(('header', 'client', 'local'), HEADERS.values(), ids=HEADERS)
def test_c10_6_the_client_is_whom_the_proxy_names(header: bytes, client: Any, local: Any) -> None:
    expected = [client[0], str(client[1]), str(local[1])]
    with behind_a_proxy() as (_, plain, secure):
        assert content(exchange(plain, header + GET)) == [*expected, 'http']
        # The header may come by itself, and TLS only when it has been read.
        with socket.create_connection(secure, PATIENCE) as connection:
            connection.sendall(header)
            with handshake(connection) as over_tls:
                over_tls.sendall(GET)
                received = b''
                while data := over_tls.recv(65536):
                    received += data
                assert content(received) == [*expected, 'https']


def test_c10_6_http_2_behind_a_header() -> None:
    with behind_a_proxy() as (_, _, secure), Http2(secure[1], ahead=binary()) as connection:
        for _ in range(3):
            answer = connection.answer(connection.ask('/'))
            assert json.loads(answer.body)[:3] == [CLIENT[0], str(CLIENT[1]), str(LOCAL[1])]


@of('own', [b'PROXY UNKNOWN\r\n', b'PROXY UNKNOWN of whatever\r\n', LOCAL_COMMAND, UNIX_FAMILY])
def test_c10_6_a_proxy_that_names_nobody_speaks_for_itself(own: bytes) -> None:
    with behind_a_proxy() as (_, plain, _):
        address, port, local, _ = content(exchange(plain, own + GET))
        assert (address, local) == ('127.0.0.1', str(plain[1]))
        assert port != '40000'


@of('header', [line(), binary()], ids=['line', 'binary'])
def test_c10_6_a_header_may_be_split_at_every_byte(header: bytes) -> None:
    with behind_a_proxy() as (_, plain, secure):
        for cut in range(1, len(header) + 1):
            with Client(plain) as client:
                client.send_raw(header[:cut])
                client.send_raw(header[cut:] + GET)
                assert client.read_response().json()[0] == CLIENT[0]
        with socket.create_connection(secure, PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(header)):
                connection.sendall(header[at : at + 1])
            with handshake(connection) as over_tls:
                over_tls.sendall(GET)
                assert CLIENT[0].encode() in over_tls.recv(65536)


@of(
    'junk',
    [
        GET,
        b'\x16\x03\x01\x00\x05hello',
        b'PROXY TCP4 1.1.1.1 2.2.2.2 80\r\n' + GET,
        b'PROXY TCP4 1.1.1.1 2.2.2.2 +80 80\r\n' + GET,
        b'PROXY UNKNOWN ' + b'x' * 200,
        SIGNATURE + struct.pack('!BBH', 0x21, 0x11, 537) + b'\0' * 537,
        SIGNATURE + struct.pack('!BBH', 0x31, 0x11, 0) + GET,
        SIGNATURE[:-1] + b'\r',
    ],
)
def test_c10_6_who_begins_otherwise_is_closed_and_told_of(junk: bytes) -> None:
    with behind_a_proxy() as (_, plain, _), Log() as log:
        with Client(plain) as client:
            client.send_raw(junk)
            assert client.read_rest() == b''
        log.wait_for('127.0.0.1:[0-9]+: closed, for its connections are to begin with a header')


def test_c10_6_a_proxy_that_looks_whether_we_are_there_is_not_told_of() -> None:
    with behind_a_proxy() as (_, plain, _), Log() as log:
        for _ in range(3):
            socket.create_connection(plain, PATIENCE).close()
        # One that comes later is served; nothing was said until then.
        assert content(exchange(plain, line() + GET))[0] == CLIENT[0]
        assert 'PROXY' not in log.text


def test_c10_6_a_header_has_no_more_time_than_a_request() -> None:
    with behind_a_proxy(header_timeout=0.5, idle_timeout=60) as (_, plain, secure):
        for address in (plain, secure):
            for begun in (b'', b'PROXY TCP4 1.1.1.1', binary()[:20]):
                with Client(address) as client:
                    before = time.monotonic()
                    if begun:
                        client.send_raw(begun)
                    assert client.read_rest() == b''
                    assert time.monotonic() - before >= 0.4


def test_c10_6_from_others_it_is_not_expected() -> None:
    with behind_a_proxy(proxy_protocol='192.0.2.9') as (_, plain, secure):
        assert content(exchange(plain, GET))[0] == '127.0.0.1'
        # It is no request, and no beginning of TLS.
        assert exchange(plain, line() + GET).startswith(b'HTTP/1.1 400 ')
        assert exchange(plain, binary() + GET).startswith(b'HTTP/1.1 400 ')
        assert exchange(secure, line() + GET).startswith(b'HTTP/1.1 400 ')
        with (
            socket.create_connection(secure, PATIENCE) as connection,
            handshake(connection) as over_tls,
        ):
            over_tls.sendall(GET)
            assert b'127.0.0.1' in over_tls.recv(65536)


def test_c10_6_trusted_proxies_say_who_and_change_while_it_runs() -> None:
    port = unused_port()
    listen = [{'address': f'http://127.0.0.1:{port}', 'proxy_protocol': True}]
    with serving(listen=listen, app=ends, trusted_proxies='127.0.0.1') as site:
        address = ('127.0.0.1', port)
        assert content(exchange(address, line() + GET))[0] == CLIENT[0]
        # Its client is not trusted for that, whatever it says itself.
        forwarded = GET[:-2] + b'X-Forwarded-For: 203.0.113.1\r\n\r\n'
        assert content(exchange(address, line() + forwarded))[0] == CLIENT[0]
        trusted = line(('127.0.0.1', 5))
        assert content(exchange(address, trusted + forwarded))[0] == '203.0.113.1'
        site.http.config['trusted_proxies'] = '192.0.2.9'
        assert content(exchange(address, GET))[0] == '127.0.0.1'


def test_c10_6_clients_are_let_in_by_their_own_address() -> None:
    with behind_a_proxy() as (site, plain, _):
        site.http.config['allow'] = [CLIENT[0], '2001:db8::/32']
        assert content(exchange(plain, line() + GET))[0] == CLIENT[0]
        assert content(exchange(plain, binary(CLIENT_6, LOCAL_6) + GET))[0] == CLIENT_6[0]
        for header in (line(('192.0.2.8', 1)), binary(('192.0.2.8', 1)), LOCAL_COMMAND):
            assert exchange(plain, header + GET) == b'', 'not the proxy itself either'
        # Who may not connect is closed before a byte where no header is expected.
        with site.client() as client:
            assert ended(client)
        site.http.config['allow'] = '127.0.0.1'
        assert exchange(plain, line() + GET) == b''
        assert content(exchange(plain, LOCAL_COMMAND + GET))[0] == '127.0.0.1'


def test_c10_6_connections_are_counted_for_each_client() -> None:
    keep = GET.replace(b'Connection: close\r\n', b'')
    with (
        behind_a_proxy(max_connections_per_address=2) as (_, plain, _),
        contextlib.ExitStack() as open_ones,
    ):

        def connect(client: str) -> Client:
            connected = open_ones.enter_context(Client(plain))
            connected.send_raw(line((client, 1)) + keep)
            return connected

        first = [connect('192.0.2.1') for _ in range(2)]
        for client in first:
            assert client.read_response().json()[0] == '192.0.2.1'
        assert ended(connect('192.0.2.1'))
        # Others come by the same proxy, which has more than that.
        for number in range(2, 6):
            assert connect(f'192.0.2.{number}').read_response().json()[0] == f'192.0.2.{number}'
        # The proxy itself counts as one client, however many it brings.
        for _ in range(2):
            own = open_ones.enter_context(Client(plain))
            own.send_raw(LOCAL_COMMAND + keep)
            assert own.read_response().json()[0] == '127.0.0.1'
        assert exchange(plain, LOCAL_COMMAND + GET) == b''
        first[0].close()

        def is_admitted() -> bool:
            with Client(plain) as again:
                again.send_raw(line(('192.0.2.1', 1)) + GET)
                return bool(again.read_rest())

        ends_at = time.monotonic() + PATIENCE
        while not is_admitted():
            assert time.monotonic() < ends_at


def test_c10_6_it_is_the_client_everywhere(tmp_path: Any) -> None:
    tree(tmp_path, {'index.html': 'front'})
    log = tmp_path / 'access.log'
    with Upstream() as upstream:
        config = {
            'access_log': {'format': 'common', 'file': str(log)},
            'vhosts': {
                'up': {'proxy': upstream.name},
                'a:8443': {'web_root': str(tmp_path)},
                'to': {'redirect_https': True},
            },
        }
        with behind_a_proxy(**config) as (site, plain, secure):
            asked = GET.replace(b'Host: a', b'Host: up')
            exchange(plain, line() + asked)
            seen = upstream.exchanges[0].headers
            assert seen['X-Forwarded-For'] == CLIENT[0]
            # A host without a port is looked up in the one that the client has connected to.
            assert exchange(plain, line() + GET).endswith(b'front')
            assert content(exchange(plain, line(CLIENT, (LOCAL[0], 80)) + GET))[2] == '80'
            sent = exchange(plain, line() + GET.replace(b'Host: a', b'Host: to'))
            assert f'https://to:{secure[1]}/'.encode() in sent
            # In plain where TLS is spoken, at the port that the client knows.
            misled = exchange(secure, binary() + GET)
            assert b'location: https://a:8443/\r\n' in misled.lower()

            told: list[Any] = []
            site.http.on_accept(lambda socket, ip, port: told.append((ip, port)))
            exchange(plain, line() + GET)
            assert told == [CLIENT]
        lines = log.read_text().splitlines()
        assert {text.split(' ')[0] for text in lines} == {CLIENT[0]}


def test_c10_6_over_a_socket_in_the_file_system(tmp_path_factory: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp('s'))
    listen = [{'address': 'unix:a.sock', 'proxy_protocol': True}]
    with serving(listen=listen, app=ends):
        for header in (line(), binary()):
            for cut in (1, 10, len(header)):
                with UnixClient('a.sock') as client:
                    client.send_raw(header[:cut])
                    client.send_raw(header[cut:] + GET)
                    expected = [CLIENT[0], str(CLIENT[1]), str(LOCAL[1]), 'http']
                    assert client.read_response().json() == expected
        with UnixClient('a.sock') as client:
            client.send_raw(LOCAL_COMMAND + GET)
            assert client.read_response().json()[0] == '127.0.0.1'
        with UnixClient('a.sock') as client:
            client.send_raw(b'PROXY TCP4 1.')
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_rest() == b''


def test_c10_6_a_file_says_the_same(tmp_path: Any) -> None:
    port = unused_port()
    document = f"""\
web_root = "www"
trusted_proxies = "127.0.0.1"
access_log = "common"
listen = [{{ address = "http://127.0.0.1:{port}", proxy_protocol = true }}]
"""
    tree(tmp_path, {'site.toml': document, 'www/index.html': 'front'})
    with Cli('run', 'site.toml', cwd=tmp_path) as cli:
        cli.wait_for(str(port))
        assert exchange(('127.0.0.1', port), binary() + GET).endswith(b'front')
        cli.wait_for(f'{CLIENT[0]} - - ')
