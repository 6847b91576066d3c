"""Small servers to proxy to, with manners good and bad."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional, Union

from support.paths import DATA
from support.response import Headers
from support.waiting import PATIENCE, wait_until
from support.websocket_frames import read_websocket_frame, websocket_accept, websocket_frame


class Exchange:
    """One request as an upstream received it, and the connection to answer on."""

    def __init__(
        self,
        upstream: Upstream,
        connection: socket.socket,
        head: bytes,
        rest: bytes,
        number: int = 0,
    ) -> None:
        self.upstream = upstream
        self.connection = connection
        #: Which of the upstream's connections it came on, from 1.
        self.number = number
        #: The head as received, with its blank line.
        self.head = head
        self._rest = rest
        line, *lines = head[:-4].decode('latin-1').split('\r\n')
        self.method, self.target, self.version = [*line.split(' ', 2), '', ''][:3]
        pairs = [line.partition(':') for line in lines]
        self.headers = Headers((name, value.strip()) for name, _, value in pairs)
        #: The fields behind the last chunk, once the body is read.
        self.trailers = Headers()
        #: Whether the body was read to its end.
        self.whole = False

    def receive(self, most: int = 65536) -> bytes:
        """Receive the next bytes behind the head; `b''` at the end."""
        if self._rest:
            data, self._rest = self._rest[:most], self._rest[most:]
            return data
        return self.connection.recv(most)

    def receive_exactly(self, size: int) -> bytes:
        data = b''
        while len(data) < size:
            part = self.receive(size - len(data))
            if not part:
                raise ConnectionError(f'closed after {len(data)} of {size} bytes')
            data += part
        return data

    def read_line(self) -> bytes:
        line = b''
        while not line.endswith(b'\r\n'):
            line += self.receive_exactly(1)
        return line

    def read_body(self) -> bytes:
        """Read the body to its end, with its trailers."""
        if 'chunked' in (self.headers.get('transfer-encoding') or '').lower():
            body = b''
            while size := int(self.read_line().split(b';')[0], 16):
                body += self.receive_exactly(size)
                self.read_line()
            self.trailers = Headers(self._read_trailers())
        else:
            body = self.receive_exactly(int(self.headers.get('content-length') or 0))
        self.whole = True
        return body

    def _read_trailers(self) -> Iterator[tuple[str, str]]:
        while (line := self.read_line()) != b'\r\n':
            name, _, value = line.decode('latin-1').partition(':')
            yield name, value.strip()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def respond(
        self, body: bytes = b'', status: str = '200 OK', headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Send a whole response with its length."""
        fields = ''.join(f'{name}: {value}\r\n' for name, value in headers)
        self.send(
            f'HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n'.encode() + body
        )

    def wait_until_gone(self, patience: float = PATIENCE) -> bool:
        """Wait until the other end closes; whether it did."""
        self.connection.settimeout(patience)
        try:
            while self.connection.recv(65536):
                pass
        except socket.timeout:
            return False
        except OSError:
            pass
        return True


class Upstream:
    """A small server to proxy to, one thread for each connection.

    `behaviour` is called with each `Exchange`, one after the other on a
    connection; the connection closes when it returns `False` or raises. The
    functions below (`echo`, `stall`, …) are behaviours.
    """

    def __init__(
        self, behaviour: Optional[Callable[[Exchange], Any]] = None, host: str = '127.0.0.1'
    ) -> None:
        self.behaviour = behaviour or echo
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, 0))
        self._listener.listen(512)
        self.port: int = self._listener.getsockname()[1]
        self.host = host
        #: What was asked, in the order of arrival.
        self.exchanges: list[Exchange] = []
        #: How many connections were accepted.
        self.connections = 0
        #: Set this to let `stall` go on.
        self.released = threading.Event()
        #: What `events` sends: bytes, or None for the end.
        self.to_send: queue.Queue = queue.Queue()
        self._arrived = threading.Condition()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """`host:port`, as `proxy` takes it."""
        return f'[{self.host}]:{self.port}' if ':' in self.host else f'{self.host}:{self.port}'

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._closing = True
        self.released.set()
        self.to_send.put(None)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the accepting thread.
        self._listener.close()
        with self._arrived:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)

    @property
    def targets(self) -> list[str]:
        """The targets of what was asked, in the order of arrival."""
        return [exchange.target for exchange in list(self.exchanges)]

    @property
    def open_connections(self) -> int:
        """How many connections the other end has left open."""
        with self._arrived:
            return len(self._open)

    def wait_for(self, count: int = 1, patience: float = PATIENCE) -> Exchange:
        """Wait until `count` requests have arrived; give the last of these."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.exchanges) >= count, patience):
                raise AssertionError(
                    f'{len(self.exchanges)} of {count} requests reached the upstream'
                )
            return self.exchanges[count - 1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._arrived:
                if self._closing:
                    connection.close()
                    return
                self._open.add(connection)
                self.connections += 1
            threading.Thread(
                target=self._serve, args=(connection, self.connections), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            connection.settimeout(60)
            buffer = b''
            while not self._closing:
                while b'\r\n\r\n' not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, rest = buffer.partition(b'\r\n\r\n')
                received = Exchange(self, connection, head + b'\r\n\r\n', rest, number)
                with self._arrived:
                    self.exchanges.append(received)
                    self._arrived.notify_all()
                if self.behaviour(received) is False:
                    return
                buffer = received._rest
        except OSError:
            pass
        finally:
            connection.close()
            with self._arrived:
                self._open.discard(connection)


def unused_port(host: str = '127.0.0.1') -> int:
    """A port on which nobody listens now, and that the system gives to nobody by itself.

    One out of its ephemeral range could be a client's before the caller has used it.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    for port in random.sample(range(20_000, 32_768), 100):
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    raise AssertionError('of a hundred ports none is free')


def echo(exchange: Exchange) -> None:
    """Answer with what was asked, as JSON: method, target, headers (pairs), body."""
    body = exchange.read_body()
    asked = {
        'method': exchange.method,
        'target': exchange.target,
        'version': exchange.version,
        'headers': exchange.headers.fields,
        'body': body.decode('latin-1'),
        'connection': exchange.upstream.connections,
    }
    data = json.dumps(asked).encode()
    if exchange.method == 'HEAD':
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(data))
    else:
        exchange.respond(data, headers=[('Content-Type', 'application/json')])


def says(
    text: Union[str, bytes], status: str = '200 OK', *headers: tuple[str, str]
) -> Callable[[Exchange], None]:
    """A behaviour that always answers this."""
    data = text.encode() if isinstance(text, str) else text

    def behave(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.respond(data, status, headers)

    return behave


def sends(*parts: bytes) -> Callable[[Exchange], bool]:
    """A behaviour that sends these very bytes and closes: garbage, half a response."""

    def behave(exchange: Exchange) -> bool:
        for part in parts:
            exchange.send(part)
        return False

    return behave


def replies(*parts: bytes) -> Callable[[Exchange], None]:
    """A behaviour that reads the body, sends these very bytes and waits for the next request."""

    def behave(exchange: Exchange) -> None:
        exchange.read_body()
        for part in parts:
            exchange.send(part)

    return behave


def answers_unread(raw: bytes) -> Callable[[Exchange], None]:
    """A behaviour that sends these bytes as soon as the head has come, and reads no body."""

    def behave(exchange: Exchange) -> None:
        exchange.send(raw)

    return behave


def by_target(
    behaviours: dict[str, Callable[[Exchange], Any]],
    other: Callable[[Exchange], Any] = echo,
) -> Callable[[Exchange], Any]:
    """A behaviour for each target, and one for all others."""
    return lambda exchange: behaviours.get(exchange.target, other)(exchange)


def stall(exchange: Exchange) -> Any:
    """Say nothing until `upstream.released` is set (or the upstream closes), then echo."""
    exchange.upstream.released.wait(60)
    return False if exchange.upstream._closing else echo(exchange)


def hang_up(exchange: Exchange) -> bool:
    """Close without a word."""
    return False


def reset(exchange: Exchange) -> bool:
    """Break the connection with a TCP reset."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    return False


garbage = sends(b'\x16\x03\x01 this is no HTTP at all\r\n\r\n')


def drip(exchange: Exchange, size: int = 20, pause: float = 0.02) -> None:
    """Send a response of `size` bytes, one at a time, slowly until `upstream.released` is set."""
    exchange.read_body()
    for byte in b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (size, b'd' * size):
        exchange.send(bytes([byte]))
        exchange.upstream.released.wait(pause)


def events(exchange: Exchange) -> bool:
    """Server-sent events: send each bytes put into `upstream.to_send`, until None."""
    exchange.send(
        b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
        b'Cache-Control: no-store\r\nConnection: close\r\n\r\n'
    )
    while True:
        data = exchange.upstream.to_send.get(timeout=60)
        if data is None:
            return False
        exchange.send(data)


def websocket_echo(exchange: Exchange) -> bool:
    """Upgrade to WebSocket and send every message back, until a close frame."""
    accept = websocket_accept(exchange.headers['sec-websocket-key'])
    exchange.send(
        b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
        + f'Sec-WebSocket-Accept: {accept}\r\n\r\n'.encode()
    )
    while True:
        opcode, payload = read_websocket_frame(exchange.receive_exactly)
        exchange.send(websocket_frame(payload, opcode))
        if opcode == 8:
            return False


class TlsUpstream(Upstream):
    """An upstream that speaks TLS with one of the certificates of data/tls."""

    def __init__(
        self, certificate: str = 'localhost', behaviour: Any = None, host: str = '127.0.0.1'
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(
            DATA / 'tls' / f'{certificate}.pem', DATA / 'tls' / f'{certificate}.key'
        )
        super().__init__(behaviour, host)

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(PATIENCE)
        try:
            secured = self._context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        finally:
            with self._arrived:
                self._open.discard(connection)
        with self._arrived:
            self._open.add(secured)
        super()._serve(secured, number)


class BlackHole:
    """An address that takes no connection and refuses none: its queue is full."""

    def __enter__(self) -> BlackHole:
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(0)
        self.name = f'127.0.0.1:{self._listener.getsockname()[1]}'
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(self._listener.getsockname())
            self._fillers.append(filler)
        wait_until(
            lambda: len(select.select([], self._fillers, [], 0)[1]) < len(self._fillers),
            'a queue that is full',
        )
        return self

    def __exit__(self, *exception: object) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()
