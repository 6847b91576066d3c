"""C5.4: the sentences of RFC 9110 that concern a file, asked of servers over sockets.

The cases stand in data/rfc9110.toml, which says how to read them; crates/slimhttp-site/tests
asks the pure functions the same. Here they go by every entry point, byte for byte as written.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Optional

import pytest
from support import DATA, Client, Process, Response

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = tomllib.loads((DATA / 'rfc9110.toml').read_text(encoding='utf-8'))
CONTENT = {name: (text * times).encode() for name, (text, times) in TABLE['files'].items()}
MODIFIED = 784111777
DATES = {
    'date': 'Sun, 06 Nov 1994 08:49:37 GMT',
    'date+1': 'Sun, 06 Nov 1994 08:49:38 GMT',
    'date-1': 'Sun, 06 Nov 1994 08:49:36 GMT',
    'date:850': 'Sunday, 06-Nov-94 08:49:37 GMT',
    'date:asc': 'Sun Nov  6 08:49:37 1994',
    'date:digits.txt': 'Sun, 06 Nov 1994 08:49:37 GMT',
}
CODINGS = ('br', 'zstd', 'gzip')
TAG = re.compile('(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

Case = dict[str, Any]
CASES: dict[str, Case] = {
    f'{section["number"]}/{at}': case
    for section in TABLE['section']
    for at, case in enumerate(section['cases'], 1)
    if case.get('only') != 'pure' and 'facts' not in case
}
#: Those whose answer HEAD would have too: a `Range` concerns GET alone.
READING = {
    name: case
    for name, case in CASES.items()
    if case['ask'][0].startswith('GET ')
    and not any(line.lower().startswith('range:') for line in case['ask'])
}


class Asker:
    """Asks one server what cases say, and knows the tags of its files."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self._tags: dict[tuple[str, Optional[str]], str] = {}

    def ask(self, client: Client, lines: list[str], method: Optional[str] = None) -> Response:
        written, _, target = lines[0].partition(' ')
        filled = [self.filled(line, target) for line in lines[1:]]
        host = None if any(line.split(':')[0] == 'Host' for line in filled) else ''
        fields = [tuple(line.split(':', 1)) for line in filled if ':' in line]
        return client.request(method or written, target, fields, host=host)

    def filled(self, line: str, target: str) -> str:
        """A line with what stands for it in place of each `{…}`."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in DATES:
                return DATES[name]
            name, _, which = name.partition(':')
            if which in CODINGS:
                tag = self.tag(target, which)
            else:
                tag = self.tag(f'/{which}' if which else target)
            return {'etag': tag, 'weak': f'W/{tag}', 'opaque': tag[1:-1]}[name]

        return re.sub(r'\{((?:etag|weak|opaque|date)[^}]*)\}', value, line)

    def tag(self, target: str, coding: Optional[str] = None) -> str:
        """The tag that a file, or its form in a coding, has now."""
        if (target, coding) not in self._tags:
            fields = {'Accept_Encoding': coding} if coding else {}
            response = self.server.get(target, **fields)
            assert response.headers.get('Content-Encoding') == coding, response
            self._tags[target, coding] = response.headers['ETag']
        return self._tags[target, coding]


_askers: dict[int, Asker] = {}


@pytest.fixture
def asker(site) -> Asker:
    server = site({'web_root': 'root'}, {'root': CONTENT})
    if server.pid not in _askers:
        for name in CONTENT:
            os.utime(server.folder / 'root' / name, (MODIFIED, MODIFIED))
        _askers[server.pid] = Asker(server)
    return _askers[server.pid]


@pytest.mark.parametrize('name', CASES)
def test_c5_4_a_sentence_of_the_table(asker: Asker, name: str) -> None:
    case = CASES[name]
    rule = case['rule']
    with asker.server.client() as client:
        response = asker.ask(client, case['ask'])
        assert response.status == case['status'], (rule, response)
        always(response, case['ask'][0].split()[0])
        target = case['ask'][0].split()[1]
        for line in case.get('has', ()):
            field, _, wanted = line.partition(': ')
            value = response.headers.get(field)
            assert value is not None, (rule, field, response)
            assert is_like(value, asker.filled(wanted, target)), (rule, line, response)
        for line in case.get('lacks', ()):
            field, _, unwanted = line.partition(': ')
            for value in response.headers.all(field):
                assert unwanted, (rule, line, response)
                assert not is_like(value, asker.filled(unwanted, target)), (rule, line, response)
        check_body(case, response, target)
        if not response.closes:
            assert client.get('/other.txt').body == CONTENT['other.txt'], 'and it goes on'


def is_like(value: str, wanted: str) -> bool:
    """Whether a value is the wanted one, or matches the pattern behind a `~`."""
    if wanted.startswith('~'):
        return re.fullmatch(wanted[1:], value) is not None
    return value == wanted


def check_body(case: Case, response: Response, target: str) -> None:
    body = case.get('body', 'all' if response.status == 200 and case['status'] == 200 else None)
    if body is None:
        return
    if body == 'none':
        assert response.body == b''
        return
    if 'Content-Encoding' in response.headers and not {'coded', 'of'} & set(case):
        return
    content = CONTENT[case.get('of') or target.partition('?')[0].lstrip('/')]
    if isinstance(body, list):
        assert parts_of(response) == [
            (f'bytes {span}/{len(content)}', span_of(content, span)) for span in body
        ]
        return
    received = gzip.decompress(response.body) if case.get('coded') == 'gzip' else response.body
    assert received == (content if body == 'all' else span_of(content, body))


def span_of(content: bytes, span: str) -> bytes:
    first, last = map(int, span.split('-'))
    assert last < len(content)
    return content[first : last + 1]


def parts_of(response: Response) -> list[tuple[str, bytes]]:
    """The `Content-Range` and the bytes of each part (RFC 9110 section 14.6)."""
    kind, _, boundary = response.headers['Content-Type'].partition('boundary=')
    assert kind.startswith('multipart/byteranges'), response
    delimiter = b'\r\n--' + boundary.strip('"').encode()
    before, *parts, end = (b'\r\n' + response.body).split(delimiter)
    assert before == b''
    assert end.rstrip(b'\r\n') == b'--'
    found = []
    for part in parts:
        head, _, content = part.partition(b'\r\n\r\n')
        fields = dict(line.split(': ', 1) for line in head.decode().split('\r\n')[1:])
        fields = {name.lower(): value for name, value in fields.items()}
        assert fields['content-type'], part
        found.append((fields['content-range'], content))
    return found


def always(response: Response, method: str) -> None:
    """What RFC 9110 says of every answer."""
    headers, status = response.headers, response.status
    if status == 400:  # A request that was not understood may be answered with less.
        return
    date = parsedate_to_datetime(headers['Date'])
    assert headers['Date'] == format_datetime(date, usegmt=True), '5.6.7: IMF-fixdate'
    for name in ('Date', 'ETag', 'Last-Modified', 'Content-Type', 'Content-Range', 'Location'):
        assert len(headers.all(name)) <= 1, f'5.2: {name} is no list'
    if 'Last-Modified' in headers:
        assert parsedate_to_datetime(headers['Last-Modified']) <= date, '8.8.2.1: not in the future'
    if 'ETag' in headers:
        assert TAG.fullmatch(headers['ETag']), '8.8.3: a tag in quotes'
    if method == 'HEAD' or status in (204, 304):
        assert response.body == b'', '9.3.2, 15.3.5, 15.4.5: no content'
    if status == 206:
        multipart = headers['Content-Type'].startswith('multipart/byteranges')
        assert multipart != ('Content-Range' in headers), '15.3.7'
    elif status != 416:
        assert 'Content-Range' not in headers, '14.4'
    if status == 405:
        assert 'Allow' in headers, '15.5.6'
    if 'Content-Encoding' in headers:
        assert 'accept-encoding' in headers['Vary'].lower(), '12.5.5'


@pytest.mark.parametrize('name', READING)
def test_c5_4_head_is_get_without_content(asker: Asker, name: str) -> None:
    case = READING[name]
    with asker.server.client() as client:
        whole = asker.ask(client, case['ask'])
        bare = asker.ask(client, case['ask'], 'HEAD')
        assert bare.status == whole.status
        assert bare.body == b''
        # What is known only from the content may be left out (section 9.3.2).
        left_out = {'date'} | ({'content-length'} - {name.lower() for name in bare.headers})
        assert fields_of(bare, left_out) == fields_of(whole, left_out)


def fields_of(response: Response, left_out: set[str]) -> list[tuple[str, str]]:
    fields = ((name.lower(), value) for name, value in response.headers.fields)
    return sorted((name, value) for name, value in fields if name not in left_out)


def test_c5_4_a_date_in_the_future_is_not_said(site) -> None:
    """Section 8.8.2.1: then the time of the answer stands for it."""
    server = site({'web_root': 'root'}, {'root': {'future.txt': 'of tomorrow'}})
    os.utime(server.folder / 'root' / 'future.txt', (4102444800, 4102444800))
    response = server.get('/future.txt')
    assert response.status == 200
    always(response, 'GET')


def test_c5_4_a_304_has_the_cache_control_of_the_200(site) -> None:
    """Section 15.4.5."""
    server = site(
        {'web_root': 'root', 'cache_control': {'*.txt': 'max-age=60'}},
        {'root': {'cached.txt': 'cached'}},
    )
    with server.client() as client:
        whole = client.get('/cached.txt')
        assert whole.headers['Cache-Control'] == 'max-age=60'
        fresh = client.get('/cached.txt', If_None_Match=whole.headers['ETag'])
        assert fresh.status == 304
        assert fresh.headers['Cache-Control'] == 'max-age=60'


def test_c5_4_a_file_that_has_just_changed_has_a_tag_that_does_not_lie(site) -> None:
    """Section 8.8.1: what may change without its tag changing has a weak tag."""
    server = site({'web_root': 'root'}, {'root': {'just now': 'mark'}}, fresh=True)
    file = server.folder / 'root' / 'large.bin'
    with server.client() as client:
        seen: dict[str, bytes] = {}
        for turn in range(20):
            content = bytes([turn]) * (3 << 20)
            file.write_bytes(content)
            os.utime(file, (MODIFIED, MODIFIED))
            response = client.get('/large.bin')
            tag = response.headers['ETag']
            assert response.body == content
            if not tag.startswith('W/'):
                assert seen.setdefault(tag, content) == content, 'a strong tag is of one content'
