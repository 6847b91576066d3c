"""HTTP/2: a connection that does nothing for us is ended, whatever else it sends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any, Callable

import h2.connection
import h2.exceptions
import pytest
import slimHTTP
from client import lenient_tls

HEAD = [(':scheme', 'https'), (':authority', 'a.example')]


@pytest.fixture
def port() -> Iterator[int]:
    options = {'idle_timeout': 0.6, 'body_timeout': 0.4, 'send_timeout': 0.6}
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, quiet=True, **options) as server:
        server.route('/echo')(lambda request: bytes(request.payload))
        server.route('/large')(lambda request: b'x' * 3_000_000)
        yield server.port


def ask(connection: Any, method: str, path: str, *fields: Any, end: bool) -> None:
    head = [(':method', method), (':path', path), *HEAD, *fields]
    connection.send_headers(1, head, end_stream=end)


@pytest.mark.parametrize(
    'begin',
    [
        lambda connection: None,
        lambda connection: ask(connection, 'POST', '/echo', ('content-length', '5'), end=False),
        lambda connection: ask(connection, 'GET', '/large', end=True),
    ],
    ids=['PING alone', 'a body that never comes', 'a window that never opens'],
)
def test_pings_do_not_keep_a_connection(port: int, begin: Callable[[Any], None]) -> None:
    context = lenient_tls()
    context.set_alpn_protocols(['h2'])
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    begin(connection)
    with context.wrap_socket(socket.create_connection(('127.0.0.1', port), 10)) as client:
        assert client.selected_alpn_protocol() == 'h2'
        client.settimeout(0.1)
        deadline = time.monotonic() + 15
        try:
            client.sendall(connection.data_to_send())
            while time.monotonic() < deadline:
                connection.ping(b'12345678')
                client.sendall(connection.data_to_send())
                try:
                    data = client.recv(65536)
                except socket.timeout:
                    continue
                if not data:
                    return
                connection.receive_data(data)
        except (OSError, h2.exceptions.ProtocolError):
            return
    raise AssertionError('the connection is still open')
