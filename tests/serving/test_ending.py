"""How serving ends while handlers still run: by signals, at exit, in a forked child."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import http.client
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any, NamedTuple

import pytest
import slimHTTP
from slimHTTP._callbacks import Callbacks
from support import tick_async

#: What every program here begins with. `ask` is a client that does not wait.
START = """
import asyncio, os, signal, socket, sys, threading, time
import slimHTTP

def opened(**config):
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, **config)

    @http.route('/busy')
    def busy(request):
        began.set()
        while True:
            pass

    @http.route('/sleep')
    def sleep(request):
        began.set()
        time.sleep(60)

    @http.route('/stream')
    def stream(request):
        began.set()
        while True:
            yield b'x' * 1000

    @http.route('/obstinate')
    def obstinate(request):
        began.set()
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except BaseException as error:
                if asked_twice.is_set():
                    raise
                asked_twice.set()

    @http.route('/task')
    async def task(request):
        began.set()
        while True:
            sum(range(20000))
            await asyncio.sleep(0)

    return http

def ask(http, path):
    client = socket.create_connection(('127.0.0.1', http.port))
    client.sendall(b'GET %s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' % path.encode())
    clients.append(client)
    began.wait(5)

def send(number):
    # To the main thread, where a terminal's Ctrl-C arrives as a rule: whichever thread
    # the system chose otherwise, the call in which the main one blocks would go on.
    signal.pthread_kill(threading.main_thread().ident, number)

began, asked_twice, clients = threading.Event(), threading.Event(), []
"""


class Ended(NamedTuple):
    """A program that has run; a negative status is a signal."""

    output: str
    status: int
    errors: str
    seconds: float


def ended(program: str, *arguments: str) -> Ended:
    """Run a program to its end."""
    began = time.monotonic()
    run = subprocess.run(
        [sys.executable, '-c', START + textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    return Ended(run.stdout, run.returncode, run.stderr, time.monotonic() - began)


#: Programs take seconds to end, and do little meanwhile: so many of them run at once.
_beside = concurrent.futures.ThreadPoolExecutor(4)


@functools.cache
def all_ended(
    program: str, *arguments: tuple[str, ...]
) -> dict[tuple[str, ...], concurrent.futures.Future[Ended]]:
    """Run a program with each combination of its arguments, several at once."""
    cases = itertools.product(*arguments)
    return {case: _beside.submit(ended, program, *case) for case in cases}


PATHS, THREADS = ('/busy', '/stream', '/sleep', '/obstinate', '/task'), ('1', '3')


@pytest.mark.parametrize('threads', THREADS)
@pytest.mark.parametrize('path', PATHS)
def test_c1_5_a_program_ends_while_a_handler_runs(path: str, threads: str) -> None:
    program = """
    http = opened(python_threads=int(sys.argv[2]))
    http.__enter__()
    ask(http, sys.argv[1])
    sys.exit(7)
    """
    output, status, errors, _ = all_ended(program, PATHS, THREADS)[path, threads].result()
    assert (output, status) == ('', 7), errors
    assert 'Traceback' not in errors


def test_c1_5_a_program_ends_after_a_block_whose_handler_did_not() -> None:
    program = """
    with opened(grace_period=0.1) as http:
        ask(http, '/busy')
    print(http.closed, len(slimHTTP.instances))
    """
    output, status, errors, _ = ended(program)
    assert (output, status) == ('True 0\n', 0), errors
    assert 'still ran when the program ended' in errors


def test_c1_5_a_daemon_thread_in_run_ends_with_the_program() -> None:
    program = """
    http = opened()
    threading.Thread(target=http.run, daemon=True).start()
    ask(http, '/busy')
    """
    _, status, errors, _ = ended(program)
    assert status == 0, errors


BLOCKING, ONE_OR_TWO = ('/sleep', '/busy', '/obstinate'), ('1', '2')
SIGNALS = (str(int(signal.SIGINT)), str(int(signal.SIGTERM)))


@pytest.mark.parametrize('number', SIGNALS)
@pytest.mark.parametrize('threads', ONE_OR_TWO)
@pytest.mark.parametrize('path', BLOCKING)
def test_c1_5_run_ends_after_the_grace_period_whatever_a_handler_does(
    path: str, threads: str, number: str
) -> None:
    program = """
    http = opened(python_threads=int(sys.argv[2]), grace_period=0.2)

    def stop():
        ask(http, sys.argv[1])
        send(int(sys.argv[3]))

    threading.Thread(target=stop, daemon=True).start()
    before = signal.getsignal(int(sys.argv[3]))
    http.run()
    print('returned', http.closed, signal.getsignal(int(sys.argv[3])) is before)
    """
    every = all_ended(program, BLOCKING, ONE_OR_TWO, SIGNALS)
    output, status, errors, seconds = every[path, threads, number].result()
    assert (output, status) == ('returned True True\n', 0), errors
    assert seconds < 15


def test_c1_5_a_second_interrupt_still_does_not_wait() -> None:
    program = """
    http = opened(grace_period=30)
    http.config['quiet'] = False
    told = threading.Event()

    class Errors:
        def write(self, text):
            if 'again ends it now' in text:
                told.set()

        def flush(self):
            pass

    sys.stderr = Errors()

    def stop():
        ask(http, '/sleep')
        send(signal.SIGINT)
        told.wait()
        send(signal.SIGINT)

    threading.Thread(target=stop, daemon=True).start()
    try:
        http.run()
    except KeyboardInterrupt:
        print('interrupted', http.closed)
    """
    output, status, errors, _ = ended(program)
    assert (output, status) == ('interrupted True\n', 0), errors


def test_c1_5_an_interrupt_while_a_block_ends_closes_all_the_same() -> None:
    program = """
    def interrupt():
        time.sleep(0.3)
        send(signal.SIGINT)

    try:
        with opened(grace_period=30) as http:
            ask(http, '/sleep')
            threading.Thread(target=interrupt, daemon=True).start()
    except KeyboardInterrupt:
        print('interrupted', http.closed, len(slimHTTP.instances))
    """
    output, status, errors, _ = ended(program)
    assert (output, status) == ('interrupted True 0\n', 0), errors


def get(server: slimHTTP.HTTP_SERVER, path: str, timeout: float = 10) -> tuple[int, bytes]:
    client = http.client.HTTPConnection('127.0.0.1', server.port, timeout=timeout)
    try:
        client.request('GET', path)
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


@pytest.mark.parametrize('closed', [True, False])
def test_c8_4_what_a_close_cancels_is_no_failure(
    closed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    callbacks = Callbacks()
    callbacks.bind(server)
    if closed:
        server.close()
    callbacks.failed(asyncio.CancelledError(), None, 'route `/`', False)
    assert bool(caplog.records) is not closed
    server.close()


def test_c1_5_run_inside_a_handler_says_so() -> None:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

    @server.route('/plain')
    def plain(request: Any) -> str:
        with pytest.raises(slimHTTP.slimHTTP_Error, match='cannot run inside a handler'):
            server.run()
        return 'refused'

    @server.route('/async')
    async def asynchronous(request: Any) -> str:
        return plain(request)

    with server:
        assert get(server, '/plain') == (200, b'refused')
        assert get(server, '/async') == (200, b'refused')


@pytest.mark.parametrize('how', ['stop', 'stop soon'])
def test_c8_4_a_handler_that_stops_the_loop_stops_nothing(how: str) -> None:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

    @server.route('/stop')
    async def stop(request: Any) -> str:
        loop = asyncio.get_running_loop()
        (loop.stop if how == 'stop' else lambda: loop.call_later(0.05, loop.stop))()
        return 'stopped'

    @server.route('/ok')
    async def ok(request: Any) -> str:
        await tick_async(0.1)
        return 'ok'

    with server:
        assert get(server, '/stop') == (200, b'stopped')
        assert get(server, '/ok') == (200, b'ok')
    assert server.closed
    assert server not in slimHTTP.instances.values()


def test_c8_4_a_task_that_stops_the_loop_as_it_ends_is_seen_through() -> None:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=0.1)
    began = threading.Event()

    @server.route('/')
    async def rest(request: Any) -> None:
        try:
            began.set()
            await asyncio.sleep(60)
        finally:
            asyncio.get_running_loop().stop()

    with server:
        client = http.client.HTTPConnection('127.0.0.1', server.port)
        client.request('GET', '/')
        assert began.wait(5)
        loops = [thread for thread in threading.enumerate() if 'event loop' in thread.name]
    client.close()
    for thread in loops:
        thread.join(5)
        assert not thread.is_alive()


def test_c6_4_a_forked_child_finds_no_lock_held() -> None:
    """Whatever other threads held when it was made."""
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    memory = slimHTTP.memory
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with server.config._store.exclusive(), server._lock:
            memory.update('held', lambda _: (held.set(), done.wait(20)))

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            memory['child'] = memory.increment('n')
            server.config['index'] = 'x.html'
            server.close()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    server.close()
    assert status == 0


def test_c6_4_a_fork_by_a_function_of_the_memory_itself() -> None:
    def fork(_: Any) -> int:
        return os.fork()

    parent = os.getpid()
    try:
        child = slimHTTP.memory.update('fork', fork)
        if child == 0:
            signal.alarm(5)
            os._exit(slimHTTP.memory['fork'])
    finally:
        if os.getpid() != parent:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
