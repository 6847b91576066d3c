"""The server as a part of a program: many lives in one process, in threads, in loops, in forks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from support import Client, Program, get, in_threads, lenient_tls, resident_memory, wait_until
from support.programs import check


@contextlib.contextmanager
def opened(mode: int = slimHTTP.HTTP, **config: Any) -> Iterator[slimHTTP.HTTP_SERVER]:
    """Serve in the background: `/sync`, `/async` and `/stream`."""
    http = slimHTTP.server(mode, addr='127.0.0.1', port=0, **config)

    @http.route('/sync')
    def sync(request: Any) -> str:
        return 'sync'

    @http.route('/stream')
    def stream(request: Any) -> Iterator[bytes]:
        yield b'str'
        yield b'eam'

    @http.route('/async')
    async def asynchronous(request: Any) -> str:
        await asyncio.sleep(0)
        return 'async'

    with http:
        yield http


def asked(http: slimHTTP.HTTP_SERVER, name: str) -> str:
    return get(('127.0.0.1', http.port), f'/{name}').text


def descriptors() -> int:
    return len(os.listdir('/proc/self/fd'))


def tasks() -> list[str]:
    """The names of this process's threads, ours and Python's."""
    names = []
    for task in Path('/proc/self/task').iterdir():
        with contextlib.suppress(OSError):  # It has just ended.
            names.append((task / 'comm').read_text().strip())
    return sorted(names)


def live(number: int) -> None:
    """One life of a server: started, asked, ended; of several kinds in turn."""
    config: dict[str, Any] = {
        'io_threads': 1 + number % 2,
        'python_threads': 1 + number % 3,
        'quiet': True,
    }
    if number % 11 == 0:
        with (
            opened(slimHTTP.HTTPS, **config) as https,
            Client(('127.0.0.1', https.port), tls=lenient_tls()) as client,
        ):
            assert client.get('/async').text == 'async'
        return
    with opened(**config) as http:
        assert asked(http, 'sync') == 'sync'
        if number % 5 == 0:
            assert asked(http, 'async') == 'async'
        if number % 7 == 0:
            assert asked(http, 'stream') == 'stream'
    assert http.closed


def settled(value: Any, expected: Any, what: str) -> None:
    """Wait for what the threads that have just been told to end leave behind."""
    wait_until(lambda: value() == expected, f'{what}: {expected}')


def test_c1_5_500_lives_leave_nothing_behind() -> None:
    for number in range(60):
        live(number)
    gc.collect()
    settled(lambda: [name for name in tasks() if 'slim' in name.lower()], [], 'threads of ours')
    before = descriptors(), len(tasks()), threading.active_count()
    memory = resident_memory()
    for number in range(500):
        live(number)
    gc.collect()
    # No more than before: what other tests had left may have gone meanwhile.
    wait_until(
        lambda: (
            descriptors() <= before[0]
            and len(tasks()) <= before[1]
            and threading.active_count() <= before[2]
        ),
        f'the counts: {before}',
    )
    assert resident_memory() - memory < 8 * 1024 * 1024
    assert not slimHTTP.instances


def test_c1_5_a_server_that_was_never_started_leaves_nothing_behind() -> None:
    def once() -> None:
        http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
        http.route('/')(lambda request: http.port)  # It refers to itself.
        http.close()

    once()
    gc.collect()
    before = descriptors(), len(tasks())
    for _ in range(50):
        once()
    gc.collect()
    settled(lambda: (descriptors(), len(tasks())), before, 'the counts')


def test_c1_5_many_instances_side_by_side() -> None:
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(opened(io_threads=1)) for _ in range(20)]
        for name in ('sync', 'async', 'stream'):
            assert {asked(http, name) for http in all_of_them} == {name}
        loops = [thread for thread in threading.enumerate() if 'event loop' in thread.name]
        assert len(loops) == 1, 'all of them share one event loop'
    assert all(http.closed for http in all_of_them)


def test_c1_5_in_any_thread() -> None:
    names = ['sync', 'async', 'stream']

    def program(_number: int) -> list[str]:
        with opened() as http:
            return [asked(http, name) for name in names]

    assert in_threads(4, program) == [names] * 4


def test_c1_5_inside_a_running_loop() -> None:
    async def main() -> list[str]:
        with opened() as http:
            loop = asyncio.get_running_loop()

            @http.route('/bridge')
            def bridge(request: Any) -> str:
                coroutine = asyncio.sleep(0, 'from the loop of the program')
                return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

            names = ('sync', 'async', 'stream', 'bridge')
            return [await loop.run_in_executor(None, asked, http, name) for name in names]

    for _ in range(3):
        assert asyncio.run(main())[-1] == 'from the loop of the program'


@pytest.fixture
def http() -> Iterator[slimHTTP.HTTP_SERVER]:
    with opened() as http:
        yield http


@pytest.mark.parametrize('name', ['sync', 'async', 'stream'])
def test_c1_5_as_a_fixture(name: str, http: slimHTTP.HTTP_SERVER) -> None:
    assert asked(http, name) == name


ENDS = {
    'a program that just ends': """
http = opened()
http.__enter__()
print(ask(http), ask(http, '/async'))
""",
    'in a daemon thread': """
http = opened()
threading.Thread(target=http.run, daemon=True).start()
print(ask(http), ask(http, '/async'))
""",
    'while clients ask': """
http = opened(python_threads=3)
http.__enter__()
answered = threading.Semaphore(0)
def hammer():
    while True:
        try:
            ask(http)
        except Exception:
            return
        answered.release()
for _ in range(4):
    threading.Thread(target=hammer, daemon=True).start()
for _ in range(20):
    assert answered.acquire(timeout=20)
print(ask(http), ask(http, '/async'))
""",
    'with servers that nobody started, and one that is in a cycle': """
http = opened()
http.__enter__()
others = [opened() for _ in range(3)]
others[0].itself = others
print(ask(http), ask(http, '/async'))
del others
gc.collect()
""",
}


def test_c1_5_a_program_that_ends_in_a_block_waits_for_no_loop() -> None:
    source = """
import atexit, time, urllib.request
# What is registered first is called last: after the package has ended its threads.
atexit.register(lambda: print(time.monotonic() - ended < 1))
import slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
@http.route('/')
async def hello(request):
    return 'hello'
http.__enter__()
with urllib.request.urlopen(f'http://127.0.0.1:{http.port}/', timeout=20) as answer:
    assert answer.read() == b'hello'
ended = time.monotonic()
"""
    with Program(source) as program:
        assert (program.wait(), program.stdout) == (0, 'True\n'), program.stderr


@pytest.mark.parametrize('what', ENDS)
def test_c1_5_the_interpreter_ends_while_servers_serve(what: str) -> None:
    check(ENDS[what], 'hello hello\n')


FORKS = {
    'a child that ends at once': """
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    'a child that ends as programs do': """
child = os.fork()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    'a child that closes what it has got': """
child = os.fork()
if child == 0:
    http.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    'a child with a server of its own': """
child = os.fork()
if child == 0:
    with opened() as own:
        assert (ask(own), ask(own, '/async')) == ('hello', 'hello')
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    'a process of multiprocessing, forked': """
process = multiprocessing.get_context('fork').Process(target=print, args=('',), kwargs={'end': ''})
process.start()
process.join(20)
assert process.exitcode == 0
""",
    'a pool of multiprocessing, spawned': """
with multiprocessing.get_context('spawn').Pool(1) as pool:
    assert pool.apply(abs, (-3,)) == 3
""",
    'a handler that starts a program': """
import subprocess
@http.route('/program')
def program(request):
    return subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True).stdout
assert ask(http, '/program') == '5\\\\n'
""",
}


@pytest.mark.parametrize('how', FORKS)
def test_c1_5_a_fork_leaves_the_parent_serving(how: str) -> None:
    program = f"""
if __name__ == '__main__':
    http = opened()
    http.__enter__()
    ask(http, '/async')
    exec('''{FORKS[how]}''')
    print(ask(http), ask(http, '/async'))
"""
    check(program, 'hello hello\n')


@pytest.mark.parametrize(
    'ends', ['http.close()', 'http.stop()', "http.config['listen'] = []", 'sys.exit(0)']
)
def test_c10_1_a_fork_leaves_the_sockets_of_the_parent(ends: str) -> None:
    # With several threads that wait for work, whose locks nobody releases in the child.
    program = f"""
import socket, tempfile
folder = tempfile.mkdtemp()
with slimHTTP.server(
    slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, web_root=folder, python_threads=4,
    listen=['unix:' + folder + '/s'],
) as http:
    child = os.fork()
    if child == 0:
        {ends}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(folder + '/s')
        client.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        print(client.recv(12).decode())
# Nothing else is left of it.
os.rmdir(folder)
"""
    check(program, 'HTTP/1.1 404\n')


def served_in_a_process(pipe: Any) -> None:
    with opened() as http:
        pipe.send(http.port)
        pipe.recv()


def test_c1_5_a_server_in_a_spawned_process() -> None:
    ours, theirs = multiprocessing.get_context('spawn').Pipe()
    process = multiprocessing.get_context('spawn').Process(
        target=served_in_a_process, args=(theirs,)
    )
    process.start()
    try:
        assert ours.poll(30), 'it has not started'
        assert get(('127.0.0.1', ours.recv()), '/async').text == 'async'
        ours.send('end')
        process.join(30)
        assert process.exitcode == 0
    finally:
        process.kill()


def test_a_subinterpreter_is_told_that_it_cannot() -> None:
    program = """
try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None
if interpreters is None:
    print('told')
else:
    one = interpreters.create()
    said = ''
    try:
        failed = interpreters.run_string(one, 'import slimHTTP')
        said = str(getattr(failed, 'formatted', failed))
    except Exception as error:
        said = str(error)
    ours = 'slimHTTP works in one interpreter of a process'
    theirs = 'does not support loading in subinterpreters'  # One with a lock of its own.
    print('told' if ours in said or theirs in said else said)
    interpreters.destroy(one)
with opened() as http:
    assert ask(http) == 'hello'
"""
    check(program, 'told\n')


def test_c1_5_a_port_is_free_again_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    for _ in range(20):
        with slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=port, quiet=True) as http:
            http.route('/')(lambda request: 'here')
            assert get(('127.0.0.1', port), '/').text == 'here'
