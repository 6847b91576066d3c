"""C1.5: what a program does before the first request and after the last, and what becomes of
the tasks that its handlers have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Log, Program, Serving, get, serving, tick_async, wait_until
from support.sites import module_site

of = pytest.mark.parametrize


@pytest.fixture
def http() -> Any:
    import slimHTTP

    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, grace_period=5)
    yield http
    http.close()


def test_c1_5_in_order_and_back(http: Any) -> None:
    told: list[str] = []
    loops = set()

    @http.on_start
    def first():
        told.append('first')

    @http.on_start
    async def second():
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        told.append('second')

    @http.on_start
    def third(instance):
        assert instance is http
        told.append('third')

    @http.on_stop
    def last():
        told.append('last')

    @http.on_stop
    async def before(instance):
        assert instance is http
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        told.append('before')

    @http.route('/')
    async def handler(request):
        loops.add(asyncio.get_running_loop())
        told.append('asked')
        return 'well'

    assert told == []
    with http:
        assert told == ['first', 'second', 'third']
        assert Serving(http).get('/').text == 'well'
    assert told == ['first', 'second', 'third', 'asked', 'before', 'last']
    assert len(loops) == 1, 'hooks and handlers share a loop'
    http.close()
    assert told.count('last') == 1


def test_c1_5_nobody_is_answered_before(http: Any) -> None:
    """Who connects before waits, and is answered when it has started."""
    ready: list[bool] = []
    answers: list[str] = []
    client = threading.Thread(
        target=lambda: answers.append(get(('127.0.0.1', http.port), '/').text)
    )

    @http.on_start
    async def slow():
        client.start()
        await tick_async(0.1)
        ready.append(True)

    http.route('/')(lambda request: f'ready {ready}')
    with http:
        client.join(PATIENCE)
    assert answers == ['ready [True]']


@of('kind', ['plain', 'async'])
@of('how', ['with', 'run', 'poll'])
def test_c1_5_a_failure_keeps_it_from_starting(http: Any, how: str, kind: str) -> None:
    import slimHTTP

    told: list[str] = []
    if kind == 'plain':

        @http.on_start
        def connect():
            raise ConnectionError('no database')
    else:

        @http.on_start
        async def connect():
            await asyncio.sleep(0)
            raise ConnectionError('no database')

    http.on_start(lambda: told.append('started'))
    http.on_stop(lambda: told.append('stopped'))

    def serve() -> None:
        if how == 'with':
            with http:
                told.append('served')
        elif how == 'run':
            http.run()
        else:
            http.poll()

    with pytest.raises(slimHTTP.slimHTTP_Error) as raised:
        serve()
    assert 'connect` (on_start) failed: ConnectionError: no database' in str(raised.value)
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert told == []
    assert http.closed
    assert repr(http.port) not in slimHTTP.instances


@of('kind', ['plain', 'async'])
def test_c1_5_what_ends_the_program_ends_it(http: Any, kind: str) -> None:
    if kind == 'plain':

        @http.on_start
        def leave():
            raise KeyboardInterrupt
    else:

        @http.on_start
        async def leave_later():
            raise SystemExit(3)

    with pytest.raises(KeyboardInterrupt if kind == 'plain' else SystemExit):
        http.run()
    assert http.closed


def test_c1_5_closed_by_a_hook_it_does_not_start(http: Any) -> None:
    import slimHTTP

    http.on_start(lambda: http.close())
    with pytest.raises(slimHTTP.slimHTTP_Error, match='was closed by'):
        http.run()


def test_c1_5_a_failure_at_the_end_keeps_nobody_from_ending(http: Any) -> None:
    told: list[str] = []

    @http.on_stop
    def first():
        told.append('first')

    @http.on_stop
    async def fails():
        raise RuntimeError('on purpose')

    @http.on_stop
    def last():
        raise SystemExit(7)

    with Log() as log, http:
        pass
    assert told == ['first']
    assert 'fails` (on_stop) failed' in log.text
    assert 'RuntimeError: on purpose' in log.text
    assert 'SystemExit: 7' in log.text


def test_c1_5_the_end_is_bounded() -> None:
    told: list[str] = []
    with Log() as log, serving(grace_period=0.3) as site:

        @site.http.route('/')
        async def handler(request):
            return 'well'

        site.http.on_stop(lambda: told.append('others'))

        @site.http.on_stop
        async def hangs():
            try:
                await asyncio.sleep(3600)
            finally:
                told.append('cancelled')

        assert site.get('/').text == 'well'
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE
    assert told == ['cancelled', 'others']
    assert 'hangs` (on_stop) has not ended' in log.text


def test_c1_5_with_poll_the_end_is_the_closing(http: Any) -> None:
    told: list[str] = []
    http.on_start(lambda: told.append('start'))
    http.on_stop(lambda: told.append('stop'))
    http.poll()
    http.poll()
    assert told == ['start']
    http.close()
    http.close()
    assert told == ['start', 'stop']


def test_c1_5_what_never_served_does_not_end(http: Any) -> None:
    told: list[str] = []
    http.on_stop(lambda: told.append('stop'))
    http.close()
    assert told == []


@of('kind', ['async', 'plain'])
def test_c1_5_closed_by_a_handler_it_ends_once(kind: str) -> None:
    """On the loop and on a thread: nobody waits for himself."""
    told: list[int] = []
    with serving() as site:

        @site.http.on_stop
        async def stop():
            told.append(threading.get_ident())

        def close(request):
            site.http.close()

        async def close_later(request):
            site.http.close()

        site.http.route('/')(close_later if kind == 'async' else close)
        site.http.route('/loop')(close_later)
        with contextlib.suppress(Exception):  # It may be cut off.
            site.get('/')
    assert len(told) == 1


def test_c1_5_too_late_is_told(http: Any, tmp_path: Path) -> None:
    import slimHTTP

    late: list[Any] = []

    @http.route('/')
    def handler(request):
        for register in (http.on_start, http.on_stop):
            try:
                register(handler)
            except slimHTTP.slimHTTP_Error as error:
                late.append(str(error))
        return 'well'

    with http:
        assert Serving(http).get('/').text == 'well'
        with pytest.raises(slimHTTP.slimHTTP_Error, match='has started already'):
            http.on_start(handler)
        http.on_stop(lambda: late.append('stopped'))
    assert 'while a request is answered' in late[0]
    assert late[2:] == ['stopped']
    with pytest.raises(slimHTTP.slimHTTP_Error, match='has ended'):
        http.on_stop(handler)
    for wrong in (http.on_start, http.on_stop):
        with pytest.raises(TypeError, match='expected a function'):
            wrong(3)
    source = 'import slimHTTP\nfor http in slimHTTP.instances.values():\n    http.on_stop(print)\n'
    with module_site(tmp_path, source) as site:
        assert site.get('/', host='a.example').status == 500


PROGRAM = """
import asyncio, os, sys, time, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=float(sys.argv[1]))
@http.on_start
async def begin():
    print('start', flush=True)
    asyncio.create_task(for_ever())
async def for_ever():
    while True:
        await asyncio.sleep(3600)
@http.on_stop
def end():
    print('stop', flush=True)
async def mail(seconds):
    try:
        await asyncio.sleep(seconds)
        print('sent', flush=True)
    except asyncio.CancelledError:
        print('cancelled', flush=True)
        raise
@http.route('/<int:milliseconds>')
async def send(request):
    asyncio.create_task(mail(request.params['milliseconds'] / 1000))
    return 'well'
http.run()
print('end', flush=True)
"""


def test_c1_5_what_is_logged_at_the_start_is_heard() -> None:
    source = PROGRAM.replace("print('start', flush=True)", "http.log('connected')")
    with Program(source, '1', env={'SLIMHTTP_LOG': 'info'}) as program:
        assert program.url
        assert program.stop() == 0
        assert 'INFO    connected' in program.stderr


def test_c1_5_tasks_of_handlers_have_the_grace_period() -> None:
    with Program(PROGRAM, '20') as program:
        assert program.get('/300').text == 'well'
        began = time.monotonic()
        assert program.stop() == 0
        assert time.monotonic() - began < 10, 'what `on_start` has begun is not waited for'
        assert program.stdout.split() == ['start', 'sent', 'stop', 'end']
        assert 'cancelled' not in program.stderr


def test_c1_5_then_they_are_cancelled_and_named() -> None:
    with Program(PROGRAM, '0.5') as program:
        assert program.get('/3600000').text == 'well'
        assert program.get('/3600000').text == 'well'
        assert program.stop() == 0
        assert program.stdout.split() == ['start', 'cancelled', 'cancelled', 'stop', 'end']
        told = program.wait_for('still running at the end of the grace period.*')[0]
        assert told.count('`mail` (Task-') == 2
        assert 'for_ever' not in told


#: A program that ends while a thread of its own is in `run()`.
PROGRAM_THAT_ENDS_FIRST = """
import asyncio, threading, urllib.request, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, grace_period=5)
async def mail():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.1)
        print('cleaned up', flush=True)
@http.route('/')
async def send(request):
    global task
    task = asyncio.create_task(mail())
    return 'well'
@http.on_stop
async def end():
    print('stop', flush=True)
    await asyncio.sleep(0.3)
    print('stopped', flush=True)
threading.Thread(target=http.run, daemon=True).start()
with urllib.request.urlopen(f'http://127.0.0.1:{http.port}/', timeout=20) as answer:
    print(answer.read().decode(), flush=True)
"""


def test_c1_5_the_end_of_the_program_leaves_on_stop_to_the_thread_in_run() -> None:
    with Program(PROGRAM_THAT_ENDS_FIRST) as program:
        assert program.wait() == 0, program.stderr
        assert program.stdout.split('\n') == ['well', 'cleaned up', 'stop', 'stopped', '']
        told = program.wait_for('still running at the end of the grace period.*')[0]
        assert told.count('`mail` (Task-') == 1


def test_c1_5_a_second_interrupt_waits_for_nothing() -> None:
    with Program(PROGRAM, '60') as program:
        assert program.get('/3600000').text == 'well'
        program.send_signal(signal.SIGINT)

        def ended() -> bool:
            # What comes within a moment is the first one again.
            program.send_signal(signal.SIGINT)
            return not program.running

        wait_until(ended, 'the end')
        assert program.wait() != 0
        assert 'stop' not in program.stdout.split()


def test_c1_5_a_server_beside_keeps_the_tasks() -> None:
    closed, done = threading.Event(), threading.Event()
    with serving() as other:

        @other.http.route('/')
        async def well(request):
            return 'well'

        assert other.get('/').text == 'well'
        with serving(grace_period=30) as site:

            @site.http.route('/')
            async def handler(request):
                async def late():
                    await asyncio.to_thread(closed.wait, PATIENCE)
                    done.set()

                site.task = asyncio.create_task(late())  # type: ignore[attr-defined]
                return 'well'

            assert site.get('/').text == 'well'
            began = time.monotonic()
        assert time.monotonic() - began < PATIENCE
        assert not done.is_set()
        closed.set()
        assert done.wait(PATIENCE)


def test_c1_5_a_forked_child_ends_nothing(tmp_path: Path) -> None:
    source = (
        'import os, sys, slimHTTP\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)\n"
        "http.on_stop(lambda: print('stop', os.getpid() == parent, flush=True))\n"
        'parent = os.getpid()\n'
        'with http:\n'
        '    child = os.fork()\n'
        '    if not child:\n'
        '        http.close()\n'
        '        os._exit(0)\n'
        '    os.waitpid(child, 0)\n'
    )
    with Program(source, cwd=tmp_path) as program:
        assert program.wait() == 0
        assert program.stdout == f'stop True{os.linesep}'
