"""C7.3: how many requests the upstreams of a scope carry, who waits for a place, and what is
given back when a client leaves. Descriptors too: nobody else is refused for want of them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

import pytest
from support import (
    PATIENCE,
    Client,
    Exchange,
    Log,
    Program,
    Serving,
    Upstream,
    says,
    serving,
    stall,
    unused_port,
    wait_until,
    websocket_echo,
)
from support.http2_client import Http2
from support.websocket_frames import handshake

of = pytest.mark.parametrize


class Gate:
    """A behaviour that lets its requests go one by one, and knows how many it held at once."""

    def __init__(self) -> None:
        self.passes = threading.Semaphore(0)
        self._lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def __call__(self, exchange: Exchange) -> bool | None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            if not self.passes.acquire(timeout=60) or exchange.upstream._closing:
                return False
        finally:
            # Before the answer, on which the server lets the next one in.
            with self._lock:
                self.inside -= 1
        exchange.read_body()
        exchange.respond(exchange.target.encode())
        return None

    def open(self, count: int = 1) -> None:
        for _ in range(count):
            self.passes.release()


@contextlib.contextmanager
def gated(**config) -> Iterator[tuple[Gate, Upstream, Serving]]:
    gate = Gate()
    config = {'io_threads': 2, **config}
    with Upstream(gate) as upstream, serving(proxy=upstream.name, **config) as site:
        try:
            yield gate, upstream, site
        finally:
            gate.open(1000)


def waiting(site: Serving, count: int, prefix: str = '/') -> list[Client]:
    """So many requests, in their order."""
    clients = []
    for number in range(count):
        client = site.client()
        client.send('GET', f'{prefix}{number}')
        clients.append(client)
    return clients


def test_c7_3_more_than_the_upstreams_carry_wait_and_all_are_answered() -> None:
    """The bound is one for all I/O threads."""
    with gated(proxy_max_requests=3) as (gate, upstream, site):
        clients = waiting(site, 12)
        upstream.wait_for(3)
        for served in range(1, 13):
            gate.open()
            upstream.wait_for(min(12, 3 + served))
        answers = {client.read_response().text for client in clients}
        assert answers == {f'/{number}' for number in range(12)}
        assert gate.most == 3
        for client in clients:
            client.close()


def test_c7_3_those_who_wait_have_their_turn_in_order() -> None:
    with gated(proxy_max_requests=1, io_threads=1) as (gate, upstream, site):
        clients = waiting(site, 1)
        upstream.wait_for(1)
        for number in range(1, 5):
            clients += waiting(site, 1, f'/{number}-')
            # What the one I/O thread reads later shows that this one waits by now.
            assert site.get('/', host='nobody:port').status == 400
        gate.open(5)
        assert [client.read_response().status for client in clients] == [200] * 5
        targets = [exchange.target for exchange in upstream.exchanges]
        assert targets == ['/0', '/1-0', '/2-0', '/3-0', '/4-0']
        for client in clients:
            client.close()


def test_c7_3_more_than_may_wait_are_503_with_retry_after_and_one_line_in_the_log() -> None:
    with Log() as log, gated(proxy_max_requests=1, proxy_max_queue=2) as (gate, upstream, site):
        clients = waiting(site, 3)
        upstream.wait_for(1)
        # The three stand in no order among I/O threads, so their sum is waited for.
        wait_until(lambda: site.get('/more').status == 503, 'a full line')
        for _ in range(30):
            response = site.get('/more')
            assert (response.status, response.headers['Retry-After']) == (503, '1')
        assert len(upstream.exchanges) == 1
        gate.open(4)
        assert sorted(client.read_response().status for client in clients)[:2] == [200, 200]
        log.wait_for('see `proxy_max_requests`')
        assert log.text.count('answered 503') == 1
        for client in clients:
            client.close()


def test_c7_3_who_waits_longer_than_proxy_queue_timeout_is_503() -> None:
    with gated(proxy_max_requests=1, proxy_queue_timeout=0.2) as (_gate, upstream, site):
        clients = waiting(site, 1)
        upstream.wait_for(1)
        response = site.get('/late')
        assert (response.status, response.headers['Retry-After']) == (503, '1')
        clients[0].close()


def test_c7_3_a_full_group_keeps_no_other_group_waiting() -> None:
    with Upstream(says('alive')) as alive:
        hosts = {'other.example': {'proxy': alive.name}}
        config = {'proxy_max_requests': 1, 'vhosts': hosts}
        with gated(**config) as (_gate, upstream, site):
            clients = waiting(site, 5)
            upstream.wait_for(1)
            for _ in range(20):
                assert site.get('/', host='other.example').text == 'alive'
            for client in clients:
                client.close()


def test_c7_3_who_leaves_makes_room_in_the_line() -> None:
    config = {'proxy_max_requests': 1, 'proxy_max_queue': 1}
    with gated(**config) as (gate, upstream, site):
        first = waiting(site, 1)[0]
        upstream.wait_for(1)
        second = waiting(site, 1, '/left-')[0]
        wait_until(lambda: site.get('/more').status == 503, 'a full line')
        second.close()
        third = site.client()

        def waits() -> bool:
            third.close()
            third.send('GET', '/third')
            # It is refused at once, or waits.
            return third.is_open(0.2) and not select.select([third.socket], [], [], 0)[0]

        wait_until(waits, 'a place in the line')
        gate.open(2)
        assert first.read_response().text == '/0'
        assert third.read_response().text == '/third'
        assert [exchange.target for exchange in upstream.exchanges] == ['/0', '/third']
        first.close()
        third.close()


def test_c7_3_a_tunnel_has_its_place_until_it_ends() -> None:
    config = {'proxy_max_requests': 1, 'proxy_max_queue': 0}
    with Upstream(websocket_echo) as upstream, serving(proxy=upstream.name, **config) as site:
        for _ in range(2):
            with site.client() as client:
                client.send('GET', '/', handshake())
                assert client.read_response().status == 101
                assert site.get('/').status == 503
            with site.client() as client:

                def is_free(client: Client = client) -> bool:
                    client.close()
                    client.send('GET', '/', handshake())
                    return client.read_response().status == 101

                wait_until(is_free, 'the place of the tunnel')
            wait_until(lambda: len(upstream._open) == 0, 'the end of the tunnels')


def test_c7_3_a_response_has_its_place_until_it_ends() -> None:
    def begins(exchange: Exchange) -> bool:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab')
        exchange.upstream.released.wait(60)
        exchange.send(b'cd')
        return False

    config = {'proxy_max_requests': 1, 'proxy_max_queue': 0}
    with Upstream(begins) as upstream, serving(proxy=upstream.name, **config) as site:
        with site.client() as client:
            client.send('GET', '/')
            # The head first: an identifier in it may hold these letters.
            assert client.read_head().status == 200
            assert client.read_exactly(2) == b'ab'
            assert site.get('/').status == 503
            upstream.released.set()
            assert client.read_exactly(2) == b'cd'
        wait_until(lambda: site.get('/').status == 200, 'the place of the response')


def test_c7_3_a_change_beside_the_group_leaves_its_places_as_they_are() -> None:
    config = {'proxy_max_requests': 1, 'proxy_max_queue': 0}
    with gated(**config) as (_gate, upstream, site):
        clients = waiting(site, 1)
        upstream.wait_for(1)
        for key, value in [
            ('proxy_read_timeout', 30),
            ('index', 'other.html'),
            ('proxy_connect_timeout', 2),
            ('vhosts', {'a.example': {'web_root': '.'}}),
        ]:
            site.http.config[key] = value
            assert site.get('/').status == 503, key
        site.http.config['proxy_max_requests'] = 2
        clients += waiting(site, 1)
        upstream.wait_for(2)
        assert site.get('/').status == 503
        for client in clients:
            client.close()


# Who leaves


@of('method, body', [('GET', None), ('POST', b'x' * 100_000), ('POST', [b'chunk', b'chunk'])])
def test_c7_3_an_upstream_is_let_go_when_its_client_leaves(method: str, body) -> None:
    with Upstream(stall) as upstream, serving(proxy=upstream.name, proxy_max_requests=1) as site:
        client = site.client()
        client.send(method, '/', body=body)
        exchange = upstream.wait_for(1)
        client.close()
        assert exchange.wait_until_gone()
        # And its place is free: this one gets through.
        second = site.client()
        second.send('GET', '/second')
        assert upstream.wait_for(2).target == '/second'
        second.close()


def test_c7_3_an_upstream_is_let_go_when_its_http2_stream_is_reset() -> None:
    import slimHTTP

    with (
        Upstream(stall) as upstream,
        serving(mode=slimHTTP.HTTPS, proxy=upstream.name, proxy_max_requests=2) as site,
        Http2(site.address[1]) as connection,
    ):
        stream, _ = connection.ask('/reset'), connection.ask('/cut')
        upstream.wait_for(2)
        exchanges = {exchange.target: exchange for exchange in upstream.exchanges}
        connection.take_back(stream)
        assert exchanges['/reset'].wait_until_gone()
        connection.socket.close()
        assert exchanges['/cut'].wait_until_gone()


# The log


def test_c7_5_the_same_failure_is_one_line_for_many_requests() -> None:
    with Log() as log, serving(proxy=f'127.0.0.1:{unused_port()}') as site:
        for _ in range(50):
            assert site.get('/').status == 502
        log.wait_for('[Rr]efused')
        assert log.text.lower().count('refused') == 1


# Descriptors

LIMITED = """
import resource, sys, slimHTTP
resource.setrlimit(resource.RLIMIT_NOFILE, (192, 192))
slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, proxy=sys.argv[1], io_threads=2,
                proxy_queue_timeout=30,
                vhosts={'files.example': {'web_root': sys.argv[2]},
                        'alive.example': {'proxy': sys.argv[3]}}).run()
"""


def test_c7_3_a_slow_upstream_leaves_descriptors_for_everybody_else(tmp_path) -> None:
    (tmp_path / 'index.html').write_text('a file')
    with (
        Upstream(stall) as stalled,
        Upstream(says('alive')) as alive,
        Program(LIMITED, stalled.name, str(tmp_path), alive.name) as program,
    ):
        slow = []
        for _ in range(100):
            slow.append(program.client())
            slow[-1].send('GET', '/')
        stalled.wait_for(10)
        for _ in range(5):
            assert program.get('/', host='files.example').text == 'a file'
            assert program.get('/', host='alive.example').text == 'alive'
        # Each was given up what it had, none was refused: all are answered in the end.
        stalled.released.set()
        assert [client.read_response().status for client in slow] == [200] * 100
        assert 'cannot accept' not in program.stderr
        for client in slow:
            client.close()


SEVERAL = """
import resource, sys, slimHTTP
resource.setrlimit(resource.RLIMIT_NOFILE, (192, 192))
slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, proxy=sys.argv[1], io_threads=2,
                proxy_queue_timeout=30,
                vhosts={f'{n}.example': {'proxy': proxy} for n, proxy in enumerate(sys.argv[1:])}
                ).run()
"""


def test_c7_8_idle_connections_keep_no_request_waiting() -> None:
    """As many at once, whatever was asked before: of 84 connections for upstreams, all are idle."""
    with contextlib.ExitStack() as stack:
        upstreams = [stack.enter_context(Upstream(stall)) for _ in range(4)]
        names = [upstream.name for upstream in upstreams]
        program = stack.enter_context(Program(SEVERAL, *names))
        clients = [stack.enter_context(program.client()) for _ in range(60)]
        for number, upstream in enumerate(upstreams):
            for client in clients:
                client.send('GET', '/', host=f'{number}.example')
            upstream.wait_for(42)
            upstream.released.set()
            assert [client.read_response().status for client in clients] == [200] * 60


def test_max_connections_never_take_the_last_descriptor(tmp_path) -> None:
    """Connections without a request are no reason to answer those that have one with 500."""
    (tmp_path / 'index.html').write_text('a file')
    with Program(LIMITED, '127.0.0.1:1', str(tmp_path), '127.0.0.1:1') as program:
        with program.client() as client:
            assert client.get('/', host='files.example').text == 'a file'
            idle = [socket.create_connection(program.address, PATIENCE) for _ in range(250)]
            program.wait_for('nearly all descriptors')
            (tmp_path / 'new.html').write_text('another')
            assert client.get('/new.html', host='files.example').text == 'another'
            for one in idle:
                one.close()
        wait_until(
            lambda: program.get('/', host='files.example').text == 'a file', 'room for others'
        )
        assert 'cannot accept' not in program.stderr
