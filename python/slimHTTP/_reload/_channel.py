"""Messages between the supervisor and one worker: a JSON object a line, over a socket pair.

Each end has its descriptor to itself, so that the end of either process is read by the other as
the end of the stream. Nobody waits for ever for a process that is stuck: a worker sends within a
bounded time (`send`); the supervisor, which has others to look after, does not wait at all, and
keeps a bounded number of bytes until there is room (`post`). What cannot be sent is given up, and
the channel with it: half of a message would garble the next.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from typing import Any, Final

#: How long a message may take to be sent (s).
_SEND_TIMEOUT: Final = 5.0
#: How long a message may be, in bytes: the page of a failure is the longest.
_MAX_LINE: Final = 8 * 1024 * 1024
#: How many bytes are kept for who does not read them.
_MAX_UNSENT: Final = 2 * _MAX_LINE

_AT_ONCE: Final = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL

Message = dict[str, Any]


class Channel:
    """One end. `send` may be called by any thread, everything else by one.

    An end either sends or posts.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._received = b''
        self._unsent = bytearray()

    def fileno(self) -> int:
        """Give the descriptor, for a selector."""
        return self._end.fileno()

    def send(self, kind: str, **fields: Any) -> bool:
        """Send a message; gives whether it was sent."""
        with self._lock:
            try:
                # Not `settimeout`, which holds for the thread that receives too.
                self._send_all(_line(kind, fields))
            except (OSError, ValueError):  # It is closed, or stuck.
                self._give_up()
                return False
        return True

    @property
    def is_sending(self) -> bool:
        """Whether there is something to `flush` as soon as the descriptor takes it."""
        return bool(self._unsent)

    def post(self, kind: str, **fields: Any) -> bool:
        """Send a message, or keep what there is no room for; gives whether that is possible."""
        self._unsent += _line(kind, fields)
        return self.flush()

    def flush(self) -> bool:
        """Send what is kept, as far as there is room; gives whether the channel still holds."""
        try:
            while self._unsent:
                del self._unsent[: self._end.send(self._unsent, _AT_ONCE)]
        except BlockingIOError:
            if len(self._unsent) <= _MAX_UNSENT:
                return True
        except (OSError, ValueError):
            pass
        else:
            return True
        self._unsent.clear()
        self._give_up()
        return False

    def _give_up(self) -> None:
        """Let both ends read the end of the stream."""
        with contextlib.suppress(OSError, ValueError):
            self._end.shutdown(socket.SHUT_RDWR)

    def _send_all(self, line: bytes) -> None:
        deadline = time.monotonic() + _SEND_TIMEOUT
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[self._end.send(rest, _AT_ONCE) :]
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError('nobody reads') from None
                select.select([], [self._end], [], left)

    def receive(self) -> list[Message] | None:
        """Read all that has come, and give the messages that are whole by then; None at the end.

        It does not wait.
        """
        is_over = False
        while len(self._received) <= _MAX_LINE:
            try:
                read = self._end.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except (OSError, ValueError):
                read = b''
            if not read:
                is_over = True
                break
            self._received += read
        *lines, self._received = self._received.split(b'\n')
        messages = []
        for line in lines:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    messages.append(message)
        # A line without an end is nobody's who means it.
        is_over = is_over or len(self._received) > _MAX_LINE
        return None if is_over and not messages else messages

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until something has come, or the end; gives whether it has."""
        return bool(select.select([self._end], [], [], timeout)[0])

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def _line(kind: str, fields: Message) -> bytes:
    return json.dumps({'kind': kind, **fields}).encode() + b'\n'
