"""How an HTTP/2 connection ends: the client is told, and what it asked for is answered.

A client may take a request for lost, and ask again, only where the last GOAWAY says that the server
has not seen it (RFC 9113 section 6.8).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import slimHTTP
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, PingFrame
from support import PATIENCE, Serving, serving
from support.http2_client import HEAD, Http2

#: The stream that a first GOAWAY names: it promises nothing about any.
NONE_YET = 2**31 - 1

REQUEST = [(':method', 'GET'), (':scheme', 'https'), (':path', '/'), (':authority', 'a')]


@contextlib.contextmanager
def secure(**config: Any) -> Iterator[Serving]:
    with serving(mode=slimHTTP.HTTPS, **config) as site:
        site.http.route('/')(lambda request: 'answered')
        yield site


def incoming(connection: Http2) -> Iterator[Frame]:
    """Every frame until the server closes; nothing is answered by itself."""
    data = b''
    with contextlib.suppress(ConnectionError):
        while more := connection.socket.recv(65536):
            data += more
            while len(data) >= HEAD:
                frame, length = Frame.parse_frame_header(memoryview(data[:HEAD]))
                if len(data) < HEAD + length:
                    break
                frame.parse_body(memoryview(data[HEAD : HEAD + length]))
                data = data[HEAD + length :]
                yield frame


def status(connection: Http2, frame: HeadersFrame) -> int:
    return int(dict(connection.frames.decoder.decode(frame.data))[':status'])


def test_a_request_that_crosses_the_goaway_of_an_idle_connection_is_answered() -> None:
    with secure(idle_timeout=0.3) as site, Http2(site.address[1]) as connection:
        assert connection.get('/').status == 200
        said, statuses, pings = [], [], []
        for frame in incoming(connection):
            if isinstance(frame, GoAwayFrame):
                said.append(frame.last_stream_id)
                if len(said) == 1:
                    connection.send(*connection.block(REQUEST))
            elif isinstance(frame, PingFrame):
                pings.append(frame)
            elif isinstance(frame, HeadersFrame):
                statuses.append(status(connection, frame))
                # Only now has the client heard that it is to go.
                connection.send(*(PingFrame(0, ping.opaque_data, flags=['ACK']) for ping in pings))
        assert statuses == [200]
        assert said[0] == NONE_YET
        assert said[-1] == 3, 'what was answered is no request to be repeated'


def test_an_idle_client_that_does_not_hear_is_cut() -> None:
    with secure(idle_timeout=0.3) as site, Http2(site.address[1]) as connection:
        assert connection.get('/').status == 200
        began = time.monotonic()
        assert any(isinstance(frame, GoAwayFrame) for frame in incoming(connection))
        assert time.monotonic() - began < PATIENCE


def test_a_head_that_drips_costs_other_requests_nothing() -> None:
    go_on = threading.Event()
    with secure(header_timeout=0.3, python_threads=2) as site, Http2(site.address[1]) as connection:

        @site.http.route('/held')
        def held(request: Any) -> str:
            go_on.wait(2 * PATIENCE)
            return 'held'

        assert connection.get('/').status == 200
        connection.ask('/held')
        begun, *_ = connection.block([*REQUEST, ('x', 'y' * 400)], pieces=2)
        connection.send(begun)
        try:
            statuses = []
            for frame in incoming(connection):
                if isinstance(frame, GoAwayFrame):
                    go_on.set()
                elif isinstance(frame, HeadersFrame):
                    statuses.append(status(connection, frame))
            assert go_on.is_set(), 'it is told that the connection ends'
            assert statuses == [200], 'and what was in work is answered'
        finally:
            go_on.set()


def test_but_they_have_no_longer_than_when_the_server_stops() -> None:
    go_on = threading.Event()
    config = {'header_timeout': 0.3, 'grace_period': 0.5, 'python_threads': 2}
    with secure(**config) as site, Http2(site.address[1]) as connection:
        site.http.route('/held')(lambda request: go_on.wait(2 * PATIENCE) and 'held')
        assert connection.get('/').status == 200
        connection.ask('/held')
        begun, *_ = connection.block([*REQUEST, ('x', 'y' * 400)], pieces=2)
        connection.send(begun)
        try:
            began = time.monotonic()
            assert not any(isinstance(frame, HeadersFrame) for frame in incoming(connection))
            assert 0.8 <= time.monotonic() - began < PATIENCE
        finally:
            go_on.set()
