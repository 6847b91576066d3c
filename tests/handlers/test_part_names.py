"""C8.2: what the parts of a form are called, and that no name touches what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import Log, Serving, serving

of = pytest.mark.parametrize

MULTIPART = b'multipart/form-data; boundary=B'

#: Every byte there is, and what looks like a delimiter.
CONTENT = bytes(range(256)) * 3 + b'\r\n--Bx\r\n--\r\n'


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    limits: dict[str, Any] = {'form_memory': '4KiB', 'debug': True}
    with serving(vhosts={'few': limits}) as site:

        @site.http.route('/form')
        @site.http.route('/form', vhost='few')
        @site.http.route('/streamed', vhost='few', stream=True)
        def form(request):
            files = [
                [name, file.filename, file.content_type, file.read() == CONTENT]
                for name, file in request.files.pairs()
            ]
            return {'fields': [list(pair) for pair in request.form.pairs()], 'files': files}

        yield site


def part(disposition: bytes, content: bytes = b'', *lines: bytes) -> bytes:
    head = [b'--B', b'Content-Disposition: ' + disposition, *lines, b'', b'']
    return b'\r\n'.join(head) + content + b'\r\n'


def post(site: Serving, *parts: bytes, host: str = 'other.example') -> Any:
    kind = {'Content-Type': 'multipart/form-data; boundary=B'}
    with site.client() as client:
        return client.request('POST', '/form', kind, b''.join(parts) + b'--B--\r\n', host=host)


@of(
    ('disposition', 'name', 'filename'),
    [
        (b'form-data; name="f"; filename="a.txt"', 'f', 'a.txt'),
        (b'form-data; name="filename"; filename="name"', 'filename', 'name'),
        (b'form-data; name="my filename="; filename="a"', 'my filename=', 'a'),
        (b'form-data; filename="name=x"; name="f"', 'f', 'name=x'),
        (b'form-data; name="f"; filename="\xe4.txt"', 'f', '\ufffd.txt'),
        (b'form-data; name="\xe4"; filename="a"', '\ufffd', 'a'),
        (b'form-data; name="f"; filename*=utf-8\'\'%C3%A4.txt', 'f', '\u00e4.txt'),
        (b"form-data; filename*=utf-8''%C3%A4; name=f; filename=x", 'f', '\u00e4'),
        (b'form-data; name="f"; filename="a%22b%0D%0Ac"', 'f', 'a"b\r\nc'),
        (b'form-data; name="f"; filename="a\\"', 'f', 'a\\'),
        (b'form-data; name="f\\"; filename="a"', 'f\\', 'a'),
        (b'form-data; name="f"; filename="a\\"; name=\\"b"', 'f', 'a"; name="b'),
        (b'form-data; Name="f"; FILENAME="C:\\dir\\a"', 'f', 'C:\\dir\\a'),
        (b'form-data; name="f"; filename=""', 'f', ''),
    ],
)
def test_c8_2_an_upload_is_one_however_it_is_called(
    site: Serving, disposition: bytes, name: str, filename: str
) -> None:
    response = post(
        site, part(disposition, CONTENT, b'Content-Type: x/y'), part(b'x; name=a', b'1')
    )
    assert response.json() == {'fields': [['a', '1']], 'files': [[name, filename, 'x/y', True]]}


def test_c8_2_the_charset_of_a_form(site: Serving) -> None:
    response = post(
        site,
        part(b'form-data; name="\xe4"', b'\x80'),
        part(b'form-data; name="f"; filename="\xfc"', CONTENT),
        part(b'form-data; name="_charset_"', b'iso-8859-1'),
    )
    assert response.json() == {
        'fields': [['\u00e4', '\u20ac'], ['_charset_', 'iso-8859-1']],
        'files': [['f', '\u00fc', 'application/octet-stream', True]],
    }


LONG = b'x' * 1500


@of(
    'parts',
    [
        [part(b'form-data; name="' + LONG + b'"')] * 3,
        [part(b'form-data; name="a"', LONG)] * 3,
        [part(b'form-data; name="f"; filename="' + LONG + b'"')] * 2,
        [part(b'form-data; name="f"; filename=""', b'', b'X: ' + LONG)] * 3,
        [part(b'form-data; name="f"; filename=""', b'', b'X: ' + LONG * 3)],
        [part(b'form-data; name="f"; filename=""', b'', *[b'X: y'] * 16)],
    ],
    ids=['field names', 'fields', 'upload names', 'headers', 'one header', 'many fields'],
)
def test_c8_2_all_texts_of_a_form_are_counted(site: Serving, parts: list[bytes]) -> None:
    with Log() as log:
        assert post(site, *parts, host='few').status == 413
    log.wait_for('ContentTooLarge')
    assert post(site, *parts[:1][: len(parts) - 1], host='few').status == 200


@of(
    ('kind', 'body', 'fault'),
    [
        (b'application/x-www-form-urlencoded', b'a=' + b'x' * 9000 + b'&b=1', 'ContentTooLarge'),
        (MULTIPART, part(b'x; name=a', LONG * 9) + b'--B--', 'ContentTooLarge'),
        (MULTIPART, b'--B\r\nX: y\r\n\r\n' + part(b'x; name=a') + b'--B--', 'MalformedContent'),
    ],
)
def test_c8_2_a_form_that_was_none_is_none_when_asked_again(
    site: Serving, kind: bytes, body: bytes, fault: str
) -> None:
    @site.http.route('/again', stream=True, vhost='few')
    def again(request):
        told = []
        for attribute in ('form', 'files', 'form'):
            try:
                told.append(str(getattr(request, attribute)))
            except slimHTTP.ContentError as error:
                told.append(f'{type(error).__name__}: {error}')
        return told

    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    with site.client() as client:
        fields = {'Content-Type': kind.decode()}
        told = client.request('POST', '/again', fields, pieces, host='few').json()
    assert told[0].startswith(fault)
    assert told == [told[0]] * 3


@of('folder', ['/nowhere/at/all', '/proc'])
def test_c8_2_a_disk_that_takes_no_upload_is_named(
    site: Serving, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = part(b'form-data; name="f"; filename="x"', b'x' * 10_000)
    monkeypatch.setenv('TMPDIR', folder)
    with Log() as log, site.client() as client:
        kind = {'Content-Type': 'multipart/form-data; boundary=B'}
        body = upload + b'--B--\r\n'
        response = client.request('POST', '/form', kind, body, host='few')
        assert response.status == 500
        assert folder in response.text
        assert 'folder for temporary files' in response.text
        # The connection goes on, and what needs no disk does too.
        response = client.request('POST', '/form', kind, b'--B--', host='few')
        assert response.json() == {'fields': [], 'files': []}
        # So it is where more is still coming.
        more = [upload, b'y' * 100_000]
        response = client.request('POST', '/streamed', kind, more, host='few')
        assert (response.status, folder in response.text) == (500, True)
    log.wait_for(f"Error: .*folder for temporary files: .*: '{folder}'")
