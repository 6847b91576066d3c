"""What handlers return whole over HTTP/2: a client that does not read is given few of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import (
    PATIENCE,
    Serving,
    resident_memory,
    serving,
    settles,
    wait_until,
    wait_until_async,
)
from support.http2_client import WIDEST, Http2

of = pytest.mark.parametrize

STREAMS = 120
MEBIBYTE = 1 << 20
LONG = 3 * MEBIBYTE
#: So many answers may be unsent, however long they are.
FEW = 4


class Answering(Serving):
    """A server whose handlers note what they are asked."""

    def __init__(self, serving: Serving) -> None:
        super().__init__(serving.http)
        self.asked: list[str] = []

        def answer(request: Any) -> bytes:
            self.asked.append(request.url)
            return bytes(int(request.url.rpartition('/')[2]))

        async def answer_later(request: Any) -> bytes:
            return answer(request)

        self.http.route('/', prefix=True)(answer)
        self.http.route('/async', prefix=True)(answer_later)

    def beside(self) -> bytes:
        """What another connection is answered; behind it the one I/O thread has read on."""
        with Http2(self.address[1]) as connection:
            return connection.get('/beside/5').body


@pytest.fixture
def site() -> Iterator[Answering]:
    with serving(mode=slimHTTP.HTTPS, max_unsent='64KiB', send_timeout=60, io_threads=1) as site:
        yield Answering(site)


@of('path', ['/', '/async/'])
def test_who_does_not_read_is_given_few_answers(site: Answering, path: str) -> None:
    with Http2(site.address[1]) as connection:
        assert connection.get(f'{path}{LONG}').status == 200
    del site.asked[:]
    before = resident_memory(os.getpid())
    with Http2(site.address[1], window=WIDEST, narrow=True) as connection:
        for _ in range(STREAMS):
            connection.ask(f'{path}{LONG}')
        wait_until(lambda: site.asked)
        # What the kernel takes on its way is sent.
        assert settles(lambda: len(site.asked)) <= FEW + 4
        assert resident_memory(os.getpid()) - before < 60 * MEBIBYTE
        assert site.beside() == bytes(5), 'nobody else is concerned'


@of('path', ['/', '/async/'])
def test_who_reads_is_given_all_of_them(site: Answering, path: str) -> None:
    with Http2(site.address[1]) as connection:
        streams = [connection.ask(f'{path}50000') for _ in range(STREAMS)]
        assert {len(connection.answer(stream).body) for stream in streams} == {50_000}
    assert len(site.asked) == STREAMS


def unread(connection: Http2, count: int) -> list[int]:
    """Streams of long answers of which each has filled its window, and is left so."""
    streams = [connection.ask(f'/unread/{LONG}') for _ in range(count)]
    ends = time.monotonic() + PATIENCE
    while any(len(got(connection, stream)) < 65_535 for stream in streams):
        assert time.monotonic() < ends
        connection.receive(reading=False)
    return streams


def got(connection: Http2, stream: int) -> bytes:
    answer = connection.answers.get(stream)
    return answer.body if answer else b''


def test_few_answers_that_are_left_unread_stop_no_other(site: Answering) -> None:
    with Http2(site.address[1]) as connection:
        connection.frames.increment_flow_control_window(WIDEST - 65_535)
        connection.flush()
        unread(connection, FEW - 1)
        for _ in range(20):
            assert connection.get('/100000').status == 200


def test_who_waits_goes_on_when_an_answer_is_given_up(site: Answering) -> None:
    with Http2(site.address[1]) as connection:
        connection.frames.increment_flow_control_window(WIDEST - 65_535)
        connection.flush()
        first, *_ = unread(connection, FEW)
        waiting = [connection.ask(f'/waiting/{length}') for length in (1, 2, 3)]
        # Who waits may go: nobody is asked for it.
        connection.take_back(waiting[1])
        assert site.beside() == bytes(5)
        assert not [url for url in site.asked if 'waiting' in url]
        connection.take_back(first)
        for length in (1, 3):
            assert connection.answer(waiting[length - 1]).body == bytes(length)
        assert [url for url in site.asked if 'waiting' in url] == ['/waiting/1', '/waiting/3']


def test_who_leaves_all_unread_is_cut_in_time(site: Answering) -> None:
    site.http.config['send_timeout'] = 0.5
    with Http2(site.address[1]) as connection:
        connection.frames.increment_flow_control_window(WIDEST - 65_535)
        connection.flush()
        unread(connection, FEW)
        connection.ask('/waiting/1')
        connection.until_closed(2 * PATIENCE)
    assert '/waiting/1' not in site.asked


@of('path', ['/100000', '/async/100000'])
def test_a_handler_that_waits_holds_nothing(site: Answering, path: str) -> None:
    gate = threading.Event()

    async def poll(request: Any) -> str:
        await wait_until_async(gate.is_set)
        return 'well'

    site.http.route('/poll')(poll)
    with Http2(site.address[1]) as connection:
        waiting = [connection.ask('/poll') for _ in range(STREAMS - 20)]
        for _ in range(20):
            assert len(connection.get(path).body) == 100_000
        gate.set()
        assert {connection.answer(stream).body for stream in waiting} == {b'well'}
