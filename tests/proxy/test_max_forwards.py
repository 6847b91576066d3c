"""C7.1: requests about a server or the way to it: `OPTIONS *`, TRACE, and `Max-Forwards`.

RFC 9110 sections 7.6.2, 9.3.7 and 9.3.8.
"""

from __future__ import annotations

import pytest
import slimHTTP
from support import Exchange, Upstream, echo, serving
from support.http2_client import Http2

of = pytest.mark.parametrize


def ok(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.respond(b'')


def test_c7_1_options_of_everything_reaches_the_upstream_as_such() -> None:
    """Nobody is told 405 by a server that was never asked for a path."""
    with Upstream(ok) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        for _ in range(2):
            assert client.request('OPTIONS', '*').status // 100 == 2
        assert client.connections == 1
    assert set(upstream.targets) <= {'*'}


@of('method', ['OPTIONS', 'TRACE'])
def test_c7_1_at_the_end_of_its_way_a_request_is_answered_here(method: str) -> None:
    with Upstream(ok) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        response = client.request(method, '/x', {'Max-Forwards': '0'})
        if method == 'OPTIONS':
            assert response.status // 100 == 2
        else:
            assert response.status != 502
        assert upstream.exchanges == []
        assert client.get('/next').status == 200
        assert upstream.targets == ['/next']


def test_c7_1_over_http2_too() -> None:
    with Upstream(ok) as upstream, serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site:
        with Http2(site.address[1]) as connection:
            answer = connection.get('/x', ('max-forwards', '0'), method='OPTIONS')
            assert answer.status in (200, 204)
    assert upstream.exchanges == []


@of('method', ['OPTIONS', 'TRACE'])
@of(('value', 'sent'), [('3', '2'), ('1', '0')])
def test_c7_1_on_its_way_there_is_one_forward_less(method: str, value: str, sent: str) -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        response = client.request(method, '/x', {'Max-Forwards': value})
        assert response.status == 200
        (exchange,) = upstream.exchanges
        assert exchange.headers.all('Max-Forwards') == [sent]


@of('method', ['GET', 'POST'])
def test_c7_1_other_methods_go_on(method: str) -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        assert client.request(method, '/x', {'Max-Forwards': '0'}).status == 200
        assert upstream.exchanges[0].headers['Max-Forwards'] == '0'
