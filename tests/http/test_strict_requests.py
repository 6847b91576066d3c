"""Requests are read strictly: what two readers could understand differently is refused.

The vectors stand in data/strict_requests.py. Malformed means: one answer of the right status,
then the connection closes, and no handler, file or upstream has heard of it.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator

import pytest
from support import (
    DATA,
    Client,
    Exchange,
    Serving,
    Upstream,
    answer,
    echo,
    exchange,
    serving,
    wait_until,
)

sys.path.insert(0, str(DATA))

from strict_requests import CASES, SMUGGLED, Case


class Counted(Serving):
    """A server whose only handler answers everything and keeps what it saw."""

    seen: list[tuple[str, bytes]]

    def check_nothing_seen_since(self, before: int) -> None:
        """The handler has seen nothing; a last request makes sure that nothing waits."""
        assert self.get('/last').status == 200
        assert [url for url, _ in self.seen[before:]] == ['/last']


@pytest.fixture(scope='module')
def counted() -> Iterator[Counted]:
    with serving() as site:
        counted = Counted(site.http)
        counted.seen = []

        @site.http.route('/', prefix=True)
        def see(request):
            counted.seen.append((request.url, request.payload))
            return 'seen'

        yield counted


FINE = [case for case in CASES if case.status == 200]
MALFORMED = [case for case in CASES if case.status != 200]
of = pytest.mark.parametrize


def why(case: Case) -> str:
    return case.why


def check_fine(counted: Counted, case: Case, send) -> None:
    before = len(counted.seen)
    if b'HTTP/1.0\r\n' in case.raw:
        # It closes by itself, and may answer as the version that was spoken.
        with Client(counted.address) as client:
            send(client, case.raw)
            data = client.expect_close()
        assert re.match(rb'HTTP/1\.[01] 200 ', data), data
    else:
        with Client(counted.address) as client:
            send(client, case.raw)
            response = client.read_response(case.raw.strip().split(b' ')[0].decode())
            assert response.status == 200, response
            assert client.get('/next').status == 200
            assert client.connections == 1, 'the connection is kept, and at the right byte'
    assert counted.seen[before][1] == case.body
    assert len(counted.seen) - before <= 2


def check_malformed(counted: Counted, case: Case, send) -> None:
    before = len(counted.seen)
    with Client(counted.address) as client:
        send(client, case.raw)
        response = answer(client)
        assert response.status == case.status, response
        assert response.closes, 'it says that it closes'
        assert client.expect_close() == b'', 'one answer, and no other'
    counted.check_nothing_seen_since(before)


def whole(client: Client, raw: bytes) -> None:
    client.send_raw(raw)


def byte_by_byte(client: Client, raw: bytes) -> None:
    # The server may have heard enough and close before the end.
    with contextlib.suppress(ConnectionError):
        for position in range(len(raw)):
            client.send_raw(raw[position : position + 1])


@of('case', FINE, ids=why)
def test_a_request_that_is_fine_is_answered(counted: Counted, case: Case) -> None:
    check_fine(counted, case, whole)


@of('case', MALFORMED, ids=why)
def test_a_malformed_request_is_refused_and_does_nothing(counted: Counted, case: Case) -> None:
    check_malformed(counted, case, whole)


@of('case', FINE[::2], ids=why)
def test_a_fine_request_byte_by_byte(counted: Counted, case: Case) -> None:
    check_fine(counted, case, byte_by_byte)


@of('case', MALFORMED[::3], ids=why)
def test_a_malformed_request_byte_by_byte(counted: Counted, case: Case) -> None:
    check_malformed(counted, case, byte_by_byte)


@of('case', [case for case in MALFORMED if case.why.startswith('stream')][::2], ids=why)
def test_a_malformed_request_behind_a_fine_one(counted: Counted, case: Case) -> None:
    before = len(counted.seen)
    with Client(counted.address) as client:
        client.send_raw(b'GET /first HTTP/1.1\r\nHost: a.example\r\n\r\n' + case.raw + SMUGGLED)
        assert answer(client).status == 200
        assert answer(client).status == case.status
        assert client.expect_close() == b''
    assert counted.seen[before][0] == '/first'
    counted.check_nothing_seen_since(before + 1)


def test_pipelined_requests_are_answered_in_order(counted: Counted) -> None:
    before = len(counted.seen)
    raw = b''.join(
        b'POST /%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n%02d' % (n, n)
        for n in range(20)
    )
    with Client(counted.address) as client:
        client.send_raw(raw)
        assert [client.read_response().status for _ in range(20)] == [200] * 20
    assert counted.seen[before:] == [(f'/{n}', b'%02d' % n) for n in range(20)]


#: Requests that end before their end; the client then closes its half.
CUT = [
    b'GET',
    b'GET / HTTP/1.1\r\n',
    b'GET / HTTP/1.1\r\nHost: a.example\r\n',
    b'GET / HTTP/1.1\r\nHost: a.example\r\n\r',
    b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n',
    b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhell',
    b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n',
    b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    b'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
]


@of('raw', CUT, ids=lambda raw: f'{len(raw)} bytes')
def test_a_request_that_is_cut_short_does_nothing(counted: Counted, raw: bytes) -> None:
    before = len(counted.seen)
    with Client(counted.address) as client:
        client.send_raw(raw)
        client.socket.shutdown(1)
        data = client.expect_close()
    # RFC 9112 section 8: what never was a request is not answered, and an incomplete one may be.
    assert data[:13] == (b'HTTP/1.1 400 ' if raw.startswith(b'POST') else b''), data
    counted.check_nothing_seen_since(before)


def test_a_body_longer_than_its_length_is_the_next_request(counted: Counted) -> None:
    raw = b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhelloworld / HTTP/1.1\r\n\r\n'
    with Client(counted.address) as client:
        client.send_raw(raw)
        assert answer(client).status == 200
        assert answer(client).status == 400, '`world` is a method without a Host'
        assert client.expect_close() == b''


STREAMED = [case for case in MALFORMED if case.why.startswith(('stream', 'chunks'))]


@pytest.fixture(scope='module')
def forwarding() -> Iterator[tuple[Serving, Upstream, list[Exchange]]]:
    whole: list[Exchange] = []

    def note(exchange: Exchange) -> None:
        exchange.read_body()
        whole.append(exchange)
        exchange.respond(b'forwarded')

    with Upstream(note) as upstream, serving(proxy=upstream.name) as site:
        yield site, upstream, whole


@of('case', STREAMED, ids=why)
def test_c7_7_a_malformed_request_never_reaches_an_upstream_whole(
    forwarding: tuple[Serving, Upstream, list[Exchange]], case: Case
) -> None:
    """Its head may: bodies are streamed. Its end, and what hides behind it, may not."""
    site, upstream, whole = forwarding
    before = len(whole)
    heads = len(upstream.exchanges)
    data = exchange(site.address, case.raw)
    assert re.match(rb'HTTP/1\.[01] (400|413|501|505) ', data), data
    assert len(re.findall(rb'HTTP/1\.[01] \d\d\d ', data)) == 1, data
    assert site.get('/last').text == 'forwarded'
    assert [one.target for one in whole[before:]] == ['/last']
    assert not [one for one in upstream.exchanges[heads:] if one.target == '/smuggled']


def test_c7_7_fields_reach_an_upstream_as_one_reader_sees_them() -> None:
    """A field with an underscore is no other field, and is not made one."""
    with Upstream(echo) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            fields = {'Content_Length': '99', 'Transfer_Encoding': 'chunked'}
            seen = client.request('POST', '/', fields, b'hello').json()
            assert seen['body'] == 'hello'
            assert client.get('/next').json()['target'] == '/next'


def test_the_server_is_well_after_all_of_it(counted: Counted) -> None:
    """Garbage on many connections at once, each closed by the client mid-way, disturbs nobody."""
    for case in CASES[::5]:
        client = Client(counted.address)
        client.send_raw(case.raw[: len(case.raw) // 2 + 1])
        client.reset()
    wait_until(lambda: counted.get('/well').status == 200)
