"""redirects and rewrites: before routes, modules, proxies and files."""

from __future__ import annotations

import pytest
from support import serving, tree

FILES = {
    'root': {'index.html': 'front', 'new.html': 'new', 'users.html': 'users', 'old.html': 'old'}
}
of = pytest.mark.parametrize

REDIRECTS = {
    '/old.html': '/new.html',
    '/moved': {'to': 'https://example.org/here', 'status': 301},
    '/users/<name>': {'to': '/people/<name>', 'status': 308},
    '/users/me': '/me',
    '/blog/<path:rest>': '/articles/<rest>',
    '/query': '/target?fixed=1',
}


@of(
    ('target', 'status', 'location'),
    [
        ('/old.html', 302, '/new.html'),
        ('/old.html?a=b', 302, '/new.html?a=b'),
        ('/moved', 301, 'https://example.org/here'),
        ('/users/anna', 308, '/people/anna'),
        ('/users/a%20b', 308, '/people/a%20b'),
        ('/users/me', 302, '/me'),
        ('/blog/2026/11/x?y', 302, '/articles/2026/11/x?y'),
        ('/query?a=b', 302, '/target?fixed=1'),
        ('//old.html', 302, '/new.html'),
    ],
)
def test_a_redirect(site, target: str, status: int, location: str) -> None:
    files = site({'web_root': 'root', 'redirects': REDIRECTS, 'security_headers': True}, FILES)
    for method in ('GET', 'HEAD', 'POST'):
        with files.client() as client:
            response = client.request(method, target)
            assert response.status == status
            assert response.headers['location'] == location
            assert response.headers['x-content-type-options'] == 'nosniff'


def test_what_is_not_redirected_is_served(site) -> None:
    files = site({'web_root': 'root', 'redirects': REDIRECTS}, FILES)
    assert files.get('/new.html').body == b'new'
    assert files.get('/users').status == 404


@of(
    ('target', 'body'),
    [
        ('/app', b'new'),
        ('/u/anna', b'users'),
        ('/old.html', b'old'),
        ('/new.html', b'new'),
        ('/missing', None),
    ],
)
def test_a_rewrite(site, target: str, body) -> None:
    rewrites = {'/app': '/new.html', '/u/<name>': '/users.html?name=<name>'}
    response = site({'web_root': 'root', 'rewrites': rewrites}, FILES).get(target)
    assert response.body == body if body else response.status == 404


@of(
    ('target', 'body'),
    [('/', b'new'), ('/new', b'new'), ('/u/bob', b'users'), ('/docs/', b'new')],
)
def test_what_is_rewritten_to_a_page_is_that_page_and_no_redirect(site, target, body) -> None:
    """Its clean name may be the very path that was asked for: a circle."""
    rewrites = {
        '/': '/new.html',
        '/new': '/new.html',
        '/u/<name>': '/users.html?name=<name>',
        '/docs/': '/new.html',
    }
    files = site({'web_root': 'root', 'clean_urls': True, 'rewrites': rewrites}, FILES)
    response = files.get(target)
    assert (response.status, response.body) == (200, body), response
    assert files.get('/new.html').headers['location'] == '/new', 'named by the client'


def test_a_handler_sees_the_new_target_and_the_log_the_old(tmp_path) -> None:
    root = tree(tmp_path, FILES) / 'root'
    rewrites = {'/u/<name>': '/users?name=<name>'}
    log = tmp_path / 'access.log'
    options = {'rewrites': rewrites, 'access_log': {'format': 'common', 'file': str(log)}}
    with serving(web_root=str(root), **options) as site:

        @site.http.route('/users')
        def users(request):
            return {'url': request.url, 'name': request.query['name']}

        assert site.get('/u/anna').json() == {'url': '/users', 'name': 'anna'}
    assert 'GET /u/anna HTTP' in log.read_text()
