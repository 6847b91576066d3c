"""`slimHTTP.memory.persist`: what is kept in the file, by whom, and after which ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from slimHTTP._state._memory import Memory
from support import in_threads


class Opened:
    """A memory that is kept in a file until the block ends."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path, self.options = path, options

    def __enter__(self) -> Memory:
        self.memory = Memory()
        self.memory.persist(self.path, **self.options)
        return self.memory

    def __exit__(self, *exception: object) -> None:
        self.memory.persist(None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'state.db'


PLAIN = [
    None, True, False, 0, -1, 10**40, 1.5, float('inf'), '', 'å\x00\ud800', b'', b'\x00\xff',
    [], [1, [2, 'three']], (), (1, (2,)), set(), {1, 'a'}, frozenset({(1, 2)}), {},
    {'a': 1, 2: b'b', (3,): None}, {'dict': []}, {'tuple': [1]}, [{'set': {1}}],
]  # fmt: skip


def test_c6_4_plain_values_come_back_as_they_were(path: Path) -> None:
    with Opened(path) as memory:
        for number, value in enumerate(PLAIN):
            memory[number] = value
        memory[('a', 1)] = 'a key of any plain kind'
    with Opened(path) as memory:
        for number, value in enumerate(PLAIN):
            assert memory[number] == value
            assert type(memory[number]) is type(value)
        assert list(memory) == [*range(len(PLAIN)), ('a', 1)]


def test_c6_4_every_operation_is_kept(path: Path) -> None:
    with Opened(path) as memory:
        memory.update({'a': 1, 'b': 2}, c=3)
        assert memory.increment('a', 10) == 11
        assert memory.setdefault('d', [4]) == [4]
        assert memory.setdefault('d', 5) == [4]
        assert memory.update('e', lambda e: e + 1, default=4) == 5
        assert memory.compare_and_set('b', 2, 'two')
        assert not memory.compare_and_set('b', 2, 'other')
        assert memory.compare_and_set('f', None, 6)
        del memory['c']
        assert memory.pop('d') == [4]
        assert memory.popitem() == ('f', 6)
    with Opened(path) as memory:
        assert memory == {'a': 11, 'b': 'two', 'e': 5}
        memory.clear()
        memory['z'] = 26
    with Opened(path) as memory:
        assert memory == {'z': 26}


def test_c6_4_keys_that_are_equal_are_one(path: Path) -> None:
    with Opened(path) as memory:
        memory[1] = 'one'
        memory[1.0] = 'still one'
        memory[True] = 'the same'
    with Opened(path) as memory:
        assert list(memory.items()) == [(1, 'the same')]


def test_c6_4_what_is_there_before_joins_what_is_kept(path: Path) -> None:
    with Opened(path) as memory:
        memory.update(both='kept', kept=1)
    joined = Memory()
    joined.update(both='new', fresh=2)
    joined.persist(path)
    assert joined == {'both': 'kept', 'kept': 1, 'fresh': 2}
    joined.persist(path)  # A second time does nothing.
    with pytest.raises(slimHTTP.slimHTTP_Error, match=r'is kept in `.*state\.db` already'):
        joined.persist(path.with_name('other.db'))
    joined.persist(None)
    joined.persist(None)
    joined['later'] = 'in memory alone'
    with Opened(path) as memory:
        assert memory == {'both': 'kept', 'kept': 1, 'fresh': 2}


class Custom:
    def __eq__(self, other: object) -> bool:
        return type(other) is Custom


def test_c6_4_other_values_only_where_pickle_is_allowed(path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with Opened(path) as memory:
        memory['a'] = 1
        for value in (Custom(), loop, {'deep': [Custom()]}):
            with pytest.raises(TypeError, match=r'cannot be kept in `.*state.db`'):
                memory['a'] = value
        with pytest.raises(TypeError, match='cannot be kept'):
            memory.update({'b': 2, 'c': Custom()})
        assert memory == {'a': 1}
    with Opened(path, pickle=True) as memory:
        memory.update({'a': Custom(), 'b': loop})
    with pytest.raises(slimHTTP.slimHTTP_Error, match='reading them runs code'):
        Opened(path).__enter__()
    with Opened(path, pickle=True) as memory:
        assert memory['a'] == Custom()
        assert memory['b'][0] is memory['b']
    path.chmod(0o622)
    with pytest.raises(slimHTTP.slimHTTP_Error, match='others may write'):
        Opened(path, pickle=True).__enter__()


#: What was written while classes named the module in which they are defined.
FORMER_PICKLES = {
    'refusal': (
        b'\x80\x04\x95h\x00\x00\x00\x00\x00\x00\x00\x8c\x10slimHTTP._errors\x94\x8c\x07_remade\x94\x93'
        b'\x94h\x00\x8c\tHTTPError\x94\x93\x94M\x94\x01\x8c\x04gone\x94N\x87\x94\x86\x94R\x94}\x94(\x8c\x06'
        b'status\x94M\x94\x01\x8c\x06detail\x94h\x05\x8c\x07headers\x94Nub.'
    ),
    'answer': (
        b'\x80\x04\x95j\x00\x00\x00\x00\x00\x00\x00\x8c\x12slimHTTP._response\x94\x8c\rHTTP_RESPONSE\x94'
        b'\x93\x94)\x81\x94}\x94(\x8c\x07headers\x94}\x94\x8c\x07payload\x94\x8c\x01x\x94\x8c\x08ret_code\x94K'
        b'\xc8\x8c\x04args\x94)\x8c\x06kwargs\x94}\x94ub.'
    ),
    'raw': (
        b'\x80\x04\x953\x00\x00\x00\x00\x00\x00\x00\x8c\rslimHTTP._raw\x94\x8c\x03Raw\x94\x93\x94C\x13HTTP/1.1'
        b' 200 OK\r\n\r\n\x94\x85\x94\x81\x94.'
    ),
    'class': (
        b'\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x10slimHTTP._events\x94\x8c\x06Events\x94\x93\x94.'
    ),
}


def test_c6_4_pickles_of_a_version_whose_modules_had_other_names_are_read(path: Path) -> None:
    with Opened(path) as memory:
        memory.update(dict.fromkeys(FORMER_PICKLES))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for key, value in FORMER_PICKLES.items():
            database.execute('UPDATE memory SET value = ? WHERE key = ?', (value, f'"{key}"'))
    with Opened(path, pickle=True) as memory:
        refusal, answer = memory['refusal'], memory['answer']
        assert type(refusal) is slimHTTP.HTTPError
        assert (refusal.status, refusal.detail, refusal.headers) == (404, 'gone', None)
        assert type(answer) is slimHTTP.HTTP_RESPONSE
        assert (answer.payload, answer.ret_code) == ('x', 200)
        assert memory['raw'] == slimHTTP.Raw(b'HTTP/1.1 200 OK\r\n\r\n')
        assert type(memory['raw']) is slimHTTP.Raw
        assert memory['class'] is slimHTTP.Events


@pytest.mark.parametrize('name', ['', '-wal', '-shm', '-journal'])
def test_c6_4_pickles_are_read_only_where_nobody_else_can_have_put_them(
    path: Path, name: str
) -> None:
    with Opened(path, pickle=True) as memory:
        memory['a'] = {1}
    beside = Path(f'{path}{name}')
    beside.touch()
    beside.chmod(0o622)
    with pytest.raises(slimHTTP.slimHTTP_Error) as refused:
        Opened(path, pickle=True).__enter__()
    said = str(refused.value)
    assert f'others may write `{beside}` (owner {os.geteuid()}, mode 0622)' in said
    assert 'chmod go-w' in said
    beside.chmod(0o600)
    with Opened(path, pickle=True) as memory:
        assert memory['a'] == {1}


@pytest.mark.parametrize(('depth', 'mode', 'refused'), [
    (0, 0o777, True), (0, 0o1777, True), (0, 0o770, True), (0, 0o755, False),
    (1, 0o777, True), (1, 0o1777, False), (1, 0o775, True),
])  # fmt: skip
def test_c6_4_nor_where_somebody_else_can_put_a_folder(
    tmp_path: Path, depth: int, mode: int, refused: bool
) -> None:
    folder = tmp_path / 'outer' / 'inner'
    folder.mkdir(parents=True)
    link = tmp_path / 'link'
    link.symlink_to(folder)
    [folder, folder.parent][depth].chmod(mode)
    for path in (folder / 'state.db', link / 'state.db'):
        if refused:
            with pytest.raises(slimHTTP.slimHTTP_Error, match=r'others may write .*outer'):
                Opened(path, pickle=True).__enter__()
            assert not path.exists()
        else:
            with Opened(path, pickle=True) as memory:
                memory['a'] = {1}
        with Opened(folder / 'plain.db') as memory:
            memory['a'] = 1  # What runs no code may lie anywhere.


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give files away')
@pytest.mark.parametrize('what', ['.', 'state.db', 'state.db-wal'])
def test_c6_4_nor_where_somebody_else_owns_it(path: Path, what: str) -> None:
    with Opened(path, pickle=True) as memory:
        memory['a'] = {1}
    other = path.parent / what
    other.touch()
    os.chown(other, 1, 1)
    with pytest.raises(slimHTTP.slimHTTP_Error, match='owner 1, mode'):
        Opened(path, pickle=True).__enter__()


def test_c6_4_the_file_is_its_owners_alone(path: Path) -> None:
    with Opened(path) as memory:
        memory['a'] = 1
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert [file.name for file in path.parent.iterdir()] == ['state.db']


def test_c6_4_a_file_that_cannot_be_used_is_named(path: Path) -> None:
    def refused(message: str, **options: Any) -> None:
        memory = Memory()
        memory['a'] = 1
        with pytest.raises(slimHTTP.slimHTTP_Error, match=message):
            memory.persist(path, **options)
        memory['a'] = 2  # It goes on without the file.

    path.mkdir()
    refused('state.db`: Is a directory')
    path.rmdir()
    path.write_bytes(b'no database at all' * 100)
    refused('state.db`: file is not a database')
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute('CREATE TABLE theirs (a)')
    other.close()
    refused('is a database of another program')
    path.unlink()
    with Opened(path):
        refused('is in use; one process at a time')


def test_c6_4_two_processes_do_not_share_a_file(path: Path) -> None:
    program = 'import slimHTTP, sys; slimHTTP.memory.persist(sys.argv[1])'
    with Opened(path) as memory:
        other = subprocess.run(
            [sys.executable, '-c', program, path], capture_output=True, text=True, check=False
        )
        assert 'is in use; one process at a time' in other.stderr
        assert memory.increment('n') == 1
    assert subprocess.run([sys.executable, '-c', program, path], check=False).returncode == 0


def fill(memory: Memory) -> None:
    for number in range(1000):
        memory[number] = 'x' * 1000


def test_c6_4_it_grows_no_further_than_it_may(path: Path) -> None:
    with Opened(path, max_size=200_000) as memory:
        memory.max_entries = 1000
        with pytest.raises(slimHTTP.slimHTTP_Error, match='full'):
            fill(memory)
        kept = dict(memory)
        assert 100 < len(kept) < 250
        del memory[0]
        del kept[0]
    assert path.stat().st_size <= 200_000
    with Opened(path) as memory:
        assert memory == kept
        memory.max_entries = len(kept)
        memory[1] = 'no new key'
        with pytest.raises(slimHTTP.slimHTTP_Error, match='entries, and is full'):
            memory['new'] = 1
        with pytest.raises(slimHTTP.slimHTTP_Error, match='entries, and is full'):
            memory.increment('new')
        assert 'new' not in memory


INCREMENTS = """
import slimHTTP, sys
slimHTTP.memory.persist(sys.argv[1], fsync=sys.argv[2] == 'fsync')
write = sys.stdout.write
for _ in range(10000):
    write(f"{slimHTTP.memory.increment('n')}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize('fsync', ['fsync', 'no'])
@pytest.mark.parametrize('killed_at', [1, 3000])
def test_c6_4_nothing_that_was_acknowledged_is_lost_by_a_kill(
    killed_at: int, fsync: str, path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, '-c', INCREMENTS, path, fsync], stdout=subprocess.PIPE, text=True
    ) as counting:
        assert counting.stdout is not None
        for line in counting.stdout:
            if int(line) >= killed_at:
                break
        counting.send_signal(signal.SIGKILL)
        acknowledged = int([line, *counting.stdout.read().split()][-1])
    assert counting.returncode == -signal.SIGKILL
    with Opened(path) as memory:
        # One more may have been written, and its answer not yet sent.
        assert memory['n'] - acknowledged in (0, 1)


def test_c6_4_a_program_that_ends_as_it_should_leaves_one_file(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, '-W', 'error', '-c', INCREMENTS, path, 'no'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr == ''
    assert [file.name for file in path.parent.iterdir()] == ['state.db']
    with Opened(path) as memory:
        assert memory['n'] == 10000


@pytest.mark.parametrize('ending', ['os._exit(0)', 'sys.exit(0)'])
def test_c6_4_a_forked_child_leaves_the_file_alone(ending: str, path: Path) -> None:
    program = f"""
import os, slimHTTP, sys
slimHTTP.memory.persist(sys.argv[1])
slimHTTP.memory['n'] = 1
if os.fork() == 0:
    assert slimHTTP.memory.increment('n', 10) == 11
    slimHTTP.memory.clear()
    slimHTTP.memory.persist(None)
    {ending}
assert os.wait()[1] == 0
assert slimHTTP.memory.increment('n') == 2
os.kill(os.getpid(), 9)
"""
    run = subprocess.run(
        [sys.executable, '-c', program, path], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (-9, '')
    with Opened(path) as memory:
        assert memory == {'n': 2}


def test_c6_4_threads_take_turns_at_the_file(path: Path) -> None:
    with Opened(path) as memory:

        def count(_number: int) -> None:
            for _ in range(300):
                memory.increment('n')

        in_threads(4, count)
    with Opened(path) as memory:
        assert memory == {'n': 1200}


def test_c6_4_a_server_keeps_the_memory_by_an_option(path: Path) -> None:
    def opened(**config: Any) -> slimHTTP.HTTP_SERVER:
        return slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, **config)

    http = opened(persist=path)
    try:
        slimHTTP.memory['kept by a server'] = 1
        opened(persist=str(path)).close()  # The same file is fine.
        http.configuration({'index': 'a.html'})
        with pytest.raises(slimHTTP.ConfError, match='`persist` is fixed at start'):
            http.configuration({'persist': 'other.db'})
        with pytest.raises(slimHTTP.slimHTTP_Error, match=r'is kept in .* already'):
            opened(persist=path.with_name('other.db'))
    finally:
        slimHTTP.memory.persist(None)
        http.close()
    assert list(slimHTTP.instances) == []
    with Opened(path) as memory:
        assert memory['kept by a server'] == 1


def test_c6_4_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Opened(Path('here.db')) as memory:
        os.chdir('/')
        memory['a'] = 1
    assert (tmp_path / 'here.db').exists()
