"""Whose time passes, and what is not lost meanwhile: requests behind requests, pauses, limits that change."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from support import (
    PART_OF_A_BODY,
    Exchange,
    Upstream,
    in_background,
    is_refused,
    narrow_client,
    outlast,
    serving,
    wait_until,
)

JUNK = [b'\n', b' ', b'\0', b'\x81', b'G\0', b'GET /\x01', b'GET / HTTP/3.0\r\n\r\n']


@pytest.mark.parametrize('junk', JUNK)
@pytest.mark.parametrize('body', [b'', b'abc'])
def test_c3_3_what_stands_behind_a_request_does_not_cost_its_answer(
    tmp_path: Path, junk: bytes, body: bytes
) -> None:
    seen: list[bytes] = []
    with serving(web_root=str(tmp_path)) as site:

        @site.http.route('/')
        def handler(request):  # type: ignore[no-untyped-def]
            seen.append(request.payload)
            return 'answered'

        with site.client() as client:
            length = str(len(body)).encode()
            head = b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ' + length + b'\r\n\r\n'
            client.send_raw(head + body + junk)
            assert client.read_response().text == 'answered'
            assert client.read_response().status == (505 if b'HTTP/3.0' in junk else 400)
            assert client.expect_close() == b''
        assert seen == [body]


def test_c3_3_the_beginning_of_a_next_head_is_no_reason_to_cut_an_answer(tmp_path: Path) -> None:
    (tmp_path / 'large.bin').write_bytes(b'x' * 20_000_000)
    started, go_on = threading.Event(), threading.Event()
    with serving(web_root=str(tmp_path), header_timeout=0.3) as site:

        @site.http.route('/slow')
        def slow(request):  # type: ignore[no-untyped-def]
            started.set()
            go_on.wait(10)
            return 'done'

        with site.client() as client:
            client.send_raw(b'GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /la')
            outlast(site.address)  # The client is slow, and its next head is not finished.
            response = client.read_response()
            assert (response.status, len(response.body)) == (200, 20_000_000)
        with site.client() as client:
            client.send_raw(b'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nG')
            assert started.wait(10)
            outlast(site.address)
            go_on.set()
            assert client.read_response().text == 'done'
            # Now the next head is late.
            assert client.read_response().status == 408
            assert client.expect_close() == b''


@pytest.mark.parametrize('first', [b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', b''])
def test_an_empty_line_begins_no_head(tmp_path: Path, first: bytes) -> None:
    with (
        serving(web_root=str(tmp_path), header_timeout=0.3, idle_timeout=60) as site,
        site.client() as client,
    ):
        client.send_raw(first + b'\r\n')
        if first:
            assert client.read_response().status == 404
        outlast(site.address)
        client.send_raw(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.read_response().status == 404


def test_an_empty_line_behind_content_may_come_in_two_pieces(tmp_path: Path) -> None:
    with serving(web_root=str(tmp_path)) as site, site.client() as client:
        client.send_raw(b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r')
        assert client.read_response().status == 405
        client.send_raw(b'\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.read_response().status == 404


@pytest.mark.parametrize('body', [b'', b'x'])
def test_c1_5_a_request_that_had_begun_before_the_end_is_answered(body: bytes) -> None:
    head = f'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n'.encode()
    started, go_on = threading.Event(), threading.Event()
    with serving(grace_period=10) as site, site.client() as client, site.client() as other:

        @site.http.route('/hold')
        def hold(request):  # type: ignore[no-untyped-def]
            started.set()
            go_on.wait(10)
            return 'held'

        site.http.route('/a')(lambda request: 'answered')
        client.send_raw(head[:10])
        other.send('GET', '/hold')
        assert started.wait(10)
        site.http.stop()
        wait_until(lambda: is_refused(site.address))
        client.send_raw(head[10:] + body)
        go_on.set()
        answer = client.read_response()
        assert (answer.text, answer.closes) == ('answered', True)
        assert client.expect_close() == b''


def test_c1_5_a_download_during_the_end_is_whole_whatever_its_client_asks_meanwhile(
    tmp_path: Path,
) -> None:
    size = 20_000_000
    (tmp_path / 'large.bin').write_bytes(b'x' * size)
    ask = b'GET /large.bin HTTP/1.1\r\nHost: a\r\n'
    with (
        serving(web_root=str(tmp_path), grace_period=20) as site,
        narrow_client(site.address) as keeps,
        narrow_client(site.address) as closes,
    ):
        keeps.send_raw(ask + b'\r\n')
        closes.send_raw(ask + b'Connection: close\r\n\r\n')
        for client in (keeps, closes):
            assert client.read_head().status == 200
            client.send_raw(ask + b'\r\n')
        site.http.stop()
        wait_until(lambda: is_refused(site.address))
        for client in (keeps, closes):
            assert client.read_exactly(size) == b'x' * size
        # What came in time is answered, as the last one.
        answer = keeps.read_response()
        assert (len(answer.body), answer.closes) == (size, True)
        assert closes.expect_close() == b''


def test_c7_2_an_upstream_that_reads_slowly_is_not_the_clients_pause(tmp_path: Path) -> None:
    size = 8_000_000

    cut = threading.Event()

    def reads_late(exchange: Exchange) -> None:
        cut.wait(10)
        exchange.respond(str(len(exchange.read_body())).encode())

    with (
        Upstream(reads_late) as upstream,
        serving(proxy=upstream.name, body_timeout=0.4, max_body=size) as site,
        site.client() as client,
        in_background(lambda: client.request('POST', '/', body=b'x' * size).text) as answered,
    ):
        upstream.wait_for(1)
        outlast(site.address, PART_OF_A_BODY)
        cut.set()
        assert answered() == str(size)


def test_a_client_that_pauses_in_its_body_is_cut(tmp_path: Path) -> None:
    with Upstream(lambda exchange: exchange.read_body()) as upstream:
        vhosts = {'p': {'proxy': upstream.name}}
        with serving(web_root=str(tmp_path), vhosts=vhosts, body_timeout=0.3) as site:
            site.http.route('/')(lambda request: 'never')
            for host in ('a', 'p'):
                with site.client() as client:
                    client.send_raw(
                        b'POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 5\r\n\r\nab'
                        % host.encode()
                    )
                    assert client.read_response().status == 408
                    assert client.expect_close() == b''


def test_c3_3_limits_of_heads_change_on_open_connections(tmp_path: Path) -> None:
    with serving(web_root=str(tmp_path), max_head=2048) as site, site.client() as client:
        assert client.get('/').status == 404
        site.http.config['max_head'] = 64 * 1024
        assert client.get('/', X='y' * 20_000).status == 404
        site.http.config['max_head'] = 2048
        assert client.get('/', X='y' * 20_000).status == 431


def test_c3_3_more_connections_are_allowed_at_once(tmp_path: Path) -> None:
    with serving(web_root=str(tmp_path), max_connections=1) as site, site.client() as first:
        assert first.get('/').status == 404
        with site.client() as second, in_background(lambda: second.get('/').status) as answer:
            site.http.config['max_connections'] = 10
            assert answer() == 404


def test_c7_2_content_of_unknown_length_is_forwarded_with_every_method() -> None:
    bodies: list[bytes] = []

    def take(exchange: Exchange) -> None:
        bodies.append(exchange.read_body())
        exchange.respond(b'')

    with Upstream(take) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        for method in (b'GET', b'DELETE', b'POST', b'PUT'):
            client.send_raw(
                method + b' / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
                b'3\r\nabc\r\n0\r\n\r\n'
            )
            assert client.read_response().status == 200
    assert bodies == [b'abc'] * 4


def test_c7_6_a_length_that_a_coding_overrides_does_not_go_on() -> None:
    def both(exchange: Exchange) -> None:
        exchange.send(
            b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'
            b'a\r\n0123456789\r\n0\r\n\r\n'
        )

    with Upstream(both) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert (response.status, response.body) == (200, b'0123456789')


def test_c7_6_no_lookalike_of_a_framing_field_reaches_the_upstream() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        fields = {'Transfer_Encoding': 'chunked', 'Content_Length': '7', 'X_Kept': 'yes'}
        head = client.request('GET', '/', headers=fields).text.lower()
        assert 'x_kept' in head
        assert 'transfer_encoding' not in head
        assert 'content_length' not in head


def test_c5_1_a_file_rewritten_in_place_is_answered_every_time(tmp_path: Path) -> None:
    page = tmp_path / 'page.txt'
    page.write_bytes(b'x' * 30_000)
    done = threading.Event()

    def rewrite() -> None:
        size = 0
        while not done.is_set():
            size = (size + 7919) % 60_000
            with open(page, 'r+b') as file:
                file.truncate(0)
                file.write(b'x' * size)
                file.flush()
                os.fsync(file.fileno())

    with serving(web_root=str(tmp_path)) as site, site.client() as client:
        writer = threading.Thread(target=rewrite)
        writer.start()
        try:
            for _ in range(1500):
                response = client.get('/page.txt')
                assert response.status == 200
                assert set(response.body) <= {ord('x')}
        finally:
            done.set()
            writer.join()


def test_c7_2_a_tunnel_ends_when_its_client_has_left() -> None:
    def switch(exchange: Exchange) -> bool:
        exchange.send(
            b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
        )
        exchange.wait_until_gone(30)
        return False

    with Upstream(switch) as upstream, serving(proxy=upstream.name) as site:
        before = len(os.listdir('/proc/self/fd'))
        for _ in range(20):
            with site.client() as client:
                client.send_raw(
                    b'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nEARLY\0'
                )
                client.read_head()
        wait_until(lambda: len(os.listdir('/proc/self/fd')) <= before + 8, 'the end of the tunnels')
