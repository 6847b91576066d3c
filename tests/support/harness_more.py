"""What the tests of answers add to the harness: the log, threads at once, files, figures.

As there, every wait is bounded and says what it has seen.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from support.harness import (
    PATIENCE,
    Client,
    Closed,
    ProtocolError,
    Response,
    Serving,
    Upstream,
    serving,
    tree,
    wait_until,
)
from support.paths import DATA


class Log(logging.Handler):
    """What Python's logging receives from `slimHTTP` while the block lasts."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def __enter__(self) -> Log:
        logger = logging.getLogger('slimHTTP')
        self._level = logger.level
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        logger = logging.getLogger('slimHTTP')
        logger.removeHandler(self)
        logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        """All messages with their tracebacks, a line each or more."""
        return '\n'.join(logging.Formatter().format(record) for record in list(self.records))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until a message matches `pattern`."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(pattern, self.text, re.DOTALL)
            if match:
                found.append(match)
            return match is not None

        try:
            wait_until(look, f'{pattern!r} in the log')
        except AssertionError as error:
            raise AssertionError(f'{error}; it says:\n{self.text}') from None
        return found[0]


def at_once(tasks: Iterable[Callable[[], Any]], patience: float = 4 * PATIENCE) -> list[Any]:
    """Run every task in a thread of its own, all at once; give their results in order.

    Raises what the first of them raised.
    """
    results: list[Any] = []
    errors: list[BaseException] = []

    def run(position: int, task: Callable[[], Any]) -> None:
        try:
            results[position] = task()
        except BaseException as error:
            errors.append(error)

    threads = []
    for position, task in enumerate(tasks):
        results.append(None)
        threads.append(threading.Thread(target=run, args=(position, task), daemon=True))
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f'a task did not end within {patience} s'
    if errors:
        raise errors[0]
    return results


@contextlib.contextmanager
def in_background(task: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Run `task` in a thread beside the block; the function given waits for its result."""
    outcome: list[Any] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(task())
        except BaseException as raised:
            error.append(raised)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), 'the task beside did not end'
        if error:
            raise error[0]
        return outcome[0]

    yield result
    thread.join(2 * PATIENCE)
    assert not thread.is_alive(), 'the task beside did not end'


#: The host of `module_site`.
HOST = 'a.example'
#: A module that answers what is put in.
ANSWERS = 'def on_request(request):\n    return {!r}\n'


def write(path: Path, text: str, *, like: Optional[os.stat_result] = None) -> None:
    """Write a file, with the times of another state of it where `like` is given."""
    path.write_text(text)
    if like is not None:
        os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))


def ask(site: Serving, target: str = '/', host: str = HOST) -> Response:
    """`GET target` of a virtual host."""
    return site.get(target, host=host)


@contextlib.contextmanager
def module_site(
    folder: Path, source: str, files: Optional[dict[str, Any]] = None, **vhost: Any
) -> Iterator[Serving]:
    """Serve `folder/vhost.py` of this source as the module of `a.example`."""
    tree(folder, {'vhost.py': source, **(files or {})})
    with serving(
        web_root=os.fspath(tree(folder / 'nothing', {})),
        vhosts={HOST: {'module': os.fspath(folder / 'vhost.py'), **vhost}},
    ) as site:
        yield site


def ask_handler(
    site: Serving,
    handler: Callable[[Any], Any],
    method: str = 'GET',
    target: str = '/test',
    fields: Any = (),
    body: Any = None,
    host: str = 'other.example',
) -> Response:
    """Let `handler` answer one request."""
    site.http.route('/test', prefix=True)(handler)
    with site.client() as client:
        return client.request(method, target, fields, body, host)


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


def settles(value: Callable[[], Any], quiet: float = 0.4, patience: float = PATIENCE) -> Any:
    """Wait until `value()` has stayed the same for `quiet` seconds; give it."""
    deadline = time.monotonic() + patience
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet:
        assert time.monotonic() < deadline, f'it never settles: {last!r}'
        time.sleep(0.02)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last


def quantile(times: list[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


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


def check_not_whole(client: Client, *errors: int) -> None:
    """The response that is due breaks off, or is one of `errors`; nobody takes it for whole."""
    try:
        response = client.read_response()
    except (Closed, ProtocolError):
        return
    assert response.status in errors, response


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

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            secured = self._context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        super()._serve(secured)


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
        time.sleep(0.1)
        return self

    def __exit__(self, *exception: object) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()
