"""C4: virtual hosts, by raw bytes, by every entry point."""

from __future__ import annotations

import pytest
from support import Client, serving

FILES = {
    f'{name}/index.html': name
    for name in (
        'global',
        'a',
        'b',
        'ported',
        'any',
        'deep',
        'sub',
        'idn',
        'address',
        'six',
        'wild-ported',
    )
}

CONFIG = {
    'web_root': 'global',
    'vhosts': {
        'a.example': {'web_root': 'a'},
        'B.Example.': {'web_root': 'b'},
        'a.example:8443': {'web_root': 'ported'},
        '*.wild.example': {'web_root': 'any'},
        '*.deep.wild.example': {'web_root': 'deep'},
        'sub.wild.example': {'web_root': 'sub'},
        '*.wild.example:81': {'web_root': 'wild-ported'},
        'bücher.example': {'web_root': 'idn'},
        '192.0.2.7': {'web_root': 'address'},
        '[2001:DB8::1]': {'web_root': 'six'},
    },
}


def ask(client: Client, *hosts: bytes, version: bytes = b'1.1', target: bytes = b'/'):
    """Ask with these `Host` fields, byte by byte as they stand."""
    fields = b''.join(b'Host:' + host + b'\r\n' for host in hosts)
    client.send_raw(b'GET ' + target + b' HTTP/' + version + b'\r\n' + fields + b'\r\n')
    return client.read_response()


@pytest.mark.parametrize(
    ('host', 'answers'),
    [
        (b' a.example', 'a'),
        (b'a.example', 'a'),
        (b' a.example ', 'a'),
        (b'\ta.example\t', 'a'),
        # Case.
        (b' A.EXAMPLE', 'a'),
        (b' a.eXaMpLe', 'a'),
        (b' b.example', 'b'),
        (b' B.Example', 'b'),
        # Port.
        (b' a.example:80', 'a'),
        (b' a.example:12345', 'a'),
        (b' a.example:', 'a'),
        (b' b.example:8443', 'b'),
        # Trailing dot.
        (b' a.example.', 'a'),
        (b' a.example.:80', 'a'),
        (b' A.Example.:80', 'a'),
        (b' b.example.', 'b'),
        # A key with a port.
        (b' a.example:8443', 'ported'),
        (b' A.EXAMPLE.:8443', 'ported'),
        # Wildcards: any name below, never the name itself; the most specific wins.
        (b' x.wild.example', 'any'),
        (b' x.y.wild.example', 'any'),
        (b' X.WILD.example.:9', 'any'),
        (b' wild.example', 'global'),
        (b' xwild.example', 'global'),
        (b' x.deep.wild.example', 'deep'),
        (b' x.y.deep.wild.example', 'deep'),
        (b' deep.wild.example', 'any'),
        (b' sub.wild.example', 'sub'),
        (b' x.sub.wild.example', 'any'),
        (b' x.wild.example:81', 'wild-ported'),
        (b' sub.wild.example:81', 'sub'),
        # IDN in either form.
        ('bücher.example'.encode(), 'idn'),
        ('BÜCHER.example'.encode(), 'idn'),
        (b' xn--bcher-kva.example', 'idn'),
        (b' XN--BCHER-KVA.EXAMPLE.', 'idn'),
        ('bu\u0308cher.example:80'.encode(), 'idn'),
        # Addresses.
        (b' 192.0.2.7', 'address'),
        (b' 192.0.2.7:80', 'address'),
        (b' [2001:db8::1]', 'six'),
        (b' [2001:db8::1]:80', 'six'),
        (b' [2001:0DB8:0:0:0:0:0:1]:80', 'six'),
        # No key matches.
        (b' c.example', 'global'),
        (b' www.a.example', 'global'),
        (b' example', 'global'),
        (b' a.example.c.example', 'global'),
        (b' 127.0.0.1', 'global'),
        (b' [::1]:80', 'global'),
        (b' under_score.example', 'global'),
        (b' a=b', 'global'),
        (b' a.example=', 'global'),
        (b' a..example', 'global'),
        (b' .a.example', 'global'),
        (b' a.example,b.example', 'global'),
        (b' *.wild.example', 'any'),
        (b' ' + b'a' * 64 + b'.example', 'global'),
        (b' a%2fexample', 'global'),
        # Percent-encoded (RFC 3986 section 3.2.2).
        (b' %61%2Eexample', 'a'),
        (b' b%C3%BCcher.example:80', 'idn'),
    ],
)
def test_c4_1_the_host_picks_the_vhost(site, host, answers):
    with site(CONFIG, FILES).client() as client:
        response = ask(client, host)
        assert (response.status, response.text) == (200, answers)


@pytest.mark.parametrize(
    ('host', 'answers'),
    [('a.example', b'a'), ('xn--bcher-kva.example', b'idn'), ('c.example', b'c')],
)
def test_c4_1_keys_may_be_idn_in_their_ascii_form(in_folder, host, answers):
    in_folder({'a/index.html': 'a', 'idn/index.html': 'idn', 'c/index.html': 'c'})
    vhosts = {'XN--BCHER-KVA.example': {'web_root': 'idn'}, 'a.example': {'web_root': 'a'}}
    with serving(web_root='c', vhosts=vhosts) as s:
        assert s.get('/', host).body == answers


def test_c4_1_one_connection_may_ask_for_many_hosts(site):
    with site(CONFIG, FILES).client() as client:
        for _ in range(3):
            for host, answers in [(b'a.example', 'a'), (b'b.example', 'b'), (b'x', 'global')]:
                assert ask(client, host).text == answers
        assert client.connections == 1


def test_c4_1_a_route_and_the_request_know_the_vhost(in_folder):
    in_folder()
    seen = {}
    with serving(vhosts={'a.example': {}, '*.b.example': {}}) as s:
        s.http.route('/', vhost='a.example')(lambda request: f'a {request.vhost}')
        s.http.route('/', vhost='*.b.example')(lambda request: f'b {request.vhost}')
        s.http.route('/')(lambda request: f'global {request.vhost}')
        for host in ('A.Example:80', 'x.b.example', 'c.example'):
            seen[host] = s.get('/', host).text
    assert seen['A.Example:80'] == 'a a.example'
    assert seen['x.b.example'].startswith('b ')
    assert seen['c.example'] == 'global None'


@pytest.mark.parametrize(
    'target', [b'http://a.example/', b'http://A.example:80/', b'http://a.example']
)
def test_c4_1_an_absolute_target_picks_it_when_it_agrees(site, target):
    host = target[7:].rstrip(b'/')
    with site(CONFIG, FILES).client() as client:
        response = ask(client, host, target=target)
        assert (response.status, response.text) == (200, 'a')


def test_c4_2_an_absolute_target_that_disagrees_is_400(site):
    with site(CONFIG, FILES).client() as client:
        response = ask(client, b'b.example', target=b'http://a.example/')
        assert response.status == 400
        assert response.closes


def test_c4_2_http_1_0_needs_no_host(site):
    with Client(site(CONFIG, FILES).address) as client:
        response = ask(client, version=b'1.0')
        assert (response.status, response.text) == (200, 'global')
    with Client(site(CONFIG, FILES).address) as client:
        assert ask(client, b'a.example', version=b'1.0').text == 'a'


@pytest.mark.parametrize(
    'hosts',
    [
        (),
        (b'a.example', b'a.example'),
        (b'a.example', b'b.example'),
        (b'', b'a.example'),
        (b'a b.example',),
        (b'a.example b.example',),
        (b'a.example/',),
        (b'a.example/path',),
        (b'a.example?',),
        (b'a.example#x',),
        (b'user@a.example',),
        (b'http://a.example',),
        (b'a.example:80:80',),
        (b'a.example:http',),
        (b'a.example:-1',),
        (b'a.example:+80',),
        (b'a.example:65536',),
        (b'a.example:99999999999999999999',),
        (b':80',),
        (b'[::1',),
        (b'::1',),
        (b'[::1]80',),
        (b'[::1]x',),
        (b'[g::1]',),
        (b'[]',),
        (b'.',),
        (b'a\x00.example',),
        (b'a\x7f.example',),
        (b'a\\b.example',),
        (b'<a.example>',),
        (b'\xff\xfe.example',),
        (b'%61.example%',),
        (b'a.' * 127 + b'example',),
    ],
    ids=lambda hosts: b' | '.join(hosts)[:40].decode('latin-1') if hosts else 'none',
)
def test_c4_2_a_host_that_is_missing_twice_or_malformed_is_400(site, hosts):
    s = site(CONFIG, FILES)
    with s.client() as client:
        response = ask(client, *hosts)
        assert response.status == 400
        assert response.closes
    assert s.get('/', 'a.example').body == b'a'


def test_c4_2_an_empty_host_is_malformed(site):
    with site(CONFIG, FILES).client() as client:
        assert ask(client, b'').status == 400


def test_c4_2_a_refused_request_reaches_no_handler(in_folder):
    in_folder()
    called = []
    with serving() as s:
        s.http.route('/')(lambda request: called.append(request) or 'called')
        for hosts in ((), (b'a', b'b'), (b'a b',)):
            with s.client() as client:
                assert ask(client, *hosts).status == 400
        assert called == []
        assert s.get('/').body == b'called'
