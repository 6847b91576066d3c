"""An application of FastAPI: validation, tasks behind the answer, streams, WebSockets, its docs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE, Process, wait_until
from support.frameworks import TLS, hosting, upload, visitor
from support.websocket_clients import client, closing

APP = {'app': 'fastapi_shop:app'}


@pytest.fixture(scope='module', params=['', '/api'])
def prefix(request: pytest.FixtureRequest) -> str:
    """Where it is mounted."""
    return request.param


@pytest.fixture(scope='module')
def shop(prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with hosting(tmp_path_factory.mktemp('site'), {prefix or '/': APP}) as site:
        yield site


def test_fastapi_says_hello(shop: Process, prefix: str) -> None:
    answer = shop.get(f'{prefix}/')
    assert (answer.status, answer.json()) == (200, {'hello': 'FastAPI'})
    assert answer.headers['content-type'] == 'application/json'


def test_a_lifespan_of_fastapi_gives_its_state(shop: Process, prefix: str) -> None:
    assert shop.get(f'{prefix}/state').json()['answer'] == 42


def test_what_does_not_validate_is_a_422_that_tells_where(shop: Process, prefix: str) -> None:
    with visitor(shop) as ada:
        assert ada.get(f'{prefix}/items/7').json() == {'number': 7}
        answer = ada.get(f'{prefix}/items/seven')
        assert answer.status_code == 422
        assert answer.json()['detail'][0]['loc'] == ['path', 'number']
        answer = ada.post(f'{prefix}/items', json={'name': 'tea', 'price': 'dear'})
        assert answer.status_code == 422
        assert answer.json()['detail'][0]['loc'] == ['body', 'price']
        answer = ada.post(f'{prefix}/items', json={'name': 'tea', 'price': 2})
        assert (answer.status_code, answer.json()) == (201, {'name': 'tea', 'price': 2.0})
        answer = ada.get(f'{prefix}/items/101')
        assert (answer.status_code, answer.json()) == (404, {'detail': 'no such item'})


def test_a_task_of_the_background_runs_after_the_answer(shop: Process, prefix: str) -> None:
    with shop.client() as ada:
        answer = ada.request('POST', f'{prefix}/jobs/letter')
        # The whole answer is there, and the connection free, while the task still waits.
        assert (answer.status, answer.json()) == (202, {'job': 'letter'})

        def state() -> str:
            return ada.get(f'{prefix}/state').json()['jobs']['letter']

        wait_until(lambda: state() == 'works', 'the task')
        assert ada.request('POST', f'{prefix}/release').status == 200
        wait_until(lambda: state() == 'done', 'the end of the task')
        assert ada.connections == 1


def test_fastapi_streams_what_a_generator_gives(shop: Process, prefix: str) -> None:
    answer = shop.get(f'{prefix}/stream')
    assert answer.body == b''.join(b'line %d\n' % number for number in range(1000))


def test_fastapi_reads_an_upload(shop: Process, prefix: str) -> None:
    content = bytes(range(256)) * 16_000
    with visitor(shop) as ada:
        answer = ada.post(f'{prefix}/upload', **upload(content)).json()
    digest = hashlib.sha256(content).hexdigest()
    assert answer == {'sha256': digest, 'name': 'my file.bin', 'size': len(content)}


def test_a_websocket_of_fastapi_adds_up(shop: Process, prefix: str) -> None:
    with client(shop, f'{prefix}/sum') as socket:
        socket.send('{"add": 2}')
        assert socket.recv(PATIENCE) == '{"sum":2}'
        socket.send('{"add": 3}')
        assert socket.recv(PATIENCE) == '{"sum":5}'
        socket.send('{"add": -1}')
        assert closing(socket) == (4000, 'the sum is 5')


def test_c11_1_the_docs_of_fastapi_know_where_it_is_mounted(shop: Process, prefix: str) -> None:
    page = shop.get(f'{prefix}/docs')
    assert page.status == 200
    assert f"url: '{prefix}/openapi.json'" in page.text
    schema = shop.get(f'{prefix}/openapi.json').json()
    assert schema['info']['title'] == 'shop'
    assert schema.get('servers') == ([{'url': prefix}] if prefix else None)
    assert '/items/{number}' in schema['paths']


def test_c11_1_links_of_fastapi_begin_with_the_prefix(shop: Process, prefix: str) -> None:
    answer = shop.get(f'{prefix}/seen?a=b', host='shop.example').json()
    assert answer == {
        'url': f'http://shop.example{prefix}/seen?a=b',
        'root_path': prefix,
        'item': f'http://shop.example{prefix}/items/7',
        'client': '127.0.0.1',
        'http_version': '1.1',
    }


def test_fastapi_over_http2(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': APP}, **TLS) as site, visitor(site, http2=True) as ada:
        answer = ada.get('/seen')
        assert answer.http_version == 'HTTP/2'
        assert answer.json()['http_version'] == '2'
        assert answer.json()['item'] == f'https://localhost:{site.port}/items/7'
        content = bytes(range(256)) * 16_000
        answer = ada.post('/upload', **upload(content))
        assert answer.json()['sha256'] == hashlib.sha256(content).hexdigest()


def test_a_lifespan_of_fastapi_ends_with_the_server(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': APP}) as site:
        assert site.get('/state').json()['answer'] == 42
        assert 'fastapi has ended' not in site.stdout
    assert site.stdout.count('fastapi has ended') == 1
