"""C8.6: a client whose upload is refused reads the answer, however it sends and whoever refuses.

A server that closes with bytes unread resets the connection, and with it goes the answer that is on its
way. So what is still coming is read and dropped, within bounds (RFC 9112 section 9.6).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

import pytest
from support import (
    Client,
    Serving,
    Upstream,
    answer,
    at_once,
    lenient_tls,
    serving,
    tree,
    wait_until,
)
from support.waiting import tick

of = pytest.mark.parametrize

#: What is sent where a mebibyte is allowed.
SIZE = 3_000_000
#: How many clients of a kind there are: what happens is a race between both ends.
MANY = 24
#: Seconds within which a client that never stops is cut.
BOUND = 45.0


def add_routes(http: object) -> None:
    route = http.route  # type: ignore[attr-defined]
    route('/python')(lambda request: f'{len(request.payload)}')

    @route('/async')
    async def asynchronous(request):
        return f'{len(request.payload)}'

    @route('/stream', stream=True)
    def stream(request):
        return f'{sum(map(len, request.stream()))}'

    @route('/async-stream', stream=True)
    async def async_stream(request):
        return f'{sum([len(piece) async for piece in request.stream()])}'

    route('/unread', stream=True)(lambda request: 'unread')


@contextlib.contextmanager
def site_of(folder: Path, mode: Optional[int] = None, max_body: str = '1MiB') -> Iterator[Serving]:
    root = tree(folder, {'file.txt': 'a file', 'folder/file.txt': ''})
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        site = stack.enter_context(
            serving(
                mode=mode,
                web_root=os.fspath(root),
                max_body=max_body,
                redirects={'/moved': {'to': '/file.txt', 'status': 301}},
                vhosts={'proxy': {'proxy': upstream.name}},
            )
        )
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


@pytest.fixture(scope='module')
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One that takes whatever is sent here."""
    with site_of(tmp_path_factory.mktemp('root'), max_body='64MiB') as served:
        yield served


#: Who refuses: the target and the host.
REFUSALS = {
    'files': ('/file.txt', 'a'),
    'Python': ('/python', 'a'),
    'asynchronous Python': ('/async', 'a'),
    'stream': ('/stream', 'a'),
    'asynchronous stream': ('/async-stream', 'a'),
    'proxy': ('/x', 'proxy'),
}


def head(target: str, host: str, size: Optional[int], fields: str = '') -> bytes:
    """Of an upload of this size; without one in chunks."""
    framing = 'Transfer-Encoding: chunked' if size is None else f'Content-Length: {size}'
    return f'POST {target} HTTP/1.1\r\nHost: {host}\r\n{fields}{framing}\r\n\r\n'.encode()


def chunked(data: bytes, piece: int = 100_000) -> bytes:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    return b''.join(b'%x\r\n%s\r\n' % (len(one), one) for one in pieces) + b'0\r\n\r\n'


def all_of_it(client: Client, start: bytes, body: bytes) -> None:
    client.send_raw(start + body)


def within_a_second(client: Client, start: bytes, body: bytes) -> None:
    client.send_raw(start)
    for at in range(0, len(body), 150_000):
        client.send_raw(body[at : at + 150_000])
        tick(0.03)


WAYS: dict[str, Callable[[Client, bytes, bytes], None]] = {
    'at once': all_of_it,
    'within a second': within_a_second,
}


def upload(client: Client, way: str, target: str, host: str, *, in_chunks: bool) -> int:
    """Send all of it, then read: as clients do that know nothing of early answers."""
    body = b'x' * SIZE
    start = head(target, host, None if in_chunks else SIZE)
    with contextlib.suppress(OSError):
        WAYS[way](client, start, chunked(body) if in_chunks else body)
    response = answer(client)
    assert response.headers['Connection'].lower() == 'close'
    assert client.expect_close() == b''
    return response.status


@of('in_chunks', [False, True], ids=['length', 'chunks'])
@of('way', WAYS)
@of('target, host', REFUSALS.values(), ids=REFUSALS)
def test_c8_6_every_client_reads_why_its_upload_is_refused(
    site: Serving, target: str, host: str, way: str, in_chunks: bool
) -> None:
    # Files take no content at all: they do not wait until it is known to be too long.
    status = 405 if target == '/file.txt' and in_chunks else 413

    def one() -> int:
        with site.client() as client:
            return upload(client, way, target, host, in_chunks=in_chunks)

    statuses = []
    for _ in range(MANY // 8):
        statuses += at_once([one] * 8)
    assert statuses == [status] * MANY


@of('target, host', REFUSALS.values(), ids=REFUSALS)
def test_c8_6_over_tls_too(secured: Serving, target: str, host: str) -> None:
    def one() -> int:
        with secured.client(tls=lenient_tls()) as client:
            return upload(client, 'at once', target, host, in_chunks=False)

    assert at_once([one] * 8) == [413] * 8


@of('target, host', REFUSALS.values(), ids=REFUSALS)
def test_c8_6_a_slow_link_is_waited_for(site: Serving, target: str, host: str) -> None:
    """It brings little at a time, long after the refusal, and reads only when all is sent."""
    with site.client() as client:
        client.send_raw(head(target, host, SIZE))
        for _ in range(25):
            client.send_raw(b'x' * (SIZE // 25))
            tick(0.1)
        assert answer(client).status == 413
        assert client.expect_close() == b''


@of('in_chunks', [False, True], ids=['length', 'chunks'])
def test_c8_6_a_client_that_never_stops_is_cut(site: Serving, in_chunks: bool) -> None:
    """It has its answer and goes on for ever: neither its bytes nor its time are for nothing."""
    began = time.monotonic()
    with site.client() as client:
        client.send_raw(head('/python', 'a', None if in_chunks else 1 << 50))
        piece = b'10000\r\n' + b'x' * 65_536 + b'\r\n' if in_chunks else b'x' * 65_536
        with pytest.raises(ConnectionError):  # noqa: PT012 - it is cut at some time
            while time.monotonic() - began < BOUND:
                client.send_raw(piece)
    assert site.get('/file.txt').status == 200


def test_c8_6_who_has_read_the_refusal_finds_the_connection_ended(site: Serving) -> None:
    """Without a byte of the content sent, and without closing first."""
    for target, host in REFUSALS.values():
        with site.client() as client:
            client.send_raw(head(target, host, SIZE))
            assert answer(client).status == 413
            assert client.expect_close() == b''


# Whoever is told that a connection closes finds it closed, and whoever is not finds it open.

#: The target, the host, and the status of a POST that is answered without its content.
ANSWERS = {
    'a file': ('/file.txt', 'a', 405),
    'what is missing': ('/none', 'a', 405),
    'a folder': ('/folder', 'a', 405),
    'a redirect': ('/moved', 'a', 301),
    'a handler': ('/python', 'a', 200),
    'a handler that reads nothing': ('/unread', 'a', 200),
    'a handler that streams': ('/stream', 'a', 200),
    'an upstream': ('/x', 'proxy', 200),
}
SIZES = [5, 50_000, 900_000, 10_000_000]


def check_what_is_said_of_the_connection(client: Client, raw: bytes) -> int:
    """Send a request and see that the connection is what its answer says; gives the status."""

    def send() -> None:
        with contextlib.suppress(OSError):
            client.send_raw(raw)

    client.socket  # noqa: B018 - connects before the thread uses it
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    response = answer(client)
    if response.closes:
        assert client.expect_close() == b''
    else:
        sender.join(10)
        assert not sender.is_alive(), 'the rest of the content is taken'
        assert client.is_open(0.05), 'nobody said that it closes'
        client.send('GET', '/file.txt', host='a')
        assert answer(client).body == b'a file'
    sender.join(10)
    assert not sender.is_alive()
    return response.status


@of('in_chunks', [False, True], ids=['length', 'chunks'])
@of('size', SIZES)
@of('target, host, status', ANSWERS.values(), ids=ANSWERS)
def test_a_connection_is_what_its_answer_says(
    lenient: Serving, target: str, host: str, status: int, size: int, in_chunks: bool
) -> None:
    body = b'x' * size
    raw = head(target, host, None if in_chunks else size) + (chunked(body) if in_chunks else body)
    for _ in range(3):
        with lenient.client() as client:
            assert check_what_is_said_of_the_connection(client, raw) == status


@of('target, host, status', ANSWERS.values(), ids=ANSWERS)
def test_a_small_announced_content_costs_no_connection(
    lenient: Serving, target: str, host: str, status: int
) -> None:
    """Where nobody reads it, it is dropped: it takes less than a new connection."""
    with lenient.client() as client:
        for _ in range(3):
            client.send_raw(head(target, host, 5) + b'hello')
            response = answer(client)
            assert (response.status, response.closes) == (status, False)
        client.send('GET', '/file.txt', host='a')
        assert answer(client).body == b'a file'


@of('target, host', [('/python', 'a'), ('/stream', 'a'), ('/x', 'proxy')])
def test_a_content_in_chunks_that_is_read_costs_no_connection(
    lenient: Serving, target: str, host: str
) -> None:
    with lenient.client() as client:
        for _ in range(3):
            client.send_raw(head(target, host, None) + chunked(b'hello'))
            assert not answer(client).closes
        client.send('GET', '/file.txt', host='a')
        assert answer(client).body == b'a file'


def test_what_is_left_of_a_small_announced_content_may_come_later(lenient: Serving) -> None:
    with lenient.client() as client:
        client.send_raw(head('/file.txt', 'a', 10) + b'hello')
        assert answer(client).status == 405
        client.send_raw(b'world')
        client.send('GET', '/file.txt', host='a')
        assert answer(client).body == b'a file'


def test_clients_that_were_refused_leave_nothing_behind() -> None:
    """Their sockets are closed in time, though none of them closes its own."""
    ended: list[object] = []
    with serving(max_body='1MiB') as site:
        add_routes(site.http)
        site.http.on_close(ended.append)
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                client = stack.enter_context(site.client())
                client.send_raw(head('/python', 'a', SIZE) + b'x' * 1000)
                assert answer(client).status == 413
            wait_until(lambda: len(ended) == 20, 'the end of all', BOUND)
