"""C8.6 and C8.7: the bodies of requests, and on which threads handlers run."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import (
    PATIENCE,
    Log,
    Serving,
    Upstream,
    at_once,
    in_background,
    quantile,
    says,
    serving,
    tree,
    wait_until,
)

of = pytest.mark.parametrize


@pytest.fixture
def echo() -> Iterator[Serving]:
    with serving() as site:
        site.http.route('/', prefix=True)(lambda request: request.payload)
        yield site


# C8.6

SIZES = [0, 1, 1000, 65_535, 65_536, 65_537, 1_000_000, 16 << 20]


@of('size', SIZES)
@of('chunked', [False, True])
def test_c8_6_a_body_is_read_whole(echo: Serving, size: int, chunked: bool) -> None:
    data = os.urandom(size)
    with echo.client() as client:
        body = [data[at : at + 30_011] for at in range(0, size, 30_011)] if chunked else data
        assert client.request('POST', '/', body=body).body == data
        assert client.request('POST', '/', body=b'next').body == b'next', (
            'the connection is in step'
        )


def test_c8_6_the_default_limit_is_16_mib(echo: Serving) -> None:
    with echo.client() as client:
        client.send('POST', '/', {'Content-Length': str((16 << 20) + 1)})
        assert client.read_response().status == 413


@of('method', ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'BREW'])
def test_c8_6_a_request_without_a_length_is_answered(echo: Serving, method: str) -> None:
    """The original never answered a POST without Content-Length."""
    with echo.client() as client:
        assert client.request(method, '/').body == b''
        assert client.request(method, '/').status == 200


@of('method', ['GET', 'DELETE', 'OPTIONS'])
def test_c8_6_any_method_may_have_a_body(echo: Serving, method: str) -> None:
    with echo.client() as client:
        assert client.request(method, '/', body=b'a body').body == b'a body'


def test_c8_6_expect_100_continue_is_answered_before_the_body(echo: Serving) -> None:
    with echo.client() as client:
        client.send('POST', '/', {'Expect': '100-continue', 'Content-Length': '5'})
        assert client.read_head().status == 100
        client.send_raw(b'hello')
        response = client.read_response()
        assert (response.status, response.body, response.interim) == (200, b'hello', [])


def test_c8_6_who_does_not_wait_for_100_is_answered_too(echo: Serving) -> None:
    with echo.client() as client:
        response = client.request('POST', '/', {'Expect': '100-continue'}, b'hello')
        assert response.body == b'hello'
        assert (
            client.request('POST', '/', {'Expect': '100-Continue'}, [b'hel', b'lo']).body
            == b'hello'
        )


def test_c8_6_another_expectation_is_417(echo: Serving) -> None:
    with echo.client() as client:
        assert client.request('POST', '/', {'Expect': 'miracles'}, b'x').status == 417


def test_c8_6_a_body_byte_by_byte(echo: Serving) -> None:
    raw = b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n'
    with echo.client() as client:
        for position in range(len(raw)):
            client.send_raw(raw[position : position + 1])
        assert client.read_response().body == b'hello'


def test_c8_6_a_file_answer_to_a_request_with_a_body_keeps_the_connection_in_step(
    tmp_path: Path,
) -> None:
    tree(tmp_path, {'file.txt': 'file'})
    with serving(web_root=os.fspath(tmp_path)) as site, site.client() as client:
        assert (
            client.request('GET', '/file.txt', body=b'GET /smuggled HTTP/1.1\r\n\r\n').text
            == 'file'
        )
        assert client.get('/file.txt').text == 'file'


# C8.7


def test_c8_7_sync_handlers_run_one_at_a_time(echo: Serving) -> None:
    inside: list[int] = []
    another = threading.Event()

    @echo.http.route('/one')
    def one(request):
        inside.append(1)
        if len(inside) > 1:
            another.set()
        another.wait(0.01)
        inside.pop()
        return 'one'

    at_once([lambda: echo.get('/one')] * 20)
    assert not another.is_set()


def test_c8_7_sync_handlers_run_on_the_thread_that_is_in_run() -> None:
    import slimHTTP

    seen: set[int] = set()
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    http.route('/')(lambda request: seen.add(threading.get_ident()) or 'seen')
    idents: list[int] = []

    def run() -> None:
        idents.append(threading.get_ident())
        http.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    site = Serving(http)
    try:
        at_once([lambda: site.get('/')] * 10)
    finally:
        http.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert seen == set(idents)


def test_c8_7_sync_handlers_run_on_the_thread_that_polls() -> None:
    import slimHTTP

    seen: set[int] = set()
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    http.route('/')(lambda request: seen.add(threading.get_ident()) or 'seen')
    site = Serving(http)
    try:
        with in_background(lambda: [site.get('/').text for _ in range(5)]) as result:
            done = time.monotonic() + PATIENCE
            while len(seen) < 1 or time.monotonic() < done:
                for _event in http.poll(timeout=0.05):
                    pass
                if seen and not _alive(result):
                    break
            assert result() == ['seen'] * 5
    finally:
        http.close()
    assert seen == {threading.get_ident()}


def _alive(result) -> bool:
    """Whether the thread behind `in_background` still runs."""
    thread = next(
        cell.cell_contents
        for cell in result.__closure__
        if isinstance(cell.cell_contents, threading.Thread)
    )
    return thread.is_alive()


@of('threads', [2, 4])
def test_c8_7_threads_allows_so_many_at_once(threads: int) -> None:
    barrier = threading.Barrier(threads)
    with serving(python_threads=threads) as site:
        site.http.route('/')(lambda request: f'{barrier.wait(PATIENCE) >= 0}')
        assert at_once([lambda: site.get('/').text] * threads) == ['True'] * threads


def test_c8_7_threads_allows_no_more_at_once() -> None:
    lock = threading.Lock()
    inside = [0]
    all_three, another = threading.Event(), threading.Event()

    def handler(request):
        with lock:
            inside[0] += 1
            if inside[0] == 3:
                all_three.set()
            if inside[0] > 3:
                another.set()
        assert all_three.wait(PATIENCE)
        another.wait(0.02)
        with lock:
            inside[0] -= 1
        return 'x'

    with serving(python_threads=3) as site:
        site.http.route('/')(handler)
        assert at_once([lambda: site.get('/').text] * 30) == ['x'] * 30
    assert not another.is_set()


def test_c8_7_files_proxying_and_refusals_never_wait_for_python(tmp_path: Path) -> None:
    tree(tmp_path, {'file.txt': 'file'})
    begun, go_on = threading.Event(), threading.Event()

    with Upstream(says('upstream')) as upstream:
        hosts = {'proxy.example': {'proxy': upstream.name}}
        with serving(web_root=os.fspath(tmp_path), vhosts=hosts, max_body=10) as site:

            @site.http.route('/held')
            def held(request):
                begun.set()
                go_on.wait(3 * PATIENCE)
                return 'held'

            site.http.route('/put', methods=['PUT'])(lambda request: 'put')
            with in_background(
                lambda: site.client(timeout=4 * PATIENCE).get('/held').text
            ) as result:
                assert begun.wait(PATIENCE)
                times = []
                with site.client() as client:
                    for _ in range(100):
                        began = time.perf_counter()
                        assert client.get('/file.txt').text == 'file'
                        assert client.get('/', host='proxy.example').text == 'upstream'
                        assert client.get('/missing').status == 404
                        assert client.get('/put').status == 405
                        times.append(time.perf_counter() - began)
                    assert client.request('POST', '/held', body=b'x' * 11).status == 413
                assert not go_on.is_set()
                go_on.set()
                assert result() == 'held'
    print(f'while Python is blocked: four answers, p99 {quantile(times, 0.99) * 1000:.2f} ms')
    assert quantile(times, 0.99) < 1


def test_c8_7_a_handler_that_holds_the_only_thread_is_named_with_the_remedy() -> None:
    told = re.compile(
        '/holding has held the only Python thread .* while 1 request waits: .*python_threads=N'
    )
    with Log() as log, serving() as beside, serving() as site:
        beside.http.route('/')(lambda request: 'x')
        begun, go_on = threading.Event(), threading.Event()

        @site.http.route('/holding')
        def holding(request):
            begun.set()
            go_on.wait(2 * PATIENCE)
            return 'held'

        site.http.route('/other')(lambda request: 'other')
        with in_background(lambda: site.client(timeout=3 * PATIENCE).get('/holding').text) as first:
            assert begun.wait(PATIENCE)
            with in_background(
                lambda: site.client(timeout=3 * PATIENCE).get('/other').text
            ) as second:
                # Whoever runs Python next hands the records over.
                wait_until(lambda: beside.get('/').text == 'x' and told.search(log.text))
                go_on.set()
                assert (first(), second()) == ('held', 'other')


def test_c8_7_a_sqlite_connection_of_the_program_works() -> None:
    """It may be used on the thread that made it only: the one that runs."""
    import sqlite3

    import slimHTTP

    made: list[sqlite3.Connection] = []
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)

    @http.route('/')
    def count(request):
        made[0].execute('insert into hits values (1)')
        return str(made[0].execute('select count(*) from hits').fetchone()[0])

    def run() -> None:
        made.append(sqlite3.connect(':memory:'))
        made[0].execute('create table hits (n)')
        http.run()
        made[0].close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        site = Serving(http)
        assert [site.get('/').text for _ in range(3)] == ['1', '2', '3']
    finally:
        http.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
