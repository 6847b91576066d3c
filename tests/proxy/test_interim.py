"""C7.2, C8.6: interim answers of upstreams, and who answers `Expect: 100-continue`.

RFC 9110 sections 10.1.1 and 15.2: what says something to the client (102, 103) passes as it comes; 100
is about the hop, and every hop says its own.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import slimHTTP
from support import (
    PATIENCE,
    Client,
    Exchange,
    Upstream,
    answer,
    answers_unread,
    by_target,
    echo,
    replies,
    sends,
    serving,
    tree,
)
from support.http2_client import Http2

of = pytest.mark.parametrize

FINAL = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal'
HINTS = b'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'
PROCESSING = b'HTTP/1.1 102 Processing\r\n\r\n'
CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'


# What an upstream says before its answer.


@of(
    ('before', 'statuses'),
    [
        (HINTS, [103]),
        (PROCESSING, [102]),
        (b'HTTP/1.1 199 Something\r\n\r\n', [199]),
        (PROCESSING + HINTS + HINTS, [102, 103, 103]),
        (HINTS * 16, [103] * 16),
        (CONTINUE, []),
        (CONTINUE + HINTS + CONTINUE, [103]),
    ],
    ids=['103', '102', '199', '102 and 103 twice', '103 as often as may be', '100', '100 and 103'],
)
def test_c7_2_interim_answers_pass_before_the_final_one(before: bytes, statuses: list[int]) -> None:
    with Upstream(replies(before + FINAL)) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            for _ in range(2):
                response = client.get('/')
                assert [one.status for one in response.interim] == statuses
                assert (response.status, response.text) == (200, 'final')
                for one in response.interim:
                    assert 'Content-Length' not in one.headers
                    assert 'Transfer-Encoding' not in one.headers
                    if one.status == 103:
                        assert one.headers['Link'] == '</style.css>; rel=preload'
            assert (client.connections, upstream.connections) == (1, 1)


def test_c7_2_an_interim_answer_does_not_wait_for_the_final_one() -> None:
    def hint(exchange: Exchange) -> None:
        exchange.send(HINTS)
        exchange.upstream.released.wait(PATIENCE)
        exchange.send(FINAL)

    with Upstream(hint) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        client.send('GET', '/')
        assert client.read_head().status == 103
        assert client.is_open(0.1), 'and nothing more comes yet'
        upstream.released.set()
        assert client.read_response().text == 'final'


def test_c7_2_what_belongs_to_the_hop_of_the_upstream_is_not_in_an_interim_answer() -> None:
    hint = HINTS[:-2] + b'Connection: X-Mine\r\nX-Mine: secret\r\nKeep-Alive: timeout=5\r\n\r\n'
    with Upstream(replies(hint + FINAL)) as upstream, serving(proxy=upstream.name) as site:
        (interim,) = site.get('/').interim
        for name in ('X-Mine', 'Keep-Alive'):
            assert name not in interim.headers
        assert 'Link' in interim.headers


@of('fields', ['', 'Connection: keep-alive\r\n'])
def test_c7_2_a_client_of_1_0_gets_no_interim_answer(fields: str) -> None:
    with Upstream(replies(PROCESSING + HINTS + FINAL)) as upstream:
        with serving(proxy=upstream.name) as site, site.client() as client:
            client.send_raw(f'GET / HTTP/1.0\r\nHost: a\r\n{fields}\r\n'.encode())
            response = answer(client)
            assert (response.status, response.body) == (200, b'final')


def test_c7_2_over_http2_the_final_answer_is_there() -> None:
    with Upstream(replies(PROCESSING + HINTS + FINAL)) as upstream:
        with serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site:
            with Http2(site.address[1]) as connection:
                got = connection.get('/')
                assert (got.status, got.body) == (200, b'final')


def test_c7_5_more_interim_answers_than_may_be_are_502() -> None:
    with Upstream(replies(HINTS * 17 + FINAL)) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert (response.status, [one.status for one in response.interim]) == (502, [103] * 16)


@of('interim', [PROCESSING, CONTINUE], ids=['102', '100'])
def test_c7_5_interim_answers_without_an_end_are_502(interim: bytes) -> None:
    with Upstream(by_target({'/bad': sends(interim * 5000, FINAL)})) as upstream:
        with serving(proxy=upstream.name) as site, site.client() as client:
            assert client.get('/bad').status == 502
            assert site.get('/next').json()['target'] == '/next'


@of(
    'raw',
    [
        HINTS[:-2],
        HINTS,
        HINTS + b'HTTP/1.1 20',
        HINTS + b'\x16\x03\x01\r\n\r\n',
    ],
    ids=['half of it', 'nothing behind it', 'half a head behind it', 'garbage behind it'],
)
def test_c7_5_an_upstream_that_goes_no_further_is_502(raw: bytes) -> None:
    with Upstream(sends(raw)) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            assert client.get('/').status == 502


# Expect: 100-continue.


EXPECTS = {'Expect': '100-continue'}


@of('chunked', [False, True])
@of('of_its_own', [False, True], ids=['silent', 'says 100 itself'])
def test_c8_6_content_for_an_upstream_is_asked_for_once(chunked: bool, of_its_own: bool) -> None:
    def take(exchange: Exchange) -> None:
        if of_its_own:
            exchange.send(CONTINUE)
        echo(exchange)

    with Upstream(take) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        for _ in range(2):
            framing = {'Transfer-Encoding': 'chunked'} if chunked else {'Content-Length': '5'}
            client.send('POST', '/', {**EXPECTS, **framing})
            assert client.read_head().status == 100
            client.send_raw(b'5\r\nhello\r\n0\r\n\r\n' if chunked else b'hello')
            response = client.read_response()
            assert response.interim == []
            assert response.json()['body'] == 'hello'
        assert client.connections == 1
        for exchange in upstream.exchanges:
            assert 'Expect' not in exchange.headers


def test_c8_6_a_client_need_not_wait_for_the_100() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        for _ in range(3):
            response = client.request('POST', '/', EXPECTS, b'hello')
            assert response.json()['body'] == 'hello'
            assert len(response.interim) <= 1
        assert client.connections == 1


def test_c8_6_a_client_of_1_0_is_not_answered_100() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        client.send_raw(
            b'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello'
        )
        response = answer(client)
        assert response.status == 200
        assert response.json()['body'] == 'hello'


REFUSED = b'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'


@of('fields', [EXPECTS, {}], ids=['expects', 'sends'])
def test_c7_2_an_answer_before_the_content_passes_and_the_connection_is_not_used_again(
    fields: dict[str, str],
) -> None:
    """Bytes of a body that nobody has read are no request, on neither connection."""
    smuggled = b'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    with Upstream(by_target({'/upload': answers_unread(REFUSED)})) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site:
            with site.client() as client:
                client.send('POST', '/upload', {**fields, 'Content-Length': '100000'})
                if not fields:
                    client.send_raw(smuggled)
                response = client.read_response()
                assert (response.status, response.text) == (403, 'no')
            assert site.get('/next').json()['target'] == '/next'
        numbers = {exchange.target: exchange.number for exchange in upstream.exchanges}
        assert (numbers['/upload'], numbers['/next']) == (1, 2)


def test_c7_2_an_answer_before_the_whole_content_comes_through_while_it_is_sent() -> None:
    with Upstream(by_target({'/upload': answers_unread(REFUSED)})) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            response = client.request('POST', '/upload', body=b'x' * 900_000)
            assert (response.status, response.text) == (403, 'no')
            assert site.get('/next').json()['target'] == '/next'


# Our own answers, without the content.


@of('protocol', ['1.1', '1.0'])
def test_c8_6_who_is_refused_is_not_asked_for_the_content(tmp_path: Path, protocol: str) -> None:
    tree(tmp_path, {'file.txt': 'x'})
    with serving(web_root=str(tmp_path), max_body=1000) as site:
        site.http.route('/python')(lambda request: f'{len(request.payload)}')
        for method, target, length, status in [
            ('POST', '/python', 1001, 413),
            ('GET', '/none', 10, 404),
            ('GET', '/file.txt', 10, 200),
            ('POST', '/file.txt', 10, 405),
        ]:
            with Client(site.address) as client:
                client.send_raw(
                    f'{method} {target} HTTP/{protocol}\r\nHost: a\r\nExpect: 100-continue\r\n'
                    f'Content-Length: {length}\r\n\r\n'.encode()
                )
                assert answer(client).status == status, target


def test_c8_6_a_handler_that_reads_nothing_asks_for_nothing() -> None:
    with serving() as site:
        site.http.route('/early', stream=True)(lambda request: 'early')
        with site.client() as client:
            client.send('POST', '/early', {**EXPECTS, 'Content-Length': '10'})
            response = client.read_response()
            assert (response.text, response.interim) == ('early', [])


def test_c8_6_a_handler_that_reads_asks_when_it_reads() -> None:
    begun, reads = threading.Event(), threading.Event()
    with serving() as site:

        @site.http.route('/late', stream=True)
        def late(request):
            begun.set()
            reads.wait(PATIENCE)
            return b''.join(request.stream())

        with site.client() as client:
            client.send('POST', '/late', {**EXPECTS, 'Content-Length': '5'})
            assert begun.wait(PATIENCE)
            assert client.is_open(0.1), 'nothing is said yet'
            reads.set()
            assert client.read_head().status == 100
            client.send_raw(b'hello')
            assert client.read_response().text == 'hello'
