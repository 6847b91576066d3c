"""A client that closes its sending side behind a whole request is answered; one that leaves is not.

RFC 9112 section 9.6 and RFC 9293 section 3.6. Both look alike at first: the end of what the client sends.
Who has left altogether refuses what it is sent, and then nobody works for it any more (C8.5).
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import pytest
from support import (
    PATIENCE,
    Client,
    Exchange,
    Serving,
    Upstream,
    answer,
    lenient_tls,
    narrow_client,
    serving,
    tree,
    wait_until,
)
from support.tls import SecureClient
from support.waiting import tick, tick_async
from support.watched import WatchedCall

of = pytest.mark.parametrize

LARGE = os.urandom(1 << 16) * 80


class Kind(NamedTuple):
    """What is asked, and what comes."""

    target: str
    body: bytes
    host: str = 'a'
    content: Optional[bytes] = None
    chunked: bool = False

    def raw(self, version: str = '1.1', fields: str = '') -> bytes:
        method = 'GET' if self.content is None else 'POST'
        lines = [f'{method} {self.target} HTTP/{version}', f'Host: {self.host}']
        content = self.content or b''
        if self.chunked:
            lines.append('Transfer-Encoding: chunked')
            content = b'%x\r\n%s\r\n0\r\n\r\n' % (len(content), content)
        elif self.content is not None:
            lines.append(f'Content-Length: {len(content)}')
        return '\r\n'.join([*lines, fields + '\r\n']).encode() + content


KINDS = {
    'small file': Kind('/file.txt', b'a file'),
    'large file': Kind('/large.bin', LARGE),
    'handler': Kind('/python', b'python 0'),
    'handler that takes its time': Kind('/slow', b'slow 0'),
    'asynchronous handler': Kind('/async', b'async 0'),
    'asynchronous handler that takes its time': Kind('/async-slow', b'async-slow 0'),
    'stream': Kind('/stream', b'abc' * 5),
    'asynchronous stream': Kind('/async-stream', b'abc' * 5),
    'large stream': Kind('/large-stream', LARGE),
    'proxy': Kind('/x', b'upstream 0', 'proxy'),
    'proxy that takes its time': Kind('/slow', b'upstream 0', 'proxy'),
    'proxy that streams': Kind('/stream', b'abc' * 5, 'proxy'),
    'large answer of a proxy': Kind('/large', LARGE, 'proxy'),
    'content for a handler': Kind('/slow', b'slow 5', content=b'hello'),
    'content for an asynchronous handler': Kind('/async-slow', b'async-slow 5', content=b'hello'),
    'content for a stream': Kind('/reads', b'reads 5', content=b'hello'),
    'content in chunks for a stream': Kind('/reads', b'reads 5', content=b'hello', chunked=True),
    'large content for a stream': Kind('/reads', b'reads 900000', content=b'x' * 900_000),
    'content for a proxy': Kind('/slow', b'upstream 5', 'proxy', b'hello'),
    'content in chunks for a proxy': Kind('/slow', b'upstream 5', 'proxy', b'hello', chunked=True),
    'large content for a proxy': Kind('/x', b'upstream 900000', 'proxy', b'x' * 900_000),
}


def upstream(exchange: Exchange) -> Any:
    body = exchange.read_body()
    if exchange.target == '/slow':
        tick(0.2)
    if exchange.target == '/large':
        exchange.respond(LARGE)
    elif exchange.target == '/stream':
        exchange.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        for _ in range(5):
            tick(0.03)
            exchange.send(b'3\r\nabc\r\n')
        exchange.send(b'0\r\n\r\n')
    else:
        exchange.respond(f'upstream {len(body)}'.encode())


def add_routes(http: Any) -> None:
    route = http.route

    @route('/slow')
    def slow(request):
        tick(0.2)
        return f'slow {len(request.payload)}'

    @route('/async')
    async def asynchronous(request):
        return f'async {len(request.payload)}'

    @route('/async-slow')
    async def async_slow(request):
        await tick_async(0.2)
        return f'async-slow {len(request.payload)}'

    @route('/stream')
    def stream(request):
        for _ in range(5):
            tick(0.03)
            yield b'abc'

    @route('/async-stream')
    async def async_stream(request):
        for _ in range(5):
            await tick_async(0.03)
            yield b'abc'

    @route('/reads', stream=True)
    async def reads(request):
        length = sum([len(piece) async for piece in request.stream()])
        await tick_async(0.1)
        return f'reads {length}'

    route('/python')(lambda request: f'python {len(request.payload)}')
    route('/large-stream')(
        lambda request: (LARGE[at : at + 65_536] for at in range(0, len(LARGE), 65_536))
    )


@contextlib.contextmanager
def site_of(folder: Any, mode: Optional[int] = None) -> Iterator[Serving]:
    root = tree(folder, {'file.txt': 'a file', 'large.bin': LARGE})
    with Upstream(upstream) as behind:
        hosts = {'proxy': {'proxy': behind.name}}
        with serving(mode=mode, web_root=os.fspath(root), vhosts=hosts, python_threads=2) as site:
            add_routes(site.http)
            yield site


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with site_of(tmp_path_factory.mktemp('root')) as served:
        yield served


@pytest.fixture(scope='module')
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    import slimHTTP

    with site_of(tmp_path_factory.mktemp('root'), slimHTTP.HTTPS) as served:
        yield served


def half_close(client: Client) -> None:
    client.socket.shutdown(socket.SHUT_WR)


# Who is answered.


@of('kind', KINDS.values(), ids=KINDS)
def test_a_client_that_has_said_all_is_answered_and_then_closed(site: Serving, kind: Kind) -> None:
    with site.client() as client:
        client.send_raw(kind.raw())
        half_close(client)
        response = answer(client)
        assert (response.status, response.body) == (200, kind.body)
        assert client.expect_close() == b''


@of('fields', ['', 'Connection: keep-alive\r\n'], ids=['says nothing', 'keeps alive'])
@of('kind', [kind for kind in KINDS.values() if not kind.chunked], ids=lambda kind: kind.target)
def test_a_client_of_1_0_too(site: Serving, kind: Kind, fields: str) -> None:
    with site.client() as client:
        client.send_raw(kind.raw('1.0', fields))
        half_close(client)
        response = client.read_head()
        assert response.status == 200
        assert client.expect_close() == kind.body


@of('kind', KINDS.values(), ids=KINDS)
def test_the_last_byte_and_the_end_may_come_apart(site: Serving, kind: Kind) -> None:
    """The end comes while the request is in work, or behind its answer."""
    raw = kind.raw()
    with site.client() as client:
        client.send_raw(raw[:-1])
        client.send_raw(raw[-1:])
        tick(0.05)
        half_close(client)
        assert answer(client).body == kind.body
        assert client.expect_close() == b''


def test_what_was_pipelined_before_the_end_is_answered_too(site: Serving) -> None:
    kinds = [kind for kind in KINDS.values() if len(kind.content or b'') < 100]
    with site.client() as client:
        client.send_raw(b''.join(kind.raw() for kind in kinds))
        half_close(client)
        for kind in kinds:
            assert answer(client).body == kind.body, kind.target
        assert client.expect_close() == b''


@of('kind', [KINDS[name] for name in ('large file', 'large stream', 'large answer of a proxy')])
def test_a_slow_reader_that_has_said_all_gets_all(site: Serving, kind: Kind) -> None:
    with narrow_client(site.address) as client:
        client.send_raw(kind.raw())
        half_close(client)
        tick(0.2)
        assert answer(client).body == kind.body
        assert client.expect_close() == b''


@of('target', ['/file.txt', '/none', '/async-slow'])
def test_a_head_request_is_answered_too(site: Serving, target: str) -> None:
    with site.client() as client:
        client.send_raw(f'HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
        half_close(client)
        assert client.read_head().status == (404 if target == '/none' else 200)
        assert client.expect_close() == b''


def test_an_end_without_a_request_is_the_end(site: Serving) -> None:
    for before in (b'', Kind('/file.txt', b'').raw()):
        with site.client() as client:
            client.send_raw(before)
            if before:
                assert answer(client).body == b'a file'
            half_close(client)
            assert client.expect_close() == b''


@of('ends', ['close_notify', 'close_notify and FIN'])
@of('kind', KINDS.values(), ids=KINDS)
def test_over_tls_a_client_that_has_said_all_is_answered(
    secured: Serving, kind: Kind, ends: str
) -> None:
    client = SecureClient(secured.address)
    with client.socket:
        client.send(kind.raw(fields='Connection: close\r\n'))
        client.close_notify()
        if ends != 'close_notify':
            client.socket.shutdown(socket.SHUT_WR)
        head, _, body = client.read_rest().partition(b'\r\n\r\n')
        assert head.startswith(b'HTTP/1.1 200 ')
        if b'chunked' in head.lower():
            body = unchunked(body)
        assert body == kind.body


def unchunked(data: bytes) -> bytes:
    """What is in chunks, all of which must be there."""
    body = b''
    while True:
        line, _, data = data.partition(b'\r\n')
        size = int(line, 16)
        if size == 0:
            assert data == b'\r\n'
            return body
        assert data[size : size + 2] == b'\r\n'
        body += data[:size]
        data = data[size + 2 :]


# Who is not: a body without its end.

CUT = [
    b'Content-Length: 10\r\n\r\n',
    b'Content-Length: 10\r\n\r\nhello',
    b'Transfer-Encoding: chunked\r\n\r\n',
    b'Transfer-Encoding: chunked\r\n\r\na\r\nhello',
    b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
]


@of('rest', CUT, ids=lambda rest: f'{rest[:1].decode()}-{len(rest)}')
@of('target, host', [('/python', 'a'), ('/async', 'a'), ('/reads', 'a'), ('/x', 'proxy')])
def test_an_end_within_a_body_leaves_nothing_hanging(
    site: Serving, target: str, host: str, rest: bytes
) -> None:
    """Incomplete, and so answered 400 (RFC 9112 section 8)."""
    with site.client() as client:
        client.send_raw(f'POST {target} HTTP/1.1\r\nHost: {host}\r\n'.encode() + rest)
        half_close(client)
        assert answer(client).status == 400
        assert client.expect_close() == b''
    assert site.get('/python', host='a').text == 'python 0'


def test_c7_7_an_end_within_a_body_is_no_whole_request_for_an_upstream() -> None:
    whole: list[Exchange] = []
    begun = threading.Event()

    def take(exchange: Exchange) -> None:
        begun.set()
        exchange.read_body()
        whole.append(exchange)
        exchange.respond()

    with Upstream(take) as behind, serving(proxy=behind.name) as site:
        for rest in CUT:
            begun.clear()
            with site.client() as client:
                client.send_raw(b'POST / HTTP/1.1\r\nHost: a\r\n' + rest)
                assert begun.wait(PATIENCE)
                half_close(client)
                client.expect_close()
        assert site.get('/last').status == 200
        assert [exchange.target for exchange in whole] == ['/last']
        wait_until(lambda: behind.open_connections <= 1, 'the end of the others')


# Who has left altogether.


def early_byte(client: Any) -> bytes:
    """The byte that the server sends once it has read the end of what the client sends.

    It stays on the connection: only who has something unread refuses more when it closes.
    """
    connection: socket.socket = client.socket
    return connection.recv(1, socket.MSG_PEEK)


async def in_the_loop(request: Any) -> str:
    """What an event loop has to do before this is done when it is answered."""
    return 'looped'


class Waiting:
    """A site with a handler that waits, and who waits in it."""

    def __init__(self, site: Serving, secure: bool) -> None:
        self.site = site
        self.secure = secure
        self.call = WatchedCall()
        site.http.route('/waits')(self.call.handler)
        site.http.route('/small')(lambda request: 'small')
        site.http.route('/looped')(in_the_loop)
        # As much as the buffers of the sockets take, so that what comes behind it is begun.
        site.http.route('/large')(lambda request: b'x' * 60_000)

    def client(self) -> Client:
        return self.site.client(tls=lenient_tls() if self.secure else None)


@pytest.fixture(params=[False, True], ids=['plain', 'TLS'])
def waiting(request: pytest.FixtureRequest) -> Iterator[Waiting]:
    import slimHTTP

    mode = slimHTTP.HTTPS if request.param else slimHTTP.HTTP
    with serving(mode=mode, grace_period=1) as site:
        yield Waiting(site, request.param)


def get(target: str) -> bytes:
    return f'GET {target} HTTP/1.1\r\nHost: a\r\n\r\n'.encode()


@of(
    'before',
    [b'', get('/small'), get('/large')],
    ids=['nothing unread', 'an answer unread', 'a large answer unread'],
)
@of('behind', [b'', get('/small')], ids=['nothing behind', 'a request behind'])
@of('how', ['close', 'reset'])
def test_c8_5_a_client_that_closes_while_a_handler_waits_cancels_it(
    waiting: Waiting, before: bytes, behind: bytes, how: str
) -> None:
    client = waiting.client()
    client.send_raw(before + get('/waits') + behind)
    assert waiting.call.begun.wait(PATIENCE)
    if how == 'close':
        client.close()
    else:
        client.reset()
    assert waiting.call.cancelled.wait(PATIENCE)


def half_closed(waiting: Waiting) -> tuple[Any, bytes]:
    """A client whose handler waits, and that has closed its side; and how what comes early begins."""
    client: Any
    if not waiting.secure:
        client = waiting.client()
        client.send_raw(get('/waits'))
        assert waiting.call.begun.wait(PATIENCE)
        half_close(client)
        return client, b'H'
    client = SecureClient(waiting.site.address)
    client.send(get('/small'))
    while not client.read_some(1000).endswith(b'small'):
        pass
    client.send(get('/waits'))
    assert waiting.call.begun.wait(PATIENCE)
    client.close_notify()
    client.socket.shutdown(socket.SHUT_WR)
    return client, b'\x17'  # A record with content.


def test_c8_5_a_client_that_only_half_closes_cancels_nothing(waiting: Waiting) -> None:
    """Until it closes the other half too."""
    client, early = half_closed(waiting)
    assert early_byte(client) == early
    with waiting.client() as other:
        assert other.get('/looped').text == 'looped'
    assert not waiting.call.cancelled.is_set()
    client.socket.close()
    assert waiting.call.cancelled.wait(PATIENCE)


def test_c8_5_a_client_that_takes_the_early_byte_and_goes_is_noticed(waiting: Waiting) -> None:
    """Its system has nothing unread to refuse; what is sent to it next is refused."""
    client, early = half_closed(waiting)
    # All of the record, so that nothing is unread.
    assert client.socket.recv(1000 if waiting.secure else 1)[:1] == early
    client.socket.close()
    assert waiting.call.cancelled.wait(PATIENCE)


@of('reads_on', [False, True], ids=['while it waits', 'between events'])
def test_c8_5_a_stream_of_events_goes_on_behind_a_half_close_and_ends_with_the_client(
    site: Serving, reads_on: bool
) -> None:
    ended, goes_on = threading.Event(), threading.Event()

    @site.http.route('/events')
    async def events(request):
        try:
            yield 'data: 1\n\n'
            while True:
                while not goes_on.is_set():
                    await tick_async(0.01)
                yield 'data: more\n\n'
                await tick_async(0.01)
        finally:
            ended.set()

    with site.client() as client:
        client.send_raw(get('/events'))
        assert client.read_head().status == 200
        assert client.read_chunk()[0] == b'data: 1\n\n'
        half_close(client)
        assert early_byte(client) == b'0', 'of the size of a chunk'
        assert site.get('/async').text == 'async 0'
        assert not ended.is_set()
        if reads_on:
            goes_on.set()
            for _ in range(20):
                assert client.read_chunk()[0] == b'data: more\n\n'
            assert not ended.is_set()
    assert ended.wait(PATIENCE)


def test_c7_3_a_client_that_leaves_while_an_upstream_thinks_ends_the_exchange() -> None:
    goes_on, gone = threading.Event(), threading.Event()

    def wait(exchange: Exchange) -> bool:
        assert goes_on.wait(PATIENCE)
        exchange.send(b'HTTP/1.1 103 Early Hints\r\n\r\n')
        if exchange.wait_until_gone():
            gone.set()
        return False

    with Upstream(wait) as behind, serving(proxy=behind.name) as site:
        client = site.client()
        client.send('GET', '/')
        behind.wait_for(1)
        half_close(client)
        assert early_byte(client) == b'H'
        goes_on.set()
        # It may only have said all: the exchange goes on.
        wait_until(lambda: client.socket.recv(100, socket.MSG_PEEK).endswith(b'\r\n\r\n'))
        assert not gone.is_set()
        client.close()
        assert gone.wait(PATIENCE)
