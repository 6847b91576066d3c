"""C7.5, C7.7: how the answers of upstreams are read.

Lenient where RFC 9112 wants a proxy to be (white space before a colon, folded lines, bare LF), and
strict where two readers could cut a stream differently: those are 502, and nothing of them is passed on.
"""

from __future__ import annotations

from typing import Optional

import pytest
from support import (
    Client,
    Closed,
    Exchange,
    Log,
    ProtocolError,
    Upstream,
    by_target,
    echo,
    replies,
    sends,
    serving,
    wait_until,
)

of = pytest.mark.parametrize

OK = b'HTTP/1.1 200 OK\r\n'
LENGTH = b'Content-Length: 2\r\n'
CHUNKED = b'Transfer-Encoding: chunked\r\n'
CHUNKS = b'2\r\nok\r\n0\r\n\r\n'


def fields(count: int) -> bytes:
    return b''.join(b'X-%d: y\r\n' % number for number in range(count))


# How long and how many.


@of('count', [99, 101, 200])
def test_c7_2_many_fields_pass(count: int) -> None:
    raw = OK + LENGTH + fields(count) + b'\r\nok'
    with Upstream(replies(raw)) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert response.text == 'ok'
        names = [name.lower() for name in response.headers]
        assert [name for name in names if name.startswith('x-')] == [
            f'x-{number}' for number in range(count)
        ]


def test_c7_2_a_long_head_passes() -> None:
    raw = OK + LENGTH + b'X-Long: ' + b'y' * 60_000 + b'\r\n\r\nok'
    with Upstream(replies(raw)) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert (response.text, response.headers['X-Long']) == ('ok', 'y' * 60_000)


@of(
    ('head', 'config', 'option'),
    [
        (fields(300), {}, 'proxy_max_response_headers'),
        (fields(20), {'proxy_max_response_headers': 10}, 'proxy_max_response_headers'),
        (b'X-Long: ' + b'y' * 66_000 + b'\r\n', {}, 'proxy_max_response_head'),
        (
            b'X-Long: ' + b'y' * 2000 + b'\r\n',
            {'proxy_max_response_head': '1KiB'},
            'proxy_max_response_head',
        ),
    ],
    ids=['fields', 'fields, an option', 'length', 'length, an option'],
)
def test_c7_5_a_head_beyond_a_limit_is_502_and_the_log_names_the_option(
    head: bytes, config: dict, option: str
) -> None:
    raw = OK + LENGTH + head + b'\r\nok'
    with Upstream(by_target({'/bad': replies(raw)})) as upstream, Log() as log:
        with serving(proxy=upstream.name, **config) as site, site.client() as client:
            assert client.get('/bad').status == 502
            log.wait_for(rf'\b{option}\b')
            assert client.get('/next').json()['target'] == '/next'


@of(
    ('head', 'config'),
    [
        (fields(300), {'proxy_max_response_headers': 400}),
        (b'X-Long: ' + b'y' * 100_000 + b'\r\n', {'proxy_max_response_head': '128KiB'}),
    ],
    ids=['fields', 'length'],
)
def test_c7_2_the_limits_can_be_raised(head: bytes, config: dict) -> None:
    raw = OK + LENGTH + head + b'\r\nok'
    with Upstream(replies(raw)) as upstream, serving(proxy=upstream.name, **config) as site:
        assert site.get('/').text == 'ok'


def test_c7_5_a_head_that_never_ends_is_cut() -> None:
    """It is not collected until there is no memory left."""
    sent = [0]

    def endless(exchange: Exchange) -> None:
        exchange.send(OK + b'X: ')
        while True:
            exchange.send(b'y' * 65_536)
            sent[0] += 65_536

    with Upstream(endless) as upstream, serving(proxy=upstream.name) as site:
        assert site.get('/').status == 502
        wait_until(lambda: upstream.open_connections == 0, 'the end of the connection')
    # What stands in the buffers of two sockets is not read.
    assert sent[0] < 64 << 20


# Lenient.

LENIENT = {
    'a space before the colon': (OK + b'X-Sp : z\r\n' + LENGTH + b'\r\nok', 'X-Sp', 'z'),
    'a tab before the colon': (OK + b'X-Sp\t: z\r\n' + LENGTH + b'\r\nok', 'X-Sp', 'z'),
    'a space before the colon of a length': (
        OK + b'X-Sp: z\r\nContent-Length : 2\r\n\r\nok',
        'X-Sp',
        'z',
    ),
    'a folded field': (OK + b'X-Fold: a\r\n b\r\n' + LENGTH + b'\r\nok', 'X-Fold', 'a b'),
    'folded twice': (OK + b'X-Fold: a\r\n\tb\r\n  c\r\n' + LENGTH + b'\r\nok', 'X-Fold', 'a b c'),
    'folded at once': (OK + b'X-Fold:\r\n a\r\n' + LENGTH + b'\r\nok', 'X-Fold', 'a'),
    'bare LF everywhere': (b'HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok', 'X', 'y'),
    'bare LF behind a field': (OK + b'X: y\n' + LENGTH + b'\r\nok', 'X', 'y'),
    'bare LF for the empty line': (OK + b'X: y\r\n' + LENGTH + b'\nok', 'X', 'y'),
    'bytes above ASCII': (OK + b'X: caf\xe9\r\n' + LENGTH + b'\r\nok', 'X', 'caf\xe9'),
    'an empty value': (OK + b'X:\r\n' + LENGTH + b'\r\nok', 'X', ''),
    'no reason': (b'HTTP/1.1 200 \r\nX: y\r\n' + LENGTH + b'\r\nok', 'X', 'y'),
}


@of('raw, name, value', LENIENT.values(), ids=LENIENT)
def test_c7_7_what_a_proxy_reads_it_writes_anew(raw: bytes, name: str, value: str) -> None:
    """The client of the tests reads strictly: it takes no fold and no bare LF."""
    with Upstream(replies(raw)) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            for _ in range(2):
                response = client.get('/')
                assert response.text == 'ok'
                assert response.headers.all(name) == [value], 'spaces for a fold'
            assert (client.connections, upstream.connections) == (1, 1)


# Strict.

STRICT = {
    'a coding': OK + b'Transfer-Encoding: foo\r\n\r\nok',
    'gzip': OK + b'Transfer-Encoding: gzip\r\n\r\nok',
    'gzip, chunked': OK + b'Transfer-Encoding: gzip, chunked\r\n\r\n' + CHUNKS,
    'gzip and chunked': OK + b'Transfer-Encoding: gzip\r\n' + CHUNKED + b'\r\n' + CHUNKS,
    'chunked, gzip': OK + b'Transfer-Encoding: chunked, gzip\r\n\r\n' + CHUNKS,
    'chunked, chunked': OK + b'Transfer-Encoding: chunked, chunked\r\n\r\n' + CHUNKS,
    'chunked twice': OK + CHUNKED + CHUNKED + b'\r\n' + CHUNKS,
    'identity': OK + b'Transfer-Encoding: identity\r\n' + LENGTH + b'\r\nok',
    'almost chunked': OK + b'Transfer-Encoding: xchunked\r\n\r\n' + CHUNKS,
    'chunked with a parameter': OK + b'Transfer-Encoding: chunked;q=1\r\n\r\n' + CHUNKS,
    'an empty coding': OK + b'Transfer-Encoding:\r\n' + LENGTH + b'\r\nok',
    'chunked behind a vertical tab': OK + b'Transfer-Encoding: \x0bchunked\r\n\r\n' + CHUNKS,
    'a coding beside a length': OK + b'Transfer-Encoding: gzip\r\n' + LENGTH + b'\r\nok',
    'chunked in 1.0': b'HTTP/1.0 200 OK\r\n' + CHUNKED + b'\r\n' + CHUNKS,
    'chunked in 1.0 beside a length': b'HTTP/1.0 200 OK\r\n' + CHUNKED + LENGTH + b'\r\n' + CHUNKS,
    'two lengths': OK + LENGTH + b'Content-Length: 3\r\n\r\nok!',
    'a list of lengths': OK + b'Content-Length: 2, 3\r\n\r\nok!',
    'two lengths, one empty': OK + LENGTH + b'Content-Length:\r\n\r\nok',
    'length +2': OK + b'Content-Length: +2\r\n\r\nok',
    'length -2': OK + b'Content-Length: -2\r\n\r\nok',
    'length 0x2': OK + b'Content-Length: 0x2\r\n\r\nok',
    'length 2 2': OK + b'Content-Length: 2 2\r\n\r\nok',
    'length 2.0': OK + b'Content-Length: 2.0\r\n\r\nok',
    'an empty length': OK + b'Content-Length:\r\n\r\nok',
    'a length beyond 64 bits': OK + b'Content-Length: 18446744073709551618\r\n\r\nok',
    'NUL in a value': OK + b'X: a\0b\r\n' + LENGTH + b'\r\nok',
    'bare CR in a value': OK + b'X: a\rb\r\n' + LENGTH + b'\r\nok',
    'no colon': OK + b'X\r\n' + LENGTH + b'\r\nok',
    'no name': OK + b': y\r\n' + LENGTH + b'\r\nok',
    'a space in a name': OK + b'X Y: z\r\n' + LENGTH + b'\r\nok',
    'a space in front of the first field': OK + b' X: y\r\n' + LENGTH + b'\r\nok',
    'version 2': b'HTTP/2 200 OK\r\n' + LENGTH + b'\r\nok',
    'version 2.0': b'HTTP/2.0 200 OK\r\n' + LENGTH + b'\r\nok',
    'a status beyond 999': b'HTTP/1.1 2000 OK\r\n' + LENGTH + b'\r\nok',
    'a status below 100': b'HTTP/1.1 020 OK\r\n' + LENGTH + b'\r\nok',
}


@of('raw', STRICT.values(), ids=STRICT)
def test_c7_5_what_is_ambiguous_is_502(raw: bytes) -> None:
    behaviour = by_target({'/bad': replies(raw)})
    with Log() as log, Upstream(behaviour) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            assert client.get('/before').status == 200
            assert client.get('/bad').status == 502
            assert client.get('/next').json()['target'] == '/next'
            assert upstream.exchanges[-1].number == 2, 'on a connection of its own'
            log.wait_for(upstream.name.replace('.', r'\.'))


@of(
    'lengths',
    [
        LENGTH + LENGTH,
        b'Content-Length: 2, 2\r\n',
        b'Content-Length: 2 \t\r\n',
        b'Content-Length:2\r\n',
    ],
    ids=['two that agree', 'a list that agrees', 'space behind', 'no space'],
)
def test_c7_7_a_length_is_passed_on_once(lengths: bytes) -> None:
    with Upstream(replies(OK + lengths + b'\r\nok')) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            for _ in range(2):
                response = client.get('/')
                assert response.headers.all('Content-Length') == ['2']
                assert response.text == 'ok'
            assert upstream.connections == 1


@of(
    'head',
    [LENGTH + CHUNKED, CHUNKED + b'Content-Length: 50\r\n'],
    ids=['length first', 'chunked first'],
)
def test_c7_7_chunks_beside_a_length_win_and_the_connection_is_not_used_again(head: bytes) -> None:
    """RFC 9112 section 6.3: what another reader would take for the next answer goes nowhere."""
    behaviour = by_target({'/both': replies(OK + head + b'\r\n2\r\nok\r\n0\r\n\r\n')})
    with Upstream(behaviour) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            response = client.get('/both')
            assert response.text == 'ok'
            assert 'Content-Length' not in response.headers
            assert client.get('/next').json()['target'] == '/next'
            assert upstream.exchanges[-1].number == 2


# What does not end, and what goes on behind its end.

CUT = {
    'a length': OK + b'Content-Length: 100\r\n\r\nhalf',
    'a chunk': OK + CHUNKED + b'\r\n64\r\nhalf',
    'behind a chunk': OK + CHUNKED + b'\r\n4\r\nhalf',
    'between chunks': OK + CHUNKED + b'\r\n4\r\nhalf\r\n',
    'within a size': OK + CHUNKED + b'\r\n4\r\nhalf\r\n1',
    'before the last line': OK + CHUNKED + b'\r\n4\r\nhalf\r\n0\r\n',
    'within a trailer': OK + CHUNKED + b'\r\n4\r\nhalf\r\n0\r\nX-Sum: 1',
    'a size that is none': OK + CHUNKED + b'\r\n4\r\nhalf\r\nzz\r\n\r\n',
    'a size that is negative': OK + CHUNKED + b'\r\n4\r\nhalf\r\n-1\r\n\r\n',
    'a size beyond 64 bits': OK
    + CHUNKED
    + b'\r\n4\r\nhalf\r\n10000000000000004\r\nmore\r\n0\r\n\r\n',
    'more than a chunk': OK + CHUNKED + b'\r\n4\r\nhalfmore\r\n0\r\n\r\n',
}


def rest_of(client: Client, target: str) -> Optional[bytes]:
    """What comes of an answer that breaks off; None where the client takes it for whole."""
    client.send('GET', target)
    head = client.read_head()
    assert head.status == 200
    try:
        client._read_body(head, 'GET')
    except (Closed, ProtocolError):
        return head.raw
    return None


@of('raw', CUT.values(), ids=CUT)
def test_c7_5_an_answer_that_breaks_off_breaks_off_for_the_client(raw: bytes) -> None:
    with (
        Upstream(by_target({'/cut': sends(raw)})) as upstream,
        serving(proxy=upstream.name) as site,
    ):
        with site.client() as client:
            got = rest_of(client, '/cut')
            assert got is not None, 'it is taken for whole'
            assert not got.endswith(b'0\r\n\r\n')
            assert client.expect_close() == b''
        assert site.get('/next').json()['target'] == '/next'


SMUGGLED = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled'
MORE = {
    'a length': (OK + LENGTH + b'\r\nok', b'ok'),
    'no content': (OK + b'Content-Length: 0\r\n\r\n', b''),
    'chunks': (OK + CHUNKED + b'\r\n' + CHUNKS, b'ok'),
    '204': (b'HTTP/1.1 204 No Content\r\n\r\n', b''),
    '304': (b'HTTP/1.1 304 Not Modified\r\n\r\n', b''),
}


@of('extra', [SMUGGLED, b'x', b'\r\n'], ids=['an answer', 'a byte', 'a line end'])
@of('raw, body', MORE.values(), ids=MORE)
def test_c7_7_what_comes_behind_an_answer_answers_nobody(
    raw: bytes, body: bytes, extra: bytes
) -> None:
    with Upstream(by_target({'/more': replies(raw + extra)}, echo)) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            assert client.get('/more').body == body
            assert client.get('/next').json()['target'] == '/next'
            assert upstream.exchanges[-1].number == 2
