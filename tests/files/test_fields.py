"""The fields of files and of every answer: by glob, by extension, by scope."""

from __future__ import annotations

from typing import Any

import pytest
from support import serving, tree

FILES = {
    'root': {
        'index.html': 'front',
        'app.3f9c2b1a.js': 'app',
        'index-BfK3a9Xz.js': 'index',
        'plain-javascript.js': 'no fingerprint',
        'style.css': 'style',
        'data.foo': 'data',
        'page.xhtml': 'page',
        'noext': 'x',
        'assets': {'logo.svg': '<svg/>', 'deep': {'a.css': 'a'}},
    }
}
IMMUTABLE = 'public, max-age=31536000, immutable'
of = pytest.mark.parametrize


def fields(site, config: dict[str, Any], target: str, **headers: str):
    return site({'web_root': 'root', **config}, FILES).get(target, **headers).headers


@of(
    ('config', 'target', 'expected'),
    [
        ({}, '/style.css', None),
        ({'cache_control': 'no-cache'}, '/style.css', 'no-cache'),
        ({'cache_control': {'*.css': 'max-age=60'}}, '/style.css', 'max-age=60'),
        ({'cache_control': {'*.css': 'max-age=60'}}, '/', None),
        ({'cache_control': {'*.html': 'no-store'}}, '/', 'no-store'),
        ({'cache_control': {'*': 'a', '*.css': 'b'}}, '/style.css', 'b'),
        ({'cache_control': {'/assets/**': 'a', '*.css': 'b'}}, '/assets/deep/a.css', 'a'),
        ({'cache_control': {'/assets/*': 'a'}}, '/assets/deep/a.css', None),
        ({'cache_control': 'no-cache'}, '/missing.css', None),
        ({'immutable': True}, '/app.3f9c2b1a.js', IMMUTABLE),
        ({'immutable': True}, '/index-BfK3a9Xz.js', IMMUTABLE),
        ({'immutable': True}, '/plain-javascript.js', None),
        ({'immutable': True}, '/style.css', None),
        (
            {'immutable': True, 'cache_control': {'app.*': 'no-cache'}},
            '/app.3f9c2b1a.js',
            'no-cache',
        ),
        (
            {'immutable': True, 'cache_control': {'*.css': 'no-cache'}},
            '/app.3f9c2b1a.js',
            IMMUTABLE,
        ),
    ],
    ids=str,
)
def test_cache_control(site, config: dict[str, Any], target: str, expected: Any) -> None:
    assert fields(site, config, target).get('cache-control') == expected


def test_c5_4_a_304_says_what_the_200_said(site) -> None:
    files = site(
        {'web_root': 'root', 'cache_control': 'no-cache', 'file_headers': {'*': {'X-A': '1'}}},
        FILES,
    )
    whole = files.get('/style.css')
    again = files.get('/style.css', if_none_match=whole.headers['etag'])
    assert again.status == 304
    for name in ('etag', 'cache-control', 'x-a', 'vary'):
        assert again.headers[name] == whole.headers[name]


@of(
    ('headers', 'target', 'name', 'expected'),
    [
        ({'*': {'X-A': 'a'}}, '/style.css', 'x-a', ['a']),
        ({'*': {'X-A': ['a', 'b']}}, '/style.css', 'x-a', ['a', 'b']),
        ({'*': {'X-A': 'a'}, '*.css': {'X-A': 'b'}}, '/style.css', 'x-a', ['b']),
        ({'*': {'X-A': 'a'}, '*.css': {'X-A': ['b']}}, '/style.css', 'x-a', ['a', 'b']),
        ({'*': {'X-A': 'a'}, '*.css': {'X-A': False}}, '/style.css', 'x-a', []),
        ({'*.css': {'Last-Modified': False}}, '/style.css', 'last-modified', []),
        ({'/assets/**': {'Access-Control-Allow-Origin': '*'}}, '/assets/logo.svg', 'access-control-allow-origin', ['*']),
        ({'/assets/**': {'Access-Control-Allow-Origin': '*'}}, '/style.css', 'access-control-allow-origin', []),
        ({'*.css': {'Content-Type': 'text/plain'}}, '/style.css', 'content-type', ['text/plain']),
    ],
    ids=str,
)  # fmt: skip
def test_headers_of_files(site, headers, target: str, name: str, expected: list[str]) -> None:
    assert fields(site, {'file_headers': headers}, target).all(name) == expected


@of(
    ('config', 'target', 'expected'),
    [
        ({}, '/data.foo', 'application/octet-stream'),
        ({'mime_types': {'foo': 'application/x-foo'}}, '/data.foo', 'application/x-foo'),
        ({'mime_types': {'.foo': 'application/x-foo'}}, '/data.foo', 'application/x-foo'),
        ({'mime_types': {'css': 'text/x-own'}}, '/style.css', 'text/x-own'),
        ({'charset': False}, '/style.css', 'text/css'),
        ({'charset': 'iso-8859-1'}, '/style.css', 'text/css; charset=iso-8859-1'),
        ({}, '/page.xhtml', 'application/xhtml+xml; charset=utf-8'),
        ({}, '/noext', 'application/octet-stream'),
    ],
    ids=str,
)
def test_c5_4_media_types(site, config: dict[str, Any], target: str, expected: str) -> None:
    found = fields(site, config, target)['content-type']
    assert found.split(';')[0] == expected.split(';')[0]
    assert ('charset' in expected) <= (found == expected)


SECURE = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'strict-origin-when-cross-origin',
    'x-frame-options': 'SAMEORIGIN',
    'cross-origin-opener-policy': 'same-origin',
}


@of('target', ['/', '/missing', '/assets'])
def test_every_answer_has_what_the_scope_says(site, target: str) -> None:
    config = {
        'response_headers': {'X-A': 'a', 'X-B': ['1', '2'], 'Server': False},
        'security_headers': True,
    }
    found = fields(site, config, target)
    assert (found.all('x-a'), found.all('x-b'), found.all('server')) == (['a'], ['1', '2'], [])
    for name, value in SECURE.items():
        assert found[name] == value
    assert 'permissions-policy' in found
    assert 'strict-transport-security' not in found


def test_security_headers_give_way(site) -> None:
    own = {'X-Frame-Options': 'DENY'}
    found = fields(site, {'file_headers': {'*': own}, 'security_headers': True}, '/style.css')
    assert found.all('x-frame-options') == ['DENY']
    found = fields(site, {'response_headers': own, 'security_headers': True}, '/missing')
    assert found.all('x-frame-options') == ['DENY']


def test_a_change_of_the_rules_holds_at_once(tmp_path) -> None:
    root = tree(tmp_path, FILES) / 'root'
    with serving(web_root=str(root)) as site:
        for number in range(3):
            site.http.config['cache_control'] = f'max-age={number}'
            site.http.config['charset'] = f'x-{number}'
            site.http.config['compress'] = number % 2 == 0
            found = site.get('/style.css').headers
            assert found['cache-control'] == f'max-age={number}'
            assert found['content-type'] == f'text/css; charset=x-{number}'
            assert ('vary' in found) == (number % 2 == 0)
