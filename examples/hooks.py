"""Hooks: who may connect, what belongs to a connection, another protocol than HTTP.

Start it:  python examples/hooks.py
Try it:    curl http://localhost:8080/ http://localhost:8080/
           curl -X PUT --data hello http://localhost:8080/anything
           curl --no-buffer -H 'Connection: upgrade' -H 'Upgrade: lines' http://localhost:8080/
"""

import os
from collections.abc import Iterator
from typing import Any

import slimHTTP
from slimHTTP import CLIENT_SOCKET, HTTP_CLIENT_IDENTITY, HTTP_REQUEST

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))


class Visitor(HTTP_CLIENT_IDENTITY):
    """A client, for as long as its connection lasts."""

    requests = 0


@http.allow(['127.0.0.0/8', '::1'])
def accept(socket: CLIENT_SOCKET, ip: str, source_port: int) -> Visitor:
    return Visitor(http, socket)


@http.on_close
def close(visitor: Visitor) -> None:
    print(f'{visitor.address} asked {visitor.requests} times', flush=True)


@http.GET
def answer(request: HTTP_REQUEST) -> str:
    visitor = request.CLIENT_IDENTITY
    assert isinstance(visitor, Visitor)
    visitor.requests += 1
    return f'request {visitor.requests} of this connection\n'


@http.REQUESTED_METHOD
def other(request: HTTP_REQUEST) -> str:
    return f'{request.method} with {len(request.payload)} bytes\n'


class Lines(Visitor):
    """A protocol of our own: every line comes back in capitals."""

    def upgrade(self, request: HTTP_REQUEST) -> None:
        request.CLIENT_IDENTITY.socket.send(
            b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines\r\nConnection: upgrade\r\n\r\n'
        )

    def build_request(self) -> Iterator[tuple[Any, ...]]:
        while b'\n' in self.buffer:
            line, _, self.buffer = self.buffer.partition(b'\n')
            self.send(line.upper() + b'\n')
            yield slimHTTP.Events.WS_CLIENT_DATA, line


@http.on_upgrade
def upgrade(request: HTTP_REQUEST) -> 'Lines | None':
    return Lines(request) if request.headers.get(b'upgrade') == b'lines' else None


http.run()
