"""C8.5: a client that leaves a stream is no failure: it is told once, at debug, whoever reads
the stream and however it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE, Log, Program, Serving, serving, tick_async, wait_until

of = pytest.mark.parametrize

#: How many clients leave: what happens is a race between threads.
MANY = 12


class Endings:
    """How many streams have begun, and how many have cleaned up."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        with self.lock:
            self.begun += 1
        try:
            yield
        finally:
            with self.lock:
                self.ended += 1


def routes(http: Any, endings: Endings) -> None:
    @http.route('/async')
    async def events(request):
        request.response_headers['Content-Type'] = 'text/event-stream'
        with endings.one():
            while True:
                yield 'data: now\n\n'
                await tick_async(0.001)

    @http.route('/rests')
    async def rests(request):
        with endings.one():
            yield 'data: now\n\n'
            await asyncio.sleep(3600)

    @http.route('/sync')
    def sync(request):
        with endings.one():
            while True:
                yield 'data: now\n\n'
                os.sched_yield()

    @http.route('/handed')
    async def handed(request):
        return sync(request)

    @http.route('/catches')
    async def catches(request):
        with endings.one():
            try:
                while True:
                    yield 'data: now\n\n'
                    await tick_async(0.001)
            except asyncio.CancelledError:
                return


def leave(site: Serving, path: str, how: str) -> None:
    with socket.create_connection(site.address, PATIENCE) as connection:
        connection.sendall(f'GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n'.encode())
        received = b''
        while b'data: now' not in received:
            received += connection.recv(65536)
        if how == 'reset':
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


@of('threads', [1, 3])
@of('how', ['close', 'reset'])
@of('path', ['/async', '/rests', '/sync', '/handed', '/catches'])
def test_c8_5_a_client_that_leaves_is_no_failure(path: str, how: str, threads: int) -> None:
    endings = Endings()
    with Log() as log, serving(python_threads=threads) as site:
        routes(site.http, endings)
        for _ in range(MANY):
            leave(site, path, how)
        wait_until(lambda: endings.ended == endings.begun == MANY, 'all streams to be ended')
    assert not [record for record in log.records if record.levelname in ('WARNING', 'ERROR')], (
        log.text
    )


@of('path', ['/async', '/sync'])
def test_c8_5_it_is_told_once_at_debug(path: str) -> None:
    source = (
        'import asyncio, time, slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        "@http.route('/async')\n"
        'async def events(request):\n'
        '    while True:\n'
        "        yield 'data: now\\n\\n'\n"
        '        await asyncio.sleep(0.01)\n'
        "@http.route('/sync')\n"
        'def more(request):\n'
        '    while True:\n'
        "        yield 'data: now\\n\\n'\n"
        '        time.sleep(0.01)\n'
        'http.run()\n'
    )
    with Program(source, env={'SLIMHTTP_LOG': 'debug'}) as program:
        for _ in range(3):
            leave(program, path, 'close')  # type: ignore[arg-type]
        line = f'DEBUG .*GET {path}: the client has left the stream'
        program.wait_for(line, count=3)
        assert program.stop() == 0
        assert len(re.findall(line, program.stderr)) == 3
        assert 'ERROR' not in program.stderr
        assert 'WARNING' not in program.stderr
        assert 'Traceback' not in program.stderr


def test_c8_5_over_http2_neither() -> None:
    """A stream that is reset, and a connection that ends."""
    import h2.config
    import h2.connection
    import slimHTTP
    from support import lenient_tls

    endings = Endings()
    with Log() as log, serving(mode=slimHTTP.HTTPS, python_threads=2) as site:
        routes(site.http, endings)
        for number in range(MANY):
            context = lenient_tls()
            context.set_alpn_protocols(['h2'])
            plain = socket.create_connection(site.address, PATIENCE)
            with context.wrap_socket(plain, server_hostname='a.example') as connection:
                engine = h2.connection.H2Connection(h2.config.H2Configuration())
                engine.initiate_connection()
                fields = [
                    (':method', 'GET'), (':scheme', 'https'), (':authority', 'a.example'),
                    (':path', ['/async', '/sync'][number % 2]),
                ]  # fmt: skip
                engine.send_headers(1, fields, end_stream=True)
                connection.sendall(engine.data_to_send())
                data = b''
                while b'data: now' not in data:
                    received = connection.recv(65536)
                    assert received
                    for event in engine.receive_data(received):
                        data += getattr(event, 'data', None) or b''
                    connection.sendall(engine.data_to_send())
                if number % 3:
                    engine.reset_stream(1)
                    connection.sendall(engine.data_to_send())
        wait_until(lambda: endings.ended == endings.begun == MANY, 'all streams to be ended')
    assert not [
        record
        for record in log.records
        if record.levelname in ('WARNING', 'ERROR') and 'self-signed' not in record.getMessage()
    ], log.text


def test_c8_5_what_goes_wrong_while_it_cleans_up_is_told() -> None:
    with Log() as log, serving() as site:

        @site.http.route('/async')
        async def events(request):
            try:
                while True:
                    yield 'data: now\n\n'
                    await tick_async(0.001)
            finally:
                raise RuntimeError('in async')

        @site.http.route('/sync')
        def more(request):
            try:
                while True:
                    yield 'data: now\n\n'
            finally:
                raise RuntimeError('in sync')

        for path in ('/async', '/sync'):
            leave(site, path, 'close')
            log.wait_for(f'RuntimeError: in {path[1:]}')


GOES_ON = """
import asyncio, gc, logging, slimHTTP, socket, sys
logging.basicConfig(format='%(levelname)s %(message)s')
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=PATIENCE, quiet=True)
waits, ended = [], []

@http.route('/')
async def stubborn(request):
    request.response_headers['Content-Type'] = 'text/event-stream'
    try:
        while True:
            try:
                yield 'data: now\\n\\n'
                waits.append(1)
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                yield 'data: bye\\n\\n'
    finally:
        ended.append(1)

@http.route('/waits')
async def until_it_waits(request):
    while not waits:
        await asyncio.sleep(0.01)
    return 'waits'

@http.route('/ended')
async def until_it_ended(request):
    while not ended:
        await asyncio.sleep(0.01)
        gc.collect()
    return 'ended'

def asked(path):
    client = socket.create_connection(('127.0.0.1', http.port), timeout=PATIENCE)
    client.sendall(b'GET %s HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' % path)
    return client

with http:
    client = asked(b'/')
    while b'data: now' not in client.recv(1000):
        pass
    assert b'200' in asked(b'/waits').recv(1000)
    if sys.argv[1] == 'client':
        client.close()
        assert b'200' in asked(b'/ended').recv(1000)
"""


@of('who', ['client', 'server'])
def test_c8_4_a_stream_that_yields_when_it_is_cancelled_ends(who: str) -> None:
    begun = time.monotonic()
    with Program(GOES_ON.replace('PATIENCE', '20'), who) as program:
        assert program.wait() == 0, program.stderr
    assert time.monotonic() - begun < 15
    assert program.stderr == ''


# Clients of which nothing is read.


def post(target: str, *fields: str, content: bytes = b'') -> bytes:
    lines = [f'POST {target} HTTP/1.1', 'Host: a.example', 'Content-Length: 100000', *fields]
    return '\r\n'.join([*lines, '\r\n']).encode() + content


def get(target: str) -> bytes:
    return f'GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n'.encode()


UNREAD = {
    'content': lambda target: post(target, content=b'x' * 5000),
    '100 Continue': lambda target: post(target, 'Expect: 100-continue'),
    'requests ahead': lambda target: get(target) + get('/none') * 3000,
}


@of('how', ['close', 'reset', 'half close'])
@of('target', ['/waits', '/rests'])
@of('unread', UNREAD.values(), ids=UNREAD)
def test_c8_5_clients_of_which_nothing_is_read_are_noticed_too(
    unread: Any, target: str, how: str
) -> None:
    many, endings = 100, Endings()

    async def waits(request):
        with endings.one():
            await asyncio.sleep(3600)

    async def rests(request):
        with endings.one():
            yield b'begun'
            await asyncio.sleep(3600)

    def descriptors() -> int:
        return len(os.listdir('/proc/self/fd'))

    with serving() as site:
        site.http.route('/waits', stream=True)(waits)
        site.http.route('/rests', stream=True)(rests)
        assert site.get('/none').status == 404
        before = descriptors()
        with contextlib.ExitStack() as stack:
            for _ in range(many):
                client = stack.enter_context(socket.create_connection(site.address, PATIENCE))
                client.sendall(unread(target))
                if how == 'reset':
                    linger = struct.pack('ii', 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                elif how == 'half close':
                    client.shutdown(socket.SHUT_WR)
            wait_until(lambda: endings.begun == many, 'all handlers to begin')
            assert descriptors() <= before + 2 * many + 2, 'one at each end of a connection'
            assert endings.ended == 0
        wait_until(lambda: endings.ended == many, 'all handlers to be cancelled')
        wait_until(lambda: descriptors() <= before, 'the end of all connections')
