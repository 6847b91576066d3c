"""C8.3, C8.5 and C8.7 where handlers go wrong in ways that could take more than their answer along."""

from __future__ import annotations

import asyncio
import re
import select
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from support import (
    PATIENCE,
    Client,
    Log,
    Serving,
    check_not_whole,
    in_background,
    serving,
    settles,
    wait_until,
)
from support.sites import ask_handler

of = pytest.mark.parametrize


@pytest.fixture
def site() -> Iterator[Serving]:
    with serving() as site:
        site.http.route('/well')(lambda request: 'well')

        @site.http.route('/well/later')
        async def later(request):
            return 'well'

        yield site


def is_well(site: Serving) -> None:
    assert [site.get(target).text for target in ('/well', '/well/later')] == ['well', 'well']


def response(*args: Any, **more: Any):
    import slimHTTP

    return slimHTTP.HTTP_RESPONSE(*args, **more)


# Fields


def in_response_headers(request, fields: Any):
    request.response_headers.update(fields)
    return 'body'


#: Ways to give an answer its fields.
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    'response': lambda request, fields: response(fields, b'body'),
    'response_headers': in_response_headers,
    'stream': lambda request, fields: response(fields, iter([b'bo', b'dy'])),
}
#: `count` fields.
FIELDS: dict[str, Callable[[int], Any]] = {
    'names': lambda count: {f'x-{number}': 'x' for number in range(count)},
    'one name': lambda count: {'x-same': ['x'] * count},
}


@of('fields', FIELDS)
@of('way', WAYS)
def test_c8_3_1024_fields_are_the_most_an_answer_has(site: Serving, way: str, fields: str) -> None:
    def ask(count: int):
        return ask_handler(site, lambda request: WAYS[way](request, FIELDS[fields](count)))

    most = ask(1024)
    assert (most.status, most.text) == (200, 'body')
    assert len([name for name in most.headers if name.lower().startswith('x-')]) == 1024
    with Log() as log:
        for count in (1025, 26_000):
            assert ask(count).status == 500
        log.wait_for('ValueError: an answer has at most 1024 header fields')
    is_well(site)


def test_c8_3_both_sources_of_fields_count(site: Serving) -> None:
    def handler(request):
        request.response_headers.update({f'y-{number}': 'y' for number in range(600)})
        return response(FIELDS['names'](600), b'body')

    assert ask_handler(site, handler).status == 500
    is_well(site)


def test_c8_3_too_many_fields_of_a_raw_response_are_a_fault(site: Serving) -> None:
    with Log() as log:
        raw = lambda request: request.build_headers(FIELDS['names'](26_000)) + b'body'  # noqa: E731
        assert ask_handler(site, raw).status == 500
        log.wait_for('at most 1024 header fields')
    is_well(site)


# Panics


def panic() -> BaseException:
    """As native code that panics raises it; the extension panics where it meets it."""
    kinds = {kind.__name__: kind for kind in BaseException.__subclasses__()}
    return kinds['PanicException']('on purpose')


async def panic_later(request):
    await asyncio.sleep(0)
    raise panic()


def panic_in_a_stream(request):
    yield b'first'
    raise panic()


async def panic_in_an_async_stream(request):
    yield b'first'
    raise panic()


def panic_at_once(request):
    raise panic()


async def panic_before_an_async_stream(request):
    raise panic()
    yield b'never'


@of('handler', [panic_at_once, panic_later, panic_before_an_async_stream])
@of('threads', [1, 2])
def test_c8_5_a_panic_is_500_and_ends_nothing_else(handler, threads: int) -> None:
    with serving(python_threads=threads) as site, Log() as log:
        # Only now does the kind of exception exist.
        assert ask_handler(site, lambda request: {}['x']).status == 500
        site.http.route('/panics')(handler)
        site.http.route('/well')(lambda request: 'well')
        for _ in range(3):
            assert site.get('/panics').status == 500
            assert site.get('/well').text == 'well'
        log.wait_for('/panics[^\n]*: native code panicked: [^\n]*on purpose')
        panicked = [record for record in log.records if 'panicked' in record.getMessage()]
        assert {record.levelname for record in panicked} == {'ERROR'}


@of('handler', [panic_in_a_stream, panic_in_an_async_stream])
def test_c8_5_a_panic_in_a_stream_breaks_it_off(site: Serving, handler) -> None:
    with Log() as log:
        assert ask_handler(site, lambda request: {}['x']).status == 500
        site.http.route('/panics')(handler)
        with site.client() as client:
            client.send('GET', '/panics')
            check_not_whole(client)
        is_well(site)
        log.wait_for('native code panicked: [^\n]*on purpose')


# Lengths


def stream_of(asynchronous: bool, chunks: list[bytes]):
    async def later():
        for chunk in chunks:
            yield chunk

    return later() if asynchronous else iter(chunks)


@of('asynchronous', [False, True])
@of(
    'length', ['abc', '-5', '+5', '', '5.0', '5, 5', ['5', '5'], ['5', '6'], '18446744073709551616']
)
def test_c8_3_a_length_that_is_none_is_500(site: Serving, length: Any, asynchronous: bool) -> None:
    def handler(request):
        return response({'Content-Length': length}, stream_of(asynchronous, [b'hello']))

    with Log() as log:
        assert ask_handler(site, handler).status == 500
        log.wait_for('ValueError: a Content-Length is one number of bytes, not')
    is_well(site)


@of('asynchronous', [False, True])
def test_c8_3_a_length_in_response_headers_is_heeded(site: Serving, asynchronous: bool) -> None:
    def handler(request):
        request.response_headers['Content-Length'] = request.query['length']
        return stream_of(asynchronous, [b'hel', b'lo'])

    assert ask_handler(site, handler, target='/test?length=x').status == 500
    good = ask_handler(site, handler, target='/test?length=5')
    assert (good.headers['Content-Length'], good.text) == ('5', 'hello')
    assert 'Transfer-Encoding' not in good.headers


@of('asynchronous', [False, True])
@of(
    ('length', 'chunks', 'said'),
    [
        (10, [b'hello'], 'shorter'),
        (10, [b'hel', b'lo'], 'shorter'),
        (4, [b'hello'], 'longer'),
        (5, [b'hel', b'lorem'], 'longer'),
        (5, [b'hello', b'world'], 'longer'),
    ],
)
def test_c8_3_a_stream_of_another_length_breaks_off_and_is_logged(
    site: Serving, length: int, chunks: list[bytes], said: str, asynchronous: bool
) -> None:
    site.http.route('/test')(
        lambda request: response({'Content-Length': length}, stream_of(asynchronous, chunks))
    )
    with Log() as log, site.client() as client:
        client.send('GET', '/test')
        check_not_whole(client)
        log.wait_for(f'GET /test: the stream is {said} than its Content-Length of {length}')
    is_well(site)


@of('asynchronous', [False, True])
def test_c8_3_a_stream_of_nothing_is_not_of_a_length(site: Serving, asynchronous: bool) -> None:
    def handler(request):
        return response({'Content-Length': 5}, stream_of(asynchronous, []))

    assert ask_handler(site, handler).status == 500
    assert ask_handler(site, handler, 'HEAD').status == 200


@of('asynchronous', [False, True])
def test_c8_3_a_stream_of_the_right_length_comes_to_its_end(
    site: Serving, asynchronous: bool
) -> None:
    ended = []

    def chunks():
        yield b'hel'
        yield b'lo'
        ended.append(True)

    async def chunks_later():
        for chunk in chunks():
            yield chunk

    def handler(request):
        return response({'Content-Length': 5}, chunks_later() if asynchronous else chunks())

    with site.client() as client:
        site.http.route('/test')(handler)
        assert [client.get('/test').text for _ in range(3)] == ['hello'] * 3
        assert client.connections == 1
    assert ended == [True] * 3


# Statuses without a body


@of('status', [204, 205, 304])
@of(
    'payload',
    [b'body', None, {'a': 1}, 'stream', 'raw'],
)
@of('method', ['GET', 'HEAD', 'POST'])
def test_c8_3_some_statuses_have_no_body(
    site: Serving, status: int, payload: Any, method: str
) -> None:
    def handler(request):
        if payload == 'raw':
            import slimHTTP

            return slimHTTP.Raw(f'HTTP/1.1 {status} X\r\nContent-Length: 4\r\n\r\nbody'.encode())
        if payload == 'stream':
            return response({'Content-Length': 4}, iter([b'body']), ret_code=status)
        return response(payload=payload, ret_code=status)

    site.http.route('/test')(handler)
    with site.client() as client:
        client.send(method, '/test', {'Content-Length': '0'} if method == 'POST' else {})
        head = client.read_head()
        assert head.status == status
        assert 'Transfer-Encoding' not in head.headers
        lengths = head.headers.all('Content-Length')
        if status == 205:
            # RFC 9110 section 15.3.6.
            assert lengths == ['0']
        elif status == 204:
            assert lengths == []
        assert client.get('/well').text == 'well', 'what follows is the next response'
        assert client.connections == 1


def test_c8_3_a_faulty_raw_response_is_named_once(site: Serving) -> None:
    with Log() as log:
        import slimHTTP

        raw = slimHTTP.Raw(b'HTTP/1.9 200 OK\r\n\r\n')
        assert ask_handler(site, lambda request: raw).status == 500
        message = log.wait_for('ValueError: ([^\n]*)')[1]
    assert message.count('raw response') == 1, message


# Who holds others up


def test_c8_7_a_handler_that_blocks_the_event_loop_is_told_once_with_the_remedy(
    site: Serving,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    holding, held_on = threading.Event(), threading.Event()

    @site.http.route('/blocking')
    async def blocking(request):
        begun.set()
        go_on.wait(2 * PATIENCE)
        return 'blocked'

    def count() -> int:
        return len(re.findall('blocked the event loop', log.text))

    def get(target: str) -> str:
        return site.client(timeout=3 * PATIENCE).get(target).text

    with Log() as log, serving() as beside:
        beside.http.route('/other')(lambda request: 'other')

        @beside.http.route('/holding')
        def holds(request):
            holding.set()
            held_on.wait(PATIENCE)
            return 'held'

        with in_background(lambda: get('/blocking')) as first:
            assert begun.wait(PATIENCE)
            # One that holds the thread of plain handlers is named after the same while.
            with in_background(lambda: beside.get('/holding').text) as held:
                assert holding.wait(PATIENCE)
                with in_background(lambda: beside.get('/other').text) as other:
                    log.wait_for('/holding has held the only Python thread')
                    held_on.set()
                    assert (held(), other()) == ('held', 'other')
            assert count() == 0, 'nobody waits'
            with in_background(lambda: get('/well/later')) as second:
                log.wait_for(
                    r'blocked the event loop for \d\.\d s while 1 request waits: '
                    r'[^\n]*asyncio\.to_thread'
                )
                wait_until(lambda: count() == 1, 'the warning')
                assert settles(count) == 1
                go_on.set()
                assert (first(), second()) == ('blocked', 'well')
        is_well(site)
        assert count() == 1


def test_c8_5_calls_of_clients_that_left_take_no_room_before_the_event_loop() -> None:
    called: list[str] = []
    begun, go_on = threading.Event(), threading.Event()
    with serving(max_queue=3) as site:

        @site.http.route('/blocking')
        async def blocking(request):
            begun.set()
            go_on.wait(2 * PATIENCE)
            return 'blocked'

        @site.http.route('/note/<name>')
        async def note(request):
            called.append(request.params['name'])
            return 'noted'

        def send(name: str) -> Client:
            client = site.client(timeout=3 * PATIENCE)
            client.send('GET', f'/note/{name}')
            return client

        def blocked() -> str:
            return site.client(timeout=3 * PATIENCE).get('/blocking').text

        with in_background(blocked) as result:
            assert begun.wait(PATIENCE)
            leaving = [send('left') for _ in range(3)]
            assert all(waits(client) for client in leaving)
            assert send('refused').read_response().status == 503
            for client in leaving:
                client.close()
            staying: list[Client] = []
            # The server hears of the others' leaving by and by.
            wait_until(lambda: staying.append(send('stayed')) or waits(staying[-1]), 'room')
            go_on.set()
            assert result() == 'blocked'
            assert staying[-1].read_response().text == 'noted'
    assert called == ['stayed']


def waits(client: Client) -> bool:
    """Whether nothing comes for a while."""
    return not select.select([client.socket], [], [], 0.3)[0]
