"""`python -m slimHTTP app`: the flags of uvicorn and gunicorn, and what comes of them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Optional

import pytest
from support.servers import Cli, tree
from support.waiting import wait_until
from support.websocket_clients import client as websocket
from support.websocket_clients import closing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: A WSGI application that tells how it is called.
APPLICATION = """
import os
from settings import NAME

def app(environ, start_response):
    told = {
        '/name': NAME,
        '/variable': os.environ.get('SHOP', 'none'),
        '/folder': os.getcwd(),
        '/script': environ['SCRIPT_NAME'],
        '/scheme': environ['wsgi.url_scheme'],
    }
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [told[environ['PATH_INFO']].encode()]

def create_app():
    return app
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        'src/main.py': APPLICATION,
        'src/settings.py': 'NAME = "shop"\n',
        'src/pkg/__init__.py': '',
        'src/pkg/wsgi.py': 'from main import app as application\n',
        'static/a.txt': 'a file\n',
        'static/a.py': 'a file\n',
        '.env': 'SHOP=from the file\n',
        'broken.py': 'def app(\n',
    }
    return tree(tmp_path, files)


def app(folder: Path, *arguments: str, env: Optional[dict[str, str]] = None) -> Cli:
    return Cli('app', *arguments, '--port', '0', python=True, cwd=folder, env=env)


def told(program: Cli, path: str, **fields: str) -> str:
    response = program.get(path, **fields)
    assert response.status == 200, response.body
    return response.body.decode()


@pytest.mark.parametrize(
    'target',
    [
        ['main:app', '--app-dir', 'src'],
        ['main', '--app-dir', 'src'],
        ['main:create_app()', '--app-dir', 'src'],
        ['main:create_app', '--factory', '--app-dir', 'src'],
        ['pkg.wsgi', '--pythonpath', 'src'],
        ['./src/main.py:app'],
        ['./src/main.py'],
        ['src/pkg/wsgi.py'],
    ],
    ids=' '.join,
)
def test_an_application_is_found(folder: Path, target: list[str]) -> None:
    with app(folder, *target) as program:
        assert told(program, '/name') == 'shop'
        assert program.url.startswith('http://localhost:')
        # Each request is a line, on standard error.
        program.wait_for(r'127\.0\.0\.1 - - \[[^]]+\] "GET /name HTTP/1\.1" 200 4\n')
        assert program.stop() == 0


def test_variables_and_folders_are_set_before_it_is_imported(folder: Path) -> None:
    arguments = ['main:app', '--app-dir', 'src']
    for more, expected, env in [
        (['--env-file', '.env'], 'from the file', {}),
        (['--env-file', '.env'], 'from outside', {'SHOP': 'from outside'}),
        (['--env-file', '.env', '-e', 'SHOP=given'], 'given', {'SHOP': 'from outside'}),
    ]:
        with app(folder, *arguments, *more, env=env) as program:
            assert told(program, '/variable') == expected
            assert told(program, '/folder') == str(folder)
    with app(folder, 'main:app', '--chdir', 'src') as program:
        assert told(program, '/folder') == str(folder / 'src')


def test_a_proxy_of_this_machine_is_believed(folder: Path) -> None:
    arguments = ['main:app', '--app-dir', 'src']
    fields = {'X-Forwarded-Proto': 'https'}
    for more, expected in [([], 'https'), (['--no-proxy-headers'], 'http')]:
        with app(folder, *arguments, *more) as program:
            assert told(program, '/scheme', **fields) == expected


def test_answers_are_as_the_flags_say(folder: Path) -> None:
    flags = [
        'main:app', '--app-dir', 'src', '--static', '/static=static', '--root-path', '/shop',
        '--header', 'X-Shop: yes', '--no-access-log',
    ]  # fmt: skip
    with app(folder, *flags) as program:
        assert told(program, '/script') == '/shop'
        assert told(program, '/static/a.txt') == 'a file\n'
        response = program.get('/static/a.py')
        assert (response.status, response.headers['X-Shop']) == (404, 'yes')
        assert program.stop() == 0
        assert '"GET ' not in program.stderr


def test_an_application_that_fails_ends_the_program(folder: Path) -> None:
    for target, said in [
        ('broken:app', 'SyntaxError'),
        ('no_such_module:app', 'no_such_module'),
        ('settings:missing', 'missing'),
    ]:
        with app(folder, target, '--app-dir', '.' if target.startswith('broken') else 'src') as it:
            assert it.wait() == 1, target
            assert said in it.stderr


def test_a_configuration_file_is_written(folder: Path) -> None:
    flags = ['main:app', '--app-dir', 'src', '--static', '/static=static', '-e', 'SHOP=a "b"']
    with Cli('app', *flags, '--print-config', cwd=folder) as program:
        assert program.wait() == 0
    written = tomllib.loads(program.stdout)
    assert written == {
        'access_log': 'common',
        'addr': '127.0.0.1',
        'app': 'main:app',
        'app_dir': 'src',
        'app_env': {'SHOP': 'a "b"'},
        'event_loop': 'auto',
        'mounts': {'/static': {'scripts': False, 'web_root': 'static'}},
        'port': 8000,
        'python_threads': 4,
        'trusted_proxies': ['127.0.0.1', '::1'],
    }
    (folder / 'site.toml').write_text(program.stdout)
    with Cli('check', 'site.toml', python=True, cwd=folder) as checked:
        assert (checked.wait(), checked.stdout) == (0, 'site.toml: fine\n'), checked.stderr


def test_what_others_have_and_we_do_not_is_told(folder: Path) -> None:
    for flags, said in [
        (['-w', '4'], '`--threads 4` answers 4 requests of a WSGI application at once'),
        (['-k', 'uvicorn.workers.UvicornWorker'], 'the interface decides'),
        (['--uds', 'a.sock'], '`--bind 127.0.0.1:8000`'),
        (['--interface', 'asgi2'], 'expected an application of ASGI 3'),
    ]:
        with Cli('app', 'main:app', *flags, python=True, cwd=folder) as program:
            assert program.wait() == 2, flags
            assert said in program.stderr


def test_without_python_it_says_who_has_it(folder: Path) -> None:
    with Cli('app', 'main:app', cwd=folder) as program:
        assert program.wait() == 2
        assert 'hint: `python -m slimHTTP app …` has' in program.stderr


def test_an_edit_shows(folder: Path) -> None:
    with app(folder, 'main:app', '--app-dir', 'src', '--reload') as program:
        assert told(program, '/name') == 'shop'
        (folder / 'src/settings.py').write_text('NAME = "another shop"\n')
        wait_until(lambda: told(program, '/name') == 'another shop')
        # A new module of the application's folder is one too.
        (folder / 'src/settings.py').write_text('from names import NAME\n')
        program.wait_for('it has not started anew: ModuleNotFoundError')
        assert told(program, '/name') == 'another shop'
        page = wait_until(
            lambda: (found := program.get('/name', Accept='text/html')).status == 500 and found
        )
        assert b'No module named' in page.body
        assert b'settings.py' in page.body
        (folder / 'src/names.py').write_text('NAME = "a third shop"\n')
        wait_until(lambda: told(program, '/name') == 'a third shop')


def test_a_first_start_that_fails_is_mended(folder: Path) -> None:
    settings = folder / 'src/settings.py'
    settings.write_text('NAME = \n')
    arguments = ['main:app', '--app-dir', 'src', '--reload', '--env-file', '.env']
    with Cli('app', *arguments, '--bind', '127.0.0.1:0', python=True, cwd=folder) as program:
        program.wait_for('it has not started: SyntaxError: invalid syntax')
        settings.write_text('NAME = "shop"\n')
        # Until it has started, whoever asks sees why it has not.
        wait_until(lambda: program.get('/name').text == 'shop')
        (folder / '.env').write_text('SHOP=another\n')
        # Whoever has shown it is given up once the new one serves, and may answer for a moment.
        wait_until(lambda: program.get('/variable').text == 'another')


def test_a_loop_that_is_not_there_is_told(folder: Path) -> None:
    if importlib.util.find_spec('uvloop') is not None:
        pytest.skip('uvloop is installed')
    with app(folder, 'main:app', '--app-dir', 'src', '--loop', 'uvloop') as program:
        assert program.wait() == 1
        assert program.stderr.startswith('slimhttp: event_loop: expected a package `uvloop`')


#: An ASGI application with a lifespan, and with connections that have no end of their own.
ASYNC = """
import asyncio, os

STATE = 'one'
FAILS = False

async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        assert (await receive())['type'] == 'lifespan.startup'
        if FAILS:
            raise OSError('no database')
        await send({'type': 'lifespan.startup.complete'})
        assert (await receive())['type'] == 'lifespan.shutdown'
        open('ended', 'a').write(f'{STATE}\\n')
        await send({'type': 'lifespan.shutdown.complete'})
    elif scope['type'] == 'websocket':
        await receive()
        await send({'type': 'websocket.accept'})
        while (await receive())['type'] != 'websocket.disconnect':
            await send({'type': 'websocket.send', 'text': STATE})
    else:
        events = scope['path'] == '/events'
        kind = b'text/event-stream' if events else b'text/plain'
        headers = [(b'content-type', kind)]
        await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
        await send({'type': 'http.response.body', 'body': STATE.encode(), 'more_body': events})
        if events:
            await asyncio.sleep(600)
"""


def test_an_asgi_application_is_started_and_ended(folder: Path) -> None:
    file = folder / 'server.py'
    file.write_text(ASYNC)
    ended = folder / 'ended'
    with app(folder, 'server', '--reload', '--lifespan', 'on') as program:
        assert told(program, '/') == 'one'
        with program.client() as events, websocket(program) as opened:
            events.send('GET', '/events')
            assert events.read_head().status == 200
            opened.send('?')
            assert opened.recv(timeout=10) == 'one'
            file.write_text(ASYNC.replace("'one'", "'two'"))
            wait_until(lambda: told(program, '/') == 'two')
            assert closing(opened)[0] == 1001
            wait_until(lambda: ended.exists() and ended.read_text() == 'one\n')
        # A start-up that fails leaves the old one as it is.
        file.write_text(ASYNC.replace("'one'", "'six'").replace('= False', '= True'))
        program.wait_for('it has not started anew: OSError: no database')
        assert told(program, '/') == 'two'
        page = wait_until(
            lambda: (found := program.get('/', Accept='text/html')).status == 500 and found
        )
        assert b'no database' in page.body
        assert program.stop() == 0
        assert ended.read_text() == 'one\ntwo\n'


def posted(program: Cli) -> int:
    with program.client() as client:
        return client.request('POST', '/name', body=b'x' * 2000).status


def test_what_a_limit_refuses_is_told_without_being_asked_for(folder: Path) -> None:
    told_413 = r'INFO +a request was answered 413: longer than 1024 bytes: see `max_body`'
    with app(folder, './src/main.py', '--max-body', '1KiB') as program:
        assert posted(program) == 413
        program.wait_for(told_413)
    with app(folder, './src/main.py', '--max-body', '1KiB', '--log-level', 'warning') as program:
        assert posted(program) == 413
        assert program.stop() == 0
        assert not re.search(told_413, program.stderr)


def test_what_an_application_configures_of_logging_is_what_counts(folder: Path) -> None:
    loud = "import logging; logging.basicConfig(format='own %(message)s')\n"
    source = loud + APPLICATION.replace('from settings import NAME', "NAME = 'shop'")
    tree(folder, {'loud.py': source + "logging.getLogger('slimHTTP').error('once')\n"})
    with app(folder, 'loud:app') as program:
        assert told(program, '/name') == 'shop'
        assert program.stop() == 0
        assert program.stderr.count('once') == 1
        assert 'own once' in program.stderr


def test_an_application_that_configures_logging_does_not_silence_failures(folder: Path) -> None:
    # As `LOGGING` of Django's settings is applied.
    config = "{'version': 1, 'root': {'level': 'INFO'}}"
    source = f'import logging.config\nlogging.config.dictConfig({config})\n'
    tree(folder, {'quiet.py': source + "def app(environ, start_response): raise OSError('told')\n"})
    with app(folder, 'quiet:app') as program:
        assert program.get('/').status == 500
        program.wait_for('OSError: told')


def test_the_greeting_says_what_answers_at_the_root(folder: Path) -> None:
    tree(folder, {'site.toml': '[mounts."/"]\napp = "./src/main.py"\n'})
    line = ['run', 'site.toml', '--addr', '127.0.0.1', '--port', '0']
    with Cli(*line, python=True, cwd=folder) as program:
        program.wait_for(r'slimHTTP serves \./src/main\.py at http://')
