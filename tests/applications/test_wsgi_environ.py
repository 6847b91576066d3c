"""C11.4: what a WSGI application is told of a request (PEP 3333, RFC 3875)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import PATIENCE, Log, in_threads, wait_until
from support.http2_client import Http2
from support.tls import lenient_tls
from support.wsgi import PLAIN, WsgiSite, wsgi_site

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site() -> Iterator[WsgiSite]:
    with wsgi_site() as site:
        yield site


def environ_of(site: WsgiSite, target: str = '/', **asked: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        seen.update(environ)
        start_response('200 OK', list(PLAIN))
        return [b'']

    assert site.ask(application, target, **asked).status == 200
    return seen


def test_c11_4_the_environ_has_every_variable_of_the_pep(site: WsgiSite) -> None:
    environ = environ_of(site, '/a/b?x=1&y')
    host, port = site.address
    assert environ['wsgi.input'].read(1) == b''
    expected = {
        'REQUEST_METHOD': 'GET',
        'SCRIPT_NAME': '',
        'PATH_INFO': '/a/b',
        'QUERY_STRING': 'x=1&y',
        'REQUEST_URI': '/a/b?x=1&y',
        'RAW_URI': '/a/b?x=1&y',
        'SERVER_NAME': host,
        'SERVER_PORT': str(port),
        'SERVER_PROTOCOL': 'HTTP/1.1',
        'REMOTE_ADDR': '127.0.0.1',
        'HTTP_HOST': f'{host}:{port}',
        'wsgi.version': (1, 0),
        'wsgi.url_scheme': 'http',
        'wsgi.multithread': False,
        'wsgi.multiprocess': False,
        'wsgi.run_once': False,
        'wsgi.input_terminated': True,
    }
    assert {name: environ[name] for name in expected} == expected
    assert environ['REMOTE_PORT'].isdigit()
    assert environ['SERVER_SOFTWARE'].startswith('slimHTTP/')
    assert 'HTTPS' not in environ
    assert 'CONTENT_LENGTH' not in environ


@of(
    ('target', 'path'),
    {
        '/': '/',
        '/caf%C3%A9': '/caf\xc3\xa9',
        '/caf%E9': '/caf\xe9',
        '/%F0%9F%90%8D/': '/\xf0\x9f\x90\x8d/',
        '/a%2Fb': '/a/b',
        '/a%20b+c': '/a b+c',
        '/a%25b': '/a%b',
        '//a//b/../c/': '/a/c/',
    }.items(),
)
def test_c11_4_the_path_is_decoded_bytes_as_latin_1(site: WsgiSite, target: str, path: str) -> None:
    assert environ_of(site, target)['PATH_INFO'] == path


def test_c11_4_the_target_is_there_as_it_was_sent(site: WsgiSite) -> None:
    environ = environ_of(site, '//a/%2e./caf%C3%A9?q=%20;')
    assert environ['RAW_URI'] == '//a/%2e./caf%C3%A9?q=%20;'
    assert environ['QUERY_STRING'] == 'q=%20;'


def test_c11_4_header_fields_are_joined_and_doubtful_ones_left_out(site: WsgiSite) -> None:
    fields = [
        ('X-Twice', 'a'),
        ('Cookie', 'a=1'),
        ('X-Twice', 'b'),
        ('X-Twice', 'c, d'),
        ('Cookie', 'b=2'),
        ('X-Latin', 'caf\xe9'),
        ('X_Twice', 'smuggled'),
        ('Content_Length', '5'),
        ('Proxy', 'http://evil.example'),
        ('Content-Type', 'text/x-own'),
    ]
    environ = environ_of(site, fields=fields, body=b'abc', method='POST')
    told = {name: environ[name] for name in environ if name.startswith(('HTTP_X_T', 'HTTP_C'))}
    assert told == {'HTTP_X_TWICE': 'a,b,c, d', 'HTTP_COOKIE': 'a=1; b=2'}
    assert environ['HTTP_X_LATIN'] == 'caf\xe9'
    assert (environ['CONTENT_TYPE'], environ['CONTENT_LENGTH']) == ('text/x-own', '3')
    assert {'HTTP_PROXY', 'HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH'}.isdisjoint(environ)


def test_c11_4_nothing_is_told_of_what_a_request_lacks(site: WsgiSite) -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        seen.update(environ)
        start_response('200 OK', list(PLAIN))
        return [b'']

    name = site.name(application)
    with site.serving.client() as client:
        client.send_raw(f'OPTIONS / HTTP/1.0\r\nX-App: {name}\r\n\r\n'.encode())
        assert client.read_response().status == 200
    assert (seen['REQUEST_METHOD'], seen['SERVER_PROTOCOL']) == ('OPTIONS', 'HTTP/1.0')
    assert {key for key in seen if key.startswith('HTTP_')} == {'HTTP_X_APP'}
    assert {'CONTENT_TYPE', 'CONTENT_LENGTH'}.isdisjoint(seen)


def test_c11_4_each_request_has_an_environ_of_its_own(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        assert 'left.behind' not in environ
        assert environ['SCRIPT_NAME'] == ''
        environ['left.behind'] = environ['SCRIPT_NAME'] = '/moved'
        start_response('200 OK', list(PLAIN))
        return [b'']

    for _ in range(2):
        assert site.ask(application, valid=False).status == 200


def test_c11_4_the_path_in_front_is_the_script_name() -> None:
    with wsgi_site(root_path='/caf\xe9') as site:
        environ = environ_of(site, '/a')
    assert (environ['SCRIPT_NAME'], environ['PATH_INFO']) == ('/caf\xc3\xa9', '/a')


@of('threads', [1, 2])
def test_c11_4_it_is_told_whether_threads_are_several(threads: int) -> None:
    with wsgi_site(python_threads=threads) as site:
        assert environ_of(site)['wsgi.multithread'] is (threads > 1)


FORWARDED = [
    ('X-Forwarded-For', '198.51.100.7'),
    ('X-Forwarded-Proto', 'https'),
]


def test_c11_4_the_client_is_the_one_that_trusted_proxies_name(site: WsgiSite) -> None:
    with wsgi_site(trusted_proxies=['127.0.0.1']) as trusting:
        environ = environ_of(trusting, fields=FORWARDED)
    assert (environ['REMOTE_ADDR'], environ['wsgi.url_scheme']) == ('198.51.100.7', 'https')
    assert environ['HTTPS'] == 'on'
    assert 'REMOTE_PORT' not in environ
    environ = environ_of(site, fields=FORWARDED)
    assert (environ['REMOTE_ADDR'], environ['wsgi.url_scheme']) == ('127.0.0.1', 'http')


def test_c11_4_the_scheme_and_the_host_over_tls_and_http_2() -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(dict(environ))
        start_response('200 OK', list(PLAIN))
        return [b'']

    with wsgi_site(mode=slimHTTP.HTTPS) as site:
        with site.serving.client(tls=lenient_tls()) as client:
            assert site.ask(application, client=client).status == 200
        with Http2(site.address[1]) as connection:
            fields = ('x-app', site.name(application))
            stream = connection.ask('/h2', fields, authority='a.example')
            assert connection.answer(stream).status == 200
    told = [
        (environ['wsgi.url_scheme'], environ['HTTPS'], environ['SERVER_PROTOCOL'])
        for environ in seen
    ]
    assert told == [('https', 'on', 'HTTP/1.1'), ('https', 'on', 'HTTP/2.0')]
    assert seen[1]['HTTP_HOST'] == 'a.example'


def test_c11_4_what_an_application_says_of_errors_is_logged_line_by_line(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        errors = environ['wsgi.errors']
        print('first', 'line', file=errors)
        errors.writelines(['second ', 'line\nthird'])
        errors.flush()
        errors.write('not ended')
        start_response('200 OK', list(PLAIN))
        return [b'']

    with Log() as log:
        assert site.ask(application).status == 200
        log.wait_for('not ended')
        lines = [record for record in log.records if hasattr(record, 'application')]
    assert {record.levelname for record in lines} == {'ERROR'}
    assert {'`' in record.application for record in lines} == {False}
    texts = [record.getMessage() for record in lines]
    assert texts == ['first line', 'second line', 'third', 'not ended']


def test_c11_4_a_line_of_errors_is_bounded(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ['wsgi.errors'].write('x' * 20_000 + '\n')
        with pytest.raises(TypeError):
            environ['wsgi.errors'].write(b'bytes')
        start_response('200 OK', list(PLAIN))
        return [b'']

    with Log() as log:
        assert site.ask(application, valid=False).status == 200

        def lengths() -> list[int]:
            messages = [record.getMessage() for record in list(log.records)]
            return [len(message) for message in messages if 'xxx' in message]

        wait_until(lambda: len(lengths()) == 3)
    assert lengths() == [8192, 8192, 3616]


def test_c11_4_lines_of_several_threads_are_apart() -> None:
    barrier = threading.Barrier(2)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        for word in ('a line ', 'of ', environ['QUERY_STRING'], '\n'):
            barrier.wait(PATIENCE)
            environ['wsgi.errors'].write(word)
        start_response('200 OK', list(PLAIN))
        return [b'']

    with Log() as log, wsgi_site(python_threads=2) as site:
        in_threads(2, lambda number: site.ask(application, f'/?{number}'))
        for number in range(2):
            log.wait_for(f'a line of {number}$|a line of {number}\n')
