"""A raw response: head and body as bytes, the way programs of slimHTTP 1.0 make it.

The extension tells a whole response from a body by the type `Raw`, never by how the bytes
begin: what begins like a response may have been sent by a client.
"""

from __future__ import annotations

from typing import Any, SupportsIndex


class Raw(bytes):
    r"""A whole response as bytes, head and body: `Raw(b'HTTP/1.1 200 OK\r\n\r\nbody')`.

    A handler returns it and it is sent as it says. `request.build_headers()` and
    `HTTP_RESPONSE.build()` give one. What is added behind it belongs to it, and what
    is cut from its end or replaced in it leaves it what it is, as long as its status line
    is whole:

    >>> type(Raw(b'HTTP/1.1 200 OK\r\n\r\n') + b'body').__name__
    'Raw'

    It is `bytes` in everything else; what other methods of `bytes` give is plain.
    """

    __slots__ = ()

    def __add__(self, other: Any) -> Raw:
        return Raw(bytes.__add__(self, other))

    def __radd__(self, other: Any) -> Any:
        # `answer = b''; answer += request.build_headers()`: nothing stands before it.
        return self if type(other) is bytes and not other else NotImplemented

    def __getitem__(self, index: Any) -> Any:
        part = bytes.__getitem__(self, index)
        if isinstance(index, slice) and not index.start and index.step in (None, 1):
            return _still_raw(part)
        return part

    def replace(self, old: Any, new: Any, count: SupportsIndex = -1, /) -> bytes:
        """As that of `bytes`, and raw as before, see `Raw`."""
        return _still_raw(bytes.replace(self, old, new, count))


def _still_raw(part: bytes) -> bytes:
    """Give what is left of a response: one where it has a status line, else plain bytes.

    `head[:-2]` goes on with a further field; what is put behind `head[:0]` would say by
    itself what the response is.
    """
    return Raw(part) if b'\r\n' in part else bytes(part)
