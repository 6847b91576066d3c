"""C5.2: nothing outside of a root is ever read, whatever is asked, and whatever moves meanwhile."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Client, Serving, serving, tree, unix_socket, wait_until
from support.traversal import targets

SECRET = b'5f1d-the-secret-outside-of-the-root'
of = pytest.mark.parametrize

FILES = {
    'outside': {'secret.txt': SECRET, 'index.html': SECRET, 'sub/secret.txt': SECRET, 'code.py': SECRET},
    'secret.txt': SECRET,
    'root2/secret.txt': SECRET,
    'root-old/secret.txt': SECRET,
    'root': {
        'page.txt': 'inside',
        'index.html': 'inside',
        'folder': {'page.txt': 'inside', 'index.html': 'inside', 'deeper/page.txt': 'inside'},
        'moving': {'page.txt': 'inside', 'sub/page.txt': 'inside', 'secret.txt': 'inside'},
    },
}  # fmt: skip
LINKS = {
    'in': 'folder',
    'in-page': 'folder/page.txt',
    'out': '../secret.txt',
    'out-folder': '../outside',
    'out-absolute': '{}/outside/secret.txt',
    'chain': 'folder/chain',
    'folder/chain': '../out',
    'slash': '/',
    'up': '..',
    'proc': '/proc/self/root',
    'out-script.py': '../outside/code.py',
}
#: How many requests are under way at a time on one connection.
BATCH = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tree(tmp_path, FILES)
    for name, target in LINKS.items():
        os.symlink(target.format(tmp_path), tmp_path / 'root' / name)
    return tmp_path


def ask_all(site: Serving, wanted: list[bytes]) -> dict[int, int]:
    """Send every target, pipelined, and read every answer strictly; count the statuses.

    A refusal that ends the connection loses what was sent behind it: that is
    sent anew.
    """
    counts: dict[int, int] = {}
    left = wanted
    with site.client() as client:
        while left:
            batch = left[:BATCH]
            data = b''.join(
                b'GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n' % target for target in batch
            )
            with contextlib.suppress(ConnectionError):
                client.send_raw(data)
            done = 0
            while done < len(batch):
                response = client.read_response()
                check(response, batch[done])
                counts[response.status] = counts.get(response.status, 0) + 1
                done += 1
                if response.closes:
                    break
            left = left[done:]
    return counts


def check(response, target: bytes) -> None:
    assert SECRET not in response.raw, target
    assert b'root:' not in response.body, target
    assert response.status in (200, 301, 400, 404, 414), (target, response)
    if response.status == 200:
        assert response.body == b'inside', (target, response)
    if response.status == 301:
        assert response.headers['Location'].startswith('/'), (target, response)
        assert not response.headers['Location'].startswith('//'), (target, response)


@contextlib.contextmanager
def in_motion(folder: Path) -> Iterator[None]:
    """While the block runs, names inside become links that lead out, and back."""
    root = folder / 'root'
    stop = threading.Event()
    faults: list[BaseException] = []

    def exchange() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            for name, inside, outside in (
                ('swapped', 'page.txt', '../secret.txt'),
                ('swapped-folder', 'folder', '../outside'),
            ):
                fresh = root / f'fresh-{name}'
                os.symlink((inside, outside)[turn % 2], fresh)
                os.replace(fresh, root / name)
            # A file, and a link that leads out, under one name.
            fresh = root / 'fresh-file'
            if turn % 2:
                fresh.write_text('inside')
            else:
                os.symlink('../secret.txt', fresh)
            os.replace(fresh, root / 'file-or-link.txt')

    def move() -> None:
        while not stop.is_set():
            # The folder leaves the root, and a link that leads out has its name.
            os.rename(root / 'moving', folder / 'moved')
            os.symlink('../outside', root / 'moving')
            os.sched_yield()
            os.unlink(root / 'moving')
            os.rename(folder / 'moved', root / 'moving')

    def guarded(task) -> None:
        try:
            task()
        except BaseException as error:
            faults.append(error)

    movers = [threading.Thread(target=guarded, args=(task,)) for task in (exchange, move)]
    for mover in movers:
        mover.start()
    try:
        yield
    finally:
        stop.set()
        for mover in movers:
            mover.join()
    assert not faults, faults


def test_the_corpus_is_large(tmp_path: Path) -> None:
    wanted = list(targets(os.fspath(tmp_path / 'outside'), os.fspath(tmp_path / 'root')))
    assert len(wanted) == len(set(wanted)) >= 2000


def test_c5_2_no_target_leads_out_while_everything_moves(folder: Path) -> None:
    wanted = list(targets(os.fspath(folder / 'outside'), os.fspath(folder / 'root')))
    with serving(web_root=os.fspath(folder / 'root'), scripts=False) as site:
        assert site.get('/in/page.txt').body == b'inside'
        stop = threading.Event()
        faults: list[BaseException] = []
        seen = set()

        def load() -> None:
            names = ['/swapped', '/swapped-folder/page.txt', '/swapped-folder/secret.txt', '/moving/page.txt',
                     '/moving/secret.txt', '/moving/sub/page.txt', '/file-or-link.txt', '/page.txt', '/in/']  # fmt: skip
            try:
                with site.client() as client:
                    while not stop.is_set():
                        for name in names:
                            response = client.get(name)
                            check(response, name.encode())
                            seen.add((name, response.status))
            except BaseException as error:
                faults.append(error)

        loads = [threading.Thread(target=load) for _ in range(2)]
        with in_motion(folder):
            for thread in loads:
                thread.start()
            try:
                counts = ask_all(site, wanted)
            finally:
                stop.set()
                for thread in loads:
                    thread.join()
        assert not faults, faults
        assert sum(counts.values()) == len(wanted)
        assert {200, 400, 404} <= set(counts), counts
        assert ('/moving/page.txt', 200) in seen, 'the inside was seen'
        assert ('/page.txt', 404) not in seen, 'and what stands still was always there'
        assert site.get('/').body == b'inside', 'the server lives'


def descriptors() -> list[str]:
    """What the descriptors of this process that stand for files lead to."""
    found = []
    for name in os.listdir('/proc/self/fd'):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f'/proc/self/fd/{name}'))
    return found


@pytest.mark.skipif(not os.path.isdir('/proc/self/fd'), reason='descriptors are seen in /proc')
def test_c5_2_no_descriptor_is_left_open(folder: Path) -> None:
    os.mkfifo(folder / 'root' / 'fifo')
    names = ['/', '/page.txt', '/folder', '/in/page.txt', '/out', '/moving/', '/missing', '/fifo', '/in-page',
             '/page.txt/x', '/slash/etc/passwd', '/folder/', '/swapped']  # fmt: skip

    def below() -> list[str]:
        here = os.path.realpath(folder)
        return sorted(path for path in descriptors() if path.startswith(here))

    with serving(web_root=os.fspath(folder / 'root')) as site:
        with site.client() as client, in_motion(folder):
            for _ in range(100):
                for name in names:
                    client.get(name)
        wait_until(lambda: len(below()) <= 1, 'the closing of all but the root')
        os.rename(folder / 'root', folder / 'elsewhere')
        wait_until(lambda: site.get('/page.txt').status == 404, 'the end of the root')
        wait_until(lambda: not below(), 'the closing of a root that is gone')
    assert not below()


def test_a_root_is_let_go_of_by_a_change(folder: Path) -> None:
    with serving(web_root=os.fspath(folder / 'root')) as site:
        assert site.get('/page.txt').body == b'inside'
        site.http.config['web_root'] = os.fspath(folder / 'root2')
        assert site.get('/page.txt').status == 404
        root = os.path.realpath(folder / 'root')
        wait_until(lambda: root not in descriptors(), 'the closing of the root of before')


# follow_symlinks


@of(
    ('option', 'followed'),
    [({}, True), ({'follow_symlinks': 'inside'}, True), ({'follow_symlinks': True}, True),
     ({'follow_symlinks': 'never'}, False), ({'follow_symlinks': False}, False)],
)  # fmt: skip
def test_c5_2_links_are_followed_as_the_option_says(folder: Path, option, followed: bool) -> None:
    with serving(web_root=os.fspath(folder / 'root'), **option) as site:
        for target in ('/in/page.txt', '/in-page', '/in/'):
            response = site.get(target)
            assert response.status == (200 if followed else 404), target
        for target in (
            '/out',
            '/out-folder/secret.txt',
            '/out-absolute',
            '/chain',
            '/up/secret.txt',
        ):
            response = site.get(target)
            assert response.status == 404, target
            assert SECRET not in response.raw
        assert site.get('/page.txt').body == b'inside'


# What is no file


@of('option', [{}, {'follow_symlinks': 'never'}], ids=['inside', 'never'])
def test_c5_2_a_fifo_is_never_opened(folder: Path, option) -> None:
    """Who waits at the other end of a FIFO would be woken by an opening."""
    root = folder / 'root'
    os.mkfifo(root / 'fifo')
    os.symlink('fifo', root / 'to-fifo')
    os.symlink('../fifo', root / 'folder' / 'to-fifo')
    bound = unix_socket(root, 'socket')
    with contextlib.suppress(OSError):  # Only an administrator may make one.
        os.mknod(root / 'device', stat.S_IFCHR | 0o666, os.makedev(1, 5))
    for name, target in (('to-zero', '/dev/zero'), ('to-socket', 'socket')):
        os.symlink(target, root / name)
    waits, woken = threading.Event(), threading.Event()

    def write() -> None:
        waits.set()
        # It waits here until somebody opens the FIFO for reading.
        writer = os.open(root / 'fifo', os.O_WRONLY)
        woken.set()
        os.close(writer)

    writer = threading.Thread(target=write)
    with bound, serving(web_root=os.fspath(root), index=['fifo', 'index.html'], **option) as site:
        writer.start()
        try:
            waits.wait()
            with Client(site.address) as client:
                for _ in range(50):
                    for target in ('/fifo', '/to-fifo', '/folder/to-fifo', '/in/to-fifo', '/socket',
                                   '/to-socket', '/device', '/to-zero', '/fifo/', '/fifo/x'):  # fmt: skip
                        assert client.get(target).status == 404, target
                    assert client.get('/').body == b'inside', 'the next index answers'
            assert not woken.is_set()
        finally:
            # Let it go, whatever came out; it may have gone already.
            reader = os.open(root / 'fifo', os.O_RDONLY | os.O_NONBLOCK)
            writer.join()
            os.close(reader)


def test_c5_2_a_link_to_a_script_is_the_script(folder: Path) -> None:
    root = folder / 'root'
    tree(root, {'code.py': "def on_request(request): return 'run'", '__pycache__/code.pyc': SECRET})
    for name, target in (('code.txt', 'code.py'), ('compiled.txt', '__pycache__/code.pyc'), ('folder/cache', '../__pycache__'),
                         ('chain.txt', 'code.txt')):  # fmt: skip
        os.symlink(target, root / name)
    with serving(web_root=os.fspath(root)) as site:
        assert site.get('/code.txt').body == b'run'
        assert site.get('/chain.txt').body == b'run'
        for target in ('/compiled.txt', '/folder/cache/code.pyc', '/out-script.py'):
            response = site.get(target)
            assert (response.status, SECRET in response.raw) == (404, False), target
    with serving(web_root=os.fspath(root), scripts=False) as site:
        for target in ('/code.py', '/code.txt', '/chain.txt'):
            response = site.get(target)
            assert response.status == 404, target
            assert b'on_request' not in response.raw
