"""HTTP/2 over TLS: the same site, by `:authority`, with many requests on one connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import slimHTTP
from client import lenient_tls
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset


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


def test_it_is_chosen_by_alpn(served: slimHTTP.HTTP_SERVER) -> None:
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
        while not gate.is_set():
            await asyncio.sleep(0.01)
        return 'waited'

    # Not by httpx, whose tasks queue to read the connection: one whose answer is
    # here already may stand behind one that waits for its own.
    h2 = H2Connection()
    h2.initiate_connection()
    context = lenient_tls()
    context.set_alpn_protocols(['h2'])
    try:
        with context.wrap_socket(socket.create_connection(('127.0.0.1', served.port), 10)) as tls:
            tls.settimeout(30)
            waiting = [ask(h2, '/wait') for _ in range(20)]
            for _ in range(4):
                asked = [ask(h2, '/') for _ in range(50)]
                assert read_answers(tls, h2, asked) == dict.fromkeys(asked, b'global')
            gate.set()
            assert read_answers(tls, h2, waiting) == dict.fromkeys(waiting, b'waited')
    finally:
        gate.set()


def ask(connection: H2Connection, path: str) -> int:
    stream: int = connection.get_next_available_stream_id()
    head = {':method': 'GET', ':scheme': 'https', ':authority': 'any.example', ':path': path}
    connection.send_headers(stream, list(head.items()), end_stream=True)
    return stream


def read_answers(tls: ssl.SSLSocket, h2: H2Connection, streams: list[int]) -> dict[int, bytes]:
    """Read until all `streams` have ended; gives what came on any stream meanwhile."""
    bodies: dict[int, bytes] = {}
    left = set(streams)
    while left:
        tls.sendall(h2.data_to_send())
        data = tls.recv(65536)
        assert data, 'the server has closed the connection'
        for event in h2.receive_data(data):
            if isinstance(event, DataReceived):
                bodies[event.stream_id] = bodies.get(event.stream_id, b'') + event.data
                h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (StreamEnded, StreamReset)):
                left.discard(event.stream_id)
    return bodies
