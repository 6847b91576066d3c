"""The limits of docs/limits-and-timeouts.md, a row each: what is within, what is beyond, over every
protocol. The tests of limits ask for every row.
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

import slimHTTP
from hyperframe.frame import DataFrame

from support.client import Client, answer, narrow_client
from support.http2_client import Http2
from support.servers import Serving, serving
from support.tls import lenient_tls
from support.waiting import PATIENCE


@contextlib.contextmanager
def site_for(protocol: str, **config: Any) -> Iterator[Serving]:
    mode = slimHTTP.HTTP if protocol == 'HTTP/1.1' else slimHTTP.HTTPS
    with serving(mode=mode, **config) as site:

        @site.http.route('/', prefix=True)
        def see(request: Any) -> str:
            return f'{len(request.payload)}'

        @site.http.route('/form')
        def form(request: Any) -> str:
            return f'{len(request.form)}'

        yield site


def client_of(site: Serving, protocol: str) -> Client:
    return site.client(tls=None if protocol == 'HTTP/1.1' else lenient_tls())


class Asked(NamedTuple):
    """One request, as every protocol can say it."""

    path: str = '/'
    fields: tuple[tuple[str, str], ...] = ()
    body: Optional[bytes] = None
    vhost: str = 'a'

    def raw(self) -> bytes:
        """As HTTP/1.1 has it."""
        method = 'GET' if self.body is None else 'POST'
        lines = [f'{method} {self.path} HTTP/1.1', f'Host: {self.vhost}']
        lines += [f'{name}: {value}' for name, value in self.fields]
        if self.body is not None:
            lines.append(f'Content-Length: {len(self.body)}')
        return '\r\n'.join([*lines, '', '']).encode() + (self.body or b'')

    def ask(self, connection: Http2) -> int:
        """Begin a stream with it; gives its number."""
        method, end = ('GET', True) if self.body is None else ('POST', False)
        stream = connection.ask(
            self.path, *self.fields, method=method, authority=self.vhost, end=end
        )
        if self.body is not None:
            connection.send(DataFrame(stream, self.body, flags=['END_STREAM']))
        return stream


PROTOCOLS = ('HTTP/1.1', 'HTTP/1.1 by TLS', 'HTTP/2')


@contextlib.contextmanager
def begun(site: Serving, protocol: str, asked: Asked) -> Iterator[Callable[[], Optional[int]]]:
    """A request on a connection of its own; what is given waits for its status."""
    if protocol == 'HTTP/2':
        with Http2(site.address[1]) as connection:
            stream = asked.ask(connection)
            yield lambda: connection.answer(stream).status
        return
    with client_of(site, protocol) as client:
        with contextlib.suppress(ConnectionError):
            client.send_raw(asked.raw())
        yield lambda: answer(client).status


def status_of(site: Serving, protocol: str, asked: Asked) -> Optional[int]:
    with begun(site, protocol, asked) as status:
        return status()


def many(count: int) -> tuple[tuple[str, str], ...]:
    return tuple((f'x-{number}', 'y') for number in range(count))


def padded(length: int) -> tuple[tuple[str, str], ...]:
    return (('x', 'y' * length),)


def form_of(*fields: str) -> Asked:
    kind = (('content-type', 'application/x-www-form-urlencoded'),)
    return Asked('/form', kind, '&'.join(fields).encode())


class Limit(NamedTuple):
    """An option, what is within it, what is beyond it, and how that is answered."""

    config: dict[str, Any]
    within: Asked
    beyond: Asked
    status: int


HOW_MUCH = {
    'max_uri': Limit({'max_uri': 100}, Asked('/' + 'a' * 99), Asked('/' + 'a' * 100), 414),
    'max_uri, by default': Limit({}, Asked('/' + 'a' * 8191), Asked('/' + 'a' * 8192), 414),
    'max_uri, by far': Limit({}, Asked(), Asked('/' + 'a' * 30_000), 414),
    'max_headers': Limit({'max_headers': 10}, Asked(fields=many(8)), Asked(fields=many(10)), 431),
    'max_headers, by default': Limit({}, Asked(fields=many(98)), Asked(fields=many(100)), 431),
    'max_headers, by far': Limit({}, Asked(), Asked(fields=many(600)), 431),
    'max_head': Limit(
        {'max_head': 2048}, Asked(fields=padded(1900)), Asked(fields=padded(2048)), 431
    ),
    'max_head, by default': Limit(
        {}, Asked(fields=padded(32_000)), Asked(fields=padded(33_000)), 431
    ),
    'max_body': Limit({'max_body': 1000}, Asked(body=b'x' * 1000), Asked(body=b'x' * 1001), 413),
    'form_parts': Limit(
        {'form_parts': 2}, form_of('a=1', 'b=2'), form_of('a=1', 'b=2', 'c=3'), 413
    ),
    'form_memory': Limit({'form_memory': '4KiB'}, form_of('a=1'), form_of('a=' + 'x' * 8000), 413),
}


# How slow. A limit of half a second, and what a client does that it ends.

LIMIT = 0.5


def drips_a_head(site: Serving, protocol: str) -> None:
    """A head of which a byte comes now and then."""
    if protocol == 'HTTP/2':
        with Http2(site.address[1]) as connection:
            # What is to be said of settings is said.
            assert connection.get('/').status == 200
            drip(connection)
            assert connection.goaway == [NO_ERROR], 'and is told'
        return
    with client_of(site, protocol) as client:
        client.send_raw(b'GET / HTTP/1.1\r\n')
        ends = time.monotonic() + PATIENCE
        with contextlib.suppress(OSError):
            while time.monotonic() < ends and not select.select([client.socket], [], [], 0.05)[0]:
                client.send_raw(b'x')
        assert client.read_response().status == 408
        assert client.expect_close() == b''


NO_ERROR = 0

HEAD = [(':method', 'GET'), (':scheme', 'https'), (':path', '/'), (':authority', 'a')]


def drip(connection: Http2) -> None:
    """Send a head byte by byte until the server has closed."""
    # Few pieces: many are refused for their number.
    frames = connection.block([*HEAD, ('x', 'y' * 400)], pieces=3)
    raw = b''.join(frame.serialize() for frame in frames)
    connection.socket.settimeout(0.03)
    for position in range(len(raw)):
        try:
            connection.socket.sendall(raw[position : position + 1])
            if not connection.receive():
                return
        except AssertionError:  # Nothing comes.
            continue
        except OSError:
            return
    raise AssertionError('the whole head was taken')


def drips_a_head_beside_a_request(site: Serving, protocol: str) -> None:
    """The same while another request is in work, where that is possible."""
    if protocol != 'HTTP/2':
        drips_a_head(site, protocol)
        return
    with Http2(site.address[1]) as connection:
        assert connection.get('/').status == 200
        connection.ask('/', ('content-length', '5'), method='POST', end=False)
        drip(connection)


def says_nothing(site: Serving, protocol: str) -> None:
    """A connection without a request, behind one that was answered."""
    if protocol == 'HTTP/2':
        with Http2(site.address[1]) as connection:
            assert connection.get('/').status == 200
            connection.until_closed()
            assert connection.goaway[:1] == [0], 'RFC 9113 section 6.8'
        return
    with client_of(site, protocol) as client:
        assert client.get('/').status == 200
        assert client.expect_close() == b''


def stops_in_its_body(site: Serving, protocol: str) -> None:
    """A body of which some never comes."""
    if protocol == 'HTTP/2':
        with Http2(site.address[1]) as connection:
            stream = connection.ask('/', ('content-length', '5'), method='POST', end=False)
            connection.send(DataFrame(stream, b'ab'))
            assert connection.answer(stream).status == 408
        return
    with client_of(site, protocol) as client:
        client.send_raw(b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
        assert client.read_response().status == 408
        assert client.expect_close() == b''


def takes_nothing(site: Serving, protocol: str) -> None:
    """A response of which no byte is taken."""
    if protocol == 'HTTP/2':
        with Http2(site.address[1]) as connection:
            connection.ask('/large.bin')
            while connection.receive(reading=False):
                pass
        return
    cut = threading.Event()
    site.http.on_close(lambda identity: cut.set())
    with narrow_client(site.address) as client:
        if protocol != 'HTTP/1.1':
            client._socket = lenient_tls().wrap_socket(client.socket)
        client.send('GET', '/large.bin')
        assert client.read_head().status == 200
        assert cut.wait(PATIENCE)
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := client.read_some():
                received += len(data)
        assert received < LARGE


LARGE = 64 << 20

HOW_SLOW: dict[str, Callable[[Serving, str], None]] = {
    'header_timeout': drips_a_head,
    'header_timeout, beside a request': drips_a_head_beside_a_request,
    'idle_timeout': says_nothing,
    'body_timeout': stops_in_its_body,
    'send_timeout': takes_nothing,
}
