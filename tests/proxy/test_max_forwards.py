"""C7.6: requests about a server or the way to it leave their connections as they are.

What of `Max-Forwards` reaches an upstream is in test_forwarded.py. RFC 9110 sections 7.6.2, 9.3.7, 9.3.8.
"""

from __future__ import annotations

import pytest
import slimHTTP
from support import Exchange, Upstream, serving
from support.http2_client import Http2

of = pytest.mark.parametrize


def ok(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.respond(b'')


def test_c7_6_options_of_everything_reaches_the_upstream_as_such() -> None:
    """Nobody is told 405 by a server that was never asked for a path."""
    with Upstream(ok) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        for _ in range(2):
            assert client.request('OPTIONS', '*').status == 200
        assert client.connections == 1
    assert upstream.targets == ['*', '*']


@of(('method', 'status'), [('OPTIONS', 204), ('TRACE', 405)])
def test_c7_6_a_request_that_is_answered_here_leaves_its_connection(
    method: str, status: int
) -> None:
    with Upstream(ok) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        assert client.request(method, '/x', {'Max-Forwards': '0'}).status == status
        assert client.get('/next').status == 200
        assert client.connections == 1
        assert upstream.targets == ['/next']


def test_c7_6_over_http2_a_request_that_goes_no_further_is_answered_here_too() -> None:
    with Upstream(ok) as upstream, serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site:
        with Http2(site.address[1]) as connection:
            answer = connection.get('/x', ('max-forwards', '0'), method='OPTIONS')
            assert answer.status == 204
    assert upstream.exchanges == []


def test_c7_6_a_trace_with_content_is_not_sent_on() -> None:
    with Upstream(ok) as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        assert client.request('TRACE', '/x', body=b'x').status == 400
        assert upstream.exchanges == []
        assert site.get('/next').status == 200
