"""C11.1: upstreams, each at its prefix, and what they are sent."""

from __future__ import annotations

import pytest
from support import Upstream, serving


def names(name):
    """A behaviour that answers with a name, the target that came, and where it leads."""

    def behave(exchange):
        exchange.read_body()
        fields = [('Location', '/next'), ('Set-Cookie', 'a=b; Path=/c')]
        exchange.respond(f'{name} {exchange.target}'.encode(), headers=fields)

    return behave


@pytest.fixture
def site(in_folder):
    in_folder({'www/index.html': 'www'})
    with Upstream(names('api')) as api, Upstream(names('all')) as all_:
        with serving(
            web_root='www',
            mounts={
                '/api': {'proxy': api.name},
                '/strip/v 1': {'proxy': api.name, 'strip_prefix': True},
                '/add': {'proxy': api.name, 'add_prefix': '/v1'},
                '/both': {'proxy': api.name, 'strip_prefix': True, 'add_prefix': '/v1'},
                '/text': {'proxy': api.name, 'strip_prefix': '/text/x'},
                '/files': {'web_root': 'www'},
            },
            vhosts={
                'all.example': {
                    'proxy': all_.name,
                    'mounts': {'/api': {'proxy': api.name}, '/inherits': {'max_body': 1}},
                },
            },
        ) as site:
            site.api, site.all = api, all_
            yield site


@pytest.mark.parametrize(
    ('target', 'sent'),
    [
        ('/api', '/api'),
        ('/api/x?y=1', '/api/x?y=1'),
        ('/api/a%2Fb;c', '/api/a%2Fb;c'),
        ('/x/../api//y', '/api/y'),
        ('/api//y', '/api//y'),
        ('/strip/v%201/x?y', '/x?y'),
        ('/strip/v%201', '/'),
        ('/strip/v%201?q', '/?q'),
        ('/strip/v%201//x', '/x'),
        ('/add/x', '/v1/add/x'),
        ('/both/x', '/v1/x'),
        ('/text/x/y', '/y'),
        ('/text/xy', '/text/xy'),
    ],
)
def test_c11_1_an_upstream_gets_the_path_as_it_came_unless_told(site, target, sent):
    response = site.get(target)
    assert (response.status, response.text) == (200, f'api {sent}')


@pytest.mark.parametrize(
    ('target', 'location', 'cookie'),
    [
        ('/api/x', '/next', 'a=b; Path=/c'),
        ('/strip/v%201/x', '/strip/v%201/next', 'a=b; Path=/strip/v%201/c'),
        ('/text/x/y', '/text/x/next', 'a=b; Path=/text/x/c'),
        ('/text/xy', '/next', 'a=b; Path=/c'),
    ],
)
def test_what_names_a_path_comes_back_with_the_prefix(site, target, location, cookie):
    headers = site.get(target).headers
    assert (headers['Location'], headers['Set-Cookie']) == (location, cookie)


@pytest.mark.parametrize(
    ('target', 'told'),
    [
        ('/api/x', None),
        ('/strip/v%201/x', '/strip/v%201'),
        ('/text/x/y', '/text/x'),
        ('/text/xy', None),
    ],
)
def test_c7_6_an_upstream_is_told_what_its_paths_have_lost(site, target, told):
    with site.client() as client:
        fields = {'X-Forwarded-Prefix': '/forged', 'X_Forwarded_Prefix': '/forged'}
        assert client.request('GET', target, fields).status == 200
        fields = site.api.exchanges[-1].headers.fields
        found = [value for name, value in fields if 'prefix' in name.lower()]
        assert found == ([told] if told else [])


def test_c11_1_the_longest_prefix_decides_between_upstreams(site):
    for target, text in [
        ('/', 'all /'),
        ('/api/x', 'api /api/x'),
        ('/apis', 'all /apis'),
        ('/inherits/x', 'all /inherits/x'),
    ]:
        assert site.get(target, 'all.example').text == text
    with site.client() as client:
        fields = {'Host': 'all.example'}
        answer = client.request('POST', '/inherits/x', fields, b'long', host=None)
        assert answer.status == 413


@pytest.mark.parametrize(
    'target',
    [
        '/files/..%2fapi',
        '/files%2f..%2fapi',
        '/api/..%2ffiles',
        '/api/..;/files',
        '/api/%2e%2e%2ffiles',
        '/api/..%5cfiles',
        '/api%2fx',
        '/api;x=1/y',
        '/api%20/x',
        '/strip%2fv%201/x',
        '/strip//v%201/x',
        '/%2561pi/x',
    ],
)
def test_c11_1_what_may_be_read_as_another_mounts_path_is_refused(site, target):
    for host in ('', 'all.example'):
        # The mount that stands in this host alone.
        if 'strip' in target and host:
            continue
        assert site.get(target, host).status == 400
    assert site.api.targets == site.all.targets == []


def test_each_mount_has_connections_of_its_own(in_folder):
    in_folder({'www/index.html': 'www'})
    with Upstream(names('one')) as one, Upstream(names('two')) as two:
        mounts = {'/1': {'proxy': one.name}, '/2': {'proxy': two.name}, '/3': {'proxy': one.name}}
        with serving(web_root='www', io_threads=1, mounts=mounts) as site:
            with site.client() as client:
                for _ in range(3):
                    for target, name in [('/1', 'one'), ('/2', 'two'), ('/3', 'one')]:
                        assert client.get(target).text == f'{name} {target}'
            assert (one.connections, two.connections) == (2, 1)
            # Bounds of one leave another one as it is.
            site.http.config['mounts']['/3']['max_body'] = 7
            with site.client() as client:
                for target in ('/1', '/2', '/3'):
                    client.get(target)
            assert (one.connections, two.connections) == (2, 1)


def test_c7_4_a_mount_that_leads_back_is_refused_by_the_change(site):
    here = f'127.0.0.1:{site.http.port}'
    check = site.http.check_config
    fault = check({'mounts': {'/a': {'proxy': here}}})
    assert str(fault).startswith('mounts."/a".proxy: expected an upstream that does not lead back')
    assert check({'mounts': {'/a': {'proxy': here, 'strip_prefix': True}}}) is True


def test_c7_4_a_loop_of_mounts_ends_at_run_time(in_folder):
    """Each is told apart, and the one that is reached again answers 508."""
    in_folder({'www/index.html': 'www'})
    with serving(web_root='www') as site:
        here = f'127.0.0.1:{site.http.port}'
        site.http.config['mounts']['/to'] = {'proxy': here, 'strip_prefix': True}
        # It leads to a file by way of a mount, and once around where that is asked for.
        assert site.get('/to/').text == 'www'
        assert site.get('/to/to/').status == 508
