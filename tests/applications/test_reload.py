"""`--reload`: a supervisor starts the server anew after an edit, and what worked last goes on."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from slimHTTP._reload import _channel
from support.client import Client
from support.servers import Cli, tree
from support.waiting import tick, wait_until
from support.websocket_clients import client as websocket
from support.websocket_clients import closing

#: A site whose answers come from a helper, which is imported once for each process.
SITE = """
addr = "127.0.0.1"
port = 0
module = "site_module.py"
"""

MODULE = """
import asyncio, os, slimHTTP
import reload_helper

http = next(iter(slimHTTP.instances.values()))

@http.websocket('/ws')
async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)

async def events():
    yield b'data: one\\n\\n'
    await asyncio.sleep(600)

def on_request(request):
    if request.url == '/pid':
        return str(os.getpid())
    if request.url == '/events':
        request.response_headers['Content-Type'] = 'text/event-stream'
        return events()
    return reload_helper.TEXT
"""

#: The program starts anew with this after an edit of the configuration.
BROKEN = 'addr = "127.0.0.1"\nport = 0\nmodul = "site_module.py"\n'

STARTED_ANEW = r'started anew in \d+\.\d\d s'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(
        tmp_path,
        {'site.toml': SITE, 'site_module.py': MODULE, 'reload_helper.py': 'TEXT = "one"\n'},
    )


@contextlib.contextmanager
def supervised(
    folder: Path, *arguments: str, env: Optional[dict[str, str]] = None
) -> Iterator[Cli]:
    arguments = ('site.toml', '--reload', *arguments)
    with Cli('run', *arguments, python=True, cwd=folder, env=env) as program:
        yield program


def edit(file: Path, text: str) -> None:
    """Write a file as editors do: another one takes its place."""
    other = file.with_suffix('.new')
    other.write_text(text)
    os.replace(other, file)


def answer(program: Cli, path: str = '/', accept: str = '*/*') -> tuple[int, str]:
    response = program.get(path, Accept=accept, Connection='close')
    return response.status, response.body.decode()


def runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for is over too."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'


def pid_of(program: Cli) -> int:
    status, body = answer(program, '/pid')
    assert status == 200, body
    return int(body)


class Hammer:
    """Asks again and again, each time by a connection of its own; what went wrong is kept."""

    def __init__(self, program: Cli) -> None:
        self.address = program.address
        self.wrong: list[str] = []
        self.bodies: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                with Client(self.address) as client:
                    response = client.get('/', Connection='close')
            except Exception as error:
                self.wrong.append(repr(error))
                continue
            if response.status != 200:
                self.wrong.append(f'{response.status}')
            body = response.body.decode()
            if not self.bodies or self.bodies[-1] != body:
                self.bodies.append(body)

    def __enter__(self) -> Hammer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_an_edit_shows_and_nobody_is_refused(folder: Path) -> None:
    with supervised(folder) as program:
        assert answer(program) == (200, 'one')
        helper = folder / 'reload_helper.py'
        with Hammer(program) as hammer:
            for count, text in enumerate(('two', 'three'), 1):
                edit(helper, f'TEXT = "{text}"\n')
                program.wait_for(STARTED_ANEW, count=count)
                wait_until(lambda text=text: answer(program) == (200, text))
        assert hammer.wrong == []
        assert {'one', 'two', 'three'} >= set(hammer.bodies)
        assert 'reload_helper.py has changed: starting anew' in program.stderr
        # One greeting: where it is served stays the same.
        assert len(re.findall('Ctrl-C stops', program.stderr)) == 1


def test_what_worked_last_goes_on_while_the_new_one_fails(folder: Path) -> None:
    site = folder / 'site.toml'
    with supervised(folder) as program:
        before = pid_of(program)
        edit(site, BROKEN)
        program.wait_for('it has not started anew: site.toml:3:1: ')
        # Everything but a page that a person opens is answered as before.
        assert pid_of(program) == before
        status, page = wait_until(
            lambda: (found := answer(program, '/', 'text/html'))[0] == 500 and found
        )
        assert status == 500
        assert 'site.toml:3:1' in page
        assert 'did you mean `module`?' in page
        assert '/.slimhttp/reload' in page, 'the browser loads it anew when it is mended'
        edit(site, SITE)
        program.wait_for(STARTED_ANEW)
        wait_until(lambda: answer(program, '/', 'text/html')[1].startswith('one\n<script'))
        assert pid_of(program) != before
        wait_until(lambda: not runs(before))


def test_a_part_of_a_page_is_answered_as_before(folder: Path) -> None:
    with supervised(folder) as program:
        assert answer(program) == (200, 'one')
        edit(folder / 'site.toml', BROKEN)
        program.wait_for('it has not started anew')
        wait_until(lambda: answer(program, '/', 'text/html')[0] == 500)
        fetched = program.get('/', Accept='text/html', **{'Sec-Fetch-Dest': 'empty'})
        assert (fetched.status, fetched.body) == (200, b'one')


@pytest.mark.parametrize('first', [BROKEN, 'port = \n'])
def test_a_first_start_that_fails_is_shown_until_it_is_mended(folder: Path, first: str) -> None:
    """Where it listens has to be known: a file that cannot be read ends the program."""
    site = folder / 'site.toml'
    site.write_text(first)
    if first != BROKEN:
        with supervised(folder) as program:
            assert program.wait() == 1
            assert 'site.toml:1:' in program.stderr
        return
    port = free_port()
    with supervised(folder, '--port', str(port)) as program:
        program.wait_for('it has not started: site.toml:3:1: ')
        with Client(('127.0.0.1', port)) as client:
            response = client.get('/anything', Accept='application/json')
            assert response.status == 500
            assert response.headers['Content-Type'] == 'text/plain; charset=utf-8'
            assert b'did you mean `module`?' in response.body
            page = client.get('/', Accept='text/html')
            assert (page.status, b'/.slimhttp/reload' in page.body) == (500, True)
        # Another fault, and what is shown follows it.
        edit(site, BROKEN.replace('modul', 'moduel'))
        program.wait_for('it has not started: site.toml:3:1: moduel')
        wait_until(lambda: 'moduel' in shown(port))
        edit(site, SITE)
        program.wait_for('Ctrl-C stops')
        wait_until(lambda: answer(program) == (200, 'one'))
        assert program.stop() == 0


def shown(port: int) -> str:
    with Client(('127.0.0.1', port)) as client:
        return client.get('/').body.decode()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(('127.0.0.1', 0))
        return bound.getsockname()[1]


def test_open_streams_and_websockets_hold_nothing_up(folder: Path) -> None:
    with supervised(folder) as program:
        before = pid_of(program)
        # The module registers its WebSocket when it is run first.
        with program.client() as events, websocket(program) as opened:
            events.send('GET', '/events')
            assert events.read_head().status == 200
            assert b'data: one' in events.read_chunk()[0]
            opened.send('hello')
            assert opened.recv(timeout=10) == 'hello'
            edit(folder / 'reload_helper.py', 'TEXT = "two"\n')
            program.wait_for(STARTED_ANEW)
            wait_until(lambda: answer(program) == (200, 'two'))
            assert closing(opened)[0] == 1001
            # The last chunk: the stream ends as one that is whole.
            assert events.read_chunk()[0] == b''
        wait_until(lambda: not runs(before))


def test_edits_within_a_second_are_seen(folder: Path) -> None:
    """Python takes what it has compiled of a file for the same by the second and the size."""
    helper = folder / 'reload_helper.py'
    moment = int(helper.stat().st_mtime)
    env = {'PYTHONDONTWRITEBYTECODE': ''}
    with supervised(folder, '--reload-dir', '.', env=env) as program:
        assert answer(program) == (200, 'one')
        for count, text in enumerate(('two', 'six', 'ten'), 1):
            edit(helper, f'TEXT = "{text}"\n')
            # As if it were all in one second.
            os.utime(helper, ns=(0, moment * 10**9 + count))
            wait_until(lambda text=text: answer(program) == (200, text))


def test_an_edit_while_it_starts_begins_anew(folder: Path) -> None:
    helper = folder / 'reload_helper.py'
    with supervised(folder, '--reload-dir', '.') as program:
        assert answer(program) == (200, 'one')
        with Hammer(program) as hammer:
            for number in range(12):
                edit(helper, f'TEXT = "{number}"\n')
                wait_until(
                    lambda number=number: program.stderr.count('starting anew') > number // 4
                )
            wait_until(lambda: answer(program) == (200, '11'))
        assert hammer.wrong == []


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it(folder: Path, number: int) -> None:
    with supervised(folder) as program:
        worker = pid_of(program)
        assert worker != program.pid
        assert program.stop(number) == 0
        assert not runs(worker)
        assert 'Traceback' not in program.stderr


def test_the_supervisor_rests_while_its_worker_ends(folder: Path) -> None:
    (folder / 'site.toml').write_text(SITE + 'grace_period = 1\n')

    def seconds() -> Optional[float]:
        """What it has used of a processor; None once it is gone."""
        with contextlib.suppress(OSError):
            stat = Path(f'/proc/{program.pid}/stat').read_text().rpartition(')')[2].split()
            if stat[0] != 'Z':
                return (int(stat[11]) + int(stat[12])) / os.sysconf('SC_CLK_TCK')
        return None

    with supervised(folder) as program, Client(program.address) as client:
        client.send('GET', '/events')
        assert client.read_head().status == 200
        before = last = seconds()
        began = time.monotonic()
        program.send_signal(signal.SIGTERM)
        while (now := seconds()) is not None:
            last = now
            tick()
        took = time.monotonic() - began
    assert before is not None
    assert last is not None
    assert last - before < took / 4


def test_a_message_that_nobody_reads_ends_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, '_SEND_TIMEOUT', 0.05)
    ours, theirs = map(_channel.Channel, socket.socketpair())
    assert not ours.send('show', page='x' * (4 << 20))
    assert not ours.send('end')
    assert theirs.receive() is None, 'neither half of a message, nor one that it garbles'
    ours.close()
    theirs.close()


def test_what_has_no_room_is_kept_up_to_a_bound_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_channel, '_MAX_UNSENT', 5 << 20)
    ours, theirs = map(_channel.Channel, socket.socketpair())
    page = 'x' * (4 << 20)
    assert ours.post('show', page=page)
    assert ours.post('end')
    assert ours.is_sending
    got: list[dict[str, object]] = []
    while len(got) < 2:
        assert ours.flush()
        got += theirs.receive() or []
    assert not ours.is_sending
    assert got == [{'kind': 'show', 'page': page}, {'kind': 'end'}]
    assert ours.post('show', page=page)
    assert not ours.post('show', page=page)
    assert not ours.is_sending
    while (messages := theirs.receive()) is not None:
        assert messages == []
    ours.close()
    theirs.close()


def test_a_worker_does_not_outlive_its_supervisor(folder: Path) -> None:
    with supervised(folder) as program:
        worker = pid_of(program)
        program.kill()
        wait_until(lambda: not runs(worker))


def test_a_process_that_crashes_waits_for_an_edit(folder: Path) -> None:
    with supervised(folder, '--reload-dir', '.') as program:
        worker = pid_of(program)
        os.kill(worker, signal.SIGKILL)
        said = 'the process ended with SIGKILL while it served'
        program.wait_for(f'{said}; an edit starts it')
        assert answer(program) == (500, f'{said}\n')
        edit(folder / 'reload_helper.py', 'TEXT = "two"\n')
        wait_until(lambda: answer(program) == (200, 'two'))


def workers(program: Cli) -> list[int]:
    children = Path(f'/proc/{program.pid}/task/{program.pid}/children')
    with contextlib.suppress(OSError):
        return [int(pid) for pid in children.read_text().split()]
    return []


def test_the_process_that_shows_a_failure_is_replaced(folder: Path) -> None:
    with supervised(folder) as program:
        worker = pid_of(program)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: workers(program) not in ([], [worker]), 'the one that shows it')
        os.kill(workers(program)[0], signal.SIGKILL)
        program.wait_for(r'the process that shows why nothing serves ended with 137')
        status, text = answer(program)
        assert status == 500
        assert 'SIGKILL while it served' in text


def test_where_nothing_can_show_a_failure_it_ends(folder: Path) -> None:
    with supervised(folder) as program:
        pid_of(program)

        def has_ended() -> bool:
            for worker in workers(program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            return not program.running

        wait_until(has_ended, 'the end')
        assert program.wait() == 1
        assert 'nothing serves, and nothing shows why' in program.stderr


def test_a_worker_that_is_stopped_by_somebody_ends_it(folder: Path) -> None:
    with supervised(folder) as program:
        os.kill(pid_of(program), signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.parametrize('number', [signal.SIGHUP, signal.SIGUSR2])
def test_some_signals_start_it_anew(number: signal.Signals, folder: Path) -> None:
    with supervised(folder) as program:
        before = pid_of(program)
        program.send_signal(number)
        program.wait_for(f'{number.name}: starting anew')
        wait_until(lambda: pid_of(program) != before)


def test_further_folders_and_files_are_watched_and_some_are_not(folder: Path) -> None:
    files = {
        'pages/a.html': 'a',
        'pages/b.css': 'b',
        'pages/.hidden.html': 'c',
        'pages/out/a.html': 'd',
    }
    tree(folder, files)
    arguments = ['--reload-dir', 'pages', '--reload-include', '*.html', '--reload-exclude', 'out']
    with supervised(folder, *arguments) as program:
        assert answer(program) == (200, 'one')
        for name in ('b.css', 'out/a.html'):
            edit(folder / 'pages' / name, 'another one')
        edit(folder / 'pages/a.html', 'another one')
        program.wait_for(STARTED_ANEW)
        assert re.findall(r'(\S+) has changed: starting anew', program.stderr) == ['pages/a.html']


def test_the_file_of_the_memory_moves_on(folder: Path) -> None:
    """One process at a time has it open: the old one ends first, and nobody is refused."""
    (folder / 'site.toml').write_text(SITE + 'persist = "memory.db"\n')
    with supervised(folder) as program:
        assert answer(program) == (200, 'one')
        with Hammer(program) as hammer:
            edit(folder / 'reload_helper.py', 'TEXT = "two"\n')
            program.wait_for(STARTED_ANEW)
            wait_until(lambda: answer(program) == (200, 'two'))
        assert hammer.wrong == []


def test_where_it_listens_stays(folder: Path) -> None:
    with supervised(folder) as program:
        assert answer(program) == (200, 'one')
        edit(folder / 'site.toml', SITE.replace('port = 0', 'port = 1'))
        program.wait_for('it goes on where it listens: start it again for another address')
        assert answer(program) == (200, 'one')


def test_an_import_that_never_ends_is_given_up(folder: Path) -> None:
    helper = folder / 'reload_helper.py'
    (folder / 'site.toml').write_text(SITE + '[vhosts."a.example"]\napp = "reload_helper:app"\n')
    helper.write_text('app = lambda environ, start_response: []\nTEXT = "one"\n')
    with supervised(folder) as program:
        assert answer(program) == (200, 'one')
        edit(
            helper,
            'import pathlib, threading\npathlib.Path("begun").touch()\nthreading.Event().wait()\n',
        )
        wait_until((folder / 'begun').exists)
        assert answer(program) == (200, 'one')
        edit(helper, 'app = lambda environ, start_response: []\nTEXT = "two"\n')
        wait_until(lambda: answer(program) == (200, 'two'))
        (folder / 'begun').unlink()
        edit(
            helper,
            'import pathlib, threading\npathlib.Path("begun").touch()\nthreading.Event().wait()\n',
        )
        wait_until((folder / 'begun').exists)
        assert program.stop() == 0


def test_debug_is_on_unless_the_file_says_otherwise(folder: Path) -> None:
    module = folder / 'site_module.py'
    module.write_text('def on_request(request):\n    return 1 / 0\n')
    for line, shown in (('', True), ('debug = false\n', False)):
        (folder / 'site.toml').write_text(SITE + line)
        with supervised(folder) as program:
            status, page = answer(program, '/', 'text/html')
            assert (status, 'ZeroDivisionError' in page) == (500, shown)


def test_without_python_it_says_who_has_it(folder: Path) -> None:
    with Cli('run', folder / 'site.toml', '--reload') as program:
        assert program.wait() == 2
        assert 'python -m slimHTTP run FILE --reload' in program.stderr
