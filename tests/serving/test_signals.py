"""Signals beside Ctrl-C, and what a server says and does while it ends."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.connection
import pytest
import slimHTTP
from support import (
    ENTRY_POINTS,
    PATIENCE,
    START_PATIENCE,
    Cli,
    Client,
    Log,
    Process,
    Program,
    Serving,
    Upstream,
    events,
    hang_up,
    launch,
    lenient_tls,
    narrow_client,
    serving,
    tick,
    tree,
    wait_until,
)

FILES = {'root/file.txt': 'a file'}
LOGGED = {'web_root': 'root', 'access_log': {'format': 'common', 'file': 'access.log'}}

every_entry_point = pytest.mark.parametrize('entry_point', ENTRY_POINTS)


# SIGUSR1 and SIGHUP


@every_entry_point
def test_usr1_opens_the_access_log_anew_at_once(entry_point: str, tmp_path: Path) -> None:
    log, moved = tmp_path / 'access.log', tmp_path / 'access.log.1'
    with launch(entry_point, tmp_path, LOGGED, FILES) as running:
        assert running.get('/file.txt').status == 200
        wait_until(lambda: log.read_text().count('\n') == 1)
        log.rename(moved)
        running.send_signal(signal.SIGUSR1)
        wait_until(log.exists, 'a new file, before there is another line')
        assert running.get('/file.txt?again').status == 200
        wait_until(lambda: 'again' in log.read_text())
        assert moved.read_text().count('\n') == 1
        assert running.stop() == 0


@every_entry_point
def test_a_hang_up_that_somebody_sends_does_not_end_it(entry_point: str, tmp_path: Path) -> None:
    with launch(entry_point, tmp_path, LOGGED, FILES) as running:
        assert running.get('/file.txt').status == 200
        running.send_signal(signal.SIGHUP)
        running.wait_for('SIGHUP: nothing is read anew while it runs')
        assert running.get('/file.txt').status == 200
        assert running.stop() == 0


@contextlib.contextmanager
def at_a_terminal(command: list[str], cwd: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """A program whose standard error is a terminal; gives it with the terminal's other end."""
    ours, its = pty.openpty()
    program = subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its
    )
    os.close(its)
    try:
        yield program, ours
    finally:
        program.kill()
        program.wait(PATIENCE)
        with contextlib.suppress(OSError):
            os.close(ours)


@pytest.mark.parametrize('python', [False, True], ids=['program', 'python -m'])
def test_the_end_of_its_terminal_ends_it(python: bool, tmp_path: Path) -> None:
    tree(tmp_path, FILES)
    start = [sys.executable, '-m', 'slimHTTP'] if python else [Cli.binary()]
    command = [*start, 'serve', 'root', '--addr', '127.0.0.1', '--port', '0']
    with at_a_terminal(command, tmp_path) as (program, terminal):
        said = b''
        while b'http://' not in said:
            said += os.read(terminal, 1000)
        program.send_signal(signal.SIGHUP)
        while b'nothing is read anew' not in said:
            said += os.read(terminal, 1000)
        assert program.poll() is None, 'the terminal is there'
        os.close(terminal)
        program.send_signal(signal.SIGHUP)
        assert program.wait(START_PATIENCE) == 0


@pytest.mark.parametrize('python', [False, True], ids=['program', 'python -m'])
def test_what_was_ignored_at_the_start_stays_ignored(python: bool, tmp_path: Path) -> None:
    """As `nohup` starts a program."""
    tree(tmp_path, FILES)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = Cli('serve', 'root', python=python, cwd=tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    with running:
        assert running.get('/file.txt').status == 200
        running.send_signal(signal.SIGHUP)
        assert running.get('/file.txt').status == 200
        assert running.stop() == 0
        assert 'SIGHUP' not in running.stderr


# Waiting

HELD = """
import slimHTTP, threading
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, python_threads=3, grace_period=20)
@http.route('/held')
def held(request):
    print('begun', flush=True)
    threading.Event().wait(60)
http.run()
"""


def begin(running: Process, target: str) -> Client:
    client = running.client()
    client.send('GET', target)
    return client


def test_python_says_what_it_waits_for() -> None:
    with Program(HELD) as running:
        clients = [begin(running, '/held') for _ in range(2)]
        running.wait_for('begun', 'stdout', count=2)
        running.send_signal(signal.SIGINT)
        running.wait_for(
            r'slimHTTP waits for 2 requests \(GET /held\), up to 20 s;'
            ' Ctrl-C again ends it now'
        )
        running.send_signal(signal.SIGINT)
        assert running.wait() != 0
        for client in clients:
            client.close()


def test_the_program_says_what_it_waits_for(tmp_path: Path) -> None:
    release = threading.Event()
    with Upstream(lambda exchange: release.wait(2 * PATIENCE)) as upstream:
        config = {'proxy': upstream.name, 'grace_period': 20}
        with launch('cli', tmp_path, config) as running, begin(running, '/') as client:
            wait_until(lambda: upstream.exchanges, 'the request')
            assert client.is_open(0)
            running.send_signal(signal.SIGINT)
            running.wait_for('waiting for 1 request, up to 20 s; Ctrl-C again to end now')
            running.send_signal(signal.SIGINT)
            assert running.wait() == 1
        release.set()


UPLOAD = """
import slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=20)
@http.route('/')
def take(request):
    return request.payload
@http.on_stop
def last():
    print('the last words', flush=True)
http.run()
"""


def test_a_signal_that_comes_twice_at_once_is_one_for_python() -> None:
    """As `timeout` sends it: to the process and to its group."""
    with Program(UPLOAD) as running, running.client() as client:
        fields = b'Content-Length: 2\r\nExpect: 100-continue'
        client.send_raw(b'POST / HTTP/1.1\r\nHost: a\r\n' + fields + b'\r\n\r\n')
        assert client.read_head().status == 100, 'it is under way'
        # Two of one kind that come together would be one to the system.
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)
        running.wait_for('slimHTTP waits for 1 request')
        client.send_raw(b'ab')
        assert client.read_response().text == 'ab'
        assert running.wait() == 0
        assert 'the last words' in running.stdout
        assert 'Traceback' not in running.stderr


def test_a_signal_that_comes_twice_at_once_is_one_for_the_program(tmp_path: Path) -> None:
    release = threading.Event()
    with Upstream(lambda exchange: release.wait(2 * PATIENCE) and hang_up(exchange)) as upstream:
        config = {'proxy': upstream.name, 'grace_period': 20}
        with launch('cli', tmp_path, config) as running, begin(running, '/'):
            wait_until(lambda: upstream.exchanges, 'the request')
            running.send_signal(signal.SIGTERM)
            running.send_signal(signal.SIGINT)
            running.wait_for('waiting for 1 request')
            release.set()
            assert running.wait() == 0


@every_entry_point
def test_who_has_nothing_to_wait_for_says_nothing(entry_point: str, tmp_path: Path) -> None:
    with launch(entry_point, tmp_path, {'web_root': 'root'}, FILES) as running:
        with running.client() as client:
            assert client.get('/file.txt').status == 200
            assert running.stop(signal.SIGINT) == 0
        assert 'waits for' not in running.stderr
        assert 'waiting for' not in running.stderr


# Streams of events

ended = threading.Event()


def sync_events(request):
    def stream():
        try:
            yield 'data: first\n\n'
            while True:
                yield ': still here\n\n'
                tick()
        except GeneratorExit:
            ended.set()
            raise

    return slimhttp_response(stream())


def async_events(request):
    import asyncio

    async def stream():
        try:
            yield 'data: first\n\n'
            await asyncio.sleep(3600)
        finally:
            ended.set()

    return slimhttp_response(stream())


def slimhttp_response(payload):
    return slimHTTP.HTTP_RESPONSE(
        ret_code=200, headers={'Content-Type': 'text/event-stream; charset=utf-8'}, payload=payload
    )


def listens(site: Serving) -> socket.socket:
    client = socket.create_connection(site.address, PATIENCE)
    client.sendall(b'GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    seen = b''
    while b'data: first' not in seen:
        seen += client.recv(1000)
    return client


def rest(client: socket.socket) -> bytes:
    seen = b''
    while data := client.recv(1000):
        seen += data
    return seen


@pytest.mark.parametrize('handler', [sync_events, async_events])
def test_c1_5_streams_of_events_end_at_once_with_the_server(handler) -> None:
    ended.clear()
    with serving(grace_period=60, python_threads=2) as site:
        site.http.route('/events')(handler)
        with listens(site) as client:
            site.http.stop()
            assert ended.wait(PATIENCE), 'the iterator is closed'
            assert rest(client).endswith(b'0\r\n\r\n'), 'whole, so that a browser asks again'
            wait_until(lambda: site.http.closed)


def test_c1_5_streams_of_events_that_come_from_an_upstream_end_too() -> None:
    with Upstream(events) as upstream, serving(grace_period=60, proxy=upstream.name) as site:
        upstream.to_send.put(b'data: first\n\n')
        with listens(site) as client:
            site.http.stop()
            assert rest(client).endswith(b'0\r\n\r\n'), 'whole, so that a browser asks again'
            upstream.to_send.put(None)
            wait_until(lambda: site.http.closed)


def test_c1_5_streams_of_events_end_over_http2_too() -> None:
    ended.clear()
    context = lenient_tls()
    context.set_alpn_protocols(['h2'])
    head = [(':method', 'GET'), (':path', '/'), (':scheme', 'https'), (':authority', 'a')]
    options: Any = {'grace_period': 60, 'python_threads': 2, 'quiet': True}
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, **options) as http:
        http.route('/')(async_events)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        connection.send_headers(1, head, end_stream=True)
        address = ('127.0.0.1', http.port)
        with context.wrap_socket(socket.create_connection(address, PATIENCE)) as client:
            client.sendall(connection.data_to_send())
            with client.makefile('rb') as incoming:

                def content() -> tuple[bytes, int]:
                    """The next frame with content (RFC 9113 section 6.1), and its flags."""
                    while True:
                        head = incoming.read(9)
                        assert head, 'closed amidst the stream'
                        payload = incoming.read(int.from_bytes(head[:3], 'big'))
                        if head[3] == 0:
                            return payload, head[4]

                assert content() == (b'data: first\n\n', 0)
                http.stop()
                assert ended.wait(PATIENCE), 'the iterator is closed'
                assert content() == (b'', 1), 'END_STREAM'


def test_c1_5_streams_of_events_end_too_where_nobody_reads_them() -> None:
    ended.clear()
    asked = threading.Event()

    def more_than_is_taken(request):
        def stream():
            try:
                while True:
                    yield 'data: ' + 'x' * 65536 + '\n\n'
                    asked.set()
            finally:
                ended.set()

        return slimhttp_response(stream())

    with serving(grace_period=60, python_threads=2) as site, narrow_client(site.address) as client:
        site.http.route('/events')(more_than_is_taken)
        client.send('GET', '/events')
        assert asked.wait(PATIENCE)
        # No further piece is asked for: the client takes no more.
        while True:
            asked.clear()
            if not asked.wait(0.5):
                break
        site.http.stop()
        assert ended.wait(PATIENCE), 'the iterator is closed'
        wait_until(lambda: site.http.closed)


def test_c1_5_streams_of_events_from_upstream_end_too() -> None:
    with Log() as log, Upstream(events) as upstream:
        with serving(proxy=upstream.name, grace_period=60) as site:
            client = socket.create_connection(site.address, PATIENCE)
            client.sendall(b'GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
            assert b'text/event-stream' in client.recv(1000)
            site.http.stop()
            rest(client)
            client.close()
            wait_until(lambda: site.http.closed)
        assert 'broken off' not in log.text


def test_c1_5_other_streams_go_on_to_their_end() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def stream(request):
        yield 'first,'
        begun.set()
        go_on.wait(PATIENCE)
        yield 'last'

    with serving(grace_period=60, python_threads=2) as site, site.client() as client:
        site.http.route('/')(stream)
        client.send('GET', '/')
        assert begun.wait(PATIENCE)
        site.http.stop()
        go_on.set()
        assert client.read_response().text == 'first,last'


ENDED = """
import glob, os, time, slimHTTP

def watches():
    for name in glob.glob('/proc/self/task/*/comm'):
        try:
            with open(name) as file:
                yield file.read() == 'slimhttp-watch\\n'
        except OSError:  # It has just ended.
            pass

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
with http:
    assert any(watches())
while any(watches()):
    time.sleep(0.01)
# As the system does where one more signal comes before its descriptor is taken away.
print(os.write(http._server.wakeup_fd, b'.'))
"""


@pytest.mark.skipif(not Path('/proc/self/task').exists(), reason='threads are listed by /proc')
def test_a_signal_that_comes_when_the_server_has_ended_finds_its_socket() -> None:
    with Program(ENDED) as program:
        assert program.wait() == 0
        assert (program.stdout, program.stderr) == ('1\n', '')
