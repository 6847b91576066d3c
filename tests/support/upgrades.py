"""Clients that ask for an upgrade, and identities that take it, for the tests."""

from __future__ import annotations

from typing import Any

from support import websocket_identity
from support.client import Client
from support.websocket_frames import (
    KEY,
    handshake,
    read_websocket_frame,
    websocket_accept,
    websocket_frame,
)

MASK = b'\x01\x02\x03\x04'
ASKING = list(handshake().items())


class WebSocket:
    """A WebSocket client."""

    def __init__(self, address: Any, target: str = '/ws', host: str = '') -> None:
        self.client = Client(address)
        self.client.send('GET', target, ASKING, host=host)
        response = self.client.read_head()
        assert response.status == 101, response
        assert response.headers['sec-websocket-accept'] == websocket_accept(KEY)
        assert response.headers['upgrade'] == 'websocket'
        assert 'content-length' not in response.headers

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def send(self, payload: bytes, opcode: int = 1) -> None:
        self.client.send_raw(websocket_frame(payload, opcode, MASK))

    def receive(self) -> bytes:
        return read_websocket_frame(self.client.read_exactly)[1]

    def ask(self, payload: bytes) -> bytes:
        self.send(payload)
        return self.receive()


def echo_websockets(site: Any, make: Any = websocket_identity.WebSocketIdentity) -> list[Any]:
    """Let an old program answer every message with itself; gives the identities."""
    identities = []

    @site.http.on_upgrade
    def upgrader(request: Any) -> Any:
        if request.headers.get(b'upgrade', b'').lower() != b'websocket':
            return None
        identity = make(request, lambda frame: frame.answer(frame.payload))
        identity.upgrade(request)
        identities.append(identity)
        return identity

    return identities


class Deaf:
    """Takes nothing of what its client sends."""

    def __init__(self, request: Any) -> None:
        self.socket = request.CLIENT_IDENTITY.socket
        self.socket.send(
            b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'
        )

    def poll(self) -> None:
        return None


class Hoarder(Deaf):
    """Takes everything and understands nothing."""

    buffer = b''

    def poll(self) -> Any:
        import slimHTTP

        self.buffer += self.socket.recv(1 << 20)
        return [(slimHTTP.Events.CLIENT_DATA, len(self.buffer))]
