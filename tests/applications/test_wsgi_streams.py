"""C11.4: what a WSGI application streams: as it comes, as the client takes it, and to its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
import slimHTTP
from support import PATIENCE, Closed, Log, Program, in_threads, narrow_client, wait_until
from support.http2_client import Http2
from support.waiting import settles
from support.wsgi import PLAIN, Closable, WsgiSite, returns, says, wsgi_site

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site() -> Iterator[WsgiSite]:
    with wsgi_site() as site:
        yield site


def length(count: int) -> list[tuple[str, str]]:
    return [*PLAIN, ('Content-Length', str(count))]


@of('how', ['chunked', 'of a length'])
def test_c11_4_each_chunk_is_sent_at_once(site: WsgiSite, how: str) -> None:
    goes_on = [threading.Event() for _ in range(3)]

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', length(3) if how == 'of a length' else list(PLAIN))
        for event in goes_on:
            yield b'x'
            assert event.wait(PATIENCE)

    name = site.name(application)
    with site.serving.client() as client:
        client.send('GET', '/', [('X-App', name)])
        assert client.read_head().status == 200
        for event in goes_on:
            chunk = client.read_chunk()[0] if how == 'chunked' else client.read_exactly(1)
            assert chunk == b'x'
            event.set()


def test_c11_4_a_slow_client_holds_the_iterable_up(site: WsgiSite) -> None:
    block, made = b'x' * 65536, [0]

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))
        for _ in range(160):
            made[0] += 1
            yield block

    name = site.name(application)
    with narrow_client(site.address) as client:
        client.send('GET', '/', [('X-App', name)])
        wait_until(lambda: made[0], 'the first')
        assert settles(lambda: made[0]) < 120
        # Its thread is free for others meanwhile.
        assert site.ask(says(b'other')).text == 'other'
        assert len(client.read_response().body) == len(block) * 160


@of('how', ['chunked', 'of a length', 'write'])
def test_c11_4_a_client_that_leaves_ends_the_stream(site: WsgiSite, how: str) -> None:
    result = Closable(iter(lambda: b'x' * 65536, None))
    raised: list[BaseException] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', length(1 << 40) if how == 'of a length' else list(PLAIN))
        if how == 'write':
            try:
                while True:
                    write(b'x' * 65536)
            except Exception as error:
                raised.append(error)
                raise
        return result

    name = site.name(application, valid=False)
    with Log() as log:
        with narrow_client(site.address) as client:
            client.send('GET', '/', [('X-App', name)])
            assert client.read_head().status == 200
            client.reset()
        wait_until(lambda: result.closed or raised, 'the end')
        assert site.ask(says(b'next')).text == 'next'
    if how == 'write':
        assert type(raised[0]).__name__ == 'ClientDisconnected'
    else:
        assert result.closed == 1
    assert 'Traceback' not in log.text


@of('how', ['HEAD', '204', 'all of its length'])
def test_c11_4_who_writes_for_ever_what_nobody_gets_is_told(site: WsgiSite, how: str) -> None:
    raised: list[BaseException] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        headers = length(3) if how == 'all of its length' else list(PLAIN)
        write = start_response('204 No Content' if how == '204' else '200 OK', headers)
        try:
            while True:
                write(b'abc')
        except OSError as error:
            raised.append(error)
            raise

    name = site.name(application, valid=False)
    with Log() as log, site.serving.client() as client:
        client.send('HEAD' if how == 'HEAD' else 'GET', '/', [('X-App', name)])
        assert client.read_head().status == (204 if how == '204' else 200)
        wait_until(lambda: raised, 'the end')
        assert site.ask(says(b'next')).text == 'next'
    assert type(raised[0]).__name__ == 'ClientDisconnected'
    assert 'Traceback' not in log.text
    assert log.text.count('longer than its Content-Length') == (how == 'all of its length')


def test_c11_4_an_endless_iterable_behind_write_is_closed_where_nobody_gets_it(
    site: WsgiSite,
) -> None:
    result = Closable(iter(lambda: b'x', None))

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))(b'x')
        return result

    assert site.ask(application, method='HEAD', valid=False).status == 200
    wait_until(lambda: result.closed, 'the close')
    assert result.closed == 1


@of('how', ['behind its length', 'behind write', 'behind write of a length'])
def test_c11_4_an_iterable_that_gives_nothing_for_ever_is_closed(site: WsgiSite, how: str) -> None:
    result = Closable(chain([b'abc'], iter(lambda: b'', None)))

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', length(3) if 'length' in how else list(PLAIN))
        if 'write' in how:
            write(next(result))
        return result

    name = site.name(application, valid=False)
    with Log() as log, site.serving.client() as client:
        client.send('GET', '/', [('X-App', name)])
        assert client.read_head().status == 200
        if 'length' not in how:
            client.reset()
        wait_until(lambda: result.closed, 'the close')
        assert site.ask(says(b'next')).text == 'next'
    assert result.closed == 1
    assert 'Traceback' not in log.text


def test_c11_4_an_application_that_gives_nothing_is_left_when_its_client_leaves(
    site: WsgiSite,
) -> None:
    result = Closable(iter(lambda: b'', None))

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))
        return result

    name = site.name(application, valid=False)
    with site.serving.client() as client:
        client.send('GET', '/', [('X-App', name)])
        assert client.is_open(within=0.1)
        client.reset()
    wait_until(lambda: result.closed, 'the close')


def test_c11_4_a_stream_that_is_not_read_to_its_end_is_closed_with_the_server() -> None:
    result = Closable(iter(lambda: b'x' * 65536, None))
    with wsgi_site(grace_period=0.1) as site, narrow_client(site.address) as client:
        name = site.name(returns(result), valid=False)
        client.send('GET', '/', [('X-App', name)])
        assert client.read_head().status == 200
        site.serving.http.stop()
        wait_until(lambda: result.closed, 'the close')
    assert result.closed == 1


# close()


@of(
    'how',
    ['GET', 'HEAD', '304', 'length', 'empty', 'raises at once', 'raises in the middle', 'too long'],
)
def test_c11_4_the_iterable_is_closed_once(site: WsgiSite, how: str) -> None:
    def chunks() -> Any:
        if how == 'raises at once':
            raise ValueError('at once')
        if how != 'empty':
            yield b'abc'
            if how == 'raises in the middle':
                raise ValueError('in the middle')
            yield b'def'

    result = Closable(chunks())
    headers = (
        length({'length': 6, 'too long': 2}.get(how, 0)) if how in ('length', 'too long') else PLAIN
    )
    application = returns(result, '304 Not Modified' if how == '304' else '200 OK', headers)
    method = 'HEAD' if how == 'HEAD' else 'GET'
    if how == 'raises in the middle':
        with pytest.raises(Closed):
            site.ask(application, method=method, valid=False)
    else:
        status = {'304': 304, 'raises at once': 500}.get(how, 200)
        assert site.ask(application, method=method, valid=False).status == status
    wait_until(lambda: result.closed, 'the close')
    # The thread does the next request behind whatever it still had to do of this one.
    assert site.ask(says(b'next')).text == 'next'
    assert result.closed == 1


def test_c11_4_write_is_over_once_the_iterable_has_begun(site: WsgiSite) -> None:
    raised: list[BaseException] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', list(PLAIN))
        yield b'a'
        try:
            write(b'never')
        except AssertionError as error:
            raised.append(error)
        yield b'b'

    assert site.ask(application).body == b'ab'
    assert str(raised[0]) == 'the response was sent already'


@of('wrong', ['raises', 'too short'])
def test_c11_4_a_stream_of_http_2_that_fails_is_reset(wrong: str) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', length(5))
        yield b'abc'
        if wrong == 'raises':
            raise ValueError('in the middle')

    with wsgi_site(mode=slimHTTP.HTTPS) as site, Http2(site.address[1]) as connection:
        answer = connection.get('/', ('x-app', site.name(application)))
        assert answer.reset == 2  # INTERNAL_ERROR
        said = connection.get('/', ('x-app', site.name(says(b'next'))))
        assert said.body == b'next'


def test_c11_4_a_request_for_a_websocket_is_answered_as_any_other(site: WsgiSite) -> None:
    fields = [
        ('Connection', 'Upgrade'),
        ('Upgrade', 'websocket'),
        ('Sec-WebSocket-Version', '13'),
        ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='),
    ]

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('426 Upgrade Required', list(PLAIN))
        return [environ['HTTP_UPGRADE'].encode()]

    answer = site.ask(application, fields=fields)
    assert (answer.status, answer.text) == (426, 'websocket')


def test_c11_4_close_is_looked_for_on_what_was_returned(site: WsgiSite) -> None:
    class Returned:
        closed = 0

        def __iter__(self) -> Any:
            return iter([b'a', b'b'])

        def close(self) -> None:
            self.closed += 1

    returned = Returned()
    assert site.ask(returns(returned)).body == b'ab'
    wait_until(lambda: returned.closed, 'the close')


def test_c11_4_a_close_that_raises_is_logged(site: WsgiSite) -> None:
    class Raises(Closable):
        def close(self) -> None:
            raise ValueError('while it is closed')

    with Log() as log:
        assert site.ask(returns(Raises([b'a', b'b'])), valid=False).body == b'ab'
        log.wait_for('ValueError: while it is closed')


def test_c11_4_what_stands_behind_the_last_chunk_runs(site: WsgiSite) -> None:
    ran: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', length(int(environ['QUERY_STRING'])))
        yield b'abc'
        if environ['QUERY_STRING'] == '6':
            yield b'def'
        ran.append(environ['QUERY_STRING'])

    for count in ('3', '6'):
        assert len(site.ask(application, f'/?{count}').body) == int(count)
        wait_until(lambda count=count: count in ran, 'the end')


INTERRUPTS = """
import slimHTTP


class Result:
    def __init__(self, steps):
        self.steps = steps

    def __iter__(self):
        for _ in range(self.steps):
            yield b'x'
        raise KeyboardInterrupt

    def close(self):
        print('closed', flush=True)


def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['QUERY_STRING'] == 'call':
        raise KeyboardInterrupt
    return Result(int(environ['QUERY_STRING']))


http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, app=app, interface='wsgi')
http.run()
"""


@of('where', ['call', '0', '1', '2'])
def test_c11_4_a_keyboard_interrupt_ends_the_server(where: str) -> None:
    with Program(INTERRUPTS) as process:
        with contextlib.suppress(Closed):
            process.get(f'/?{where}')
        assert process.wait() != 0
        assert 'KeyboardInterrupt' in process.stderr
        assert process.stdout.count('closed') == (where != 'call')


# Contexts and threads.


def test_c11_4_a_request_leaves_nothing_in_the_context_of_the_next(site: WsgiSite) -> None:
    import contextvars

    var: contextvars.ContextVar[str] = contextvars.ContextVar('var', default='nothing')
    seen: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(var.get())
        var.set('set by the application')
        start_response('200 OK', list(PLAIN))
        yield b'a'
        seen.append(var.get())
        var.set('set by the iterable')
        yield b'b'
        seen.append(var.get())

    for _ in range(2):
        assert site.ask(application).body == b'ab'
    assert seen == ['nothing', 'set by the application', 'set by the iterable'] * 2


def test_c11_4_several_threads_call_an_application_at_once() -> None:
    barrier = threading.Barrier(3)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        barrier.wait(10)
        start_response('200 OK', list(PLAIN))
        return [environ['QUERY_STRING'].encode()]

    with wsgi_site(python_threads=3) as site:
        answers = in_threads(3, lambda number: site.ask(application, f'/?{number}').text)
    assert answers == ['0', '1', '2']
