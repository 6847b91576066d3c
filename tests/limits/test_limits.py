"""Limits: what is too long, too many or too slow is refused or cut, and nobody else notices."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import (
    PART_OF_A_BODY,
    PATIENCE,
    REPOSITORY,
    Client,
    Serving,
    answer,
    at_once,
    ended,
    narrow_client,
    outlast,
    resident_memory,
    serving,
    tree,
    wait_until,
)

of = pytest.mark.parametrize


class Counted(Serving):
    seen: list[bytes]


@contextlib.contextmanager
def counting(**config) -> Iterator[Counted]:
    """A server whose handler answers everything and keeps the bodies that it saw."""
    with serving(**config) as site:
        counted = Counted(site.http)
        counted.seen = []

        @site.http.route('/', prefix=True)
        def see(request):
            counted.seen.append(request.payload)
            return f'{len(request.payload)}'

        yield counted


def refused(site: Counted, status: int, raw: bytes) -> None:
    """`raw` is answered by `status`, the connection closes, the handler has seen nothing."""
    before = len(site.seen)
    with site.client() as client:
        client.send_raw(raw)
        response = answer(client)
        assert response.status == status, response
        assert response.closes
        assert client.expect_close() == b''
    assert site.get('/last').status == 200
    assert len(site.seen) == before + 1


def head(target: str = '/', *fields: str) -> bytes:
    lines = [f'GET {target} HTTP/1.1', 'Host: a.example', *fields, '', '']
    return '\r\n'.join(lines).encode()


# Too long, too many


def test_max_head() -> None:
    with counting(max_head=2048) as site:
        with site.client() as client:
            client.send_raw(head('/', 'X: ' + 'y' * 1900))
            assert client.read_response().status == 200
        refused(site, 431, head('/', 'X: ' + 'y' * 2048))
        refused(site, 431, head('/', *(f'X-{n}: {"y" * 200}' for n in range(12))))


def test_max_head_is_found_before_the_head_ends() -> None:
    with counting(max_head=2048) as site:
        refused(site, 431, head('/', 'X: ' + 'y' * 4000)[:-4])
        refused(site, 431, head('/', 'y' * 4000)[:-4])


def test_max_headers() -> None:
    with counting(max_headers=10) as site:
        with site.client() as client:
            client.send_raw(head('/', *(f'X-{n}: y' for n in range(9))))
            assert client.read_response().status == 200
        refused(site, 431, head('/', *(f'X-{n}: y' for n in range(10))))


def test_more_than_a_hundred_headers_are_too_many_by_default() -> None:
    with counting() as site:
        with site.client() as client:
            client.send_raw(head('/', *(f'X-{n}: y' for n in range(90))))
            assert client.read_response().status == 200
        refused(site, 431, head('/', *(f'X-{n}: y' for n in range(300))))


def test_max_uri() -> None:
    with counting(max_uri=100) as site:
        assert site.get('/' + 'a' * 99).status == 200
        assert site.get('/?' + 'a' * 98).status == 200
        refused(site, 414, head('/' + 'a' * 100))
        refused(site, 414, head('/?' + 'a' * 99))


def test_a_target_longer_than_the_default_is_414_not_431() -> None:
    with counting() as site:
        assert site.get('/' + 'a' * 8000).status == 200
        refused(site, 414, head('/' + 'a' * 9000))
        refused(site, 414, head('/' + 'a' * 60_000))


def test_trailers_are_limited_as_heads_are() -> None:
    with counting(max_head=2048) as site:
        start = b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n'
        refused(site, 431, start + b'X: y\r\n' * 2000 + b'\r\n')


# Bodies


def test_c8_6_max_body_by_its_length_before_it_is_sent() -> None:
    with counting(max_body=1000) as site:
        with site.client() as client:
            assert client.request('POST', '/', body=b'x' * 1000).text == '1000'
        refused(site, 413, b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1001\r\n\r\n')
        huge = b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551615\r\n\r\n'
        refused(site, 413, huge)


def test_c8_6_max_body_in_chunks_as_soon_as_it_shows() -> None:
    with counting(max_body=1000) as site:
        with site.client() as client:
            chunks = [b'x' * 400, b'x' * 400, b'x' * 200]
            assert client.request('POST', '/', body=chunks).text == '1000'
        start = b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n'
        chunk = b'190\r\n' + b'x' * 400 + b'\r\n'
        refused(site, 413, start + 3 * chunk)  # The end is never sent.


def test_c8_6_max_body_answers_before_100_continue() -> None:
    with counting(max_body=1000) as site:
        with site.client() as client:
            fields = {'Content-Length': '1001', 'Expect': '100-continue'}
            client.send('POST', '/', fields)
            response = client.read_response()
            assert (response.status, response.interim) == (413, [])
        assert site.seen == []


def test_c8_6_a_client_that_sends_on_still_reads_the_413() -> None:
    """As browsers do: they send a whole upload before they look at the answer."""
    with counting(max_body=1000) as site:
        with site.client() as client:
            client.send_raw(b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 300000\r\n\r\n')
            with contextlib.suppress(ConnectionError):
                for _ in range(30):
                    client.send_raw(b'x' * 10_000)
            assert answer(client).status == 413


def test_c8_6_max_body_of_a_virtual_host() -> None:
    with counting(max_body='1KiB', vhosts={'b.example': {'max_body': '2KiB'}}) as site:
        site.http.route('/', vhost='b.example')(lambda request: f'{len(request.payload)}')
        with site.client() as client:
            assert client.request('POST', '/', body=b'x' * 2048, host='b.example').text == '2048'
            assert client.request('POST', '/', body=b'x' * 2049, host='b.example').status == 413
            assert client.request('POST', '/', body=b'x' * 1025, host='a.example').status == 413
            assert client.request('POST', '/', body=b'x' * 1024, host='a.example').text == '1024'


# Too slow


def cut_while_dripping(client: Client, raw: bytes, pause: float = 0.1) -> bool:
    """Send `raw` byte by byte, slowly; whether the server ends it before the end."""
    for position in range(len(raw)):
        try:
            client.send_raw(raw[position : position + 1])
        except ConnectionError:
            return True
        if not client.is_open(pause):
            return True
        client.socket.settimeout(client.timeout)
        if _readable(client):
            return True
    return False


def _readable(client: Client) -> bool:
    import select

    return bool(select.select([client.socket], [], [], 0)[0])


def closed_or_408(client: Client) -> None:
    data = client.expect_close()
    assert data.startswith(b'HTTP/1.1 408 '), data


def test_a_slow_loris_is_cut() -> None:
    with counting(header_timeout=0.7) as site:
        lorises = [site.client() for _ in range(8)]
        raw = head('/', *(f'X-{n}: y' for n in range(60)))
        assert all(
            at_once([lambda client=client: cut_while_dripping(client, raw) for client in lorises])
        )
        for client in lorises:
            closed_or_408(client)
        assert site.seen == []
        assert site.get('/').status == 200


def test_header_timeout_cuts_a_head_that_stops() -> None:
    with counting(header_timeout=0.3) as site:
        for raw in (b'G', b'GET / HTTP/1.1\r\nHost: a.example\r\n', b'GET / HTTP/1.1\r\n'):
            with site.client() as client:
                client.send_raw(raw)
                closed_or_408(client)
        with site.client() as client:  # Of a second request too.
            assert client.get('/').status == 200
            client.send_raw(b'GET / HTT')
            closed_or_408(client)
        assert len(site.seen) == 1


def test_header_timeout_spares_a_handler_that_takes_longer() -> None:
    begun, go_on = threading.Event(), threading.Event()
    with serving(header_timeout=0.3, idle_timeout=0.3, body_timeout=0.3) as site:

        @site.http.route('/slow')
        def slow(request):
            begun.set()
            go_on.wait(PATIENCE)
            return 'slow'

        with site.client() as client:
            client.send('GET', '/slow')
            assert begun.wait(PATIENCE)
            for other in (b'', b'G', PART_OF_A_BODY):
                outlast(site.address, other)
            go_on.set()
            assert client.read_response().text == 'slow'


def test_idle_timeout_closes_silently() -> None:
    with counting(idle_timeout=0.5) as site:
        with site.client() as client:
            client.socket  # noqa: B018 - connects and says nothing
            assert client.expect_close() == b''
        with site.client() as client:
            assert client.get('/').status == 200
            assert client.expect_close() == b'', 'no 408 for who has asked nothing'


def test_idle_timeout_counts_from_the_last_request() -> None:
    with counting(idle_timeout=1) as site:
        with site.client() as client, site.client() as idle:
            assert client.get('/').status == 200
            assert idle.get('/').status == 200
            while idle.is_open(within=0.1):
                assert client.get('/').status == 200
            assert client.get('/').status == 200, 'longer than the limit after the first one'
            assert client.connections == 1


@of(
    'start',
    [b'Content-Length: 10\r\n\r\nhello', b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
)
def test_body_timeout_cuts_a_body_that_stops(start: bytes) -> None:
    with counting(body_timeout=0.7) as site:
        with site.client() as client:
            client.send_raw(b'POST / HTTP/1.1\r\nHost: a.example\r\n' + start)
            closed_or_408(client)
        assert site.seen == []


def test_body_timeout_lets_a_slow_but_steady_body_pass() -> None:
    with counting(body_timeout=1) as site:
        with site.client() as client, site.client() as stopped:
            client.send_raw(
                b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n'
            )
            stopped.send_raw(PART_OF_A_BODY)
            count = 0
            while stopped.is_open(within=0.1) and not _readable(stopped):
                client.send_raw(b'1\r\nx\r\n')
                count += 1
            client.send_raw(b'0\r\n\r\n')
            assert client.read_response().text == f'{count}'
            assert count > 1


def test_send_timeout_ends_a_generator_whose_client_takes_nothing() -> None:
    ended_early = threading.Event()

    with serving(send_timeout=0.7) as site:

        @site.http.route('/endless')
        def endless(request):
            def chunks():
                try:
                    while True:
                        yield b'x' * 65536
                finally:
                    ended_early.set()

            return chunks()

        with narrow_client(site.address) as client:
            client.send('GET', '/endless')
            assert ended_early.wait(PATIENCE)


def test_send_timeout_cuts_a_file_that_nobody_takes(tmp_path: Path) -> None:
    size = 256 << 20
    with open(tmp_path / 'large.bin', 'wb') as file:
        file.truncate(size)
    cut = threading.Event()
    with serving(web_root=os.fspath(tmp_path), send_timeout=0.7) as site:
        site.http.on_close(lambda identity: cut.set())
        with narrow_client(site.address) as client:
            client.send('GET', '/large.bin')
            assert client.read_head().status == 200
            assert cut.wait(PATIENCE)
            received = 0
            while True:
                data = client.read_some()
                if not data:
                    break
                received += len(data)
            assert received < size


@pytest.mark.parametrize('source', ['file', 'memory'])
def test_send_timeout_spares_a_client_that_takes_slowly(tmp_path: Path, source: str) -> None:
    size = 32 << 20
    with open(tmp_path / 'file', 'wb') as file:
        file.truncate(size)
    cut = threading.Event()
    with serving(web_root=os.fspath(tmp_path), send_timeout=1) as site:
        site.http.route('/memory')(lambda request: bytes(size))
        site.http.on_close(lambda identity: cut.set())
        with narrow_client(site.address) as client, narrow_client(site.address) as stopped:
            for each in (client, stopped):
                each.send('GET', f'/{source}')
                assert each.read_head().headers['Content-Length'] == str(size)
            left = size
            # Longer than the limit, never still for as long.
            while not cut.wait(0.02) and left > size // 4:
                left -= len(client.read_exactly(256 << 10))
            assert cut.wait(PATIENCE)
            assert len(client.read_exactly(left)) == left


def test_idle_timeout_spares_a_client_that_takes_slowly() -> None:
    # It has been as it is for longer than two seconds: answers with it are given again.
    page = (REPOSITORY / 'LICENSE-APACHE').read_bytes()
    count = 1000
    rules = {'idle_timeout': 0.5, 'file_cache': {'revalidate': 60}}
    with (
        serving(web_root=os.fspath(REPOSITORY), **rules) as site,
        narrow_client(site.address) as client,
    ):
        client.send_raw(head('/LICENSE-APACHE') * count)
        outlast(site.address, b'')  # Nobody is idle whose answers are on their way.
        for _ in range(count):
            assert client.read_response().body == page
        assert client.is_open(within=0.1)
        assert client.request('GET', '/LICENSE-APACHE').status == 200


def test_an_idle_connection_holds_as_little_after_content_as_before(tmp_path: Path) -> None:
    body = b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'

    def connected(site: Serving) -> socket.socket:
        connection = socket.create_connection(site.address, PATIENCE)
        connection.sendall(body)
        assert connection.recv(65536).startswith(b'HTTP/1.1 405')
        return connection

    with serving(web_root=os.fspath(tmp_path)) as site, contextlib.ExitStack() as open_ones:
        for _ in range(100):
            open_ones.enter_context(connected(site))
        before = resident_memory(os.getpid())
        count = 300
        for _ in range(count):
            open_ones.enter_context(connected(site))
        assert (resident_memory(os.getpid()) - before) / count < 10_000


# Too many at once


def test_max_queue_is_answered_by_503_with_retry_after(tmp_path: Path) -> None:
    tree(tmp_path, {'file.txt': 'a file'})
    go_on = threading.Event()
    begun = threading.Event()

    with serving(web_root=os.fspath(tmp_path), max_queue=2) as site:

        @site.http.route('/held')
        def held(request):
            begun.set()
            go_on.wait(PATIENCE)
            return 'held'

        clients = [site.client() for _ in range(12)]
        clients[0].send('GET', '/held')
        assert begun.wait(PATIENCE)
        for client in clients[1:]:
            client.send('GET', '/held')
        try:
            wait_until(lambda: sum(map(_readable, clients)) >= 9, 'refusals')
            assert site.get('/file.txt').text == 'a file', 'files never wait for Python'
        finally:
            go_on.set()
        responses = [client.read_response() for client in clients]
        statuses = [response.status for response in responses]
        assert statuses[0] == 200
        assert (statuses.count(200), statuses.count(503)) == (3, 9), 'one that runs, two that wait'
        for response in responses:
            if response.status == 503:
                assert int(response.headers['Retry-After']) > 0
        assert site.get('/held').text == 'held', 'and then it is well again'


def test_c3_3_a_limit_can_be_changed_while_running() -> None:
    with counting(max_body=10) as site:
        with site.client() as client:
            assert client.request('POST', '/', body=b'x' * 11).status == 413
            site.http.config['max_body'] = 11
            assert client.request('POST', '/', body=b'x' * 11).text == '11'
        site.http.config['max_uri'] = 64
        assert site.get('/' + 'a' * 64).status == 414
        assert site.get('/' + 'a' * 63).status == 200


@of('after', ['their first bytes', 'a request of theirs'])
def test_many_who_say_nothing_disturb_nobody(after: str) -> None:
    with counting(idle_timeout=5) as site:
        silent = [site.client() for _ in range(200)]
        for client in silent:
            if after == 'a request of theirs':  # By then it is read, and not only sent.
                assert client.get('/').status == 200
            client.send_raw(b'GET / HT')
        with site.client() as client:
            assert [client.get('/').status for _ in range(50)] == [200] * 50
        for client in silent:
            client.close()


def test_ended_says_whether_the_server_has_closed() -> None:
    """The helper can fail: it tells an open connection from a closed one."""
    with counting() as site:
        with Client(site.address, timeout=0.3) as client:
            assert client.get('/').status == 200
            assert not ended(client)
