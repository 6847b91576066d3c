"""Requests of every kind in one stream of bytes: each is answered, in order, at the right byte.

RFC 9112 section 9.3.2. The stream is cut at many places, since where a read ends is nobody's choice: what
comes in one piece, in two or byte by byte means the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

import pytest
from support import Client, Response, Serving, Upstream, answer, echo, serving, tree

of = pytest.mark.parametrize


class Kind(NamedTuple):
    """A request, and what its answer must be; `%d` is its number in the stream."""

    method: str
    raw: bytes
    check: Callable[[Response, int], bool]


def kind(
    method: str, target: str, check: Callable[[Response, int], bool], rest: str = '\r\n'
) -> Kind:
    """Of the host that the target begins with."""
    host, _, path = target.partition(' ')
    return Kind(method, f'{method} {path} HTTP/1.1\r\nHost: {host}\r\n{rest}'.encode(), check)


def handled(method: str, content: str = '') -> Callable[[Response, int], bool]:
    return lambda response, number: response.text == f'{method} {number} {content}'


def forwarded(method: str, content: str = '') -> Callable[[Response, int], bool]:
    def check(response: Response, number: int) -> bool:
        asked = response.json()
        return (asked['method'], asked['target'], asked['body']) == (method, f'/{number}', content)

    return check


LENGTH = 'Content-Length: 5\r\n\r\nhello'
CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x="\\";"\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n'

KINDS: dict[str, Kind] = {
    'file': kind('GET', 'a /file.txt?%d', lambda response, _: response.body == b'a file'),
    'HEAD of a file': kind(
        'HEAD', 'a /file.txt?%d', lambda response, _: response.headers['Content-Length'] == '6'
    ),
    'missing': kind('GET', 'a /none/%d', lambda response, _: response.status == 404),
    'not modified': kind(
        'GET',
        'a /file.txt?%d',
        lambda response, _: response.status == 304,
        'If-None-Match: *\r\n\r\n',
    ),
    'method not allowed': kind(
        'POST',
        'a /file.txt?%d',
        lambda response, _: response.status == 405,
        'Content-Length: 0\r\n\r\n',
    ),
    'options': kind('OPTIONS', 'a /file.txt?%d', lambda response, _: response.status == 204),
    'handler': kind('GET', 'a /python/%d', handled('GET')),
    'asynchronous handler': kind('GET', 'a /async/%d', handled('GET')),
    'content of a length': kind('POST', 'a /python/%d', handled('POST', 'hello'), LENGTH),
    'content in chunks': kind('POST', 'a /python/%d', handled('POST', 'hello'), CHUNKED),
    'content for a stream': kind('PUT', 'a /reads/%d', handled('PUT', 'hello'), CHUNKED),
    'content that is expected': kind(
        'POST', 'a /python/%d', handled('POST', 'hello'), 'Expect: 100-continue\r\n' + LENGTH
    ),
    'stream': kind('GET', 'a /stream/%d', handled('GET')),
    'proxy': kind('GET', 'proxy /%d', forwarded('GET')),
    'HEAD through a proxy': kind(
        'HEAD', 'proxy /%d', lambda response, _: int(response.headers['Content-Length']) > 0
    ),
    'content for a proxy': kind('POST', 'proxy /%d', forwarded('POST', 'hello'), LENGTH),
    'content in chunks for a proxy': kind('POST', 'proxy /%d', forwarded('POST', 'hello'), CHUNKED),
    'expected content for a proxy': kind(
        'POST', 'proxy /%d', forwarded('POST', 'hello'), 'Expect: 100-continue\r\n' + LENGTH
    ),
}
ALL = list(KINDS.values())


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = tree(tmp_path_factory.mktemp('root'), {'file.txt': 'a file'})
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream(echo))
        hosts = {'proxy': {'proxy': upstream.name}}
        served = stack.enter_context(serving(web_root=os.fspath(root), vhosts=hosts))
        route = served.http.route

        @route('/async/<number>')
        async def asynchronous(request):
            return f'{request.method} {request.params["number"]} {request.payload.decode()}'

        @route('/reads/<number>', stream=True)
        def reads(request):
            content = b''.join(request.stream()).decode()
            return f'{request.method} {request.params["number"]} {content}'

        @route('/stream/<number>')
        def stream(request):
            yield f'{request.method} '
            yield f'{request.params["number"]} '

        route('/python/<number>')(
            lambda request: (
                f'{request.method} {request.params["number"]} {request.payload.decode()}'
            )
        )
        yield served


def numbered(kinds: Sequence[Kind]) -> list[bytes]:
    return [one.raw.replace(b'%d', b'%d' % number) for number, one in enumerate(kinds)]


def check(client: Client, kinds: Sequence[Kind], first: int, last: int) -> None:
    """The answers from the first to before the last are there, each the right one."""
    for number in range(first, last):
        one = kinds[number]
        response = client.read_response(one.method)
        assert one.check(response, number), (number, one.raw, response)


def check_pieces(site: Serving, kinds: Sequence[Kind], cuts: Sequence[int]) -> None:
    """Send the stream in pieces; before each the answers to all that was sent whole are read."""
    raw = numbered(kinds)
    ends = [sum(map(len, raw[: number + 1])) for number in range(len(raw))]
    stream = b''.join(raw)
    with site.client() as client:
        answered = begin = 0
        for cut in [*cuts, len(stream)]:
            client.send_raw(stream[begin:cut])
            whole = sum(end <= cut for end in ends)
            check(client, kinds, answered, whole)
            begin, answered = cut, whole
        assert client.connections == 1
        client.send('GET', '/file.txt', host='a')
        assert answer(client).body == b'a file', 'the connection stands at the right byte'


@of('first', KINDS)
def test_each_kind_goes_before_each_other(site: Serving, first: str) -> None:
    """Every pair of kinds, in one piece."""
    kinds = [one for second in ALL for one in (KINDS[first], second)]
    raw = b''.join(numbered(kinds))
    with site.client() as client:
        client.send_raw(raw)
        check(client, kinds, 0, len(kinds))
        assert client.is_open(0)


@of('first', KINDS)
def test_each_kind_may_be_cut_anywhere(site: Serving, first: str) -> None:
    """A request behind it and one before it are not touched by where the pieces end."""
    kinds = [KINDS['handler'], KINDS[first], KINDS['file']]
    raw = numbered(kinds)
    begin, end = len(raw[0]) - 2, len(raw[0]) + len(raw[1]) + 2
    for cut in range(begin, end):
        check_pieces(site, kinds, [cut])


STEP = 23


@of('offset', range(STEP))
def test_a_long_stream_may_be_cut_anywhere(site: Serving, offset: int) -> None:
    """In pieces of one length that begin at each place: every byte once ends a piece."""
    length = len(b''.join(numbered(ALL)))
    check_pieces(site, ALL, range(offset + 1, length, STEP))


def test_a_long_stream_may_come_byte_by_byte(site: Serving) -> None:
    length = len(b''.join(numbered(ALL)))
    check_pieces(site, ALL, range(1, length))


def test_a_long_stream_may_be_cut_in_two_anywhere(site: Serving) -> None:
    length = len(b''.join(numbered(ALL)))
    for cut in range(1, length, 7):
        check_pieces(site, ALL, [cut])


def test_many_requests_in_one_piece_are_answered_in_order(site: Serving) -> None:
    """More than any buffer of the server takes at once: it reads on as it answers."""
    kinds = ALL * 40
    raw = b''.join(numbered(kinds))
    with site.client() as client:
        client.socket.setblocking(True)
        client.send_raw(raw)
        check(client, kinds, 0, len(kinds))
        assert client.is_open(0)


def test_what_is_malformed_behind_many_is_answered_last(site: Serving) -> None:
    raw = b''.join(numbered(ALL)) + b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' + ALL[0].raw
    with site.client() as client:
        client.send_raw(raw)
        check(client, ALL, 0, len(ALL))
        response = answer(client)
        assert (response.status, response.closes) == (400, True)
        assert client.expect_close() == b''
