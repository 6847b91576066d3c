"""Every example runs, and answers as its first lines say."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from support import PATIENCE, REPOSITORY, Cli, Program, Upstream, says, wait_until
from support.websocket_clients import client

EXAMPLES = REPOSITORY / 'examples'
ENV = {**os.environ, 'PORT': '0'}

UPLOAD = (
    b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="../a.txt"\r\n\r\ntext\r\n'
    b'--B--\r\n'
)

#: The program, then what is asked: method, target, host, body; and what comes: status, text.
CASES = {
    'hello.py': [
        ('GET', '/', '', b'', 200, 'Hello, 127.0.0.1!\n'),
        ('GET', '/greet/Ada', '', b'', 200, '{"hello":"Ada"}'),
        ('GET', '/greet', '', b'', 404, None),
    ],
    'static.py': [
        ('GET', '/', '', b'', 200, (EXAMPLES / 'site/index.html').read_text()),
        ('GET', '/notes', '', b'', 301, ''),
        ('GET', '/notes/', '', b'', 200, re.compile('<a href="shopping.txt">')),
        ('POST', '/', '', b'', 405, None),
    ],
    'vhosts.py': [
        ('GET', '/', '', b'', 200, (EXAMPLES / 'vhosts/default/index.html').read_text()),
        ('GET', '/', 'files.localhost', b'', 200, (EXAMPLES / 'vhosts/files/index.html').read_text()),
        ('GET', '/a/b', 'internal.localhost', b'', 200, 'internal.localhost was asked for /a/b\n'),
    ],
    'module/serve.py': [
        ('GET', '/', 'counter.localhost', b'', 200, '{"runs":1,"visits":1}'),
        ('GET', '/x', 'counter.localhost', b'', 200, 'No route is named /x, so on_request answers.\n'),
        ('GET', '/%3Cb%3E', 'counter.localhost', b'', 200, 'No route is named /&lt;b&gt;, so on_request answers.\n'),
        ('GET', '/', 'counter.localhost', b'', 200, '{"runs":4,"visits":2}'),
    ],
    'proxy.py': [
        ('GET', '/any/path', 'proxy.localhost', b'', 200, re.compile('"url":"/any/path".*"x-forwarded-for"')),
    ],
    'rest.py': [
        ('GET', '/', '', b'', 200, '<html><body>Welcome</body></html>'),
        ('PUT', '/note', '', b'hello', 200, '["hello"]'),
        ('GET', '/note', '', b'', 200, '["hello"]'),
        ('POST', '/sum', '', b'{"add": [1, 2]}', 200, '{"sum": 3}'),
        ('GET', '/sum', '', b'', 405, None),
        ('GET', '/me', '', b'', 200, '{"address":"127.0.0.1"}'),
        ('GET', '/old', '', b'', 307, ''),
    ],
    'upload.py': [
        ('GET', '/', '', b'', 200, re.compile('<form')),
        ('POST', '/form', '', UPLOAD, 200, '{"note":"hello","saved":[{"name":"a.txt","bytes":4}]}'),
        ('POST', '/form', '', b'', 200, '{"note":"","saved":[]}'),
        ('POST', '/count', '', b'abc', 200, re.compile('^{"bytes":3,"sha256":"ba7816bf')),
        ('POST', '/upper', '', b'hello', 200, 'HELLO'),
    ],
    'chat.py': [
        ('GET', '/', '', b'', 200, re.compile('new WebSocket')),
        ('GET', '/chat/lobby', '', b'', 426, None),
        ('POST', '/say/lobby', '', b'hello', 200, 'told 0\n'),
    ],
    'hooks.py': [
        ('GET', '/', '', b'', 200, 'request 1 of this connection\n'),
        ('GET', '/x', '', b'', 200, 'request 2 of this connection\n'),
        ('PUT', '/anything', '', b'hello', 200, 'PUT with 5 bytes\n'),
    ],
    'poll.py': [
        ('GET', '/', '', b'', 200, 'answered between two turns of the loop\n'),
    ],
    'change.py': [
        ('GET', '/', '', b'', 200, (EXAMPLES / 'vhosts/default/index.html').read_text()),
        ('POST', '/edit', '', b'', 200, re.compile('is now')),
        ('GET', '/', '', b'', 200, (EXAMPLES / 'vhosts/files/index.html').read_text()),
        ('POST', '/group', '', b'', 200, re.compile('new.localhost')),
        ('GET', '/', 'new.localhost', b'', 200, (EXAMPLES / 'vhosts/files/index.html').read_text()),
        ('POST', '/broken', '', b'', 200, re.compile('did you mean `web_root`(.|\n)*found `10.0.0.1`|found `10.0.0.1`(.|\n)*did you mean `web_root`')),
        ('GET', '/', '', b'', 200, (EXAMPLES / 'vhosts/default/index.html').read_text()),
        ('POST', '/replace', '', b'', 200, re.compile('no virtual hosts')),
        ('GET', '/', 'new.localhost', b'', 200, (EXAMPLES / 'site/index.html').read_text()),
    ],
    'application.py': [
        ('GET', '/', '', b'', 200, re.compile('Hello from Flask')),
        ('GET', '/static/page.css', '', b'', 200, (EXAMPLES / 'application/static/page.css').read_text()),
        ('GET', '/none', '', b'', 404, re.compile('Not Found')),
    ],
    'demo/serve.py': [
        ('GET', '/', '', b'', 200, re.compile('<h1', re.IGNORECASE)),
        ('GET', '/theme/', '', b'', 200, (EXAMPLES / 'demo/start/theme/day.css').read_text()),
        ('POST', '/change', '', b'', 303, ''),
        ('GET', '/theme/', '', b'', 200, (EXAMPLES / 'demo/start/theme/night.css').read_text()),
        ('GET', '/', 'files.localhost', b'', 200, (EXAMPLES / 'demo/files/index.html').read_text()),
        ('GET', '/', 'module.localhost', b'', 200, re.compile('.')),
        ('GET', '/x', 'proxy.localhost', b'', 200, re.compile('<code>/x</code>')),
    ],
}  # fmt: skip


@pytest.mark.parametrize('name', CASES)
def test_an_example_does_what_it_says(name: str) -> None:
    with Program(EXAMPLES / name, env=ENV) as program, program.client() as client:
        for method, target, host, body, status, text in CASES[name]:
            fields = {'Content-Type': 'multipart/form-data; boundary=B'} if body is UPLOAD else {}
            response = client.request(method, target, fields, body or None, host or 'localhost')
            assert response.status == status, (method, target, host, response)
            if isinstance(text, str):
                assert response.text == text, (method, target, host)
            elif text is not None:
                assert text.search(response.text), (method, target, host, response.text)
        assert program.stop() in (0, -15)
        assert 'Traceback' not in program.stderr


def test_the_poll_example_tells_its_events() -> None:
    with Program(EXAMPLES / 'poll.py', env=ENV) as program:
        program.get('/')
        program.wait_for('CLIENT_REQUEST|CLIENT_RESPONSE_DATA|CLIENT_URL_ROUTED', 'stdout')


def test_the_chat_example_tells_everybody_in_a_room() -> None:
    with Program(EXAMPLES / 'chat.py', env=ENV) as program:
        with client(program, '/chat/a') as one:
            assert one.recv(PATIENCE).endswith('has come, 1 are here')
            with client(program, '/chat/a') as two, client(program, '/chat/b') as three:
                assert two.recv(PATIENCE) == one.recv(PATIENCE)
                assert three.recv(PATIENCE).endswith('has come, 1 are here')
                two.send('hello')
                assert two.recv(PATIENCE) == one.recv(PATIENCE)
                with program.client() as http:
                    assert http.request('POST', '/say/b', body=b'hi').text == 'told 1\n'
                assert three.recv(PATIENCE) == 'a program: hi'
            assert one.recv(PATIENCE).endswith('has gone')


def test_the_asyncio_example_starts_tasks_on_its_own_loop() -> None:
    with Program(EXAMPLES / 'asyncio_bridge.py', env=ENV) as program, program.client() as client:
        assert client.request('POST', '/job').status == 200
        wait_until(
            lambda: json.loads(client.get('/job').text) == {'started': 1, 'done': 1}, 'the job'
        )


def test_the_hooks_example_speaks_another_protocol() -> None:
    with Program(EXAMPLES / 'hooks.py', env=ENV) as program, program.client() as client:
        client.send('GET', '/', [('Connection', 'upgrade'), ('Upgrade', 'lines')])
        assert client.read_head().status == 101
        client.send_raw(b'hello\nthere\n')
        assert client.read_exactly(12) == b'HELLO\nTHERE\n'
        client.close()
        program.wait_for('127.0.0.1 asked 0 times', 'stdout')


@pytest.mark.parametrize('name', ['config.toml', 'config.json'])
def test_the_configuration_files_are_fine_and_are_served(name: str, tmp_path: Path) -> None:
    site = tmp_path / 'examples'
    shutil.copytree(EXAMPLES, site)
    with Cli('check', site / name) as check:
        assert check.wait() == 0
        assert 'fine' in check.stdout + check.stderr
    with Cli('run', site / name, '--port', '0', '--addr', '127.0.0.1') as served:
        assert served.get('/').text == (site / 'site/index.html').read_text()
        files = (site / 'vhosts/files/index.html').read_text()
        assert served.get('/', 'files.localhost').text == files
        default = (site / 'vhosts/default/index.html').read_text()
        assert served.get('/', 'any.files.localhost').text == default
        assert served.get('/notes/index.py').status == 404


def test_the_site_of_applications_folders_and_an_upstream(tmp_path: Path) -> None:
    site = tmp_path / 'application'
    shutil.copytree(EXAMPLES / 'application', site)
    with Upstream(says('the upstream')) as upstream:
        file = site / 'site.toml'
        file.write_text(file.read_text().replace('127.0.0.1:9000', upstream.name))
        with Cli('run', file, '--port', '0', '--addr', '127.0.0.1', python=True) as served:
            assert 'The shop answers /tea/é' in served.get('/tea/%C3%A9').text
            assert served.get('/live').text == 'live, below /live\n'
            assert served.get('/live/ticks').text.count('data: tick') == 3
            for name in ('static/page.css', 'media/poem.txt'):
                assert served.get(f'/{name}').body == (site / name).read_bytes()
            assert served.get('/api/users?x=1').text == 'the upstream'
            assert upstream.targets[-1] == '/users?x=1'
            assert served.stop() == 0
            assert served.stdout == 'live begins\nlive ends\n'
            assert 'Traceback' not in served.stderr


def test_no_example_is_forgotten() -> None:
    programs = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob('*.py')}
    asked_through_others = {
        'module/counter.py', 'site/notes/index.py', 'vhosts/internal_tests/vhost.py',
        'demo/module.py', 'asyncio_bridge.py', 'application/shop.py', 'application/live.py',
    }  # fmt: skip
    assert programs == set(CASES) | asked_through_others
