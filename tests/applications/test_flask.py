"""An application of Flask over WSGI: streams, links below a prefix, uploads, files with ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Process, wait_until
from support.frameworks import TLS, hosting, upload, visitor

FILE = bytes(range(256)) * 12_000


def mount(folder: Path, **options: Any) -> dict[str, Any]:
    """The application, with a file that it sends."""
    (folder / 'film.mp4').write_bytes(FILE)
    return {'app': 'flask_shop:app', 'app_env': {'FLASK_FILE': str(folder / 'film.mp4')}, **options}


@pytest.fixture(scope='module')
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp('site')
    mounts = {'/': mount(folder, private_root=str(folder))}
    with hosting(folder, mounts, python_threads=4, max_body='32MiB') as site:
        yield site


def test_flask_says_hello(shop: Process) -> None:
    answer = shop.get('/')
    assert (answer.status, answer.text) == (200, 'Hello from Flask\n')
    assert answer.headers['content-type'] == 'text/html; charset=utf-8'
    with shop.client() as client:
        answer = client.request('HEAD', '/')
        assert (answer.status, answer.body) == (200, b'')
        assert answer.headers['content-length'] == '17'
        answer = client.request('DELETE', '/')
        assert answer.status == 405
        assert set(answer.headers['allow'].split(', ')) == {'GET', 'HEAD', 'OPTIONS'}


def test_a_stream_has_its_request_and_comes_as_it_is_made(shop: Process) -> None:
    with shop.client() as client, shop.client() as other:
        client.send('GET', '/stream?name=Ada')
        assert client.read_head().headers['transfer-encoding'] == 'chunked'
        assert client.read_chunk()[0] == b'first Ada\n'
        assert 'Ada' not in other.get('/ended').json()
        assert other.request('POST', '/release').text == 'released\n'
        assert client.read_chunk()[0] == b'second Ada\n'
        assert client.read_chunk()[0] == b''
        wait_until(lambda: 'Ada' in other.get('/ended').json(), 'the end of the stream')


def test_a_stream_ends_when_its_client_leaves(shop: Process) -> None:
    with shop.client() as other:
        with shop.client() as leaving:
            leaving.send('GET', '/endless?name=Bob')
            assert leaving.read_head().status == 200
            assert leaving.read_chunk()[0]
        wait_until(lambda: 'Bob' in other.get('/ended').json(), 'the end of the stream')


def test_flask_sees_the_request_as_it_came(shop: Process) -> None:
    answer = shop.get('/seen/a%20b/%C3%A9?x=1&y=%26', host='shop.example', User_Agent='é').json()
    assert answer == {
        'rest': 'a b/é',
        'path': '/seen/a b/é',
        'script_name': '',
        'url': 'http://shop.example/seen/a%20b/é?x=1&y=%26',
        'query': {'x': '1', 'y': '&'},
        'agent': 'é',
        'client': '127.0.0.1',
        'hello': '/',
        'link': 'http://shop.example/seen/a%20b',
        'multithread': True,
    }


def test_c11_1_links_of_flask_begin_with_the_prefix(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/shop/eu': mount(tmp_path)}) as site:
        answer = site.get('/shop/eu/seen/x', host='shop.example').json()
        assert (answer['script_name'], answer['path']) == ('/shop/eu', '/seen/x')
        assert answer['hello'] == '/shop/eu/'
        assert answer['link'] == 'http://shop.example/shop/eu/seen/a%20b'
        assert answer['url'] == 'http://shop.example/shop/eu/seen/x'
        assert site.get('/shop/eu/').text == 'Hello from Flask\n'
        # A cookie of the session is for the prefix.
        assert 'Path=/' in site.get('/shop/eu/visits').headers['set-cookie']
        for other in ('/shop', '/shop/europe', '/seen/x'):
            assert site.get(other).status == 404


def test_flask_reads_an_upload(shop: Process) -> None:
    content = FILE * 3
    with visitor(shop) as ada:
        answer = ada.post('/upload', **upload(content)).json()
    digest = hashlib.sha256(content).hexdigest()
    assert answer == {'sha256': digest, 'size': len(content), 'note': 'with a note'}


def test_flask_reads_a_body_without_a_length(shop: Process) -> None:
    with shop.client() as client:
        body = (b'x' * 65_536 for _ in range(64))
        assert client.request('POST', '/count', body=body).json() == {'bytes': 64 * 65_536}
        assert client.request('POST', '/count', body=b'').json() == {'bytes': 0}


@pytest.mark.parametrize('target', ['/file', '/file?x_sendfile'])
def test_flask_sends_a_file_with_ranges(shop: Process, target: str) -> None:
    with shop.client() as client:
        whole = client.get(target)
        assert (whole.status, whole.body == FILE) == (200, True)
        assert whole.headers['content-length'] == str(len(FILE))
        assert whole.headers['content-type'] == 'video/mp4'
        part = client.get(target, Range='bytes=255-257')
        assert (part.status, part.body) == (206, b'\xff\x00\x01')
        assert part.headers['content-range'] == f'bytes 255-257/{len(FILE)}'
        last = client.get(target, Range='bytes=-2')
        assert (last.status, last.body) == (206, b'\xfe\xff')
        etag = whole.headers['etag']
        assert client.get(target, If_None_Match=etag).status == 304
        head = client.request('HEAD', target)
        assert (head.status, head.headers['content-length']) == (200, str(len(FILE)))


@pytest.mark.parametrize('by', ['X-Sendfile', 'X-Accel-Redirect'])
def test_c11_4_the_server_sends_what_the_application_names(shop: Process, by: str) -> None:
    with shop.client() as client:
        whole = client.get(f'/private/film.mp4?by={by}')
        assert (whole.status, whole.body == FILE) == (200, True)
        assert whole.headers['content-type'] == 'video/mp4'
        assert by not in whole.headers
        part = client.get(f'/private/film.mp4?by={by}', Range='bytes=255-257')
        assert (part.status, part.body) == (206, b'\xff\x00\x01')
        assert client.get(f'/private/none.mp4?by={by}').status == 404
        assert client.connections == 1


def test_a_session_of_flask_counts_visits(shop: Process) -> None:
    with visitor(shop) as ada, visitor(shop) as other:
        assert [ada.get('/visits').json()['visits'] for _ in range(3)] == [1, 2, 3]
        assert other.get('/visits').json() == {'visits': 1}


def test_links_of_flask_are_https_over_tls(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path)}, **TLS) as site, visitor(site) as ada:
        link = ada.get('/seen/x').json()['link']
        assert link == f'https://localhost:{site.port}/seen/a%20b'


def test_a_view_that_fails_is_a_500_of_flask_with_its_traceback_in_the_log(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path)}, fails=True) as site:
        answer = site.get('/fail')
        assert answer.status == 500
        assert 'RuntimeError' not in answer.text
        site.wait_for('RuntimeError: the view fails')
        assert site.get('/').status == 200


def test_c11_2_a_factory_makes_the_application(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path, app='flask_shop:create_app()')}) as site:
        assert site.get('/').text == 'Hello from Flask\n'
