"""`max_body_memory`: what bodies that are held whole take together, and that it comes back."""

from __future__ import annotations

import contextlib
import threading
from typing import Union

import httpx
import pytest
from support import (
    Client,
    Program,
    Serving,
    Upstream,
    answer,
    at_once,
    echo,
    lenient_tls,
    serving,
    wait_until,
)

of = pytest.mark.parametrize
LENGTH = b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n'
CHUNKED = b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n'


@contextlib.contextmanager
def measuring(**config):
    """A server that answers how long a body is."""
    with serving(**{'max_body_memory': '64KiB', 'io_threads': 1, **config}) as site:
        site.http.route('/')(lambda request: f'{len(request.payload)}')
        yield site


def holding(site: Union[Serving, Program], client: Client, begin: bytes) -> None:
    """Send the beginning of a request; when this returns, the one I/O thread has read it."""
    client.send_raw(begin)
    for _ in range(3):
        assert site.get('/').text == '0'


def post(site: Union[Serving, Program], length: int) -> int:
    """The status of a request with such a body."""
    with site.client() as client:
        return client.request('POST', '/', body=b'x' * length).status


@of('chunked', [False, True])
def test_beyond_it_bodies_are_503_with_retry_after_and_those_there_go_on(chunked: bool) -> None:
    with measuring() as site, site.client() as half:
        begin = CHUNKED + b'%x\r\n' % 50_000 if chunked else LENGTH % 50_000
        holding(site, half, begin + b'x' * 40_000)
        for _ in range(20):
            with site.client() as client:
                response = client.request('POST', '/', body=b'x' * 40_000)
                assert (response.status, response.headers['Retry-After']) == (503, '1')
                assert response.closes
        # What fits is taken in.
        assert post(site, 10_000) == 200
        half.send_raw(b'x' * 10_000 + (b'\r\n0\r\n\r\n' if chunked else b''))
        assert half.read_response().text == '50000'
        wait_until(lambda: post(site, 40_000) == 200, 'the memory of the first')


def test_a_body_that_would_not_fit_alone_is_413() -> None:
    with measuring() as site:
        assert post(site, 65_536) == 200
        with site.client() as client:
            client.send_raw(LENGTH % 100_000 + b'x' * 65_537)
            assert answer(client).status == 413
        wait_until(lambda: post(site, 65_536) == 200, 'its memory')


def test_who_leaves_in_the_middle_of_a_body_leaves_its_memory() -> None:
    with measuring() as site:
        for _ in range(5):
            with site.client() as half:
                holding(site, half, LENGTH % 60_000 + b'x' * 50_000)
                assert post(site, 40_000) == 503
            wait_until(lambda: post(site, 40_000) == 200, 'its memory')


def test_many_half_bodies_wait_for_nobody() -> None:
    """Together they fill the memory; those that are refused let the others end."""
    with measuring() as site:

        def upload() -> int:
            with site.client() as client, contextlib.suppress(ConnectionError):
                client.send_raw(LENGTH % 40_000)
                for _ in range(8):
                    client.send_raw(b'x' * 5_000)
                return answer(client).status
            return 503

        statuses = at_once([upload] * 20)
        assert set(statuses) <= {200, 503}
        assert 200 in statuses
        wait_until(lambda: post(site, 65_536) == 200, 'all of the memory')


def test_a_body_counts_while_a_handler_holds_its_request() -> None:
    kept: list = []
    with serving(max_body_memory='1MiB') as site:
        site.http.route('/keep')(lambda request: kept.append(request) or 'kept')
        site.http.route('/')(lambda request: 'done')
        with site.client() as client:
            assert client.request('POST', '/keep', body=b'x' * 700_000).text == 'kept'
        assert post(site, 600_000) == 503
        kept.clear()
        wait_until(lambda: post(site, 600_000) == 200, 'its memory')


def test_over_http2_the_other_streams_of_the_connection_go_on() -> None:
    import slimHTTP

    kept: list = []
    with serving(mode=slimHTTP.HTTPS, max_body_memory='1MiB') as site:
        site.http.route('/keep')(lambda request: kept.append(request) or 'kept')
        site.http.route('/')(lambda request: 'done')
        url = f'https://127.0.0.1:{site.http.port}'
        with httpx.Client(http2=True, verify=lenient_tls(), base_url=url, timeout=30) as client:
            assert client.post('/keep', content=b'x' * 700_000).text == 'kept'
            for _ in range(5):
                response = client.post('/', content=b'x' * 600_000)
                assert (response.status_code, response.headers['retry-after']) == (503, '1')
                assert response.http_version == 'HTTP/2'
                assert client.post('/', content=b'x' * 100_000).status_code == 200
            kept.clear()
            wait_until(
                lambda: client.post('/', content=b'x' * 600_000).status_code == 200, 'its memory'
            )


def test_what_is_not_held_does_not_count() -> None:
    with (
        Upstream(echo) as upstream,
        serving(max_body_memory=1024, vhosts={'up.example': {'proxy': upstream.name}}) as site,
    ):

        @site.http.route('/', stream=True)
        def length(request):
            return f'{sum(map(len, request.stream()))}'

        with site.client() as client:
            assert client.request('POST', '/', body=b'x' * 100_000).text == '100000'
            body = client.request('POST', '/', body=b'x' * 100_000, host='up.example').json()
            assert len(body['body']) == 100_000


SERVE = """
import sys, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, io_threads=1, max_body_memory=sys.argv[1])
http.route('/')(lambda request: str(len(request.payload)))
http.run()
"""


def test_the_memory_of_bodies_comes_back_when_nobody_asks_any_more() -> None:
    clients, length = 12, 12_000_000
    with Program(SERVE, '1GiB') as program:
        assert program.get('/').status == 200
        before = program.memory()
        all_there = threading.Barrier(clients)

        def upload() -> str:
            with Client(program.address, timeout=30) as client:
                client.send_raw(LENGTH % length + b'x' * (length - 1))
                all_there.wait(30)
                client.send_raw(b'x')
                return client.read_response().text

        assert at_once([upload] * clients, 60) == [str(length)] * clients
        bound = before + clients * length // 2
        wait_until(lambda: program.memory() < bound, 'the memory')


def test_many_refusals_are_one_line_in_the_log() -> None:
    with Program(SERVE, '64KiB') as program, program.client() as half:
        holding(program, half, LENGTH % 60_000 + b'x' * 50_000)
        for _ in range(20):
            assert post(program, 40_000) == 503
        program.wait_for('see `max_body_memory`')
        assert program.stderr.count('max_body_memory') == 1
