"""C7.2: what streams through the proxy takes no memory, however long it is and however slow its reader.

`SLIMHTTP_TEST_STREAM` is how many MiB are streamed each way: 256 unless given, 4200 for bodies that
are longer than what 32 bits count.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from support import (
    PATIENCE,
    Client,
    Exchange,
    Process,
    Upstream,
    launch,
    narrow_client,
    settles,
    wait_until,
)
from support.waiting import tick

of = pytest.mark.parametrize

SIZE = int(os.environ.get('SLIMHTTP_TEST_STREAM', '256')) << 20
#: How much the server may grow meanwhile.
GROWTH = 16 << 20
PIECE = bytes(range(256)) * 1024
#: How much the reader takes between two of its pauses.
BETWEEN = SIZE // 32


class Slowly:
    """Reads all there is, and rests now and then: whoever sends has to wait for it."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self.size = 0

    def read(self, size: int) -> None:
        rests = BETWEEN
        while self.size < size:
            data = self._receive(min(1 << 20, size - self.size))
            assert data, f'it ends after {self.size} of {size} bytes'
            self.size += len(data)
            if self.size >= rests:
                rests += BETWEEN
                tick(0.01)


class Peak:
    """The largest memory of a process while the block lasts, beyond what it had before."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.growth = 0

    def __enter__(self) -> Peak:
        self._before = self._process.memory()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.growth = max(self.growth, self._process.memory() - self._before)


@contextlib.contextmanager
def proxying(folder: Path, behaviour: Any) -> Iterator[tuple[Process, Upstream]]:
    with Upstream(behaviour) as upstream:
        config = {'proxy': upstream.name, 'max_body': '64GiB', 'io_threads': 1}
        server = launch('cli', folder, config)
        try:
            yield server, upstream
        finally:
            server.kill()


def flood(send: Callable[[bytes], Any], size: int, *, chunked: bool) -> int:
    """Send so many bytes, whole pieces; gives how many."""
    if chunked:
        framed = b'%x\r\n%s\r\n' % (len(PIECE), PIECE)
        for _ in range(size // len(PIECE)):
            send(framed)
        send(b'0\r\n\r\n')
    else:
        for _ in range(size // len(PIECE)):
            send(PIECE)
    return size // len(PIECE) * len(PIECE)


def framing(size: int, *, chunked: bool) -> bytes:
    return (
        b'Transfer-Encoding: chunked\r\n\r\n' if chunked else b'Content-Length: %d\r\n\r\n' % size
    )


@of('chunked', [False, True])
def test_c7_2_a_long_answer_takes_no_memory(tmp_path: Path, chunked: bool) -> None:
    sent = [0]

    def answers(exchange: Exchange) -> None:
        def send(data: bytes) -> None:
            exchange.send(data)
            sent[0] += len(data)

        size = int(exchange.target[1:])
        exchange.send(b'HTTP/1.1 200 OK\r\n' + framing(size, chunked=chunked))
        flood(send, size, chunked=chunked)

    def download(client: Client, size: int) -> None:
        client.send('GET', f'/{size}')
        assert client.read_head().status == 200
        if size == SIZE:
            # It reads nothing at first: the upstream is held back.
            assert settles(lambda: sent[0]) < SIZE // 2
        reader = Slowly(client.read_exactly)
        if chunked:
            while data := client.read_chunk()[0]:
                reader.size += len(data)
                if reader.size % BETWEEN < len(data):
                    tick(0.01)
            assert client.read_until(b'\r\n') == b'\r\n'
            assert reader.size == size
        else:
            reader.read(size)

    with proxying(tmp_path, answers) as (server, _upstream):
        with narrow_client(server.address) as client:
            download(client, 8 << 20)
            sent[0] = 0
            with Peak(server) as peak:
                download(client, SIZE)
            assert client.connections == 1
        assert peak.growth < GROWTH


@of('chunked', [False, True])
def test_c7_2_a_long_upload_takes_no_memory(tmp_path: Path, chunked: bool) -> None:
    sent = [0]
    read = [0]

    def takes(exchange: Exchange) -> None:
        size = int(exchange.target[1:])
        if size == SIZE:
            # It reads nothing at first: the client is held back.
            wait_until(lambda: sent[0] > 0, 'the beginning of the upload')
            assert settles(lambda: sent[0]) < SIZE // 2
        reader = Slowly(exchange.receive)
        if chunked:
            while length := int(exchange.read_line(), 16):
                exchange.receive_exactly(length + 2)
                reader.size += length
                if reader.size % BETWEEN < length:
                    tick(0.01)
            assert exchange.read_line() == b'\r\n'
            assert reader.size == size
        else:
            reader.read(size)
        read[0] = reader.size
        exchange.respond(b'taken')

    def upload(client: Client, size: int) -> None:
        def send(data: bytes) -> None:
            client.send_raw(data)
            sent[0] += len(data)

        head = b'POST /%d HTTP/1.1\r\nHost: a\r\n' % size
        client.send_raw(head + framing(size, chunked=chunked))
        flood(send, size, chunked=chunked)
        assert client.read_response().text == 'taken'
        assert read[0] == size

    with proxying(tmp_path, takes) as (server, _upstream):
        with server.client() as client:
            upload(client, 8 << 20)
            sent[0] = 0
            with Peak(server) as peak:
                upload(client, SIZE)
            assert client.connections == 1
        assert peak.growth < GROWTH
