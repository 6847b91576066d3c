"""C6.6 and C6.8: modules that fail, and modules at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from support import PATIENCE, Log, Program, at_once, get, in_background, serving, tree, wait_until
from support.sites import ANSWERS, HOST, ask, module_site, write
from support.upgrades import ASKING

of = pytest.mark.parametrize

# C6.6

FAULTS = {
    'does not parse': 'def secret_word(request:\n    return 1\n',
    'is indented wrongly': 'def on_request(request):\nreturn "secret_word"\n',
    'has a NUL': 'secret_word = 1\0\n',
    'raises on import': 'secret_word = 1\nraise RuntimeError("secret_word")\n',
    'imports what is not there': 'import secret_word_module\n',
    'exits on import': 'import sys\nsecret_word = 1\nsys.exit(3)\n',
    'raises in on_request': 'def on_request(request):\n    raise RuntimeError("secret_word")\n',
    'raises in async on_request': 'async def on_request(request):\n    raise RuntimeError("secret_word")\n',
    'exits in on_request': 'import sys\ndef on_request(request):\n    sys.exit("secret_word")\n',
    'recurses': 'def on_request(request):\n    return on_request(request)  # secret_word\n',
    'takes no request': 'def on_request():\n    return "secret_word"\n',
    'returns nonsense': 'def on_request(request):\n    return {"secret_word"}\n',
    'lies in another encoding': '# coding: no-such-coding\nsecret_word = 1\n',
}


@of('fault', FAULTS)
def test_c6_6_a_fault_is_500_without_a_word_of_code_and_the_next_edit_recovers(
    tmp_path: Path, fault: str
) -> None:
    with Log() as log, module_site(tmp_path, FAULTS[fault]) as site:
        site.http.route('/well')(lambda request: 'well')
        response = ask(site)
        assert response.status == 500
        for word in (
            'secret_word',
            'on_request',
            'Traceback',
            'vhost.py',
            os.fspath(tmp_path),
            'Error',
        ):
            assert word.encode() not in response.body.replace(b'Internal Server Error', b''), word
        log.wait_for(r'vhost\.py')
        if fault != 'returns nonsense':
            log.wait_for('Error|SystemExit')
        assert site.get('/well', host='other.example').text == 'well'
        write(tmp_path / 'vhost.py', ANSWERS.format('recovered'))
        assert ask(site).text == 'recovered'


def test_c6_6_the_log_has_traceback_request_and_path(tmp_path: Path) -> None:
    with Log() as log, module_site(tmp_path, FAULTS['raises in on_request']) as site:
        assert ask(site, '/the/target').status == 500
        log.wait_for('RuntimeError: secret_word')
        assert 'Traceback (most recent call last)' in log.text
        assert f'File "{tmp_path / "vhost.py"}", line 2, in on_request' in log.text
        assert '/the/target' in log.text
        assert 'GET' in log.text


def fails(request: Any) -> Any:
    raise RuntimeError('secret_word')


async def fails_later(request: Any) -> Any:
    raise RuntimeError('secret_word')


async def fails_streaming(request: Any) -> Any:
    raise RuntimeError('secret_word')
    yield 'x'


def breaks_a_field(request: Any) -> str:
    request.response_headers['secret_word\n'] = 'x'
    return 'x'


#: Whatever else of a program answers, and how it is asked: method, path, fields.
HANDLERS: dict[str, tuple[Callable[[Any], Any], str, str, Any]] = {
    'GET': (lambda http: http.GET(fails), 'GET', '/', ()),
    'HEAD': (lambda http: http.GET(fails), 'HEAD', '/', ()),
    'methods': (lambda http: http.methods.update(PUT=fails_later), 'PUT', '/', ()),
    'every method': (lambda http: http.REQUESTED_METHOD(fails_streaming), 'BREW', '/', ()),
    'on_upgrade': (lambda http: http.on_upgrade(fails), 'GET', '/', ASKING),
    'a route that streams': (lambda http: http.route('/x', stream=True)(fails_later), 'PUT', '/x', ()),
    'a field': (lambda http: http.route('/x')(breaks_a_field), 'GET', '/x', ()),
}  # fmt: skip


@of('handler', HANDLERS)
@of('elsewhere', [False, True], ids=['nowhere', 'another host'])
def test_c6_6_no_handler_tells_of_the_code_without_debug(handler: str, elsewhere: bool) -> None:
    """Nor where another virtual host has `debug`."""
    register, method, path, fields = HANDLERS[handler]
    with serving(vhosts={'debug.example': {'debug': True}} if elsewhere else {}) as site:
        register(site.http)
        with Log() as log, site.client() as client:
            response = client.request(method, path, fields, host='plain.example')
            log.wait_for('secret_word')
        assert response.status == 500
        told = f'{response.headers} {response.text}'
        assert not [word for word in ('secret_word', 'Traceback', '.py') if word in told]


@of(
    'fault',
    ['does not parse', 'raises on import', 'raises in on_request', 'raises in async on_request'],
)
def test_c6_6_with_debug_the_browser_gets_the_traceback(tmp_path: Path, fault: str) -> None:
    with module_site(tmp_path, FAULTS[fault], debug=True) as site:
        response = ask(site)
        assert response.status == 500
        assert response.headers['Content-Type'].startswith('text/html')
        assert 'Error' in response.text
        assert 'secret_word' in response.text
        assert 'vhost.py' in response.text


def test_c6_6_a_module_that_is_taken_away_is_500_until_it_is_back(tmp_path: Path) -> None:
    with Log() as log, module_site(tmp_path, ANSWERS.format('here')) as site:
        assert ask(site).text == 'here'
        (tmp_path / 'vhost.py').unlink()
        assert ask(site).status == 500
        log.wait_for(r'vhost\.py')
        write(tmp_path / 'vhost.py', ANSWERS.format('back'))
        assert ask(site).text == 'back'


def test_c6_6_nothing_else_is_disturbed(tmp_path: Path) -> None:
    files = {
        'well.py': ANSWERS.format('well'),
        'root/file.txt': 'file',
        'bad.py': FAULTS['exits on import'],
    }
    tree(tmp_path, files)
    hosts = {
        'bad.example': {'module': os.fspath(tmp_path / 'bad.py')},
        'well.example': {'module': os.fspath(tmp_path / 'well.py')},
    }
    with serving(web_root=os.fspath(tmp_path / 'root'), vhosts=hosts) as site:

        def load(host: str, target: str, status: int) -> None:
            with site.client() as client:
                for _ in range(40):
                    assert client.get(target, host=host).status == status

        at_once(
            [
                lambda: load('bad.example', '/', 500),
                lambda: load('well.example', '/', 200),
                lambda: load('other.example', '/file.txt', 200),
            ]
            * 3
        )


# C6.8


def test_c6_8_modules_run_on_the_one_thread(tmp_path: Path) -> None:
    source = 'import threading\nTHREAD = threading.get_ident()\ndef on_request(request):\n    return f"{THREAD} {threading.get_ident()}"\n'
    with module_site(tmp_path, source) as site:
        site.http.route('/thread')(lambda request: f'{threading.get_ident()}')
        thread = site.get('/thread').text

        def load() -> set[str]:
            with site.client() as client:
                return {client.get('/', host=HOST).text for _ in range(20)}

        assert set().union(*at_once([load] * 6)) == {f'{thread} {thread}'}


def test_c6_8_modules_never_run_at_once_unless_threads_say_so(tmp_path: Path) -> None:
    source = (
        'import slimHTTP, time\n'
        'def on_request(request):\n'
        '    now = slimHTTP.memory.increment("c6_8")\n'
        '    time.sleep(0.02)\n'
        '    slimHTTP.memory.increment("c6_8", -1)\n'
        '    return str(now)\n'
    )
    with module_site(tmp_path, source) as site:
        assert set(at_once([lambda: ask(site).text] * 12)) == {'1'}


def test_c6_8_with_threads_modules_run_at_once(tmp_path: Path) -> None:
    source = 'def on_request(request):\n    request.CLIENT_IDENTITY.server.barrier.wait(10)\n    return "both"\n'
    tree(tmp_path, {'vhost.py': source})
    with serving(
        python_threads=3, vhosts={HOST: {'module': os.fspath(tmp_path / 'vhost.py')}}
    ) as site:
        site.http.barrier = threading.Barrier(3)
        assert at_once([lambda: ask(site).text] * 3) == ['both'] * 3


def test_c6_8_an_async_on_request_overlaps(tmp_path: Path) -> None:
    source = (
        'import asyncio, slimHTTP\n'
        'async def on_request(request):\n'
        '    event = slimHTTP.memory.setdefault("c6_8 event", asyncio.Event())\n'
        '    if request.url == "/set":\n'
        '        event.set()\n'
        '    await event.wait()\n'
        '    return request.url\n'
    )
    import slimHTTP

    slimHTTP.memory.pop('c6_8 event', None)
    with module_site(tmp_path, source) as site:
        with in_background(lambda: ask(site, '/wait').text) as waiting:
            wait_until(lambda: 'c6_8 event' in slimHTTP.memory)
            assert ask(site, '/set').text == '/set'
            assert waiting() == '/wait'
    slimHTTP.memory.pop('c6_8 event', None)


def test_c6_1_a_program_with_a_module_from_the_working_directory(tmp_path: Path) -> None:
    """The whole of it as users have it: a program, a relative path, an edit."""
    tree(tmp_path, {'vhosts/vhost.py': ANSWERS.format('first')})
    source = (
        'import slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        '@http.configuration\n'
        'def config(instance):\n'
        "    return {'vhosts': {'a.example': {'module': './vhosts/vhost.py'}}}\n"
        'http.run()\n'
    )
    with Program(source, cwd=tmp_path) as program:
        assert get(program.address, '/', 'a.example').text == 'first'
        write(tmp_path / 'vhosts' / 'vhost.py', ANSWERS.format('other'))
        assert get(program.address, '/', 'a.example').text == 'other'
        assert program.stop(patience=3 * PATIENCE) == 0
