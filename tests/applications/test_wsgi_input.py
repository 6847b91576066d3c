"""C11.4: `wsgi.input`, the content of a request as a WSGI application reads it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from hyperframe.frame import DataFrame
from support import PATIENCE, Log, answer, wait_until
from support.http2_client import Http2
from support.wsgi import PLAIN, WsgiSite, says, wsgi_site

of = pytest.mark.parametrize

TEXT = b'one\ntwo\n\nlast'

#: Before it has come, or all of a shorter content, no application is called.
AHEAD = b'x' * 65_536


@pytest.fixture(scope='module')
def site() -> Iterator[WsgiSite]:
    with wsgi_site(max_body=100_000) as site:
        yield site


#: How it is read, and what is read of `TEXT`.
READS: dict[str, tuple[Any, Any]] = {
    'read': (lambda it: it.read(), TEXT),
    'read(-1)': (lambda it: it.read(-1), TEXT),
    'read(None)': (lambda it: it.read(None), TEXT),
    'read(0)': (lambda it: (it.read(0), it.read()), (b'', TEXT)),
    'read in parts': (
        lambda it: [it.read(5), it.read(1), it.read(100)],
        [b'one\nt', b'w', TEXT[6:]],
    ),
    'read beyond': (lambda it: [it.read(1 << 40), it.read(1)], [TEXT, b'']),
    'readline': (
        lambda it: [it.readline() for _ in range(5)],
        [b'one\n', b'two\n', b'\n', b'last', b''],
    ),
    'readline(2)': (lambda it: [it.readline(2) for _ in range(3)], [b'on', b'e\n', b'tw']),
    'readline(4)': (lambda it: [it.readline(4) for _ in range(2)], [b'one\n', b'two\n']),
    'readline(0)': (lambda it: (it.readline(0), it.readline(-1)), (b'', b'one\n')),
    'readlines': (lambda it: it.readlines(), [b'one\n', b'two\n', b'\n', b'last']),
    'readlines(5)': (lambda it: [it.readlines(5), it.read()], [[b'one\n', b'two\n'], b'\nlast']),
    'iteration': (list, [b'one\n', b'two\n', b'\n', b'last']),
    'a line and the rest': (
        lambda it: [next(it), it.read(2), it.readline()],
        [b'one\n', b'tw', b'o\n'],
    ),
}


def reading(read: Any) -> tuple[Any, list[Any]]:
    given: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        given.append(read(environ['wsgi.input']))
        start_response('200 OK', list(PLAIN))
        return [b'']

    return application, given


@of('sent', ['at once', 'in chunks'])
@of('how', READS)
def test_c11_4_the_input_is_read_as_a_file(site: WsgiSite, how: str, sent: str) -> None:
    read, expected = READS[how]
    application, given = reading(read)
    body = TEXT if sent == 'at once' else (TEXT[at : at + 1] for at in range(len(TEXT)))
    assert site.ask(application, method='POST', body=body, valid=False).status == 200
    assert given == [expected]


def test_c11_4_the_input_of_a_request_without_content_is_empty(site: WsgiSite) -> None:
    application, given = reading(lambda it: [it.read(10), it.readline(), list(it), it.read(10)])
    assert site.ask(application).status == 200
    assert given == [[b'', b'', [], b'']]


def test_c11_4_content_of_http_2_needs_no_length() -> None:
    application, given = reading(lambda it: [it.read(2), it.read(9)])
    with wsgi_site(mode=slimHTTP.HTTPS) as site, Http2(site.address[1]) as connection:
        fields = ('x-app', site.name(application))
        stream = connection.ask('/', fields, method='POST', end=False)
        connection.send(DataFrame(stream, b'abcd', flags=[]))
        connection.send(DataFrame(stream, b'ef', flags=['END_STREAM']))
        assert connection.answer(stream).status == 200
    assert given == [[b'ab', b'cdef']]


def test_c11_4_a_read_waits_for_what_is_yet_to_come(site: WsgiSite) -> None:
    first = threading.Event()
    given: list[bytes] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        given.append(environ['wsgi.input'].read(len(AHEAD))[-3:])
        first.set()
        given.append(environ['wsgi.input'].readline())
        start_response('200 OK', list(PLAIN))
        return [b'done']

    name = site.name(application, valid=False)
    with site.serving.client() as client:
        head = f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\nTransfer-Encoding: chunked\r\n\r\n'
        client.send_raw(head.encode() + b'%x\r\n%s\r\n' % (len(AHEAD), AHEAD))
        assert first.wait(PATIENCE)
        client.send_raw(b'2\r\nde\r\n1\r\n\n\r\n0\r\n\r\n')
        assert answer(client).text == 'done'
    assert given == [b'xxx', b'de\n']


@of('framing', ['Content-Length: 100', 'Transfer-Encoding: chunked'])
def test_c11_4_content_that_comes_slowly_takes_no_thread(framing: str) -> None:
    application, given = reading(lambda it: it.read())
    start = b'a' if framing.startswith('Content') else b'64\r\na'
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(wsgi_site(python_threads=1))
        name = site.name(application, valid=False)
        slow = [stack.enter_context(site.serving.client()) for _ in range(3)]
        for client in slow:
            client.send_raw(f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\n'.encode())
            client.send_raw(f'{framing}\r\n\r\n'.encode() + start)
        for _ in range(3):
            assert site.ask(says(b'quick')).text == 'quick'
            assert site.ask(application, method='POST', body=b'quick', valid=False).status == 200
            for client in slow:
                client.send_raw(b'b')
        assert given == [b'quick'] * 3
        end = b'' if framing.startswith('Content') else b'\r\n0\r\n\r\n'
        slow[0].send_raw(b'c' * 96 + end)
        assert answer(slow[0]).status == 200
        assert given[3:] == [b'abbb' + b'c' * 96]


def test_c11_4_continue_is_said_before_the_application_is_called(site: WsgiSite) -> None:
    called = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        called.set()
        start_response('200 OK', list(PLAIN))
        return [environ['wsgi.input'].read()]

    name = site.name(application, valid=False)
    with site.serving.client() as client:
        head = f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\nContent-Length: 2\r\n'
        client.send_raw(head.encode() + b'Expect: 100-continue\r\n\r\n')
        assert client.read_head().status == 100
        assert not called.is_set()
        client.send_raw(b'ab')
        assert answer(client).text == 'ab'


def test_c11_4_an_application_that_refuses_does_so_behind_the_first_content(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('403 Forbidden', list(PLAIN))
        return [b'no']

    name = site.name(application)
    with site.serving.client() as client:
        head = f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\nContent-Length: 2\r\n'
        client.send_raw(head.encode() + b'Expect: 100-continue\r\n\r\n')
        assert client.read_head().status == 100
        client.send_raw(b'ab')
        assert client.read_response().status == 403


@of('announced', [True, False])
def test_c11_4_content_beyond_max_body_is_refused(site: WsgiSite, announced: bool) -> None:
    application, given = reading(lambda it: it.read(9_000_000))
    body: Any = b'x' * 100_001 if announced else (b'x' * 10_000 for _ in range(11))
    with Log() as log:
        assert site.ask(application, method='POST', body=body, valid=False).status == 413
    assert given == []
    assert 'Traceback' not in log.text


def test_c11_4_a_client_that_pauses_is_given_up() -> None:
    application, given = reading(lambda it: it.read(9_000_000))
    with wsgi_site(body_timeout=0.2) as site, site.serving.client() as client:
        name = site.name(application)
        head = f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\nContent-Length: 5\r\n\r\nabc'
        client.send_raw(head.encode())
        assert client.read_response().status == 408
    assert given == []


def test_c11_4_a_client_that_leaves_ends_the_read_with_an_error(site: WsgiSite) -> None:
    raised: list[BaseException] = []
    reads = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            environ['wsgi.input'].read(len(AHEAD))
            reads.set()
            environ['wsgi.input'].read()
        except Exception as error:
            raised.append(error)
            raise

    name = site.name(application, valid=False)
    with Log() as log:
        with site.serving.client() as client:
            head = f'POST / HTTP/1.1\r\nHost: a\r\nX-App: {name}\r\nContent-Length: 70000\r\n\r\n'
            client.send_raw(head.encode() + AHEAD)
            assert reads.wait(PATIENCE)
            client.reset()
        wait_until(lambda: raised, 'the error')
        log.wait_for('ClientDisconnected')
    assert type(raised[0]).__name__ == 'ClientDisconnected'
    assert 'Traceback' not in log.text


def test_c11_4_a_stream_may_read_on_while_it_is_sent(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))
        for line in environ['wsgi.input']:
            yield line.upper()

    assert site.ask(application, method='POST', body=TEXT, valid=False).body == TEXT.upper()
