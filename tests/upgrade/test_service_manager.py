"""What a service manager hands over, and what it is told: systemd, or one that does as it does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import (
    PATIENCE,
    START_PATIENCE,
    Cli,
    Client,
    Process,
    UnixClient,
    is_refused,
    tree,
    unused_port,
)
from support.handover import generations, serving
from support.service_manager import Activated, Notices, listening
from support.upgraded_sites import both_programs


def site(folder: Path, port: int = 0, addr: str = '127.0.0.1', text: str = '') -> Path:
    tree(folder, {'root/a.txt': 'a'})
    file = folder / 'site.toml'
    file.write_text(f"addr = '{addr}'\nport = {port}\nweb_root = 'root'\n{text}")
    return file


# Notices


@both_programs
@pytest.mark.parametrize('abstract', [False, True])
def test_it_is_told_when_the_program_serves_and_stops(
    python: bool, abstract: bool, tmp_path: Path
) -> None:
    with Notices(tmp_path, abstract=abstract) as notices:
        file = site(tmp_path)
        with Cli('run', file, python=python, cwd=tmp_path, env=notices.env) as running:
            notice = notices.read()
            assert notice.pid == running.pid
            status = f'serves {tmp_path / "root"} at http://localhost:{running.port}/'
            assert notice.fields == {'READY': '1', 'STATUS': status}
            assert running.get('/a.txt').text == 'a'
            assert notices.rest() == []
            assert running.stop() == 0
            assert notices.rest() == [(running.pid, {'STOPPING': '1', 'STATUS': 'stopping'})]


@both_programs
def test_it_is_told_nothing_of_a_program_that_does_not_serve(python: bool, tmp_path: Path) -> None:
    with Notices(tmp_path) as notices:
        file = site(tmp_path, text='nonsense = 1')
        with Cli('run', file, python=python, cwd=tmp_path, env=notices.env) as running:
            assert running.wait() == 1
            assert notices.rest() == []


@both_programs
def test_an_upgrade_is_a_reload_with_another_main_process(python: bool, tmp_path: Path) -> None:
    with Notices(tmp_path) as notices:
        file = site(tmp_path)
        with generations('run', file, python=python, cwd=tmp_path, env=notices.env) as running:
            for _ in range(2):
                assert notices.read_until('READY').pid == running.pid
                began = time.monotonic()
                before = running.upgrade()
                reloading, main, ready = notices.read(), notices.read(), notices.read()
                assert reloading.pid == main.pid == before
                assert list(reloading.fields) == ['RELOADING', 'MONOTONIC_USEC', 'STATUS']
                said = int(reloading.fields['MONOTONIC_USEC']) / 1e6
                assert began <= said <= time.monotonic()
                assert main.fields == {'MAINPID': str(running.pid)}
                assert ready.pid == running.pid
                assert ready.fields['READY'] == '1'
                assert running.status(before) == 0
                # The one that has been replaced stops, and does not say so.
                assert notices.rest() == []
                running.upgrade()
                notices.read_until('MAINPID')
            assert notices.read_until('READY').pid == running.pid
            assert running.stop() == 0
            assert notices.read().fields['STOPPING'] == '1'


@both_programs
def test_an_upgrade_that_fails_ends_the_reload(python: bool, tmp_path: Path) -> None:
    with Notices(tmp_path) as notices:
        file = site(tmp_path)
        with generations('run', file, python=python, cwd=tmp_path, env=notices.env) as running:
            notices.read_until('READY')
            file.write_text('nonsense = 1')
            running.send_signal(signal.SIGUSR2)
            assert notices.read().fields['RELOADING'] == '1'
            notice = notices.read()
            assert (notice.pid, notice.fields['READY']) == (running.pid, '1')
            assert 'the last upgrade failed: ' in notice.fields['STATUS']
            assert 'nonsense' in notice.fields['STATUS']


@both_programs
def test_a_watchdog_hears_of_the_process_that_serves(python: bool, tmp_path: Path) -> None:
    with Notices(tmp_path) as notices:
        env = {**notices.env, 'WATCHDOG_USEC': '400000'}
        file = site(tmp_path)
        with generations('run', file, python=python, cwd=tmp_path, env=env) as running:
            began = time.monotonic()
            for _ in range(3):
                assert notices.read_until('WATCHDOG').pid == running.pid
            assert time.monotonic() - began >= 0.2, 'in half of the time, and no sooner'
            before = running.upgrade()
            assert notices.read_until('MAINPID').pid == before
            for _ in range(3):
                assert notices.read_until('WATCHDOG').pid == running.pid


@both_programs
def test_a_watchdog_of_another_process_is_not_ours(python: bool, tmp_path: Path) -> None:
    with Notices(tmp_path) as notices:
        env = {**notices.env, 'WATCHDOG_USEC': '20000', 'WATCHDOG_PID': str(os.getpid())}
        with Cli('run', site(tmp_path), python=python, cwd=tmp_path, env=env) as running:
            notices.read_until('READY')
            for _ in range(5):
                assert running.get('/a.txt').text == 'a'
            assert notices.rest() == []


@both_programs
def test_a_service_manager_that_is_gone_disturbs_nobody(python: bool, tmp_path: Path) -> None:
    env = {'NOTIFY_SOCKET': os.fspath(tmp_path / 'nowhere'), 'WATCHDOG_USEC': '20000'}
    with Cli('run', site(tmp_path), python=python, cwd=tmp_path, env=env) as running:
        assert running.get('/a.txt').text == 'a'
        assert running.stop() == 0


# Sockets


@contextlib.contextmanager
def activated(bound: list[socket.socket], *arguments: Any, **options: Any) -> Iterator[Any]:
    """A program that has these sockets, which are its own alone from then on."""
    first = Activated(bound, *arguments, **options)
    for one in bound:
        one.close()
    with serving(first) as running:
        yield running


@both_programs
def test_the_socket_of_the_address_that_is_asked_for_is_adopted(
    python: bool, tmp_path: Path
) -> None:
    bound = listening()
    port = bound.getsockname()[1]
    with socket.create_connection(('127.0.0.1', port), PATIENCE) as early:
        early.sendall(b'GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        file = site(tmp_path, port)
        with activated([bound], 'run', file, python=python, cwd=tmp_path, names='web') as running:
            assert early.makefile('rb').read().endswith(b'\r\n\r\na'), 'it has waited'
            assert running.address[1] == port
            with Client(running.address) as client:
                assert client.get('/a.txt').text == 'a'
            assert running.stop() == 0
            assert 'handed over' not in running.first.stderr
    assert is_refused(('127.0.0.1', port))


@both_programs
def test_the_socket_of_every_interface_is_adopted(python: bool, tmp_path: Path) -> None:
    try:
        bound = listening('::')
    except OSError:
        pytest.skip('there is no IPv6')
    port = bound.getsockname()[1]
    file = site(tmp_path, port, addr='')
    with activated([bound], 'run', file, python=python, cwd=tmp_path) as running:
        with Client(('127.0.0.1', port)) as client:
            assert client.get('/a.txt').text == 'a'
        before = running.upgrade()
        assert running.status(before) == 0
        with Client(('::1', port)) as client:
            assert client.get('/a.txt').text == 'a'


@both_programs
def test_c10_1_sockets_are_named_and_one_that_nothing_asks_for_is_told(
    python: bool, tmp_path: Path
) -> None:
    bound = [listening(), listening(), listening()]
    first, second, _ = (one.getsockname()[1] for one in bound)
    file = site(tmp_path, first, text="listen = ['fd:web']\n")
    options: dict[str, Any] = {'python': python, 'cwd': tmp_path, 'names': 'a:web:spare'}
    with activated(bound, 'run', file, **options) as running:
        running.first.wait_for('the socket `spare` was handed over, and no listener has it')
        # From process to process.
        for _ in range(2):
            for port in (first, second):
                with Client(('127.0.0.1', port)) as client:
                    assert client.get('/a.txt').text == 'a'
            assert running.status(running.upgrade()) == 0


@pytest.mark.parametrize('entries', ["'fd:web'", "'http://127.0.0.1:0', 'fd:web'"])
def test_c10_1_a_supervisor_hands_the_socket_of_systemd_on(entries: str, tmp_path: Path) -> None:
    bound = [listening(), listening()]
    web = bound[1].getsockname()[1]
    file = site(tmp_path)
    file.write_text(f"listen = [{entries}]\nweb_root = 'root'\n")
    options: dict[str, Any] = {'python': True, 'cwd': tmp_path, 'names': 'spare:web'}
    with Activated(bound, 'run', '--reload', file, **options) as program:
        program.wait_for('Ctrl-C stops')
        for count in (1, 2):
            with Client(('127.0.0.1', web)) as client:
                assert client.get('/a.txt').text == 'a'
            if count == 1:
                file.write_text(f'{file.read_text()}access_log = false\n')
                program.wait_for('started anew in')
        program.stop()


@both_programs
def test_a_file_that_systemd_has_made_is_left_to_it(python: bool, tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    path = folder / 's'
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(os.fspath(path))
    bound.listen()
    file = site(tmp_path, text=f"listen = ['unix:{path}']\n")
    with activated([bound], 'run', file, python=python, cwd=tmp_path, names='web') as running:
        for _ in range(2):
            with UnixClient(path) as client:
                assert client.get('/a.txt').text == 'a'
            assert running.status(running.upgrade()) == 0
        assert running.stop() == 0
    assert path.exists()
    path.unlink()
    folder.rmdir()


@both_programs
def test_what_does_not_listen_is_named(python: bool, tmp_path: Path) -> None:
    bound = socket.socket()
    bound.bind(('127.0.0.1', 0))
    port = bound.getsockname()[1]
    with Activated([bound], 'run', site(tmp_path, port), python=python, cwd=tmp_path) as running:
        bound.close()
        assert running.wait() == 1
        assert '`unknown`, which was handed over, is no socket that listens' in running.stderr


@both_programs
def test_more_sockets_than_there_can_be_are_none(python: bool, tmp_path: Path) -> None:
    bound, count = listening(), str(10**12)
    options: dict[str, Any] = {'python': python, 'cwd': tmp_path, 'count': count}
    with activated([bound], 'run', site(tmp_path), **options) as running:
        running.first.wait_for(f'no socket is adopted: `LISTEN_FDS` says {count}')
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'


@both_programs
def test_sockets_of_another_process_are_left_alone(python: bool, tmp_path: Path) -> None:
    bound = listening()
    with activated(
        [bound], 'run', site(tmp_path), python=python, cwd=tmp_path, pid=str(os.getpid())
    ) as running:
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'
        assert 'handed over' not in running.first.stderr


def test_what_an_application_starts_has_nothing_of_it(tmp_path: Path) -> None:
    program = """
import json, os, subprocess, sys
LOOKS = '''
import json, os
names = ('LISTEN_', 'NOTIFY_', 'WATCHDOG_')
print(json.dumps([
    [name for name in os.environ if name.startswith(names)],
    [os.path.realpath('/proc/self/fd/' + number) for number in os.listdir('/proc/self/fd')],
]))
'''
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    found = subprocess.run([sys.executable, '-c', LOOKS], close_fds=False, stdout=subprocess.PIPE)
    return [found.stdout]
"""
    tree(tmp_path, {'app.py': program})
    with Notices(tmp_path) as notices:
        bound = listening()
        port = bound.getsockname()[1]
        arguments = ['app', './app.py', '--bind', f'127.0.0.1:{port}']
        env = {**notices.env, 'WATCHDOG_USEC': '60000000'}
        with activated(
            [bound], *arguments, python=True, cwd=tmp_path, names='web', env=env
        ) as running:
            with Client(running.address) as client:
                names, descriptors = json.loads(client.get('/').text)
    assert names == []
    assert [name for name in descriptors if 'socket' in name] == []


def test_a_supervisor_has_the_sockets_and_tells_that_it_serves(tmp_path: Path) -> None:
    tree(tmp_path, {'app.py': 'async def app(scope, receive, send):\n    raise KeyError\n'})
    bound = listening()
    port = bound.getsockname()[1]
    with Notices(tmp_path) as notices:
        arguments = ['app', './app.py', '--reload', '--bind', f'127.0.0.1:{port}']
        with Activated(
            [bound], *arguments, python=True, cwd=tmp_path, names='web', env=notices.env
        ) as running:
            bound.close()
            notice = notices.read()
            assert (notice.pid, notice.fields['READY']) == (running.pid, '1')
            with Client(('127.0.0.1', port)) as client:
                assert client.get('/').status == 500
            assert running.stop() == 0
            assert [notice.fields['STOPPING'] for notice in notices.rest()] == ['1']
    assert is_refused(('127.0.0.1', port))


@pytest.mark.skipif(
    shutil.which('systemd-socket-activate') is None, reason='there is no systemd-socket-activate'
)
@both_programs
def test_sockets_of_systemd_itself_are_adopted(python: bool, tmp_path: Path) -> None:
    port = unused_port()
    program = [sys.executable, '-m', 'slimHTTP'] if python else [Cli.binary()]
    activate = ['systemd-socket-activate', '--listen', f'127.0.0.1:{port}', '--fdname', 'web']
    with Process([*activate, *program, 'run', site(tmp_path, port)], tmp_path) as running:
        running.wait_for('Listening on')
        # The first client starts it, and is answered.
        with Client(('127.0.0.1', port), START_PATIENCE) as client:
            assert client.get('/a.txt').text == 'a'
        assert running.port == port
        assert running.stop() == 0
