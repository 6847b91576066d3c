"""C1.5: how a server serves, drains and ends."""

from __future__ import annotations

import signal
import threading

import pytest
import slimHTTP
from support import Client, Program, get, in_threads, is_refused, serving, wait_until

IN_FLIGHT = """
import asyncio, os, slimHTTP, sys, time
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, web_root='.', grace_period=30)

@http.route('/sync')
def slow(request):
    print('STARTED')
    while not os.path.exists('go'):
        time.sleep(0.01)
    return 'finished'

@http.route('/async')
async def slow_too(request):
    print('STARTED')
    while not os.path.exists('go'):
        await asyncio.sleep(0.01)
    return 'finished'

@http.route('/stream')
def stream(request):
    print('STARTED')
    yield 'fini'
    while not os.path.exists('go'):
        time.sleep(0.01)
    yield 'shed'

http.run()
print('RETURNED')
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['Ctrl-C', 'SIGTERM'])
@pytest.mark.parametrize('path', ['/sync', '/async', '/stream'])
def test_c1_5_a_signal_drains_then_run_returns(in_folder, number, path):
    folder = in_folder()
    with Program(IN_FLIGHT, cwd=folder) as program:
        with program.client(timeout=30) as client, program.client(timeout=30) as idle:
            assert idle.get('/none').status == 404
            client.send('GET', path)
            program.wait_for('STARTED', 'stdout')
            program.send_signal(number)
            wait_until(lambda: is_refused(program.address), 'the end of listening')
            assert program.running
            assert 'RETURNED' not in program.stdout
            idle.expect_close()  # It holds nothing up.
            (folder / 'go').touch()
            response = client.read_response()
            assert (response.status, response.body) == (200, b'finished')
            client.expect_close()
        assert program.wait() == 0
        assert program.stdout.count('RETURNED') == 1
        assert 'Traceback' not in program.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['Ctrl-C', 'SIGTERM'])
def test_c1_5_a_signal_ends_an_idle_server(in_folder, number):
    with Program(
        "import slimHTTP\nhttp = slimHTTP.server(1, addr='127.0.0.1', port=0)\nhttp.run()\n"
        "print('RETURNED', http.port not in slimHTTP.instances)",
        cwd=in_folder(),
    ) as program:
        with program.client() as client:
            assert client.get('/').status == 404
            assert program.stop(number) == 0
            client.expect_close()
        assert program.stdout == 'RETURNED True\n'
        assert 'Traceback' not in program.stderr


GRACE = """
import asyncio, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, grace_period=0.3)

@http.route('/never')
async def never(request):
    print('STARTED')
    await asyncio.sleep(3600)

http.run()
print('RETURNED')
"""


def test_c1_5_the_drain_is_bounded_by_the_grace_period(in_folder):
    with Program(GRACE, cwd=in_folder()) as program:
        with program.client() as client:
            client.send('GET', '/never')
            program.wait_for('STARTED', 'stdout')
            assert program.stop(signal.SIGTERM) == 0
            assert b'200' not in client.expect_close()[:15]
        assert 'RETURNED' in program.stdout


def test_c1_5_the_cli_drains_too(site):
    s = site({'web_root': 'www'}, {'www/index.html': 'hello'}, fresh=True)
    with s.client() as client:
        assert client.get('/').status == 200
        assert s.stop(signal.SIGTERM) == 0
        client.expect_close()


def test_c1_5_poll_does_one_turn_of_work():
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    try:
        callers = []

        @http.route('/')
        def handler(request):
            callers.append(threading.current_thread())
            return 'polled'

        list(http.poll(timeout=0))
        with Client(('127.0.0.1', http.port)) as client:
            client.send('GET', '/')
            wait_until(lambda: list(http.poll(timeout=0.1)) and callers, 'the call')
            assert client.read_response().body == b'polled'
        assert callers == [threading.current_thread()]
    finally:
        http.close()


def test_c1_5_a_with_block_serves_until_it_ends():
    with serving() as s:
        s.http.route('/')(lambda _: threading.current_thread().name)
        assert s.get('/').text != threading.current_thread().name
    assert is_refused(s.address)
    assert s.http not in slimHTTP.instances.values()


def test_c1_5_a_with_block_ends_by_an_exception_too():
    with pytest.raises(ZeroDivisionError), serving() as s:
        raise ZeroDivisionError
    assert is_refused(s.address)


def test_c1_5_a_with_block_lets_requests_in_flight_finish():
    started, go = threading.Event(), threading.Event()
    with Client(('127.0.0.1', 0)) as client:
        with serving() as s:

            @s.http.route('/')
            def handler(request):
                started.set()
                go.wait(30)
                return 'finished'

            client.address = s.address
            client.send('GET', '/')
            assert started.wait(10)
            threading.Timer(0.2, go.set).start()
        assert client.read_response().body == b'finished'


@pytest.mark.parametrize('serves', [False, True], ids=['bound', 'serving'])
def test_c1_5_close_is_safe_twice_and_from_any_thread(serves):
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    if serves:
        http.__enter__()
        assert get(('127.0.0.1', http.port)).status == 404
    in_threads(8, lambda _number: http.close())
    http.close()
    assert is_refused(('127.0.0.1', http.port))


def test_c1_5_close_from_another_thread_ends_run():
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    runner = threading.Thread(target=http.run)
    runner.start()
    try:
        assert get(('127.0.0.1', http.port)).status == 404
    finally:
        http.close()
        runner.join(10)
    assert not runner.is_alive()


def test_c1_5_close_from_a_handler_ends_the_server(in_folder):
    source = """
import slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
http.route('/quit')(lambda request: http.close())
http.run()
print('RETURNED')
"""
    with Program(source, cwd=in_folder()) as program:
        with program.client() as client:
            client.send('GET', '/quit')
            assert program.wait() == 0
        assert program.stdout == 'RETURNED\n'


def test_a_program_that_forgets_to_run_is_told() -> None:
    source = "import slimHTTP\nslimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)\n"
    with Program(source) as program:
        assert program.wait() == 0
        assert 'never served: the program ended without `run()`' in program.stderr
