"""C10.1: where an instance listens, and that it changes while it serves."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading

import pytest
import slimHTTP
from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    PATIENCE,
    Cli,
    Client,
    UnixClient,
    ended,
    get,
    is_refused,
    lenient_tls,
    serving,
    unix_socket,
    unused_port,
    wait_until,
)

#: How often listeners change under load; as many as that takes to find a client that is refused.
CHANGES = int(os.environ.get('SLIMHTTP_TEST_LISTENER_CHANGES', '30'))


def port_of(url: str) -> int:
    return int(url.rpartition(':')[2])


def listening(s, *listeners) -> None:
    s.http.config['listen'] = list(listeners)


@pytest.fixture
def short(tmp_path_factory, monkeypatch):
    """A working directory whose sockets have short names."""
    folder = tmp_path_factory.mktemp('s')
    monkeypatch.chdir(folder)
    (folder / 'www').mkdir()
    (folder / 'www' / 'index.html').write_text('here')
    return folder


# --- At start --------------------------------------------------------------


def test_c10_1_one_instance_listens_in_several_places(short):
    listen = ['https://127.0.0.1:0', 'http://[::1]:0', 'unix:site.sock']
    pair = {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)}
    with serving(web_root='www', listen=listen, **pair) as s:
        first, https, six, unix = s.http.urls
        assert first == f'http://127.0.0.1:{s.http.port}'
        assert https.startswith('https://127.0.0.1:')
        assert six.startswith('http://[::1]:')
        assert unix == f'unix:{short}/site.sock'
        assert s.get('/').body == b'here'
        assert get(('::1', port_of(six)), '/').body == b'here'
        with Client(('127.0.0.1', port_of(https)), tls=lenient_tls()) as client:
            assert client.get('/').body == b'here'
        with UnixClient(short / 'site.sock') as client:
            assert client.get('/').body == b'here'
            assert client.get('/').body == b'here'
            assert client.connections == 1
    assert not (short / 'site.sock').exists()
    assert is_refused(('127.0.0.1', port_of(https)))


def test_c10_1_without_an_address_the_first_entry_is_the_first_listener(short):
    port = unused_port()
    with slimHTTP.server(
        slimHTTP.HTTP,
        listen=[f'http://127.0.0.1:{port}', 'unix:a.sock'],
        quiet=True,
        web_root='www',
    ) as http:
        assert (http.address, http.port) == ('127.0.0.1', port)
        assert http.urls == [f'http://127.0.0.1:{port}', f'unix:{short}/a.sock']
        assert slimHTTP.instances[f'127.0.0.1:{port}'] is http
        assert get(('127.0.0.1', port), '/').body == b'here'


def test_c10_1_a_socket_in_the_file_system_may_be_all_that_there_is(short):
    with slimHTTP.server(listen=['unix:a.sock'], quiet=True, web_root='www') as http:
        assert (http.address, http.port) == (f'unix:{short}/a.sock', 0)
        assert slimHTTP.instances[f'unix:{short}/a.sock'] is http
        with UnixClient(short / 'a.sock') as client:
            assert client.get('/').body == b'here'


@pytest.mark.parametrize('wrong', ['nonsense', 80, ':80'])
def test_c10_1_a_first_entry_that_is_wrong_is_a_fault_of_the_configuration(wrong):
    with pytest.raises(slimHTTP.ConfError, match=r'listen\[0\]: expected `http://ADDR:PORT`'):
        slimHTTP.server(slimHTTP.HTTP, listen=[wrong])


def test_c10_1_a_file_says_the_same(short):
    (short / 'site.toml').write_text(
        'web_root = "www"\n'
        'listen = ["http://127.0.0.1:0", { address = "unix:b.sock", mode = "600" }]\n'
    )
    with Cli('run', 'site.toml', cwd=short) as program:
        assert program.get('/').body == b'here'
        with UnixClient(short / 'b.sock') as client:
            assert client.get('/').body == b'here'
        assert stat.S_IMODE((short / 'b.sock').stat().st_mode) == 0o600
        assert f'unix:{short}/b.sock' in program.stderr
        assert program.stop() == 0
    assert not (short / 'b.sock').exists()


def test_c10_1_a_port_that_is_taken_is_told_with_the_line_of_its_file(short):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        (short / 'site.toml').write_text(
            f'listen = ["http://127.0.0.1:0",\n  "http://127.0.0.1:{port}"]\n'
        )
        with Cli('run', 'site.toml', cwd=short) as program:
            assert program.wait() == 1
        assert (
            f'site.toml:2:3: listen[1]: expected what can be listened on, found '
            f'`http://127.0.0.1:{port}`: ' in program.stderr
        )


def test_c10_1_each_family_is_listened_on_where_it_is_named(short):
    port = unused_port()
    for address, four, six in [('0.0.0.0', True, False), ('[::]', False, True), ('', True, True)]:
        with slimHTTP.server(
            slimHTTP.HTTP, listen=[f'http://{address}:{port}'], quiet=True, web_root='www'
        ):
            assert is_refused(('127.0.0.1', port)) is not four
            assert is_refused(('::1', port)) is not six


# --- Sockets in the file system --------------------------------------------


def test_c10_1_a_socket_that_was_left_behind_is_replaced(short):
    unix_socket(short, 'a.sock').close()
    with serving(web_root='www', listen=['unix:a.sock']):
        with UnixClient(short / 'a.sock') as client:
            assert client.get('/').body == b'here'


def test_c10_1_a_socket_that_is_served_and_a_file_are_left_alone(short):
    (short / 'notes').write_text('mine')
    with serving(web_root='www', listen=['unix:a.sock']) as s:
        for path, reason in [('a.sock', 'a server answers there'), ('notes', 'is no socket')]:
            with pytest.raises(slimHTTP.ConfError, match=reason), serving(listen=[f'unix:{path}']):
                pass
        with UnixClient(short / 'a.sock') as client:
            assert client.get('/').body == b'here'
        # It is the same instance's own: nothing is to be done.
        listening(s, 'unix:a.sock')
    assert (short / 'notes').read_text() == 'mine'


def test_c10_1_permissions_change_without_a_new_socket(short):
    with serving(web_root='www', listen=['unix:a.sock']) as s, UnixClient(short / 'a.sock') as kept:
        assert kept.get('/').body == b'here'
        before = (short / 'a.sock').stat()
        assert stat.S_IMODE(before.st_mode) == 0o660
        listening(s, {'address': 'unix:a.sock', 'mode': '640'})
        after = (short / 'a.sock').stat()
        assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o640)
        assert kept.get('/').body == b'here'
        assert kept.connections == 1


def test_c10_1_a_client_of_a_socket_counts_as_one_of_this_machine(short):
    with serving(web_root='www', listen=['unix:a.sock'], trusted_proxies='127.0.0.1') as s:

        @s.http.route('/who')
        def who(request):
            client = request.CLIENT_IDENTITY
            return f'{client.address} {client.source_port} {request.remote}'

        with UnixClient(short / 'a.sock') as client:
            assert client.get('/who').body == b'127.0.0.1 0 127.0.0.1'
            assert client.get('/who', X_Forwarded_For='192.0.2.1').body == b'127.0.0.1 0 192.0.2.1'
        s.http.config['allow'] = ['192.0.2.0/24']
        with UnixClient(short / 'a.sock') as client:
            assert ended(client)


def test_c10_1_files_of_any_size_come_over_a_socket(short):
    (short / 'www' / 'large.bin').write_bytes(bytes(range(256)) * 40_000)
    with serving(web_root='www', listen=['unix:a.sock']), UnixClient(short / 'a.sock') as client:
        assert client.get('/large.bin').body == bytes(range(256)) * 40_000
        assert client.request('GET', '/', {'Connection': 'close'}).body == b'here'


# --- Changes ---------------------------------------------------------------


def test_c10_1_listeners_come_and_go_while_it_serves(short):
    with serving(web_root='www') as s, s.client() as kept:
        assert kept.get('/').body == b'here'
        listening(s, 'http://127.0.0.1:0', 'unix:a.sock')
        added = ('127.0.0.1', port_of(s.http.urls[1]))
        assert get(added, '/').body == b'here'
        # What is not named any more is closed when the call returns.
        listening(s)
        assert is_refused(added)
        assert not (short / 'a.sock').exists()
        assert s.http.urls == [f'http://127.0.0.1:{s.http.port}']
        assert kept.get('/').body == b'here'
        assert kept.connections == 1


def test_c10_1_a_configuration_without_the_option_keeps_them(short):
    with serving(web_root='www', listen=['unix:a.sock']) as s:
        s.http.configuration({'web_root': 'www'})
        assert s.http.config['listen'] == ['unix:a.sock']
        with UnixClient(short / 'a.sock') as client:
            assert client.get('/').body == b'here'
        del s.http.config['listen']
        assert not (short / 'a.sock').exists()


def test_c10_1_a_port_that_is_taken_is_a_fault_of_that_change_alone(short):
    with serving(web_root='www') as s, socket.create_server(('127.0.0.1', 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(slimHTTP.ConfError) as raised:
            s.http.configuration(
                {'web_root': 'elsewhere', 'listen': ['unix:a.sock', f'http://127.0.0.1:{taken}']}
            )
        text = str(raised.value)
        assert text.startswith('listen[1]: expected what can be listened on, found ')
        assert os.strerror(errno.EADDRINUSE) in text
        assert 'hint: another program has this port' in text
        # Nothing of it holds.
        assert not (short / 'a.sock').exists()
        assert s.http.config['web_root'] == 'www'
        assert s.get('/').body == b'here'


def test_c10_1_a_listener_may_begin_and_cease_to_speak_tls(short):
    pair = {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)}
    port = unused_port()
    with serving(web_root='www', listen=[f'http://127.0.0.1:{port}'], **pair) as s:
        plain = Client(('127.0.0.1', port))
        safe = Client(('127.0.0.1', port), tls=lenient_tls())
        with plain, safe:
            assert plain.get('/').body == b'here'
            listening(s, f'https://127.0.0.1:{port}')
            assert safe.get('/').body == b'here'
            # Connections go on as they began.
            assert plain.get('/').body == b'here'
            listening(s, f'http://127.0.0.1:{port}')
            assert safe.get('/').body == b'here'
            assert (plain.connections, safe.connections) == (1, 1)
        assert get(('127.0.0.1', port), '/').body == b'here'


def test_c10_1_a_listener_moves_between_addresses_of_its_port(short):
    port = unused_port()
    with serving(web_root='www', listen=[f'http://127.0.0.1:{port}']) as s:
        for address in ['', '127.0.0.1', '0.0.0.0', '']:
            listening(s, f'http://{address}:{port}')
            assert get(('127.0.0.1', port), '/').body == b'here'
            assert is_refused(('127.0.0.2', port)) is (address == '127.0.0.1')
        # Side by side: the more specific one has what it names.
        listening(s, f'http://:{port}', f'http://127.0.0.1:{port}')
        assert get(('127.0.0.1', port), '/').body == b'here'
        assert get(('127.0.0.2', port), '/').body == b'here'


def test_c10_1_several_instances_share_a_port_where_both_ask_for_it(short):
    port = unused_port()
    shared = {'address': f'http://127.0.0.1:{port}', 'reuse_port': True}
    with serving(web_root='www', listen=[shared]), serving(web_root='www', listen=[shared]):
        assert get(('127.0.0.1', port), '/').body == b'here'
        with pytest.raises(slimHTTP.ConfError), serving(listen=[f'http://127.0.0.1:{port}']):
            pass


@pytest.mark.parametrize('drain', [True, 0.05, False])
def test_c10_1_connections_of_a_closed_listener_end_as_it_says(short, drain):
    port = unused_port()
    listener = {'address': f'http://127.0.0.1:{port}', 'drain': drain}
    began, go = threading.Event(), threading.Event()
    with serving(web_root='www', listen=[listener], python_threads=2) as s:

        @s.http.route('/slow')
        def slow(request):
            began.set()
            go.wait(PATIENCE)
            return 'done'

        idle, busy = Client(('127.0.0.1', port)), Client(('127.0.0.1', port))
        with idle, busy:
            assert idle.get('/').body == b'here'
            busy.send('GET', '/slow')
            assert began.wait(PATIENCE)
            listening(s)
            if drain is False:
                assert idle.get('/').body == b'here'
                go.set()
                assert busy.read_response('GET').body == b'done'
                assert busy.get('/').body == b'here'
                assert (idle.connections, busy.connections) == (1, 1)
            elif drain is True:
                assert ended(idle)
                go.set()
                response = busy.read_response('GET')
                assert response.body == b'done'
                assert response.headers['connection'] == 'close'
            else:
                assert ended(idle)
                assert ended(busy)
                go.set()
        assert s.get('/').body == b'here'


@pytest.mark.parametrize('move', ['beside', 'between'])
def test_c10_1_nobody_is_refused_while_listeners_change(short, move):
    """Clients connect all the time, to what stays and to what moves, and each is answered."""
    port = unused_port()
    with serving(web_root='www', listen=[f'http://127.0.0.1:{port}']) as s:
        targets = [s.address] if move == 'beside' else [s.address, ('127.0.0.1', port)]
        failures: list[BaseException] = []
        answered = [0] * len(targets)
        over = threading.Event()

        def ask(number: int) -> None:
            while not over.is_set():
                try:
                    assert get(targets[number], '/').body == b'here'
                    answered[number] += 1
                except BaseException as failure:
                    failures.append(failure)
                    return

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(len(targets))]
        for client in clients:
            client.start()
        try:
            for turn in range(CHANGES):
                if move == 'beside':
                    listening(s, 'http://127.0.0.1:0', 'unix:a.sock')
                    listening(s)
                else:
                    listening(s, f'http://{["", "127.0.0.1"][turn % 2]}:{port}')
                if failures:
                    break
            begun = list(answered)
            wait_until(
                lambda: failures or all(now > then for now, then in zip(answered, begun)),
                'an answer behind the last change',
            )
        finally:
            over.set()
            for client in clients:
                client.join(PATIENCE)
        assert failures == []


def test_c10_1_the_greeting_says_where_it_listens(short):
    (short / 'site.toml').write_text(
        'web_root = "www"\nlisten = ["http://127.0.0.1:0", "unix:a.sock"]\n'
    )
    with Cli('run', 'site.toml', cwd=short) as program:
        program.wait_for(rf'serves .* at http://localhost:\d+/ and unix:{short}/a\.sock \(Ctrl-C')


def test_c10_1_a_name_of_which_no_socket_was_handed_over_is_told():
    with pytest.raises(slimHTTP.slimHTTP_Error, match='no socket `web` was handed over'):
        slimHTTP.server(slimHTTP.HTTP, listen=['fd:web'])
