"""The programs of docs/applications.md serve as the page says, each in a folder of its own.

A block with a comment above it, `<!-- flask: shop.py -->`, is the file `shop.py` of the program
`flask`; `<!-- examples/… -->` names a file of examples/, of which the block is lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import PATIENCE, REPOSITORY, START_PATIENCE, Cli, Process, tree
from support.websocket_clients import client

PAGE = REPOSITORY / 'docs' / 'applications.md'
BLOCK = re.compile(r'<!-- (\S+?)(?:: (\S+))? -->\n+```\w+\n(.*?)^```$', re.M | re.S)
FILM = b'a long film ' * 10_000


def blocks(program: str) -> dict[str, str]:
    """The files of a program of the page."""
    found = BLOCK.findall(PAGE.read_text())
    return {name: content for group, name, content in found if group == program and name}


def write(folder: Path, program: str, *names: str) -> None:
    """Write the files of a program, those of these names if any are given."""
    for name, content in blocks(program).items():
        if name in names or not names:
            (folder / name).write_text(content)


def run(folder: Path) -> Process:
    """`python -m slimHTTP run site.toml` as the page says, but for the port."""
    return Cli('run', 'site.toml', '--port', '0', '--addr', '127.0.0.1', python=True, cwd=folder)


def stop(site: Process) -> None:
    assert site.stop() == 0
    assert 'Traceback' not in site.stderr, site.stderr


def python(folder: Path, *arguments: str) -> None:
    """Run a command of Django's."""
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=4 * START_PATIENCE)


@pytest.fixture(scope='module')
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of `startproject`, with the settings of the page and its files collected."""
    folder = tmp_path_factory.mktemp('django')
    python(folder, '-m', 'django', 'startproject', 'mysite', '.')
    settings = folder / 'mysite' / 'settings.py'
    settings.write_text(settings.read_text() + blocks('django')['mysite/settings.py'])
    write(folder, 'django', 'site.toml')
    (folder / 'media').mkdir()
    (folder / 'media' / 'note.py').write_text('raise SystemExit("an upload has run")\n')
    (folder / 'media' / 'note.txt').write_text('a note\n')
    python(folder, 'manage.py', 'collectstatic', '--noinput')
    python(folder, 'manage.py', 'migrate')
    return folder


def test_the_project_of_django_is_served_with_its_files(project: Path) -> None:
    with run(project) as site:
        page = site.get('/admin/login/', host='localhost')
        assert (page.status, 'Django administration' in page.text) == (200, True)
        style = re.search(r'href="(/static/admin/css/base\.css)"', page.text)
        assert style is not None
        answer = site.get(style[1])
        assert answer.headers['content-type'] == 'text/css; charset=utf-8'
        assert answer.body == (project / 'collected/admin/css/base.css').read_bytes()
        part = site.get('/media/note.txt', Range='bytes=2-5')
        assert (part.status, part.text) == (206, 'note')
        # What somebody has uploaded is not run.
        assert site.get('/media/note.py').status == 404
        stop(site)


def test_the_project_of_django_speaks_over_channels(project: Path) -> None:
    asgi = project / 'mysite' / 'asgi.py'
    before = asgi.read_text()
    write(project, 'django', 'mysite/asgi.py')
    file = project / 'site.toml'
    file.write_text(file.read_text().replace('mysite.wsgi:', 'mysite.asgi:'))
    try:
        with run(project) as site:
            assert site.get('/admin/login/', host='localhost').status == 200
            with client(site, '/echo/', origin='http://localhost') as socket:
                socket.send('hello')
                assert socket.recv(PATIENCE) == 'you said hello'
            stop(site)
    finally:
        asgi.write_text(before)
        write(project, 'django', 'site.toml')


def test_the_program_of_flask_sends_its_film(tmp_path: Path) -> None:
    write(tmp_path, 'flask')
    for name in ('media', 'static'):
        (tmp_path / name).mkdir()
    (tmp_path / 'media' / 'film.mp4').write_bytes(FILM)
    (tmp_path / 'static' / 'page.css').write_text('a {}')
    with run(tmp_path) as site:
        assert site.get('/').json() == {'film': '/film'}
        assert site.get('/film').body == FILM
        part = site.get('/film', Range='bytes=2-5')
        assert (part.status, part.body) == (206, b'long')
        assert site.get('/static/page.css').text == 'a {}'
        stop(site)


def test_the_program_of_fastapi_stands_beside_a_page(tmp_path: Path) -> None:
    write(tmp_path, 'fastapi')
    (tmp_path / 'dist').mkdir()
    (tmp_path / 'dist' / 'index.html').write_text('<h1>the page</h1>')
    with run(tmp_path) as site:
        assert site.get('/').text == '<h1>the page</h1>'
        assert site.get('/any/view', accept='text/html').text == '<h1>the page</h1>'
        assert site.get('/api/greet/Ada').json() == {'hello': 'Ada'}
        assert site.get('/api/openapi.json').json()['servers'] == [{'url': '/api'}]
        assert site.get('/api/docs').status == 200
        assert site.get('/api/none').json() == {'detail': 'Not Found'}
        with client(site, '/api/echo') as socket:
            socket.send('hello')
            assert socket.recv(PATIENCE) == 'hello'
        stop(site)


def test_files_come_before_the_application(tmp_path: Path) -> None:
    write(tmp_path, 'flask', 'shop.py')
    write(tmp_path, 'files')
    tree(tmp_path, {'public/robots.txt': 'Disallow: /', 'public/film': 'in place of a view'})
    tree(tmp_path, {'public/folder/page.html': 'a page', 'public/with/index.html': 'an index'})
    with run(tmp_path) as site, site.client() as ada:
        assert ada.get('/robots.txt').text == 'Disallow: /'
        assert ada.get('/film').text == 'in place of a view'
        assert ada.get('/').json() == {'film': '/film'}
        assert ada.get('/with/').text == 'an index'
        # What is no file is the application's, and so is what neither GET nor HEAD asks for.
        for method, target, status in [
            ('GET', '/folder', 404),
            ('GET', '/folder/', 404),
            ('POST', '/robots.txt', 404),
            ('POST', '/film', 405),
        ]:
            answer = ada.request(method, target, body=b'')
            assert answer.status == status, (method, target, answer)
            assert '<html lang=en>' in answer.text, (method, target, answer)
        stop(site)
    file = tmp_path / 'site.toml'
    file.write_text(file.read_text().replace('"public"', '"."'))
    with run(tmp_path) as site:
        assert site.wait() == 1
        assert 'mounts."/".web_root' in site.stderr


#: An application whose downloads are private.
PRIVATE = """
from flask import Flask, Response, request

app = Flask(__name__, static_folder=None)


@app.get('/download/<int:number>')
def download(number):
    if request.args.get('password') != 'open sesame':
        return 'not yours', 403
    answer = Response(mimetype='application/pdf')
    answer.headers['X-Accel-Redirect'] = f'/{number}.pdf'
    return answer
"""


def test_the_application_decides_who_gets_a_private_file(tmp_path: Path) -> None:
    write(tmp_path, 'private')
    tree(tmp_path, {'shop.py': PRIVATE, 'invoices/7.pdf': 'a long invoice'})
    with run(tmp_path) as site, site.client() as ada:
        assert ada.get('/download/7').status == 403
        answer = ada.get('/download/7?password=open%20sesame')
        assert (answer.status, answer.text) == (200, 'a long invoice')
        assert answer.headers['content-type'] == 'application/pdf'
        part = ada.get('/download/7?password=open%20sesame', Range='bytes=2-5')
        assert (part.status, part.text) == (206, 'long')
        assert ada.get('/download/8?password=open%20sesame').status == 404
        for path in ('/7.pdf', '/invoices/7.pdf'):
            assert ada.get(path).status == 404
        stop(site)


@pytest.mark.parametrize(
    ('program', 'arguments', 'target', 'text'),
    [
        ('flask', ['shop:app', '--threads', '8', '--static', '/static=./static'], '/', '/film'),
        ('fastapi', ['main:app'], '/greet/Ada', 'Ada'),
    ],
)
def test_one_line_serves_an_application(
    tmp_path: Path, program: str, arguments: list[str], target: str, text: str
) -> None:
    write(tmp_path, program)
    (tmp_path / 'static').mkdir()
    (tmp_path / 'static' / 'page.css').write_text('a {}')
    with Cli('app', *arguments, '--port', '0', python=True, cwd=tmp_path) as site:
        answer = site.get(target)
        assert (answer.status, text in answer.text) == (200, True)
        if '--static' in arguments:
            assert site.get('/static/page.css').text == 'a {}'
        stop(site)


def test_what_comes_from_examples_is_lines_of_them() -> None:
    found = [(name, content) for name, file, content in BLOCK.findall(PAGE.read_text()) if not file]
    assert {name for name, _ in found} == {
        'examples/application.py',
        'examples/application/site.toml',
    }
    for name, content in found:
        assert content in (REPOSITORY / name).read_text(), name


def test_every_configuration_of_the_page_is_fine(tmp_path: Path) -> None:
    configurations = re.findall(r'```toml\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
    assert len(configurations) >= 7
    for number, configuration in enumerate(configurations):
        # What is named there is another machine's.
        text = re.sub(r'"/(srv|etc)/', f'"{tmp_path}/', configuration)
        text = re.sub(r'^(cert|key|user) = .*\n', '', text, flags=re.M)
        file = tmp_path / f'{number}.toml'
        file.write_text(text)
        with Cli('check', file, python=True, cwd=tmp_path) as check:
            assert check.wait() == 0, f'{configuration}\n{check.stderr}'
        os.unlink(file)
