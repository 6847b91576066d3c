"""What a request of HTTP/2 may look like: each kind of malformed head, and what becomes of it.

RFC 9113 section 8. A malformed request is answered 400 or its stream is reset; what breaks the
compression of heads, or cannot be told from that, ends the connection. Nobody sees any of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import slimHTTP
from hyperframe.frame import DataFrame, HeadersFrame
from support import Exchange, Log, Serving, Upstream, serving, wait_until
from support.http2_client import Http2

PROTOCOL_ERROR = 1

METHOD, SCHEME, PATH, AUTHORITY = (
    (':method', 'GET'),
    (':scheme', 'https'),
    (':path', '/'),
    (':authority', 'a'),
)
HEAD = [METHOD, SCHEME, PATH, AUTHORITY]


class Seen(Serving):
    #: What the handler was asked: method, host, fields.
    requests: list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(scope='module')
def site() -> Iterator[Seen]:
    with serving(mode=slimHTTP.HTTPS, max_body=1000) as served:
        seen = Seen(served.http)
        seen.requests = []

        @served.http.route('/', prefix=True)
        def see(request: Any) -> str:
            seen.requests.append((request.method, request.host, dict(request.headers)))
            return f'{request.method} {request.host} {request.payload.decode()}'

        yield seen


#: Heads, and whether they are answered (a status) or their stream is reset (None).
HEADS: dict[str, tuple[list[tuple[Any, Any]], Any]] = {
    'as it should be': (HEAD, 200),
    'Host in place of :authority': ([METHOD, SCHEME, PATH, ('host', 'a')], 200),
    'Host that agrees': ([*HEAD, ('host', 'a')], 200),
    'Host that agrees, with the port': ([*HEAD, ('host', 'A:443')], 200),
    'Host that disagrees': ([*HEAD, ('host', 'b')], 400),
    'Host twice': ([*HEAD, ('host', 'a'), ('host', 'a')], 400),
    'no host at all': ([METHOD, SCHEME, PATH], 400),
    'an empty :authority': ([METHOD, SCHEME, PATH, (':authority', '')], None),
    'a malformed :authority': ([METHOD, SCHEME, PATH, (':authority', 'a b')], None),
    'a user in :authority': ([METHOD, SCHEME, PATH, (':authority', 'user@a')], 400),
    'no :path': ([METHOD, SCHEME, AUTHORITY], None),
    'an empty :path': ([METHOD, SCHEME, (':path', ''), AUTHORITY], None),
    'a :path without a slash': ([METHOD, SCHEME, (':path', 'x'), AUTHORITY], None),
    'a :path with a space': ([METHOD, SCHEME, (':path', '/a b'), AUTHORITY], None),
    'a :path beyond ASCII': ([METHOD, SCHEME, (':path', '/caf\u00e9'), AUTHORITY], 400),
    'a query beyond ASCII': ([METHOD, SCHEME, (':path', '/?caf\u00e9'), AUTHORITY], 400),
    'an encoded :path': ([METHOD, SCHEME, (':path', '/caf%C3%A9'), AUTHORITY], 200),
    'a :path with a backslash': ([METHOD, SCHEME, (':path', '/a\\b'), AUTHORITY], 200),
    'a :path with a control byte': ([METHOD, SCHEME, (':path', '/a\x01'), AUTHORITY], None),
    'a :path with a DEL': ([METHOD, SCHEME, (':path', '/a\x7f'), AUTHORITY], None),
    'a :path with angle brackets': ([METHOD, SCHEME, (':path', '/<a>'), AUTHORITY], None),
    'a query with a quotation mark': ([METHOD, SCHEME, (':path', '/?"'), AUTHORITY], None),
    'a :path that is a query': ([METHOD, SCHEME, (':path', '?a=b'), AUTHORITY], 400),
    'an asterisk for GET': ([METHOD, SCHEME, (':path', '*'), AUTHORITY], 400),
    'an asterisk for OPTIONS': ([(':method', 'OPTIONS'), SCHEME, (':path', '*'), AUTHORITY], 204),
    'an :authority with sub-delims': ([METHOD, SCHEME, PATH, (':authority', 'a=b')], 200),
    'no :method': ([SCHEME, PATH, AUTHORITY], None),
    'no :scheme': ([METHOD, PATH, AUTHORITY], None),
    ':method twice': ([METHOD, METHOD, SCHEME, PATH, AUTHORITY], None),
    ':path twice': ([METHOD, SCHEME, PATH, PATH, AUTHORITY], None),
    ':authority twice': ([*HEAD, AUTHORITY], None),
    'a pseudo-field behind a field': ([METHOD, SCHEME, AUTHORITY, ('a', 'b'), PATH], None),
    ':status': ([*HEAD, (':status', '200')], None),
    'connection': ([*HEAD, ('connection', 'close')], None),
    'keep-alive': ([*HEAD, ('keep-alive', 'timeout=5')], None),
    'proxy-connection': ([*HEAD, ('proxy-connection', 'close')], None),
    'transfer-encoding': ([*HEAD, ('transfer-encoding', 'chunked')], None),
    'upgrade': ([*HEAD, ('upgrade', 'websocket')], None),
    'te: trailers': ([*HEAD, ('te', 'trailers')], 200),
    'te: gzip': ([*HEAD, ('te', 'gzip')], None),
    'a space before a value': ([*HEAD, ('x', ' y')], 400),
    'a space behind a value': ([*HEAD, ('x', 'y ')], 400),
    'a tab behind a value': ([*HEAD, ('x', 'y\t')], 400),
    'spaces alone': ([*HEAD, ('x', ' ')], 400),
    'an empty value': ([*HEAD, ('x', '')], 200),
    'a content-length without content': ([*HEAD, ('content-length', '5')], None),
    'a content-length that is none': ([*HEAD, ('content-length', 'x')], None),
    'two content-lengths': ([*HEAD, ('content-length', '0'), ('content-length', '1')], None),
    'CONNECT': ([(':method', 'CONNECT'), (':authority', 'a:443')], 405),
    'CONNECT with a path': ([(':method', 'CONNECT'), SCHEME, PATH, AUTHORITY], None),
    'extended CONNECT': (
        [(':method', 'CONNECT'), (':protocol', 'websocket'), SCHEME, PATH, AUTHORITY],
        None,
    ),
}


@pytest.mark.parametrize(('head', 'status'), HEADS.values(), ids=HEADS)
def test_a_head_is_answered_or_its_stream_is_reset(
    site: Seen, head: list[tuple[Any, Any]], status: Any
) -> None:
    before = len(site.requests)
    with Http2(site.address[1]) as connection:
        answer = connection.answer(connection.ask_by(head))
        assert answer.status == status, answer
        if status is None:
            assert answer.reset == PROTOCOL_ERROR
        assert len(site.requests) - before == (status == 200), 'who is asked for it'
        # One stream's affair: the next one is answered.
        assert connection.get('/').status == 200
        assert connection.goaway == []


#: What no recipient can take for a field: the block cannot be decoded further.
BLOCKS = {
    'an uppercase name': ('X-Upper', 'y'),
    'a space in a name': ('x y', 'z'),
    'a line break in a value': ('x', 'y\r\nz: 1'),
    'a null in a value': ('x', 'y\0'),
    'an empty name': ('', 'y'),
    'an unknown pseudo-field': (':unknown', 'y'),
}


@pytest.mark.parametrize('field', BLOCKS.values(), ids=BLOCKS)
def test_a_field_that_is_none_reaches_nobody(site: Seen, field: tuple[str, str]) -> None:
    before = len(site.requests)
    with Http2(site.address[1]) as connection:
        answer = connection.answer(connection.ask_by([*HEAD, field]))
        assert answer.status is None
        assert (answer.reset, connection.goaway) == (None, [PROTOCOL_ERROR])
    assert len(site.requests) == before


def test_a_cookie_may_come_in_crumbs(site: Seen) -> None:
    crumbs = [('cookie', f'c{n}={n}') for n in range(150)]
    with Http2(site.address[1]) as connection:
        assert connection.get('/', *crumbs).status == 200


def trailers(connection: Http2, stream: int, fields: list[tuple[str, str]]) -> HeadersFrame:
    block = connection.frames.encoder.encode(fields)
    return HeadersFrame(stream, block, flags=['END_STREAM', 'END_HEADERS'])


def test_trailers_are_no_content_and_no_fields(site: Seen) -> None:
    with Http2(site.address[1]) as connection:
        stream = connection.ask('/', method='POST', end=False)
        connection.send(
            DataFrame(stream, b'content'),
            trailers(connection, stream, [('x-late', 'y'), ('host', 'b')]),
        )
        assert connection.answer(stream).body == b'POST a content'
    assert 'x-late' not in {name.lower() for name in site.requests[-1][2]}


#: The library drops them before anybody sees them.
PSEUDO = [(':path', '/evil'), (':method', 'DELETE'), (':authority', 'b'), (':status', '200')]


@pytest.mark.parametrize('pseudo', PSEUDO, ids=[name for name, _ in PSEUDO])
def test_pseudo_fields_in_trailers_reach_nobody(pseudo: tuple[str, str]) -> None:
    """RFC 9113 section 8.1 calls them malformed; nothing of them goes on, and the others do."""
    seen: list[tuple[Any, ...]] = []
    passed_on: list[bytes] = []

    def take(exchange: Exchange) -> None:
        raw = b''
        while not (b'\r\n0\r\n' in raw and raw.endswith(b'\r\n\r\n')):
            raw += exchange.receive()
        passed_on.append(exchange.head + raw)
        exchange.respond()

    with Upstream(take) as upstream:
        vhosts = {'p': {'proxy': upstream.name}}
        with (
            serving(mode=slimHTTP.HTTPS, vhosts=vhosts) as site,
            Http2(site.address[1]) as connection,
        ):

            @site.http.route('/', prefix=True, stream=True)
            def read(request: Any) -> str:
                content = b''.join(request.stream())
                fields = [name for name in request.headers if name.lower() in ('x-late', pseudo[0])]
                seen.append((request.method, request.url, request.host, content, fields))
                return 'read'

            def post(authority: str) -> Optional[int]:
                stream = connection.ask('/', method='POST', authority=authority, end=False)
                connection.send(
                    DataFrame(stream, b'content'),
                    trailers(connection, stream, [pseudo, ('x-late', 'y')]),
                )
                return connection.answer(stream).status

            assert (post('a'), post('p')) == (200, 200)
            assert connection.goaway == []
    assert seen == [('POST', '/', 'a', b'content', [])]
    (raw,) = passed_on
    assert raw.startswith(b'POST / HTTP/1.1\r\n')
    assert raw.endswith(b'\r\n\r\n7\r\ncontent\r\n0\r\nx-late: y\r\n\r\n')
    assert pseudo[0].encode() + b':' not in raw


def test_trailers_that_do_not_end_the_stream_are_malformed(site: Seen) -> None:
    with Http2(site.address[1]) as connection:
        stream = connection.ask('/', method='POST', end=False)
        block = connection.frames.encoder.encode([('x-late', 'y')])
        connection.send(HeadersFrame(stream, block, flags=['END_HEADERS']))
        assert connection.answer(stream).reset == PROTOCOL_ERROR
        assert connection.get('/').status == 200


@pytest.mark.parametrize('sent', [b'four', b'more than five'])
def test_content_of_another_length_is_malformed(site: Seen, sent: bytes) -> None:
    before = len(site.requests)
    with Http2(site.address[1]) as connection:
        stream = connection.ask('/', ('content-length', '5'), method='POST', end=False)
        connection.send(DataFrame(stream, sent, flags=['END_STREAM']))
        answer = connection.answer(stream)
        assert answer.reset == PROTOCOL_ERROR, answer
    assert len(site.requests) == before


def test_c7_7_an_upstream_gets_fields_as_http_1_has_them() -> None:
    def show(exchange: Exchange) -> None:
        fields = [[name.lower(), value] for name, value in exchange.headers.fields]
        exchange.respond(json.dumps([exchange.target, fields]).encode())

    with (
        Upstream(show) as upstream,
        serving(mode=slimHTTP.HTTPS, proxy=upstream.name) as site,
        Http2(site.address[1]) as connection,
    ):
        crumbs = (('cookie', 'a=1'), ('cookie', 'b=2'))
        answer = connection.get('/x?y', *crumbs, authority='Some.Example:123')
        target, pairs = json.loads(answer.body)
        fields = dict(map(tuple, pairs))
        assert target == '/x?y'
        assert (fields['host'], fields['cookie']) == ('Some.Example:123', 'a=1; b=2')
        assert not [name for name in fields if name.startswith(':')]


#: What an answer of HTTP/1 has and one of HTTP/2 has not (RFC 9113 section 8.2.2).
def test_an_answer_has_no_field_about_the_connection(site: Seen) -> None:
    about = ('connection', 'upgrade', 'keep-alive', 'transfer-encoding', 'proxy-connection')
    fields = dict.fromkeys(about, 'x')
    site.http.route('/fields')(lambda request: slimHTTP.HTTP_RESPONSE(headers=fields, payload='x'))
    with Log() as log, Http2(site.address[1]) as connection:
        for path, status in (('/fields', 200), ('/%2e%2e', 400), ('/' + 'x' * 9000, 414)):
            answer = connection.get(path)
            assert answer.status == status
            assert not set(about) & set(answer.headers)
    assert not [record for record in log.records if record.levelname in ('WARNING', 'ERROR')]


def logged(path: Path, lines: int) -> list[str]:
    wait_until(lambda: path.exists() and path.read_text().count('\n') >= lines)
    return path.read_text().splitlines()


def test_the_access_log_has_the_target_and_the_host_as_in_http_1(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    access = {'format': 'json', 'file': os.fspath(log)}
    with serving(mode=slimHTTP.HTTPS, access_log=access, web_root=os.fspath(tmp_path)) as site:
        with Http2(site.address[1]) as connection:
            connection.get('/none?a=b', authority='Some.Example:123')
            connection.answer(
                connection.ask_by([METHOD, SCHEME, (':path', '/by-host'), ('host', 'other')])
            )
            connection.answer(
                connection.ask_by([(':method', 'CONNECT'), (':authority', 'a.example:443')])
            )
            connection.get('/' + 'x' * 9000)
            connection.get('/padded', ('x', ' y'))
    entries = [json.loads(line) for line in logged(log, 5)]
    assert [(entry['target'], entry['host'], entry['status']) for entry in entries] == [
        ('/none?a=b', 'Some.Example:123', 404),
        ('/by-host', 'other', 404),
        ('a.example:443', 'a.example:443', 405),
        ('/' + 'x' * 9000, 'a', 414),
        ('/padded', 'a', 400),
    ]


def test_the_access_log_counts_no_content_for_head(tmp_path: Path) -> None:
    log = tmp_path / 'access.log'
    (tmp_path / 'a.txt').write_text('content')
    access = {'format': 'json', 'file': os.fspath(log)}
    with serving(mode=slimHTTP.HTTPS, access_log=access, web_root=os.fspath(tmp_path)) as site:
        with Http2(site.address[1]) as connection:
            connection.get('/a.txt')
            connection.get('/a.txt', method='HEAD')
    entries = [json.loads(line) for line in logged(log, 2)]
    assert [entry['bytes'] for entry in entries] == [7, 0]


def test_a_client_that_leaves_is_no_error(tmp_path: Path) -> None:
    (tmp_path / 'large.bin').write_bytes(b'x' * 5_000_000)
    with Upstream() as upstream:
        vhosts = {'p': {'proxy': upstream.name}}
        with (
            serving(mode=slimHTTP.HTTPS, web_root=os.fspath(tmp_path), vhosts=vhosts) as site,
            Log() as log,
        ):
            site.http.route('/large')(lambda request: b'x' * 5_000_000)
            site.http.route('/upload')(lambda request: str(len(request.payload)))
            for _ in range(3):
                with Http2(site.address[1], window=2**20) as connection:
                    for path in ('/large.bin', '/large'):
                        connection.ask(path)
                    connection.ask('/upload', ('content-length', '10'), method='POST', end=False)
                    upload = connection.ask('/', method='POST', authority='p', end=False)
                    connection.send(DataFrame(upload, b'a part'))
                    connection.receive(reading=False)
            with Http2(site.address[1]) as connection:
                assert connection.get('/large.bin').status == 200
    bad = [record for record in log.records if record.levelname in ('WARNING', 'ERROR')]
    assert not bad, log.text
