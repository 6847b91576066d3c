"""WebSocket handshakes and frames as bytes: well made for either side, or badly made on purpose."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any, Callable, Optional

KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
DEFLATE = 'permessage-deflate; client_max_window_bits'
AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(first: int, payload: bytes = b'', mask: Optional[bytes] = b'\x37\xfa\x21\x3d') -> bytes:
    """A frame as clients send it; without a mask as they must not."""
    size, masked = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack('!BB', first, masked | size)
    elif size < 65536:
        head = struct.pack('!BBH', first, masked | 126, size)
    else:
        head = struct.pack('!BBQ', first, masked | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


_WEBSOCKET_KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'  # RFC 6455 section 1.3


def websocket_accept(key: str) -> str:
    """The `Sec-WebSocket-Accept` that belongs to a key."""
    return base64.b64encode(hashlib.sha1((key + _WEBSOCKET_KEY).encode()).digest()).decode()


def websocket_frame(payload: bytes, opcode: int = TEXT, mask: bytes = b'') -> bytes:
    """One whole WebSocket frame; `mask` has four bytes, as clients must."""
    return frame(FIN | opcode, payload, mask or None)


def read_websocket_frame(receive_exactly: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Read one frame by a function such as `Client.read_exactly`: opcode and payload."""
    first, second = receive_exactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack('!H', receive_exactly(2))
    elif size == 127:
        (size,) = struct.unpack('!Q', receive_exactly(8))
    mask = receive_exactly(4) if second & 0x80 else b''
    payload = receive_exactly(size)
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return first & 0x0F, payload


def handshake(**changes: str) -> dict[str, str]:
    """The fields that ask for a WebSocket; a keyword changes one, and leaves it out where it is empty."""
    fields = {
        'Connection': 'Upgrade',
        'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': KEY,
    }
    fields.update({name.replace('_', '-'): value for name, value in changes.items()})
    return {name: value for name, value in fields.items() if value}


def opened(client: Any, extension: Optional[str] = None) -> None:
    """Open a WebSocket at `/echo`, and see that its extension is agreed on."""
    client.send('GET', '/echo', handshake(Sec_WebSocket_Extensions=extension or ''))
    head = client.read_head()
    assert head.status == 101
    assert head.headers['Sec-WebSocket-Accept'] == websocket_accept(KEY)
    assert head.headers.get('Sec-WebSocket-Extensions') == (AGREED if extension else None)
