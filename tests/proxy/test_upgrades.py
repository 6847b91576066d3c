"""C7.2: upgrades through the proxy: what was offered, and bytes that come before they are agreed on.

RFC 9110 section 7.8. What stands behind a request that asks for an upgrade belongs to the new protocol
where there is a 101, and is the next request where there is none.
"""

from __future__ import annotations

import pytest
from support import Exchange, Log, Upstream, by_target, replies, says, serving, websocket_echo
from support.websocket_frames import handshake, read_websocket_frame, websocket_frame

of = pytest.mark.parametrize

MASK = b'mask'


def head(target: str, fields: dict[str, str]) -> bytes:
    lines = ''.join(f'{name}: {value}\r\n' for name, value in fields.items())
    return f'GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n'.encode()


SWITCHES = b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n'


@of(
    ('fields', 'protocol'),
    [
        ({'Upgrade': 'h2c', 'Connection': 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': ''}, b'h2c'),
        ({'Upgrade': 'websocket'}, b'websocket'),
        ({}, b'x'),
    ],
    ids=['h2c', 'an upgrade without its Connection', 'none'],
)
def test_c7_5_a_101_for_what_was_not_offered_is_502(
    fields: dict[str, str], protocol: bytes
) -> None:
    def switch(exchange: Exchange) -> bool:
        exchange.send(SWITCHES % protocol)
        exchange.wait_until_gone()
        return False

    with Log() as log, Upstream(by_target({'/bad': switch})) as upstream:
        with serving(proxy=upstream.name) as site, site.client() as client:
            client.send_raw(head('/bad', fields))
            assert client.read_response().status == 502
            log.wait_for(upstream.name.replace('.', r'\.'))
            assert client.get('/next').json()['target'] == '/next'
            for exchange in upstream.exchanges:
                assert 'Upgrade' not in exchange.headers


@of('size', [5, 70_000, 300_000])
def test_c7_2_frames_behind_the_handshake_reach_the_upstream(size: int) -> None:
    payload = b'p' * size
    frame = websocket_frame(payload, 2, MASK)
    with Upstream(websocket_echo) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(head('/chat', handshake()) + frame + frame)
            assert client.read_head().status == 101
            for _ in range(2):
                assert read_websocket_frame(client.read_exactly) == (2, payload)
            client.send_raw(websocket_frame(b'', 8, MASK))
            assert read_websocket_frame(client.read_exactly)[0] == 8
            assert client.expect_close() == b''


def test_c7_2_bytes_that_come_while_the_upstream_thinks_reach_it() -> None:
    """They are no HTTP at all, and no fault."""
    early = b'\x00\xff no request \r\n\r\n\x16\x03\x01'

    def switch(exchange: Exchange) -> bool:
        exchange.upstream.released.wait(10)
        exchange.send(SWITCHES % b'x')
        exchange.send(exchange.receive_exactly(len(early)))
        return False

    with Upstream(switch) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(head('/', {'Connection': 'Upgrade', 'Upgrade': 'x'}))
            upstream.wait_for(1)
            client.send_raw(early)
            assert client.is_open(0.1), 'nobody has judged them'
            upstream.released.set()
            assert client.read_head().status == 101
            assert client.read_rest() == early


def test_c7_2_what_the_upstream_sends_right_behind_its_101_reaches_the_client() -> None:
    def switch(exchange: Exchange) -> bool:
        exchange.send(SWITCHES % b'x' + b'at once')
        return False

    with Upstream(switch) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(head('/', {'Connection': 'Upgrade', 'Upgrade': 'x'}))
            assert client.read_head().status == 101
            assert client.read_rest() == b'at once'


def test_c7_2_behind_an_upgrade_that_is_refused_comes_the_next_request() -> None:
    behaviour = by_target({'/chat': says('no', '426 Upgrade Required')})
    with Upstream(behaviour) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(head('/chat', handshake()) + head('/next', {}))
            response = client.read_response()
            assert (response.status, response.text) == (426, 'no')
            assert client.read_response().json()['target'] == '/next'
            assert client.connections == 1


def test_c7_2_behind_an_upgrade_that_is_refused_garbage_is_garbage() -> None:
    behaviour = replies(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno')
    with Upstream(behaviour) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(
                head('/chat', handshake()) + websocket_frame(b'x' * 9, 2, MASK) + b'\r\n\r\n'
            )
            assert client.read_response().text == 'no'
            assert client.read_response().status == 400
            assert client.expect_close() == b''
            assert len(upstream.exchanges) == 1
