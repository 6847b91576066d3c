"""C8.3: what a handler may return, and what becomes of everything else."""

from __future__ import annotations

import collections
import datetime
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from support import Log, Serving
from support.sites import ask_handler as ask
from support.sites import site_of_hosts

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with site_of_hosts(tmp_path_factory.mktemp('root')) as site:
        yield site


HTML = 'text/html; charset=utf-8'
JSON = 'application/json'


def response(*args: Any, **more: Any):
    import slimHTTP

    return slimHTTP.HTTP_RESPONSE(*args, **more)


def raw(whole: bytes) -> Any:
    import slimHTTP

    return slimHTTP.Raw(whole)


#: What a handler returns (made by a function of the request), and the answer.
RESULTS: dict[str, tuple[Callable[[Any], Any], int, Any, bytes]] = {
    'bytes': (lambda request: b'<p>bytes', 200, HTML, b'<p>bytes'),
    'str': (lambda request: '<p>caf\u00e9', 200, HTML, '<p>caf\u00e9'.encode()),
    'empty bytes': (lambda request: b'', 200, ..., b''),
    'empty str': (lambda request: '', 200, ..., b''),
    'bytearray': (lambda request: bytearray(b'x'), 200, HTML, b'x'),
    'memoryview': (lambda request: memoryview(b'xyz')[1:], 200, HTML, b'yz'),
    'dict': (lambda request: {'a': 1, '\u00e9': [None, True]}, 200, JSON, ...),
    'empty dict': (lambda request: {}, 200, JSON, b'{}'),
    'list': (lambda request: [1, 'two'], 200, JSON, ...),
    'empty list': (lambda request: [], 200, JSON, b'[]'),
    'a dict of its own kind': (lambda request: collections.OrderedDict(a=1), 200, JSON, b'{"a":1}'),
    'raw': (lambda request: request.build_headers() + b'<p>raw', 200, ..., b'<p>raw'),
    'raw with a status': (lambda request: raw(b'HTTP/1.1 404 Not Found\r\n\r\ngone'), 404, ..., b'gone'),
    'raw of 1.0': (lambda request: raw(b'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold'), 200, 'text/plain', b'old'),
    'raw JSON': (lambda request: request.build_headers({'Content-Type': JSON}) + b'{}', 200, JSON, b'{}'),
    'raw with a wrong length': (lambda request: raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort'), 200, ..., b'short'),
    'raw with a coding': (lambda request: raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nplain'), 200, ..., b'plain'),
    'raw with bare LF': (lambda request: raw(b'HTTP/1.1 200 OK\nX-A: b\n\nbody'), 200, ..., b'body'),
    'raw without a body': (lambda request: raw(b'HTTP/1.1 204 No Content\r\n\r\n'), 204, ..., b''),
    'response': (lambda request: response(payload=b'x'), 200, HTML, b'x'),
    'response of text': (lambda request: response(payload='\u00e9'), 200, HTML, '\u00e9'.encode()),
    'response of a dict': (lambda request: response(payload={'a': 1}), 200, JSON, b'{"a":1}'),
    'response of a list': (lambda request: response(payload=[1]), 200, JSON, b'[1]'),
    'response of nothing': (lambda request: response(), 200, ..., b''),
    'response with a type': (lambda request: response({'Content-Type': 'text/plain'}, b'x'), 200, 'text/plain', b'x'),
    'response with a type in small letters': (lambda request: response({'content-type': 'text/plain'}, b'x'), 200, 'text/plain', b'x'),
    'response with byte fields': (lambda request: response({b'Content-Type': b'text/plain'}, b'x'), 200, 'text/plain', b'x'),
    'response with a status': (lambda request: response(ret_code=404, payload=b'gone'), 404, HTML, b'gone'),
    'response with a status nobody knows': (lambda request: response(ret_code=299, payload=b'x'), 299, HTML, b'x'),
    'response with 204': (lambda request: response(ret_code=204), 204, ..., b''),
    'response with 304': (lambda request: response(ret_code=304), 304, ..., b''),
    'generator': (lambda request: (part for part in [b'a', b'', 'b', b'c']), 200, HTML, b'abc'),
    'iterator': (lambda request: iter([b'a', 'b']), 200, HTML, b'ab'),
    'generator of nothing': (lambda request: iter([]), 200, ..., b''),
}  # fmt: skip


@of('method', ['GET', 'HEAD', 'POST'])
@of('what', RESULTS)
def test_c8_3_what_a_handler_may_return(site: Serving, what: str, method: str) -> None:
    make, status, kind, body = RESULTS[what]
    answer = ask(site, make, method, body=b'x' if method == 'POST' else None)
    assert answer.status == status
    if kind is not ...:
        assert answer.headers['Content-Type'] == kind
    if method == 'HEAD':
        assert answer.body == b''
    elif body is ...:
        assert answer.json() == make(None)
    else:
        assert answer.body == body
    assert len(answer.headers.all('Content-Type')) <= 1
    assert len(answer.headers.all('Date')) == 1


@of(
    'status',
    [
        200,
        201,
        202,
        203,
        206,
        207,
        226,
        299,
        300,
        301,
        302,
        303,
        307,
        308,
        400,
        401,
        402,
        403,
        404,
        409,
        410,
        418,
        422,
        429,
        451,
        499,
        500,
        501,
        502,
        503,
        504,
        511,
        599,
    ],
)
def test_c8_3_every_status(site: Serving, status: int) -> None:
    answer = ask(site, lambda request: response(ret_code=status, payload=b'body'))
    assert (answer.status, answer.body) == (status, b'body')


def test_c8_3_a_redirect(site: Serving) -> None:
    answer = ask(
        site,
        lambda request: response(ret_code=307, headers={'Location': '/elsewhere'}, payload=b''),
    )
    assert (answer.status, answer.headers['Location']) == (307, '/elsewhere')


def test_c8_3_fields_of_a_response_repeat_by_a_list(site: Serving) -> None:
    answer = ask(site, lambda request: response({'Set-Cookie': ['a=b', 'c=d'], 'X-One': 'x'}))
    assert answer.headers.all('Set-Cookie') == ['a=b', 'c=d']


def test_c8_3_a_response_of_its_own_overrides_response_headers(site: Serving) -> None:
    def handler(request):
        request.response_headers.update({'X-A': 'request', 'X-B': 'request'})
        return response({'X-A': 'response'})

    answer = ask(site, handler)
    assert (answer.headers['X-A'], answer.headers['X-B']) == ('response', 'request')


def test_c8_3_each_response_has_headers_of_its_own() -> None:
    response().headers['X'] = 'y'
    assert response().headers == {}


def test_c8_3_a_raw_response_keeps_its_fields(site: Serving) -> None:
    whole = b'HTTP/1.1 200 Fine\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Own: x\r\nConnection: X-Own\r\n\r\nbody'
    answer = ask(site, lambda request: raw(whole))
    assert answer.headers.all('Set-Cookie') == ['a=b', 'c=d']
    assert answer.body == b'body'


#: What no handler may return: 500, and the log names the type or says what is wrong.
NONSENSE: dict[str, tuple[Callable[[Any], Any], str]] = {
    'set': (lambda request: {1}, 'set'),
    'int': (lambda request: 3, 'int'),
    'float': (lambda request: 3.5, 'float'),
    'True': (lambda request: True, 'bool'),
    'tuple': (lambda request: (200, 'body'), 'tuple'),
    'object': (lambda request: object(), 'object'),
    'a class': (lambda request: Serving, 'type'),
    'a function': (lambda request: ask, 'function'),
    'a date': (lambda request: datetime.date(2020, 1, 1), 'date'),
    'a dict that JSON does not know': (lambda request: {'a': {1}}, 'set'),
    'a status of 1xx': (lambda request: response(ret_code=101), '101'),
    'a status that is none': (lambda request: response(ret_code=99), '99'),
    'a status beyond': (lambda request: response(ret_code=1000), '1000'),
    'a status that is text': (lambda request: response(ret_code='ok'), 'ok|str'),
    'a field with a line end': (
        lambda request: response({'X': 'a\r\nSet-Cookie: evil=1'}),
        '(?i)header',
    ),
    'a field name with a line end': (
        lambda request: response({'X\r\nSet-Cookie': 'evil=1'}),
        '(?i)header',
    ),
    'a field with a NUL': (lambda request: response({'X': 'a\0b'}), '(?i)header'),
    'an empty field name': (lambda request: response({'': 'x'}), ''),
    'a payload of an object': (lambda request: response(payload=object()), 'object'),
    'a raw response that is none': (lambda request: raw(b'HTTP/1.1 abc\r\n\r\n'), ''),
    'a raw response of 1xx': (lambda request: raw(b'HTTP/1.1 100 Continue\r\n\r\n'), ''),
}


@of('what', NONSENSE)
def test_c8_3_anything_else_is_500_and_the_log_names_it(site: Serving, what: str) -> None:
    make, named = NONSENSE[what]
    with Log() as log:
        answer = ask(site, make)
        assert answer.status == 500, answer
        assert 'Set-Cookie' not in answer.headers
        assert b'outside' not in answer.body
        log.wait_for(named or '/test')
    assert ask(site, lambda request: 'well').text == 'well'


def test_c8_3_response_headers_cannot_carry_a_line_end(site: Serving) -> None:
    def handler(request):
        request.response_headers['X'] = 'a\r\nSet-Cookie: evil=1'
        return 'x'

    answer = ask(site, handler)
    assert answer.status == 500
    assert 'Set-Cookie' not in answer.headers


# Files


def file_of(name: str) -> Callable[[Any], Any]:
    import slimHTTP

    return {
        'FILE': lambda request: slimHTTP.FILE(request, 'file.txt'),
        'FILE of a path': lambda request: slimHTTP.FILE(
            request, os.path.join(request.web_root, 'file.txt')
        ),
        'STREAM_CHUNKED': lambda request: slimHTTP.STREAM_CHUNKED(request, 'file.txt'),
        'Path': lambda request: pathlib.Path(request.web_root) / 'file.txt',
        'relative Path': lambda request: pathlib.Path('file.txt'),
    }[name]


@of('name', ['FILE', 'FILE of a path', 'STREAM_CHUNKED', 'Path', 'relative Path'])
def test_c8_3_a_file_is_sent_as_a_file(site: Serving, name: str) -> None:
    answer = ask(site, file_of(name))
    assert (answer.status, answer.text) == (200, 'the file')
    assert answer.headers['Content-Type'] == 'text/plain; charset=utf-8'
    assert answer.headers['Content-Length'] == '8'
    etag = answer.headers['ETag']
    assert ask(site, file_of(name), fields={'If-None-Match': etag}).status == 304
    part = ask(site, file_of(name), fields={'Range': 'bytes=-4'})
    assert (part.status, part.text) == (206, 'file')
    assert ask(site, file_of(name), 'HEAD').body == b''


def test_c8_3_a_file_takes_response_headers(site: Serving) -> None:
    def handler(request):
        request.response_headers['Content-Disposition'] = 'attachment'
        return pathlib.Path('file.txt')

    assert ask(site, handler).headers['Content-Disposition'] == 'attachment'


def test_c8_3_file_objects_tell_what_they_are(site: Serving) -> None:
    import slimHTTP

    def look(request):
        with (
            slimHTTP.FILE(request, 'file.txt') as file,
            slimHTTP.FILE(request, 'missing') as missing,
        ):
            chunks = slimHTTP.STREAM_CHUNKED(request, 'file.txt', start=4, chunksize=3)
            with chunks:
                return (
                    file.path,
                    file.mime,
                    file.size,
                    file.data,
                    missing.size,
                    [chunks.chunk, chunks.chunk, chunks.chunk],
                )

    seen: list[Any] = []
    assert ask(site, lambda request: seen.append(look(request)) or 'seen').text == 'seen'
    path, mime, size, data, missing, chunks = seen[0]
    assert path == os.path.join(site.http.config['web_root'], 'file.txt')
    assert (mime, size, data, missing) == ('text/plain', 8, b'the file', -1)
    assert chunks == [b'fil', b'e', b'']


@of('name', ['missing.txt', 'a', '../outside.txt'])
def test_c8_3_a_file_that_is_not_there_is_404_and_never_leaks(site: Serving, name: str) -> None:
    import slimHTTP

    for make in (
        lambda request: slimHTTP.FILE(request, name),
        lambda request: pathlib.Path(name),
        lambda request: pathlib.Path(request.web_root) / name,
    ):
        answer = ask(site, make)
        assert answer.status == 404, answer
        assert b'outside' not in answer.body


def test_c8_3_nothing_passes_on(site: Serving) -> None:
    assert ask(site, lambda request: None).status == 404


def test_c8_3_every_result_leaves_the_connection_in_step(site: Serving) -> None:
    with site.client() as client:
        for make, status, _, _ in RESULTS.values():
            site.http.route('/step')(make)
            assert client.get('/step').status == status
        assert client.connections == 1


def test_c8_3_a_path_like_object_of_any_kind(site: Serving) -> None:
    class Like:
        def __fspath__(self) -> str:
            return 'file.txt'

    assert ask(site, lambda request: Like()).text == 'the file'
