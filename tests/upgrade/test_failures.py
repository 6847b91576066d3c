"""Upgrades that fail, or are stopped: somebody serves all the same."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import re
import signal
import socket
import threading
from pathlib import Path

import pytest
from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    PATIENCE,
    Client,
    Process,
    is_refused,
    wait_until,
)
from support.handover import (
    Load,
    SlowDownload,
    generations,
    keeps_connections,
    serving,
)
from support.upgraded_sites import (
    APPLICATION,
    HANGS,
    both_programs,
    run,
    run_application,
    site,
)

# One that fails


@both_programs
def test_a_configuration_that_is_wrong_leaves_the_one_before(python: bool, tmp_path: Path) -> None:
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


def low_port() -> int:
    """A port that only root may bind, and that nobody has bound."""
    for port in range(1023, 900, -1):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(('127.0.0.1', port))
            return port
    raise AssertionError('every port from 900 to 1023 is taken')


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can become another user')
def test_the_rights_of_root_stay_given_up(public: Path) -> None:
    port = low_port()
    file = site(public, "user = 'nobody'\n")
    file.write_text(file.read_text().replace('port = 0', f'port = {port}'))
    running = serving(Process([public / 'slimhttp', 'run', file], public))
    with running:
        assert running.status(running.upgrade()) == 0
        assert Path(f'/proc/{running.pid}').stat().st_uid == pwd.getpwnam('nobody').pw_uid
        with Client(('127.0.0.1', port)) as client:
            assert client.get('/a.txt').text == 'a'
        # What only root may read, the first process has read.
        key = public / 'key.pem'
        key.write_bytes(CERTIFICATE_KEY.read_bytes())
        key.chmod(0o600)
        pair = f"cert = '{CERTIFICATE}'\nkey = '{key}'\nlisten = ['https://127.0.0.1:0']\n"
        file.write_text(file.read_text() + pair)
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for(
            r'no other process takes over: .*key.pem.* \(it is started as `nobody`, since the '
            'rights of root are given up: what only root may open takes a restart'
        )
        with Client(('127.0.0.1', port)) as client:
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


def test_c10_1_a_stop_meanwhile_leaves_no_file(tmp_path: Path, socket_path: Path) -> None:
    text = f"listen = ['unix:{socket_path}']"
    with run_application(tmp_path, APPLICATION, text) as running:
        (tmp_path / 'app.py').write_text(HANGS)
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for(r'process (\d+) is to take over')
        assert socket_path.exists()
        assert running.stop() == 0
    assert not socket_path.exists()


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
def test_one_that_never_reads_its_configuration_is_ended(python: bool, tmp_path: Path) -> None:
    file, text = stuck(tmp_path)
    writing = write_once(file, text)
    with run(file, python, SLIMHTTP_UPGRADE_TIMEOUT='0.7') as running:
        writing.join(PATIENCE)
        running.send_signal(signal.SIGUSR2)
        started = int(running.first.wait_for(r'process (\d+) is to take over')[1])
        running.first.wait_for('no other process takes over: it did not serve within 0.7 s')
        assert running.has_ended(started)
        with Client(running.address) as client:
            assert client.get('/a.txt').text == 'a'
        # The next one may.
        writing = write_once(file, text)
        assert running.status(running.upgrade()) == 0
        writing.join(PATIENCE)


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
