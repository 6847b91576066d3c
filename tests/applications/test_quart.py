"""An application of Quart: what it does around serving, streams, sessions, uploads, WebSockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE, Process
from support.frameworks import hosting, upload, visitor
from support.websocket_clients import client

APP = {'app': 'quart_shop:app'}


@pytest.fixture(scope='module')
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with hosting(tmp_path_factory.mktemp('site'), {'/': APP}) as site:
        yield site


def test_quart_has_begun_before_the_first_request(shop: Process) -> None:
    assert shop.get('/').json() == {'hello': 'Quart', 'began': True}


def test_quart_has_ended_when_the_server_has(tmp_path: Path) -> None:
    with hosting(tmp_path, {'/': APP}) as site:
        assert site.get('/').status == 200
    assert site.stdout.count('quart has ended') == 1


def test_a_session_of_quart_counts_visits(shop: Process) -> None:
    with visitor(shop) as ada:
        assert [ada.get('/visits').json()['visits'] for _ in range(3)] == [1, 2, 3]


def test_quart_reads_an_upload(shop: Process) -> None:
    content = bytes(range(256)) * 16_000
    with visitor(shop) as ada:
        answer = ada.post('/upload', **upload(content)).json()
    assert answer == {'size': len(content), 'note': 'with a note'}


def test_quart_streams_what_a_generator_gives(shop: Process) -> None:
    answer = shop.get('/stream')
    assert answer.body == b''.join(b'line %d\n' % number for number in range(1000))


def test_a_websocket_of_quart_echoes(shop: Process) -> None:
    with client(shop, '/echo') as socket:
        for text in ('hello', 'é' * 40_000):
            socket.send(text)
            assert socket.recv(PATIENCE) == f'you said {text}'


@pytest.mark.parametrize('prefix', ['', '/live/eu'])
def test_c11_1_links_of_quart_begin_with_the_prefix(tmp_path: Path, prefix: str) -> None:
    with hosting(tmp_path, {prefix or '/': APP}) as site:
        answer = site.get(f'{prefix}/seen/a%20b', host='shop.example').json()
        assert answer['rest'] == 'a b'
        assert answer['hello'] == f'{prefix}/'
        assert answer['url'] == f'http://shop.example{prefix}/seen/a%20b'
        assert answer['client'] == '127.0.0.1'
        with client(site, f'{prefix}/echo') as socket:
            socket.send('x')
            assert socket.recv(PATIENCE) == 'you said x'
