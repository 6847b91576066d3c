"""An application of Starlette: the state of its lifespan, events, files, clients that leave."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from support import PATIENCE, Process, tree, wait_until
from support.frameworks import TLS, hosting, visitor
from support.websocket_clients import client
from websockets.exceptions import InvalidStatus

BIG = bytes(range(256)) * 12_000


def mount(folder: Path, **options: Any) -> dict[str, Any]:
    """The application, with a folder that it serves by its own means."""
    (folder / 'files').mkdir()
    (folder / 'files' / 'page.css').write_text('body { color: teal }\n')
    (folder / 'files' / 'big.bin').write_bytes(BIG)
    return {
        'app': 'starlette_shop:app',
        'app_env': {'STARLETTE_FILES': str(folder / 'files')},
        **options,
    }


@pytest.fixture(scope='module')
def private_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The application beside a private folder, which is not that of the files that it sends."""
    folder = tmp_path_factory.mktemp('site')
    private = tree(folder / 'private', {'film.mp4': BIG})
    with hosting(folder, {'/': mount(folder, private_root=os.fspath(private))}) as site:
        yield site


@pytest.fixture(scope='module')
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp('site')
    with hosting(folder, {'/': mount(folder)}, max_body='32MiB') as site:
        yield site


def test_starlette_says_hello(shop: Process) -> None:
    with shop.client() as ada:
        assert ada.get('/').text == 'Hello from Starlette\n'
        head = ada.request('HEAD', '/')
        assert (head.status, head.body, head.headers['content-length']) == (200, b'', '21')
        assert ada.request('POST', '/').status == 405
        assert ada.connections == 1


def test_every_request_has_the_state_that_the_lifespan_made(shop: Process) -> None:
    assert shop.get('/visits').json() == ['127.0.0.1']
    assert shop.get('/visits').json() == ['127.0.0.1', '127.0.0.1']


@pytest.mark.parametrize('coding', [None, 'gzip'])
def test_c11_6_events_come_as_they_happen(shop: Process, coding: Optional[str]) -> None:
    unpack = zlib.decompressobj(wbits=31)
    received = b''

    def receive(event: bytes) -> None:
        nonlocal received
        while event not in received:
            data = ada.read_chunk()[0]
            assert data, received
            received += unpack.decompress(data) if coding else data
        assert received.endswith(event)

    with shop.client() as ada, shop.client() as other:
        ada.send('GET', '/events', {'Accept-Encoding': coding} if coding else {})
        head = ada.read_head()
        assert head.headers['content-type'] == 'text/event-stream; charset=utf-8'
        assert head.headers.get('content-encoding') == coding
        receive(b'data: hello\n\n')
        assert other.request('POST', '/news', body=b'news').text == 'told\n'
        receive(b'data: news\n\n')


def test_c11_3_an_endpoint_is_told_that_its_client_has_left(shop: Process) -> None:
    with shop.client() as ada:
        for who in ('one', 'two'):
            with shop.client() as leaving:
                leaving.send('GET', f'/watch?who={who}')
                wait_until(lambda who=who: who in ada.get('/came').json(), f'{who}')
                assert who not in ada.get('/left').json()
            wait_until(lambda who=who: who in ada.get('/left').json(), f'the end of {who}')


def test_a_stream_ends_when_its_client_leaves(shop: Process) -> None:
    with shop.client() as ada:
        with shop.client() as leaving:
            leaving.send('GET', '/endless?who=Bob')
            assert leaving.read_head().status == 200
            assert leaving.read_chunk()[0]
        wait_until(lambda: 'Bob' in ada.get('/left').json(), 'the end of the stream')


def test_c11_3_a_body_streams_in(shop: Process) -> None:
    with shop.client() as ada:
        body = (b'x' * 65_536 for _ in range(64))
        assert ada.request('POST', '/count', body=body).json() == {'bytes': 64 * 65_536}
        assert ada.request('POST', '/count', body=BIG).json() == {'bytes': len(BIG)}
        assert ada.request('POST', '/count', body=b'').json() == {'bytes': 0}
        assert ada.connections == 1


def test_starlette_sends_files_with_ranges(shop: Process) -> None:
    with shop.client() as ada:
        whole = ada.get('/file')
        assert (whole.status, whole.body == BIG) == (200, True)
        assert whole.headers['content-length'] == str(len(BIG))
        part = ada.get('/file', Range='bytes=255-257')
        assert (part.status, part.body) == (206, b'\xff\x00\x01')
        assert part.headers['content-range'] == f'bytes 255-257/{len(BIG)}'
        style = ada.get('/files/page.css')
        assert (style.status, style.text) == (200, 'body { color: teal }\n')
        etag = style.headers['etag']
        assert ada.get('/files/page.css', If_None_Match=etag).status == 304
        assert ada.get('/files/none.css').status == 404


@pytest.mark.parametrize('by', ['X-Sendfile', 'X-Accel-Redirect'])
def test_c11_3_the_server_sends_what_the_application_names(private_shop: Process, by: str) -> None:
    with private_shop.client() as ada:
        whole = ada.get(f'/private/film.mp4?by={by}')
        assert (whole.status, whole.body == BIG) == (200, True)
        assert whole.headers['content-type'] == 'video/mp4'
        assert by not in whole.headers
        part = ada.get(f'/private/film.mp4?by={by}', Range='bytes=255-257')
        assert (part.status, part.body) == (206, b'\xff\x00\x01')
        assert ada.get(f'/private/none.mp4?by={by}').status == 404
        assert ada.connections == 1


def test_a_websocket_of_starlette_is_told_how_it_was_closed(shop: Process) -> None:
    with client(shop, '/echo', subprotocols=['one', 'two']) as socket:
        assert socket.subprotocol == 'one'
        socket.send('hello')
        assert socket.recv(PATIENCE) == 'hello'
        socket.close(4003, 'bye')
    wait_until(lambda: [4003, 'bye'] in shop.get('/left').json(), 'the close')


def test_c11_3_a_websocket_is_refused_in_words(shop: Process) -> None:
    with pytest.raises(InvalidStatus) as refused:
        client(shop, '/members')
    answer = refused.value.response
    assert (answer.status_code, answer.body) == (401, b'{"error":"for members"}')
    assert answer.headers['www-authenticate'] == 'Basic'


def test_c11_1_links_of_starlette_begin_with_the_prefix(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/live/eu': mount(tmp_path)}) as site:
        answer = site.get('/live/eu/seen', host='shop.example').json()
        assert answer == {
            'url': 'http://shop.example/live/eu/seen',
            'root_path': '/live/eu',
            'link': 'http://shop.example/live/eu/',
            'static': 'http://shop.example/live/eu/files/page.css',
            'http_version': '1.1',
            'scheme': 'http',
        }
        assert site.get('/live/eu/files/page.css').text == 'body { color: teal }\n'
        for other in ('/live', '/live/europe', '/seen'):
            assert site.get(other).status == 404


def test_starlette_over_http2(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path)}, **TLS) as site:
        with visitor(site, http2=True) as ada:
            answer = ada.get('/seen').json()
            assert (answer['http_version'], answer['scheme']) == ('2', 'https')
            assert answer['url'] == f'https://localhost:{site.port}/seen'
            assert ada.get('/file').content == BIG
            assert ada.post('/count', content=BIG).json() == {'bytes': len(BIG)}


def test_an_endpoint_that_fails_is_a_500_with_its_traceback_in_the_log(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path)}, fails=True) as site:
        answer = site.get('/fail')
        assert (answer.status, answer.text) == (500, 'Internal Server Error')
        site.wait_for('RuntimeError: the endpoint fails')
        assert site.get('/').status == 200


def test_a_lifespan_of_starlette_begins_and_ends_with_the_server(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': mount(tmp_path)}) as site:
        site.wait_for('starlette has begun', 'stdout')
        assert site.get('/').status == 200
    assert site.stdout == 'starlette has begun\nstarlette has ended\n'
