"""C3.3, C3.5, C3.6: changes while requests are answered, and from anywhere."""

from __future__ import annotations

import signal
import threading
import time

import pytest
import slimHTTP
from support import (
    Program,
    Upstream,
    get,
    in_threads,
    is_refused,
    says,
    serving,
    stall,
    tree,
    wait_until,
    wait_until_async,
)
from support.sites import FILES

# --- C3.3 ------------------------------------------------------------------


def test_c3_3_a_kept_alive_connection_sees_the_new_site_at_once(s):
    with s.client() as client:
        for _ in range(50):
            for root in ('b', 'c', 'a'):
                s.http.config['web_root'] = root
                assert client.get('/').text == root
        assert client.connections == 1


def test_c3_3_a_request_sent_at_once_after_a_change_sees_it(s):
    """The request's bytes come right behind those of the one before (pipelined)."""
    with s.client() as client:
        for root in ('b', 'c', 'a'):
            client.send('GET', '/')
            client.read_response()
            s.http.config['web_root'] = root
            client.send('GET', '/')
            client.send('GET', '/home.html')
            assert client.read_response().text == root
            assert client.read_response().status == (404 if root == 'c' else 200)


class Gate:
    """A handler that passes on, once it may."""

    def __init__(self):
        self.arrived = threading.Event()
        self.open = threading.Event()

    def __call__(self, request):
        if not self.arrived.is_set():
            self.arrived.set()
            assert self.open.wait(30)
        return


class AsyncGate(Gate):
    async def __call__(self, request):
        if not self.arrived.is_set():
            self.arrived.set()
            await wait_until_async(self.open.is_set, patience=30)
        return


def gate_as_route(s, gate):
    s.http.route('/index.html')(gate)


def async_gate_as_route(s, gate):
    async def handler(request):
        return await AsyncGate.__call__(gate, request)

    s.http.route('/index.html')(handler)


@pytest.mark.parametrize('register', [gate_as_route, async_gate_as_route], ids=['sync', 'async'])
@pytest.mark.parametrize(
    'change',
    [
        lambda http: http.config.__setitem__('web_root', 'b'),
        lambda http: http.configuration({'web_root': 'b'}),
        lambda http: http.config['vhosts'].__setitem__('127.0.0.1', {'web_root': 'b'}),
    ],
    ids=['edit', 'whole', 'vhost'],
)
def test_c3_3_a_request_in_flight_finishes_under_the_site_it_began_with(s, register, change):
    gate = Gate()
    register(s, gate)
    with s.client(timeout=30) as client:
        client.send('GET', '/index.html')
        assert gate.arrived.wait(10)
        change(s.http)
        gate.open.set()
        assert client.read_response().body == b'a', 'passed on to the files of its own site'
        assert client.get('/index.html').body == b'b'
        assert client.connections == 1


def test_c3_3_a_change_does_not_wait_for_requests_in_flight(s):
    """Nor do other requests: those that Python does not answer see the new site meanwhile."""
    gate = Gate()
    s.http.route('/slow')(gate)
    with s.client(timeout=30) as slow, s.client() as other:
        slow.send('GET', '/slow')
        assert gate.arrived.wait(10)
        for root in ('b', 'c', 'b'):
            s.http.config['web_root'] = root
            assert other.get('/').text == root
        assert not gate.open.is_set()
        gate.open.set()
        assert slow.read_response().status == 404


def test_c3_3_a_proxied_request_in_flight_finishes_with_its_upstream(in_folder):
    in_folder()
    with Upstream(stall) as old, Upstream(says('new')) as new:
        with serving(proxy=old.name) as s, s.client(timeout=30) as client:
            client.send('POST', '/first', body=b'body')
            old.wait_for(1)
            s.http.config['proxy'] = new.name
            assert s.get('/').body == b'new'
            old.released.set()
            response = client.read_response()
            assert (response.status, response.json()['body']) == (200, 'body')
            assert client.get('/').body == b'new'
        assert len(old.exchanges) == 1


def test_c3_3_a_response_under_way_is_finished(in_folder):
    folder = in_folder({'b/big': 'no'})
    size = 32 << 20  # More than sockets hold.
    tree(folder, {'a/big': b'a' * size})
    with serving(web_root='a') as s, s.client(timeout=60) as client:
        client.send('GET', '/big')
        head = client.read_head()
        assert head.headers['content-length'] == str(size)
        s.http.configuration({'web_root': 'b'})
        assert s.get('/big').body == b'no'
        assert client.read_exactly(size).count(b'a') == size
        assert client.get('/big').body == b'no'


def test_c3_3_a_vhost_that_is_taken_away_is_gone_on_kept_connections_too(s):
    s.http.config['vhosts']['v.example'] = {'web_root': 'b'}
    with s.client() as client:
        assert client.get('/', 'v.example').body == b'b'
        del s.http.config['vhosts']['v.example']
        assert client.get('/', 'v.example').body == b'a'
        assert client.connections == 1


def test_c3_3_routes_are_of_the_site_too(s):
    with s.client() as client:
        assert client.get('/route').status == 404
        s.http.route('/route')(lambda _: 'one')
        assert client.get('/route').body == b'one'
        s.http.route('/route')(lambda _: 'two')
        assert client.get('/route').body == b'two'
        s.http.route('/route', vhost='v.example')(lambda _: 'v')
        assert client.get('/route', 'v.example').body == b'v'
        assert client.get('/route').body == b'two'
        assert client.connections == 1


# --- C3.5 ------------------------------------------------------------------

MANY = 10_000


@pytest.fixture(scope='module')
def crowd(tmp_path_factory):
    """A server of 10,000 vhosts, each with the same folder."""
    folder = tree(tmp_path_factory.mktemp('crowd'), FILES)
    roots = {name: str(folder / name) for name in 'abc'}
    vhosts = {f'v{i}.example': {'web_root': roots['a']} for i in range(MANY)}
    with serving(web_root=roots['c'], vhosts=vhosts) as s:
        s.roots = roots
        yield s


def test_c3_5_one_vhost_of_10000_edited_does_not_take_a_second(crowd):
    times = []
    for i in (0, 4711, 9999, 123):
        for root in ('b', 'a'):
            start = time.monotonic()
            crowd.http.config['vhosts'][f'v{i}.example']['web_root'] = crowd.roots[root]
            times.append(time.monotonic() - start)
            assert crowd.get('/', f'v{i}.example').text == root
    assert crowd.get('/', 'v1.example').body == b'a'
    assert sorted(times)[len(times) // 2] < 1.0, times


def test_c3_5_added_removed_and_refused_in_10000(crowd):
    start = time.monotonic()
    crowd.http.config['vhosts']['new.example'] = {'web_root': crowd.roots['b']}
    assert crowd.get('/', 'new.example').body == b'b'
    with pytest.raises(slimHTTP.ConfError):
        crowd.http.config['vhosts']['new.example']['proxy'] = '10.0.0.1'
    del crowd.http.config['vhosts']['new.example']
    assert crowd.get('/', 'new.example').body == b'c'
    assert time.monotonic() - start < 3.0
    assert len(crowd.http.config['vhosts']) == MANY


def test_c3_5_requests_go_on_while_10000_are_changed(crowd):
    """Files do not wait for a change, however large it is."""
    stop = threading.Event()
    seen, failures = [], []

    def load():
        try:
            with crowd.client() as client:
                while not stop.is_set():
                    response = client.get('/', f'v{len(seen) % MANY}.example')
                    seen.append((response.status, response.body))
        except BaseException as error:
            failures.append(error)

    loader = threading.Thread(target=load)
    loader.start()
    try:
        vhosts = {f'v{i}.example': {'web_root': crowd.roots['a']} for i in range(MANY)}
        for _ in range(3):
            before = len(seen)
            crowd.http.configuration({'web_root': crowd.roots['c'], 'vhosts': vhosts})
            wait_until(lambda before=before: len(seen) > before or failures, 'an answer')
    finally:
        stop.set()
        loader.join(10)
    assert failures == []
    assert set(seen) == {(200, b'a')}


# --- C3.6 ------------------------------------------------------------------


def test_c3_6_changes_from_many_threads_are_all_applied(s):
    def change(number):
        for turn in range(25):
            name = f't{number}-{turn}.example'
            if turn % 5 == 4:
                with pytest.raises(slimHTTP.ConfError):
                    s.http.config['vhosts'][name] = {'proxy': 'nowhere'}
            else:
                s.http.config['vhosts'][name] = {'web_root': 'b'}

    s.http.config['vhosts'] = {}
    in_threads(8, change)
    assert len(s.http.config['vhosts']) == 8 * 20
    with s.client() as client:
        for name in s.http.config['vhosts']:
            assert client.get('/', name).body == b'b'
        assert client.get('/', 't0-4.example').body == b'a'


def test_c3_6_the_first_vhosts_from_many_threads_are_all_kept(s):
    def change(number):
        s.http.config['vhosts'][f't{number}.example'] = {'web_root': 'b'}

    for _ in range(20):
        s.http.configuration({'web_root': 'a'})  # No vhosts yet: somebody makes the table.
        in_threads(8, change)
        assert sorted(s.http.config['vhosts']) == [f't{number}.example' for number in range(8)]


def test_c3_6_groups_from_many_threads_are_all_applied(s):
    def change(number):
        for turn in range(10):
            with s.http.config.edit() as draft:
                draft['vhosts'][f't{number}-{turn}.example'] = {'web_root': 'b'}
                draft['vhosts'][f'u{number}-{turn}.example'] = {'web_root': 'c'}

    s.http.config['vhosts'] = {}
    in_threads(8, change)
    assert len(s.http.config['vhosts']) == 8 * 10 * 2


def test_c3_6_whole_changes_from_many_threads_are_one_of_them(s):
    def change(number):
        for turn in range(20):
            mine = f't{number}-{turn}.example'
            s.http.configuration({'web_root': 'a', 'vhosts': {mine: {}, f'x-{mine}': {}}})
            hosts = sorted(s.http.config.to_dict().get('vhosts', ()))
            assert len(hosts) == 2
            assert hosts[1] == f'x-{hosts[0]}', 'a mixture of two'

    in_threads(4, change)


@pytest.mark.parametrize('asynchronous', [False, True], ids=['sync', 'async'])
def test_c3_6_a_change_from_a_handler(s, asynchronous):
    def change(request):
        s.http.config['web_root'] = 'b'
        with pytest.raises(slimHTTP.ConfError):
            s.http.config['web_root'] = 5

    async def change_async(request):
        return change(request)

    s.http.route('/index.html')(change_async if asynchronous else change)
    with s.client() as client:
        assert client.get('/index.html').body == b'a', 'this very request began before'
        assert client.get('/').body == b'b'
        assert client.connections == 1


def test_c3_6_a_handler_may_replace_its_own_route(s):
    def first(request):
        s.http.route('/route')(lambda _: 'second')
        return 'first'

    s.http.route('/route')(first)
    assert s.get('/route').body == b'first'
    assert s.get('/route').body == b'second'


MODULE = """
import slimHTTP

def on_request(request):
    http = request.CLIENT_IDENTITY.server
    assert http in slimHTTP.instances.values()
    if request.url == '/bad':
        try:
            http.config['vhosts']['m.example']['module'] = 'missing.py'
        except slimHTTP.ConfError as error:
            return f'refused: {error}'
    if request.url == '/leave':
        http.config['vhosts']['m.example'] = {'web_root': 'b'}
        return 'left'
    return 'module'
"""


def test_c3_6_a_change_from_a_module(s):
    tree('.', {'m.py': MODULE})
    s.http.config['vhosts']['m.example'] = {'module': 'm.py'}
    with s.client() as client:
        assert client.get('/', 'm.example').body == b'module'
        assert client.get('/bad', 'm.example').text.startswith('refused: vhosts.')
        assert client.get('/', 'm.example').body == b'module'
        assert client.get('/leave', 'm.example').body == b'left'
        assert client.get('/', 'm.example').body == b'b'


def test_c3_6_a_change_before_the_server_runs(in_folder):
    in_folder(FILES)
    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    http.config['web_root'] = 'b'
    http.route('/route')(lambda _: 'route')
    with http:
        assert get(('127.0.0.1', http.port)).body == b'b'
        assert get(('127.0.0.1', http.port), '/route').body == b'route'
    assert is_refused(('127.0.0.1', http.port))


SIGNAL_CHANGE = """
import signal, slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, web_root='a')
signal.signal(signal.SIGHUP, lambda *_: (http.configuration({'web_root': 'b'}), print('CHANGED')))
http.run()
"""


def test_c3_6_a_change_from_a_signal_handler(in_folder):
    folder = in_folder(FILES)
    with Program(SIGNAL_CHANGE, cwd=folder) as program:
        assert program.get('/').body == b'a'
        program.send_signal(signal.SIGHUP)
        program.wait_for('CHANGED', 'stdout')
        assert program.get('/').body == b'b'
