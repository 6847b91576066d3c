"""HTTP/2 over TLS: the same site, by `:authority`, with many requests on one connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import slimHTTP
from support import wait_until_async
from support.http2_client import Http2


@pytest.fixture
def served(tmp_path: Path) -> Iterator[slimHTTP.HTTP_SERVER]:
    for name in ('global', 'a', 'b'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'index.html').write_text(name)
    (tmp_path / 'global' / 'large.bin').write_bytes(b'x' * 3_000_000)
    (tmp_path / 'vhost.py').write_text('def on_request(request): return request.url\n')
    server = slimHTTP.server(
        slimHTTP.HTTPS,
        addr='127.0.0.1',
        port=0,
        quiet=True,
        web_root=str(tmp_path / 'global'),
        max_body=100_000,
        vhosts={
            'a.example': {'web_root': str(tmp_path / 'a')},
            'm.example': {'module': str(tmp_path / 'vhost.py')},
        },
    )

    @server.route('/echo', methods=['POST'])
    def echo(request: slimHTTP.HTTP_REQUEST) -> bytes:
        return bytes(request.payload)

    with server:
        yield server


def client(server: slimHTTP.HTTP_SERVER) -> httpx.Client:
    url = f'https://127.0.0.1:{server.port}'
    return httpx.Client(http2=True, verify=False, base_url=url, timeout=30)


def test_c10_7_it_is_chosen_by_alpn(served: slimHTTP.HTTP_SERVER) -> None:
    with client(served) as http:
        response = http.get('/')
        assert (response.http_version, response.status_code, response.text) == (
            'HTTP/2',
            200,
            'global',
        )
        assert 'connection' not in response.headers
    with httpx.Client(verify=False, timeout=30) as http:
        assert http.get(f'https://127.0.0.1:{served.port}/').http_version == 'HTTP/1.1'


def test_c4_1_the_authority_picks_the_vhost(served: slimHTTP.HTTP_SERVER) -> None:
    with client(served) as http:
        assert http.get('/', headers={'Host': 'a.example'}).text == 'a'
        assert http.get('/', headers={'Host': 'A.Example.:443'}).text == 'a'
        assert http.get('/x/y', headers={'Host': 'm.example'}).text == '/x/y'
        assert http.get('/', headers={'Host': 'other'}).text == 'global'


def test_every_way_of_answering(served: slimHTTP.HTTP_SERVER) -> None:
    with client(served) as http:
        assert http.head('/large.bin').headers['content-length'] == '3000000'
        assert len(http.get('/large.bin').content) == 3_000_000
        assert http.get('/large.bin', headers={'Range': 'bytes=-3'}).content == b'xxx'
        assert http.post('/echo', content=b'y' * 99_999).content == b'y' * 99_999
        assert http.post('/echo', content=b'y' * 100_001).status_code == 413
        refused = http.get('/echo')
        assert (refused.status_code, refused.headers['allow']) == (405, 'POST')
        assert http.get('/none').status_code == 404
        assert http.get('/%2e%2e/x').status_code == 400


def test_c3_3_an_open_connection_sees_the_change(
    served: slimHTTP.HTTP_SERVER, tmp_path: Path
) -> None:
    with client(served) as http:
        assert http.get('/').text == 'global'
        served.config['web_root'] = str(tmp_path / 'b')
        assert http.get('/').text == 'b'


def test_many_at_once_on_one_connection(served: slimHTTP.HTTP_SERVER) -> None:
    gate = threading.Event()

    @served.route('/wait')
    async def wait(request: slimHTTP.HTTP_REQUEST) -> str:
        await wait_until_async(gate.is_set)
        return 'waited'

    # Not by httpx, whose tasks queue to read the connection: one whose answer is
    # here already may stand behind one that waits for its own.
    with Http2(served.port) as connection:
        waiting = [connection.ask('/wait') for _ in range(20)]
        try:
            for _ in range(4):
                asked = [connection.ask('/') for _ in range(50)]
                assert {connection.answer(stream).body for stream in asked} == {b'global'}
            assert not set(waiting) & set(connection.answers)
        finally:
            gate.set()
        assert {connection.answer(stream).body for stream in waiting} == {b'waited'}
