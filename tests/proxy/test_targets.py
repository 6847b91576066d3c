"""C7.6: a route before a proxy is not slipped past by a spelling that an upstream reads otherwise.

The upstreams here do to a target what servers in the field do, and say which path they came to.
"""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from typing import Callable

import pytest
from support import Exchange, Upstream, echo, serving

of = pytest.mark.parametrize


def resolved(path: str) -> str:
    """Dot segments and double slashes gone."""
    return posixpath.normpath('/' + path.lstrip('/')) + ('/' if path.endswith('/') else '')


def once(target: str) -> str:
    """WSGI, CGI, Express: decoded whole, then resolved."""
    return resolved(urllib.parse.unquote(target.split('?')[0], 'latin-1'))


def by_segments(target: str) -> str:
    """RFC 3986: resolved, then each segment decoded; a slash of a name stays in it."""
    segments = resolved(target.split('?')[0]).split('/')
    return '/'.join(urllib.parse.unquote(part).replace('/', '│') for part in segments)


def as_sent(target: str) -> str:
    """Text and nothing else."""
    return target.split('?')[0]


def without_parameters(target: str) -> str:
    """Servlet containers: what stands behind `;` is no part of a name."""
    return once(re.sub(';[^/]*', '', target.split('?')[0]))


def backslashes(target: str) -> str:
    """IIS: a backslash is a slash, encoded or not."""
    return resolved(urllib.parse.unquote(target.split('?')[0]).replace('\\', '/'))


def twice(target: str) -> str:
    """A server behind a server: decoded two times."""
    return resolved(urllib.parse.unquote(urllib.parse.unquote(target.split('?')[0])))


def as_url(target: str) -> str:
    """`new URL(target, base)`, urlsplit: two slashes at the beginning begin a host."""
    return once(urllib.parse.urlsplit(target).path)


def overlong(target: str) -> str:
    """A decoder that takes overlong UTF-8."""
    text = urllib.parse.unquote_to_bytes(target.split('?')[0])
    return resolved(text.replace(b'\xc0\xaf', b'/').replace(b'\xc0\xae', b'.').decode('latin-1'))


def taken_apart_again(target: str) -> str:
    """A server that makes a URL of what it has decoded."""
    decoded = urllib.parse.unquote(target.split('?')[0], 'latin-1')
    return resolved(re.split('[?#]', decoded)[0])


def stripped(target: str) -> str:
    """A server that strips blanks around each name."""
    return resolved('/'.join(part.strip() for part in once(target).split('/')))


def stripped_twice(target: str) -> str:
    """The same behind a server that decodes."""
    return stripped(urllib.parse.unquote(target.split('?')[0], 'latin-1'))


READERS = [
    once,
    by_segments,
    as_sent,
    without_parameters,
    backslashes,
    twice,
    as_url,
    overlong,
    taken_apart_again,
    stripped,
    stripped_twice,
]
SPELLINGS = [
    '/admin/x',
    '//admin/x',
    '/x/../admin/x',
    '/x//../admin/x',
    '/x/./../admin/x',
    '/%61dmin/x',
    '/x/%2e%2e/admin/x',
    '/x/..%2fadmin/x',
    '/x%2f..%2fadmin/x',
    '/x%2f../admin/x',
    '/%2fadmin/x',
    '/admin%2fx',
    '/admin/..%2fx',
    '/admin/%2e%2e/x',
    '/admin/../x',
    '//x/admin/x',
    '//x//admin/x',
    '/admin;a=b/x',
    '/x/..;/admin/x',
    '/;/admin/x',
    '/.;/admin/x',
    '/admin%5cx',
    '/x/..%5cadmin/x',
    '/x\\..\\admin\\x',
    '\\admin\\x',
    '/%5cadmin/x',
    '/%2561dmin/x',
    '/x/%252e%252e/admin/x',
    '/x/..%252fadmin/x',
    '/%252fadmin/x',
    '/..%c0%afadmin/x',
    '/x/%c0%ae%c0%ae/admin/x',
    '/%c0%afadmin/x',
    '/x%00/admin/x',
    '/%00/admin/x',
    '/x/..%00/admin/x',
    '/admin%2f..%2fadmin/x',
    '/x/..%2f;/admin/x',
    '/x/..%2f..%2fadmin/x',
    '/admin%3fx',
    '/admin%23x',
    '/admin/%3f/x',
    '/x/..%3f/admin/x',
    '/admin%253fx',
    '/admin%20/x',
    '/admin%09',
    '/admin%0a',
    '/admin%a0',
    '/%20admin/x',
    '/x/..%20/admin/x',
    '/admin%2520/x',
    '/admin%2500/x',
    '/%25c0%25afadmin/x',
]


@of('reads', READERS)
def test_c7_6_no_upstream_is_led_behind_a_route_that_guards(reads: Callable[[str], str]) -> None:
    def answers(exchange: Exchange) -> None:
        exchange.respond(reads(exchange.target).encode())

    with Upstream(answers) as upstream, serving(proxy=upstream.name) as site:
        guarded = []

        @site.http.route('/admin', prefix=True)
        def guard(request):
            guarded.append(request.url)
            return site_forbids

        site_forbids = 'guarded'
        with site.client() as client:
            for spelling in SPELLINGS:
                response = client.request('GET', spelling)
                assert response.status in (200, 400), (spelling, response)
                if response.status == 200:
                    assert not re.match('/+admin(/|$)', response.text), spelling
            # And what is no matter of taste is guarded, and not only refused.
            before = len(guarded)
            for spelling in ('/admin/x', '//admin/x', '/x/../admin/x', '/%2fadmin/x', '/admin%2fx'):
                assert client.get(spelling).text == 'guarded', spelling
            assert len(guarded) == before + 5


@of(
    'target',
    [
        '/@scope%2fname',
        '/@scope%2Fname/-/name-1.0.tgz',
        '/api/v4/projects/group%2Fproject/repository/files/lib%2Fa%2Eb.rb/raw?ref=main',
        '/v2/name/blobs/uploads/?digest=sha256:a%2Fb',
        '/fetch/https%3A%2F%2Fa.example%2Fb%3Fc',
        '/fetch/https://a.example//b',
        '/list;page=2/item;x',
        '/100%25',
        '/a%252fb',
        '/%E9t%E9',
        '/a%20b/c%5cd',
        '/x?next=/../admin&b=..%2f',
        '/a//b/',
        '/...',
    ],
)
def test_c7_6_what_servers_read_alike_or_as_a_name_goes_up_as_it_came(target: str) -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site:
        site.http.route('/admin', prefix=True)(lambda request: 'guarded')
        response = site.get(target)
        assert (response.status, response.json()['target']) == (200, target)


@of(
    'target, sent',
    [
        ('/a/../b?c', '/b?c'),
        ('/a/%2e%2E/b/', '/b/'),
        ('/a//../b', '/b'),
        ('/a/.', '/a/'),
        ('//a.example/b', '/a.example/b'),
        ('/a\\b', '/a%5Cb'),
    ],
)
def test_c7_6_what_they_read_otherwise_goes_up_as_it_was_read(target: str, sent: str) -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site:
        assert site.get(target).json()['target'] == sent


def test_c7_6_a_guard_gets_the_name_with_its_slash() -> None:
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site:
        site.http.route('/pkg/<name>')(lambda request: f'name {request.params["name"]}')
        assert site.get('/pkg/@scope%2Fname').text == 'name @scope/name'
        assert site.get('/pkg/a/b').json()['target'] == '/pkg/a/b'
