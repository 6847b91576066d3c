"""CORS: what browsers are told, whoever answers; over real sockets and, for the tables, once each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import Serving, Upstream, says, serving, settle, tree, unused_port
from support.websocket_frames import handshake

of = pytest.mark.parametrize

APP = 'https://app.example.com'
OTHER = 'https://other.example'
LISTED = {'origins': [APP, 'https://*.apps.example.com'], 'credentials': True, 'expose': 'X-Total'}
FILES = {'root': {'index.html': 'front', 'a.txt': 'a', 'form.txt': 'x' * 40}}


def told(response) -> dict[str, str]:
    """What an answer says to browsers."""
    names = {name.lower() for name in response.headers}
    said = {name: response.headers[name] for name in names if name.startswith('access-control-')}
    return {**said, 'vary': response.headers.get('vary', '')}


def preflight(client, target: str = '/a.txt', origin: str = APP, **options: Any):
    fields = {
        'Origin': origin,
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'content-type,x-token',
        **options.pop('fields', {}),
    }
    return client.request('OPTIONS', target, headers=fields, **options)


def test_every_way_of_answering_is_told_about(tmp_path) -> None:
    """Routes, failures, refusals, files, redirects, modules and upstreams alike."""
    module = "def on_request(request): return 'module' if request.url == '/' else None"
    root = tree(tmp_path, {**FILES, 'app.py': module}) / 'root'
    with Upstream(says('theirs', '200 OK', *THEIRS)) as upstream, open_site(root, upstream) as site:
        with site.client() as client:
            for target, host, status in [
                ('/a.txt', '', 200),
                ('/missing', '', 404),
                ('/route', '', 200),
                ('/fails', '', 500),
                ('/only-post', '', 405),
                ('/old', '', 302),
                ('/', 'module.example', 200),
                ('/none', 'module.example', 404),
                ('/', 'proxy.example', 200),
                ('/', 'dead.example', 502),
            ]:
                for origin, granted in [
                    (APP, APP),
                    ('https://x.apps.example.com', 'https://x.apps.example.com'),
                    (OTHER, None),
                    ('null', None),
                    (None, None),
                ]:
                    fields = {'Origin': origin} if origin else {}
                    response = client.request('GET', target, headers=fields, host=host)
                    assert response.status == status, (target, host)
                    said = told(response)
                    assert 'Origin' in said.pop('vary').split(', '), (target, host, origin)
                    expected = {
                        'access-control-allow-origin': granted,
                        'access-control-allow-credentials': 'true',
                        'access-control-expose-headers': 'X-Total',
                    }
                    if granted is None:
                        # What only describes fields lets nobody read them.
                        said.pop('access-control-expose-headers', None)
                    assert said == (expected if granted else {}), (target, host, origin)
                    for name in said:
                        assert len(response.headers.all(name)) == 1, (target, host, name)


#: The policy of an upstream.
THEIRS = [
    ('Access-Control-Allow-Origin', 'https://the-upstream.example'),
    ('Access-Control-Allow-Credentials', 'true'),
    ('Access-Control-Expose-Headers', 'X-Theirs'),
]


@contextlib.contextmanager
def open_site(root, upstream: Upstream) -> Iterator[Serving]:
    vhosts = {
        'module.example': {'module': str(root.parent / 'app.py')},
        'proxy.example': {'proxy': upstream.name},
        'dead.example': {'proxy': f'127.0.0.1:{unused_port()}'},
    }
    with serving(
        web_root=str(root), cors=LISTED, redirects={'/old': '/new'}, vhosts=vhosts
    ) as site:

        @site.http.route('/route')
        def route(request):
            request.response_headers['Access-Control-Allow-Origin'] = OTHER
            return 'route'

        @site.http.route('/fails')
        def fails(request):
            raise RuntimeError('on purpose')

        @site.http.route('/only-post', methods=['POST'])
        def only_post(request):
            return 'posted'

        yield site


@of('host', ['', 'module.example', 'proxy.example'])
def test_a_preflight_is_answered_before_anybody_is_asked(tmp_path, host: str) -> None:
    root = tree(tmp_path, {**FILES, 'app.py': 'raise SystemError("it is asked")'}) / 'root'
    with Upstream() as upstream, open_site(root, upstream) as site, site.client() as client:
        for target in ['/a.txt', '/missing', '/fails', '/only-post', '/old']:
            response = preflight(client, target, host=host)
            assert (response.status, response.body) == (204, b'')
            assert told(response) == {
                'access-control-allow-origin': APP,
                'access-control-allow-credentials': 'true',
                'access-control-allow-methods': 'PUT',
                'access-control-allow-headers': 'content-type, x-token',
                'access-control-expose-headers': 'X-Total',
                'access-control-max-age': '600',
                'vary': 'Origin',
            }
        refused = preflight(client, origin=OTHER, host=host)
        assert (refused.status, told(refused)) == (204, {'vary': 'Origin'})
        assert not upstream.exchanges


def test_what_is_no_preflight_goes_on(tmp_path) -> None:
    """An OPTIONS without the method that is to follow is one like any other."""
    root = tree(tmp_path, FILES) / 'root'
    with serving(web_root=str(root), cors=True) as site, site.client() as client:
        for fields in ({}, {'Origin': APP}, {'Access-Control-Request-Method': 'PUT'}):
            plain = client.request('OPTIONS', '/a.txt', headers=fields)
            assert plain.headers['Allow'] == 'GET, HEAD, OPTIONS'
        assert 'Allow' not in preflight(client).headers
        site.http.config['cors'] = False
        off = preflight(client)
        assert off.headers['Allow'] == 'GET, HEAD, OPTIONS'
        assert told(off) == {'vary': ''}


def test_everybody_may_read_and_nothing_varies(tmp_path) -> None:
    root = tree(tmp_path, FILES) / 'root'
    with serving(web_root=str(root), cors=True, compress=False) as site, site.client() as client:
        for fields in ({}, {'Origin': APP}, {'Origin': 'null'}):
            response = client.request('GET', '/a.txt', headers=fields)
            assert told(response) == {'access-control-allow-origin': '*', 'vary': ''}
            # What a browser has stays readable when it asks whether it is still right.
            again = {**fields, 'If-None-Match': response.headers['ETag']}
            response = client.request('GET', '/a.txt', headers=again)
            assert response.status == 304
            assert told(response) == {'access-control-allow-origin': '*', 'vary': ''}


def test_an_answer_that_is_given_again_is_for_the_same_origin(tmp_path) -> None:
    """Answers from files stand ready for a moment: by origin, or one would get another's."""
    root = tree(tmp_path, FILES) / 'root'
    # So long that the second answer of each is surely one that stood ready.
    with (
        serving(
            web_root=str(root), cors=[APP, OTHER], file_cache={'revalidate': 60}, io_threads=1
        ) as site,
        site.client() as client,
    ):
        settle(root / 'a.txt')
        for _ in range(2):
            for origin in (APP, OTHER, 'https://third.example', None):
                fields = {'Origin': origin} if origin else {}
                response = client.request('GET', '/a.txt', headers=fields)
                expected = origin if origin in (APP, OTHER) else None
                assert response.headers.get('access-control-allow-origin') == expected
                assert 'Origin' in response.headers['vary']


def test_what_a_table_says(tmp_path) -> None:
    rule = {'methods': ['GET', 'PUT'], 'headers': 'X-Token', 'max_age': 0}
    with serving(web_root=str(tmp_path), cors=rule) as site, site.client() as client:
        assert told(preflight(client)) == {
            'access-control-allow-origin': '*',
            'access-control-allow-methods': 'GET, PUT',
            'access-control-allow-headers': 'X-Token',
            'access-control-max-age': '0',
            'vary': '',
        }


def test_credentials_with_everybody_are_a_fault() -> None:
    with serving() as site:
        with pytest.raises(slimHTTP.ConfError, match=r'cors\.origins: expected origins beside'):
            site.http.config['cors'] = {'credentials': True}
        assert 'cors' not in site.http.config


def test_a_websocket_is_opened_by_its_own_rule(tmp_path) -> None:
    """`cors` says who may read; a WebSocket acts with cookies, so its route says who may open it."""
    with serving(cors=[APP]) as site:

        @site.http.websocket('/ws')
        async def ws(socket):
            await socket.close()

        with site.client() as client:
            assert client.request('GET', '/ws', handshake(Origin=APP)).status == 403
