"""error_pages: pages of the scope's own in place of the built-in ones."""

from __future__ import annotations

from typing import Any

import pytest
from support import serving, tree, unused_port

FILES = {
    'root': {
        'index.html': 'front',
        '404.html': 'not here',
        'errors': {'any.html': 'some error', 'data.txt': 'd' * 3000},
    }
}
of = pytest.mark.parametrize


@of(
    ('pages', 'target', 'method', 'status', 'body'),
    [
        ({'404': '/404.html'}, '/missing', 'GET', 404, b'not here'),
        ({'404': '404.html'}, '/missing', 'GET', 404, b'not here'),
        ({'4xx': '/errors/any.html'}, '/missing', 'GET', 404, b'some error'),
        ({'4xx': '/errors/any.html', '404': '/404.html'}, '/missing', 'GET', 404, b'not here'),
        ({'4xx': '/errors/any.html', '404': '/404.html'}, '/', 'DELETE', 405, b'some error'),
        ({'404': '/404.html'}, '/%zz', 'GET', 400, None),
        ({'400': '/404.html'}, '/%zz', 'GET', 400, b'not here'),
        ({'404': '/not-there.html'}, '/missing', 'GET', 404, None),
        ({'404': '/errors'}, '/missing', 'GET', 404, None),
        ({'5xx': '/404.html'}, '/missing', 'GET', 404, None),
        ({'404': '/404.html'}, '/', 'GET', 200, b'front'),
    ],
    ids=str,
)
def test_the_page_of_a_status(
    site, pages, target: str, method: str, status: int, body: Any
) -> None:
    files = site({'web_root': 'root', 'error_pages': pages}, FILES)
    with files.client() as client:
        response = client.request(method, target)
        assert response.status == status
        if body is None:
            assert b'<h1>' in response.body
        else:
            assert response.body == body
        assert response.headers['content-type'] == 'text/html; charset=utf-8'
        if status == 405:
            assert 'GET' in response.headers['allow']


def test_the_page_is_no_representation_of_what_is_missing(site) -> None:
    files = site({'web_root': 'root', 'error_pages': {'404': '/404.html'}}, FILES)
    with files.client() as client:
        tag = client.get('/404.html').headers['etag']
        response = client.get('/missing', if_none_match=tag, range='bytes=0-2', if_match='"x"')
        assert (response.status, response.body) == (404, b'not here')
        for name in ('etag', 'last-modified', 'accept-ranges', 'content-range', 'cache-control'):
            assert name not in response.headers
        head = client.request('HEAD', '/missing')
        assert (head.status, head.headers['content-length']) == (404, '8')
        assert (client.request('POST', '/missing', body='x').status) == 405


def test_the_page_is_sent_in_a_coding(site) -> None:
    files = site({'web_root': 'root', 'error_pages': {'404': '/errors/data.txt'}}, FILES)
    response = files.get('/missing', accept_encoding='br')
    assert (response.status, response.headers['content-encoding']) == (404, 'br')
    assert response.headers['vary'] == 'Accept-Encoding'
    assert len(response.body) < 100


def test_the_page_of_a_gateway(site) -> None:
    config = {
        'web_root': 'root',
        'proxy': f'127.0.0.1:{unused_port()}',
        'error_pages': {'502': '/404.html'},
    }
    response = site(config, FILES).get('/anything')
    assert (response.status, response.body) == (502, b'not here')


def test_a_hidden_page_may_be_an_error_page(site) -> None:
    config = {'web_root': 'root', 'error_pages': {'404': '/404.html'}, 'exclude': '404.html'}
    files = site(config, FILES)
    for target in ('/missing', '/404.html'):
        response = files.get(target)
        assert (response.status, response.body) == (404, b'not here')


def test_a_number_is_a_status_and_an_answer_of_python_is_its_own(tmp_path) -> None:
    root = tree(tmp_path, FILES) / 'root'
    with serving(web_root=str(root), error_pages={404: '/404.html', 500: '/404.html'}) as site:
        import slimHTTP

        @site.http.route('/own')
        def own(request):
            return slimHTTP.HTTP_RESPONSE(ret_code=404, payload=b'mine')

        @site.http.route('/broken')
        def broken(request):
            raise ValueError

        assert site.get('/missing').body == b'not here'
        assert (site.get('/own').status, site.get('/own').body) == (404, b'mine')
        assert (site.get('/broken').status, site.get('/broken').body) == (500, b'not here')
