"""C8.3 and C8.5 over HTTP/2: who stops to read, or takes a request back, is one stream of many."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import h2.connection
import h2.errors
import h2.events
import pytest
import slimHTTP
from client import lenient_tls
from harness import PATIENCE, wait_until
from harness_more import settles


class Http2:
    """A connection of which a test sends and receives every frame itself."""

    def __init__(self, port: int) -> None:
        context = lenient_tls()
        context.set_alpn_protocols(['h2'])
        plain = socket.create_connection(('127.0.0.1', port), PATIENCE)
        self.socket = context.wrap_socket(plain)
        self.frames = h2.connection.H2Connection()
        self.frames.initiate_connection()

    def ask(self, path: str) -> int:
        """Begin a stream with a GET; gives its number."""
        stream: int = self.frames.get_next_available_stream_id()
        head = [(':method', 'GET'), (':path', path), (':scheme', 'https'), (':authority', 'a')]
        self.frames.send_headers(stream, head, end_stream=True)
        self.flush()
        return stream

    def take_back(self, stream: int) -> None:
        self.frames.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.frames.data_to_send())

    def receive(self, stream: int, *, least: int | None = None, reading: bool = False) -> bytes:
        """The content of a stream: all of it, or `least` bytes; `reading` opens the window."""
        content, ends = b'', time.monotonic() + PATIENCE
        while least is None or len(content) < least:
            assert time.monotonic() < ends, 'it does not come'
            data = self.socket.recv(65536)
            assert data, 'the connection has ended'
            for event in self.frames.receive_data(data):
                if isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                    content += event.data
                    if reading:
                        self.frames.acknowledge_received_data(len(event.data), stream)
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    return content
            self.flush()
        return content


@pytest.fixture
def http() -> Iterator[slimHTTP.HTTP_SERVER]:
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, quiet=True) as http:
        http.route('/well')(lambda request: 'well')
        yield http


@pytest.fixture
def client(http: slimHTTP.HTTP_SERVER) -> Iterator[Http2]:
    client = Http2(http.port)
    with contextlib.closing(client.socket):
        yield client


def test_c8_5_a_request_that_is_taken_back_has_its_async_call_cancelled(
    http: slimHTTP.HTTP_SERVER, client: Http2
) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    @http.route('/wait')
    async def wait(request: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    stream = client.ask('/wait')
    assert begun.wait(PATIENCE)
    client.take_back(stream)
    assert cancelled.wait(PATIENCE)
    assert client.receive(client.ask('/well')) == b'well'


@pytest.mark.parametrize('asynchronous', [False, True])
def test_c8_3_a_window_that_stays_closed_stops_the_generator(
    http: slimHTTP.HTTP_SERVER, client: Http2, asynchronous: bool
) -> None:
    pulled = [0]
    closed = threading.Event()

    def chunks() -> Iterator[bytes]:
        try:
            while pulled[0] < 20_000:
                pulled[0] += 1
                yield b'x' * 4096
        finally:
            closed.set()

    async def chunks_later() -> Any:
        for chunk in chunks():
            yield chunk

    http.route('/large')(lambda request: chunks_later() if asynchronous else chunks())
    stream = client.ask('/large')
    wait_until(lambda: pulled[0])
    before = settles(lambda: pulled[0])
    assert before < 1000, 'bounded by its window and what is on the way'
    client.receive(stream, least=(before + 50) * 4096, reading=True)
    assert pulled[0] > before, 'and it goes on when the client does'
    client.take_back(stream)
    assert closed.wait(PATIENCE), 'and it is closed when nobody wants it'
    assert client.receive(client.ask('/well')) == b'well'
