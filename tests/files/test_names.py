"""Which file answers a path: try_files, fallback, clean URLs, what is hidden."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from support import serving

FILES = {
    'root': {
        'index.html': 'front',
        'app.html': 'app',
        'about.html': 'about',
        'both.html': 'both page',
        'both': {'index.html': 'both folder'},
        'docs': {'index.html': 'docs', 'guide.html': 'guide', 'Makefile': 'file without a dot'},
        'empty': {'only.txt': 'only'},
        'style.css': 'style',
        'cached': {'about.txt': 'cached about'},
        '.env': 'secret',
        '.git': {'config': 'secret'},
        'docs2': {'.hidden': {'file.txt': 'secret'}},
        '.well-known': {'security.txt': 'contact', '.inner': 'secret'},
        'notes.bak': 'secret',
        'private': {'deep': {'file.txt': 'secret'}},
        '404.html': 'not here',
    }
}
of = pytest.mark.parametrize
BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'


def check(site, config: dict[str, Any], target: str, expected: Any, **headers: str) -> None:
    """`expected` is a body, a status, or the place of a redirect."""
    response = site({'web_root': 'root', **config}, FILES).get(target, **headers)
    if isinstance(expected, int):
        assert response.status == expected, response
    elif expected.startswith('/'):
        assert response.status == 301, response
        assert response.headers['location'] == expected
    else:
        assert (response.status, response.body) == (200, expected.encode()), response


@of(
    ('try_files', 'target', 'expected'),
    [
        (['{path}', '{path}/', '/app.html'], '/style.css', 'style'),
        (['{path}', '{path}/', '/app.html'], '/docs', '/docs/'),
        (['{path}', '{path}/', '/app.html'], '/docs/', 'docs'),
        (['{path}', '{path}/', '/app.html'], '/missing', 'app'),
        (['{path}', '{path}/', '/app.html'], '/missing.js', 'app'),
        (['$uri', '$uri/', '=404'], '/missing', 404),
        (['$uri', '=404'], '/docs/', 'docs'),
        (['$uri', '=404'], '/docs', 404),
        (['/cached{path}.txt', '{path}'], '/about', 'cached about'),
        (['{path}.html'], '/about', 'about'),
        (['{path}.html'], '/about?x=1', 'about'),
        (['{path}.html'], '/style.css', 404),
        ('/app.html', '/anything/at/all', 'app'),
        (['/docs/'], '/anything', 'docs'),
        (['{path}', '/.env'], '/missing', 404),
    ],
    ids=str,
)
def test_try_files(site, try_files: Any, target: str, expected: Any) -> None:
    check(site, {'try_files': try_files}, target, expected)


def test_a_script_that_try_files_names_answers_every_method(in_folder) -> None:
    script = 'def on_request(request):\n    return request.method\n'
    in_folder({'root': {'style.css': 'style', 'app.py': script}})
    with serving(web_root='root', try_files=['{path}', '/app.py']) as site, site.client() as client:
        for method in ('GET', 'POST', 'DELETE'):
            assert client.request(method, '/missing').text == method
        assert client.request('POST', '/style.css', body='x').status == 405


@of(
    ('target', 'headers', 'expected'),
    [
        ('/style.css', {}, 'style'),
        ('/', {}, 'front'),
        ('/users/7', {}, 'app'),
        ('/users/7/', {'accept': BROWSER}, 'app'),
        ('/users/7', {'accept': BROWSER, 'sec_fetch_dest': 'document'}, 'app'),
        ('/users/7', {'accept': BROWSER, 'sec_fetch_dest': 'iframe'}, 'app'),
        ('/users/7', {'accept': '*/*'}, 'app'),
        ('/empty/', {'accept': BROWSER}, 'app'),
        # What a page is made of stays missing.
        ('/app.3f9c2b1a.js', {'accept': '*/*'}, 404),
        ('/picture', {'accept': 'image/avif,image/webp,*/*;q=0.8'}, 404),
        ('/script', {'accept': '*/*', 'sec_fetch_dest': 'script'}, 404),
        ('/users/7', {'accept': BROWSER, 'sec_fetch_dest': 'image'}, 404),
        ('/api/users', {'accept': 'application/json'}, 404),
        ('/api/users', {'accept': 'text/html;q=0, */*'}, 404),
        ('/favicon.ico', {'accept': BROWSER}, 404),
    ],
    ids=str,
)
def test_a_fallback_answers_navigations_only(site, target, headers, expected) -> None:
    check(site, {'fallback': '/app.html'}, target, expected, **headers)


def test_a_fallback_has_the_head_of_a_file(site) -> None:
    files = site({'web_root': 'root', 'fallback': '/app.html'}, FILES)
    with files.client() as client:
        response = client.get('/users/7')
        assert response.headers['etag'] == client.get('/app.html').headers['etag']
        again = client.get('/users/8', if_none_match=response.headers['etag'])
        assert again.status == 304
        # No cache gives the page to the fetch of a script, which is to get 404.
        for told in (response, again):
            assert told.headers['vary'] == 'Accept-Encoding, Accept, Sec-Fetch-Dest'
        assert client.get('/app.html').headers['vary'] == 'Accept-Encoding'
        head = client.request('HEAD', '/users/7')
        assert (head.status, head.headers['content-length']) == (200, '3')
        for response in (again, head):
            vary = response.headers['vary'].split(', ')
            assert {'Accept', 'Sec-Fetch-Dest', 'Accept-Encoding'} <= set(vary), 'for caches'
        assert 'Accept,' not in client.get('/app.html').headers['vary']
        assert client.request('POST', '/users/7', body='x').status == 405


@of(
    ('config', 'told'),
    [
        ({'fallback': '/app.htm'}, 'the fallback'),
        ({'error_pages': {'404': '/app.htm'}}, 'the error page'),
    ],
)
def test_a_page_that_is_missing_itself_is_told_of(site, config, told: str) -> None:
    running = site({'web_root': 'root', **config}, FILES, fresh=True)
    assert running.get('/users/7').status == 404
    running.wait_for(rf'{told} \S+app\.htm cannot be sent: 404 Not Found')


@of(
    ('target', 'expected'),
    [
        ('/about', 'about'),
        ('/about.html', '/about'),
        ('/about.html?a=b', '/about?a=b'),
        ('/docs/guide', 'guide'),
        ('/docs/guide.html', '/docs/guide'),
        ('/docs/index.html', '/docs/'),
        ('/index.html', '/'),
        ('/', 'front'),
        ('/docs', '/docs/'),
        ('/docs/', 'docs'),
        ('/docs/Makefile', 'file without a dot'),
        ('/style.css', 'style'),
        ('/missing', 404),
        ('/missing.html', 404),
        ('/both', 'both page'),
        ('/both/', 'both folder'),
    ],
)
def test_clean_urls(site, target: str, expected: Any) -> None:
    check(site, {'clean_urls': True}, target, expected)


@of('target', ['/about', '/docs/guide'])
def test_urls_are_cleaned_on_request_only(site, target: str) -> None:
    check(site, {}, target, 404)
    check(site, {}, target + '.html', target.rsplit('/', 1)[1])


@of(
    ('config', 'target', 'expected'),
    [
        ({}, '/.env', 404),
        ({}, '/.git/config', 404),
        ({}, '/%2egit/config', 404),
        ({}, '/docs2/.hidden/file.txt', 404),
        ({}, '/.well-known/security.txt', 'contact'),
        ({}, '/.well-known/.inner', 404),
        ({'dotfiles': True}, '/.env', 'secret'),
        ({'dotfiles': True}, '/.git/config', 'secret'),
        ({}, '/notes.bak', 'secret'),
        ({'exclude': '*.bak'}, '/notes.bak', 404),
        ({'exclude': ['*.tmp', '*.bak']}, '/notes.bak', 404),
        ({'exclude': '/private/**'}, '/private/deep/file.txt', 404),
        ({'exclude': 'private'}, '/private/deep/file.txt', 404),
        ({'exclude': 'index.html'}, '/', 404),
        ({'exclude': 'app.html', 'fallback': '/app.html'}, '/users/7', 'app'),
        ({'exclude': 'app.html', 'fallback': '/app.html'}, '/app.html', 404),
    ],
    ids=str,
)
def test_what_is_hidden_is_not_served(site, config: dict[str, Any], target, expected) -> None:
    check(site, config, target, expected)


@of(
    ('config', 'present'),
    [
        ({}, None),
        ({'listing': True}, {'deep', 'only.txt'}),
    ],
    ids=('unasked', 'asked'),
)
def test_c5_3_a_folder_is_listed_on_request_only(site, config, present: Optional[set[str]]) -> None:
    files = site({'web_root': 'root', **config}, FILES)
    response = files.get('/empty/', accept='application/json')
    assert response.status == (200 if present else 404)
    if present:
        assert response.headers['content-type'] == 'application/json'
        assert b'only.txt' in response.body
        assert files.get('/').body == b'front'
        assert files.get('/docs2/').body.count(b'.hidden') == 0
        assert files.get('/empty').headers['location'] == '/empty/'
        assert files.client().request('HEAD', '/empty/').status == 200
