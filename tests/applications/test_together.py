"""One process that serves everything at once, each at its prefix, and what one owes to others there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Process, Program, Upstream, at_once, says, tree
from support.frameworks import PROGRAMS, TLS, hosting, visitor
from support.websocket_clients import client

VIDEO = bytes(range(256)) * 12_000


def applications(folder: Path) -> dict[str, Any]:
    """Five frameworks, each below its own name, and Flask at the root."""
    tree(folder, {'files/page.css': 'a {}', 'files/big.bin': VIDEO})
    env = {'FLASK_FILE': str(folder / 'files/big.bin'), 'STARLETTE_FILES': str(folder / 'files')}
    return {
        '/': {'app': 'flask_shop:app', 'app_env': env},
        '/starlette': {'app': 'starlette_shop:app', 'app_env': env},
        '/fastapi': {'app': 'fastapi_shop:app'},
        '/quart': {'app': 'quart_shop:app'},
        '/litestar': {'app': 'litestar_shop:app'},
    }


@pytest.fixture(scope='module')
def upstream() -> Iterator[Upstream]:
    with Upstream(says('the upstream')) as upstream:
        yield upstream


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp('together')
    tree(folder, {'static/page.css': 'b {}', 'media/film.mp4': VIDEO, 'host/index.html': 'a host'})
    mounts = {
        **applications(folder),
        '/static': {'web_root': 'static'},
        '/media': {'web_root': 'media'},
        '/api': {'proxy': upstream.name, 'strip_prefix': True},
    }
    hosts = {'files.example': {'web_root': 'host', 'mounts': {'/live': {'app': 'quart_shop:app'}}}}
    with hosting(folder, mounts, python_threads=4, vhosts=hosts) as site:
        yield site


ANSWERS = [
    ('/', 'Hello from Flask\n'),
    ('/starlette/', 'Hello from Starlette\n'),
    ('/fastapi/', '{"hello":"FastAPI"}'),
    ('/litestar/', '{"hello":"Litestar","began":true}'),
    ('/quart/visits', '{"visits":1}\n'),
    ('/static/page.css', 'b {}'),
    ('/api/users', 'the upstream'),
]


@pytest.mark.parametrize(('target', 'text'), ANSWERS)
def test_c11_1_each_prefix_is_answered_by_its_own(site: Process, target: str, text: str) -> None:
    answer = site.get(target)
    assert (answer.status, answer.text) == (200, text)


def test_c11_1_the_prefix_of_an_upstream_is_stripped(site: Process, upstream: Upstream) -> None:
    site.get('/api/users/7?x=1')
    assert upstream.targets[-1] == '/users/7?x=1'


def test_c11_1_a_folder_at_a_prefix_has_ranges(site: Process) -> None:
    part = site.get('/media/film.mp4', Range='bytes=255-257')
    assert (part.status, part.body) == (206, b'\xff\x00\x01')
    assert site.get('/media/none.mp4').status == 404
    assert site.get('/mediathek').status == 404


def test_c11_1_a_virtual_host_has_mounts_of_its_own(site: Process) -> None:
    assert site.get('/', host='files.example').text == 'a host'
    assert site.get('/live/visits', host='files.example').json() == {'visits': 1}
    assert site.get('/quart/visits', host='files.example').status == 404


def test_everybody_is_answered_by_the_right_one_at_once(site: Process) -> None:
    def visit(number: int) -> None:
        with site.client() as ada:
            for turn in range(20):
                target, text = ANSWERS[(number + turn) % len(ANSWERS)]
                assert ada.get(target).text == text, target
            assert ada.connections == 1

    at_once([lambda number=number: visit(number) for number in range(12)])


def test_websockets_of_all_frameworks_are_open_at_once(site: Process) -> None:
    with contextlib.ExitStack() as open_ones:
        sockets = [
            (open_ones.enter_context(client(site, path, **options)), sent, answer)
            for path, options, sent, answer in [
                ('/starlette/echo', {'subprotocols': ['one']}, 'x', 'x'),
                ('/fastapi/sum', {}, '{"add": 2}', '{"sum":2}'),
                ('/quart/echo', {}, 'x', 'you said x'),
                ('/litestar/echo', {}, 'x', 'you said x'),
            ]
        ]
        for socket, sent, _ in sockets:
            socket.send(sent)
        for socket, _, answer in sockets:
            assert socket.recv(PATIENCE) == answer


def test_c11_3_a_start_that_fails_is_a_503_and_leaves_others_alone(tmp_path: Path) -> None:
    mounts = applications(tmp_path)
    mounts['/starlette']['app_env'] = {
        **mounts['/starlette']['app_env'],
        'STARLETTE_FAILS': 'yes',
    }
    with hosting(tmp_path, mounts, fails=True) as site:
        assert site.get('/starlette/').status == 503
        site.wait_for('the database is not there')
        assert site.get('/fastapi/').json() == {'hello': 'FastAPI'}
        assert site.get('/').text == 'Hello from Flask\n'
        assert 'the database' not in site.get('/starlette/').text


def test_c11_2_an_import_that_fails_is_a_503_and_leaves_others_alone(tmp_path: Path) -> None:
    tree(
        tmp_path, {'broken/broken_shop.py': 'import flask\n\nraise RuntimeError("no such thing")\n'}
    )
    mounts = applications(tmp_path)
    mounts['/broken'] = {'app': 'broken_shop:app', 'app_dir': str(tmp_path / 'broken')}
    with hosting(tmp_path, mounts, fails=True) as site:
        assert site.get('/broken/').status == 503
        site.wait_for('RuntimeError: no such thing')
        assert site.get('/fastapi/').json() == {'hello': 'FastAPI'}
        assert 'no such thing' not in site.get('/broken/').text


def test_all_lifespans_end_once(tmp_path: Path) -> None:
    with hosting(tmp_path, applications(tmp_path)) as site:
        # Each starts by itself, and ends if it has started.
        for target in ('/', '/starlette/', '/fastapi/', '/quart/visits', '/litestar/'):
            assert site.get(target).status == 200, target
    for name in ('starlette', 'fastapi', 'quart', 'litestar'):
        assert site.stdout.count(f'{name} has ended') == 1, site.stdout


def test_c11_6_answers_of_every_framework_are_compressed(tmp_path: Path) -> None:
    with hosting(tmp_path, applications(tmp_path), **TLS) as site:
        with visitor(site, http2=True) as ada:
            for target in ('/fastapi/stream', '/quart/stream', '/litestar/stream'):
                answer = ada.get(target, headers={'Accept-Encoding': 'gzip'})
                assert answer.headers['content-encoding'] == 'gzip', target
                assert answer.headers['vary'].lower() == 'accept-encoding', target
                assert answer.text == ''.join(f'line {n}\n' for n in range(1000)), target


#: A program that mounts the applications themselves, and one more while it serves.
GROWS = """
import sys
import slimHTTP

sys.path.insert(0, sys.argv[1])
from fastapi_shop import app as api
from flask_shop import app as shop
from quart_shop import app as live

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
http.mount('/', shop)
http.mount('/api', api)


@http.route('/grow', methods=['POST'])
def grow(request):
    http.mount('/live', live)
    return 'grown'


@http.route('/shrink', methods=['POST'])
def shrink(request):
    del http.config['mounts']['/live']
    return 'shrunk'


http.run()
"""


def test_c11_2_a_program_mounts_an_application_while_it_serves() -> None:
    with Program(GROWS, str(PROGRAMS)) as program, program.client() as ada:
        assert ada.get('/').text == 'Hello from Flask\n'
        assert ada.get('/api/').json() == {'hello': 'FastAPI'}
        assert ada.get('/live/').status == 404
        for _ in range(2):
            assert ada.request('POST', '/grow').text == 'grown'
            assert ada.get('/live/').json() == {'hello': 'Quart', 'began': True}
            with client(program, '/live/echo') as socket:
                assert ada.request('POST', '/shrink').text == 'shrunk'
                assert ada.get('/live/').status == 404
                # What is open goes on.
                socket.send('x')
                assert socket.recv(PATIENCE) == 'you said x'
        assert program.stop() == 0
        assert 'Traceback' not in program.stderr, program.stderr
