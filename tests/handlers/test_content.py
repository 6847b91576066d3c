"""C8.6: the content of requests as it comes in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import slimHTTP
from support import (
    PART_OF_A_BODY,
    PATIENCE,
    Client,
    Log,
    Serving,
    outlast,
    resident_memory,
    serving,
    wait_until,
)
from support.sites import ask_handler

of = pytest.mark.parametrize

#: Every way in which a handler reads a content whole; by the path of its route.
WAYS = ('sync', 'async', 'payload', 'generator')
#: Those that read it as it comes in, and see what goes wrong.
STREAMED = ('sync', 'async', 'payload')


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    with serving(max_body='1MiB', vhosts={'b.example': {}}) as site:
        add_routes(site.http)
        yield site


def add_routes(http: Any, **more: Any) -> None:
    """Routes that give back what they have read, each in its own way."""

    @http.route('/sync', stream=True, **more)
    def sync(request):
        return b''.join(request.stream())

    @http.route('/async', stream=True, **more)
    async def asynchronous(request):
        return b''.join([chunk async for chunk in request.stream()])

    @http.route('/payload', stream=True, **more)
    def payload(request):
        return request.payload

    @http.route('/generator', stream=True, **more)
    def generator(request):
        yield from request.stream()

    @http.route('/echo', stream=True, **more)
    async def echo(request):
        async for chunk in request.stream():
            yield chunk

    @http.route('/early', stream=True, **more)
    def early(request):
        return 'early'


SIZES = [0, 1, 1000, 65_536, 1 << 20]


@of('way', [*WAYS, 'echo'])
@of('size', SIZES)
@of('chunked', [False, True])
def test_c8_6_content_is_read_as_it_comes_in(
    site: Serving, way: str, size: int, chunked: bool
) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    with site.client() as client:
        body = [data[at : at + 30_011] for at in range(0, size, 30_011)] if chunked else data
        assert client.request('POST', f'/{way}', body=body).body == data
        assert client.request('POST', f'/{way}', body=b'next').body == b'next'
        assert client.get(f'/{way}').body == b''
        assert client.connections == 1


@of('way', ['sync', 'async'])
def test_c8_6_the_handler_is_called_when_the_head_is_there(site: Serving, way: str) -> None:
    seen: list[bytes] = []
    news = threading.Condition()

    def note(chunk: bytes) -> None:
        with news:
            seen.append(chunk)
            news.notify_all()

    if way == 'sync':

        @site.http.route('/called', stream=True)
        def called(request):
            note(b'called')
            for chunk in request.stream():
                note(chunk)
            return 'done'
    else:

        @site.http.route('/called', stream=True)
        async def called_async(request):
            note(b'called')
            async for chunk in request.stream():
                note(chunk)
            return 'done'

    with site.client() as client:
        client.send('POST', '/called', {'Content-Length': '6'})
        for number, (sent, expected) in enumerate([(b'', b'called'), (b'abc', b'abc')]):
            client.send_raw(sent)
            with news:
                assert news.wait_for(lambda number=number: len(seen) > number, PATIENCE), seen
            assert seen[number] == expected
        client.send_raw(b'def')
        assert client.read_response().text == 'done'
    assert b''.join(seen[1:]) == b'abcdef'


def test_c8_6_a_response_is_written_while_the_content_is_read(site: Serving) -> None:
    with site.client() as client:
        client.send('POST', '/echo', {'Transfer-Encoding': 'chunked'})
        for text in (b'one', b'two', b'three'):
            client.send_raw(b'%x\r\n%s\r\n' % (len(text), text))
            if text == b'one':
                assert client.read_head().status == 200
            assert client.read_chunk()[0] == text
        client.send_raw(b'0\r\n\r\n')
        assert client.read_chunk()[0] == b''


@of('way', WAYS)
def test_c8_6_100_continue_is_said_when_the_handler_asks(site: Serving, way: str) -> None:
    with site.client() as client:
        client.send('POST', f'/{way}', {'Expect': '100-continue', 'Content-Length': '5'})
        assert client.read_head().status == 100
        client.send_raw(b'hello')
        assert client.read_response().body == b'hello'


def test_c8_6_who_does_not_ask_says_no_100_continue(site: Serving) -> None:
    with site.client() as client:
        client.send('POST', '/early', {'Expect': '100-continue', 'Content-Length': '5'})
        response = client.read_response()
        assert (response.text, response.interim) == ('early', [])


@of('sent', [0, 10, 100_000, 900_000])
def test_c8_6_an_answer_without_reading_reaches_the_client(site: Serving, sent: int) -> None:
    with site.client() as client:
        client.send('POST', '/early', {'Content-Length': '1000000'})
        client.send_raw(b'x' * sent)
        response = client.read_response()
        assert (response.status, response.text) == (200, 'early')
        assert response.closes, 'there is no telling where the next request begins'


@of('way', STREAMED)
@of(
    ('head', 'sent', 'status'),
    [
        ('Transfer-Encoding: chunked', b'40000\r\n' + b'x' * 0x40000 + b'\r\n', 413),
        ('Content-Length: 1048577', b'', 413),
        ('Transfer-Encoding: chunked', b'nonsense\r\n', 400),
    ],
)
def test_c8_6_what_goes_wrong_is_told_to_the_client(
    site: Serving, way: str, head: str, sent: bytes, status: int
) -> None:
    with Log() as log, site.client() as client:
        client.send_raw(f'POST /{way} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n'.encode())
        for _ in range(5 if status == 413 else 1):
            client.send_raw(sent)
        assert client.read_response().status == status
    assert not [record for record in log.records if record.levelname == 'ERROR'], log.text


@of('way', STREAMED)
def test_c8_6_a_client_that_pauses_for_long_is_told_408(way: str) -> None:
    with serving(body_timeout=0.2) as site, site.client() as client:
        add_routes(site.http)
        client.send('POST', f'/{way}', {'Content-Length': '5'})
        client.send_raw(b'he')
        assert client.read_response().status == 408


def test_c8_6_a_handlers_own_time_is_not_the_clients() -> None:
    begun, go_on = threading.Event(), threading.Event()
    with serving(body_timeout=0.2) as site, site.client() as client:

        @site.http.route('/slow', stream=True)
        async def slow(request):
            chunks = []
            async for chunk in request.stream():
                chunks.append(chunk)
                begun.set()
                await asyncio.to_thread(go_on.wait, PATIENCE)
            return b''.join(chunks)

        client.send('POST', '/slow', {'Content-Length': '6'})
        client.send_raw(b'abc')
        assert begun.wait(PATIENCE)
        client.send_raw(b'def')
        outlast(site.address, PART_OF_A_BODY)
        go_on.set()
        assert client.read_response().body == b'abcdef'


@of('way', ['sync', 'async'])
@of('length', ['Content-Length: 10', 'Transfer-Encoding: chunked'])
def test_c8_5_a_client_that_leaves_is_told_to_the_handler(
    site: Serving, way: str, length: str
) -> None:
    ended: list[BaseException] = []

    if way == 'sync':

        @site.http.route('/left', stream=True)
        def left(request):
            try:
                list(request.stream())
            except BaseException as error:
                ended.append(error)
                raise
    else:

        @site.http.route('/left', stream=True)
        async def left_async(request):
            try:
                async for _ in request.stream():
                    pass
            except BaseException as error:
                ended.append(error)
                raise

    with Log() as log:
        with site.client() as client:
            client.send_raw(f'POST /left HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n3\r\nabc'.encode())
        wait_until(lambda: ended, 'the end of the handler')
        assert isinstance(ended[0], (slimHTTP.ClientDisconnected, asyncio.CancelledError)), ended
        if way == 'sync':
            log.wait_for('ClientDisconnected')
    assert not [record for record in log.records if record.levelname == 'ERROR'], log.text
    assert site.get('/early').text == 'early'


def test_c8_6_nothing_is_read_while_the_handler_does_not_ask() -> None:
    go_on = threading.Event()
    with serving(max_body='1GiB', python_threads=2) as site, site.client() as client:

        @site.http.route('/', stream=True)
        def waits(request):
            stream = request.stream()
            first = next(stream)
            assert go_on.wait(PATIENCE)
            return {'size': len(first) + sum(map(len, stream))}

        size = 64 << 20
        client.send('POST', '/', {'Content-Length': str(size)})
        sent = 0
        block = b'x' * 65536
        client.socket.settimeout(0.5)
        try:
            while sent < size:
                sent += client.socket.send(block[: size - sent])
        except TimeoutError:
            pass
        # What the system and the connection hold, and no more.
        assert sent < 32 << 20, sent
        go_on.set()
        client.socket.settimeout(PATIENCE)
        while sent < size:
            sent += client.socket.send(block[: size - sent])
        assert client.read_response().json() == {'size': size}


@of('way', ['sync', 'async', 'form'])
def test_c8_6_200_mb_need_no_memory(way: str) -> None:
    size = 200 << 20
    most = [0]
    with serving(max_body='1GiB') as site, site.client() as client:

        @site.http.route('/sync', stream=True)
        def sync(request):
            return {'size': sum(measure(len(chunk)) for chunk in request.stream())}

        @site.http.route('/async', stream=True)
        async def asynchronous(request):
            return {'size': sum([measure(len(chunk)) async for chunk in request.stream()])}

        @site.http.route('/form', stream=True)
        def form(request):
            return {'size': measure(request.files['f'].size)}

        def measure(length: int) -> int:
            most[0] = max(most[0], resident_memory())
            return length

        head = b'--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'
        head, tail = (head, b'\r\n--B--\r\n') if way == 'form' else (b'', b'')
        kind = 'multipart/form-data; boundary=B'
        before = resident_memory()
        block = b'x' * (1 << 20)
        length = str(size + len(head + tail))
        client.send('POST', f'/{way}', {'Content-Length': length, 'Content-Type': kind})
        client.send_raw(head)
        for _ in range(size // len(block)):
            client.send_raw(block)
        client.send_raw(tail)
        assert client.read_response().json() == {'size': size}
    assert most[0] - before < 48 << 20, f'{(most[0] - before) >> 20} MiB'


def test_c8_6_several_uploads_at_once_do_not_wait_for_each_other_on_the_loop(
    site: Serving,
) -> None:
    clients = [site.client() for _ in range(8)]
    try:
        for client in clients:
            client.send('POST', '/async', {'Content-Length': '2'})
            client.send_raw(b'a')
        # The last comes to its end while the others wait.
        for client in reversed(clients):
            client.send_raw(b'b')
            assert client.read_response().body == b'ab'
    finally:
        for client in clients:
            client.close()


def test_c8_6_a_read_that_was_given_up_loses_nothing(site: Serving) -> None:
    waited = threading.Event()

    @site.http.route('/patient', stream=True)
    async def patient(request):
        stream = request.stream()
        chunks = [await stream.__anext__()]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.__anext__(), 0.05)
        waited.set()
        async for chunk in stream:
            chunks.append(chunk)
        return b''.join(chunks)

    with site.client() as client:
        client.send('POST', '/patient', {'Content-Length': '6'})
        client.send_raw(b'abc')
        assert waited.wait(PATIENCE)
        client.send_raw(b'def')
        assert client.read_response().body == b'abcdef'


def test_c8_6_content_may_be_read_on_a_loop_of_ones_own(site: Serving) -> None:
    @site.http.route('/own', stream=True)
    def own(request):
        async def read() -> bytes:
            return b''.join([chunk async for chunk in request.stream()])

        return asyncio.run(read())

    with site.client() as client:
        client.send('POST', '/own', {'Content-Length': '6'})
        client.send_raw(b'abc')
        client.send_raw(b'def')
        assert client.read_response().body == b'abcdef'


def test_c8_6_content_ends_with_its_request(site: Serving) -> None:
    kept: list[Any] = []
    site.http.route('/keep', stream=True)(lambda request: kept.append(request) or 'kept')
    with site.client() as client:
        client.send('POST', '/keep', {'Content-Length': '5'})
        assert client.read_response().text == 'kept'
    for read in (lambda request: request.payload, lambda request: list(request.stream())):
        with pytest.raises(slimHTTP.ClientDisconnected):
            wait_until(lambda read=read: read(kept[0]))


def test_c8_1_a_route_that_passes_on_leaves_the_content(site: Serving) -> None:
    with serving() as upstream:
        upstream.http.route('/', prefix=True)(lambda request: request.payload)
        proxy = f'127.0.0.1:{upstream.http.port}'
        with serving(vhosts={'p': {'proxy': proxy}}) as site:

            @site.http.route('/untouched', vhost='p', stream=True)
            def untouched(request):
                return None

            @site.http.route('/touched', vhost='p', stream=True)
            def touched(request):
                next(request.stream())

            with site.client() as client, Log() as log:
                for body in (b'all of it', [b'all ', b'of it']):
                    response = client.request('POST', '/untouched', body=body, host='p')
                    assert response.body == b'all of it'
                assert client.request('POST', '/touched', body=b'x', host='p').status == 500
                log.wait_for('passed on to a proxy')


def test_c8_2_stream_gives_what_is_there_in_every_route(site: Serving) -> None:
    def look(request):
        once, twice = request.stream(), request.stream()
        return {'is': [b''.join(once).decode(), b''.join(twice).decode(), list(once) == []]}

    assert ask_handler(site, look, 'POST', body=b'body').json() == {'is': ['body', 'body', True]}
    assert ask_handler(site, look).json() == {'is': ['', '', True]}


def test_c8_2_what_the_stream_has_left_is_the_payload(site: Serving) -> None:
    @site.http.route('/rest', stream=True)
    def rest(request):
        first = next(request.stream())
        payload = request.payload
        return {'is': [first.decode(), payload.decode(), request.payload is payload]}

    with site.client() as client:
        client.send('POST', '/rest', {'Transfer-Encoding': 'chunked'})
        client.send_raw(b'3\r\nabc\r\n')
        client.send_raw(b'3\r\ndef\r\n0\r\n\r\n')
        first, payload, same = client.read_response().json()['is']
        assert (first + payload, same) == ('abcdef', True)


@of('kind', ['sync', 'async'])
def test_c1_5_a_server_that_closes_ends_a_read(kind: str) -> None:
    reads, ended = threading.Event(), threading.Event()
    with serving(grace_period=0) as site:

        @site.http.route('/sync', stream=True)
        def sync(request):
            try:
                for _ in request.stream():
                    reads.set()
            finally:
                ended.set()

        @site.http.route('/async', stream=True)
        async def asynchronous(request):
            try:
                async for _ in request.stream():
                    reads.set()
            finally:
                ended.set()

        client = Client(site.address)
        client.send('POST', f'/{kind}', {'Content-Length': '5'})
        client.send_raw(b'he')
        assert reads.wait(PATIENCE)
    assert ended.wait(PATIENCE)
    client.close()


def test_c8_6_content_comes_in_over_http2_too() -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(100):
            yield b'x' * 10_000

    with serving(mode=slimHTTP.HTTPS, max_body='1MiB') as site:
        add_routes(site.http)
        url = f'https://127.0.0.1:{site.http.port}'
        with httpx.Client(http2=True, verify=False, base_url=url, timeout=PATIENCE) as client:
            for way in (*WAYS, 'echo'):
                response = client.post(f'/{way}', content=blocks())
                assert (response.http_version, response.status_code) == ('HTTP/2', 200)
                assert len(response.content) == 1_000_000, way
            assert client.post('/early', content=b'unread').text == 'early'
            assert client.post('/sync', content=b'after').text == 'after'
