"""With `debug`, a browser loads a page anew when what the page is made of changes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from support import Program, Response, Serving, Upstream, says, serving, tree, wait_until
from support.chromium import Chromium
from support.sites import ANSWERS, HOST, write

of = pytest.mark.parametrize

#: What a browser sends with a request for a page.
SHOW = {'Sec-Fetch-Dest': 'document', 'Accept-Encoding': 'gzip, br', 'Accept': 'text/html'}
PAGE = '<!doctype html><title>t</title><link rel=stylesheet href=/own.css><p id=text>first</p>'
TAIL = re.compile(r'\n<script data-seen="([0-9a-f]+\.[0-9a-f]+)">(.*)</script>\n\Z', re.DOTALL)
STREAM = '/.slimhttp/reload'
FILES = {
    'www': {'index.html': PAGE, 'own.css': 'p { color: green }', 'empty.html': '', 'a.txt': 'text',
            'long.html': PAGE * 10_000, 'page.html': PAGE, 'named.html': PAGE, 'index.xhtml': '<html/>'},
    'vhost.py': ANSWERS.format('module'),
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    tree(tmp_path, FILES)
    hosts = {
        HOST: {'module': os.fspath(tmp_path / 'vhost.py')},
        'plain.example': {'debug': False},
        'off.example': {'live_reload': False},
    }
    with serving(web_root=os.fspath(tmp_path / 'www'), debug=True, vhosts=hosts) as site:

        @site.http.route('/stream')
        def stream(request):
            yield PAGE
            yield 'more'

        @site.http.route('/of/a/length')
        def of_a_length(request):
            request.response_headers['Content-Length'] = str(len(PAGE))
            return iter([PAGE])

        @site.http.route('/gzipped')
        def gzipped(request):
            request.response_headers['Content-Encoding'] = 'gzip'
            return gzip.compress(PAGE.encode())

        site.http.route('/named')(lambda request: tmp_path / 'www/named.html')
        site.http.route('/json')(lambda request: {'a': 1})
        site.http.route('/fails')(lambda request: 1 / 0)
        site.http.route('/later')(later)
        yield site


async def later(request):
    return PAGE


def show(
    site: Serving, target: str = '/', host: str = '', method: str = 'GET', **more: str
) -> Response:
    with site.client() as client:
        return client.request(method, target, {**SHOW, **more}, host=host)


# Which answers are added to


@of(
    'target',
    [
        '/',
        '/page.html',
        '/empty.html',
        '/long.html',
        '/stream',
        '/of/a/length',
        '/later',
        '/missing',
        '/fails',
    ],
)
def test_a_page_that_is_shown_has_the_script_at_its_end(site: Serving, target: str) -> None:
    plain, shown = site.get(target), show(site, target)
    found = TAIL.search(shown.text)
    assert found is not None, shown.text[-300:]
    if target != '/fails':
        assert shown.text[: found.start()] == plain.text
    assert shown.status == plain.status
    assert 'Content-Encoding' not in shown.headers
    assert 'ETag' not in shown.headers
    assert 'data-seen' not in plain.text, 'not for programs'
    head = show(site, target, method='HEAD')
    assert head.body == b''
    if 'Content-Length' in shown.headers and target != '/fails':
        assert head.headers.get('Content-Length') in (str(len(shown.body)), None)


@of(
    ('target', 'fields'),
    [
        ('/a.txt', {}),
        ('/index.xhtml', {}),
        ('/json', {}),
        ('/gzipped', {}),
        ('/', {'Sec-Fetch-Dest': 'empty'}),
        ('/', {'Sec-Fetch-Dest': 'script'}),
        ('/', {'Range': 'bytes=0-3'}),
    ],
)
def test_nothing_else_is_added_to(site: Serving, target: str, fields: dict[str, str]) -> None:
    response = show(site, target, **fields)
    body = (
        gzip.decompress(response.body)
        if response.headers.get('Content-Encoding') == 'gzip'
        else response.body
    )
    assert b'data-seen' not in body
    assert response.status == (206 if 'Range' in fields else 200)


@of('host', ['plain.example', 'off.example'])
def test_without_debug_or_the_option_nothing_is_there(site: Serving, host: str) -> None:
    assert b'data-seen' not in show(site, '/', host).body
    assert show(site, STREAM, host).status == 404
    assert (
        show(site, '/', host, **{'If-None-Match': show(site, '/', host).headers['ETag']}).status
        == 304
    )


def test_what_an_upstream_answers_is_its_own() -> None:
    with Upstream(says(PAGE, '200 OK', ('Content-Type', 'text/html'))) as upstream:
        with serving(proxy=upstream.name, debug=True) as site:
            assert show(site, '/').text == PAGE


def test_a_page_is_never_answered_from_what_the_browser_has(site: Serving) -> None:
    tag = site.get('/').headers['ETag']
    assert site.get('/', **{'If-None-Match': tag}).status == 304
    assert show(site, '/', **{'If-None-Match': tag}).status == 200


def test_an_edit_shows_at_once_in_spite_of_the_cache_of_files(
    site: Serving, tmp_path: Path
) -> None:
    for number in range(5):
        write(tmp_path / 'www' / 'page.html', f'<p>{number}')
        assert f'<p>{number}' in show(site, '/page.html').text


def test_the_parts_of_a_page_are_asked_for_again(site: Serving) -> None:
    site.http.config['cache_control'] = 'max-age=3600'
    part = {'Sec-Fetch-Dest': 'style'}
    assert site.get('/own.css').headers['Cache-Control'] == 'max-age=3600'
    response = site.get('/own.css', **part)
    assert response.headers['Cache-Control'] == 'no-cache'
    assert site.get('/own.css', **part, **{'If-None-Match': response.headers['ETag']}).status == 304


def test_the_policy_of_a_page_admits_the_script(site: Serving) -> None:
    site.http.config['response_headers'] = {'Content-Security-Policy': "default-src 'none'"}
    for target in ('/', '/fails'):
        response = show(site, target)
        script = TAIL.search(response.text)[2]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = response.headers['Content-Security-Policy']
        assert f"'sha256-{digest}'" in policy
        assert "connect-src 'self'" in policy
    assert site.get('/').headers['Content-Security-Policy'] == "default-src 'none'"


# What is told


class Listener:
    """Who listens for changes, as the script of a page does."""

    def __init__(self, site: Serving, host: str = '') -> None:
        self.client = site.client()
        self.client.send('GET', STREAM, {'Accept': 'text/event-stream'}, host=host)
        self.head = self.client.read_head()

    def next(self) -> str:
        """The next version that is told."""
        while True:
            line = self.client.read_until(b'\n').decode().strip()
            if line.startswith('data: '):
                return line[6:]


def version_of(site: Serving, target: str = '/', host: str = '') -> str:
    return TAIL.search(show(site, target, host).text)[1]


CHANGES: dict[str, Callable[[Any, Path], Any]] = {
    'the page': lambda site, folder: write(folder / 'www/index.html', 'other'),
    'a part of it': lambda site, folder: write(folder / 'www/own.css', 'other'),
    'one that was missing': lambda site, folder: write(folder / 'www/missing.js', 'now there'),
    'one that goes': lambda site, folder: (folder / 'www/own.css').unlink(),
    'one that a handler named': lambda site, folder: write(folder / 'www/named.html', 'other'),
    'the configuration': lambda site, folder: site.http.config.update(index=['page.html']),
}


@of('change', CHANGES)
def test_a_change_is_told(site: Serving, tmp_path: Path, change: str) -> None:
    version = version_of(site)
    for part in ('/own.css', '/missing.js', '/named'):
        site.get(part, **{'Sec-Fetch-Dest': 'script'})
    listener = Listener(site)
    assert listener.head.headers['Content-Type'] == 'text/event-stream'
    assert listener.next() == version
    write(tmp_path / 'www/a.txt', 'a file of no page')
    CHANGES[change](site, tmp_path)
    told = listener.next()
    assert told != version
    assert version_of(site) == told


def test_a_module_and_the_files_of_a_failure_are_told(site: Serving, tmp_path: Path) -> None:
    site.http.config['vhosts'][HOST]['debug'] = True
    path = tmp_path / 'vhost.py'
    version = version_of(site, host=HOST)
    listener = Listener(site, HOST)
    assert listener.next() == version
    for source in ('raise RuntimeError', 'def on_request(request', ANSWERS.format('well')):
        write(path, source)
        told = listener.next()
        assert told != version
        version = version_of(site, host=HOST)
        assert version == told


def test_the_end_of_reloading_is_told_and_ends_it(site: Serving) -> None:
    version = version_of(site)
    listener = Listener(site)
    assert listener.next() == version
    site.http.config['live_reload'] = False
    assert listener.next() == 'gone'
    listener.client.read_until(b'\r\n0\r\n\r\n')


def test_who_listens_does_not_hold_up_the_end(tmp_path: Path) -> None:
    program = (
        'import slimHTTP\n'
        "slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, debug=True, grace_period=60).run()\n"
    )
    with Program(program, cwd=tmp_path) as process:
        listener = Listener(Serving(process, '127.0.0.1'))
        listener.next()
        assert process.stop() == 0


# A browser


def test_a_browser_loads_the_page_anew_and_recovers_from_a_failure(
    tmp_path: Path, browser: Chromium
) -> None:
    tree(tmp_path, FILES)
    vhosts = {'app.localhost': {'module': os.fspath(tmp_path / 'vhost.py')}}
    fields = {'Content-Security-Policy': "default-src 'self'"}
    options = {
        'web_root': os.fspath(tmp_path / 'www'),
        'vhosts': vhosts,
        'response_headers': fields,
    }
    with serving(debug=True, **options) as site, browser.page() as page:

        def comes(expression: str, expected: Any) -> None:
            def look() -> bool:
                try:
                    return page.run(expression) == expected
                except AssertionError:  # Between two pages.
                    return False

            wait_until(look, f'{expression} to be {expected!r}')

        page.go(f'http://localhost:{site.http.port}/')
        assert page.run('document.querySelector("#text").textContent') == 'first'
        assert page.run('document.querySelectorAll("script").length') == 0
        write(tmp_path / 'www/index.html', PAGE.replace('first', 'second'))
        comes('document.querySelector("#text").textContent', 'second')
        colour = 'getComputedStyle(document.querySelector("#text")).color'
        comes(colour, 'rgb(0, 128, 0)')
        write(tmp_path / 'www/own.css', 'p { color: rgb(1, 2, 3) }')
        comes(colour, 'rgb(1, 2, 3)')

        page.go(f'http://app.localhost:{site.http.port}/')
        for source, text in [
            ('raise RuntimeError("broken")\n', 'RuntimeError: broken'),
            ('def on_request(request:\n', 'SyntaxError'),
            (ANSWERS.format('<h1>mended</h1>'), 'mended'),
        ]:
            write(tmp_path / 'vhost.py', source)
            comes(f'document.querySelector("h1").textContent.includes("{text}")', True)
        assert not [one for one in page.complaints if 'Failed to load resource' not in one]
