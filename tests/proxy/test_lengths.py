"""C7.2: the length of an upstream's answer is told as the upstream tells it, and never made up.

RFC 9110 section 8.6 and RFC 9112 section 6.3. After each kind of answer both connections stand at the
right byte: the client's goes on, and the upstream's where the answer has an end of its own.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import pytest
from support import Upstream, by_target, echo, replies, sends, serving

of = pytest.mark.parametrize


class Kind(NamedTuple):
    """What is asked, what the upstream says to it, and what the client is told."""

    method: str
    raw: bytes
    status: int
    #: The Content-Length that the client gets.
    length: Optional[str]
    body: bytes = b''
    #: Whether the upstream closes behind it: the end of the answer.
    closes: bool = False


OK = b'HTTP/1.1 200 OK\r\n'
CHUNKS = b'2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n'
KINDS = {
    'HEAD without a length': Kind('HEAD', OK + b'\r\n', 200, None),
    'HEAD with a length': Kind('HEAD', OK + b'Content-Length: 12345\r\n\r\n', 200, '12345'),
    'HEAD with a length of 0': Kind('HEAD', OK + b'Content-Length: 0\r\n\r\n', 200, '0'),
    'HEAD in chunks': Kind('HEAD', OK + b'Transfer-Encoding: chunked\r\n\r\n', 200, None),
    'HEAD of an upstream that closes': Kind(
        'HEAD', OK + b'Connection: close\r\n\r\n', 200, None, closes=True
    ),
    'HEAD of what is missing': Kind(
        'HEAD', b'HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n', 404, '9'
    ),
    '304 without a length': Kind(
        'GET', b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 304, None
    ),
    '304 with a length': Kind(
        'GET', b'HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\n\r\n', 304, '12345'
    ),
    '304 to HEAD': Kind('HEAD', b'HTTP/1.1 304 Not Modified\r\n\r\n', 304, None),
    '204': Kind('GET', b'HTTP/1.1 204 No Content\r\n\r\n', 204, None),
    '204 with a length of 0': Kind(
        'GET', b'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 204, None
    ),
    '204 to HEAD': Kind('HEAD', b'HTTP/1.1 204 No Content\r\n\r\n', 204, None),
    '204 to DELETE': Kind('DELETE', b'HTTP/1.1 204 No Content\r\n\r\n', 204, None),
    '205 with content': Kind(
        'GET', b'HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello', 205, '0'
    ),
    '205 with content until it closes': Kind(
        'GET', b'HTTP/1.1 205 Reset Content\r\n\r\nhello', 205, '0', closes=True
    ),
    'a length': Kind('GET', OK + b'Content-Length: 5\r\n\r\nhello', 200, '5', b'hello'),
    'a length of 0': Kind('GET', OK + b'Content-Length: 0\r\n\r\n', 200, '0'),
    'chunks': Kind('GET', OK + b'Transfer-Encoding: chunked\r\n\r\n' + CHUNKS, 200, None, b'hello'),
    'chunks in capitals': Kind(
        'GET', OK + b'TRANSFER-ENCODING: Chunked\r\n\r\n' + CHUNKS, 200, None, b'hello'
    ),
    'chunks whose sizes are padded': Kind(
        'GET',
        OK + b'Transfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0   \r\n\r\n',
        200,
        None,
        b'hello',
    ),
    'chunks without data': Kind(
        'GET', OK + b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 200, None
    ),
    'until it closes': Kind('GET', OK + b'\r\nhello', 200, None, b'hello', closes=True),
    'nothing until it closes': Kind(
        'GET', OK + b'Connection: close\r\n\r\n', 200, None, closes=True
    ),
    'of 1.0 until it closes': Kind(
        'GET', b'HTTP/1.0 200 OK\r\n\r\nhello', 200, None, b'hello', closes=True
    ),
    'of 1.0 with a length': Kind(
        'GET', b'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200, '5', b'hello', closes=True
    ),
    'of 1.0 to HEAD': Kind(
        'HEAD', b'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n', 200, '5', closes=True
    ),
    'of 1.0, 304': Kind('GET', b'HTTP/1.0 304 Not Modified\r\n\r\n', 304, None, closes=True),
}


@of('kind', KINDS.values(), ids=KINDS)
def test_c7_2_the_length_is_that_of_the_upstream_and_the_connections_go_on(kind: Kind) -> None:
    behaviour = sends(kind.raw) if kind.closes else replies(kind.raw)
    with Upstream(by_target({'/kind': behaviour})) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            for _ in range(2):
                response = client.request(kind.method, '/kind')
                assert response.status == kind.status
                assert response.headers.get('Content-Length') == kind.length
                assert response.body == kind.body
                assert client.get('/next').json()['target'] == '/next'
            assert client.connections == 1, 'the connection of the client is kept'
            if not kind.closes:
                assert upstream.connections == 1, 'and that to the upstream'


@of('version', ['1.0', '1.1'])
def test_c7_2_a_204_and_a_304_end_with_their_head_for_every_client(version: str) -> None:
    with Upstream(
        by_target(
            {
                '/204': replies(b'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'),
                '/304': replies(b'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'),
            }
        )
    ) as upstream:
        with serving(proxy=upstream.name) as site:
            for target in ('/204', '/304'):
                with site.client() as client:
                    client.send_raw(
                        f'GET {target} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n'.encode()
                    )
                    assert client.read_head().status == int(target[1:])
                    assert client.expect_close() == b''


def test_c7_2_a_head_that_the_upstream_answers_with_content_does_no_harm() -> None:
    """Such an upstream is broken: its content is no answer to what comes next."""
    wrong = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad'
    with Upstream(by_target({'/wrong': replies(wrong)}, echo)) as upstream:
        with serving(proxy=upstream.name, io_threads=1) as site, site.client() as client:
            response = client.request('HEAD', '/wrong')
            assert (response.status, response.headers['Content-Length']) == (200, '40')
            assert client.get('/next').json()['target'] == '/next'
            assert upstream.exchanges[1].number == 2, 'on a connection of its own'
