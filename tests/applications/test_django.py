"""A project of Django, over WSGI and over ASGI: the admin, static files, uploads, WebSockets.

Static and uploaded files come from mounts: with `DEBUG = False` Django sends neither.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import PATIENCE, START_PATIENCE, Process, wait_until
from support.frameworks import PROGRAMS, TLS, hosting, upload, visitor
from support.websocket_clients import client, closing
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

INTERFACES = ('wsgi', 'asgi')
UPLOAD = bytes(range(256)) * 24_000


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database, static files that have been collected, and room for uploads."""
    folder = tmp_path_factory.mktemp('shop')
    (folder / 'media').mkdir()
    subprocess.run(
        [sys.executable, '-m', 'django_shop.prepare'],
        cwd=PROGRAMS,
        env={**os.environ, 'SHOP_DATA': os.fspath(folder)},
        check=True,
        timeout=4 * START_PATIENCE,
    )
    return folder


def mounts(data: Path, interface: str, prefix: str = '') -> dict[str, Any]:
    """The project at a prefix, with its static and its uploaded files."""
    project = {
        'app': f'django_shop.{interface}:application',
        'app_env': {'SHOP_DATA': os.fspath(data)},
    }
    return {
        prefix or '/': project,
        f'{prefix}/static': {'web_root': os.fspath(data / 'static')},
        f'{prefix}/media': {'web_root': os.fspath(data / 'media')},
    }


@pytest.fixture(scope='module', params=INTERFACES)
def shop(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    with hosting(
        tmp_path_factory.mktemp('site'), mounts(data, request.param), max_body='32MiB'
    ) as site:
        yield site


@pytest.fixture(scope='module')
def chat(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with hosting(tmp_path_factory.mktemp('site'), mounts(data, 'asgi')) as site:
        yield site


def log_in(visitor: httpx.Client, password: str, admin: str = '/admin/') -> httpx.Response:
    """Fill in the form of the admin as a browser does."""
    page = visitor.get(f'{admin}login/')
    assert page.status_code == 200
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    form = {'username': 'ada', 'password': password, 'csrfmiddlewaretoken': token[1]}
    fields = {'Referer': str(page.url)}
    return visitor.post(f'{admin}login/?next={admin}', data=form, headers=fields)


def test_django_says_hello(shop: Process) -> None:
    answer = shop.get('/', host='localhost')
    assert (answer.status, answer.text) == (200, 'Hello from Django\n')
    assert answer.headers['content-type'] == 'text/plain'
    assert answer.headers['x-content-type-options'] == 'nosniff'  # by its middleware


def test_the_admin_lets_in_whoever_knows_the_password(shop: Process) -> None:
    with visitor(shop) as ada:
        assert ada.get('/admin/').headers['location'] == '/admin/login/?next=/admin/'
        assert 'Please enter the correct username' in log_in(ada, 'a guess').text
        answer = log_in(ada, 'open sesame')
        assert (answer.status_code, answer.headers['location']) == (302, '/admin/')
        page = ada.get('/admin/')
        assert page.status_code == 200
        assert 'Site administration' in page.text
        with visitor(shop) as stranger:
            assert stranger.get('/admin/').status_code == 302


def test_the_pages_of_the_admin_find_their_style(shop: Process, data: Path) -> None:
    with visitor(shop) as ada:
        page = ada.get('/admin/login/').text
        style = re.search('href="(/static/admin/css/base[^"]*.css)"', page)
        assert style is not None
        answer = ada.get(style[1])
        assert answer.status_code == 200
        assert answer.headers['content-type'] == 'text/css; charset=utf-8'
        assert answer.content == (data / style[1].lstrip('/')).read_bytes()
        fields = {'If-None-Match': answer.headers['etag']}
        assert ada.get(style[1], headers=fields).status_code == 304


def test_an_upload_is_found_below_media_with_ranges(shop: Process) -> None:
    with visitor(shop) as ada:
        answer = ada.post('/upload/', **upload(UPLOAD)).json()
        assert answer['note'] == 'with a note'
        assert answer['size'] == len(UPLOAD)
        assert answer['sha256'] == hashlib.sha256(UPLOAD).hexdigest()
        assert re.fullmatch(r'/media/my%20file(_\w+)?\.bin', answer['url'])
        part = ada.get(answer['url'], headers={'Range': 'bytes=255-257'})
        assert (part.status_code, part.content) == (206, b'\xff\x00\x01')
        assert part.headers['content-range'] == f'bytes 255-257/{len(UPLOAD)}'
        whole = ada.get(answer['url'])
        assert (whole.status_code, whole.content) == (200, UPLOAD)


def test_django_sends_a_file_of_its_own(shop: Process, data: Path) -> None:
    (data / 'media' / 'report.bin').write_bytes(UPLOAD)
    answer = shop.get('/download/?name=report.bin', host='localhost')
    assert (answer.status, answer.body == UPLOAD) == (200, True)
    assert answer.headers['content-length'] == str(len(UPLOAD))
    assert answer.headers['content-disposition'] == 'attachment; filename="report.bin"'


@pytest.mark.parametrize(
    ('target', 'text'),
    [('/lines/', ''.join(f'line {number}\n' for number in range(1000))), ('/wait/', '0 1 2 ')],
)
def test_django_streams_what_a_generator_gives(shop: Process, target: str, text: str) -> None:
    answer = shop.get(target, host='localhost')
    assert (answer.status, answer.text) == (200, text)


def test_django_sees_the_request_as_it_came(shop: Process) -> None:
    answer = shop.get('/seen/a%20b/%C3%A9?x=1&y=%26', host='localhost:1234').json()
    assert answer == {
        'method': 'GET',
        'path': '/seen/a b/é',
        'path_info': '/seen/a b/é',
        'query': {'x': '1', 'y': '&'},
        'secure': False,
        'uri': 'http://localhost:1234/seen/a%20b/%C3%A9?x=1&y=%26',
        'client': '127.0.0.1',
        'admin': '/admin/',
        'static': '/static/',
    }


def test_a_host_that_django_does_not_allow_is_refused(shop: Process) -> None:
    assert shop.get('/seen/x', host='elsewhere.example').status == 400


def test_a_view_that_fails_is_a_500_of_django(shop: Process) -> None:
    answer = shop.get('/fail/', host='localhost')
    assert answer.status == 500
    assert 'Server Error (500)' in answer.text
    assert 'RuntimeError' not in answer.text
    assert shop.get('/', host='localhost').status == 200


@pytest.mark.parametrize('interface', INTERFACES)
def test_c11_1_a_project_below_a_prefix_links_to_itself(
    data: Path, tmp_path: Path, interface: str
) -> None:
    with hosting(tmp_path, mounts(data, interface, '/shop')) as site, visitor(site) as ada:
        answer = ada.get('/shop/seen/x').json()
        assert (answer['path'], answer['path_info']) == ('/shop/seen/x', '/seen/x')
        assert (answer['admin'], answer['static']) == ('/shop/admin/', '/shop/static/')
        assert answer['uri'] == f'http://localhost:{site.port}/shop/seen/x'
        login = log_in(ada, 'open sesame', '/shop/admin/')
        assert login.headers['location'] == '/shop/admin/'
        page = ada.get('/shop/admin/').text
        style = re.search('href="(/shop/static/admin/css/base[^"]*.css)"', page)
        assert style is not None
        assert ada.get(style[1]).headers['content-type'] == 'text/css; charset=utf-8'
        assert ada.get('/seen/x').status_code == 404


@pytest.mark.parametrize('interface', INTERFACES)
def test_a_request_over_tls_is_secure_without_a_setting(
    data: Path, tmp_path: Path, interface: str
) -> None:
    with hosting(tmp_path, mounts(data, interface), **TLS) as site, visitor(site) as ada:
        answer = ada.get('/seen/x').json()
        assert answer['secure'] is True
        assert answer['uri'] == f'https://localhost:{site.port}/seen/x'
        # The check of the `Referer` holds over TLS only: the form passes it.
        assert log_in(ada, 'open sesame').status_code == 302


def test_an_async_view_is_cancelled_when_its_client_leaves(chat: Process) -> None:
    def state() -> Any:
        return chat.get('/waiting/', host='localhost').json().get('Ada')

    with chat.client() as leaving:
        leaving.send('GET', '/patient/?who=Ada', host='localhost')
        wait_until(lambda: state() == 'waits', 'the view')
    wait_until(lambda: state() == 'is cancelled', 'its end')


def join(chat: Process, room: str, origin: str = 'http://localhost') -> ClientConnection:
    """Open a WebSocket as a page of this origin does."""
    return client(chat, f'/rooms/{room}/', origin=origin)


def test_who_is_in_a_room_of_channels_hears_what_is_said(chat: Process) -> None:
    with join(chat, 'tea') as one, join(chat, 'tea') as two:
        with join(chat, 'other') as elsewhere:
            for here, room in ((one, 'tea'), (two, 'tea'), (elsewhere, 'other')):
                assert here.recv(PATIENCE) == f'welcome to {room}'
            one.send('hello')
            assert one.recv(PATIENCE) == 'hello'
            assert two.recv(PATIENCE) == 'hello'
            elsewhere.send(b'\x01\x02\x03')
            assert elsewhere.recv(PATIENCE) == b'\x03\x02\x01'
        two.close(4002, 'bye')
        assert one.recv(PATIENCE) == 'somebody has left with 4002'
        one.send('close')
        assert closing(one) == (4001, 'as asked')


def test_channels_refuse_pages_of_other_origins(chat: Process) -> None:
    with pytest.raises(InvalidStatus) as refused:
        join(chat, 'tea', origin='https://elsewhere.example')
    assert refused.value.response.status_code == 403
