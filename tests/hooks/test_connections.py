"""C9: `on_accept`, `on_close`, identities, and what a bad hook may do."""

from __future__ import annotations

import contextlib
import gc
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import (
    PATIENCE,
    Closed,
    Log,
    Program,
    Serving,
    at_once,
    get,
    in_background,
    serving,
    tree,
    trusting_tls,
    wait_until,
)

of = pytest.mark.parametrize


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    tree(tmp_path, {'file.txt': 'file'})
    with serving(web_root=str(tmp_path)) as site:
        site.http.route('/who')(lambda request: f'{type(request.CLIENT_IDENTITY).__name__}')
        yield site


def refused(site: Serving, target: str = '/file.txt') -> bool:
    with site.client() as client:
        try:
            client.get(target)
        except (Closed, ConnectionError):
            return True
    return False


def test_c9_on_accept_sees_each_connection_once_before_its_requests(site: Serving) -> None:
    seen: list[Any] = []

    @site.http.on_accept
    def accept(socket: Any, ip: str, source_port: int) -> None:
        seen.append((socket.getpeername(), ip, source_port, socket.fileno() > 2))
        assert socket.getsockname() == ('127.0.0.1', site.http.port)

    for _ in range(2):
        with site.client() as client:
            for _ in range(3):
                assert client.get('/file.txt').text == 'file'
            port = client.socket.getsockname()[1]
            assert seen[-1] == (('127.0.0.1', port), '127.0.0.1', port, True)
    assert len(seen) == 2


class Mine:
    def __init__(self, ip: str, port: int) -> None:
        self.address, self.source_port = ip, port


@of(
    ('verdict', 'identity'),
    [
        (lambda socket, ip, port: None, 'HTTP_CLIENT_IDENTITY'),
        (lambda socket, ip, port: True, 'HTTP_CLIENT_IDENTITY'),
        (lambda socket, ip, port: Mine(ip, port), 'Mine'),
        (lambda socket, ip, port: False, None),
        (lambda socket, ip, port: socket.close(), None),
        (lambda socket, ip, port: 1 / 0, None),
        (lambda socket, ip, port: sys.exit(3), None),
        (lambda socket: None, None),
    ],
)
def test_c9_what_on_accept_says(site: Serving, verdict: Any, identity: Any) -> None:
    site.http.on_accept(verdict)
    if identity is None:
        with Log():
            assert refused(site)
    else:
        assert site.get('/who').text == identity
    site.http.on_accept_func = None
    assert site.get('/who').text == 'HTTP_CLIENT_IDENTITY'


def test_c9_a_hook_that_raises_is_in_the_log(site: Serving) -> None:
    def bad(*arguments: Any) -> None:
        raise RuntimeError('on purpose')

    site.http.on_accept(bad)
    with Log() as log:
        assert refused(site)
        log.wait_for(r'on_accept of 127.0.0.1:\d+.*RuntimeError: on purpose')
    site.http.on_accept_func = None
    site.http.on_close(bad)
    with Log() as log:
        assert site.get('/file.txt').text == 'file'
        log.wait_for(r'on_close of 127.0.0.1:\d+.*RuntimeError: on purpose')
    assert site.get('/file.txt').text == 'file'


def test_c9_one_identity_for_all_requests_of_a_connection(site: Serving) -> None:
    identities: list[Any] = []

    @site.http.route('/n')
    def count(request: Any) -> str:
        identity = request.CLIENT_IDENTITY
        identities.append(identity)
        identity.count = getattr(identity, 'count', 0) + 1
        assert identity.request is request
        assert identity.server is site.http
        assert identity.socket.fileno() == identity.fileno
        assert site.http.sockets[identity.fileno] is identity
        return str(identity.count)

    site.http.on_accept(lambda socket, ip, port: None)
    with site.client() as one, site.client() as other:
        assert [one.get('/n').text for _ in range(3)] == ['1', '2', '3']
        assert other.get('/n').text == '1'
        assert len({id(identity) for identity in identities}) == 2
    wait_until(lambda: site.http.sockets == {}, 'the end of both')


def test_c9_without_hooks_identities_cost_nothing_and_say_so(site: Serving) -> None:
    import slimHTTP

    told: list[Any] = []

    @site.http.route('/i')
    def look(request: Any) -> None:
        identity = request.CLIENT_IDENTITY
        told.append(
            (
                identity.fileno,
                identity.socket,
                identity.buffer,
                identity.has_data(),
                list(identity.poll()),
            )
        )
        with pytest.raises(slimHTTP.slimHTTP_Error, match='speaks HTTP'):
            identity.send(b'x')

    assert site.get('/i').status == 404
    assert told == [(-1, None, b'', False, [])]
    assert site.http.sockets == {}


@of('hooked', [False, True])
@of('asked', ['close', 'keep_alive'])
def test_c9_close_of_an_identity_ends_its_connection_after_the_answer(
    site: Serving, hooked: bool, asked: str
) -> None:
    if hooked:
        site.http.on_accept(lambda socket, ip, port: None)

    @site.http.route('/last')
    def last(request: Any) -> str:
        if asked == 'close':
            request.CLIENT_IDENTITY.close()
            assert request.CLIENT_IDENTITY.closing
        else:
            request.CLIENT_IDENTITY.keep_alive = False
        assert not request.CLIENT_IDENTITY.keep_alive
        return 'last'

    with site.client() as client:
        assert client.get('/file.txt').text == 'file'
        response = client.get('/last')
        assert (response.text, response.closes) == ('last', True)
    # From elsewhere, while it rests.
    kept: list[Any] = []
    site.http.route('/keep')(lambda request: kept.append(request.CLIENT_IDENTITY) or 'kept')
    with site.client() as client:
        assert client.get('/keep').text == 'kept'
        kept[0].close()
        assert client.read_rest() == b''
    kept[0].close()


def test_c9_send_outside_of_an_upgrade_is_refused_with_the_way_out(site: Serving) -> None:
    import slimHTTP

    sent: list[Any] = []

    @site.http.on_accept
    def accept(socket: Any, ip: str, port: int) -> None:
        with pytest.raises(slimHTTP.slimHTTP_Error, match='return the answer from the handler'):
            socket.send(b'HTTP/1.1 200 OK\r\n\r\n')
        with pytest.raises(BlockingIOError):
            socket.recv(1)
        with pytest.raises(TypeError, match='expected bytes'):
            socket.send('text')
        with pytest.raises(AttributeError, match='the socket itself is the server'):
            socket.makefile('rb')
        sent.append(1)

    assert site.get('/file.txt').text == 'file'
    assert sent == [1]


def test_c9_on_close_gets_the_identity_once(site: Serving) -> None:
    closed: list[Any] = []
    seen: list[Any] = []
    site.http.on_close(closed.append)
    site.http.route('/i')(lambda request: seen.append(request.CLIENT_IDENTITY) or 'i')
    assert site.get('/i').text == 'i'
    wait_until(lambda: closed == seen, 'on_close with the identity of the requests')
    assert (closed[0].closing, closed[0].address) == (True, '127.0.0.1')
    # One of which nobody asked has one too.
    with socket.create_connection(site.address, timeout=PATIENCE):
        pass
    wait_until(lambda: len(closed) == 2, 'on_close of a connection without requests')
    site.http.on_close_func = None
    assert site.get('/file.txt').text == 'file'
    assert len(closed) == 2


def test_c9_on_close_is_not_called_for_whom_on_accept_turned_away(site: Serving) -> None:
    closed: list[Any] = []
    site.http.on_accept(lambda socket, ip, port: False)
    site.http.on_close(closed.append)
    assert refused(site)
    site.http.on_accept(lambda socket, ip, port: None)
    assert site.get('/file.txt').text == 'file'
    wait_until(lambda: len(closed) == 1, 'on_close of the served one')


def test_c9_an_identity_of_the_program_s_own_hears_of_its_end(site: Serving) -> None:
    import slimHTTP

    ended: list[Any] = []

    class Derived(slimHTTP.HTTP_CLIENT_IDENTITY):
        def on_close(self) -> None:  # type: ignore[override]
            ended.append(self)

    def built_in(socket: Any, ip: str, port: int) -> Any:
        identity = slimHTTP.HTTP_CLIENT_IDENTITY(site.http, socket, (ip, port))
        identity.on_close = ended.append
        return identity

    for accept, name in (
        (lambda socket, ip, port: Derived(site.http, socket), 'Derived'),
        (built_in, 'HTTP_CLIENT_IDENTITY'),
    ):
        site.http.on_accept(accept)
        assert site.get('/who').text == name
    wait_until(lambda: len(ended) == 2, 'both ends')
    assert [identity.address for identity in ended] == ['127.0.0.1'] * 2


def test_c9_identities_go_with_their_connections(site: Serving) -> None:
    import weakref

    alive: Any = weakref.WeakSet()

    def accept(socket: Any, ip: str, port: int) -> Any:
        identity = Mine(ip, port)
        alive.add(identity)
        return identity

    site.http.on_accept(accept)
    for _ in range(50):
        assert site.get('/who').text == 'Mine'

    def gone() -> bool:
        gc.collect()
        return not alive

    wait_until(gone, 'the end of all identities')


def test_c9_hooks_over_tls_and_http2(tmp_path: Path) -> None:
    httpx = pytest.importorskip('httpx')
    import slimHTTP

    seen: list[Any] = []
    closed: list[Any] = []
    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, quiet=True) as http:
        http.on_accept(lambda socket, ip, port: seen.append(port))
        http.on_close(closed.append)
        http.route('/')(lambda request: str(id(request.CLIENT_IDENTITY)))
        with httpx.Client(http2=True, verify=False, trust_env=False) as client:
            answers = [client.get(f'https://127.0.0.1:{http.port}/') for _ in range(3)]
        assert {answer.http_version for answer in answers} == {'HTTP/2'}
        assert len({answer.text for answer in answers}) == 1
        assert len(seen) == 1
        wait_until(lambda: len(closed) == 1, 'on_close')
    assert trusting_tls() is not None


# Attacks


def test_c9_a_hook_that_blocks_holds_up_its_own_connections_only(site: Serving) -> None:
    """Files go on on connections that were accepted, and the watchdog names the hook."""
    with site.client() as kept:
        assert kept.get('/file.txt').text == 'file'
        entered, go_on = threading.Event(), threading.Event()

        @site.http.on_accept
        def accept(socket: Any, ip: str, port: int) -> None:
            entered.set()
            go_on.wait(PATIENCE)

        told = re.compile(r'on_accept of 127.0.0.1:\d+')
        with (
            serving() as beside,
            Log() as log,
            in_background(lambda: site.get('/file.txt').text) as first,
        ):
            assert entered.wait(PATIENCE)
            with in_background(lambda: site.get('/file.txt').text) as second:
                assert [kept.get('/file.txt').text for _ in range(20)] == ['file'] * 20
                # Whoever runs Python next hands the records over.
                beside.http.route('/')(lambda request: 'x')
                wait_until(lambda: beside.get('/').text == 'x' and told.search(log.text))
                go_on.set()
                assert (first(), second()) == ('file', 'file')


def test_c9_a_verdict_that_comes_too_late_is_none() -> None:
    with serving(header_timeout=0.3) as site:
        go_on = threading.Event()
        site.http.on_accept(lambda socket, ip, port: go_on.wait(PATIENCE))
        with Log() as log:
            assert refused(site, '/')
            go_on.set()
            log.wait_for('`on_accept` gave no verdict within `header_timeout`')
        assert site.get('/').status == 404


def test_c9_a_client_that_leaves_during_on_accept(site: Serving) -> None:
    entered, go_on = threading.Event(), threading.Event()
    closed: list[Any] = []

    @site.http.on_accept
    def accept(socket: Any, ip: str, port: int) -> Any:
        entered.set()
        go_on.wait(PATIENCE)
        return Mine(ip, port)

    site.http.on_close(closed.append)
    with socket.create_connection(site.address, timeout=PATIENCE) as client:
        assert entered.wait(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
    go_on.set()
    wait_until(lambda: len(closed) == 1, 'on_close')
    assert isinstance(closed[0], Mine)
    assert site.get('/file.txt').text == 'file'


def test_c9_a_thousand_connections_at_once(site: Serving) -> None:
    accepted: list[int] = []
    closed: list[Any] = []
    site.http.on_accept(lambda socket, ip, port: accepted.append(port))
    site.http.on_close(closed.append)
    with contextlib.ExitStack() as open_ones:
        clients = []
        for _ in range(1000):
            client = socket.create_connection(site.address, timeout=4 * PATIENCE)
            open_ones.enter_context(client)
            clients.append(client)
        for client in clients:
            client.sendall(b'GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n')
        for client in clients:
            assert client.recv(4096).endswith(b'file')
        assert len(accepted) == 1000
        assert len(site.http.sockets) == 1000
    wait_until(lambda: len(closed) == 1000, 'on_close of each')
    assert site.http.sockets == {}


def test_c9_hooks_registered_and_taken_away_under_load(site: Serving) -> None:
    stop = threading.Event()

    def load() -> int:
        count = 0
        while not stop.is_set():
            with site.client() as client:
                for _ in range(3):
                    assert client.get('/file.txt').text == 'file'
                assert client.get('/who').text == 'HTTP_CLIENT_IDENTITY'
            count += 1
        return count

    def change() -> None:
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            site.http.on_accept(lambda socket, ip, port: None)
            site.http.on_close(lambda identity: None)
            site.http.on_close_func = None
            site.http.on_accept_func = None
        stop.set()

    *counts, _ = at_once([load] * 4 + [change])
    assert all(counts)
    wait_until(lambda: site.http.sockets == {}, 'no identity stays')


BLOCKED = """
import slimHTTP, time

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, web_root='root', grace_period=0.2)

@http.on_accept
def accept(socket, ip, source_port):
    print('accepting', flush=True)
    time.sleep(60)

http.run()
"""


def test_c9_a_program_ends_while_a_hook_blocks(tmp_path: Path) -> None:
    tree(tmp_path, {'root': {'file.txt': 'file'}})
    with Program(BLOCKED, cwd=tmp_path) as program:
        with socket.create_connection(program.address, timeout=PATIENCE):
            program.wait_for('accepting', 'stdout')
            assert program.stop() == 0


def test_c9_keyboard_interrupt_in_a_hook_ends_the_program(tmp_path: Path) -> None:
    source = BLOCKED.replace('time.sleep(60)', 'raise KeyboardInterrupt').replace(
        'http.run()', 'http.run()\n'
    )
    tree(tmp_path, {'root': {}})
    with Program(source, cwd=tmp_path) as program:
        with contextlib.suppress(OSError, Closed):
            get(program.address, '/')
        program.wait()


ENDING = """
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
http.on_close(lambda identity: print('closed', identity.source_port, flush=True))
http.run()
"""


def test_c9_on_close_hears_of_the_connections_that_a_stop_ends() -> None:
    with Program(ENDING) as program:
        clients = [program.client() for _ in range(50)]
        for client in clients:
            assert client.get('/').status == 404
        ports = {client.socket.getsockname()[1] for client in clients}
        assert program.stop() == 0
        program.wait_for('closed', 'stdout', count=50)
        assert {int(line.split()[1]) for line in program.stdout.splitlines()} == ports


def test_c9_the_identity_of_a_connection_that_has_ended_is_not_kept(site: Serving) -> None:
    kept: list[Any] = []
    ended = threading.Event()
    site.http.on_accept(lambda socket, ip, source_port: None)
    site.http.on_close(lambda identity: ended.set())

    @site.http.route('/keep')
    def keep(request: Any) -> str:
        kept.append(request)
        return 'kept'

    with site.client() as client:
        assert client.get('/keep').text == 'kept'
    assert ended.wait(PATIENCE)
    assert kept[0].CLIENT_IDENTITY.address == '127.0.0.1'
    assert not site.http._connections._by_number
