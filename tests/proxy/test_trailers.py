"""C7.2, C7.6: fields behind a body reach whoever takes them (RFC 9110 section 6.5).

Those of a request reach the upstream whatever the client says. Those of a response reach a client of
HTTP/1.1 that says `TE: trailers`, and every client of HTTP/2; the upstream is told the same where the
client has said it. What frames, routes or authenticates never passes as a trailer, whoever sends it.
"""

from __future__ import annotations

import pytest
import slimHTTP
from support import Exchange, Upstream, echo, replies, serving
from support.http2_client import Http2

of = pytest.mark.parametrize

ANSWER = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-More\r\n\r\n'
    b'5\r\nhello\r\n0\r\nX-Sum: 5d41\r\nX-More: one\r\nX-More: two\r\n\r\n'
)
SENT = [('x-sum', '5d41'), ('x-more', 'one'), ('x-more', 'two')]

#: RFC 9110 section 6.5.1: framing, routing, authentication, controls, the form of the content.
FORBIDDEN = [
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: b.example',
    'Connection: X-Sum',
    'Trailer: X-Sum',
    'TE: trailers',
    'Content-Type: text/html',
    'Content-Encoding: gzip',
    'Content-Range: bytes 0-4/5',
    'Authorization: Basic eDp5',
    'Set-Cookie: a=b',
    'Cache-Control: no-store',
]


def lowered(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in fields]


@of(
    'fields',
    [
        [('TE', 'trailers'), ('Connection', 'TE')],
        [('Connection', 'keep-alive, te'), ('te', 'Trailers')],
        [('TE', 'gzip;q=0.5, trailers'), ('Connection', 'TE')],
        [('TE', 'trailers')],
    ],
    ids=str,
)
def test_c7_2_a_client_that_takes_trailers_gets_them(fields: list[tuple[str, str]]) -> None:
    with Upstream(replies(ANSWER)) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            for _ in range(2):
                response = client.request('GET', '/', fields)
                assert response.body == b'hello'
                assert lowered(response.trailers.fields) == SENT
            assert client.connections == 1
        seen = upstream.exchanges[0].headers
        assert seen['TE'] == 'trailers', 'codings are about the hop of the client'
        assert 'te' in seen['Connection'].lower(), 'RFC 9110 section 10.1.4'


@of(
    'fields',
    [[], [('TE', 'gzip'), ('Connection', 'TE')], [('TE', ''), ('Connection', 'TE')]],
    ids=str,
)
def test_c7_2_a_client_that_does_not_take_them_gets_none(fields: list[tuple[str, str]]) -> None:
    with Upstream(replies(ANSWER)) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            for _ in range(2):
                response = client.request('GET', '/', fields)
                assert (response.body, response.trailers.fields) == (b'hello', [])
            assert client.connections == 1
        assert 'TE' not in upstream.exchanges[0].headers, 'and the upstream is told of none'


def test_c7_2_a_client_of_1_0_gets_the_content_alone() -> None:
    with Upstream(replies(ANSWER)) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(
                b'GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\nConnection: TE, keep-alive\r\n\r\n'
            )
            head = client.read_head()
            assert 'Transfer-Encoding' not in head.headers
            assert client.expect_close() == b'hello'


def test_c7_2_trailers_pass_to_a_client_of_http2_that_takes_them() -> None:
    with Upstream(replies(ANSWER)) as upstream:
        with serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site:
            with Http2(site.address[1]) as connection:
                answer = connection.get('/', ('te', 'trailers'))
                assert (answer.status, answer.body) == (200, b'hello')
                assert answer.trailers == SENT
    assert upstream.exchanges[0].headers['TE'] == 'trailers'


def test_c7_2_an_upstream_is_told_of_no_trailers_by_a_client_of_http2_that_says_nothing() -> None:
    with Upstream() as upstream, serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site:
        with Http2(site.address[1]) as connection:
            assert connection.get('/').status == 200
    assert 'TE' not in upstream.exchanges[0].headers


@of('forbidden', FORBIDDEN)
def test_c7_6_what_is_no_trailer_does_not_reach_a_client(forbidden: str) -> None:
    raw = ANSWER.replace(b'X-Sum: 5d41', forbidden.encode() + b'\r\nX-Sum: 5d41')
    with Upstream(replies(raw)) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            response = client.request('GET', '/', {'TE': 'trailers', 'Connection': 'TE'})
            assert response.body == b'hello'
            assert lowered(response.trailers.fields) == SENT


class Taker:
    """An upstream's behaviour that reads whole requests and keeps them."""

    def __init__(self) -> None:
        self.whole: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.read_body()
        self.whole.append(exchange)
        exchange.respond(body)


POST = b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n'


def test_c7_2_trailers_of_a_request_reach_the_upstream() -> None:
    taker = Taker()
    with Upstream(taker) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(POST + b'X-Sum: 5d41\r\nX-More: one\r\nX-More: two\r\n\r\n')
            assert client.read_response().body == b'hello'
            assert client.get('/next').status == 200
            assert client.connections == 1
    assert lowered(taker.whole[0].trailers.fields) == SENT
    assert taker.whole[1].trailers.fields == []


@of('forbidden', FORBIDDEN[:3])
def test_c7_7_what_frames_or_routes_in_a_trailer_of_a_request_is_refused(forbidden: str) -> None:
    """The upstream never has such a request whole: nobody acts on it."""
    taker = Taker()
    with Upstream(taker) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(POST + forbidden.encode() + b'\r\n\r\n')
            assert client.read_response().status == 400
            assert client.expect_close() == b''
        assert site.get('/next').status == 200
    assert [exchange.target for exchange in taker.whole] == ['/next']


@of('forbidden', FORBIDDEN[3:])
def test_c7_6_what_is_no_trailer_does_not_reach_an_upstream(forbidden: str) -> None:
    taker = Taker()
    with Upstream(taker) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(POST + forbidden.encode() + b'\r\nX-Sum: 5d41\r\n\r\n')
            assert client.read_response().body == b'hello'
    assert lowered(taker.whole[0].trailers.fields) == SENT[:1]


def test_c7_2_a_body_without_trailers_has_none() -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        fields = {'TE': 'trailers', 'Connection': 'TE'}
        response = client.request('POST', '/', fields, [b'he', b'llo'])
        assert response.json()['body'] == 'hello'
        assert response.trailers.fields == []
