"""HEAD: whoever answers, over every protocol, the head of a GET and nothing behind it.

RFC 9110 section 9.3.2. A case is a line of `KINDS`; the protocols are `ASK`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import pytest
import slimHTTP
from support import Client, Exchange, Serving, Upstream, lenient_tls, serving, tree, wait_until
from support.http2_client import Http2

LARGE = 300_000

MODULE = "def on_request(request): return 'from a module'\n"


class Kind(NamedTuple):
    """What is asked, and the status that it has."""

    path: str
    status: int = 200
    host: str = 'a'
    fields: tuple[tuple[str, str], ...] = ()


KINDS = {
    'file': Kind('/file.txt'),
    'empty file': Kind('/empty.txt'),
    'large file': Kind('/large.bin'),
    'compressed file': Kind('/page.html', fields=(('accept-encoding', 'gzip'),)),
    'index': Kind('/'),
    'not modified': Kind('/file.txt', 304, fields=(('if-none-match', '*'),)),
    'precondition failed': Kind('/file.txt', 412, fields=(('if-match', '"none"'),)),
    'not found': Kind('/none', 404),
    'method not allowed': Kind('/post', 405),
    'bad request': Kind('/%2e%2e/%2e%2e/x', 400),
    'expectation failed': Kind('/file.txt', 417, fields=(('expect', 'miracles'),)),
    'target too long': Kind('/' + 'x' * 9000, 414),
    'too many fields': Kind('/', 431, fields=tuple((f'x-{n}', 'y') for n in range(150))),
    'error page': Kind('/none', 404, 'pages'),
    'redirect': Kind('/moved', 301),
    'folder redirect': Kind('/folder', 301),
    'listing': Kind('/folder/'),
    'bytes': Kind('/bytes'),
    'str': Kind('/str'),
    'empty str': Kind('/empty'),
    'JSON': Kind('/json'),
    'HTTP_RESPONSE': Kind('/response', 201),
    'no content': Kind('/no-content', 204),
    'generator': Kind('/generator'),
    'generator with a length': Kind('/generator-of-length'),
    'async generator': Kind('/async-generator'),
    'FILE': Kind('/file'),
    'raw response': Kind('/raw'),
    'a handler that raises': Kind('/raises', 500),
    'debug page': Kind('/raises', 500, 'debug'),
    'page with a script at its end': Kind('/page.html', 200, 'debug'),
    'module': Kind('/', 200, 'module'),
    'proxy with a length': Kind('/length', 200, 'proxy'),
    'proxy without a length': Kind('/chunked', 200, 'proxy'),
    'proxy without content': Kind('/nothing', 200, 'proxy'),
    'bad gateway': Kind('/', 502, 'gone'),
}


#: What an upstream says of a length in its answer to a HEAD, and what the client is told.
LENGTHS: dict[str, tuple[str, str, Optional[str]]] = {
    '/a-length': ('200 OK', 'Content-Length: 5\r\n', '5'),
    '/none': ('200 OK', '', None),
    '/nothing-at-all': ('200 OK', 'Content-Length: 0\r\n', '0'),
    '/not-modified': ('304 Not Modified', 'Content-Length: 5\r\n', '5'),
    '/not-modified-and-none': ('304 Not Modified', '', None),
    '/no-content': ('204 No Content', '', None),
    # RFC 9110 section 8.6: a 204 has none.
    '/no-content-and-a-length': ('204 No Content', 'Content-Length: 0\r\n', None),
    '/missing': ('404 Not Found', '', None),
}


def upstream(exchange: Exchange) -> Any:
    """As a well-behaved server: HEAD gets the head of a GET."""
    if exchange.target in LENGTHS:
        status, length, _ = LENGTHS[exchange.target]
        exchange.send(f'HTTP/1.1 {status}\r\nX-Own: x\r\n{length}\r\n'.encode())
        return None
    head, body = {
        '/length': ('Content-Length: 5\r\n', b'hello'),
        '/chunked': ('Transfer-Encoding: chunked\r\n', b'5\r\nhello\r\n0\r\n\r\n'),
        '/nothing': ('Content-Length: 0\r\n', b''),
    }[exchange.target]
    exchange.send(f'HTTP/1.1 200 OK\r\n{head}\r\n'.encode())
    if exchange.method != 'HEAD':
        exchange.send(body)
    return None


def add_routes(http: Any, vhost: Any = None) -> None:
    route = http.route

    @route('/raises', vhost=vhost)
    def raises(request: Any) -> Any:
        raise RuntimeError('as planned')

    if vhost is not None:
        return

    @route('/generator-of-length')
    def generator_of_length(request: Any) -> Any:
        length = {'Content-Length': '6'}
        return slimHTTP.HTTP_RESPONSE(headers=length, payload=iter([b'abc', b'def']))

    @route('/async-generator')
    def async_generator(request: Any) -> Any:
        async def pieces() -> Any:
            yield b'abc'
            yield b'def'

        return pieces()

    route('/post', methods=['POST'])(lambda request: 'posted')
    route('/bytes')(lambda request: b'bytes')
    route('/str')(lambda request: 'text')
    route('/empty')(lambda request: '')
    route('/json')(lambda request: {'a': [1, 2]})
    route('/response')(
        lambda request: slimHTTP.HTTP_RESPONSE(ret_code=201, headers={'X': 'y'}, payload=b'made')
    )
    route('/no-content')(lambda request: slimHTTP.HTTP_RESPONSE(ret_code=204))
    route('/generator')(lambda request: iter([b'abc', b'def']))
    route('/file')(lambda request: slimHTTP.FILE(request, 'file.txt'))
    route('/raw')(lambda request: request.build_headers() + b'raw content')


@pytest.fixture(scope='module')
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Serving]]:
    root = tree(
        tmp_path_factory.mktemp('root'),
        {
            'file.txt': 'a file',
            'empty.txt': '',
            'large.bin': b'x' * LARGE,
            'page.html': '<!doctype html><p>' + 'words ' * 1000,
            'index.html': 'the index',
            'folder/inside.txt': '',
            '404.html': 'a page for what is not there',
        },
    )
    module = Path(root) / 'module.py'
    module.write_text(MODULE)
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(Upstream(upstream))
        config: dict[str, Any] = {
            'web_root': str(root),
            'listing': True,
            'redirects': {'/moved': {'to': '/file.txt', 'status': 301}},
            'vhosts': {
                'pages': {'error_pages': {'404': '/404.html'}},
                'debug': {'debug': True},
                'module': {'module': str(module)},
                'proxy': {'proxy': behind.name},
                'gone': {'proxy': '127.0.0.1:1'},
            },
        }
        modes = {'plain': slimHTTP.HTTP, 'tls': slimHTTP.HTTPS}
        served = {
            name: stack.enter_context(serving(mode=mode, **config)) for name, mode in modes.items()
        }
        for site in served.values():
            add_routes(site.http)
            add_routes(site.http, 'debug')
        yield served


class Got(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


def by_http1(client: Client, method: str, kind: Kind, version: str) -> Got:
    """One exchange; what comes behind the head until the server closes is its content."""
    fields = [('host', kind.host), *kind.fields, ('connection', 'close')]
    lines = [
        f'{method} {kind.path} HTTP/{version}',
        *(f'{name}: {value}' for name, value in fields),
    ]
    with client:
        client.send_raw('\r\n'.join([*lines, '', '']).encode())
        if method == 'HEAD':
            response = client.read_head()
            body = client.expect_close()
        else:
            response = client.read_response()
            body = response.body
        return Got(response.status, {k.lower(): v for k, v in response.headers.fields}, body)


def by_http2(site: Serving, method: str, kind: Kind) -> Got:
    with Http2(site.address[1]) as connection:
        answer = connection.get(kind.path, *kind.fields, method=method, authority=kind.host)
        assert answer.ended, answer
        assert answer.reset in (None, 0), answer
        assert answer.status is not None
        return Got(answer.status, answer.headers, answer.body)


ASK: dict[str, Callable[[dict[str, Serving], str, Kind], Got]] = {
    'HTTP/1.0': lambda sites, method, kind: by_http1(sites['plain'].client(), method, kind, '1.0'),
    'HTTP/1.1': lambda sites, method, kind: by_http1(sites['plain'].client(), method, kind, '1.1'),
    'HTTP/1.1 by TLS': lambda sites, method, kind: by_http1(
        sites['tls'].client(tls=lenient_tls()), method, kind, '1.1'
    ),
    'HTTP/2': lambda sites, method, kind: by_http2(sites['tls'], method, kind),
}

#: What may differ between two answers, and how the content is framed.
APART = ('date', 'connection', 'transfer-encoding', 'content-length')


@pytest.mark.parametrize('protocol', ASK)
@pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)
def test_head_gets_the_head_of_a_get_and_no_content(
    sites: dict[str, Serving], kind: Kind, protocol: str
) -> None:
    ask = ASK[protocol]
    got, head = ask(sites, 'GET', kind), ask(sites, 'HEAD', kind)
    assert (got.status, head.status) == (kind.status, kind.status)
    assert head.body == b''
    for fields in (got.fields, head.fields):
        # It names the scripts of a debug page, which are not the same twice.
        fields.pop('content-security-policy', None)
    rest = [{k: v for k, v in one.fields.items() if k not in APART} for one in (got, head)]
    assert rest[1] == rest[0]
    if kind == KINDS['debug page']:
        assert b'HEAD' not in got.body, 'the page names the method, so it has a length of its own'
    elif 'content-length' in head.fields:
        # RFC 9110 section 8.6: it is that of a GET or it is not there.
        assert int(head.fields['content-length']) == len(got.body)
    elif kind.status not in (204, 304) and 'proxy' not in kind.host:
        assert 'content-length' not in got.fields


#: HEADs that are refused before anybody is asked.
REFUSED = {
    'two hosts': (b'HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400),
    'no host': (b'HEAD / HTTP/1.1\r\n\r\n', 400),
    'a folded field': (b'HEAD / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n', 400),
    'a space before a colon': (b'HEAD / HTTP/1.1\r\nHost : a\r\n\r\n', 400),
    'a target that is none': (b'HEAD x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
    'a malformed length': (b'HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n', 400),
    'a coding': (b'HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501),
    'too large a content': (
        b'HEAD /str HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n',
        413,
    ),
    'another version': (b'HEAD / HTTP/2.0\r\nHost: a\r\n\r\n', 505),
}


@pytest.mark.parametrize(('raw', 'status'), REFUSED.values(), ids=REFUSED)
def test_a_head_that_is_refused_has_no_content(
    sites: dict[str, Serving], raw: bytes, status: int
) -> None:
    with sites['plain'].client() as client:
        client.send_raw(raw)
        assert client.read_head().status == status
        assert client.expect_close() == b''


@pytest.mark.parametrize('protocol', ASK)
def test_the_length_of_what_is_known_is_told(sites: dict[str, Serving], protocol: str) -> None:
    lengths = {'large file': LARGE, 'str': 4, 'generator with a length': 6, 'redirect': 0}
    lengths |= {'proxy with a length': 5, 'proxy without content': 0}
    for name, length in lengths.items():
        assert ASK[protocol](sites, 'HEAD', KINDS[name]).fields['content-length'] == str(length)


@pytest.mark.parametrize('protocol', ASK)
@pytest.mark.parametrize('target', LENGTHS)
def test_of_a_length_the_client_is_told_what_the_upstream_says(
    sites: dict[str, Serving], target: str, protocol: str
) -> None:
    status, _, length = LENGTHS[target]
    head = ASK[protocol](sites, 'HEAD', Kind(target, host='proxy'))
    assert (head.status, head.body) == (int(status[:3]), b'')
    assert head.fields['x-own'] == 'x'
    assert head.fields.get('content-length') == length


def test_a_connection_goes_on_behind_a_head(sites: dict[str, Serving]) -> None:
    with sites['plain'].client() as client:
        for path in ('/file.txt', '/none', '/str', '/generator', '/raises', '/post'):
            assert client.request('HEAD', path).body == b''
        assert client.get('/str').text == 'text'
        assert client.connections == 1


def test_a_generator_whose_content_nobody_wants_is_closed(sites: dict[str, Serving]) -> None:
    closed: list[str] = []

    @sites['tls'].http.route('/closes')
    def closes(request: Any) -> Any:
        def pieces() -> Any:
            try:
                yield b'never sent'
            finally:
                closed.append(request.method)

        iterator = pieces()
        next(iterator)
        return iterator

    with Http2(sites['tls'].address[1]) as connection:
        assert connection.get('/closes', method='HEAD').status == 200
        assert connection.get('/str').body == b'text'
    wait_until(lambda: closed == ['HEAD'])
