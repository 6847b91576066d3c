"""Upgrades of `python -m slimHTTP`, with its applications."""

from __future__ import annotations

import functools
import re
import signal
from pathlib import Path

import pytest
from support import (
    Client,
    Program,
    tick,
    tree,
)
from support.handover import (
    Load,
    generations,
    keeps_connections,
    pauses,
)
from support.upgraded_sites import (
    APPLICATION,
    run,
    run_application,
    site,
)
from support.upgrades import WebSocket


def test_an_application_starts_before_and_ends_behind_the_last_request(tmp_path: Path) -> None:
    tree(tmp_path, {'app.py': APPLICATION})
    arguments = ('app', './app.py', '--host', '127.0.0.1', '--port', '0')
    with generations(*arguments, python=True, cwd=tmp_path) as running:
        pid = running.first.pid
        with WebSocket(running.address, '/') as websocket:
            assert websocket.ask(b'one') == b'%d one' % pid
            before = running.upgrade()
            assert f'lifespan.startup {running.pid}' in running.first.stdout
            with Client(running.address) as client:
                assert client.get('/').text == f'{running.pid} {list(arguments)}'
            assert websocket.ask(b'two') == b'%d two' % pid
            assert f'lifespan.shutdown {pid}' not in running.first.stdout
        assert running.status(before) == 0
        assert f'lifespan.shutdown {pid}' in running.first.stdout
        assert running.stop() == 0
        assert f'lifespan.shutdown {running.pid}' in running.first.stdout


def test_a_websocket_that_stays_is_closed_in_good_order(tmp_path: Path) -> None:
    tree(tmp_path, {'app.py': APPLICATION})
    arguments = ('app', './app.py', '--host', '127.0.0.1', '--port', '0')
    arguments += ('--graceful-timeout', '3')
    with generations(*arguments, python=True, cwd=tmp_path) as running:
        with WebSocket(running.address, '/') as websocket:
            websocket.ask(b'one')
            before = running.upgrade()
            assert websocket.receive() == b'\x03\xe9', '1001: it is going away'
            assert running.status(before) == 0


@pytest.mark.parametrize(
    ('broken', 'reason'),
    [
        ('import nowhere', "application `./app.py`: No module named 'nowhere'"),
        ('raise SystemExit(3)', 'application `./app.py`: 3'),
        ('import os; os._exit(7)', 'it ended with status 7 before it served'),
    ],
)
def test_an_application_that_fails_leaves_the_one_before(
    broken: str, reason: str, tmp_path: Path
) -> None:
    with run_application(tmp_path, APPLICATION) as running:
        (tmp_path / 'app.py').write_text(broken)
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for(
            f'no other process takes over: {re.escape(reason)}; this one goes on'
        )
        with Client(running.address) as client:
            assert client.get('/app').text.startswith(f'{running.pid} ')
            (tmp_path / 'app.py').write_text(APPLICATION)
            running.upgrade()
        with Client(running.address) as client:
            assert client.get('/app').text.startswith(f'{running.pid} ')


KEEPS = """
import os, slimHTTP
def app(environ, start_response):
    slimHTTP.memory['count'] = slimHTTP.memory.get('count', 0) + 1
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [f"{os.getpid()} {slimHTTP.memory['count']}".encode()]
"""


def test_the_file_of_the_memory_is_handed_on_in_order(tmp_path: Path) -> None:
    counts = []

    with run_application(tmp_path, KEEPS, "persist = 'memory.db'") as running, Load() as load:
        address = running.address
        paused = functools.partial(tick, 0.02)
        load.add('kept', lambda: pauses(keeps_connections(address, '/app'), paused))
        load.wait_for_answers(3)
        for _ in range(3):
            before = running.pid
            running.send_signal(signal.SIGUSR2)
            started = running.first.wait_for(
                r'process (\d+) takes over when this one has ended', count=len(running.pids)
            )
            running.pids.append(int(started[1]))
            assert running.status(before) == 0
            load.wait_for_answers(3)
            with Client(address) as client:
                pid, number = client.get('/app').text.split()
            assert int(pid) == running.pid
            counts.append(int(number))
    assert counts == sorted(counts)
    assert counts[0] > 3, 'nothing is forgotten'


def test_a_memory_is_not_given_up_for_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    file = site(tmp_path, "persist = 'memory.db'\n")
    with run(file, True) as running:
        file.write_text(file.read_text() + 'compress = 3\n')
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for('no other process takes over: .*compress.*; this one goes on')
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'


BUSY = """
import sys, time
def app(environ, start_response):
    if environ['PATH_INFO'] == '/busy':
        print('busy', flush=True)
        while True:
            time.sleep(0.01)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'idle']
"""


def test_a_handler_that_never_returns_does_not_keep_the_one_before(tmp_path: Path) -> None:
    tree(tmp_path, {'app.py': BUSY})
    arguments = ('app', './app.py', '--host', '127.0.0.1', '--port', '0')
    arguments += ('--graceful-timeout', '1', '--threads', '1')
    with generations(*arguments, python=True, cwd=tmp_path) as running:
        with Client(running.address) as client:
            client.send('GET', '/busy')
            running.first.wait_for('busy', 'stdout')
            before = running.upgrade()
            assert running.status(before) == 0
        assert 'a handler still ran when the grace period was over' in running.first.stderr
        with Client(running.address) as client:
            assert client.get('/').text == 'idle'


def test_a_program_of_its_own_keeps_the_signal(tmp_path: Path) -> None:
    program = (
        'import os, signal, slimHTTP\n'
        'signal.signal(signal.SIGUSR2, lambda *_: print("mine", flush=True))\n'
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
        'http.run()\n'
    )
    with Program(program) as running:
        assert running.port
        running.send_signal(signal.SIGUSR2)
        running.wait_for('mine', 'stdout')
        assert running.stop() == 0
