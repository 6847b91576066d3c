"""The clients of the training: what they ask for is what the compiler takes for usual.

    python clients.py LINE

LINE is what the servers have said: where they listen.
They ask each thing often enough to be counted and do not hurry: how long they take says nothing.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
from websockets.sync.client import connect

#: How many connections ask at the same time.
CONNECTIONS = 8
#: How often each asks each thing, and what the heavier ones.
OFTEN, SELDOM = 300, 20

BROWSER = (
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n'
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n'
    'Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, br\r\n'
    'Cookie: session=0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: document\r\n'
)

#: Paths that are asked for as programs and as browsers do.
GET = [
    '/text',
    '/response',
    '/items/7?a=b&c=d',
    '/async',
    '/',
    '/small.txt',
    '/style.css',
    '/none',
    '/wsgi/',
    '/wsgi/a/b?c=d',
    '/asgi/',
    '/asgi/a/b?c=d',
    '/up/small.txt',
    '/up/none',
]
#: What takes longer.
LONG = ['/large.bin', '/stream', '/events', '/asgi/stream', '/up/large.bin']
POST = ['/form', '/wsgi/', '/asgi/']


class Connection:
    """A connection of HTTP/1.1 that stays."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self.port, self.tls = port, tls
        self.open()

    def open(self) -> None:
        """Connect, anew where the server has ended the connection."""
        raw = socket.create_connection(('127.0.0.1', self.port), timeout=30)
        self.socket = self.tls.wrap_socket(raw) if self.tls else raw
        self.unread = b''

    def ask(self, method: str, path: str, said: str = '', content: bytes = b'') -> int:
        """Ask, and read the answer; its status."""
        length = f'Content-Length: {len(content)}\r\n' if content else ''
        head = f'{method} {path} HTTP/1.1\r\nHost: localhost\r\n{said}{length}\r\n'
        self.socket.sendall(head.encode() + content)
        status = int(self.line().split(' ')[1])
        fields: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.partition(':')
            fields[name.lower()] = value.strip()
        if fields.get('transfer-encoding') == 'chunked':
            while size := int(self.line(), 16):
                self.take(size + 2)
            self.line()
        elif method != 'HEAD':
            self.take(int(fields.get('content-length', '0')))
        if fields.get('connection') == 'close':
            self.socket.close()
            self.open()
        return status

    def line(self) -> str:
        """The next line, without its end."""
        while b'\r\n' not in self.unread:
            self.more()
        line, _, self.unread = self.unread.partition(b'\r\n')
        return line.decode('latin-1')

    def take(self, size: int) -> None:
        """Pass over so many bytes."""
        while size > len(self.unread):
            size -= len(self.unread)
            self.unread = b''
            self.more()
        self.unread = self.unread[size:]

    def more(self) -> None:
        """Read what has come."""
        read = self.socket.recv(256 * 1024)
        if not read:
            raise ConnectionError('the server has closed the connection')
        self.unread += read


def over_http1(port: int, tls: ssl.SSLContext | None, often: int) -> None:
    """Ask everything over connections of HTTP/1.1 that stay."""

    def work() -> None:
        connection = Connection(port, tls)
        for path in GET:
            expected = 404 if path.endswith('none') else 200
            for number in range(often):
                fields = BROWSER if number % 3 == 0 else ''
                status = connection.ask('GET', path, fields)
                assert status == expected, (path, status)
        for _ in range(SELDOM):
            for path in LONG:
                assert connection.ask('GET', path) == 200, path
            for path in POST:
                for size in (20, 5_000, 300_000):
                    assert connection.ask('POST', path, FORM, b'a=b&c=' + b'd' * size) == 200, path
            assert connection.ask('GET', '/large.bin', 'Range: bytes=1000-2000\r\n') == 206
            assert connection.ask('HEAD', '/small.txt') == 200
            assert connection.ask('GET', '/small.txt', 'If-None-Match: *\r\n') == 304

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(work) for _ in range(CONNECTIONS)]:
            done.result()


FORM = 'Content-Type: application/x-www-form-urlencoded\r\n'


def over_http2(port: int, tls: ssl.SSLContext) -> None:
    """Ask everything over HTTP/2."""
    base = f'https://127.0.0.1:{port}'
    with httpx.Client(verify=tls, http2=True, base_url=base, timeout=30) as client:
        for path in [*GET, *LONG]:
            for _ in range(SELDOM):
                client.get(path)
        for path in POST:
            for _ in range(SELDOM):
                client.post(path, content=b'a=b&c=' + b'd' * 5_000)


def over_websockets(port: int) -> None:
    """Say what comes back."""
    for path in ('/echo', '/asgi/echo'):
        with connect(f'ws://127.0.0.1:{port}{path}') as client:
            for number in range(OFTEN):
                client.send(f'{number} ' + 'x' * (number % 200))
                client.recv()


def main() -> None:
    ports = json.loads(sys.argv[1])
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    over_http1(ports['plain'], None, OFTEN)
    over_http1(ports['tls'], tls, SELDOM)
    # A connection for each request too.
    for _ in range(OFTEN):
        connection = Connection(ports['plain'], None)
        connection.ask('GET', '/text', 'Connection: close\r\n')
        connection.socket.close()
    over_http2(ports['tls'], tls)
    over_websockets(ports['plain'])


if __name__ == '__main__':
    main()
