"""HTTP/2: a connection that does nothing for us is ended, whatever else it sends; one whose client
takes its answer slowly is not.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from typing import Any, Callable

import h2.exceptions
import pytest
import slimHTTP
from hyperframe.frame import PingFrame
from support import PATIENCE, serving
from support.http2_client import Http2

LARGE = 3_000_000
CANCEL = 8


@contextlib.contextmanager
def connected(**config: Any):
    with serving(mode=slimHTTP.HTTPS, **config) as site, Http2(site.address[1]) as connection:
        site.http.route('/echo')(lambda request: bytes(request.payload))
        site.http.route('/large')(lambda request: bytes(LARGE))
        yield connection


def ends_amidst_pings(connection: Http2) -> bool:
    """Whether the server ends it; nothing is read but what is there."""
    connection.socket.settimeout(0.1)
    ends = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < ends:
            connection.send(PingFrame(0, b'12345678'))
            with contextlib.suppress(socket.timeout):
                data = connection.socket.recv(65536)
                if not data:
                    return True
                connection.frames.receive_data(data)
    except (OSError, h2.exceptions.ProtocolError):
        return True
    return False


@pytest.mark.parametrize(
    ('option', 'begin'),
    [
        ('idle_timeout', lambda connection: None),
        (
            'body_timeout',
            lambda connection: connection.ask(
                '/echo', ('content-length', '5'), method='POST', end=False
            ),
        ),
        ('send_timeout', lambda connection: connection.ask('/large')),
    ],
    ids=['PING alone', 'a body that never comes', 'a window that never opens'],
)
def test_pings_do_not_keep_a_connection(option: str, begin: Callable[[Http2], Any]) -> None:
    others = {'idle_timeout': 60, 'body_timeout': 60, 'send_timeout': 60}
    # Of a request that is answered 408 nothing is left: then the connection is idle.
    idle = {'idle_timeout': 0.6} if option == 'body_timeout' else {}
    with connected(**{**others, **idle, option: 0.4}) as connection:
        begin(connection)
        assert ends_amidst_pings(connection)


def test_who_takes_an_answer_slowly_is_waited_for() -> None:
    """All of it is the library's from the beginning, and there is no request in work."""
    cut = threading.Event()
    with connected(idle_timeout=0.4, send_timeout=0.8) as connection:
        stream = connection.ask('/large')
        opened = 65_535
        beside = threading.Thread(target=takes_nothing, args=(connection, cut), daemon=True)
        beside.start()
        while not cut.is_set():
            # A window at a time: the socket itself is never full.
            connection.receive(reading=False)
            assert not connection.goaway
            answer = connection.answers.get(stream)
            if answer is not None and len(answer.body) == opened:
                cut.wait(0.2)
                widen(connection, stream, 65_535)
                opened += 65_535
        widen(connection, stream, LARGE)
        assert len(connection.answer(stream).body) == LARGE


def takes_nothing(beside: Http2, cut: threading.Event) -> None:
    """Take nothing of an answer on a connection of its own until the server cuts it."""
    with Http2(beside.socket.getpeername()[1]) as connection:
        connection.ask('/large')
        while connection.receive(reading=False):
            pass
        cut.set()


def widen(connection: Http2, stream: int, size: int) -> None:
    """Open the windows of the connection and of a stream by so much."""
    connection.frames.increment_flow_control_window(size)
    connection.frames.increment_flow_control_window(size, stream)
    connection.flush()


def test_a_stream_that_is_not_read_is_reset_while_others_move() -> None:
    options = {'addr': '127.0.0.1', 'port': 0, 'quiet': True, 'send_timeout': 0.4}
    closed = threading.Event()
    with slimHTTP.server(slimHTTP.HTTPS, **options) as server:

        @server.route('/<name>')
        async def endless(request: Any) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b'x' * 1000
            finally:
                if request.params['name'] == 'unread':
                    closed.set()

        with Http2(server.port, window=65_536) as client:
            client.frames.increment_flow_control_window(1 << 20)
            unread, moving = client.ask('/unread'), client.ask('/moving')
            ends = time.monotonic() + PATIENCE
            while unread not in client.answers or client.answers[unread].reset is None:
                assert time.monotonic() < ends, 'it is held'
                for stream in (None, moving):
                    client.frames.increment_flow_control_window(1000, stream)
                client.flush()
                assert client.receive(reading=False)
            assert client.answers[unread].reset == CANCEL
            assert closed.wait(PATIENCE), 'what it held is free'
            assert client.answers[moving].reset is None
            assert not client.goaway
