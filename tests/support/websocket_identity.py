"""A minimal WebSocket as a program for slimHTTP 1.0 brings it along.

The identity is built from the request, answers the upgrade itself through the
socket of `request.CLIENT_IDENTITY`, and understands frames in its own buffer.
"""

import base64
import hashlib
import struct

import slimHTTP

Events = slimHTTP.Events


class Frame:
    """One message of a client, with a way to answer it."""

    def __init__(self, identity, opcode, payload):
        self.CLIENT_IDENTITY = identity
        self.opcode = opcode
        self.payload = payload

    def answer(self, payload):
        self.CLIENT_IDENTITY.send_frame(payload, self.opcode)


class WebSocketIdentity:
    """A client that speaks WebSocket: nothing of it is slimHTTP's."""

    def __init__(self, request, on_frame=None):
        self.server = request.CLIENT_IDENTITY.server
        self.socket = request.CLIENT_IDENTITY.socket
        self.fileno = request.CLIENT_IDENTITY.fileno
        self.address = request.CLIENT_IDENTITY.address
        self.on_frame = on_frame
        self.keep_alive = True
        self.closing = False
        self.buffer = b''

    def upgrade(self, request):
        key = request.headers[b'sec-websocket-key'] + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        self.socket.send(
            b'HTTP/1.1 101 Switching Protocols\r\n'
            b'Upgrade: websocket\r\n'
            b'Connection: Upgrade\r\n'
            b'Sec-WebSocket-Accept: ' + base64.b64encode(hashlib.sha1(key).digest()) + b'\r\n\r\n'
        )

    def poll(self, timeout=0.2, force_recieve=False):
        if force_recieve or list(self.server.poll(timeout, fileno=self.fileno)):
            data = self.socket.recv(8192)
            if len(data) == 0:
                self.close()
                return
            self.buffer += data
            yield Events.CLIENT_DATA, len(self.buffer)

    def build_request(self):
        while True:
            frame, length = self._frame()
            if frame is None:
                if self.buffer:
                    yield Events.WS_CLIENT_INCOMPLETE_FRAME, len(self.buffer)
                return
            self.buffer = self.buffer[length:]
            if frame.opcode == 8:
                self.send_frame(frame.payload, 8)
                self.close()
                return
            yield Events.WS_CLIENT_COMPLETE_FRAME, frame
            yield Events.WS_CLIENT_REQUEST, frame
            if self.on_frame:
                self.on_frame(frame)
                yield Events.WS_CLIENT_RESPONSE, frame

    def _frame(self):
        if len(self.buffer) < 2:
            return None, 0
        first, second = self.buffer[:2]
        size, start = second & 0x7F, 2
        if size == 126:
            if len(self.buffer) < 4:
                return None, 0
            (size,) = struct.unpack('!H', self.buffer[2:4])
            start = 4
        elif size == 127:
            if len(self.buffer) < 10:
                return None, 0
            (size,) = struct.unpack('!Q', self.buffer[2:10])
            start = 10
        if not second & 0x80:
            raise slimHTTP.InvalidFrame('a client has to mask')
        mask, end = self.buffer[start : start + 4], start + 4 + size
        if len(self.buffer) < end:
            return None, 0
        payload = bytes(b ^ mask[i % 4] for i, b in enumerate(self.buffer[start + 4 : end]))
        return Frame(self, first & 0x0F, payload), end

    def send_frame(self, payload, opcode=1):
        if isinstance(payload, str):
            payload = payload.encode()
        size = len(payload)
        if size < 126:
            head = struct.pack('!BB', 0x80 | opcode, size)
        elif size < 65536:
            head = struct.pack('!BBH', 0x80 | opcode, 126, size)
        else:
            head = struct.pack('!BBQ', 0x80 | opcode, 127, size)
        self.send(head + payload)

    def send(self, data):
        return self.socket.send(data)

    def has_data(self):
        return len(self.buffer) > 0

    def close(self):
        self.keep_alive = False
        self.closing = True
        self.socket.close()
