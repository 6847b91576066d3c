"""Upgrades: another process takes over while clients ask, and none of them notices."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    PATIENCE,
    Cli,
    Client,
    Upstream,
    connections_at_rest,
    is_refused,
    lenient_tls,
    settles,
    tick,
    tree,
    wait_until,
    websocket_echo,
)
from support.handover import (
    CAN_TAKE_IN,
    Generations,
    Load,
    SlowDownload,
    connects_anew,
    generations,
    keeps_connections,
    pauses,
    speaks_http2,
    taking_in_orphans,
)
from support.http2_client import Http2
from support.upgrades import WebSocket

pytestmark = pytest.mark.skipif(not CAN_TAKE_IN, reason='orphans are taken in by Linux alone')

#: How many upgrades there are under load.
UPGRADES = int(os.environ.get('SLIMHTTP_TEST_UPGRADES', '3'))

#: Longer than what the system holds of it for a client that does not read.
LARGE = bytes(range(256)) * (32 * 1024)

both_programs = pytest.mark.parametrize('python', [False, True], ids=['program', 'python -m'])


@pytest.fixture(autouse=True)
def orphans() -> Any:
    with taking_in_orphans():
        yield


def site(folder: Path, text: str = '', **files: Any) -> Path:
    """A site of files, and what else its configuration says; gives the configuration's file."""
    tree(folder, {'root/a.txt': 'a', 'root/large.bin': LARGE, **files})
    file = folder / 'site.toml'
    file.write_text(f"addr = '127.0.0.1'\nport = 0\nweb_root = 'root'\n{text}")
    return file


def run(file: Path, python: bool, **env: str) -> Generations:
    return generations('run', file, python=python, cwd=file.parent, env=env)


def run_application(folder: Path, program: str, text: str = '', **env: str) -> Generations:
    """A site with an application, `app.py` at `/app`, which has started."""
    file = site(folder, f"{text}\n[mounts.'/app']\napp = './app.py'\n", **{'app.py': program})
    running = run(file, True, **env)
    with Client(running.address) as client:
        assert client.get('/app').status == 200
    return running


# Under load


@both_programs
def test_no_request_is_lost_and_no_connection_refused(python: bool, tmp_path: Path) -> None:
    file = site(tmp_path, 'grace_period = 30')
    with run(file, python) as running, Load() as load:
        address = running.address
        for number in range(3):
            load.add(f'kept {number}', functools.partial(keeps_connections, address, '/a.txt'))
            load.add(f'new {number}', functools.partial(connects_anew, address, '/a.txt'))
        # Who pauses may send a request in the moment in which the server would close.
        for number, pause in enumerate((0.001, 0.01, 0.03)):
            kept = functools.partial(keeps_connections, address, '/a.txt')
            paused = functools.partial(tick, pause)
            load.add(f'pauses {number}', lambda kept=kept, paused=paused: pauses(kept(), paused))
        load.wait_for_answers()
        for _ in range(UPGRADES):
            before = running.upgrade()
            load.wait_for_answers()
            assert running.status(before) == 0
        load.wait_for_answers(3)
        assert load.moved['kept 0'] > 0, 'it has been told'
        print(f'{UPGRADES} upgrades: {load.answered} answered, {load.moved} moved')
    assert len(running.pids) == UPGRADES + 1


@both_programs
def test_no_request_is_lost_over_tls_and_http2(python: bool, tmp_path: Path) -> None:
    pair = f"cert = '{CERTIFICATE}'\nkey = '{CERTIFICATE_KEY}'\n"
    with run(site(tmp_path, pair + 'grace_period = 30'), python) as running, Load() as load:
        address, port = running.address, running.address[1]
        tls = lenient_tls()
        for number in range(2):
            load.add(f'http2 {number}', functools.partial(speaks_http2, port, '/a.txt'))
            kept = functools.partial(keeps_connections, address, '/a.txt', tls=tls)
            load.add(f'kept {number}', kept)
        load.add('new', functools.partial(connects_anew, address, '/a.txt', tls=tls))
        paused = functools.partial(tick, 0.01)
        load.add('pauses', lambda: pauses(speaks_http2(port, '/a.txt'), paused))
        load.wait_for_answers()
        for _ in range(UPGRADES):
            before = running.upgrade()
            load.wait_for_answers()
            assert running.status(before) == 0
        load.wait_for_answers(3)
        assert load.moved['http2 0'] > 0, 'it has been told'
        print(f'{UPGRADES} upgrades: {load.answered} answered, {load.moved} moved')


# What the one before does until its end


@both_programs
def test_what_has_begun_ends_in_the_process_in_which_it_began(
    python: bool, tmp_path: Path
) -> None:
    with Upstream(websocket_echo) as upstream:
        text = f"grace_period = 60\n[mounts.'/ws']\nproxy = '{upstream.name}'\n"
        with run(site(tmp_path, text), python) as running:
            with SlowDownload(running.address, '/large.bin') as download:
                with WebSocket(running.address) as websocket:
                    assert websocket.ask(b'before') == b'before'
                    before = running.upgrade()
                    with Client(running.address) as client:
                        assert client.get('/a.txt').text == 'a'
                    assert websocket.ask(b'after') == b'after'
                    assert not running.has_ended(before)
                assert download.rest() == LARGE
            assert running.status(before) == 0
            assert running.stop() == 0


@both_programs
def test_a_kept_connection_is_told_by_its_next_answer(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path, 'grace_period = 60'), python) as running:
        with Client(running.address) as asks, Client(running.address) as rests:
            for client in (asks, rests):
                assert not client.get('/a.txt').closes
            # The one that has been idle for a while has no task any more.
            wait_until(lambda: connections_at_rest(running.pid) >= 2, 'rest')
            before = running.upgrade()
            assert asks.get('/a.txt').closes
            # Nobody hears of it unasked.
            assert rests.is_open(0.7)
            assert not running.has_ended(before)
            assert rests.get('/a.txt').closes
            assert running.status(before) == 0, 'at once, for nobody is left'


@both_programs
def test_http2_is_told_to_go_away(python: bool, tmp_path: Path) -> None:
    pair = f"cert = '{CERTIFICATE}'\nkey = '{CERTIFICATE_KEY}'\n"
    with run(site(tmp_path, pair + 'grace_period = 60'), python) as running:
        port = running.address[1]
        with Http2(port) as asks, Http2(port) as fresh:
            assert asks.get('/a.txt').status == 200
            before = running.upgrade()
            asks.until_closed()
            assert asks.goaway[-1] == 0, 'NO_ERROR'
            assert asks.last_streams == [2**31 - 1, 1]
            # Who has asked for nothing yet is answered first.
            assert fresh.get('/a.txt').status == 200
            fresh.until_closed()
            assert fresh.last_streams[-1] == 1
            assert running.status(before) == 0


@both_programs
def test_who_stays_idle_is_closed_within_the_grace_period(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path, 'grace_period = 2'), python) as running:
        with Client(running.address) as client:
            client.get('/a.txt')
            before = running.upgrade()
            assert not client.is_open(PATIENCE), 'in good order'
            assert running.status(before) == 0


@both_programs
def test_what_does_not_end_is_cut_after_the_grace_period(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path, 'grace_period = 1'), python) as running:
        with SlowDownload(running.address, '/large.bin'):
            before = running.upgrade()
            assert running.status(before) == 0


@both_programs
def test_one_that_was_upgraded_is_upgraded_while_the_first_one_ends(
    python: bool, tmp_path: Path
) -> None:
    with run(site(tmp_path, 'grace_period = 60'), python) as running:
        with SlowDownload(running.address, '/large.bin') as download:
            first, second = running.upgrade(), running.upgrade()
            assert running.status(second) == 0
            assert not running.has_ended(first)
            with Client(running.address) as client:
                assert client.get('/a.txt').text == 'a'
            assert download.rest() == LARGE
        assert running.status(first) == 0


@both_programs
def test_the_configuration_is_read_anew(python: bool, tmp_path: Path) -> None:
    file = site(tmp_path, **{'other/b.txt': 'b'})
    with run(file, python) as running:
        file.write_text(file.read_text().replace("'root'", "'other'"))
        running.upgrade()
        with Client(running.address) as client:
            assert client.get('/b.txt').text == 'b'
        assert running.stop() == 0
    assert is_refused(running.address)


def test_the_program_that_lies_there_now_is_started(tmp_path: Path) -> None:
    program, link = tmp_path / 'slimhttp-1', tmp_path / 'slimhttp'
    script = f'#!/bin/sh\necho "$0 $*" >>{tmp_path}/started\nexec {Cli.binary()} "$@"\n'
    link.symlink_to(Cli.binary())
    file = site(tmp_path)
    environ = dict(os.environ, SLIMHTTP_BIN=os.fspath(link))
    before = os.environ.get('SLIMHTTP_BIN')
    os.environ['SLIMHTTP_BIN'] = environ['SLIMHTTP_BIN']
    try:
        running = generations('run', 'site.toml', '--addr', '127.0.0.1', python=False, cwd=tmp_path)
    finally:
        if before is None:
            del os.environ['SLIMHTTP_BIN']
        else:
            os.environ['SLIMHTTP_BIN'] = before
    with running:
        program.write_text(script)
        program.chmod(0o755)
        link.unlink()
        link.symlink_to(program)
        running.upgrade()
        assert (tmp_path / 'started').read_text() == f'{link} run site.toml --addr 127.0.0.1\n'
        assert file.exists()


# One that fails


@both_programs
def test_a_configuration_that_is_wrong_leaves_the_one_before(
    python: bool, tmp_path: Path
) -> None:
    file = site(tmp_path)
    right = file.read_text()
    with run(file, python) as running, Load() as load:
        load.add('kept', functools.partial(keeps_connections, running.address, '/a.txt'))
        for wrong in ('web_root = 1\n', 'port = "x"\n', '[[\n'):
            file.write_text(right + wrong if wrong == '[[\n' else wrong)
            count = len(re.findall('no other process takes over', running.first.stderr))
            running.send_signal(signal.SIGUSR2)
            told = running.first.wait_for(
                r'no other process takes over: (.*); this one goes on', count=count + 1
            )
            assert 'site.toml:' in told[1]
            load.wait_for_answers()
        assert load.moved['kept'] == 0
        file.write_text(right)
        before = running.upgrade()
        assert running.status(before) == 0


@both_programs
def test_one_that_does_not_say_why_is_told_by_its_status(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path), python) as running:
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        os.kill(started, signal.SIGKILL)
        running.first.wait_for(
            'no other process takes over: it ended by signal 9 before it served; this one goes on'
        )
        assert running.has_ended(started)
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'


HANGS = """
import time
time.sleep(1000)
"""


def test_one_that_hangs_is_ended_after_a_while(tmp_path: Path) -> None:
    with run_application(tmp_path, APPLICATION, SLIMHTTP_UPGRADE_TIMEOUT='1.5') as running:
        (tmp_path / 'app.py').write_text(HANGS)
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for(f'SIGUSR2: process {started} is starting already')
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'
        running.first.wait_for(
            r'no other process takes over: it did not serve within 1.5 s '
            r'\(SLIMHTTP_UPGRADE_TIMEOUT\), and was ended; this one goes on'
        )
        assert running.has_ended(started)
        (tmp_path / 'app.py').write_text(APPLICATION)
        assert running.status(running.upgrade()) == 0


@both_programs
def test_a_program_that_is_gone_leaves_the_one_before(python: bool, tmp_path: Path) -> None:
    folder = tmp_path / 'folder'
    file = site(tmp_path)
    folder.mkdir()
    with generations('run', file, python=python, cwd=folder) as running:
        folder.rmdir()
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for('no other process takes over: .* does not start: .*No such file')
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'


# Stopping


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_the_one_that_is_starting_too(number: int, tmp_path: Path) -> None:
    with run_application(tmp_path, APPLICATION) as running:
        (tmp_path / 'app.py').write_text(HANGS)
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        assert running.stop(number) == 0
        running.status(started)
    assert is_refused(running.address)


def stuck(folder: Path) -> tuple[Path, Path]:
    """A configuration that can be read once, and then never ends: a pipe; and what it was."""
    file = site(folder)
    text = file.rename(folder / 'text.toml')
    os.mkfifo(file)
    return file, text


def write_once(file: Path, text: Path) -> threading.Thread:
    """Write the configuration to whoever reads it next."""
    thread = threading.Thread(target=lambda: file.write_bytes(text.read_bytes()), daemon=True)
    thread.start()
    return thread


def test_a_stop_of_the_program_ends_the_one_that_is_starting_too(tmp_path: Path) -> None:
    file, text = stuck(tmp_path)
    writing = write_once(file, text)
    with run(file, False) as running:
        writing.join(PATIENCE)
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        assert running.stop() == 0
        running.status(started)
        assert f'process {started}, which was to take over, is ended' in running.first.stderr
    assert is_refused(running.address)


@both_programs
def test_the_one_that_is_starting_ends_with_the_one_before(python: bool, tmp_path: Path) -> None:
    file, text = stuck(tmp_path)
    writing = write_once(file, text)
    with run(file, python) as running:
        writing.join(PATIENCE)
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        # It reads, and would for ever.
        wait_until(lambda: Path(f'/proc/{started}/wchan').exists())
        running.send_signal(signal.SIGKILL)
        assert running.status(started) == -signal.SIGKILL


@both_programs
def test_a_stop_while_the_last_ones_are_answered_hurries(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path, 'grace_period = 60'), python) as running:
        with Client(running.address) as client:
            client.get('/a.txt')
            before = running.upgrade()
            assert client.is_open(0)
            os.kill(before, signal.SIGUSR2)
            running.first.wait_for(f'SIGUSR2: process {running.pid} has taken over already')
            os.kill(before, signal.SIGTERM)
            assert running.status(before) == 0
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'


@both_programs
def test_a_second_stop_does_not_wait(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path, 'grace_period = 60'), python) as running:
        with SlowDownload(running.address, '/large.bin'):
            before = running.upgrade()
            os.kill(before, signal.SIGTERM)
            running.first.wait_for('(waiting|waits) for 1 request, up to 60 s;')
            os.kill(before, signal.SIGTERM)
            assert running.status(before) == (130 if python else 1)


def test_what_was_ignored_stays_ignored(tmp_path: Path) -> None:
    handler = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        running = run(site(tmp_path), False)
    finally:
        signal.signal(signal.SIGUSR2, handler)
    with running:
        running.send_signal(signal.SIGUSR2)
        assert running.stop() == 0
        assert 'SIGUSR2' not in running.first.stderr


# Python

APPLICATION = """
import os, sys

async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        while True:
            message = await receive()
            print(message['type'], os.getpid(), flush=True)
            await send({'type': message['type'] + '.complete'})
            if message['type'] == 'lifespan.shutdown':
                return
    elif scope['type'] == 'websocket':
        await receive()
        await send({'type': 'websocket.accept'})
        while True:
            message = await receive()
            if message['type'] == 'websocket.disconnect':
                return
            await send({'type': 'websocket.send', 'text': f"{os.getpid()} {message['text']}"})
    else:
        body = f"{os.getpid()} {sys.argv[1:]}".encode()
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': body})
"""


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

    def count(address: Any) -> Any:
        for moved in pauses(keeps_connections(address, '/app'), functools.partial(tick, 0.02)):
            yield moved

    with run_application(tmp_path, KEEPS, "persist = 'memory.db'") as running, Load() as load:
        address = running.address
        load.add('kept', functools.partial(count, address))
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
    from support import Program

    with Program(program) as running:
        assert running.port
        running.send_signal(signal.SIGUSR2)
        running.wait_for('mine', 'stdout')
        assert running.stop() == 0


# What a successor has of it all


@both_programs
def test_nothing_but_the_sockets_is_handed_on(python: bool, tmp_path: Path) -> None:
    with run(site(tmp_path), python) as running:
        counts = []
        for _ in range(3):
            with Client(running.address) as client:
                client.get('/a.txt')
            counts.append(settles(lambda: len(os.listdir(f'/proc/{running.pid}/fd'))))
            running.upgrade()
        assert counts[1] == counts[2], 'each has as many descriptors'
        assert abs(counts[0] - counts[1]) <= 1, counts


def test_what_the_application_starts_knows_nothing_of_it(tmp_path: Path) -> None:
    program = """
import json, os, subprocess, sys
LOOKS = '''
import json, os
print(json.dumps([sorted(name for name in os.environ if name.startswith(('LISTEN', 'NOTIFY', 'WATCHDOG', 'SLIMHTTP_W'))), sorted(os.listdir('/proc/self/fd'))]))
'''
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    found = subprocess.run([sys.executable, '-c', LOOKS], close_fds=False, stdout=subprocess.PIPE)
    return [found.stdout]
"""
    tree(tmp_path, {'app.py': program})
    arguments = ('app', './app.py', '--host', '127.0.0.1', '--port', '0')
    with generations(*arguments, python=True, cwd=tmp_path) as running:
        for _ in range(2):
            running.upgrade()
            with Client(running.address) as client:
                names, descriptors = json.loads(client.get('/').text)
            assert names == []
            # The standard streams, and that of the list itself.
            assert len(descriptors) == 4
    assert sys.executable
