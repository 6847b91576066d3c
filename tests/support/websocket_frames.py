"""WebSocket frames as a test writes them, well or badly made, on a connection of HTTP/1.1."""

from __future__ import annotations

import struct
from typing import Optional

from support.harness import Client, websocket_accept

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


def opened(client: Client, extension: Optional[str] = None) -> None:
    fields = {
        'Connection': 'Upgrade',
        'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': KEY,
    }
    if extension:
        fields['Sec-WebSocket-Extensions'] = extension
    client.send('GET', '/echo', fields)
    head = client.read_head()
    assert head.status == 101
    assert head.headers['Sec-WebSocket-Accept'] == websocket_accept(KEY)
    assert head.headers.get('Sec-WebSocket-Extensions') == (AGREED if extension else None)
