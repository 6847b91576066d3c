"""C1.1 to C1.4, C1.6, C1.7: how a server starts, where it listens, how it is found."""

from __future__ import annotations

import errno
import os
import re
import socket
import warnings

import pytest
import slimHTTP
from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    Client,
    Program,
    get,
    is_refused,
    lenient_tls,
    serving,
    trusting_tls,
    unused_port,
)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')


# --- C1.1 ------------------------------------------------------------------


def test_c1_1_modes_give_instances_of_their_classes():
    with slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True) as http:
        assert isinstance(http, slimHTTP.HTTP_SERVER)
        assert not isinstance(http, slimHTTP.HTTPS_SERVER)
    assert (slimHTTP.HTTP, slimHTTP.HTTPS) == (1, 2)
    assert issubclass(slimHTTP.HTTPS_SERVER, slimHTTP.HTTP_SERVER)


def test_c1_1_without_a_mode_it_is_https_with_a_certificate_of_its_own(in_folder):
    in_folder({'www/index.html': 'safe'})
    with slimHTTP.server(addr='127.0.0.1', port=0, quiet=True, web_root='www') as https:
        assert isinstance(https, slimHTTP.HTTPS_SERVER)
        with Client(('127.0.0.1', https.port), tls=lenient_tls()) as client:
            assert client.get('/').body == b'safe'
            assert client.get('/').body == b'safe'
            assert client.connections == 1
            assert client.socket.version() == 'TLSv1.3'


@pytest.mark.parametrize(
    'options',
    [
        {'ssl': {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)}},
        {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)},
    ],
    ids=['ssl', 'cert and key'],
)
def test_c1_1_https_with_a_given_certificate(in_folder, options):
    in_folder({'www/index.html': 'safe'})
    with serving(mode=slimHTTP.HTTPS, web_root='www', **options) as s:
        with s.client(tls=trusting_tls()) as client:
            assert client.get('/').body == b'safe'


@pytest.mark.parametrize(('mode', 'port'), [(slimHTTP.HTTP, 80), (slimHTTP.HTTPS, 443)])
def test_c1_1_default_ports(in_folder, mode, port):
    in_folder()
    try:
        http = slimHTTP.server(mode, addr='127.0.0.1', quiet=True)
    except slimHTTP.slimHTTP_Error as error:  # Taken, or forbidden to this user.
        meant = re.search(r'\bport (\d+)', str(error))
        found = int(meant[1]) if meant else error
    else:
        found = http.port
        http.close()
    assert found == port


def test_c1_1_any_option_may_be_a_keyword(in_folder):
    in_folder({'www/home.html': 'home', 'other/home.html': 'other'})
    with serving(
        web_root='www', index='home.html', vhosts={'o.example': {'web_root': 'other'}}
    ) as s:
        assert s.get('/').body == b'home'
        assert s.get('/', 'o.example').body == b'other'


def test_c1_1_a_keyword_that_is_no_option_is_an_error_and_leaves_the_port_free():
    port = unused_port()
    with pytest.raises(slimHTTP.ConfError, match='web_rot'):
        slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=port, web_rot='www')
    assert is_refused(('127.0.0.1', port))
    assert f'127.0.0.1:{port}' not in slimHTTP.instances


def test_c1_1_any_other_mode_is_an_error():
    with pytest.raises((ValueError, TypeError)):
        slimHTTP.server(3, addr='127.0.0.1', port=0)


# --- C1.2 ------------------------------------------------------------------


@pytest.mark.parametrize(
    ('addr', 'reached_at'),
    [
        ('127.0.0.1', ['127.0.0.1']),
        ('127.0.0.2', ['127.0.0.2']),
        ('localhost', ['127.0.0.1']),
        ('', ['127.0.0.1']),
        pytest.param('', ['127.0.0.1', '::1'], marks=needs_ipv6, id='both families'),
        pytest.param('::1', ['::1'], marks=needs_ipv6),
        pytest.param('[::1]', ['::1'], marks=needs_ipv6),
        pytest.param('::', ['::1'], marks=needs_ipv6),
    ],
)
def test_c1_2_addresses(in_folder, addr, reached_at):
    in_folder({'index.html': 'here'})
    with slimHTTP.server(slimHTTP.HTTP, addr=addr, port=0, quiet=True, web_root='.') as http:
        assert http.port > 0
        for address in reached_at:
            assert get((address, http.port)).body == b'here', address
        if reached_at == ['::1'] and addr != '::':
            assert is_refused(('127.0.0.1', http.port))
        if addr == '127.0.0.2':
            assert is_refused(('127.0.0.1', http.port))


def test_c1_2_port_0_takes_a_free_port_and_tells_which():
    with serving() as one, serving() as two:
        assert 0 < one.http.port != two.http.port
        assert isinstance(one.http.port, int)
        assert '127.0.0.1' in str(one.http.address)


@pytest.mark.parametrize('addr', ['no such name.invalid', '256.1.1.1', '[::1', 'a b'])
def test_c1_2_an_address_that_is_none_is_an_error_that_names_it(addr):
    with pytest.raises(slimHTTP.slimHTTP_Error) as caught:
        slimHTTP.server(slimHTTP.HTTP, addr=addr, port=0, quiet=True).close()
    assert addr in str(caught.value)


@pytest.mark.parametrize('port', [-1, 65536, '80', 8.5, True])
def test_c1_2_a_port_that_is_none_is_an_error(port):
    with pytest.raises((slimHTTP.ConfError, TypeError, ValueError, OverflowError)):
        slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=port, quiet=True).close()


# --- C1.3 ------------------------------------------------------------------


def test_c1_3_a_port_that_is_taken_is_named_with_address_and_reason():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(slimHTTP.slimHTTP_Error) as caught:
            slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=port)
    text = str(caught.value)
    assert '127.0.0.1' in text
    assert str(port) in text
    assert os.strerror(errno.EADDRINUSE).lower() in text.lower()
    assert f'127.0.0.1:{port}' not in slimHTTP.instances


def test_c1_3_two_servers_of_one_process_cannot_share_a_port():
    with serving() as s:
        with pytest.raises(slimHTTP.slimHTTP_Error, match=str(s.http.port)):
            slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=s.http.port)
        # The first one is none the worse for it.
        assert slimHTTP.instances[f'127.0.0.1:{s.http.port}'] is s.http
        assert s.get('/').status == 404


def test_c1_3_an_address_of_another_machine_is_an_error_with_the_systems_reason():
    with pytest.raises(slimHTTP.slimHTTP_Error) as caught:
        slimHTTP.server(slimHTTP.HTTP, addr='192.0.2.1', port=4711)
    text = str(caught.value)
    assert '192.0.2.1' in text
    assert '4711' in text
    assert os.strerror(errno.EADDRNOTAVAIL).lower() in text.lower()


FORBIDDEN_PORT = """
import errno, os, socket, sys
import slimHTTP
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    socket.socket().bind(('127.0.0.1', 7))
except PermissionError:
    pass
except OSError as error:
    print('SKIP', error); sys.exit()
else:
    print('SKIP allowed'); sys.exit()
try:
    slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=7)
except slimHTTP.slimHTTP_Error as error:
    print('ERROR', error)
"""


def test_c1_3_a_forbidden_port_is_named_with_address_and_reason(in_folder):
    in_folder()
    with Program(FORBIDDEN_PORT) as program:
        program.wait()
    if program.stdout.startswith('SKIP'):
        pytest.skip(f'port 7: {program.stdout}')
    assert program.stdout.startswith('ERROR'), program.stderr
    for part in ('127.0.0.1', '7', os.strerror(errno.EACCES)):
        assert part.lower() in program.stdout.lower()


def test_c1_3_a_client_that_connects_before_the_start_waits(in_folder):
    in_folder({'www/index.html': 'late'})
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, web_root='www')
    try:
        with Client(('127.0.0.1', http.port)) as client:
            client.send('GET', '/')
            assert client.is_open(within=0.3), 'it was answered, or closed, before the start'
            with http:
                assert client.read_response().body == b'late'
    finally:
        http.close()


BEFORE_RUN = """
import os, slimHTTP, time
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, web_root='www')
print('PORT', http.port, 'END')
while not os.path.exists('go'):
    time.sleep(0.01)
http.run()
"""


def test_c1_3_a_client_that_connects_before_run_is_answered_by_run(in_folder):
    folder = in_folder({'www/index.html': 'late'})
    with Program(BEFORE_RUN, cwd=folder) as program:
        port = int(program.wait_for(r'PORT (\d+) END', 'stdout')[1])
        with Client(('127.0.0.1', port), timeout=30) as client:
            client.send('GET', '/')
            (folder / 'go').touch()
            assert client.read_response().body == b'late'


# --- C1.4 ------------------------------------------------------------------


def test_c1_4_instances_are_found_by_address_and_port():
    port = unused_port()
    with serving(port=port) as s:
        assert slimHTTP.instances[f'127.0.0.1:{port}'] is s.http
    assert f'127.0.0.1:{port}' not in slimHTTP.instances


def test_c1_4_every_interface_is_an_empty_address():
    port = unused_port()
    with serving(addr='', port=port) as s:
        assert slimHTTP.instances[f':{port}'] is s.http


def test_c1_4_one_on_a_free_port_is_found_by_that_port():
    with serving() as s:
        assert slimHTTP.instances[f'127.0.0.1:{s.http.port}'] is s.http


def test_c1_4_two_instances_work_side_by_side(in_folder):
    in_folder({'one/index.html': 'one', 'two/index.html': 'two'})
    with serving(web_root='one') as one, serving(web_root='two') as two:
        one.http.route('/who')(lambda _: 'handler one')
        two.http.route('/who')(lambda _: 'handler two')
        with one.client() as to_one, two.client() as to_two:
            for _ in range(3):
                assert to_one.get('/').body == b'one'
                assert to_two.get('/').body == b'two'
                assert to_one.get('/who').body == b'handler one'
                assert to_two.get('/who').body == b'handler two'
            # A change of one leaves the other alone, as does its end.
            one.http.config['web_root'] = 'two'
            two.http.config['web_root'] = 'one'
            assert to_one.get('/').body == b'two'
            assert to_two.get('/').body == b'one'
        one.http.close()
        assert two.get('/').body == b'one'
        assert two.get('/who').body == b'handler two'


def test_c1_4_a_closed_one_leaves_the_table_and_frees_its_port():
    first = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    port = first.port
    first.close()
    assert first not in slimHTTP.instances.values()
    assert is_refused(('127.0.0.1', port))
    # At once, and although clients were connected to the one before.
    for _ in range(30):
        with serving(port=port) as s:
            assert slimHTTP.instances[f'127.0.0.1:{port}'] is s.http
            with s.client() as client:
                assert client.get('/').status == 404
                s.http.close()


# --- C1.6, C1.7 ------------------------------------------------------------


def test_c1_6_host_is_the_old_name_and_warns():
    with pytest.warns(DeprecationWarning, match='server') as caught:
        http = slimHTTP.host(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    try:
        assert isinstance(http, slimHTTP.HTTP_SERVER)
        assert caught[0].filename == __file__, 'the warning names the caller'
        with http:
            assert get(('127.0.0.1', http.port)).status == 404
    finally:
        http.close()


def test_c1_6_server_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True).close()


def test_c1_7_the_default_configuration():
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    http.close()
    assert http.default_config() == {
        'web_root': '/srv/http',
        'index': 'index.html',
        'vhosts': {},
        'port': 80,
    }


@pytest.mark.skipif(os.path.exists('/srv/http'), reason='there is a /srv/http')
def test_c1_7_without_a_configuration_it_serves_srv_http(site):
    s = site({}, fresh=True)
    assert s.get('/').status == 404
    # C2.6: a folder that is not there is a warning; it shows which folder is meant.
    s.wait_for('/srv/http')
