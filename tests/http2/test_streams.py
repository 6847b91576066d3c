"""C8.3 and C8.5 over HTTP/2: who stops to read, or takes a request back, is one stream of many."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import slimHTTP
from support import PATIENCE, settles, wait_until
from support.http2_client import Http2
from support.watched import WatchedCall, WatchedStream


def receive(client: Http2, stream: int, least: int) -> None:
    """Take so many bytes of a stream's content, or more, and open the windows for them."""
    ends = time.monotonic() + PATIENCE
    while stream not in client.answers or len(client.answers[stream].body) < least:
        assert time.monotonic() < ends, 'it does not come'
        assert client.receive(), 'the connection has ended'


@pytest.fixture
def http() -> Iterator[slimHTTP.HTTP_SERVER]:
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, quiet=True) as http:
        http.route('/well')(lambda request: 'well')
        yield http


@pytest.fixture
def client(http: slimHTTP.HTTP_SERVER) -> Iterator[Http2]:
    with Http2(http.port) as client:
        yield client


def test_c8_5_a_request_that_is_taken_back_has_its_async_call_cancelled(
    http: slimHTTP.HTTP_SERVER, client: Http2
) -> None:
    call = WatchedCall()
    http.route('/wait')(call.handler)
    stream = client.ask('/wait')
    assert call.begun.wait(PATIENCE)
    client.take_back(stream)
    assert call.cancelled.wait(PATIENCE)
    assert client.get('/well').body == b'well'


@pytest.mark.parametrize('asynchronous', [False, True])
def test_c8_3_a_window_that_stays_closed_stops_the_generator(
    http: slimHTTP.HTTP_SERVER, client: Http2, asynchronous: bool
) -> None:
    large = WatchedStream(b'x' * 4096, asynchronous=asynchronous)
    http.route('/large')(lambda request: large(request))
    stream = client.ask('/large')
    wait_until(lambda: large.pulled)
    before = settles(lambda: large.pulled)
    assert before < 1000, 'bounded by its window and what is on the way'
    receive(client, stream, (before + 50) * 4096)
    assert large.pulled > before, 'and it goes on when the client does'
    client.take_back(stream)
    assert large.closed.wait(PATIENCE), 'and it is closed when nobody wants it'
    assert client.get('/well').body == b'well'
