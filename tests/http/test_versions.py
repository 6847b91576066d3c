"""HTTP/1.0, 1.1 and what calls itself otherwise: whose connection goes on, and who is told.

RFC 9110 section 2.5, RFC 9112 sections 2.3, 6.3 and 9.3. Whoever is told that a connection goes on finds
that it does, at the right byte; whoever is told nothing in 1.0 has it closed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple, Optional

import pytest
from support import (
    Client,
    Exchange,
    Serving,
    Upstream,
    answer,
    by_target,
    replies,
    sends,
    serving,
    tree,
)
from support.waiting import tick, tick_async

of = pytest.mark.parametrize


class Kind(NamedTuple):
    """What is asked, what comes, and whether its length is known before it is sent."""

    target: str
    body: bytes
    known: bool = True
    host: str = 'a'
    status: int = 200


KINDS = {
    'file': Kind('/file.txt', b'a file'),
    'empty file': Kind('/empty.txt', b''),
    'large file': Kind('/large.bin', b'x' * 2_000_000),
    'handler': Kind('/python', b'from Python'),
    'asynchronous handler': Kind('/async', b'from Python'),
    'handler without content': Kind('/no-content', b'', status=204),
    'stream of a known length': Kind('/measured', b'abcdef'),
    'stream': Kind('/stream', b'abcdef', known=False),
    'asynchronous stream': Kind('/async-stream', b'abcdef', known=False),
    'proxy with a length': Kind('/length', b'hello', host='proxy'),
    'proxy in chunks': Kind('/chunks', b'hello', known=False, host='proxy'),
    'proxy until it closes': Kind('/closes', b'hello', known=False, host='proxy'),
    'proxy of 1.0': Kind('/old', b'hello', known=False, host='proxy'),
    'proxy without content': Kind('/nothing', b'', host='proxy', status=204),
}

UPSTREAM = {
    '/length': replies(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'),
    '/chunks': replies(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    ),
    '/closes': sends(b'HTTP/1.1 200 OK\r\n\r\nhello'),
    '/old': sends(b'HTTP/1.0 200 OK\r\n\r\nhello'),
    '/nothing': replies(b'HTTP/1.1 204 No Content\r\n\r\n'),
}


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    import slimHTTP

    files = {'file.txt': 'a file', 'empty.txt': '', 'large.bin': b'x' * 2_000_000}
    root = tree(tmp_path_factory.mktemp('root'), files)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream(by_target(UPSTREAM)))
        hosts = {'proxy': {'proxy': upstream.name}}
        served = stack.enter_context(serving(web_root=str(root), vhosts=hosts))
        route = served.http.route

        @route('/async')
        async def asynchronous(request):
            await tick_async(0.01)
            return 'from Python'

        @route('/stream')
        def stream(request):
            yield b'abc'
            tick(0.01)
            yield b'def'

        @route('/async-stream')
        async def async_stream(request):
            yield b'abc'
            await tick_async(0.01)
            yield b'def'

        route('/python')(lambda request: 'from Python')
        route('/no-content')(lambda request: slimHTTP.HTTP_RESPONSE(ret_code=204))
        route('/measured')(
            lambda request: slimHTTP.HTTP_RESPONSE(
                headers={'Content-Length': '6'}, payload=iter([b'abc', b'def'])
            )
        )
        route('/asked')(lambda request: {'url': request.url, 'query': dict(request.query)})
        yield served


def ask(
    client: Client, target: str, version: str, connection: Optional[str] = None, host: str = 'a'
) -> None:
    fields = f'Connection: {connection}\r\n' if connection else ''
    client.send_raw(f'GET {target} HTTP/{version}\r\nHost: {host}\r\n{fields}\r\n'.encode())


@of('kind', KINDS.values(), ids=KINDS)
@of('said', ['keep-alive', 'Keep-Alive, x'])
def test_a_client_of_1_0_that_keeps_alive_is_told_what_becomes_of_it(
    site: Serving, kind: Kind, said: str
) -> None:
    with site.client() as client:
        ask(client, kind.target, '1.0', said, kind.host)
        response = client.read_head()
        options = (response.headers.get('Connection') or '').lower()
        assert response.status == kind.status
        assert 'Transfer-Encoding' not in response.headers, '1.0 knows none'
        if kind.known:
            assert options == 'keep-alive'
            client._read_body(response, 'GET')
            assert response.body == kind.body
            ask(client, '/file.txt', '1.0', 'keep-alive')
            assert answer(client).body == b'a file'
            assert client.connections == 1
        else:
            assert 'Content-Length' not in response.headers
            assert options == 'close', 'its end is that of the connection'
            assert client.expect_close() == kind.body


@of('kind', KINDS.values(), ids=KINDS)
@of('said', [None, 'close', 'x'])
def test_a_client_of_1_0_that_says_nothing_finds_its_connection_closed(
    site: Serving, kind: Kind, said: Optional[str]
) -> None:
    with site.client() as client:
        ask(client, kind.target, '1.0', said, kind.host)
        response = client.read_head()
        assert response.status == kind.status
        assert 'keep-alive' not in (response.headers.get('Connection') or '').lower()
        assert 'Transfer-Encoding' not in response.headers
        assert client.expect_close() == kind.body


@of('kind', KINDS.values(), ids=KINDS)
@of('version', ['1.1', '1.2', '1.9'])
def test_a_later_minor_version_is_served_as_1_1(site: Serving, kind: Kind, version: str) -> None:
    with site.client() as client:
        for _ in range(2):
            ask(client, kind.target, version, host=kind.host)
            response = client.read_response()
            assert (response.version, response.status) == ('1.1', kind.status)
            assert response.body == kind.body
        assert client.connections == 1


@of('kind', KINDS.values(), ids=KINDS)
def test_a_client_of_1_1_that_closes_is_told_and_closed(site: Serving, kind: Kind) -> None:
    with site.client() as client:
        ask(client, kind.target, '1.1', 'close', kind.host)
        response = answer(client)
        assert (response.status, response.body) == (kind.status, kind.body)
        assert response.headers['Connection'].lower() == 'close'
        assert client.expect_close() == b''


@of('version', ['0.9', '2.0', '3.0', '9.9'])
@of('host', ['a', 'proxy'])
def test_another_major_version_is_505(site: Serving, version: str, host: str) -> None:
    with site.client() as client:
        ask(client, '/length', version, host=host)
        response = answer(client)
        assert response.status == 505
        assert response.closes
        assert client.expect_close() == b''


def test_1_2_needs_a_host_as_1_1_does(site: Serving) -> None:
    with site.client() as client:
        client.send_raw(b'GET /file.txt HTTP/1.2\r\n\r\n')
        assert answer(client).status == 400


def test_c7_1_an_upstream_is_asked_in_1_1_whatever_the_client_speaks() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        for version in ('1.0', '1.1', '1.2'):
            with site.client() as client:
                ask(client, '/', version, 'close')
                assert answer(client).json()['version'] == 'HTTP/1.1'


def test_c7_6_a_request_of_1_0_without_a_host_reaches_an_upstream_with_one() -> None:
    """RFC 9112 section 3.2: whoever sends 1.1 sends a Host; there is none but the upstream's name."""

    def note(exchange: Exchange) -> None:
        exchange.respond(', '.join(exchange.headers.all('Host')).encode())

    with Upstream(note) as upstream, serving(proxy=upstream.name) as site:
        for fields in ('', 'Connection: keep-alive\r\n'):
            with site.client() as client:
                client.send_raw(f'GET / HTTP/1.0\r\n{fields}\r\n'.encode())
                response = answer(client)
                assert (response.status, response.text) == (200, upstream.name)


# The absolute form without a path.


@of(
    ('target', 'query'),
    [
        ('http://a.example?q=1', {'q': '1'}),
        ('http://a.example?', {}),
        ('http://a.example/?q=1', {'q': '1'}),
        ('HTTP://A.Example:80?q=/x', {'q': '/x'}),
    ],
)
def test_the_absolute_form_may_have_a_query_and_no_path(target: str, query: dict[str, str]) -> None:
    with serving() as site:
        site.http.route('/')(lambda request: {'url': request.url, 'query': dict(request.query)})
        with site.client() as client:
            for _ in range(2):
                response = client.get(target, host='a.example')
                assert response.status == 200
                assert response.json()['query'] == query
            assert client.connections == 1


@of(
    ('target', 'sent'),
    [
        ('http://a.example?q=1', '/?q=1'),
        ('http://a.example', '/'),
        ('http://a.example/x?y', '/x?y'),
    ],
)
def test_c7_1_the_absolute_form_reaches_an_upstream_as_a_path(target: str, sent: str) -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        assert site.get(target, host='a.example').json()['target'] == sent
