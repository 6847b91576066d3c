"""C7.2, C7.8: connections to upstreams are kept, bounded, and never handed out dead.

One I/O thread, since each has connections of its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support import (
    DATA,
    PATIENCE,
    Exchange,
    Serving,
    TlsUpstream,
    Upstream,
    at_once,
    echo,
    hang_up,
    launch,
    says,
    serving,
    settles,
    stall,
    wait_until,
)
from support.waiting import tick

of = pytest.mark.parametrize


@contextlib.contextmanager
def proxying(behaviour: Any, **config: Any) -> Iterator[tuple[Upstream, Serving]]:
    with Upstream(behaviour) as upstream:
        with serving(proxy=upstream.name, io_threads=1, **config) as site:
            yield upstream, site


# Kept and bounded.


def test_c7_2_one_connection_carries_many_requests_of_many_clients() -> None:
    with proxying(echo) as (upstream, site):
        for number in range(10):
            assert site.get(f'/{number}').status == 200
            with site.client() as client:
                for method, body in [('POST', b'hello'), ('PUT', [b'he', b'llo']), ('HEAD', None)]:
                    assert client.request(method, f'/{number}', body=body).status == 200
        assert upstream.connections == 1
        assert len(upstream.exchanges) == 40


def test_c7_2_requests_at_once_have_a_connection_each() -> None:
    with proxying(stall) as (upstream, site):
        clients = [site.client() for _ in range(10)]
        for client in clients:
            client.send('GET', '/')
        upstream.wait_for(10)
        assert upstream.connections == 10
        upstream.released.set()
        for client in clients:
            assert client.read_response().status == 200
            client.close()
        for _ in range(20):
            assert site.get('/').status == 200
        assert upstream.connections == 10, 'they are used again'


def test_c7_2_idle_connections_are_bounded() -> None:
    with proxying(stall) as (upstream, site):
        clients = [site.client() for _ in range(120)]
        for client in clients:
            client.send('GET', '/')
        upstream.wait_for(120)
        assert upstream.open_connections == 120
        upstream.released.set()
        for client in clients:
            assert client.read_response().status == 200
            client.close()
        wait_until(lambda: upstream.open_connections <= 64, 'the end of those beyond')
        assert settles(lambda: upstream.open_connections) > 0, 'and not of all'


def test_c7_2_an_upstream_that_says_close_is_taken_at_its_word() -> None:
    with proxying(says('x', '200 OK', ('Connection', 'close'))) as (upstream, site):
        for number in range(1, 6):
            assert site.get('/').text == 'x'
            assert upstream.connections == number
        wait_until(lambda: upstream.open_connections == 0, 'the end of all')


def test_c7_2_connections_end_with_the_server() -> None:
    with Upstream(echo) as upstream:
        with serving(proxy=upstream.name) as site:
            assert site.get('/').status == 200
        wait_until(lambda: upstream.open_connections == 0, 'the end of the connection')


# Dead ones.


def closes_behind(exchange: Exchange) -> bool:
    """Answers and closes, as an upstream does that has waited long enough."""
    echo(exchange)
    return False


@of('method', ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])
@of('chunked', [False, True])
def test_c7_5_a_connection_that_was_closed_while_idle_is_not_used(
    method: str, chunked: bool
) -> None:
    """A POST is sent once: it must not be lost to a connection that could be known to be dead."""
    with proxying(closes_behind) as (upstream, site), site.client() as client:
        body: Any = [b'he', b'llo'] if chunked else b'hello'
        for number in range(20):
            response = client.request(method, f'/{number}', body=body)
            assert response.status == 200
            assert response.json()['body'] == 'hello'
            wait_until(lambda: upstream.open_connections == 0, 'the close of the upstream')
        assert upstream.targets == [f'/{number}' for number in range(20)]


@of(
    'method, status',
    [('HEAD', '200 OK'), ('GET', '304 Not Modified'), ('GET', '204 No Content')],
)
def test_c7_5_content_that_has_no_place_is_no_answer_to_the_next_request(
    method: str, status: str
) -> None:
    """An upstream that errs sends it a little later, and it looks like a response."""
    stray = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'
    is_sent = threading.Event()

    def errs(exchange: Exchange) -> None:
        if exchange.target == '/next':
            exchange.respond(b'fine')
            return
        # What is sent has come then, and does not wait for what was sent before to be confirmed.
        exchange.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchange.send(f'HTTP/1.1 {status}\r\nContent-Length: {len(stray)}\r\n\r\n'.encode())
        tick(0.02)
        exchange.send(stray)
        is_sent.set()

    with proxying(errs) as (upstream, site), site.client() as client:
        for _ in range(10):
            is_sent.clear()
            assert client.request(method, '/').status == int(status[:3])
            # Behind a 204 the connection is closed, so that there is nothing to wait for.
            assert status.startswith('204') or is_sent.wait(PATIENCE)
            assert client.get('/next').text == 'fine'
        assert 10 < upstream.connections <= 20


def second_fails(how: Any) -> Any:
    """Answers the first request of a connection, and of the second reads the head and fails."""
    count: Counter[int] = Counter()

    def behave(exchange: Exchange) -> Any:
        count[exchange.number] += 1
        return how(exchange) if count[exchange.number] == 2 else echo(exchange)

    return behave


@of('method', ['GET', 'HEAD', 'OPTIONS'])
def test_c7_5_a_safe_request_on_a_connection_that_closes_at_that_moment_is_sent_once_more(
    method: str,
) -> None:
    with proxying(second_fails(hang_up)) as (upstream, site), site.client() as client:
        assert client.get('/first').status == 200
        assert client.request(method, '/second').status == 200
        asked = [(exchange.target, exchange.number) for exchange in upstream.exchanges]
        assert asked == [('/first', 1), ('/second', 1), ('/second', 2)]
        assert client.connections == 1


def test_c7_5_a_post_on_a_connection_that_closes_at_that_moment_is_sent_once() -> None:
    """The upstream has heard it, and may have acted on it (RFC 9110 section 9.2.2)."""
    with proxying(second_fails(hang_up)) as (upstream, site), site.client() as client:
        assert client.get('/first').status == 200
        assert client.request('POST', '/second', body=b'hello').status == 502
        assert upstream.targets == ['/first', '/second']
        assert client.request('POST', '/third', body=b'hello').json()['body'] == 'hello'


def test_c7_5_what_was_answered_in_part_is_not_sent_again() -> None:
    def part(exchange: Exchange) -> bool:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Le')
        return False

    with proxying(second_fails(part)) as (upstream, site), site.client() as client:
        assert client.get('/first').status == 200
        assert client.get('/second').status == 502
        assert upstream.targets == ['/first', '/second']


def test_c7_5_a_fresh_connection_that_fails_is_not_tried_again() -> None:
    with proxying(hang_up) as (upstream, site):
        assert site.get('/').status == 502
        assert upstream.targets == ['/']


def test_c7_5_many_clients_of_an_upstream_that_closes_now_and_then_lose_nothing() -> None:
    """Each third answer is the last one of its connection, which nobody announces."""
    count: Counter[int] = Counter()

    def behave(exchange: Exchange) -> Any:
        echo(exchange)
        count[exchange.number] += 1
        return count[exchange.number] < 3

    with proxying(behave) as (_upstream, site):

        def load() -> list[int]:
            with site.client() as client:
                return [client.get('/').status for _ in range(60)]

        assert at_once([load] * 4) == [[200] * 60] * 4


# Turns.


def test_c7_8_each_scope_has_turns_of_its_own() -> None:
    """Asked in turn, two scopes do not take the turns of each other."""
    with contextlib.ExitStack() as stack:
        upstreams = [stack.enter_context(Upstream(says('x'))) for _ in range(4)]
        names = [upstream.name for upstream in upstreams]
        hosts = {'a.example': {'proxy': names[:2]}, 'b.example': {'proxy': names[2:]}}
        site = stack.enter_context(serving(vhosts=hosts, io_threads=1))
        client = stack.enter_context(site.client())
        for _ in range(20):
            for host in hosts:
                assert client.get('/', host=host).status == 200
        assert [len(upstream.exchanges) for upstream in upstreams] == [10] * 4


@of('first', [0, 1])
def test_c7_8_a_busy_scope_leaves_the_turns_of_another_as_they_are(first: int) -> None:
    with contextlib.ExitStack() as stack:
        upstreams = [stack.enter_context(Upstream(says('x'))) for _ in range(4)]
        names = [upstream.name for upstream in upstreams]
        hosts = {'a.example': {'proxy': names[:2]}, 'b.example': {'proxy': names[2:]}}
        site = stack.enter_context(serving(vhosts=hosts, io_threads=1))
        client = stack.enter_context(site.client())
        for number in range(20):
            for _ in range(1 + (number + first) % 3):
                assert client.get('/', host='b.example').status == 200
            assert client.get('/', host='a.example').status == 200
        assert [len(upstream.exchanges) for upstream in upstreams[:2]] == [10, 10]


# Changes.


def test_c7_8_a_change_elsewhere_keeps_the_connections() -> None:
    with Upstream(echo) as upstream, Upstream(says('other')) as other:
        hosts = {'a.example': {'proxy': upstream.name}}
        with serving(vhosts=hosts, io_threads=1) as site, site.client() as client:
            for number in range(5):
                assert client.get('/', host='a.example').status == 200
                site.http.configuration(
                    {'vhosts': {**hosts, f'{number}.example': {'proxy': other.name}}}
                )
                assert client.get('/', host=f'{number}.example').text == 'other'
                with site.http.config.edit() as draft:
                    draft['vhosts']['c.example'] = {'listing': True}
                site.http.route(f'/{number}')(lambda request: 'route')
            assert client.get('/', host='a.example').status == 200
            assert upstream.connections == 1


# TLS.

TRUST = {'SSL_CERT_FILE': os.fspath(DATA / 'tls' / 'ca.pem')}


def test_c7_1_a_session_of_tls_is_resumed(tmp_path: Any) -> None:
    resumed: list[bool] = []

    def note(exchange: Exchange) -> bool:
        resumed.append(bool(exchange.connection.session_reused))  # type: ignore[attr-defined]
        exchange.respond(b'x', headers=[('Connection', 'close')])
        return False

    with TlsUpstream('localhost', note) as upstream:
        config = {'proxy': f'https://localhost:{upstream.port}', 'io_threads': 1}
        server = launch('cli', tmp_path, config, env=TRUST)
        try:
            with server.client() as client:
                for _ in range(4):
                    assert client.get('/').text == 'x'
        finally:
            server.kill()
    assert resumed == [False, True, True, True]


def test_c7_1_a_connection_of_tls_is_kept(tmp_path: Any) -> None:
    with TlsUpstream('localhost', echo) as upstream:
        config = {'proxy': f'https://localhost:{upstream.port}', 'io_threads': 1}
        server = launch('cli', tmp_path, config, env=TRUST)
        try:
            with server.client() as client:
                for _ in range(5):
                    response = client.request('POST', '/', body=b'hello')
                    assert response.json()['body'] == 'hello'
        finally:
            server.kill()
        assert upstream.connections == 1
