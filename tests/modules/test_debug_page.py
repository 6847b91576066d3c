"""C6.6: the page that a browser is shown with `debug` when a handler has failed."""

from __future__ import annotations

import base64
import builtins
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from slimHTTP import MultiDict
from slimHTTP._debug._redact import redact
from support import DATA, Log, Serving, serving
from support.sites import HOST, ask, module_site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

of = pytest.mark.parametrize

HOSTILE = '</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>\'"`&'


class Seen(HTMLParser):
    """The tags and the text of a page, and what stands in its style and its script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.inline: dict[str, list[str]] = {'style': [], 'script': []}
        self.text = ''
        self._within = ''
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, Any]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attributes if name.startswith('on') or name == 'src']
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ''

    def handle_data(self, data: str) -> None:
        if self._within in self.inline:
            self.inline[self._within].append(data)
        else:
            self.text += data


@pytest.fixture
def site() -> Iterator[Serving]:
    with serving(
        debug=True, response_headers={'Content-Security-Policy': "default-src 'none'"}
    ) as site:
        yield site


def fails(site: Serving, handler: Any, target: str = '/test', **headers: str) -> Seen:
    site.http.route('/test', prefix=True)(handler)
    response = site.get(target, **headers)
    assert response.status == 500
    seen = Seen(response.text)
    assert (len(seen.inline['style']), len(seen.inline['script'])) == (1, 1)
    assert seen.handlers == []
    return seen


def test_c6_6_what_is_hostile_stays_text(site: Serving) -> None:
    def handler(request):
        local = {HOSTILE: HOSTILE}
        raise type('Named' + HOSTILE, (Exception,), {})(HOSTILE, local)

    seen = fails(
        site, handler, '/test/%3Cscript%3Ealert(3)%3C/script%3E?%3Cb%3E=%3Ci%3E', **{'X-A': '<u>'}
    )
    assert not {'img', 'b i', 'u', 'i b'} & set(seen.tags)
    assert seen.tags.count('script') == 1
    assert '<script>alert(1)</script>' in seen.text
    assert 'alert(3)' in seen.text
    assert '<u>' in seen.text


def test_c6_6_the_policy_is_the_pages_own_and_names_what_it_runs(site: Serving) -> None:
    site.http.route('/test')(lambda request: 1 / 0)
    response = site.get('/test')
    policies = response.headers.all('Content-Security-Policy')
    assert len(policies) == 1, 'not also that of the site'
    seen = Seen(response.text)
    for kind in ('style', 'script'):
        digest = base64.b64encode(hashlib.sha256(seen.inline[kind][0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policies[0]
    assert policies[0].startswith("default-src 'none'; ")
    assert 'unsafe' not in policies[0]
    assert response.headers['Cache-Control'] == 'no-store'


#: Not in one piece, for the page shows the lines around.
VALUE = 'hun' + 'ter2'
SECRETS = [
    'password', 'db_passwd', 'apiToken', 'API_KEY', 'client_secret', 'cookies', 'auth', 'session_id',
    'PHPSESSID', 'otp', 'smsotp', 'dsn', 'SENTRY_DSN', 'pw', 'db_pw', 'rootpw', 'passphrase', 'pin',
    'csrf', 'verification_code', 'code', 'session', 'signature', 'card_number', 'webhook',
]  # fmt: skip
OPEN = [
    'monkey', 'keyboard', 'author', 'passenger', 'name', 'status_code', 'country_code', 'compass',
    'inside', 'footprint', 'opinion', 'design', 'postcode',
]  # fmt: skip


@of('name', [*SECRETS, *OPEN])
def test_c6_6_what_is_called_a_secret_is_masked(site: Serving, name: str) -> None:
    class Holder:
        pass

    def inside(request):
        holder = Holder()
        setattr(holder, name, VALUE)
        listed = {name: VALUE, name.encode(): VALUE, 'deeper': [{name: VALUE}]}
        raise RuntimeError(len(listed))

    def local(request):
        exec(f'{name} = VALUE; raise RuntimeError', {'VALUE': VALUE}, {})

    asked = {'target': f'/test?{name}={VALUE}', name.replace('_', '-'): VALUE}
    told = fails(site, inside, **asked).text
    assert told.count(VALUE) == (0 if name in SECRETS else 9), told
    frame = re.search(r'Variables \(1\)(.*)', fails(site, local).text.partition('<string>')[2])
    assert frame is not None
    assert frame[1].startswith(name)
    assert (VALUE in frame[1]) == (name in OPEN)


@of(
    'field',
    [
        'Cookie', 'Authorization', 'X-Auth-Token', 'X-Api-Key', 'Proxy-Authorization',
        'X-Session-Id', 'X-Otp', 'X-Hub-Signature', 'X-Amz-Security-Token',
    ],
)  # fmt: skip
def test_c6_6_fields_that_are_secrets_are_masked(site: Serving, field: str) -> None:
    seen = fails(site, lambda request: 1 / 0, **{field: VALUE})
    assert field.lower() in seen.text
    assert VALUE not in seen.text


def test_c6_6_names_are_judged_as_the_log_judges_them() -> None:
    """`debug(url)` masks by a list of the Rust side; the table holds both against it."""
    from slimHTTP._debug._redact import is_secret_of_client

    table = tomllib.loads((DATA / 'secret_names.toml').read_text(encoding='utf-8'))
    assert [name for name in table['secret'] if not is_secret_of_client(name)] == []
    assert [name for name in table['harmless'] if is_secret_of_client(name)] == []


@of(
    'parameter', ['code', 'state', 'ticket', 'SAMLResponse', 'session_id', 'sig', 'X-Amz-Signature']
)
def test_c6_6_what_lets_a_client_in_is_masked_in_the_query(site: Serving, parameter: str) -> None:
    def handler(request):
        url = request.full_url
        raise RuntimeError(f'{len(request.query)} of {url}')

    target = f'/test?{parameter}={VALUE}&open=yes'
    seen = fails(site, handler, target, Referer=f'https://a.example/{target}')
    assert VALUE not in seen.text
    assert 'open=yes' in seen.text


def test_c6_6_a_secret_of_the_path_is_masked(site: Serving) -> None:
    site.http.route('/reset/<token>/<name>')(lambda request: 1 / 0)
    told = Seen(site.get(f'/reset/{VALUE}/Ada').text).text
    assert VALUE not in told
    assert '/Ada' in told


#: A text, and what may be seen of it.
LOOKS = {
    'of a database': (f'postgres://ada:{VALUE}@db.example/app', 'postgres://ada:'),
    'of a driver': (f'host=db.example password={VALUE} dbname=app', 'dbname=app'),
    'of an address': (f'https://a.example/cb?code={VALUE}&open=1', 'open=1'),
    'of JSON': (f'{{"pw": "{VALUE}", "open": 1}}', 'open'),
    'a scheme': (f'Bearer {VALUE}', 'Bearer'),
    'behind an escaped quote': (f'{{"pw":"a\\"{VALUE}","open":1}}', 'open'),
    'of JSON within JSON': (f'{{"open": "{{\\"pw\\": \\"{VALUE}\\"}}"}}', 'open'),
    'of JSON that is cut off': (f'{{"open": 1, "pw": "{VALUE}', 'open'),
    'of a line': (f'open: 1\npassword: {VALUE}', 'open'),
    'behind another colon': (f'refused: password: {VALUE}', 'refused'),
    'of cookies': (f'session={VALUE}; open=1', 'open'),
    'of the last cookie': (f'open=1; session={VALUE}', 'open'),
    'of a command': (f'mysql --user open --password {VALUE}', 'open'),
    'of a list of arguments': (str(['open', '--password', VALUE]), 'open'),
    'of a pair': (str([('password', VALUE), ('open', 1)]), 'open'),
    'a token': (f'told: eyJhbGciOi.eyJz{VALUE}.c2ln', 'told'),
    'a key': (f'-----BEGIN PRIVATE KEY-----\n{VALUE}\n-----END PRIVATE KEY-----', ''),
}


@of('what', LOOKS)
def test_c6_6_what_looks_like_a_secret_is_masked_wherever_it_stands(
    site: Serving, what: str
) -> None:
    value, shown = LOOKS[what]

    def handler(request):
        listed = [value]
        raise ConnectionError(value, len(listed))

    seen = fails(site, handler)
    assert VALUE not in seen.text
    assert shown in seen.text


@of(
    'piece',
    [
        'eyJ',
        'eyJa-',
        'a=',
        'code=',
        'a://b:',
        '"a":"',
        '"pw": ',
        '"pw":"\\"',
        'a: ',
        '--pw ',
        '("pw","',
    ],
)
def test_c6_6_masking_takes_time_as_the_text_is_long(piece: str) -> None:
    def taken(length: int) -> float:
        text = (piece * length)[:length]
        begun = time.perf_counter()
        redact(text)
        return time.perf_counter() - begun

    # Eight times as long takes eight times as long, and 64 times where it is quadratic.
    ratios = []
    for _ in range(5):
        ratios.append(taken(64_000) / taken(8_000))
        if ratios[-1] < 24:
            return
    raise AssertionError(ratios)


def test_c6_6_what_is_no_secret_stays(site: Serving) -> None:
    harmless = {'plain': 'sorted(names, key=len)', 'error': "KeyError: 'x'", 'code': 404}

    def handler(request):
        told = harmless
        raise KeyError(len(told))

    text = fails(site, handler).text
    for word in ('key=len', 'KeyError', "'code': 404"):
        assert word in text, word


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError('in repr')


class Loops:
    def __repr__(self) -> str:
        while True:
            pass

    __str__ = __repr__


class Unreadable(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError('in getattribute')


def test_c8_5_a_failure_that_cannot_be_read_is_logged(site: Serving) -> None:
    def handler(request):
        raise Unreadable('on purpose')

    with Log() as log:
        site.http.route('/unreadable')(handler)
        assert site.get('/unreadable').status == 500
        log.wait_for('GET /unreadable failed in .*: Unreadable')


class Strange:
    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError('in getattribute')


class Account(NamedTuple):
    name: str
    password: str


def recursive() -> list[Any]:
    one: list[Any] = [1]
    one.append(one)
    return one


#: A value and what is told of it.
VALUES = {
    'raises': (Raises(), 'Raises>'),
    'loops': (Loops(), 'Loops>'),
    'strange': (Strange(), 'Strange>'),
    'recursive': (recursive(), '[1, [1, [1, …]]]'),
    'huge text': ('x' * 10**7, '(10000000 in all)'),
    'huge bytes': (b'x' * 10**7, '(10000000 in all)'),
    'huge number': (1 << 10**6, 'of 1000001 bits'),
    'huge list': (list(range(10**6)), '… 999980 more'),
    'huge dict': (dict.fromkeys(range(10**6)), '… 999980 more'),
    'nested': ([[[[[[1]]]]]], '[[[…]]]'),
    'text': ('Ada', "'Ada'"),
    'bytes': (b'Ada', "b'Ada'"),
    'a class': (Path, '<class pathlib.Path>'),
    'a function': (os.path.join, '<function join>'),
    'a module': (sys, '<module sys>'),
    'a number': (-17, '-17'),
    'a path': (Path('/srv'), "PosixPath('/srv')"),
    'none': (None, 'None'),
    'a pair': ([('password', 'x'), ('name', 'Ada')], "[('password', ••••••), ('name', 'Ada')]"),
    'arguments': (['a', '--password', 'x', 'b'], "['a', '--password', ••••••, 'b']"),
    'names in a row': (('password', 'token', 'name'), "('password', 'token', 'name')"),
    'a named tuple': (Account('Ada', 'x'), "Account(name='Ada', password=••••••)"),
    'codes of a form': (MultiDict([('code', '1'), ('a', '2')]), "{'code': ••••••, 'a': ['2']}"),
    'codes in a list': ({'code': ['1', '2'], 'n': 1}, "{'code': ••••••, 'n': 1}"),
    'numbers in a list': ({'code': [404]}, "{'code': [404]}"),
    'a form': (
        MultiDict([('a', '1'), ('a', '2'), ('password', 'x')]),
        "MultiDict({'a': ['1', '2'], 'password': ••••••})",
    ),
}  # fmt: skip


@of('case', VALUES)
def test_c6_6_variables_are_shown_short_and_without_their_help(site: Serving, case: str) -> None:
    value, told = VALUES[case]

    def handler(request):
        variable = value
        raise RuntimeError(variable is None)

    seen = fails(site, handler)
    assert 'variable' + told in seen.text or re.search(
        f'variable<?[^\n]*{re.escape(told)}', seen.text
    )
    assert len(seen.text) < 20_000


def test_c6_6_the_place_that_led_here_is_told(tmp_path: Path) -> None:
    source = 'def on_request(request):\n    raise RuntimeError\n'
    files = {'site': {'page.py': source}}
    with module_site(tmp_path, source, files, debug=True) as site:
        assert f'by vhosts."a.example".module = "{tmp_path}/vhost.py"' in Seen(ask(site).text).text
        line = sys._getframe().f_lineno + 1
        site.http.route('/here', vhost=HOST, methods=['get'])(lambda request: 1 / 0)
        told = Seen(ask(site, '/here').text).text
        assert (
            f"@http.route('/here', vhost='a.example', methods=['GET']) at {__file__}, line {line}"
            in told
        )
        del site.http.config['vhosts'][HOST]['module']
        site.http.config['vhosts'][HOST]['web_root'] = os.fspath(tmp_path / 'site')
        told = Seen(ask(site, '/page.py').text).text
        assert f'by vhosts."a.example".web_root = "{tmp_path}/site"' in told
        assert f'script {tmp_path}/site/page.py' in told


def test_c6_6_own_places_are_open_and_those_of_libraries_folded(site: Serving) -> None:
    import json

    site.http.route('/test')(lambda request: json.dumps(object()))
    html = site.get('/test').text
    places = re.findall(
        r'<details class="(own|lib)"( open)?><summary>.*?in <code>(.*?)</code>', html
    )
    assert [(kind, opened) for kind, opened, _ in places] == [('own', ' open')] + [('lib', '')] * (
        len(places) - 1
    )
    assert places[0][2] == __file__


@of(
    ('source', 'told'),
    [
        ('def on_request(request)\n    pass\n', "SyntaxError: expected ':'"),
        ('raise KeyError("x") from ValueError("y")\n', 'ValueError: y'),
        ('def f(): return f()\nf()\n', 'more frames'),
        ('x = 1\nraise RuntimeError("\\udc80\\x00\\u202e")\n', 'RuntimeError'),
    ],
)
def test_c6_6_every_failure_has_a_page(tmp_path: Path, source: str, told: str) -> None:
    with module_site(tmp_path, source, debug=True) as site:
        response = ask(site)
        assert response.status == 500
        if sys.version_info >= (3, 10) or 'Syntax' not in told:
            assert told in Seen(response.text).text
        assert 'vhost.py' in response.text


@pytest.mark.skipif(sys.version_info < (3, 11), reason='exception groups came with Python 3.11')
def test_c6_6_the_members_of_a_group_are_told(site: Serving) -> None:
    group = builtins.ExceptionGroup  # type: ignore[attr-defined]

    def handler(request):
        raise group('several', [ValueError('one'), group('deeper', [KeyError('two')])])

    told = fails(site, handler).text
    for word in ('ExceptionGroup: several', 'ValueError: one', "KeyError: 'two'"):
        assert word in told


def test_c6_6_the_request_is_told(site: Serving) -> None:
    site.http.route('/test/<name>')(lambda request: 1 / 0)
    with site.client() as client:
        told = Seen(
            client.request('POST', '/test/Ada?q=1%202', {'X-Own': 'yes'}, b'12345').text
        ).text
    for word in (
        'POST /test/Ada?q=1%202',
        'params nameAda',
        'query q1 2',
        'content5 bytes',
        'x-ownyes',
        '127.0.0.1',
    ):
        assert word in told, word
