"""C9: the loop of one's own, its events and their numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Program, Serving, at_once, get, in_background, tree, wait_until
from support.polling import gather, numbers

of = pytest.mark.parametrize

LOOP = """
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, web_root='root')

@http.route('/python')
def hello(request):
    return 'python'

while 1:
    for event, *event_data in http.poll():
        pass
"""


def test_c9_the_loop_serves(tmp_path: Path) -> None:
    tree(tmp_path, {'root': {'file.txt': 'file'}})
    with Program(LOOP, cwd=tmp_path) as program:
        assert get(program.address, '/python').text == 'python'
        assert get(program.address, '/file.txt').text == 'file'

        def load() -> None:
            with program.client() as client:
                for _ in range(30):
                    assert client.get('/python').text == 'python'
                    assert client.get('/file.txt').text == 'file'

        at_once([load] * 6)
        assert program.running


BRIDGE = """
import asyncio
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
loop = asyncio.new_event_loop()
jobs = []
tasks = set()

async def work(n):
    await asyncio.sleep(0.05)
    jobs.append(n)

@http.route('/job')
def job(request):
    if request.method == 'POST':
        task = loop.create_task(work(int(request.payload)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return jobs

async def ticker():
    while True:
        await asyncio.sleep(0.02)
        jobs_seen.append(len(jobs))

jobs_seen = []

async def serve():
    other = loop.create_task(ticker())
    while 1:
        for event, *data in http.poll():
            pass
        await asyncio.sleep(0.25)

loop.run_until_complete(serve())
"""


def test_c9_the_loop_as_an_asyncio_task_beside_others() -> None:
    with Program(BRIDGE) as program, program.client(timeout=3 * PATIENCE) as client:
        for n in range(3):
            assert client.request('POST', '/job', body=str(n).encode()).status == 200
        wait_until(lambda: client.get('/job').json() == [0, 1, 2], 'the jobs on the loop')


@pytest.fixture
def http() -> Iterator[Any]:
    import slimHTTP

    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    yield http
    http.close()


def test_c9_poll_tells_what_happened_in_order(http: Any) -> None:
    import slimHTTP

    Events = slimHTTP.Events  # noqa: N806
    http.route('/hello')(lambda request: 'hello')
    site = Serving(http)
    with in_background(lambda: site.get('/hello').text) as text:
        events = gather(http, lambda seen: Events.SERVER_CLOSE in numbers(seen))
        assert text() == 'hello'
    told = numbers(events)
    order = [
        Events.SERVER_ACCEPT,
        Events.CLIENT_REQUEST,
        Events.CLIENT_RESPONSE_DATA,
        Events.SERVER_CLOSE,
    ]
    assert [number for number in told if number in order] == order
    for _, client, *_ in events:
        assert client.address == '127.0.0.1'


def test_c9_events_are_only_what_happened_since_the_last_turn(http: Any) -> None:
    site = Serving(http)
    with in_background(lambda: site.get('/missing').status) as status:
        gather(http, lambda seen: 0x81 in numbers(seen))
        assert status() == 404
    assert list(http.poll(timeout=0.05)) == []


def test_c9_a_turn_without_work_waits_no_longer_than_its_timeout(http: Any) -> None:
    list(http.poll())
    began = time.monotonic()
    assert list(http.poll(timeout=0.2)) == []
    assert time.monotonic() - began < 5


def test_c9_poll_takes_what_older_programs_give_it(http: Any) -> None:
    assert list(http.poll(0.01, None)) == []
    assert list(http.poll(timeout=0.01, fileno=None)) == []


def test_c9_the_work_is_done_whether_events_are_looked_at_or_not(http: Any) -> None:
    http.route('/hello')(lambda request: 'hello')
    site = Serving(http)
    done = threading.Event()

    def ask() -> list[str]:
        try:
            return [site.get('/hello').text for _ in range(3)]
        finally:
            done.set()

    with in_background(ask) as texts:
        ends = time.monotonic() + PATIENCE
        while not done.is_set() and time.monotonic() < ends:
            http.poll(timeout=0.02)
        assert texts() == ['hello'] * 3


def test_c9_unread_events_block_nobody_and_are_bounded(http: Any, tmp_path: Path) -> None:
    """A program that polls once and never again: files go on."""
    tree(tmp_path, {'file.txt': 'file'})
    http.config['web_root'] = str(tmp_path)
    list(http.poll())
    site = Serving(http)

    def load() -> None:
        with site.client() as client:
            for _ in range(1500):
                assert client.get('/file.txt').status == 200

    at_once([load] * 4, 60)
    assert len(list(http.poll(timeout=0.1))) < 20_000


def test_c9_a_handler_that_raises_does_not_end_the_loop(http: Any) -> None:
    def bad(request):
        raise RuntimeError

    http.route('/bad')(bad)
    http.route('/well')(lambda request: 'well')
    site = Serving(http)
    with in_background(lambda: [site.get('/bad').status, site.get('/well').status]) as statuses:
        gather(http, lambda seen: numbers(seen).count(0x81) == 2)
        assert statuses() == [500, 200]


def test_c9_poll_and_close_from_another_thread(http: Any) -> None:
    import slimHTTP

    def poll() -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            for _ in http.poll(timeout=0.05):
                pass

    threading.Timer(0.2, http.close).start()
    with pytest.raises(slimHTTP.slimHTTP_Error):
        poll()


VALUES = {
    'SERVER_ACCEPT': 0x80, 'SERVER_CLOSE': 0x81, 'SERVER_RESTART': 0x02, 'CLIENT_DATA': 0x40,
    'CLIENT_REQUEST': 0x41, 'CLIENT_RESPONSE_DATA': 0x42, 'CLIENT_UPGRADED': 0x43, 'CLIENT_UPGRADE_ISSUE': 0x44,
    'CLIENT_URL_ROUTED': 0x45, 'CLIENT_DATA_FRAGMENTED': 0x46, 'CLIENT_RESPONSE_PROXY_DATA': 0x47,
    'WS_CLIENT_DATA': 0xC0, 'WS_CLIENT_REQUEST': 0xC1, 'WS_CLIENT_COMPLETE_FRAME': 0xC2,
    'WS_CLIENT_INCOMPLETE_FRAME': 0xC3, 'WS_CLIENT_ROUTED': 0xC4, 'WS_CLIENT_RESPONSE': 0xC6,
    'PROXY_EMPTY_RESPONSE': 0xE0, 'NOT_YET_IMPLEMENTED': 0x00, 'INVALID_DATA': 0x01,
}  # fmt: skip


@of('name', VALUES)
def test_c9_the_numbers_of_events_and_back(name: str) -> None:
    import slimHTTP

    assert getattr(slimHTTP.Events, name) == VALUES[name]
    assert slimHTTP.Events.convert(VALUES[name]) == name


def test_c9_convert_knows_no_other_number_and_data_events_are_four() -> None:
    import slimHTTP

    assert slimHTTP.Events.convert(0x77) is None
    assert tuple(slimHTTP.Events.DATA_EVENTS) == (0x42, 0x45, 0x47, 0xC6)
