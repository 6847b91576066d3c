"""A strict HTTP/1.1 client on a raw socket: one connection, and nothing is forgiven."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl as tls_module
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from support.response import Closed, Headers, ProtocolError, Response
from support.waiting import PATIENCE, Deadline

Address = tuple  # (host, port)
Body = Union[bytes, str, Iterable[bytes], None]
Fields = Union[Mapping[str, str], Iterable[tuple[str, str]]]


class Client:
    """One HTTP/1.1 connection, kept alive, that lets the server get away with nothing.

    It connects when it is first used, and again after a close that the server
    announced; any other close is an error (`Closed`).
    """

    def __init__(
        self,
        address: Address,
        timeout: float = PATIENCE,
        tls: Optional[tls_module.SSLContext] = None,
        server_name: Optional[str] = None,
        session: Optional[tls_module.SSLSession] = None,
    ) -> None:
        self.address = (address[0], address[1])
        self.timeout = timeout
        self._tls = tls
        self._server_name = server_name
        #: What TLS is to resume.
        self._session = session
        self._socket: Optional[socket.socket] = None
        self._buffer = b''
        #: How often it has connected: 1 while a connection is kept.
        self.connections = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def socket(self) -> socket.socket:
        """The connected socket; connects where there is none."""
        if self._socket is None:
            connection = self._connect()
            if self._tls is not None:
                connection = self._tls.wrap_socket(
                    connection,
                    server_hostname=self._server_name or self.address[0],
                    session=self._session,
                )
            connection.settimeout(self.timeout)
            self._socket = connection
            self._buffer = b''
            self.connections += 1
        return self._socket

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, self.timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def close(self) -> None:
        """Close the connection; the next use connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def reset(self) -> None:
        """Close the connection with a TCP reset, as a crashed client does."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.close()

    def request(
        self,
        method: str,
        target: str,
        headers: Fields = (),
        body: Body = None,
        host: Optional[str] = '',
    ) -> Response:
        """Send a request and read its response. See `send` for the arguments."""
        # It may have answered and closed before it had the whole body.
        with contextlib.suppress(ConnectionError):
            self.send(method, target, headers, body, host)
        return self.read_response(method)

    def get(self, target: str = '/', host: Optional[str] = '', **headers: str) -> Response:
        """`GET target`; keywords are header fields, with `_` for `-`."""
        fields = {name.replace('_', '-'): value for name, value in headers.items()}
        return self.request('GET', target, fields, host=host)

    def send(
        self,
        method: str,
        target: str,
        headers: Fields = (),
        body: Body = None,
        host: Optional[str] = '',
    ) -> None:
        """Send a request without reading the response.

        `host` is the `Host` field; `''` is the address, `None` sends none. A body
        of bytes or text gets its `Content-Length`, any other is sent in chunks.
        """
        fields = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in fields}
        if host == '':
            name = self.address[0]
            host = f'[{name}]:{self.address[1]}' if ':' in name else f'{name}:{self.address[1]}'
        if host is not None:
            fields.insert(0, ('Host', host))
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes):
            if 'content-length' not in names and 'transfer-encoding' not in names:
                fields.append(('Content-Length', str(len(body))))
        elif body is not None:
            fields.append(('Transfer-Encoding', 'chunked'))
        head = f'{method} {target} HTTP/1.1\r\n'
        head += ''.join(f'{name}: {value}\r\n' for name, value in fields)
        start = head.encode('latin-1', 'surrogateescape') + b'\r\n'
        if isinstance(body, bytes):
            self.send_raw(start + body)
        else:
            self.send_raw(start)
            if body is not None:
                for chunk in body:
                    self.send_raw(b'%x\r\n%s\r\n' % (len(chunk), chunk))
                self.send_raw(b'0\r\n\r\n')

    def send_raw(self, data: bytes) -> None:
        """Send these very bytes."""
        self.socket.sendall(data)

    def read_response(self, method: str = 'GET') -> Response:
        """Read the response to a request of this method, strictly (RFC 9112).

        Raises Closed where the connection ends first, ProtocolError for what is
        no HTTP, and TimeoutError (socket.timeout) where nothing comes.
        """
        interim = []
        while True:
            response = self.read_head()
            if response.status // 100 != 1 or response.status == 101:
                break
            interim.append(response)
        response.interim = interim
        self._read_body(response, method)
        if response.closes and response.status != 101:
            self.close()
        return response

    def read_head(self) -> Response:
        """Read one response's head only; the body is left on the connection."""
        head = self.read_until(b'\r\n\r\n')
        line, *lines = head[:-4].split(b'\r\n')
        match = re.fullmatch(rb'HTTP/1\.[01] ([1-5][0-9][0-9]) ([^\x00-\x08\x0a-\x1f\x7f]*)', line)
        if match is None:
            raise ProtocolError(f'no status line: {line!r}')
        fields = Headers(self._field(line) for line in lines)
        return Response(int(match[1]), match[2].decode('latin-1'), fields, head)

    @staticmethod
    def _field(line: bytes) -> tuple[str, str]:
        match = re.fullmatch(
            rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)", line
        )
        if match is None:
            raise ProtocolError(f'no header field: {line!r}')
        return match[1].decode('ascii'), match[2].decode('latin-1').rstrip(' \t')

    def _read_body(self, response: Response, method: str) -> None:
        lengths = response.headers.all('content-length')
        coding = response.headers.get('transfer-encoding')
        if len(lengths) > 1 or (lengths and not re.fullmatch('[0-9]+', lengths[0])):
            raise ProtocolError(f'Content-Length: {lengths!r}')
        if lengths and coding is not None:
            raise ProtocolError('both Content-Length and Transfer-Encoding')
        framed = bool(lengths) or coding is not None
        if response.status in (101, 204) and framed:
            raise ProtocolError(f"a {response.status} with a body's framing")
        if (
            response.status in (101, 204, 304)
            or method == 'HEAD'
            or (method == 'CONNECT' and response.status // 100 == 2)
        ):
            return
        if coding is not None:
            if coding.lower() != 'chunked' or response.version == '1.0':
                raise ProtocolError(f'Transfer-Encoding: {coding}')
            self._read_chunks(response)
        elif lengths:
            response.body = self.read_exactly(int(lengths[0]))
            response.raw += response.body
        else:
            if not response.closes:
                raise ProtocolError('a body without an end: no length, no chunks, no close')
            response.body = self.read_rest()
            response.raw += response.body

    def _read_chunks(self, response: Response) -> None:
        parts = []
        while True:
            data, raw = self.read_chunk()
            response.raw += raw
            if not data:
                break
            parts.append(data)
        response.body = b''.join(parts)
        trailers = []
        while True:
            line = self.read_until(b'\r\n')
            response.raw += line
            if line == b'\r\n':
                break
            trailers.append(self._field(line[:-2]))
        response.trailers = Headers(trailers)

    def read_chunk(self) -> tuple[bytes, bytes]:
        """Read one chunk: its data (empty: it was the last one) and all its bytes."""
        line = self.read_until(b'\r\n')
        match = re.fullmatch(rb'([0-9A-Fa-f]{1,16})(;[^\r\n]*)?\r\n', line)
        if match is None:
            raise ProtocolError(f'no chunk: {line!r}')
        size = int(match[1], 16)
        if size == 0:
            return b'', line
        data = self.read_exactly(size + 2)
        if data[-2:] != b'\r\n':
            raise ProtocolError(f'a chunk that does not end: {data[-20:]!r}')
        return data[:-2], line + data

    def read_until(self, end: bytes) -> bytes:
        """Read up to and with `end`."""
        deadline = Deadline(self.timeout)
        start = 0
        while True:
            found = self._buffer.find(end, start)
            if found >= 0:
                data, self._buffer = (
                    self._buffer[: found + len(end)],
                    self._buffer[found + len(end) :],
                )
                return data
            start = max(0, len(self._buffer) - len(end) + 1)
            self._receive(deadline)

    def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        deadline = Deadline(self.timeout)
        parts, have = [self._buffer], len(self._buffer)
        self._buffer = b''
        while have < size:
            self._receive(deadline)
            parts.append(self._buffer)
            have += len(self._buffer)
            self._buffer = b''
        data = b''.join(parts)
        self._buffer = data[size:]
        return data[:size]

    def read_some(self) -> bytes:
        """Read what comes next, at least one byte; `b''` at the end."""
        if not self._buffer:
            try:
                self._receive(Deadline(self.timeout))
            except Closed:
                return b''
        data, self._buffer = self._buffer, b''
        return data

    def read_rest(self) -> bytes:
        """Read until the server closes."""
        parts = []
        while True:
            data = self.read_some()
            if not data:
                return b''.join(parts)
            parts.append(data)

    def is_open(self, within: float = 0.0) -> bool:
        """Whether the connection stands, with nothing to read, after `within` seconds."""
        readable, _, _ = select.select([self.socket], [], [], within)
        if not readable:
            return True
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def expect_close(self) -> bytes:
        """Wait until the server closes, unless it announced that already; give what it still sent."""
        if self._socket is None:
            return b''
        try:
            return self.read_rest()
        finally:
            self.close()

    def _receive(self, deadline: Deadline) -> None:
        connection = self.socket
        connection.settimeout(deadline.left)
        try:
            data = connection.recv(262144)
        except (ConnectionError, tls_module.SSLEOFError) as error:
            raise Closed(f'{error!r}, after {self._buffer[-200:]!r}') from error
        if not data:
            raise Closed(f'closed, after {self._buffer[-200:]!r}')
        self._buffer += data


class UnixClient(Client):
    """The same over a socket in the file system."""

    def __init__(self, path: Any, **options: Any) -> None:
        super().__init__(('localhost', 80), **options)
        self.path = str(path)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.timeout)
        connection.connect(self.path)
        return connection


def is_refused(address: Address) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(address, PATIENCE).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # It was closed with this connection still waiting: not yet refused.
    return False


def get(address: Address, target: str = '/', host: Optional[str] = '', **headers: str) -> Response:
    """`GET target` on a connection of its own."""
    with Client(address) as client:
        return client.get(target, host, **headers)


def exchange(address: Address, data: bytes, timeout: float = PATIENCE) -> bytes:
    """Send these bytes on a connection of their own and read until the server closes."""
    with Client(address, timeout) as client:
        client.send_raw(data)
        return client.expect_close()


#: A request that `body_timeout` cuts, see `outlast`.
PART_OF_A_BODY = b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab'


def outlast(address: Address, begun: bytes = b'G') -> None:
    """Wait until the server has cut a connection that began with this and went no further.

    What had begun before has then lasted longer than the limit that cut it: `idle_timeout`
    where nothing was sent, `header_timeout` for a part of a head, `body_timeout` for a part of
    a body.
    """
    with Client(address) as client:
        client.send_raw(begun)
        client.expect_close()


def narrow_client(address: Any, timeout: float = PATIENCE) -> Client:
    """A client whose receive buffer is as small as the system allows: it stops a sender early."""
    client = Client(address, timeout)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(timeout)
    connection.connect(client.address)
    client._socket = connection
    client.connections = 1
    return client


def ended(client: Client) -> bool:
    """Wait until the server has closed; false where it stays open for `client.timeout`."""
    try:
        client.read_rest()
    except TimeoutError:
        return False
    except socket.timeout:  # Before Python 3.10 it is no TimeoutError.
        return False
    return True


def answer(client: Client, method: str = 'GET') -> Response:
    """Read a response and leave the connection as the server leaves it, closing or not."""
    response = client.read_head()
    client._read_body(response, method)
    return response


def check_not_whole(client: Client) -> None:
    """The response that is due breaks off; nobody takes it for whole."""
    try:
        response = client.read_response()
    except (Closed, ProtocolError):
        return
    raise AssertionError(f'whole: {response}')
