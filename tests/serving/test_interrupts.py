"""Ctrl-C ends it, wherever the main thread is when it comes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support import Program, settles, wait_until
from support.programs import START, check

#: Where the main thread is when Ctrl-C comes, and how the program takes it.
INTERRUPTED = {
    'in run, while a handler blocks in C': """
http = opened(grace_period=0.1)
def interrupt():
    begin(http, '/block')
    send()
threading.Thread(target=interrupt, daemon=True).start()
http.run()
print('ended', http.closed)
""",
    'in run, while a handler of another thread blocks in C': """
http = opened(grace_period=0.1, python_threads=2)
def interrupt():
    begin(http, '/block')
    send()
threading.Thread(target=interrupt, daemon=True).start()
http.run()
print('ended', http.closed)
""",
    'in the loop of poll': """
http = opened()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while 1:
        for event, *data in http.poll():
            pass
except KeyboardInterrupt:
    http.close()
    print('ended', http.closed)
""",
    'in a long poll': """
http = opened()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while 1:
        http.poll(timeout=None)
except KeyboardInterrupt:
    http.close()
    print('ended', http.closed)
""",
    'in a handler that blocks in a poll': """
http = opened()
def interrupt():
    begin(http, '/sleep')
    send()
threading.Thread(target=interrupt, daemon=True).start()
try:
    while 1:
        http.poll()
except KeyboardInterrupt:
    http.close()
    print('ended', http.closed)
""",
    'in a block': """
try:
    with opened(grace_period=0.1) as http:
        begin(http, '/sleep')
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(60)
except KeyboardInterrupt:
    print('ended', http.closed)
""",
    'in asyncio, with a task that polls': """
http = opened()
async def serve():
    while 1:
        for event in http.poll():
            pass
        await asyncio.sleep(0.01)
async def main():
    asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
    await serve()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    http.close()
    print('ended', http.closed)
""",
    'in asyncio, in a block': """
async def main():
    with opened(grace_period=0.1) as http:
        try:
            assert await asyncio.get_running_loop().run_in_executor(None, ask, http) == 'hello'
            asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            servers.append(http)
servers = []
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print('ended', servers[0].closed)
""",
}


@pytest.mark.parametrize('where', INTERRUPTED)
def test_c8_7_an_interrupt_always_ends_it(where: str) -> None:
    check(INTERRUPTED[where], 'ended True\n')


@pytest.mark.parametrize('library', ['CDLL', 'PyDLL'])
def test_c8_7_the_third_interrupt_ends_what_heeds_none(library: str) -> None:
    """With and without the interpreter's lock held, in a call that goes on after a signal."""
    program = """
http = opened()

@http.route('/stuck')
def stuck(request):
    mutex = ctypes.create_string_buffer(256)
    lock = getattr(ctypes, sys.argv[1])(None).pthread_mutex_lock
    lock(mutex)
    print('stuck', flush=True)
    lock(mutex)

def ask_for_it():
    client = socket.create_connection(('127.0.0.1', http.port))
    client.sendall(b'GET /stuck HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    clients.append(client)

threading.Thread(target=ask_for_it, daemon=True).start()
http.run()
"""
    with Program(START + program, library) as stuck:
        stuck.wait_for('stuck', 'stdout')
        wait_until(lambda: is_asleep(stuck.pid), 'the call')
        for number in (1, 2):
            stuck.send_signal(signal.SIGINT)
            # The system merges what comes before the first one is received.
            wait_until(lambda: pending(stuck.pid) == 0, f'signal {number}')
            assert stuck.running
        stuck.send_signal(signal.SIGINT)
        assert stuck.wait(20) == -signal.SIGKILL
        assert 'heeds no signal: ended by the third' in stuck.stderr


def is_asleep(pid: int) -> bool:
    """Whether the main thread of a process has slept for a while, in a system call."""

    def state() -> tuple[str, str, str]:
        stat = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return stat[0], stat[11], stat[12]

    return settles(state, quiet=0.2)[0] == 'S'


def pending(pid: int) -> int:
    """The signals that were sent to a process and not received yet, as a bit mask."""
    status = Path(f'/proc/{pid}/status').read_text()
    return int(status.split('ShdPnd:')[1].split()[0], 16)
