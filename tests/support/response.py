"""What a server answered: header fields, and a whole response."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Optional


class ProtocolError(AssertionError):
    """The server sent what HTTP/1.1 does not allow."""


class Closed(AssertionError):
    """The server closed the connection where a response was due."""


class Headers:
    """Header fields, in order, by case-insensitive name."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields = list(fields)

    def all(self, name: str) -> list[str]:
        """Every value of this name."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The values of this name as one list (RFC 9110 section 5.3), or `default`."""
        values = self.all(name)
        return ', '.join(values) if values else default

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(f'{name} (there are: {", ".join(key for key, _ in self.fields)})')
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return repr(self.fields)


class Response:
    """One whole response."""

    def __init__(self, status: int, reason: str, headers: Headers, head: bytes) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = b''
        #: Fields behind the last chunk.
        self.trailers = Headers()
        #: "1.1", or "1.0" in answer to a request of that version.
        self.version = head[5:8].decode('ascii')
        #: The interim (1xx) responses that came before.
        self.interim: list[Response] = []
        #: Every byte, as received.
        self.raw = head

    @property
    def text(self) -> str:
        return self.body.decode('utf-8')

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether the server announced that it closes (RFC 9112 section 9.3)."""
        options = (self.headers.get('connection') or '').lower()
        return 'close' in options or (self.version == '1.0' and 'keep-alive' not in options)

    def __repr__(self) -> str:
        return f'<{self.status} {self.reason} {self.headers!r} {self.body[:200]!r}>'
