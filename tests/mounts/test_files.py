"""C11.1: folders of files, each at its prefix."""

from __future__ import annotations

import pytest
from support import serving, settle

FILES = {
    'www/index.html': 'www',
    'www/a.css': 'www a',
    'www/404.html': 'www 404',
    'www/app.html': 'www app',
    'www/static/a.css': 'never sent: below the mount',
    'www/same/a.css': 'www same',
    'static/index.html': 'static',
    'static/a.css': 'static a' * 400,
    'static/sub/index.html': 'static sub',
    'static/sub/page.html': 'static page',
    'static/no-index/b.txt': 'b',
    'static/404.html': 'static 404',
    'static/run.py': 'raise SystemExit',
}


@pytest.fixture
def site(in_folder):
    in_folder(FILES)
    with serving(
        web_root='www',
        error_pages={'404': '/404.html'},
        mounts={
            '/static': {'web_root': 'static', 'scripts': False},
            '/listed/': {'web_root': 'static', 'listing': True, 'index': 'none'},
            '/own': {'web_root': 'static', 'error_pages': {'404': '/404.html'}},
            '/clean': {'web_root': 'static', 'clean_urls': True},
            '/try': {'web_root': 'static', 'try_files': ['{path}', '/sub/page.html']},
            '/spa': {'web_root': 'static', 'fallback': '/index.html'},
            '/same': {'cache_control': 'no-store'},
            '/ä b': {'web_root': 'static'},
            '/cors': {'web_root': 'static', 'cors': 'https://o.example'},
            '/small': {'web_root': 'static', 'max_body': 3},
            '/plain': {'web_root': 'static', 'compress': False},
            '/headers': {'web_root': 'static', 'response_headers': {'X-Of': 'mount'}},
        },
        vhosts={'spa.example': {'fallback': '/app.html', 'mounts': {'/x': {'web_root': 'static'}}}},
    ) as site:
        yield site


@pytest.mark.parametrize(
    ('target', 'status', 'text'),
    [
        ('/', 200, 'www'),
        ('/a.css', 200, 'www a'),
        ('/static/', 200, 'static'),
        ('/static/a.css', 200, FILES['static/a.css']),
        ('/static/sub/', 200, 'static sub'),
        ('/st%61tic/sub/page.html', 200, 'static page'),
        ('/x/../static//sub/', 200, 'static sub'),
        # What is inherited is where it is for the scope around.
        ('/same/a.css', 200, 'www same'),
        ('/%C3%A4%20b/', 200, 'static'),
        ('/statics', 404, 'www 404'),
        ('/Static/', 404, 'www 404'),
        ('/static/index.htm', 404, 'www 404'),
        ('/static/run.py', 404, 'www 404'),
        ('/static/no-index/', 404, 'www 404'),
        ('/static%2Fa.css', 404, 'www 404'),
        ('/static/static/a.css', 404, 'www 404'),
        # The page of whoever names it.
        ('/own/none', 404, 'static 404'),
        ('/try/none', 200, 'static page'),
        ('/spa/none', 200, 'static'),
        ('/spa/none.css', 404, 'www 404'),
    ],
)
def test_c11_1_a_folder_is_looked_up_below_its_mount(site, target, status, text):
    response = site.get(target)
    assert (response.status, response.text) == (status, text)


@pytest.mark.parametrize(
    ('target', 'location'),
    [
        ('/static', '/static/'),
        ('/static?q=1', '/static/?q=1'),
        ('/static/sub', '/static/sub/'),
        ('//static/sub', '/static/sub/'),
        ('/%C3%A4%20b', '/%C3%A4%20b/'),
        ('/%C3%A4%20b/sub?x', '/%C3%A4%20b/sub/?x'),
        ('/listed', '/listed/'),
        ('/clean/sub/page.html', '/clean/sub/page'),
        ('/clean/index.html?x', '/clean/?x'),
        ('/clean/sub/index.html', '/clean/sub/'),
        ('/same', '/same/'),
    ],
)
def test_c11_1_redirects_keep_the_prefix(site, target, location):
    response = site.get(target)
    assert (response.status, response.headers['Location']) == (301, location)


def test_c11_1_a_listing_knows_where_it_is(site):
    page = site.get('/listed/sub/', Accept='text/html').text
    assert '<title>Index of /listed/sub/</title>' in page
    assert 'href="./page.html"' in page
    assert '<a href="../"><bdi>listed</bdi></a>' in page
    listed = site.get('/listed/', Accept='application/json').json()
    assert {entry['name'] for entry in listed['entries']} >= {'a.css', 'sub'}


def test_c11_1_what_a_mount_says_holds_there_alone(site):
    assert site.get('/same/a.css').headers['Cache-Control'] == 'no-store'
    assert 'Cache-Control' not in site.get('/a.css').headers
    assert site.get('/headers/').headers['X-Of'] == 'mount'
    assert site.get('/headers/none').headers['X-Of'] == 'mount'
    assert 'X-Of' not in site.get('/static/').headers
    for target, coding in [('/static/a.css', 'gzip'), ('/plain/a.css', None)]:
        response = site.get(target, Accept_Encoding='gzip')
        assert response.headers.get('Content-Encoding') == coding, target
    with site.client() as client:
        for target, status in [('/small/a.css', 413), ('/static/a.css', 405)]:
            assert client.request('POST', target, body=b'four').status == status, target
    origin = {'Origin': 'https://o.example'}
    for target, allowed in [('/cors/a.css', 'https://o.example'), ('/static/a.css', None)]:
        with site.client() as client:
            response = client.request('GET', target, origin)
        assert response.headers.get('Access-Control-Allow-Origin') == allowed, target
    with site.client() as client:
        asked = {**origin, 'Access-Control-Request-Method': 'GET'}
        assert client.request('OPTIONS', '/cors/a.css', asked).status == 204
        assert 'Allow' in client.request('OPTIONS', '/static/a.css', asked).headers


def test_c11_1_a_fallback_is_found_where_it_was_named(site):
    # That of the virtual host: from its folder, whatever folder the mount has.
    response = site.get('/x/none', 'spa.example')
    assert (response.status, response.text) == (200, 'www app')
    assert site.get('/x/sub/page.html', 'spa.example').text == 'static page'
    # The mounts of the global level are not its own.
    assert site.get('/static/a.css', 'spa.example').text == FILES['www/static/a.css']


def test_c11_1_a_fallback_of_a_scope_without_files_is_none(in_folder):
    in_folder({'static/index.html': 'static'})
    mounts = {
        '/x': {'web_root': 'static'},
        '/own': {'web_root': 'static', 'fallback': '/index.html'},
    }
    with serving(proxy='127.0.0.1:9', fallback='/index.html', mounts=mounts) as site:
        assert site.get('/x/none').status == 404
        assert (site.get('/own/none').status, site.get('/own/none').text) == (200, 'static')


def test_c11_1_what_is_cached_is_of_one_mount(in_folder):
    folder = in_folder({'one/a': 'one', 'two/a': 'two', 'www/a': 'www'})
    settle(folder)
    mounts = {'/1': {'web_root': 'one'}, '/2': {'web_root': 'two'}}
    with serving(web_root='www', mounts=mounts) as site, site.client() as client:
        for _ in range(3):
            for target, text in [('/1/a', 'one'), ('/2/a', 'two'), ('/a', 'www')]:
                assert client.get(target).text == text
        del site.http.config['mounts']['/1']
        assert client.get('/1/a').status == 404
        site.http.config['mounts']['/2']['web_root'] = 'one'
        assert client.get('/2/a').text == 'one'
