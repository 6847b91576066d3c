"""The limits of docs/limits-and-timeouts.md on what goes on at once, over every protocol, and on
upstreams; and that each limit of that page has a row in a table of tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest
from hyperframe.frame import DataFrame
from support import (
    PATIENCE,
    REPOSITORY,
    BlackHole,
    Closed,
    Exchange,
    ProtocolError,
    Serving,
    Upstream,
    in_background,
    settles,
    stall,
    tick,
    wait_until,
)
from support.http2_client import WIDEST, Http2
from support.limits import (
    HOW_MUCH,
    HOW_SLOW,
    LIMIT,
    PROTOCOLS,
    Asked,
    begun,
    client_of,
    site_for,
    status_of,
)

PAGE = REPOSITORY / 'docs' / 'limits-and-timeouts.md'

REFUSED_STREAM = 7


@contextlib.contextmanager
def gated(protocol: str, **config: Any) -> Iterator[tuple[Serving, threading.Event, list[str]]]:
    """A server of which `/held` waits for the gate; and what has begun there."""
    gate = threading.Event()
    running: list[str] = []
    with site_for(protocol, **config) as site:

        @site.http.route('/held')
        def held(request: Any) -> str:
            running.append(request.url)
            gate.wait(PATIENCE)
            return 'held'

        try:
            yield site, gate, running
        finally:
            gate.set()


def streams_at_once(protocol: str) -> None:
    """Requests of HTTP/1.1 are one behind the other: the next is read behind the answer."""
    with gated(protocol, max_streams=3, python_threads=8) as (site, gate, running):
        if protocol == 'HTTP/2':
            with Http2(site.address[1]) as connection:
                *streams, one_too_many = [connection.ask('/held') for _ in range(4)]
                assert connection.answer(one_too_many).reset == REFUSED_STREAM
                wait_until(lambda: len(running) == 3)
                gate.set()
                assert [connection.answer(stream).status for stream in streams] == [200] * 3
            return
        with client_of(site, protocol) as client:
            client.send_raw(Asked('/held').raw() * 4)
            wait_until(lambda: running)
            assert settles(lambda: len(running)) == 1
            gate.set()
            assert [client.read_response().status for _ in range(4)] == [200] * 4


def unsent(protocol: str) -> None:
    """What a client that does not read is given: of generators, and of whole answers."""
    if protocol != 'HTTP/2':
        # The socket's own bound, which is not this option's: see test_limits.py.
        return
    pulled = {}
    for most in ('16KiB', '16MiB'):
        with site_for(protocol, max_unsent=most) as site:
            pulled[most] = [0, 0]

            def piece(index: int, counts: list[int] = pulled[most]) -> bytes:
                counts[index] += 1
                return bytes(4096)

            def generator(request: Any, piece: Any = piece) -> Iterator[bytes]:
                while True:
                    yield piece(0)

            site.http.route('/pieces')(generator)
            site.http.route('/whole')(lambda request, piece=piece: piece(1) * 25)
            for index, path in enumerate(('/pieces', '/whole')):
                with Http2(site.address[1], window=WIDEST, narrow=True) as connection:
                    for _ in range(100):
                        connection.ask(path)
                    wait_until(lambda index=index, counts=pulled[most]: counts[index])
                    settles(lambda counts=pulled[most]: list(counts))
    small, large = pulled.values()
    assert large[1] == 100, 'all of them are there'
    assert 2 * small[0] < large[0], pulled
    assert 2 * small[1] < large[1], pulled


def connections(protocol: str) -> None:
    """The one that was idle longest gives way."""
    with site_for(protocol, max_connections=2) as site, contextlib.ExitStack() as stack:
        if protocol == 'HTTP/2':
            first, second = [stack.enter_context(Http2(site.address[1])) for _ in range(2)]
            assert first.get('/').status == 200
            tick()
            assert second.get('/').status == 200
            with in_background(lambda: status_of(site, protocol, Asked())) as third:
                first.until_closed()
                assert first.goaway[:1] == [0], 'RFC 9113 section 6.8'
                assert third() == 200
            return
        one, other = [stack.enter_context(client_of(site, protocol)) for _ in range(2)]
        assert one.get('/').status == 200
        tick()
        assert other.get('/').status == 200
        assert status_of(site, protocol, Asked()) == 200
        assert one.expect_close() == b''
        assert other.get('/').status == 200


def is_cut_off(site: Serving, protocol: str) -> bool:
    """Whether a connection is closed before it is told anything."""
    try:
        return status_of(site, protocol, Asked()) is None
    except (OSError, Closed, ProtocolError):
        return True


def connections_of_an_address(protocol: str) -> None:
    with site_for(protocol, max_connections_per_address=1) as site:
        with client_of(site, protocol) as client:
            assert client.get('/').status == 200
            assert is_cut_off(site, protocol)
        wait_until(lambda: not is_cut_off(site, protocol), 'the place of one that has left')


def who_may_connect(protocol: str) -> None:
    with site_for(protocol, allow='192.0.2.0/24') as site:
        assert is_cut_off(site, protocol)
        site.http.config['allow'] = '127.0.0.0/8'
        assert status_of(site, protocol, Asked()) == 200


def calls_that_wait(protocol: str) -> None:
    with gated(protocol, max_queue=1, python_threads=1) as (site, gate, running):
        with contextlib.ExitStack() as stack:
            statuses = [stack.enter_context(begun(site, protocol, Asked('/held')))]
            wait_until(lambda: running)
            more = [stack.enter_context(begun(site, protocol, Asked('/held'))) for _ in range(9)]
            timer = threading.Timer(LIMIT, gate.set)
            timer.start()
            answers = [status() for status in [*statuses, *more]]
            timer.join()
        assert answers[0] == 200
        assert sorted(answers[1:], key=str) == [200] + [503] * 8


def bodies_in_memory(protocol: str) -> None:
    body = Asked(body=b'x' * 900)
    with site_for(protocol, max_body_memory=1024) as site:

        def beside_a_half() -> int | None:
            with contextlib.ExitStack() as stack:
                if protocol == 'HTTP/2':
                    connection = stack.enter_context(Http2(site.address[1]))
                    length = ('content-length', '900')
                    stream = connection.ask('/', length, method='POST', end=False)
                    connection.send(DataFrame(stream, b'x' * 800))
                else:
                    stack.enter_context(client_of(site, protocol)).send_raw(body.raw()[:-100])
                return status_of(site, protocol, body)

        # Whichever of the two is read first has the memory.
        wait_until(lambda: beside_a_half() == 503, 'a refusal')
        wait_until(lambda: status_of(site, protocol, body) == 200, 'the memory of the other')


@contextlib.contextmanager
def passed_on(protocol: str, **config: Any) -> Iterator[tuple[Serving, Upstream]]:
    """A server before an upstream that answers when it is released."""
    with Upstream(stall) as upstream:
        vhosts = {'p': {'proxy': upstream.name, **config}}
        # One thread, which has all connections to the upstream.
        with site_for(protocol, io_threads=1, vhosts=vhosts) as site:
            yield site, upstream


TO_UPSTREAM = Asked(vhost='p')


def requests_of_upstreams(protocol: str) -> None:
    with (
        passed_on(protocol, proxy_max_requests=2, proxy_max_queue=0) as (site, upstream),
        begun(site, protocol, TO_UPSTREAM) as first,
        begun(site, protocol, TO_UPSTREAM) as second,
    ):
        upstream.wait_for(2)
        assert status_of(site, protocol, TO_UPSTREAM) == 503
        upstream.released.set()
        assert (first(), second()) == (200, 200)


def requests_that_wait_for_upstreams(protocol: str) -> None:
    with (
        passed_on(protocol, proxy_max_requests=1, proxy_max_queue=1) as (site, upstream),
        contextlib.ExitStack() as stack,
    ):
        statuses = [stack.enter_context(begun(site, protocol, TO_UPSTREAM))]
        upstream.wait_for(1)
        statuses += [stack.enter_context(begun(site, protocol, TO_UPSTREAM)) for _ in range(4)]
        timer = threading.Timer(LIMIT, upstream.released.set)
        timer.start()
        answers = [status() for status in statuses]
        timer.join()
        assert answers[0] == 200
        assert sorted(answers[1:], key=str) == [200, 503, 503, 503]


def a_wait_for_upstreams(protocol: str) -> None:
    config = {'proxy_max_requests': 1, 'proxy_queue_timeout': LIMIT}
    with passed_on(protocol, **config) as (site, upstream), begun(site, protocol, TO_UPSTREAM):
        upstream.wait_for(1)
        began = time.monotonic()
        assert status_of(site, protocol, TO_UPSTREAM) == 503
        assert LIMIT <= time.monotonic() - began < PATIENCE / 2


def silence_of_an_upstream(protocol: str) -> None:
    with passed_on(protocol, proxy_read_timeout=LIMIT) as (site, _):
        assert status_of(site, protocol, TO_UPSTREAM) == 504


def a_connection_to_an_upstream(protocol: str) -> None:
    with BlackHole() as hole:
        vhosts = {'p': {'proxy': hole.name, 'proxy_connect_timeout': LIMIT}}
        with site_for(protocol, vhosts=vhosts) as site:
            began = time.monotonic()
            assert status_of(site, protocol, TO_UPSTREAM) == 504
            assert LIMIT <= time.monotonic() - began < 5, 'the default'


def answers_with(fields: bytes) -> Callable[[Exchange], None]:
    """An upstream whose head is `HTTP/1.1 200 OK`, a length, these fields, and a blank line."""

    def behave(exchange: Exchange) -> None:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n' + fields + b'\r\n')

    return behave


def status_by_head(protocol: str, fields: bytes, **config: Any) -> Optional[int]:
    """What a client is told where an upstream answers with such a head."""
    with Upstream(answers_with(fields)) as upstream:
        vhosts = {'p': {'proxy': upstream.name, **config}}
        with site_for(protocol, vhosts=vhosts) as site:
            return status_of(site, protocol, TO_UPSTREAM)


def head_of_an_answer(protocol: str) -> None:
    def status(length: int, **config: Any) -> Optional[int]:
        return status_by_head(protocol, b'X: ' + b'y' * length + b'\r\n', **config)

    assert status(7_000, proxy_max_response_head='8KiB') == 200
    assert status(8_192, proxy_max_response_head='8KiB') == 502
    assert status(60_000) == 200, 'the default'
    assert status(66_000) == 502, 'the default'
    assert status(200_000) == 502, 'by far'


def fields_of_an_answer(protocol: str) -> None:
    def status(count: int, **config: Any) -> Optional[int]:
        fields = b''.join(b'X-%d: y\r\n' % number for number in range(count))
        return status_by_head(protocol, fields, **config)

    # The length is one of them.
    assert status(9, proxy_max_response_headers=10) == 200
    assert status(10, proxy_max_response_headers=10) == 502
    assert status(255) == 200, 'the default'
    assert status(256) == 502, 'the default'


def connections_without_a_request(protocol: str) -> None:
    def keeps(most: int) -> None:
        with (
            passed_on(protocol, proxy_max_idle=most) as (site, upstream),
            begun(site, protocol, TO_UPSTREAM) as first,
            begun(site, protocol, TO_UPSTREAM) as second,
        ):
            upstream.wait_for(2)
            upstream.released.set()
            assert (first(), second()) == (200, 200)
            wait_until(lambda: upstream.open_connections == most, 'the end of the others')
            assert status_of(site, protocol, TO_UPSTREAM) == 200
            assert upstream.connections == 3 - most

    keeps(0)
    keeps(1)


def rest_of_a_connection(protocol: str) -> None:
    with passed_on(protocol, proxy_idle_timeout=LIMIT) as (site, upstream):
        upstream.released.set()
        began = time.monotonic()
        assert status_of(site, protocol, TO_UPSTREAM) == 200
        wait_until(lambda: not upstream.open_connections, 'its end')
        assert LIMIT <= time.monotonic() - began < PATIENCE


def requests_as_the_server_stops(protocol: str) -> None:
    ends: list[str] = []
    with contextlib.ExitStack() as stack:
        with site_for(protocol, grace_period=LIMIT) as site:

            @site.http.route('/for-ever')
            async def for_ever(request: Any) -> None:
                ends.append('begun')
                try:
                    await asyncio.sleep(3600)
                finally:
                    ends.append('cancelled')

            stack.enter_context(begun(site, protocol, Asked('/for-ever')))
            wait_until(lambda: ends)
            began = time.monotonic()
        assert LIMIT * 0.9 <= time.monotonic() - began < 10, 'the default'
        assert ends == ['begun', 'cancelled']


AT_ONCE: dict[str, Callable[[str], None]] = {
    'max_streams': streams_at_once,
    'max_unsent': unsent,
    'max_connections': connections,
    'max_connections_per_address': connections_of_an_address,
    'allow': who_may_connect,
    'max_queue': calls_that_wait,
    'max_body_memory': bodies_in_memory,
    'proxy_max_requests': requests_of_upstreams,
    'proxy_max_queue': requests_that_wait_for_upstreams,
    'proxy_queue_timeout': a_wait_for_upstreams,
    'proxy_read_timeout': silence_of_an_upstream,
    'proxy_connect_timeout': a_connection_to_an_upstream,
    'proxy_max_response_head': head_of_an_answer,
    'proxy_max_response_headers': fields_of_an_answer,
    'proxy_max_idle': connections_without_a_request,
    'proxy_idle_timeout': rest_of_a_connection,
    'grace_period': requests_as_the_server_stops,
}


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('option', AT_ONCE)
def test_what_goes_on_at_once_is_bounded(option: str, protocol: str) -> None:
    AT_ONCE[option](protocol)


def test_every_limit_of_the_page_has_a_row() -> None:
    tables = re.findall(r'^\| option \|.*\n\|[-| ]+\n((?:\|.*\n)+)', PAGE.read_text(), re.M)
    assert len(tables) == 2, 'how much, how slow'
    named = {name for table in tables for name in re.findall(r'^\| `(\w+)` \|', table, re.M)}
    assert len(named) == sum(table.count('\n') for table in tables)
    rows = {row.partition(',')[0] for row in [*HOW_MUCH, *HOW_SLOW, *AT_ONCE]}
    assert rows == named
