"""CORS as a browser sees it: what its page may read of another origin, and what not."""

from __future__ import annotations

import json

from support import serving, tree
from support.chromium import Chromium

PAGE = '<!doctype html><link rel="icon" href="data:,">'

#: Fetches, and comes to the status, the text and a field; or to what the page is told instead.
FETCH = """fetch(%s, %s).then(
    async (answer) => [answer.status, await answer.text(), answer.headers.get('X-Total')],
    (error) => error.name,
)"""


def test_what_a_page_may_read(browser: Chromium, tmp_path) -> None:
    folder = tree(tmp_path, {'a.txt': 'a file'})
    # Two names of this machine are two hosts, and so two origins.
    with serving() as pages, serving(web_root=str(folder)) as site, browser.page() as page:

        @pages.http.route('/')
        def blank(request):
            return PAGE

        @site.http.route('/api', methods=['PUT', 'DELETE'])
        def api(request):
            request.response_headers['X-Total'] = '3'
            return f'{request.method} by {request.cookies.get("user")}'

        @site.http.route('/login')
        def login(request):
            request.set_cookie('user', 'ada')
            return PAGE

        own = f'http://127.0.0.1:{pages.http.port}'
        there = f'http://127.0.0.1:{site.http.port}'

        def fetch(path: str, **options):
            return page.run(FETCH % (json.dumps(there + path), json.dumps(options)))

        put = {'method': 'PUT', 'headers': {'X-Token': 't', 'Content-Type': 'application/json'}}
        page.go(f'{there}/login')
        page.go(f'{own}/')
        assert fetch('/a.txt') == 'TypeError', 'not without a word'

        site.http.config['cors'] = True
        assert fetch('/a.txt') == [200, 'a file', None]
        assert fetch('/missing')[0] == 404, 'a refusal can be read'
        assert fetch('/api', **put) == [200, 'PUT by None', None]
        assert fetch('/a.txt', credentials='include') == 'TypeError'

        site.http.config['cors'] = {
            'origins': [own],
            'methods': ['PUT'],
            'expose': 'X-Total',
            'credentials': True,
            'max_age': 0,
        }
        assert fetch('/api', credentials='include', **put) == [200, 'PUT by ada', '3']
        assert fetch('/api', method='DELETE') == 'TypeError', 'no method that is not listed'

        site.http.config['cors'] = 'https://somebody.example'
        # One that it has not fetched before: what it has it may keep.
        assert fetch('/a.txt?new') == 'TypeError'
