"""What a WebSocket makes of the bytes of a client: RFC 6455 and RFC 7692, a case a line.

A case is what is sent behind the handshake, and what comes back: `'t Hello'` a text
message, `'b …'` a binary one, `'pong …'`, `'close CODE'`. The handler sends every message
back. Where no closing is expected the client closes, and hears that said back. The same
table is asked with the bytes sent at once and one by one.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Optional

import pytest
from support import Client, Serving, serving
from support.websocket_frames import (
    BINARY,
    CLOSE,
    DEFLATE,
    FIN,
    KEY,
    MORE,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    frame,
    opened,
)

LIMIT = 100_000


def text(payload: str) -> bytes:
    return frame(FIN | TEXT, payload.encode())


def close(code: int = 1000, reason: bytes = b'') -> bytes:
    return frame(FIN | CLOSE, struct.pack('!H', code) + reason)


def packed(message: bytes, level: int = 6) -> bytes:
    machine = zlib.compressobj(level, wbits=-15)
    return (machine.compress(message) + machine.flush(zlib.Z_SYNC_FLUSH))[:-4]


def unpacked(message: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(message + b'\0\0\xff\xff')


#: Name, what is sent, what comes back.
PLAIN = [
    ('text', text('Hello'), ['t Hello']),
    ('binary', frame(FIN | BINARY, b'\0\xff'), ["b b'\\x00\\xff'"]),
    ('nothing in it', text(''), ['t ']),
    ('unicode', text('\u03ba\u1f79\u03c3\u03bc\u03b5 \U0001f388'), ['t \u03ba\u1f79\u03c3\u03bc\u03b5 \U0001f388']),
    ('a mask of zeros', frame(FIN | TEXT, b'a', b'\0\0\0\0'), ['t a']),
    ('126 bytes', text('x' * 126), ['t 126 bytes']),
    ('65536 bytes', text('x' * 65536), ['t 65536 bytes']),
    ('as long as may be', text('x' * LIMIT), [f't {LIMIT} bytes']),
    ('longer than that', text('x' * (LIMIT + 1)), ['close 1009']),
    ('longer, by its head', frame(FIN | BINARY, b'x' * (LIMIT + 1))[:14], ['close 1009']),
    ('longer, in fragments', frame(BINARY, b'x' * LIMIT) + frame(FIN, b'x'), ['close 1009']),
    # Section 5.4.
    ('fragments', frame(TEXT, b'Hel') + frame(MORE, b'l') + frame(FIN, b'o'), ['t Hello']),
    ('a ping between them', frame(TEXT, b'a') + frame(FIN | PING, b'p') + frame(FIN, b'b'), ['pong p', 't ab']),
    ('a character in two fragments', frame(TEXT, b'\xce') + frame(FIN, b'\xba'), ['t \u03ba']),
    ('continuing nothing', frame(FIN, b'x'), ['close 1002']),
    ('a message in a message', frame(TEXT, b'a') + text('b'), ['close 1002']),
    # Section 5.5.
    ('ping', frame(FIN | PING, b''), ['pong ']),
    ('a long ping', frame(FIN | PING, b'p' * 125), ['pong 125 bytes']),
    ('too long a ping', frame(FIN | PING, b'p' * 126), ['close 1002']),
    ('a ping in fragments', frame(PING, b'p'), ['close 1002']),
    ('a close in fragments', frame(CLOSE, b'\x03\xe8'), ['close 1002']),
    ('a pong that nobody asked for', frame(FIN | PONG, b'p'), []),
    # Section 7.
    ('close without a code', frame(FIN | CLOSE), ['close']),
    ('half a code', frame(FIN | CLOSE, b'\x03'), ['close 1002']),
    ('close with a reason', close(1000, b'bye'), ['close 1000']),
    ('a reason that is not UTF-8', close(1000, b'\xff'), ['close 1007']),
    *[(f'code {code}', close(code), [f'close {code}']) for code in (1001, 1003, 1007, 1011, 1014, 3000, 4999)],
    *[(f'code {code}', close(code), ['close 1002']) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000)],
    ('what stands behind a close', close() + text('too late'), ['close 1000']),
    # Section 5.1 to 5.3.
    ('no mask', frame(FIN | TEXT, b'a', None), ['close 1002']),
    ('reserved bit 1', frame(FIN | RSV1 | TEXT, b'a'), ['close 1002']),
    ('reserved bit 2', frame(FIN | RSV2 | TEXT, b'a'), ['close 1002']),
    ('reserved bit 3', frame(FIN | RSV3 | PING, b'a'), ['close 1002']),
    *[(f'opcode {opcode}', frame(FIN | opcode), ['close 1002']) for opcode in (3, 7, 11, 15)],
    ('a length of 16 bits for 7', b'\x82\xfe\0\x01\0\0\0\0x', ['close 1002']),
    ('a length of 64 bits for 16', b'\x82\xff\0\0\0\0\0\0\x01\0\0\0\0\0', ['close 1002']),
    ('a length with a sign', b'\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0', ['close 1002']),
    # Section 8.1.
    ('half a character', frame(FIN | TEXT, b'\xce'), ['close 1007']),
    ('a surrogate', frame(FIN | TEXT, b'\xed\xa0\x80'), ['close 1007']),
    ('beyond unicode', frame(FIN | TEXT, b'\xf4\x90\x80\x80'), ['close 1007']),
    ('an overlong form', frame(FIN | TEXT, b'\xc0\xaf'), ['close 1007']),
    ('found in the first fragment', frame(TEXT, b'\xff'), ['close 1007']),
    ('binary is anything', frame(FIN | BINARY, b'\xff'), ["b b'\\xff'"]),
]  # fmt: skip


def far(distance: str) -> bytes:
    """ "ab", and three bytes that stood before: RFC 1951 section 3.2.6, bit by bit."""
    bits = f'010{0x30 + ord("a"):08b}{0x30 + ord("b"):08b}0000001{distance}0000000000'
    bits += '0' * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


HELLO = packed(b'Hello')
ZERO = FIN | RSV1
PACKED = [
    ('packed', frame(ZERO | TEXT, HELLO), ['t Hello']),
    ('not packed', text('Hello'), ['t Hello']),
    ('in fragments', frame(RSV1 | TEXT, HELLO[:3]) + frame(FIN, HELLO[3:]), ['t Hello']),
    ('a ping between them', frame(RSV1 | TEXT, HELLO[:3]) + frame(FIN | PING) + frame(FIN, HELLO[3:]), ['pong ', 't Hello']),
    ('nothing carried on', 2 * frame(ZERO | TEXT, HELLO), ['t Hello', 't Hello']),
    ('stored', frame(ZERO | TEXT, packed(b'Hello', 0)), ['t Hello']),
    ('nothing in it', frame(ZERO | TEXT, b'\0'), ['t ']),
    ('a last block', frame(ZERO | TEXT, b'\xf3\x48\xcd\xc9\xc9\x07\x00\x00'), ['t Hello']),
    ('packed in return', frame(ZERO | TEXT, packed(b'x' * 5000)), ['packed t 5000 bytes']),
    ('as long as may be', frame(ZERO | BINARY, packed(b'x' * LIMIT)), [f'packed b {LIMIT} bytes']),
    ('a bomb', frame(ZERO | BINARY, packed(b'\0' * 50_000_000)), ['close 1009']),
    ('nothing, and much of it', frame(ZERO | BINARY, b'\0\0\0\xff\xff' * 22_000 + b'\0'), ["b b''"]),
    ('more of it', frame(ZERO | BINARY, b'\0\0\0\xff\xff' * 23_000 + b'\0'), ['close 1009']),
    ('more of it, by its head', b'\xc2\xff\0\0\1\0\0\0\0\0\0\0\0\0', ['close 1009']),
    ('more of it, in fragments', frame(RSV1 | BINARY, b'\0\0\0\xff\xff' * 20_000) + frame(FIN, b'\0\0\0\xff\xff' * 3000), ['close 1009']),
    ('a reference', frame(ZERO | TEXT, far('00001')), ['t ababa']),
    ('a reference to before the message', frame(ZERO | TEXT, far('00010')), ['close 1007']),
    ('a reference as far as there is', frame(ZERO | TEXT, far('111011111111111111')), ['close 1007']),
    ('half of a block', frame(ZERO | TEXT, HELLO[:3]), ['close 1007']),
    ('not packed at all', frame(ZERO | TEXT, b'\xff\xff\xff\xff'), ['close 1007']),
    ('not UTF-8', frame(ZERO | TEXT, packed(b'\xff')), ['close 1007']),
    ('the bit on a continuation', frame(RSV1 | TEXT, HELLO[:3]) + frame(FIN | RSV1, HELLO[3:]), ['close 1002']),
    ('the bit on a ping', frame(FIN | RSV1 | PING), ['close 1002']),
    ('another bit', frame(FIN | RSV2 | TEXT), ['close 1002']),
]  # fmt: skip


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    with serving(websocket_max_message=LIMIT) as site:

        @site.http.websocket('/echo')
        async def echo(ws):
            async for message in ws:
                await ws.send(message)

        yield site


def in_words(payload: bytes, is_text: bool = True) -> str:
    if len(payload) > 100:
        return f'{len(payload)} bytes'
    return payload.decode() if is_text else repr(payload)


def heard(client: Client, count: int) -> list[str]:
    """Read so much, or until the server closes; its frames are not masked, and in the shortest form."""
    words: list[str] = []
    message, kind = b'', ''
    while len(words) < count:
        first, size = client.read_exactly(2)
        assert size < 128
        if size == 126:
            (size,) = struct.unpack('!H', client.read_exactly(2))
            assert size > 125
        elif size == 127:
            (size,) = struct.unpack('!Q', client.read_exactly(8))
            assert size > 65535
        payload = client.read_exactly(size)
        opcode = first & 0x0F
        if opcode == CLOSE:
            assert first == FIN | CLOSE
            words.append('close' if not payload else f'close {struct.unpack("!H", payload[:2])[0]}')
            break
        if opcode == PONG:
            assert first == FIN | PONG
            words.append('pong ' + in_words(payload))
            continue
        assert first & (RSV2 | RSV3) == 0
        if opcode != MORE:
            kind = ('packed ' if first & RSV1 else '') + ('t ' if opcode == TEXT else 'b ')
            message = b''
        message += payload
        if first & FIN:
            whole = unpacked(message) if kind.startswith('packed') else message
            words.append(kind + in_words(whole, kind.endswith('t ')))
    return words


CASES = [
    *[pytest.param(sent, expected, None, id=name) for name, sent, expected in PLAIN],
    *[pytest.param(sent, expected, DEFLATE, id=f'packed: {name}') for name, sent, expected in PACKED],
]  # fmt: skip
SHORT = [case for case in CASES if len(case.values[0]) < 1000]


@pytest.mark.parametrize(('sent', 'expected', 'extension'), SHORT)
def test_frames_byte_by_byte(
    site: Serving, sent: bytes, expected: list[str], extension: Optional[str]
) -> None:
    check(site, [bytes([byte]) for byte in sent], expected, extension)


@pytest.mark.parametrize(('sent', 'expected', 'extension'), CASES)
def test_frames(site: Serving, sent: bytes, expected: list[str], extension: Optional[str]) -> None:
    check(site, [sent], expected, extension)


def check(
    site: Serving, pieces: list[bytes], expected: list[str], extension: Optional[str]
) -> None:
    with site.client() as client:
        opened(client, extension)
        # The server may have closed already when the rest is sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                client.send_raw(piece)
        assert heard(client, len(expected)) == expected
        if not expected or not expected[-1].startswith('close'):
            client.send_raw(close())
            assert heard(client, 1) == ['close 1000']
            # The server closes first (section 7.1.1).
            client.expect_close()


def test_after_a_fault_the_server_hears_the_client_out(site: Serving) -> None:
    """Else the system would reset the connection, and the reason with it."""
    with site.client() as client:
        opened(client)
        client.send_raw(frame(FIN | 3) + b'x' * 100_000)
        assert heard(client, 1) == ['close 1002']
        client.send_raw(b'x' * 10_000 + close(1002))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.expect_close() == b''


def test_frames_before_the_answer_to_the_handshake(site: Serving) -> None:
    """Section 4.1: the client waits for it."""
    with site.client() as client:
        head = (
            'GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
            f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n'
        )
        client.send_raw(head.encode() + text('Hello'))
        assert client.read_head().status == 101
        assert heard(client, 1) == ['close 1002']


EARLY = {
    'a frame that looks like the end of a head': text('x\r\n\r\n'),
    'a request': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'no protocol at all': b'\0\xff\r\n\r\n',
    'a long frame': text('x' * 70_000),
}


@pytest.mark.parametrize('early', EARLY.values(), ids=EARLY)
def test_what_comes_before_the_answer_is_no_http_whatever_it_looks_like(
    site: Serving, early: bytes
) -> None:
    with site.client() as client:
        head = (
            'GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
            f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n'
        )
        client.send_raw(head.encode() + early)
        assert client.read_head().status == 101
        assert heard(client, 1) == ['close 1002']
