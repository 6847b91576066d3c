"""C5.3 and C5.4: folders, redirects, ranges and conditions, by every entry point."""

from __future__ import annotations

import time
from email.utils import formatdate, parsedate_to_datetime

import pytest
from support import Client, tree

FILES = {
    'root': {
        'index.html': '<p>front',
        'folder': {'index.html': '<p>folder', 'other.txt': 'other'},
        'two words': {'index.html': '<p>two words'},
        'empty folder': {'file.txt': 'x'},
        'deep': {'er': {'file.txt': 'x'}},
        'nothing.bin': b'',
        'digits.txt': '0123456789',
        'plain.txt': 'plain',
        'page.html': '<p>page',
        'style.css': 'p {}',
        'script.js': 'x',
        'data.json': '{}',
        'image.png': b'\x89PNG',
        'vector.svg': '<svg/>',
        'mod.wasm': b'\0asm',
        'unknown.zzz': b'\xff\x00',
        'UPPER.HTML': '<p>upper',
        'big.bin': bytes(range(256)) * 4096,
    },
}
CONFIG = {'web_root': 'root'}
of = pytest.mark.parametrize


@pytest.fixture
def files(site):
    return site(CONFIG, FILES)


# C5.3


@of(
    ('target', 'body'),
    [
        ('/', '<p>front'),
        ('/folder/', '<p>folder'),
        ('/two%20words/', '<p>two words'),
        ('/?x=1', '<p>front'),
    ],
)
def test_c5_3_a_folder_is_answered_by_its_index(files, target: str, body: str) -> None:
    response = files.get(target)
    assert (response.status, response.text) == (200, body)
    assert response.headers['Content-Type'] == 'text/html; charset=utf-8'


@of(
    ('target', 'location'),
    [
        ('/folder', '/folder/'),
        ('/folder?', '/folder/'),
        ('/folder?a=b&c=%20d', '/folder/?a=b&c=%20d'),
        ('/folder?next=http://b.example/', '/folder/?next=http://b.example/'),
        ('/two%20words', '/two%20words/'),
        ('/two%20words?q', '/two%20words/?q'),
    ],
)
@of('method', ['GET', 'HEAD'])
def test_c5_3_without_the_slash_it_redirects(
    files, method: str, target: str, location: str
) -> None:
    with files.client() as client:
        response = client.request(method, target, host='a.example')
        assert response.status == 301
        found = response.headers['Location']
        if found.startswith('http://a.example'):
            found = found[len('http://a.example') :]
        assert found in (location, location + '?' * target.endswith('?'))


@of(
    'target',
    [
        '//folder',
        '///folder',
        '//b.example',
        '//b.example/..',
        '/%2fb.example',
        '//b.example%2f..',
        '/\\b.example',
        '/%5cb.example',
    ],
)
def test_c5_3_a_redirect_leads_to_no_other_host(files, target: str) -> None:
    response = files.get(target, host='a.example')
    location = response.headers.get('Location', '/')
    assert not location.startswith(('//', '/\\', '/%5c', 'http://b', 'https://b')), response


@of('target', ['/empty%20folder/', '/empty%20folder', '/deep/', '/deep/er/'])
def test_c5_3_no_index_is_404_and_no_listing(files, target: str) -> None:
    with files.client() as client:
        response = client.get(target)
        if response.status == 301:
            response = client.get(response.headers['Location'])
        assert response.status == 404
        assert b'file.txt' not in response.body


def test_c5_3_the_first_index_that_exists_answers(site) -> None:
    listed = site(
        {'web_root': 'root', 'index': ['first.html', 'second.htm', 'third.txt']},
        {'root': {'third.txt': 'third', 'a': {'second.htm': 'second', 'third.txt': 'third'},
                  'b': {'first.html': 'first', 'second.htm': 'second'}, 'c': {'index.html': 'no index here'},
                  'd': {'first.html': {'file': 'a folder is no index'}, 'third.txt': 'third'}}},
    )  # fmt: skip
    with listed.client() as client:
        assert client.get('/').text == 'third'
        assert client.get('/a/').text == 'second'
        assert client.get('/b/').text == 'first'
        assert client.get('/c/').status == 404
        assert client.get('/d/').text == 'third'


def test_c5_3_a_root_that_does_not_exist_is_404_until_it_does(site) -> None:
    late = site({'web_root': 'late'}, {'mark': 'late'}, fresh=True)
    assert late.get('/').status == 404
    assert late.get('/file.txt').status == 404
    tree(late.folder / 'late', {'index.html': 'here now'})
    assert late.get('/').text == 'here now'


# C5.4, the basics


@of(
    ('wanted', 'status', 'body', 'content_range'),
    [
        ('bytes=-3', 206, '789', 'bytes 7-9/10'),
        ('bytes=0-0', 206, '0', 'bytes 0-0/10'),
        ('bytes=2-4', 206, '234', 'bytes 2-4/10'),
        ('bytes=7-', 206, '789', 'bytes 7-9/10'),
        ('bytes=5-100', 206, '56789', 'bytes 5-9/10'),
        ('bytes=-100', 206, '0123456789', 'bytes 0-9/10'),
        ('bytes=10-', 416, None, 'bytes */10'),
        ('bytes=100-200', 416, None, 'bytes */10'),
        ('bytes=-0', 416, None, 'bytes */10'),
        ('bytes=4-2', 200, '0123456789', None),
        ('bytes=a-b', 200, '0123456789', None),
        ('bytes=', 200, '0123456789', None),
        ('lines=1-2', 200, '0123456789', None),
        ('bytes 1-2', 200, '0123456789', None),
    ],
)
def test_c5_4_ranges(files, wanted: str, status: int, body, content_range) -> None:
    with files.client() as client:
        response = client.get('/digits.txt', Range=wanted)
        assert response.status == status, response
        assert response.headers.get('Content-Range') == content_range
        if body is not None:
            assert response.text == body
        whole = client.get('/digits.txt')
        assert whole.text == '0123456789'
        assert whole.headers['Accept-Ranges'] == 'bytes'


def test_c5_4_validators_and_conditions(files) -> None:
    with files.client() as client:
        first = client.get('/digits.txt')
        etag, modified = first.headers['ETag'], first.headers['Last-Modified']
        assert etag.startswith(('"', 'W/"'))
        assert etag.endswith('"')
        assert parsedate_to_datetime(modified).timestamp() <= time.time() + 1
        old, new = formatdate(0, usegmt=True), formatdate(time.time() + 86400, usegmt=True)
        for fields, status in [
            ({'If-None-Match': etag}, 304),
            ({'If-None-Match': f'"x", {etag}'}, 304),
            ({'If-None-Match': '*'}, 304),
            ({'If-None-Match': '"x"'}, 200),
            ({'If-Modified-Since': modified}, 304),
            ({'If-Modified-Since': old}, 200),
            ({'If-Modified-Since': 'no date'}, 200),
            ({'If-None-Match': '"x"', 'If-Modified-Since': modified}, 200),
            ({'If-None-Match': etag, 'If-Modified-Since': old}, 304),
            ({'If-Match': '"x"'}, 412),
            ({'If-Match': '*'}, 200),
            ({'If-Unmodified-Since': old}, 412),
            ({'If-Unmodified-Since': new}, 200),
            ({'Range': 'bytes=0-1', 'If-Range': '"x"'}, 200),
        ]:
            response = client.request('GET', '/digits.txt', fields)
            assert response.status == status, (fields, response)
            if status == 304:
                assert response.body == b''
                assert response.headers['ETag'] == etag


def test_c5_4_an_edit_changes_the_etag(site) -> None:
    edited = site(CONFIG, {'root': {'file.txt': 'first'}}, fresh=True)
    with edited.client() as client:
        etags = []
        for text in ('first', 'other', 'third'):  # Of one length, within one second.
            (edited.folder / 'root' / 'file.txt').write_text(text)
            etags.append(client.get('/file.txt').headers['ETag'])
        assert len(set(etags)) == 3
        assert client.get('/file.txt', If_None_Match=etags[0]).status == 200


@of(
    'target',
    [
        '/',
        '/digits.txt',
        '/big.bin',
        '/nothing.bin',
        '/missing',
        '/folder',
        '/folder/',
        '/image.png',
    ],
)
def test_c5_4_head_is_get_without_a_body(files, target: str) -> None:
    with files.client() as client:
        full, bare = client.get(target), client.request('HEAD', target)
        assert bare.status == full.status
        assert bare.body == b''
        # A length may be left out (RFC 9110 section 9.3.2); it may not be wrong.
        ignored = {'date'} | ({'content-length'} if 'content-length' not in bare.headers else set())
        fields = [
            sorted(
                (name.lower(), value)
                for name, value in one.headers.fields
                if name.lower() not in ignored
            )
            for one in (full, bare)
        ]
        assert fields[0] == fields[1]


@of(
    ('target', 'kind'),
    [
        ('/page.html', 'text/html; charset=utf-8'),
        ('/UPPER.HTML', 'text/html; charset=utf-8'),
        ('/style.css', 'text/css; charset=utf-8'),
        ('/plain.txt', 'text/plain; charset=utf-8'),
        ('/script.js', 'text/javascript; charset=utf-8'),
        ('/image.png', 'image/png'),
        ('/mod.wasm', 'application/wasm'),
        ('/unknown.zzz', 'application/octet-stream'),
        ('/big.bin', 'application/octet-stream'),
    ],
)
def test_c5_4_content_types(files, target: str, kind: str) -> None:
    assert files.get(target).headers['Content-Type'] == kind


def test_c5_4_json_and_svg_have_their_types(files) -> None:
    assert files.get('/data.json').headers['Content-Type'].startswith('application/json')
    assert files.get('/vector.svg').headers['Content-Type'].startswith('image/svg+xml')


def test_c5_4_every_answer_has_a_date(files) -> None:
    for target in ('/', '/missing', '/folder'):
        date = parsedate_to_datetime(files.get(target).headers['Date']).timestamp()
        assert abs(date - time.time()) < 60


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(files) -> None:
    for _ in range(10):
        client = Client(files.address)
        client.send('GET', '/big.bin')
        client.read_head()
        client.reset()
    assert files.get('/digits.txt').text == '0123456789'
