"""`HTTP_RESPONSE`, `FILE` and `STREAM_CHUNKED` as programs use them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slimHTTP import FILE, HTTP_RESPONSE, STREAM_CHUNKED

OK = b'HTTP/1.1 200 OK\r\n'

BUILT: list[tuple[str, dict[str, Any], bytes]] = [
    ('nothing', {}, OK + b'Content-Length: 0\r\n\r\n'),
    ('None', {'payload': None}, OK + b'Content-Length: 0\r\n\r\n'),
    (
        'text',
        {'payload': 'é'},
        OK + b'Content-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\n\r\n\xc3\xa9',
    ),
    (
        'json',
        {'payload': {'é': [1, None]}},
        OK + b'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"\xc3\xa9":[1,null]}',
    ),
    (
        'fields as bytes, repeated, and a type of its own',
        {
            'headers': {b'content-type': b'text/plain', 'Set-Cookie': ['a=1', b'b=2']},
            'payload': b'x',
        },
        OK
        + b'content-type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n'
        + b'Content-Length: 1\r\n\r\nx',
    ),
    (
        'a length of its own',
        {'headers': {'content-length': 1, 'content-type': 'a/b'}, 'payload': b'x'},
        OK + b'content-length: 1\r\ncontent-type: a/b\r\n\r\nx',
    ),
    (
        'redirect',
        {'ret_code': 307, 'headers': {'Location': '/new'}},
        b'HTTP/1.1 307 Temporary Redirect\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n',
    ),
    ('a status without a body', {'ret_code': 204}, b'HTTP/1.1 204 No Content\r\n\r\n'),
    ('a status without a name', {'ret_code': 599}, b'HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n'),
]


@pytest.mark.parametrize(
    ('arguments', 'built'), [case[1:] for case in BUILT], ids=[case[0] for case in BUILT]
)
def test_c8_3_a_response_is_built(arguments: dict[str, Any], built: bytes) -> None:
    assert HTTP_RESPONSE(**arguments).build() == built


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({'headers': {'X': 'a\r\nSet-Cookie: stolen'}}, ValueError),
    ({'headers': {'X\n': 'a'}}, ValueError),
    ({'headers': {'': 'a'}}, ValueError),
    ({'headers': {'X': 'a\0'}}, ValueError),
    ({'ret_code': 99}, ValueError),
    ({'ret_code': 600}, ValueError),
    ({'ret_code': '200'}, ValueError),
    ({'payload': {1, 2}}, TypeError),
]


@pytest.mark.parametrize(('arguments', 'error'), REFUSED)
def test_c8_3_what_is_no_response_is_refused(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match='expected'):
        HTTP_RESPONSE(**arguments).build()


@pytest.mark.parametrize('number', [float('nan'), float('inf'), float('-inf')])
def test_c8_3_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match='JSON'):
        HTTP_RESPONSE(payload={'number': number}).build()


def test_c8_3_every_response_has_headers_of_its_own() -> None:
    given = {'A': '1'}
    first, second, third = HTTP_RESPONSE(), HTTP_RESPONSE(), HTTP_RESPONSE(given)
    first.headers['X'] = 'y'
    third.headers['X'] = 'y'
    assert (second.headers, given) == ({}, {'A': '1'})


def test_c8_3_positional_use_kwargs_and_additional_headers() -> None:
    response = HTTP_RESPONSE({'A': '1'}, b'x', ret_code=404, note='kept')
    assert (response.kwargs, response.ret_code) == ({'note': 'kept'}, 404)
    assert response.build_headers({'B': 2}) == b'HTTP/1.1 404 Not Found\r\nA: 1\r\nB: 2\r\n\r\n'
    assert HTTP_RESPONSE(payload={}).clean_payload() == b'{}'


@pytest.fixture
def request_(tmp_path: Path) -> SimpleNamespace:
    root = tmp_path / 'root'
    (root / 'img').mkdir(parents=True)
    (root / 'page.html').write_bytes(b'0123456789')
    (root / 'img' / 'a.png').write_bytes(b'png')
    (root / 'leak').symlink_to(tmp_path / 'secret.txt')
    (tmp_path / 'secret.txt').write_bytes(b'secret')
    return SimpleNamespace(web_root=str(root))


@pytest.mark.parametrize(
    ('path', 'found', 'mime', 'size'),
    [
        ('page.html', 'page.html', 'text/html', 10),
        ('/page.html', 'page.html', 'text/html', 10),
        ('/img/a.png', 'img/a.png', 'image/png', 3),
        (Path('img/a.png'), 'img/a.png', 'image/png', 3),
        (b'page.html', 'page.html', 'text/html', 10),
        ('nothing', 'nothing', 'application/octet-stream', -1),
        ('../secret.txt', '../secret.txt', 'text/plain', -1),
        ('leak', 'leak', 'application/octet-stream', -1),
    ],
)
def test_c8_3_a_file_below_web_root(
    request_: Any, path: Any, found: str, mime: str, size: int
) -> None:
    with FILE(request_, path) as file:
        assert file.path == str(
            (Path(request_.web_root) / found).parent.resolve() / Path(found).name
        )
        assert (file.mime, file.size) == (mime, size)
        assert file.headers == {'Content-Type': mime, 'Content-Length': str(max(size, 0))}
        if size < 0:
            with pytest.raises(OSError, match=r'outside|No such file'):
                _ = file.data
        else:
            assert len(file.data) == size


def test_c8_3_an_absolute_path_below_web_root_stays(request_: Any) -> None:
    path = str(Path(request_.web_root) / 'page.html')
    assert FILE(request_, path).path == path


def test_c8_3_chunks_from_a_start_on(request_: Any) -> None:
    with STREAM_CHUNKED(request_, 'page.html', start=2, chunksize=3) as file:
        assert file.headers['Content-Length'] == '8'
        assert file.chunk == b'234'
        assert list(file) == [b'567', b'89']
        assert file.chunk == b''
    assert file.chunk == b'234'
    file.close()


@pytest.mark.parametrize('body', ['hello', b'hello'])
def test_c8_3_a_body_in_the_place_of_the_headers_is_told(body: Any) -> None:
    with pytest.raises(
        TypeError, match=r'headers: expected a dict, .*`HTTP_RESPONSE\(payload=…\)`'
    ):
        HTTP_RESPONSE(body)


def test_a_name_of_other_frameworks_is_pointed_at(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level('WARNING', 'slimHTTP'):
        response = HTTP_RESPONSE(status=404, body=b'x', own=1)
    assert response.kwargs == {'status': 404, 'body': b'x', 'own': 1}
    assert sorted(record.getMessage() for record in caplog.records) == [
        'HTTP_RESPONSE: `body` sends nothing (it is kept in `kwargs`); did you mean `payload`?',
        'HTTP_RESPONSE: `status` sends nothing (it is kept in `kwargs`); did you mean `ret_code`?',
    ]
