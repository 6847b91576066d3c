"""C9: who answers a method, who may connect, and URLs that are logged in detail."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from support import Cli, Closed, Log, Program, Serving, Upstream, serving, tree

of = pytest.mark.parametrize


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    files = {
        'root': {
            'file.txt': 'file',
            'index.html': 'index',
            'run.py': 'def on_request(r): return "script"\n',
        },
        'empty': {},
        'module.py': 'def on_request(request):\n    return "module" if request.url == "/m" else None\n',
    }
    tree(tmp_path, files)
    with Upstream() as upstream:
        vhosts = {
            'module.example': {'module': str(tmp_path / 'module.py')},
            'proxy.example': {'proxy': upstream.name},
        }
        with serving(web_root=str(tmp_path / 'root'), vhosts=vhosts) as site:
            yield site


def method_of(
    site: Serving, method: str, target: str = '/x', host: str = '', **options: Any
) -> Any:
    with site.client() as client:
        return client.request(method, target, host=host, **options)


# GET


def test_c9_get_replaces_the_answer_where_nobody_else_answers(site: Serving) -> None:
    @site.http.GET
    def answer(request: Any) -> Any:
        return (
            f'{request.method} {request.url} {request.vhost}'
            if request.url != '/file.txt'
            else None
        )

    site.http.route('/route')(lambda request: 'route')
    assert site.get('/nowhere?a=b').text == 'GET /nowhere None'
    assert site.get('/route').text == 'route'
    assert site.get('/file.txt').text == 'file'
    assert site.get('/m', host='module.example').text == 'module'
    assert site.get('/other', host='module.example').text == 'GET /other module.example'
    assert '/p' in site.get('/p', host='proxy.example').text
    assert method_of(site, 'POST').status == 405


def test_c9_head_is_asked_of_get_and_has_no_content(site: Serving) -> None:
    site.http.GET(lambda request: f'{request.method}!')
    head = method_of(site, 'HEAD')
    assert (head.status, head.body, head.headers['content-length']) == (200, b'', '5')


def test_c9_get_given_back_to_files_holds_for_the_next_request(site: Serving) -> None:
    files = site.http.methods[b'GET']
    with site.client() as client:
        assert client.get('/file.txt').text == 'file'
        site.http.GET(lambda request: 'mine')
        assert client.get('/file.txt').text == 'mine'
        site.http.GET(lambda request: 'mine too')
        assert client.get('/file.txt').text == 'mine too'
        del site.http.methods['GET']
        assert client.get('/file.txt').text == 'file'
        # As a program wraps what is there.
        site.http.methods[b'GET'] = lambda request: (
            files(request) or ('wrapped' if request.url == '/x' else None)
        )
        assert client.get('/file.txt').text == 'file'
        assert client.get('/x').text == 'wrapped'
        site.http.methods[b'GET'] = files
        assert client.get('/x').status == 404
        assert client.connections == 1


def test_c9_get_may_be_async_stream_and_raise(site: Serving) -> None:
    async def later(request: Any) -> str:
        await asyncio.sleep(0)
        return 'later'

    def stream(request: Any) -> Iterator[str]:
        yield 'a'
        yield 'b'

    def bad(request: Any) -> Any:
        raise ValueError(request.url)

    for handler, answer in [(later, (200, 'later')), (stream, (200, 'ab'))]:
        site.http.GET(handler)
        response = site.get('/x')
        assert (response.status, response.text) == answer
    with Log() as log:
        site.http.GET(bad)
        assert site.get('/x').status == 500
        log.wait_for('the answer to GET')
    del site.http.methods[b'GET']
    assert site.get('/').text == 'index'


# methods, REQUESTED_METHOD


@of('name', [b'PUT', 'PUT', 'put'])
def test_c9_methods_are_edited_by_bytes_and_str(site: Serving, name: Any) -> None:
    site.http.methods[name] = lambda request: request.payload
    assert method_of(site, 'PUT', body=b'content').body == b'content'
    assert method_of(site, 'POST').status == 405
    assert b'PUT' in site.http.methods
    assert 'put' in site.http.methods
    assert sorted(site.http.methods) == [b'GET', b'PUT']
    del site.http.methods[name]
    assert method_of(site, 'PUT', body=b'').status == 405
    assert 'PUT' not in site.http.methods


def test_c9_methods_replaced_as_a_whole_and_updated(site: Serving) -> None:
    site.http.methods = {b'PUT': lambda request: 'put', 'PURGE': lambda request: 'purged'}
    assert method_of(site, 'PURGE').text == 'purged'
    site.http.methods.update({'PATCH': lambda request: 'patched'})
    assert [method_of(site, method).text for method in ('PUT', 'PATCH')] == ['put', 'patched']
    site.http.methods = {}
    assert method_of(site, 'PUT', body=b'').status == 405


@of('value', [None, 'text', 7])
def test_c9_what_cannot_answer_a_method_is_told(site: Serving, value: Any) -> None:
    with pytest.raises(TypeError, match='the answer to PUT: expected a function'):
        site.http.methods['PUT'] = value
    with pytest.raises(TypeError):
        site.http.GET(value)
    with pytest.raises(TypeError):
        site.http.methods[7] = print
    with pytest.raises(ValueError, match='expected a method'):
        site.http.methods['P T'] = print
    assert sorted(site.http.methods) == [b'GET']


def test_c9_requested_method_answers_every_other_method(site: Serving) -> None:
    @site.http.REQUESTED_METHOD
    def any_method(request: Any) -> Any:
        return None if request.method == 'DELETE' else f'any {request.method}'

    site.http.methods['PUT'] = lambda request: 'put'
    assert [method_of(site, method).text for method in ('BREW', 'POST', 'PUT')] == [
        'any BREW',
        'any POST',
        'put',
    ]
    assert method_of(site, 'DELETE').status == 405


def test_c9_requested_method_called_with_a_request_dispatches(site: Serving) -> None:
    site.http.methods['PUT'] = lambda request: 'put'
    site.http.route('/any')(lambda request: site.http.REQUESTED_METHOD(request) or 'nobody')
    assert [method_of(site, method, '/any').text for method in ('PUT', 'POST')] == ['put', 'nobody']
    with pytest.raises(TypeError):
        site.http.REQUESTED_METHOD(None)


# allow


def test_c9_allow_turns_away_whom_it_does_not_name(site: Serving) -> None:
    with site.client() as before:
        assert before.get('/file.txt').status == 200
        site.http.allow(['192.0.2.0/24', '::1'])
        with site.client() as client, pytest.raises((Closed, ConnectionError)):
            client.get('/file.txt')
        # One that was connected already is refused with its next request.
        response = before.get('/file.txt')
        assert (response.status, response.closes) == (403, True)
    site.http.allow(['127.0.0.0/8'])
    assert site.get('/file.txt').text == 'file'
    site.http.allow([])
    with site.client() as client, pytest.raises((Closed, ConnectionError)):
        client.get('/file.txt')
    site.http.allow(None)
    assert site.get('/file.txt').text == 'file'


@of(
    'given',
    [
        '127.0.0.1',
        ['127.0.0.1'],
        ('10.0.0.0/8', '127.0.0.0/8'),
        {'::ffff:127.0.0.1'},
        [ipaddress.ip_network('127.0.0.0/8')],
        iter([ipaddress.ip_address('127.0.0.1')]),
    ],
    ids=lambda given: type(given).__name__,
)
def test_c9_allow_takes_addresses_and_networks(site: Serving, given: Any) -> None:
    site.http.allow(given)
    assert site.get('/file.txt').status == 200


@of(
    ('given', 'told'),
    [
        (
            ['127.0.0.1', 'localhost'],
            r'allow\[1\]: expected an address or a network .* found `localhost`',
        ),
        (['10.0.0'], r'allow\[0\].*`10.0.0`'),
        (['10.0.0.0/40'], r'allow\[0\].*`10.0.0.0/40`'),
        ([1], r'allow\[0\].*`1`'),
        ([''], r'allow\[0\].*``'),
    ],
)
def test_c9_allow_names_the_bad_entry_and_changes_nothing(
    site: Serving, given: Any, told: str
) -> None:
    import slimHTTP

    with pytest.raises(slimHTTP.ConfError, match=told):
        site.http.allow(given)
    assert site.get('/file.txt').status == 200
    with pytest.raises(TypeError, match='needs its list'):
        site.http.allow(lambda *_: None)


def test_c9_allow_as_a_decorator_registers_on_accept(site: Serving) -> None:
    seen = []

    @site.http.allow(['127.0.0.1'])
    def accept(socket: Any, ip: str, source_port: int) -> None:
        seen.append((ip, source_port))

    assert site.http.on_accept_func is accept
    assert site.get('/file.txt').text == 'file'
    assert [ip for ip, _ in seen] == ['127.0.0.1']
    site.http.allow(['192.0.2.1'])
    with site.client() as client, pytest.raises((Closed, ConnectionError)):
        client.get('/file.txt')
    assert len(seen) == 1


def test_c9_allow_outlives_a_configuration_and_both_must_agree(site: Serving) -> None:
    import slimHTTP

    root = site.http.config['web_root']
    site.http.allow(['127.0.0.0/8'])
    site.http.configuration({'web_root': root, 'allow': ['127.0.0.1', '10.0.0.0/8']})
    assert site.get('/file.txt').status == 200
    site.http.config['allow'] = '192.0.2.1'
    with site.client() as client, pytest.raises((Closed, ConnectionError)):
        client.get('/file.txt')
    with pytest.raises(slimHTTP.ConfError, match=r'allow\[1\]: expected an address'):
        site.http.config['allow'] = ['::1', 'x']
    del site.http.config['allow']
    assert site.get('/file.txt').status == 200
    site.http.allow(['192.0.2.1'])
    site.http.configuration({'web_root': root})
    with site.client() as client, pytest.raises((Closed, ConnectionError)):
        client.get('/file.txt')


def test_c9_allow_is_judged_before_tls_and_while_python_is_busy(tmp_path: Path) -> None:
    """No byte is said to whom is not allowed, and nobody in Python is asked."""
    tree(tmp_path, {'file.txt': 'file'})
    program = f"""
import slimHTTP, time
http = slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, web_root={str(tmp_path)!r})
http.allow(['192.0.2.1'])
http.route('/')(lambda request: time.sleep(60))
http.run()
"""
    with Program(program) as process:
        with socket.create_connection(process.address, timeout=20) as connection:
            assert connection.recv(100) == b''


def test_c9_allow_on_the_command_line(tmp_path: Path) -> None:
    tree(tmp_path, {'root': {'file.txt': 'file'}})
    for allow, served in [(['127.0.0.1'], True), (['192.0.2.1'], False)]:
        config = {'addr': '127.0.0.1', 'port': 0, 'web_root': 'root', 'allow': allow}
        (tmp_path / 'site.json').write_text(json.dumps(config))
        env = {**os.environ, 'SLIMHTTP_LOG': 'debug'}
        with Cli('run', tmp_path / 'site.json', cwd=tmp_path, env=env) as process:
            if served:
                assert process.get('/file.txt').text == 'file'
            else:
                with process.client() as client, pytest.raises((Closed, ConnectionError)):
                    client.get('/file.txt')
                process.wait_for('127.0.0.1:[0-9]+ is not allowed to connect: closed')


# debug


def test_c9_debug_tells_everything_but_secrets(site: Serving) -> None:
    http = site.http
    assert not http.is_debuggable('/file.txt')
    http.debug('/file.txt')
    assert http.is_debuggable('/file.txt')
    with Log() as log:
        fields = [('Cookie', 'secret=1'), ('Authorization', 'Basic c2VjcmV0'), ('X-Seen', 'yes')]
        with site.client() as client:
            for _ in range(3):
                assert client.request('GET', '/file.txt?a=b', fields).status == 200
                client.get('/')
        log.wait_for('(GET /file.txt.a=b answered 200 OK.*){3}')
        assert log.text.count('x-seen: yes') == 3
        assert 'cookie: (not shown, 8 bytes)' in log.text
        assert 'secret' not in log.text
        assert 'c2VjcmV0' not in log.text
        assert 'GET / ' not in log.text
        http.debug('/file.txt', on=False)
        before = len(log.records)
        site.get('/file.txt')
        assert len(log.records) == before


def test_c9_debug_masks_what_the_page_for_developers_masks(site: Serving) -> None:
    """By the name: of a field, and of a parameter in whatever address."""

    @site.http.route('/back')
    def back(request):
        fields = {'X-Csrf-Token': 'secret-6', 'X-Other': 'seen-3'}
        location = '/next?state=secret-7&page=seen-4'
        return slimHTTP.HTTP_RESPONSE(
            ret_code=303, headers={**fields, 'Location': location}, payload=b''
        )

    import slimHTTP

    site.http.debug('/back')
    fields = [
        ('X-Api-Key', 'secret-1'),
        ('X-Forwarded-Authorization', 'Bearer secret-2'),
        ('Referer', 'https://me:secret-3@a.example/?token=secret-4&q=seen-1'),
    ]
    with Log() as log:
        with site.client() as client:
            assert client.request('GET', '/back?%63ode=secret-5&q=seen-2', fields).status == 303
        log.wait_for('answered 303')
    assert 'secret-' not in log.text, log.text
    for number in (1, 2, 3, 4):
        assert f'seen-{number}' in log.text
    assert 'x-api-key: (not shown, 8 bytes)' in log.text


def test_c9_debug_names_an_application_and_not_what_it_is_told(site: Serving) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response('200 OK', [])
        return [b'app']

    options = {'app': app, 'app_env': {'C9_DATABASE': 'hush'}}
    site.http.config['mounts'] = {'/shop': options}
    site.http.debug('/shop')
    with Log() as log:
        assert site.get('/shop').text == 'app'
        log.wait_for('answered 200 OK')
    assert re.search('\n  then application `.*app`\n?', log.text), log.text
    assert 'hush' not in log.text, log.text


@of(('url', 'error'), [('x', ValueError), (b'/x', TypeError), (None, TypeError)])
def test_c9_debug_takes_paths(site: Serving, url: Any, error: Any) -> None:
    with pytest.raises(error):
        site.http.debug(url)


# The rest of the instance


def test_c9_default_config_and_check_config() -> None:
    import slimHTTP

    plain = {'web_root': '/srv/http', 'index': 'index.html', 'vhosts': {}, 'port': 80}
    secure = {**plain, 'port': 443, 'ssl': {'cert': 'cert.pem', 'key': 'key.pem'}}
    for mode, expected in [(slimHTTP.HTTP, plain), (slimHTTP.HTTPS, secure)]:
        http = slimHTTP.server(mode, addr='127.0.0.1', port=0, quiet=True)
        assert http.default_config() == expected
        # What is fixed at start is not part of what may change.
        assert (
            http.check_config({key: value for key, value in expected.items() if key != 'port'})
            is True
        )
        fault = http.check_config({'web_rot': '/x'})
        assert isinstance(fault, slimHTTP.ConfError)
        http.close()


@of('status', [200, 201, 204, 205, 226, 299, 300, 304, 308, 399, 400, 418, 451, 499, 500, 511, 599])
def test_c8_3_http_response_takes_every_status(site: Serving, status: int) -> None:
    import slimHTTP

    site.http.route('/s')(lambda request: slimHTTP.HTTP_RESPONSE(ret_code=status, payload=b''))
    assert site.get('/s').status == status


def test_c9_process_new_client_serves_what_a_program_has_accepted(site: Serving) -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=20) as client:
            accepted, address = listener.accept()
            site.http.process_new_client(accepted, address)
            assert accepted.fileno() == -1
            client.sendall(b'GET /file.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            with client.makefile('rb') as stream:
                assert stream.read().endswith(b'\r\n\r\nfile')


@of(
    ('make', 'error'),
    [
        (lambda: None, TypeError),
        (lambda: socket.socketpair()[0], TypeError),
        (lambda: socket.socket(), OSError),
    ],
)
def test_c9_process_new_client_refuses_what_is_no_connection(
    site: Serving, make: Callable[[], Any], error: Any
) -> None:
    with pytest.raises(error):
        site.http.process_new_client(make(), None)
    assert site.get('/file.txt').status == 200
