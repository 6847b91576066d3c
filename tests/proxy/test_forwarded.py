"""C7.6: what belongs to a hop stays on it; who asked is told and cannot be spoofed."""

from __future__ import annotations

import pytest
from support import Exchange, Upstream, says, serving

of = pytest.mark.parametrize


def forwarded(site, fields, host: str = 'a.example') -> dict[str, list[str]]:
    """Send a GET with these fields; give what the (echoing) upstream saw, by lower-case name."""
    with site.client() as client:
        seen: dict[str, list[str]] = {}
        for name, value in client.request('GET', '/', fields, host=host).json()['headers']:
            seen.setdefault(name.lower(), []).append(value)
        return seen


def test_c7_6_hop_by_hop_fields_of_a_request_stay_on_their_hop() -> None:
    fields = [
        ('Connection', 'X-Mine, keep-alive, X-Other'),
        ('X-Mine', 'secret'),
        ('x-other', 'secret'),
        ('Keep-Alive', 'timeout=5'),
        ('Proxy-Connection', 'keep-alive'),
        ('TE', 'gzip'),
        ('Upgrade', 'h2c'),
        ('X-Kept', 'kept'),
    ]
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        seen = forwarded(site, fields)
        for name in ('x-mine', 'x-other', 'keep-alive', 'proxy-connection', 'upgrade', 'te'):
            assert name not in seen, seen
        assert 'X-Mine' not in ''.join(seen.get('connection', []))
        assert seen['x-kept'] == ['kept']


def test_c7_6_hop_by_hop_fields_of_a_response_stay_on_their_hop() -> None:
    fields = [
        ('Connection', 'X-Mine'),
        ('X-Mine', 'secret'),
        ('Keep-Alive', 'timeout=5'),
        ('X-Kept', 'kept'),
    ]
    with Upstream(says('x', '200 OK', *fields)) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        for name in ('X-Mine', 'Keep-Alive'):
            assert name not in response.headers, response
        assert response.headers['X-Kept'] == 'kept'


def test_c7_6_who_asked_is_told() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        seen = forwarded(site, {}, host='A.Example:8080')
        assert seen['x-forwarded-for'] == ['127.0.0.1']
        assert seen['x-forwarded-proto'] == ['http']
        assert seen['x-forwarded-host'] == ['A.Example:8080']
        assert seen['via'][-1].startswith('1.1 ')


def test_c7_6_the_host_is_as_the_client_sent_it() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        for host in ('a.example', 'A.Example:8080', 'a.example.', '127.0.0.1:1', '[::1]:80'):
            assert forwarded(site, {}, host=host)['host'] == [host]


SPOOFS = [
    [('X-Forwarded-For', '6.6.6.6')],
    [('x-forwarded-for', '6.6.6.6'), ('X-FORWARDED-FOR', '7.7.7.7')],
    [('X-Forwarded-For', '127.0.0.1')],
    [('X-Forwarded-For', '6.6.6.6'), ('Connection', 'X-Forwarded-For')],
    [('Connection', 'X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via')],
    [('X-Forwarded-Proto', 'https'), ('X-Forwarded-Host', 'evil.example')],
    [
        ('X-Forwarded-Host', 'evil.example'),
        ('x-forwarded-proto', 'https'),
        ('X-Forwarded-Proto', 'gopher'),
    ],
]


@of('fields', SPOOFS, ids=str)
def test_c7_6_who_asked_cannot_be_spoofed(fields: list[tuple[str, str]]) -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        seen = forwarded(site, fields)
        assert seen['x-forwarded-for'] == ['127.0.0.1']
        assert seen['x-forwarded-proto'] == ['http']
        assert seen['x-forwarded-host'] == ['a.example']
        assert seen['via']


def test_c7_6_a_trusted_proxy_is_believed() -> None:
    fields = [
        ('X-Forwarded-For', '192.0.2.7'),
        ('X-Forwarded-Proto', 'https'),
        ('X-Forwarded-Host', 'front.example'),
    ]
    with (
        Upstream() as upstream,
        serving(proxy=upstream.name, trusted_proxies=['127.0.0.0/8']) as site,
    ):
        seen = forwarded(site, fields)
        assert [part.strip() for part in ','.join(seen['x-forwarded-for']).split(',')] == [
            '192.0.2.7',
            '127.0.0.1',
        ]
        assert seen['x-forwarded-proto'] == ['https']
        assert seen['x-forwarded-host'] == ['front.example']


def test_c7_6_via_is_added_to_what_is_there() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        members = ', '.join(forwarded(site, {'Via': '1.0 fred, 1.1 p.example'})['via']).split(', ')
        assert members[:2] == ['1.0 fred', '1.1 p.example']
        assert len(members) == 3


def test_c7_6_all_other_fields_pass_as_they_are() -> None:
    fields = [
        ('Cookie', 'a=b'),
        ('Authorization', 'Basic eDp5'),
        ('Accept-Encoding', 'gzip;q=0.5, br'),
        ('X-Twice', 'one'),
        ('X-Twice', 'two'),
        ('X-Bytes', 'caf\xe9'),
        ('X-Empty', ''),
        ('Referer', 'http://a.example/?x'),
    ]
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        seen = forwarded(site, fields)
        assert seen['x-twice'] in (['one', 'two'], ['one, two'])
        for name, value in fields:
            if name != 'X-Twice':
                assert seen[name.lower()] == [value]


def test_c7_6_all_other_fields_of_a_response_pass_as_they_are() -> None:
    fields = [
        ('Date', 'Thu, 01 Jan 1970 00:00:00 GMT'),
        ('Server', 'upstream/1.0'),
        ('Set-Cookie', 'a=b; Path=/'),
        ('Set-Cookie', 'c=d'),
        ('Location', 'http://127.0.0.1:1/elsewhere'),
    ]
    with (
        Upstream(says('x', '201 Created', *fields)) as upstream,
        serving(proxy=upstream.name) as site,
    ):
        response = site.get('/')
        assert response.status == 201
        assert response.headers.all('Set-Cookie') == ['a=b; Path=/', 'c=d']
        for name in ('Date', 'Server', 'Location'):
            assert response.headers.all(name) == [dict(fields)[name]]


def test_c7_6_options_of_the_server_reach_the_upstream() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            asked = client.request('OPTIONS', '*').json()
        assert (asked['method'], asked['target']) == ('OPTIONS', '*')


@of(('method', 'most', 'reaches'), [
    ('OPTIONS', '2', '1'), ('TRACE', '1', '0'), ('GET', '0', '0'), ('POST', '0', '0'),
    ('OPTIONS', 'many', 'many'),
])  # fmt: skip
def test_c7_6_a_request_that_may_be_forwarded_has_one_step_less(
    method: str, most: str, reaches: str
) -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.request(method, '/', {'Max-Forwards': most})
        assert upstream.wait_for().headers['Max-Forwards'] == reaches


@of('target', ['/x', '*'])
def test_c7_6_a_request_that_may_be_forwarded_no_more_is_answered_here(target: str) -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            told = client.request('OPTIONS', target, {'Max-Forwards': '0'})
            assert (told.status, told.body) == (204, b'')
            assert 'OPTIONS' in told.headers['Allow']
            if target != '*':
                traced = client.request('TRACE', target, {'Max-Forwards': '0', 'X-Own': 'secret'})
                assert traced.status == 405
                assert b'secret' not in traced.body
                assert 'TRACE' not in traced.headers['Allow']
        assert not upstream.exchanges


def test_c7_1_an_absolute_target_with_a_query_alone_is_one_of_the_root() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            asked = client.request('GET', 'http://a.example?x=1', host='a.example').json()
        assert asked['target'] == '/?x=1'


def test_c7_6_an_upstream_is_asked_for_itself_where_the_client_names_no_host() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(b'GET / HTTP/1.0\r\n\r\n')
            assert client.read_response().status == 200
        asked = upstream.wait_for()
        assert (asked.version, asked.headers['Host']) == ('HTTP/1.1', upstream.name)


@of(('offered', 'answered'), [
    ('h2c', 'h2c'), ('websocket, h2c', 'websocket'), ('websocket', 'h2c'), ('websocket', None),
])  # fmt: skip
def test_c7_2_a_switch_to_what_was_not_offered_is_502(offered: str, answered: str | None) -> None:
    def switches(exchange: Exchange) -> None:
        upgrade = f'Upgrade: {answered}\r\n' if answered else ''
        head = f'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{upgrade}\r\n'
        exchange.send(head.encode())
        exchange.wait_until_gone()

    with Upstream(switches) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            response = client.request('GET', '/', {'Connection': 'Upgrade', 'Upgrade': offered})
            assert response.status == 502
        assert 'h2c' not in (upstream.wait_for().headers.get('Upgrade') or '')


def test_c7_2_the_upgrade_that_an_upstream_requires_is_told() -> None:
    answer = says('x', '426 Upgrade Required', ('Connection', 'upgrade'), ('Upgrade', 'a/2'))
    with Upstream(answer) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert (response.status, response.headers['Upgrade']) == (426, 'a/2')
