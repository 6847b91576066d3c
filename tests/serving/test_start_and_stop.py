"""A server's life as Python sees it: bound, started, stopped, closed."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from slimHTTP._serve._lifecycle import call_with_instance


def open_server(**config: Any) -> slimHTTP.HTTP_SERVER:
    return slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, **config)


def test_c1_4_instances_by_configured_and_actual_port() -> None:
    http = open_server()
    keys = ('127.0.0.1:0', f'127.0.0.1:{http.port}')
    for key in keys:
        assert slimHTTP.instances[key] is http
    other = open_server()
    http.close()
    http.close()
    assert slimHTTP.instances[keys[0]] is other
    assert keys[1] not in slimHTTP.instances
    other.close()
    assert keys[0] not in slimHTTP.instances


def test_c1_1_modes_and_legacy_positions() -> None:
    http = slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0)
    assert type(http) is slimHTTP.HTTP_SERVER
    assert http.default_config()['port'] == 80
    http.close()
    with pytest.raises(ValueError, match='found `3`'):
        slimHTTP.server(3)


@pytest.mark.parametrize(
    ('given', 'kind', 'message'),
    [
        ({'port': -1}, ValueError, 'port: expected a number from 0 to 65535, found `-1`'),
        ({'port': 65536}, ValueError, 'port: expected a number from 0 to 65535, found `65536`'),
        ({'port': '8080'}, TypeError, "port: expected a number from 0 to 65535, found `'8080'`"),
        ({'port': 1.5}, TypeError, 'port: expected a number from 0 to 65535, found `1.5`'),
        ({'port': True}, TypeError, 'port: expected a number from 0 to 65535, found `True`'),
        ({'addr': None}, TypeError, 'addr: expected a name or an address such as .*found `None`'),
        ({'addr': b'::1'}, TypeError, "addr: expected a name or an address.*found `b'::1'`"),
        ({'addr': Path('x')}, TypeError, 'addr: expected a name or an address.*found `PosixPath'),
    ],
)
def test_c1_1_an_address_or_a_port_that_is_none_is_named(
    given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        slimHTTP.server(slimHTTP.HTTP, **{'addr': '127.0.0.1', 'port': 0, **given})


def test_c2_3_a_working_directory_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / 'gone'
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    http = open_server(web_root=str(tmp_path))
    http.config['index'] = 'x.html'
    http.close()


def test_c1_6_host_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match=r'slimHTTP\.server'):
        http = slimHTTP.host(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    assert isinstance(http, slimHTTP.HTTP_SERVER)
    http.close()


def test_c1_3_a_taken_port_is_named() -> None:
    http = open_server()
    with pytest.raises(slimHTTP.slimHTTP_Error, match=str(http.port)):
        slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=http.port)
    http.close()


def test_c1_5_a_with_block_serves_and_closes() -> None:
    before = threading.active_count()
    with open_server() as http:
        assert not http.closed
    assert http.closed
    assert threading.active_count() <= before + 1
    for use in (http.run, http.poll, http.__enter__):
        with pytest.raises(slimHTTP.slimHTTP_Error, match='closed'):
            use()


def test_c1_5_run_outside_of_the_main_thread_serves_until_close() -> None:
    http = open_server()
    thread = threading.Thread(target=http.run)
    thread.start()
    with socket.create_connection(('127.0.0.1', http.port), timeout=10) as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.recv(100).startswith(b'HTTP/1.1 ')
    assert thread.is_alive()
    http.close()
    thread.join(5)
    assert not thread.is_alive()


def test_c9_poll_works_in_a_task_beside_others() -> None:
    http = open_server()

    async def main() -> list[Any]:
        events: list[Any] = []
        for _ in range(5):
            for event, *data in http.poll():
                events.append((event, data))
            await asyncio.sleep(0)
        return events

    assert asyncio.run(main()) == []
    http.close()


def test_c9_log_by_name_and_number(caplog: pytest.LogCaptureFixture) -> None:
    http = open_server()
    with caplog.at_level(logging.DEBUG, logger='slimHTTP'):
        caplog.clear()
        http.log('a', 5, level='debug')
        http.log('b %s', level=logging.WARNING)
    mine = [record for record in caplog.records if record.pathname == __file__]
    assert [(record.levelname, record.getMessage()) for record in mine] == [
        ('DEBUG', 'a 5'),
        ('WARNING', 'b %s'),
    ]
    http.close()


@pytest.mark.parametrize('level', [None, 1.5, b'info', 'loud'])
def test_c9_a_level_that_is_none_is_named(level: Any) -> None:
    http = open_server()
    with pytest.raises(slimHTTP.LoggerError, match='expected a log level such as `info`, found'):
        http.log('x', level=level)
    http.close()


def test_a_callable_that_does_not_tell_its_parameters() -> None:
    instance: Any = object()

    class Silent:
        __signature__ = 'none'

        def __call__(self, *given: object) -> tuple[object, ...]:
            return given

    assert call_with_instance(Silent(), instance) == ()
    assert call_with_instance(lambda *given: given, instance) == (instance,)
    assert call_with_instance(lambda given, /: given, instance) is instance


PROGRAM = """
import signal, sys, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
before = signal.getsignal(signal.SIGINT)
try:
    http.run()
except KeyboardInterrupt:
    print('interrupted')
assert signal.getsignal(signal.SIGINT) is before
assert signal.set_wakeup_fd(-1) == -1
assert http.closed and not slimHTTP.instances
print('returned')
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_c1_5_a_signal_ends_run_at_once_and_cleanly(number: int) -> None:
    program = subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(PROGRAM)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    assert 'http' in program.stderr.readline()  # The greeting: it serves.
    began = time.monotonic()
    program.send_signal(number)
    output, errors = program.communicate(timeout=10)
    assert (output, program.returncode) == ('returned\n', 0), errors
    assert time.monotonic() - began < 2


def test_c1_5_a_turn_says_that_a_drain_is_over_while_a_handler_still_runs() -> None:
    http = open_server(grace_period=0.2, quiet=True)
    begun, go_on = threading.Event(), threading.Event()

    @http.route('/')
    def handler(request: Any) -> str:
        begun.set()
        go_on.wait(60)
        return 'late'

    serving = threading.Thread(target=http.run, daemon=True)
    serving.start()
    with socket.create_connection(('127.0.0.1', http.port)) as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
        assert begun.wait(10)
        http.stop()
        deadline = time.monotonic() + 10
        while http._server.turn(0.05):
            assert time.monotonic() < deadline, 'turns go on after the grace period'
    assert serving.is_alive(), 'the handler has not ended'
    go_on.set()
    serving.join(10)
    assert not serving.is_alive()
