"""Programs that are upgraded while clients ask them: the processes of one program, one after another,
and clients that count what they lose.

The processes that follow the first are its children, and their own. The test takes in those whose
parent has ended, so that it knows how each of them ends, and ends what is left by its number.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import hpack
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame

from support.client import Address, Client
from support.http2_client import HEAD
from support.response import Closed
from support.servers import Cli, Process
from support.tls import lenient_tls
from support.waiting import PATIENCE, START_PATIENCE, wait_until

#: From <linux/prctl.h>: orphans among the descendants become children of the process that sets it.
_PR_SET_CHILD_SUBREAPER = 36

#: Whether orphans can be taken in.
CAN_TAKE_IN = Path('/proc/self/status').exists()


@contextlib.contextmanager
def taking_in_orphans() -> Iterator[None]:
    """Let the successors be children of this process, once their parents have ended."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Generations:
    """The processes of one program, of which the last one serves.

    Each writes to the standard error of the first, where they can be waited for.
    """

    def __init__(self, first: Process) -> None:
        self.first = first
        #: Those that have taken over, in their order, and the first.
        self.pids = [first.pid]
        self._statuses: dict[int, int] = {}

    def __enter__(self) -> Generations:
        return self

    def __exit__(self, *exception: object) -> None:
        self.first._process.poll()
        for pid in self._all():
            if self.has_ended(pid):
                continue
            os.kill(pid, signal.SIGKILL)
            # A child of one that was killed just now is taken in a moment later.
            self.status(pid)
        self.first.kill()

    def _all(self) -> list[int]:
        """Every process that was started, those too that never served."""
        started = re.findall(r'process (\d+) is to take over', self.first.stderr)
        return [self.first.pid, *map(int, started)]

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self.pids[-1]

    @property
    def address(self) -> Address:
        return self.first.address

    def has_ended(self, pid: int) -> bool:
        """Whether a process has ended, though nobody may have been told yet."""
        if pid == self.first.pid:
            return not self.first.running
        if pid in self._statuses:
            return True
        with contextlib.suppress(ChildProcessError):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._statuses[pid] = os.waitstatus_to_exitcode(status)
            return bool(ended)
        # Its parent is there yet, and does not look. What follows the name is the state, and
        # last of all the status (proc_pid_stat(5)).
        try:
            fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        except FileNotFoundError:
            return True
        if fields[0] == 'Z':
            self._statuses[pid] = os.waitstatus_to_exitcode(int(fields[49]))
        return fields[0] == 'Z'

    def status(self, pid: int, patience: float = START_PATIENCE) -> Optional[int]:
        """Wait until a process has ended; its status, None where only its parent was told."""
        wait_until(lambda: self.has_ended(pid), f'the end of process {pid}', patience)
        if pid == self.first.pid:
            return self.first._process.returncode
        return self._statuses.get(pid)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process that serves."""
        os.kill(self.pid, number)

    def _failed(self) -> int:
        """How often nobody has taken over."""
        return self.first.stderr.count('no other process takes over')

    def upgrade(self) -> int:
        """Have the program start anew, and wait until that process has taken over; the one before."""
        before = self.pid
        self.send_signal(signal.SIGUSR2)
        count = len(self.pids) + self._failed()
        taken = self.first.wait_for(
            r'process (\d+) has taken over|no other process takes over', count=count
        )
        assert taken[1] is not None, self.first.stderr
        self.pids.append(int(taken[1]))
        wait_until(lambda: not listens(before, self.address[1]), 'nobody more is accepted')
        return before

    def stop(self, number: int = signal.SIGTERM) -> Optional[int]:
        """End the process that serves; its status."""
        self.send_signal(number)
        return self.status(self.pid)


def generations(
    *arguments: Any, python: bool, cwd: Path, env: Optional[dict[str, str]] = None
) -> Generations:
    """Start `slimhttp` or `python -m slimHTTP` with these arguments; wait until it serves."""
    command, *rest = arguments
    return serving(Cli(command, *rest, python=python, cwd=cwd, env=env))


def serving(first: Process) -> Generations:
    """Wait until a program serves, which has been started."""
    running = Generations(first)
    try:
        _ = running.address
    except BaseException:
        running.__exit__()
        raise
    return running


def listens(pid: int, port: int) -> bool:
    """Whether a process accepts connections there."""
    sockets = set()
    for table in ('tcp', 'tcp6'):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
                fields = line.split()
                # The state LISTEN.
                if fields[3] == '0A' and int(fields[1].rpartition(':')[2], 16) == port:
                    sockets.add(f'socket:[{fields[9]}]')
    try:
        for descriptor in os.listdir(f'/proc/{pid}/fd'):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f'/proc/{pid}/fd/{descriptor}') in sockets:
                    return True
    except (FileNotFoundError, PermissionError):  # It has ended.
        pass
    return False


class Load:
    """Clients that ask again and again, each on a thread, until the block ends.

    What one of them loses is an error, which the end of the block raises.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.errors: list[str] = []
        #: How many requests were answered, by the name of the client.
        self.answered: dict[str, int] = {}
        #: How often a client was told to go, and asked elsewhere.
        self.moved: dict[str, int] = {}

    def __enter__(self) -> Load:
        return self

    def __exit__(self, kind: Any, *exception: object) -> None:
        if kind is None:
            self.end()
        self._over.set()

    def end(self) -> None:
        """Let every client have its last answer."""
        self._over.set()
        for thread in self._threads:
            thread.join(4 * PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads), 'a client is stuck'
        assert not self.errors, self.errors[:10]

    def add(self, name: str, asks: Callable[[], Iterator[bool]]) -> None:
        """Add a client: `asks()` yields after each answer, whether it has moved meanwhile."""
        self.answered[name] = self.moved[name] = 0

        def run() -> None:
            try:
                for moved in asks():
                    with self._lock:
                        self.answered[name] += 1
                        self.moved[name] += moved
                    if self._over.is_set():
                        return
            except Exception as error:
                self.errors.append(f'{name}: {type(error).__name__}: {error}')

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait_for_answers(self, count: int = 1) -> None:
        """Wait until every client has got so many answers more."""
        with self._lock:
            before = dict(self.answered)
        wait_until(
            lambda: (
                self.errors or all(self.answered[name] >= before[name] + count for name in before)
            ),
            'an answer for every client',
            START_PATIENCE,
        )
        assert not self.errors, self.errors[:10]


def keeps_connections(address: Address, target: str, **options: Any) -> Iterator[bool]:
    """Ask over one connection for as long as the server keeps it. A close unannounced is a loss."""
    return keeps(Client(address, **options), target)


def keeps(client: Client, target: str) -> Iterator[bool]:
    """The same by that client."""
    with client:
        while True:
            before = client.connections
            response = client.get(target)
            assert response.status == 200, response
            yield before != client.connections and before > 0


def connects_anew(address: Address, target: str, **options: Any) -> Iterator[bool]:
    """Ask over a connection for each request. One that is refused is a loss."""
    return anew(lambda: Client(address, **options), target)


def anew(connect: Callable[[], Client], target: str) -> Iterator[bool]:
    """The same by clients that are made so."""
    while True:
        with connect() as client:
            response = client.get(target)
            assert response.status == 200, response
        yield False


class LeavingHttp2:
    """A connection of HTTP/2 that reads on behind GOAWAY, which h2 does not."""

    def __init__(self, port: int) -> None:
        context = lenient_tls()
        context.set_alpn_protocols(['h2'])
        plain = socket.create_connection(('127.0.0.1', port), PATIENCE)
        self._socket = context.wrap_socket(plain)
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._received = b''
        self._next = 1
        #: The last stream that the server has taken, as far as it has said.
        self.last_stream: Optional[int] = None
        self._socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + SettingsFrame().serialize())

    def close(self) -> None:
        self._socket.close()

    @property
    def is_going_away(self) -> bool:
        """Whether the server has said so."""
        return self.last_stream is not None

    def ask(self, target: str) -> int:
        """Begin a stream; gives its number."""
        stream, self._next = self._next, self._next + 2
        fields = {':method': 'GET', ':scheme': 'https', ':path': target, ':authority': 'a'}
        block = self._encoder.encode(list(fields.items()))
        frame = HeadersFrame(stream, block, flags=['END_HEADERS', 'END_STREAM'])
        self._socket.sendall(frame.serialize())
        return stream

    def status(self, stream: int) -> Optional[int]:
        """Read the whole answer; its status, None where the connection ends without one."""
        status = None
        while (frame := self._frame()) is not None:
            if isinstance(frame, HeadersFrame) and 'END_HEADERS' in frame.flags:
                fields = dict(self._decoder.decode(frame.data))
                status = int(fields[':status'])
            if frame.stream_id == stream and 'END_STREAM' in frame.flags:
                return status
        return None

    def _frame(self) -> Optional[Frame]:
        """The next frame, None at the end; what is to be acknowledged is."""
        data = self._read(HEAD)
        if data is None:
            return None
        frame, length = Frame.parse_frame_header(memoryview(data))
        frame.parse_body(memoryview(self._read(length) or b''))
        if isinstance(frame, (PingFrame, SettingsFrame)) and 'ACK' not in frame.flags:
            answer = type(frame)(0, flags=['ACK'])
            if isinstance(frame, PingFrame):
                answer.opaque_data = frame.opaque_data
            with contextlib.suppress(OSError):
                self._socket.sendall(answer.serialize())
        elif isinstance(frame, GoAwayFrame):
            self.last_stream = frame.last_stream_id
        return frame

    def _read(self, size: int) -> Optional[bytes]:
        while len(self._received) < size:
            try:
                data = self._socket.recv(1 << 16)
            except ConnectionError:
                data = b''
            if not data:
                return None
            self._received += data
        data, self._received = self._received[:size], self._received[size:]
        return data


def speaks_http2(port: int, target: str) -> Iterator[bool]:
    """Ask over HTTP/2, anew where the server says that it is going away.

    A request is lost that the server has taken (RFC 9113 section 6.8) and not answered.
    """
    client, moved = LeavingHttp2(port), False
    try:
        while True:
            stream = None
            if not client.is_going_away:
                # The server may have closed already, with a word that is yet to be read.
                with contextlib.suppress(OSError):
                    stream = client.ask(target)
                status = client.status(stream or client._next)
                if status is not None:
                    assert status == 200, status
                    yield moved
                    moved = False
                    continue
                assert client.last_stream is not None, 'closed without a word'
                assert stream is None or stream > client.last_stream, 'taken, and lost'
            client.close()
            client, moved = LeavingHttp2(port), True
    finally:
        client.close()


def pauses(asks: Iterator[bool], pause: Callable[[], None]) -> Iterator[bool]:
    """The same client, which pauses after each answer."""
    for moved in asks:
        yield moved
        pause()


class SlowDownload:
    """A download of which the client has read the head, and reads the rest when it is told to."""

    def __init__(self, address: Address, target: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(address)
        self._socket.sendall(f'GET {target} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
        received = b''
        while b'\r\n\r\n' not in received:
            received += self._socket.recv(1024)
        head, _, self._content = received.partition(b'\r\n\r\n')
        length = re.search(rb'(?i)\r\ncontent-length: (\d+)', head)
        assert head.startswith(b'HTTP/1.1 200 '), head
        assert length is not None, head
        self._length = int(length[1])

    def __enter__(self) -> SlowDownload:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def rest(self) -> bytes:
        """All of the content."""
        content = bytearray(self._content)
        while len(content) < self._length:
            data = self._socket.recv(1 << 16)
            if not data:
                raise Closed(f'after {len(content)} of {self._length} bytes')
            content += data
        return bytes(content)
