"""What one HTTP/2 client can make the server hold, do and write into its log."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import slimHTTP
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from support import PATIENCE, Log, Serving, resident_memory, serving, settles, wait_until
from support.http2_client import WIDEST, Http2

REFUSED_STREAM = 7
ENHANCE_YOUR_CALM = 11

STREAMS = 120
MEBIBYTE = 1 << 20


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = tmp_path_factory.mktemp('root')
    with open(root / 'large.bin', 'wb') as file:
        file.truncate(64 * MEBIBYTE)
    (root / 'small.txt').write_text('small')
    # The kernel sends its files: it holds nothing of them in this process.
    with serving(web_root=os.fspath(root)) as upstream:
        vhosts = {'p': {'proxy': f'127.0.0.1:{upstream.address[1]}'}}
        with serving(mode=slimHTTP.HTTPS, web_root=os.fspath(root), vhosts=vhosts) as served:
            yield served


def memory_of_unread(site: Serving, host: str, count: int, *fields: tuple[str, str]) -> float:
    """MiB that a connection holds of which every stream is open wide and nobody reads."""
    connections = []
    with Http2(site.address[1]) as connection:  # What is made once is made.
        assert connection.get('/small.txt').body == b'small'
    before = resident_memory(os.getpid())
    try:
        for _ in range(count):
            connection = Http2(site.address[1], window=WIDEST)
            connections.append(connection)
            for _ in range(STREAMS):
                connection.ask('/large.bin', *fields, authority=host)
        after = settles(lambda: resident_memory(os.getpid()) // MEBIBYTE) * MEBIBYTE
    finally:
        for connection in connections:
            connection.socket.close()
    return (after - before) / count / MEBIBYTE


@pytest.mark.parametrize(
    ('host', 'fields', 'most'),
    [
        ('a', [], 6),
        ('a', [('range', 'bytes=0-30000000,40000000-60000000')], 8),
        ('a', [('range', 'bytes=0-65535')], 6),
        ('p', [], 30),
    ],
    ids=['a file', 'ranges of a file', 'short ranges', 'an upstream'],
)
def test_what_is_held_for_a_client_that_does_not_read(
    site: Serving, host: str, fields: list[tuple[str, str]], most: int
) -> None:
    assert memory_of_unread(site, host, 3, *fields) < most


def test_streams_that_nobody_reads_stop_no_other(site: Serving) -> None:
    window = MEBIBYTE // 4
    with Http2(site.address[1], window=window) as connection:
        # The windows of these streams fill up; the connection's is opened again.
        connection.frames.increment_flow_control_window(WIDEST - window)
        for _ in range(STREAMS - 20):
            connection.ask('/large.bin')
        stream = connection.ask('/large.bin')
        ends = time.monotonic() + 2 * PATIENCE
        while not connection.answers.get(stream) or len(connection.answers[stream].body) < 200_000:
            assert time.monotonic() < ends, 'it does not come'
            assert connection.receive(reading=False)
        assert connection.get('/small.txt').body == b'small'


def test_a_download_is_whole_when_many_go_on_at_once(site: Serving) -> None:
    with Http2(site.address[1], window=MEBIBYTE) as connection:
        part = ('range', 'bytes=0-299999')
        streams = [connection.ask('/large.bin', part) for _ in range(60)]
        assert [len(connection.answer(stream).body) for stream in streams] == [300_000] * 60


HEAD_OF_GET = [(':method', 'GET'), (':scheme', 'https'), (':path', '/'), (':authority', 'a')]


def test_max_streams_is_how_many_run_at_once() -> None:
    go_on = threading.Event()
    running: list[int] = []

    with serving(mode=slimHTTP.HTTPS, max_streams=3, python_threads=8) as site:

        @site.http.route('/')
        def handler(request: Any) -> str:
            running.append(1)
            go_on.wait(PATIENCE)
            return 'done'

        with Http2(site.address[1]) as connection:
            # At once: before the client knows what the server allows.
            *streams, one_too_many = [connection.ask('/') for _ in range(4)]
            try:
                assert connection.answer(one_too_many).reset == REFUSED_STREAM
                wait_until(lambda: len(running) == 3)
            finally:
                go_on.set()
            assert [connection.answer(stream).body for stream in streams] == [b'done'] * 3
        assert len(running) == 3


def goaway(connection: Http2, raw: bytes, times: int) -> Optional[int]:
    """Send the same so often; with which code the server ends the connection."""
    connection.socket.settimeout(PATIENCE)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        for _ in range(times):
            connection.socket.sendall(raw)
    try:
        frames = connection.rest()
    except socket.timeout:
        raise AssertionError('the connection is still open') from None
    codes = [frame.error_code for frame in frames if isinstance(frame, GoAwayFrame)]
    return codes[-1] if codes else None


FLOODS: dict[str, Frame] = {
    'PING': PingFrame(0, b'12345678'),
    'PING that is an acknowledgement': PingFrame(0, b'12345678', flags=['ACK']),
    'SETTINGS': SettingsFrame(0, {1: 4096}),
    'WINDOW_UPDATE': WindowUpdateFrame(0, 1),
    'PRIORITY': PriorityFrame(1, 0, 1),
    'empty DATA': DataFrame(1, b''),
    'a frame that nobody knows': ExtensionFrame(0xEE, 0, body=b'x'),
}


@pytest.mark.parametrize('frame', FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_its_connection_and_fills_no_log(site: Serving, frame: Frame) -> None:
    with Log() as log:
        with Http2(site.address[1]) as connection:
            assert connection.get('/small.txt').status == 200
            if frame.stream_id:
                frame.stream_id = connection.ask('/', method='POST', end=False)
            goaway(connection, frame.serialize() * 1000, 100)
        with Http2(site.address[1]) as connection:
            assert connection.get('/small.txt').body == b'small'
    assert len(log.records) < 5, log.text[:2000]


def test_requests_that_are_taken_back_at_once_end_their_connection(site: Serving) -> None:
    """CVE-2023-44487."""
    with Http2(site.address[1]) as connection:
        raw = b''
        for _ in range(5000):
            (head,) = connection.block(HEAD_OF_GET)
            raw += head.serialize() + RstStreamFrame(head.stream_id, 8).serialize()
        goaway(connection, raw, 1)


def test_requests_that_are_taken_back_in_work_end_their_connection(site: Serving) -> None:
    """The same, each a while after the server has begun with it."""
    with Http2(site.address[1]) as connection:
        try:
            for _ in range(2000):
                (head,) = connection.block(HEAD_OF_GET)
                connection.send(head)
                connection.send(RstStreamFrame(head.stream_id, 8))
        except OSError:
            return
        goaway(connection, b'', 0)


def test_pings_of_a_client_that_works_are_answered(site: Serving) -> None:
    with Http2(site.address[1]) as connection:
        for number in range(100):
            connection.send(PingFrame(0, number.to_bytes(8, 'big')))
            assert connection.get('/small.txt').body == b'small'
        assert connection.goaway == []


def test_header_blocks_without_end_are_bounded(site: Serving) -> None:
    """CVE-2024-27316: CONTINUATION frames, of which none ends the block."""
    with Http2(site.address[1]) as connection:
        field = connection.frames.encoder.encode([('x', 'y' * 1000)])
        connection.send(HeadersFrame(1, field))
        code = goaway(connection, ContinuationFrame(1, field).serialize(), 1000)
        assert code in (None, ENHANCE_YOUR_CALM), 'or the end comes before the word'


def test_an_upload_in_single_bytes_comes_whole() -> None:
    with serving(mode=slimHTTP.HTTPS) as site:

        @site.http.route('/length', methods=['POST'])
        def length(request: Any) -> str:
            return str(len(request.payload))

        with Http2(site.address[1]) as connection:
            stream = connection.ask('/length', method='POST', end=False)
            connection.socket.sendall(DataFrame(stream, b'x').serialize() * 20_000)
            connection.frames.end_stream(stream)
            connection.flush()
            assert connection.answer(stream).body == b'20000'
            assert not connection.goaway
