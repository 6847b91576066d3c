"""An HTTP/2 connection of which a test sends and receives every frame itself.

It says what it is told to, also what is malformed; what the server sends is read strictly, by h2.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any, Optional

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import ContinuationFrame, Frame, GoAwayFrame, HeadersFrame

from support.tls import lenient_tls
from support.waiting import PATIENCE

Fields = Iterable['tuple[str | bytes, str | bytes]']

#: The largest window that a client can open (RFC 9113 section 6.9.1).
WIDEST = 2**31 - 1

#: The length of a frame's head (RFC 9113 section 4.1).
HEAD = 9


class Answer:
    """What came on one stream."""

    def __init__(self) -> None:
        self.status: Optional[int] = None
        self.fields: list[tuple[str, str]] = []
        self.body = b''
        #: The fields behind the body.
        self.trailers: list[tuple[str, str]] = []
        #: The error code of RST_STREAM, if there was one.
        self.reset: Optional[int] = None
        self.ended = False

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)

    def __repr__(self) -> str:
        size = len(self.body)
        return f'<{self.status} reset={self.reset} {self.fields} {size} {self.body[:100]!r}>'


class Http2:
    """A connection; `window` opens every stream and the connection so wide at once.

    A `narrow` one has as small a receive buffer as the system allows: the kernel takes little
    for a client that does not read. `ahead` is sent before all else; without `tls`, HTTP/2 is
    spoken by prior knowledge. It asks for the host `server_name` (SNI), and speaks TLS by
    `context`, which trusts everybody unless given.
    """

    def __init__(
        self,
        port: int,
        *,
        window: Optional[int] = None,
        narrow: bool = False,
        ahead: bytes = b'',
        tls: bool = True,
        server_name: Optional[str] = None,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        context = context or lenient_tls()
        context.set_alpn_protocols(['h2'])
        plain = socket.socket()
        plain.settimeout(PATIENCE)
        if narrow:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(('127.0.0.1', port))
        plain.sendall(ahead)
        self.socket = context.wrap_socket(plain, server_hostname=server_name) if tls else plain
        self.socket.settimeout(PATIENCE)
        as_told = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.frames = h2.connection.H2Connection(as_told)
        self.answers: dict[int, Answer] = {}
        #: The error code of each GOAWAY.
        self.goaway: list[int] = []
        #: The last stream that each of them says was taken.
        self.last_streams: list[int] = []
        #: Whether the server has closed the connection.
        self.closed = False
        self._next = 1
        self._raw = b''
        if window is not None:
            values = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.frames.local_settings = h2.settings.Settings(client=True, initial_values=values)
        self.frames.initiate_connection()
        if window is not None:
            self.frames.increment_flow_control_window(window - 65_535)
        self.flush()

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.frames.data_to_send())

    def send(self, *frames: Frame) -> None:
        """Send frames as they are."""
        self.socket.sendall(b''.join(frame.serialize() for frame in frames))

    def ask(
        self,
        path: str = '/',
        *fields: tuple[Any, Any],
        method: str = 'GET',
        authority: Optional[str] = 'a',
        end: bool = True,
    ) -> int:
        """Begin a stream with a request; gives its number."""
        head: list[tuple[Any, Any]] = [(':method', method), (':scheme', 'https'), (':path', path)]
        if authority is not None:
            head.append((':authority', authority))
        return self.ask_by([*head, *fields], end=end)

    def ask_by(self, head: Fields, *, end: bool = True) -> int:
        """Begin a stream with exactly these fields; gives its number."""
        stream = self._next
        self._next += 2
        self.frames.send_headers(stream, list(head), end_stream=end)
        self.flush()
        return stream

    def take_back(self, stream: int) -> None:
        """Reset a stream: its answer is wanted no more."""
        self.frames.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    def block(self, head: Fields, *, pieces: int = 1, end: bool = True) -> list[Frame]:
        """The frames of a request whose header block comes in so many pieces."""
        stream = self._next
        self._next += 2
        block = self.frames.encoder.encode(list(head))
        size = -(-len(block) // pieces)
        cut = [block[at : at + size] for at in range(0, len(block), size)]
        first = HeadersFrame(stream, cut[0], flags=['END_STREAM'] if end else [])
        frames: list[Frame] = [first, *(ContinuationFrame(stream, piece) for piece in cut[1:])]
        frames[-1].flags.add('END_HEADERS')
        return frames

    def receive(self, *, reading: bool = True) -> bool:
        """Take in what the server sends next; whether there was something."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, OSError) as error:
            if isinstance(error, socket.timeout):
                raise AssertionError('nothing comes') from None
            data = b''
        if not data:
            self.closed = True
            return False
        self._note_goaway(data)
        try:
            for event in self.frames.receive_data(data):
                self._note(event, reading)
        except h2.exceptions.ProtocolError:
            # What may come behind GOAWAY (RFC 9113 section 6.8) h2 does not expect.
            if not self.goaway:
                raise
        with contextlib.suppress(OSError):
            self.flush()
        return True

    def _note_goaway(self, data: bytes) -> None:
        self._raw += data
        while len(self._raw) >= HEAD:
            frame, length = Frame.parse_frame_header(memoryview(self._raw[:HEAD]))
            if len(self._raw) < HEAD + length:
                return
            if isinstance(frame, GoAwayFrame):
                frame.parse_body(memoryview(self._raw[HEAD : HEAD + length]))
                self.goaway.append(frame.error_code)
                self.last_streams.append(frame.last_stream_id)
            self._raw = self._raw[HEAD + length :]

    def _note(self, event: Any, reading: bool) -> None:
        stream = getattr(event, 'stream_id', None)
        if not stream:
            return
        answer = self.answers.setdefault(stream, Answer())
        if isinstance(event, h2.events.ResponseReceived):
            fields = [(text(name), text(value)) for name, value in event.headers]
            answer.status = int(dict(fields)[':status'])
            answer.fields = [field for field in fields if not field[0].startswith(':')]
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if reading and event.flow_controlled_length:
                self.frames.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(text(name), text(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)

    def answer(self, stream: int) -> Answer:
        """What the server sends on a stream, to its end, or that of the connection."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            answer = self.answers.get(stream)
            if answer is not None and (answer.ended or answer.reset is not None):
                return answer
            if not self.receive():
                return self.answers.get(stream, Answer())
        raise AssertionError(f'it does not end: {self.answers.get(stream)}')

    def get(self, path: str = '/', *fields: tuple[Any, Any], **options: Any) -> Answer:
        """Ask and wait."""
        return self.answer(self.ask(path, *fields, **options))

    def rest(self) -> list[Frame]:
        """Every frame until the server closes, whatever h2 would say of them."""
        data = b''
        with contextlib.suppress(ConnectionError):
            while more := self.socket.recv(65536):
                data += more
        frames: list[Frame] = []
        at = 0
        while len(data) >= at + HEAD:
            frame, length = Frame.parse_frame_header(memoryview(data[at : at + HEAD]))
            at += HEAD + length
            if at > len(data):
                break
            frame.parse_body(memoryview(data[at - length : at]))
            frames.append(frame)
        return frames

    def until_closed(self, patience: float = PATIENCE) -> float:
        """Wait until the server closes; gives the seconds it took."""
        began = time.monotonic()
        while self.receive():
            assert time.monotonic() - began < patience, 'the connection is still open'
        return time.monotonic() - began


def text(value: Any) -> str:
    return value.decode('latin-1') if isinstance(value, bytes) else str(value)
