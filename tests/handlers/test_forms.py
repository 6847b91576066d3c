"""C8.2: forms and uploads, cookies, and who asks behind a proxy."""

from __future__ import annotations

import datetime
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import slimHTTP
from slimHTTP import HTTP_RESPONSE, MultiDict
from support import PATIENCE, Log, Serving, serving
from support.sites import ask_handler

of = pytest.mark.parametrize

URLENCODED = 'application/x-www-form-urlencoded'
MULTIPART = 'multipart/form-data; boundary=B'


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    limits: dict[str, Any] = {'form_memory': '4KiB', 'form_parts': 20}
    with serving(trusted_proxies=['127.0.0.1'], vhosts={'few': limits}) as site:
        yield site


def part(name: str, value: bytes, filename: Optional[str] = None, *fields: str) -> bytes:
    """One part of a multipart form."""
    more = '' if filename is None else f'; filename="{filename}"'
    head = [f'Content-Disposition: form-data; name="{name}"{more}', *fields, '', '']
    return b'--B\r\n' + '\r\n'.join(head).encode() + value + b'\r\n'


def multipart(*parts: bytes) -> bytes:
    return b''.join(parts) + b'--B--\r\n'


def asked(
    site: Serving,
    look: Callable[[Any], Any],
    body: Any,
    kind: str = MULTIPART,
    *,
    stream: bool = False,
    host: str = 'other.example',
) -> Any:
    """What `look` says of a request with this body; the response where it fails."""
    seen: list[Any] = []

    def handler(request):
        seen.append(look(request))
        return 'seen'

    vhost = None if host == 'other.example' else host
    site.http.route('/form', stream=stream, vhost=vhost)(handler)
    with site.client() as client:
        response = client.request('POST', '/form', {'Content-Type': kind}, body, host=host)
    return seen[0] if response.status == 200 else response


def told(request: Any) -> Any:
    files = [
        (name, file.filename, file.content_type, file.read())
        for name, file in request.files.pairs()
    ]
    return list(request.form.pairs()), files


WHOLE_AND_STREAMED = of('stream', [False, True])
IN_CHUNKS = of('step', [0, 1, 7, 1000])


def sent(body: bytes, step: int) -> Any:
    return [body[at : at + step] for at in range(0, len(body), step)] if step else body


@WHOLE_AND_STREAMED
@IN_CHUNKS
@of(
    ('kind', 'body', 'fields', 'files'),
    [
        (URLENCODED, b'a=1&b=%C3%A4+x&a=2', [('a', '1'), ('a', '2'), ('b', '\u00e4 x')], []),
        (URLENCODED, b'', [], []),
        (
            MULTIPART,
            multipart(
                part('a', b'1'),
                part('f', b'\x00\xff\r\n', 'p.png', 'Content-Type: image/png'),
                part('b', '\u00e4'.encode()),
                part('f', b'', ''),
            ),
            [('a', '1'), ('b', '\u00e4')],
            [
                ('f', 'p.png', 'image/png', b'\x00\xff\r\n'),
                ('f', '', 'application/octet-stream', b''),
            ],
        ),
        (MULTIPART, multipart(), [], []),
        ('text/plain', b'a=1', [], []),
        ('application/json', b'{"a": 1}', [], []),
    ],
)
def test_c8_2_forms(
    site: Serving, kind: str, body: bytes, fields: Any, files: Any, step: int, stream: bool
) -> None:
    assert asked(site, told, sent(body, step), kind, stream=stream) == (fields, files)


def test_c8_2_a_form_is_a_mapping_of_first_values(site: Serving) -> None:
    def look(request):
        form = request.form
        assert form is request.form
        with pytest.raises(KeyError):
            form['c']
        with pytest.raises(TypeError):
            form['c'] = '1'
        return [
            form['a'],
            form.getlist('a'),
            form.getlist('c'),
            form.get('c'),
            form.get('b', type=int),
            form.get('a', 7, type=int),
            dict(form),
            len(form),
            'b' in form,
            form == MultiDict([('a', 'x'), ('b', '3')]),
        ]

    assert asked(site, look, b'a=x&b=3&a=y', URLENCODED) == [
        'x', ['x', 'y'], [], None, 3, 7, {'a': 'x', 'b': '3'}, 2, True, True,
    ]  # fmt: skip


@WHOLE_AND_STREAMED
@of('size', [0, 10, 4096, 5000, 1_000_000])
def test_c8_2_an_upload_is_a_file(site: Serving, size: int, stream: bool, tmp_path: Path) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]

    def look(request):
        file = request.files['f']
        assert isinstance(file, io.BufferedReader)
        assert (file.size, file.filename) == (size, 'data.bin')
        assert file.headers['content-type'] == 'x/y'
        assert file.read() == data
        assert file.seek(-min(3, size), os.SEEK_END) == max(0, size - 3)
        assert file.read(2) == data[-3:][:2]
        file.seek(0)
        assert b''.join(file) == data
        at = file.tell()
        assert file.save(tmp_path / 'named') == os.fspath(tmp_path / 'named')
        assert file.save(tmp_path) == os.fspath(tmp_path / 'data.bin')
        target = io.BytesIO()
        assert file.save(target) is target
        assert file.tell() == at
        return target.getvalue()

    body = multipart(
        part('other', b'x' * 3000, 'other'),
        part('f', data, 'data.bin', 'Content-Type: x/y'),
        part('last', b'y' * 3000, 'last'),
    )
    assert asked(site, look, body, stream=stream, host='few') == data
    assert (tmp_path / 'named').read_bytes() == (tmp_path / 'data.bin').read_bytes() == data


def test_c8_2_an_upload_can_be_given_to_libraries(site: Serving) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as archive:
        archive.writestr('a.txt', 'inside' * 2000)

    def look(request):
        with zipfile.ZipFile(request.files['f']) as archive:
            return archive.read('a.txt')[:6]

    body = multipart(part('x', b'x' * 4090, 'x'), part('f', packed.getvalue(), 'a.zip'))
    assert asked(site, look, body, host='few') == b'inside'


def test_c8_2_uploads_outlive_their_request_and_free_their_file(site: Serving) -> None:
    kept: list[Any] = []

    def descriptors() -> int:
        return len(os.listdir('/proc/self/fd'))

    parts = [part('f', b'%d' % number * 5000, 'x') for number in range(10)]
    asked(site, lambda request: None, b'', URLENCODED, host='few')
    before = descriptors()
    asked(
        site, lambda request: kept.extend(request.files.getlist('f')), multipart(*parts), host='few'
    )
    assert descriptors() - before <= 2, 'one file for all uploads of a form, and the connection'
    assert [file.read()[:1] for file in kept] == [b'%d' % number for number in range(10)]
    kept.clear()


@of(
    ('filename', 'safe'),
    [
        ('photo.jpg', 'photo.jpg'),
        ('\u00e4 \u00f6.txt', '\u00e4 \u00f6.txt'),
        ('../../etc/passwd', 'passwd'),
        ('..\\..\\boot.ini', 'boot.ini'),
        ('C:\\Users\\me\\a b.txt', 'a b.txt'),
        ('/etc/', 'upload'),
        ('..', 'upload'),
        ('.', 'upload'),
        ('', 'upload'),
        ('.htaccess', 'htaccess'),
        ('a\tb', 'ab'),
        ('x' * 300 + '.png', 'x' * 251 + '.png'),
        ('\u00e4' * 200 + '.png', '\u00e4' * 125 + '.png'),
        ('a.' + 'x' * 300, ('a.' + 'x' * 300)[:255]),
    ],
)
def test_c8_2_a_safe_filename_leads_nowhere(site: Serving, filename: str, safe: str) -> None:
    def look(request):
        file = request.files['f']
        return file.filename, file.safe_filename

    assert asked(site, look, multipart(part('f', b'', filename))) == (filename, safe)


@WHOLE_AND_STREAMED
@of(
    ('kind', 'body', 'status', 'why'),
    [
        ('multipart/form-data', b'', 400, 'needs a boundary'),
        (f'multipart/form-data; boundary={"x" * 71}', b'', 400, 'needs a boundary'),
        (MULTIPART, b'', 400, 'ends before its last boundary'),
        (MULTIPART, b'nothing of the kind', 400, 'ends before its last boundary'),
        (MULTIPART, part('a', b'1'), 400, 'ends before its last boundary'),
        (MULTIPART, multipart(part('a', b'1', None, 'no field')), 400, 'malformed'),
        (
            MULTIPART,
            b'--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n',
            400,
            'has no name',
        ),
        (MULTIPART, multipart(*[part('a', b'')] * 10_000), 413, ''),
        (MULTIPART, multipart(part('a', b'x' * 5000)), 413, ''),
        (MULTIPART, b'--B\r\n' + b'X: y\r\n' * 20_000, 413, ''),
        (URLENCODED, b'a=' + b'x' * 5000, 413, ''),
        (URLENCODED, b'a=1&' * 21, 413, ''),
    ],
)
def test_c8_2_a_malformed_form_is_the_clients_fault(
    site: Serving, kind: str, body: bytes, status: int, why: str, stream: bool
) -> None:
    with Log() as log:
        response = asked(site, lambda request: request.form, body, kind, stream=stream, host='few')
    assert response.status == status
    assert why in response.text
    assert 'Traceback' not in log.text
    log.wait_for('MalformedContent' if status == 400 else 'ContentTooLarge')


@of('which', ['form', 'files'])
def test_c8_2_a_missing_field_is_the_clients_fault(site: Serving, which: str) -> None:
    with Log() as log:
        response = asked(site, lambda request: getattr(request, which)['b'], b'a=1', URLENCODED)
    assert response.status == 400
    assert 'the form has no field `b`' in response.text
    assert 'Traceback' not in log.text


def test_c8_2_a_handler_may_catch_a_malformed_form(site: Serving) -> None:
    def look(request):
        with pytest.raises(slimHTTP.MalformedContent) as caught:
            request.files  # noqa: B018 - reading it is what fails
        return str(caught.value)

    assert 'ends before' in asked(site, look, b'nothing')


# Cookies


def ask_cookies(site: Serving, *lines: str) -> dict[str, str]:
    seen: list[dict[str, str]] = []
    fields = [('Cookie', line) for line in lines]
    ask_handler(site, lambda request: seen.append(request.cookies) or 'ok', fields=fields)
    return seen[0]


def test_c8_2_cookies_are_read(site: Serving) -> None:
    assert ask_cookies(site) == {}
    assert ask_cookies(site, 'a=1; b="x y"; a=2; c=d=e') == {'a': '1', 'b': '"x y"', 'c': 'd=e'}
    assert ask_cookies(site, 'a=1', 'b=2') == {'a': '1', 'b': '2'}


HOUR = datetime.timedelta(hours=1)


@of(
    ('arguments', 'options', 'field'),
    [
        (('a', 'b'), {}, 'a=b; Path=/; HttpOnly; SameSite=Lax'),
        (('a',), {'httponly': False, 'samesite': None, 'path': None}, 'a='),
        (('a', 'x y'), {'max_age': 60}, 'a=x y; Max-Age=60; Path=/; HttpOnly; SameSite=Lax'),
        (
            ('a', 'b'),
            {'max_age': HOUR, 'domain': 'example.com', 'path': '/p', 'secure': True, 'samesite': 'none'},
            'a=b; Max-Age=3600; Domain=example.com; Path=/p; Secure; HttpOnly; SameSite=None',
        ),
        (('__Host-a', 'b'), {'secure': True}, '__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax'),
    ],
)  # fmt: skip
def test_c8_2_cookies_are_set(site: Serving, arguments: Any, options: Any, field: str) -> None:
    def by_request(request):
        request.set_cookie(*arguments, **options)
        return 'ok'

    def by_response(request):
        return HTTP_RESPONSE(payload='ok').set_cookie(*arguments, **options)

    for handler in (by_request, by_response):
        assert ask_handler(site, handler).headers.all('set-cookie') == [field]


@of(
    ('arguments', 'options'),
    [
        (('a;b', 'c'), {}),
        (('', 'c'), {}),
        (('a=b', 'c'), {}),
        (('\u00e4', 'c'), {}),
        (('a', 'b;c'), {}),
        (('a', 'b\r\nX: y'), {}),
        (('a', 'b\x00'), {}),
        (('a', ' b'), {}),
        (('a', 'b'), {'path': '/;x'}),
        (('a', 'b'), {'domain': 'a\nb'}),
        (('a', 'b'), {'samesite': 'perhaps'}),
        (('a', 'b'), {'samesite': 'None'}),
        (('__Secure-a', 'b'), {}),
        (('__Host-a', 'b'), {'secure': True, 'domain': 'a.example'}),
    ],
)
def test_c8_2_what_would_break_a_cookie_is_refused(
    site: Serving, arguments: Any, options: Any
) -> None:
    def handler(request):
        for target in (request, HTTP_RESPONSE()):
            with pytest.raises(ValueError, match='expected'):
                target.set_cookie(*arguments, **options)
        return 'ok'

    response = ask_handler(site, handler)
    assert (response.text, response.headers.all('set-cookie')) == ('ok', [])


def test_c8_2_several_cookies_are_several_fields(site: Serving) -> None:
    def handler(request):
        request.response_headers['set-cookie'] = 'old=1'
        request.set_cookie('a', '1', httponly=False, samesite=None, path=None)
        request.delete_cookie('b', path='/x')
        response = HTTP_RESPONSE(payload='ok')
        return response.set_cookie('c', '3', httponly=False, samesite=None).delete_cookie('d')

    gone = 'Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path={}; HttpOnly; SameSite=Lax'
    assert sorted(ask_handler(site, handler).headers.all('set-cookie')) == [
        'a=1',
        'b=; ' + gone.format('/x'),
        'c=3; Path=/',
        'd=; ' + gone.format('/'),
        'old=1',
    ]


# Who asks

FORWARDED = [
    ('X-Forwarded-For', '203.0.113.7'),
    ('X-Forwarded-Proto', 'https'),
    ('X-Forwarded-Host', 'shop.example'),
]


@of(
    ('trusted', 'fields', 'expected'),
    [
        (True, [], ['127.0.0.1', 'http', 'h:81', 'http://h:81/a%20b', 'http://h:81/a%20b?x=%20']),
        (
            True,
            FORWARDED,
            [
                '203.0.113.7',
                'https',
                'shop.example',
                'https://shop.example/a%20b',
                'https://shop.example/a%20b?x=%20',
            ],
        ),
        (
            False,
            FORWARDED,
            ['127.0.0.1', 'http', 'h:81', 'http://h:81/a%20b', 'http://h:81/a%20b?x=%20'],
        ),
    ],
)
def test_c8_2_who_asks_behind_a_proxy(trusted: bool, fields: Any, expected: list[str]) -> None:
    with serving(trusted_proxies='127.0.0.0/8' if trusted else []) as site:

        @site.http.route('/a b')
        def handler(request):
            assert request.CLIENT_IDENTITY.address == '127.0.0.1'
            names = ('remote', 'scheme', 'host', 'base_url', 'full_url')
            return [getattr(request, name) for name in names]

        with site.client() as client:
            response = client.request('GET', '/a%20b?x=%20', fields, host='h:81')
    assert response.json() == expected


def test_c8_2_a_proxy_of_ours_tells_who_asks() -> None:
    with serving(trusted_proxies=['127.0.0.1']) as behind:
        behind.http.route('/', prefix=True)(lambda request: request.remote)
        proxy = f'127.0.0.1:{behind.http.port}'
        with serving(vhosts={'p': {'proxy': proxy}}, trusted_proxies=['127.0.0.1']) as front:
            with front.client(timeout=PATIENCE) as client:
                fields = {'X-Forwarded-For': '198.51.100.1'}
                assert client.request('GET', '/', fields, host='p').text == '198.51.100.1'
