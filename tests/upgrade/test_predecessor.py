"""What the process does that has been replaced, and what the new one has of it."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
from pathlib import Path

from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    PATIENCE,
    Cli,
    Client,
    UnixClient,
    Upstream,
    connections_at_rest,
    is_refused,
    settles,
    tree,
    unused_port,
    wait_until,
    websocket_echo,
)
from support.handover import (
    Load,
    SlowDownload,
    connects_anew,
    generations,
)
from support.http2_client import Http2
from support.upgraded_sites import (
    LARGE,
    both_programs,
    run,
    site,
)
from support.upgrades import WebSocket


@both_programs
def test_what_has_begun_ends_in_the_process_in_which_it_began(python: bool, tmp_path: Path) -> None:
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
def test_c10_1_listeners_come_and_go_by_an_upgrade(
    python: bool, tmp_path: Path, socket_path: Path
) -> None:
    goes, comes = unused_port(), unused_port()
    file = site(tmp_path, f"listen = ['http://127.0.0.1:{goes}']")
    text = file.read_text()
    with run(file, python) as running, Load() as load:
        load.add('stays', functools.partial(connects_anew, running.address, '/a.txt'))
        file.write_text(text.replace(f"127.0.0.1:{goes}'", f":{comes}', 'unix:{socket_path}'"))
        before = running.upgrade()
        assert running.status(before) == 0
        assert is_refused(('127.0.0.1', goes))
        with Client(('127.0.0.1', comes)) as client:
            assert client.get('/a.txt').text == 'a'
        # The file belongs to the last one.
        before = running.upgrade()
        assert running.status(before) == 0
        with UnixClient(socket_path) as client:
            assert client.get('/a.txt').text == 'a'
        file.write_text(text)
        before = running.upgrade()
        assert running.status(before) == 0
        assert not socket_path.exists()
        load.wait_for_answers()
        load.end()
        assert running.stop() == 0


@both_programs
def test_a_listener_that_cannot_be_opened_leaves_the_one_before(
    python: bool, tmp_path: Path, socket_path: Path
) -> None:
    file = site(tmp_path, f"listen = ['unix:{socket_path}']")
    text = file.read_text()
    with socket.socket() as taken, run(file, python) as running:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        file.write_text(text.replace(']', f", 'http://127.0.0.1:{port}']"))
        running.send_signal(signal.SIGUSR2)
        running.first.wait_for(f'no other process takes over: .*127.0.0.1:{port}.*; this one goes')
        with UnixClient(socket_path) as client:
            assert client.get('/a.txt').text == 'a'
        assert running.stop() == 0
    assert not socket_path.exists()


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
