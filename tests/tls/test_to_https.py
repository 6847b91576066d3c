"""C10.3: plain requests are sent to https, and browsers are told to stay there."""

from __future__ import annotations

from typing import Any

import pytest
import slimHTTP
from support import (
    Client,
    Serving,
    Upstream,
    lenient_tls,
    says,
    serving,
    settle,
    tree,
    unused_port,
)
from support.http2_client import Http2

of = pytest.mark.parametrize

#: The tests' own address, as a proxy that is believed.
TRUSTED = '127.0.0.1'
STRICT = 'strict-transport-security'


@of(
    ('method', 'target', 'host', 'status', 'location'),
    [
        ('GET', '/a.txt', 'a.example', 301, 'https://a.example/a.txt'),
        ('HEAD', '/a.txt?x=%20', 'a.example', 301, 'https://a.example/a.txt?x=%20'),
        ('POST', '/handled', 'a.example:8080', 308, 'https://a.example/handled'),
        ('DELETE', '/nowhere', 'A.EXAMPLE.', 308, 'https://a.example/nowhere'),
        ('GET', '/folder/', '[::1]:80', 301, 'https://[::1]/folder/'),
        ('GET', '//other.example/', 'a.example', 301, 'https://a.example//other.example/'),
        ('GET', 'http://a.example/x', 'a.example', 301, 'https://a.example/x'),
        ('GET', '/old', 'a.example', 301, 'https://a.example/old'),
        ('GET', '/', 'up.example', 301, 'https://up.example:8443/'),
        ('GET', '/open/a.txt', 'a.example', 200, None),
        ('GET', '/', 'plain.example', 200, None),
        ('OPTIONS', '*', 'a.example', 204, None),
        ('CONNECT', 'a.example:443', 'a.example:443', 405, None),
        ('GET', '/', 'a b', 400, None),
        ('GET', '/%zz', 'a.example', 400, None),
    ],
)
def test_c10_3_where_a_plain_request_is_sent(
    tmp_path: Any, method: str, target: str, host: str, status: int, location: str
) -> None:
    tree(tmp_path, {'a.txt': 'a', 'index.html': 'front', 'open/a.txt': 'open', 'folder/x': 'x'})
    with Upstream() as upstream:
        config = {
            'web_root': str(tmp_path),
            'listing': True,
            'redirect_https': True,
            'redirects': {'/old': '/new'},
            'response_headers': {'X-Ours': 'yes'},
            'mounts': {'/open': {'redirect_https': False}},
            'vhosts': {
                'up.example': {'proxy': upstream.name, 'redirect_https': 8443},
                'plain.example': {'redirect_https': False},
            },
        }
        with serving(**config) as site:
            asked = []
            site.http.route('/handled', methods=['POST'])(lambda request: asked.append(1) or 'x')
            with site.client() as client:
                body = b'content' if method == 'POST' else None
                response = client.request(method, target, body=body, host=host)
                assert (response.status, response.headers.get('location')) == (status, location)
                if location:
                    assert response.headers['x-ours'] == 'yes'
                    assert response.body == b''
                    # Nothing of it is left on the connection.
                    assert client.request('GET', '/z', host='a.example').status == 301
                    assert client.connections == 1
            assert asked == []
        assert upstream.exchanges == []


def test_c10_3_a_request_that_names_no_host_is_not_answered_in_plain(tmp_path: Any) -> None:
    tree(tmp_path, {'index.html': 'front'})
    with serving(web_root=str(tmp_path), redirect_https=True) as site, site.client() as client:
        client.send_raw(b'GET / HTTP/1.0\r\n\r\n')
        assert client.read_response().status == 400


def test_c10_3_a_websocket_is_sent_too() -> None:
    opening = {
        'Connection': 'Upgrade',
        'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    with serving(redirect_https=True) as site:

        @site.http.websocket('/ws')
        async def opened(socket: Any) -> None:
            raise AssertionError('it was not to be opened')

        with site.client() as client:
            response = client.request('GET', '/ws', opening, host='a.example')
            assert (response.status, response.headers['location']) == (301, 'https://a.example/ws')


def test_c10_3_it_changes_while_it_runs(tmp_path: Any) -> None:
    tree(tmp_path, {'a.txt': 'a'})
    settle(tmp_path)
    with serving(web_root=str(tmp_path)) as site, site.client() as client:
        for port in (None, 8443, False, True):
            site.http.config['redirect_https'] = port
            for _ in range(3):
                response = client.get('/a.txt', host='a.example')
                if port:
                    there = 'https://a.example:8443' if port == 8443 else 'https://a.example'
                    assert (response.status, response.headers['location']) == (
                        301,
                        f'{there}/a.txt',
                    )
                else:
                    assert (response.status, response.text) == (200, 'a')


def scheme(client: Any, **fields: str) -> tuple:
    """What a proxy is answered: the status, and what is said of https."""
    response = client.request('GET', '/a.txt', fields, host='a.example')
    return response.status, response.headers.get(STRICT)


def test_c10_3_the_word_of_a_trusted_proxy_counts_each_time_anew(tmp_path: Any) -> None:
    tree(tmp_path, {'a.txt': 'a'})
    settle(tmp_path)
    kept = {'file_cache': {'revalidate': 60}}
    config = {'web_root': str(tmp_path), 'redirect_https': True, 'hsts': 60, **kept}
    https, http = {'X-Forwarded-Proto': 'https'}, {'X-Forwarded-Proto': 'http'}
    by_rfc = {'Forwarded': 'for=192.0.2.1;proto=https'}
    with serving(**config, trusted_proxies=TRUSTED) as site, site.client() as client:
        for _ in range(4):
            assert scheme(client, **https) == (200, 'max-age=60')
            assert scheme(client, **http) == (301, None)
            assert scheme(client) == (301, None)
            assert scheme(client, **by_rfc) == (200, 'max-age=60')
            assert scheme(client, **https, **by_rfc) == (200, 'max-age=60')
            assert scheme(client, **http, **by_rfc) == (301, None)
        site.http.config['redirect_https'] = False
        for _ in range(4):
            assert scheme(client, **https) == (200, 'max-age=60')
            assert scheme(client, **http) == (200, None)
            assert scheme(client) == (200, None)
            assert scheme(client, **by_rfc) == (200, 'max-age=60')
        # Nobody is believed any more.
        site.http.config['trusted_proxies'] = '192.0.2.1'
        for fields in (https, http, by_rfc, {}):
            assert scheme(client, **fields) == (200, None)


@pytest.fixture
def over_tls(tmp_path: Any) -> Any:
    """A server of TLS that answers in every way there is."""
    files = {'index.html': 'front', 'folder/x': 'x', 'errors/404.html': 'lost'}
    tree(tmp_path, files)
    theirs = says('from there', '200 OK', ('Strict-Transport-Security', 'max-age=1'))
    with Upstream(theirs) as upstream:
        config = {
            'web_root': str(tmp_path),
            'listing': True,
            'hsts': {'max_age': 31536000, 'include_subdomains': True, 'preload': True},
            'error_pages': {404: '/errors/404.html'},
            'redirects': {'/old': '/new'},
            'mounts': {'/up': {'proxy': upstream.name}},
            'vhosts': {
                'off.example': {'hsts': False},
                'back.example': {'hsts': 0},
                'own.example': {'response_headers': {'Strict-Transport-Security': 'max-age=5'}},
                'none.example': {'response_headers': {'Strict-Transport-Security': False}},
                'up.example': {'proxy': upstream.name, 'hsts': 7},
                'theirs.example': {'proxy': upstream.name, 'hsts': False},
            },
        }
        with serving(mode=slimHTTP.HTTPS, **config) as site:
            site.http.route('/handled')(lambda request: 'handled')

            @site.http.route('/raises')
            def raises(request: Any) -> None:
                raise slimHTTP.HTTPError(403, 'no')

            yield site


ALL = 'max-age=31536000; includeSubDomains; preload'


@of('http2', [False, True], ids=['http/1.1', 'http/2'])
@of(
    ('target', 'host', 'status', 'said'),
    [
        ('/', 'a', 200, ALL),
        ('/folder/', 'a', 200, ALL),
        ('/folder', 'a', 301, ALL),
        ('/missing', 'a', 404, ALL),
        ('/old', 'a', 302, ALL),
        ('/handled', 'a', 200, ALL),
        ('/raises', 'a', 403, ALL),
        ('/up', 'a', 200, ALL),
        ('/', 'off.example', 200, None),
        ('/', 'back.example', 200, 'max-age=0'),
        ('/', 'own.example', 200, 'max-age=5'),
        ('/', 'none.example', 200, None),
        ('/', 'up.example', 200, 'max-age=7'),
        ('/', 'theirs.example', 200, 'max-age=1'),
    ],
)
def test_c10_3_browsers_are_told_over_https(
    over_tls: Serving, http2: bool, target: str, host: str, status: int, said: str
) -> None:
    if http2:
        with Http2(over_tls.http.port) as connection:
            answer = connection.answer(connection.ask(target, authority=host))
            told = [value for name, value in answer.fields if name == STRICT]
            assert (answer.status, told) == (status, [said] if said else [])
        return
    with over_tls.client(tls=lenient_tls()) as client:
        response = client.get(target, host=host)
        assert (response.status, response.headers.all(STRICT)) == (status, [said] if said else [])


def test_c10_3_nobody_is_told_in_plain(tmp_path: Any) -> None:
    tree(tmp_path, {'index.html': 'front'})
    theirs = says('from there', '200 OK', ('Strict-Transport-Security', 'max-age=1'))
    with Upstream(theirs) as upstream:
        config = {'web_root': str(tmp_path), 'security_headers': True, 'hsts': True}
        up = {'vhosts': {'up.example': {'proxy': upstream.name}}}
        with serving(**config, **up) as site, site.client() as client:
            for target, host in (('/', 'a'), ('/missing', 'a'), ('/', 'up.example')):
                response = client.get(target, host=host)
                assert response.headers.all(STRICT) == []
                assert response.headers['x-content-type-options'] == 'nosniff'


def test_c10_3_the_client_of_a_proxy_over_tls_may_have_come_in_plain(tmp_path: Any) -> None:
    tree(tmp_path, {'a.txt': 'a'})
    config = {'web_root': str(tmp_path), 'redirect_https': True, 'hsts': 60}
    with serving(mode=slimHTTP.HTTPS, trusted_proxies=TRUSTED, **config) as site:
        port = site.http.port
        with Http2(port) as connection:
            plain = connection.answer(
                connection.ask('/a.txt', ('x-forwarded-proto', 'http'), authority='a.example')
            )
            assert plain.status == 301
            assert plain.headers['location'] == f'https://a.example:{port}/a.txt'
            assert STRICT not in plain.headers
            secure = connection.answer(connection.ask('/a.txt', authority='a.example'))
            assert (secure.status, secure.headers[STRICT]) == (200, 'max-age=60')


def test_c10_3_one_instance_sends_from_one_listener_to_the_other(tmp_path: Any) -> None:
    tree(tmp_path, {'a.txt': 'a'})
    settle(tmp_path)
    secure = unused_port()
    config = {'web_root': str(tmp_path), 'redirect_https': True, 'hsts': 60}
    with serving(**config, listen=[f'https://127.0.0.1:{secure}']) as site, site.client() as plain:
        with Client(('127.0.0.1', secure), tls=lenient_tls()) as over_tls:
            for _ in range(4):
                sent = plain.get('/a.txt', host='127.0.0.1')
                assert sent.headers['location'] == f'https://127.0.0.1:{secure}/a.txt'
                there = over_tls.get('/a.txt')
                assert (there.text, there.headers[STRICT]) == ('a', 'max-age=60')
                with Client(('127.0.0.1', secure)) as misled:
                    sent = misled.get('/a.txt', host='127.0.0.1')
                    assert sent.headers['location'] == f'https://127.0.0.1:{secure}/a.txt'
            site.http.config['redirect_https'] = False
            for _ in range(4):
                assert STRICT not in plain.get('/a.txt', host='a').headers
                assert over_tls.get('/a.txt', host='a').headers[STRICT] == 'max-age=60'


def test_c4_1_a_host_without_a_port_is_looked_up_in_that_of_its_listener(tmp_path: Any) -> None:
    tree(tmp_path, {'one/a.txt': 'one', 'two/a.txt': 'two'})
    settle(tmp_path)
    other = unused_port()
    with serving(listen=[f'http://127.0.0.1:{other}']) as site:
        site.http.config['vhosts'] = {
            f'a:{site.http.port}': {'web_root': str(tmp_path / 'one')},
            f'a:{other}': {'web_root': str(tmp_path / 'two')},
        }
        with site.client() as one, Client(('127.0.0.1', other)) as two:
            for _ in range(4):
                assert one.get('/a.txt', host='a').text == 'one'
                assert two.get('/a.txt', host='a').text == 'two'
