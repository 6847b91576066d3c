"""An application of Litestar: validated bodies, streams, events, WebSockets, its schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE, Process
from support.frameworks import hosting, visitor
from support.websocket_clients import client

APP = {'app': 'litestar_shop:app'}


@pytest.fixture(scope='module')
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with hosting(tmp_path_factory.mktemp('site'), {'/': APP}) as site:
        yield site


def test_litestar_has_begun_before_the_first_request(shop: Process) -> None:
    assert shop.get('/').json() == {'hello': 'Litestar', 'began': True}


def test_litestar_has_ended_when_the_server_has(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': APP}) as site:
        assert site.get('/').status == 200
    assert site.stdout.count('litestar has ended') == 1


def test_what_litestar_does_not_validate_is_a_400(shop: Process) -> None:
    with visitor(shop) as ada:
        answer = ada.post('/items', json={'name': 'tea', 'price': 2.5})
        assert (answer.status_code, answer.json()) == (201, {'name': 'tea', 'price': 2.5})
        answer = ada.post('/items', json={'name': 'tea', 'price': 'dear'})
        assert answer.status_code == 400
        assert answer.json()['extra'][0]['key'] == 'price'


def test_litestar_streams_what_a_generator_gives(shop: Process) -> None:
    answer = shop.get('/stream')
    assert answer.body == b''.join(b'line %d\n' % number for number in range(1000))


def test_litestar_sends_events(shop: Process) -> None:
    answer = shop.get('/events')
    assert answer.headers['content-type'].startswith('text/event-stream')
    data = [line for line in answer.text.splitlines() if line.startswith('data:')]
    assert data == ['data: 0', 'data: 1', 'data: 2']


def test_a_websocket_of_litestar_echoes(shop: Process) -> None:
    with client(shop, '/echo') as socket:
        for text in ('hello', 'é' * 40_000):
            socket.send(text)
            assert socket.recv(PATIENCE) == f'you said {text}'


@pytest.mark.parametrize('prefix', ['', '/live/eu'])
def test_c11_1_litestar_knows_where_it_is_mounted(tmp_path: Path, prefix: str) -> None:
    with hosting(tmp_path, {prefix or '/': APP}) as site:
        assert site.get(f'{prefix}/seen/a%20b').json()['rest'] == '/a b'
        answer = site.get(f'{prefix}/seen/ab', host='shop.example').json()
        assert answer['root_path'] == prefix
        assert answer['url'] == f'http://shop.example{prefix}/seen/ab'
        schema = site.get(f'{prefix}/schema/openapi.json')
        assert schema.status == 200
        assert '/items' in schema.json()['paths']
        with client(site, f'{prefix}/echo') as socket:
            socket.send('x')
            assert socket.recv(PATIENCE) == 'you said x'
