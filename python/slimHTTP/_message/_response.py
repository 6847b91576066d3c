"""Responses as objects: `HTTP_RESPONSE`, `FILE` and `STREAM_CHUNKED`.

A handler returns one, and the extension reads it on the handler's thread: `ret_code`, `headers`
and `payload` of the first, `path` of the others. The server then sends the file by itself.
Everything else here is for programs that make a raw response (`_raw`) by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Union

from slimHTTP import _log
from slimHTTP._message._json import json_bytes
from slimHTTP._message._raw import Raw
from slimHTTP._slimhttp import HTTP_REQUEST

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from slimHTTP._message._cookies import CookieOptions

PathLike = Union[str, bytes, 'os.PathLike[str]', 'os.PathLike[bytes]']

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FORBIDDEN: Final = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f]')  # RFC 9110 section 5.5
_WITHOUT_BODY: Final = frozenset((204, 304))


#: Names that other frameworks use, and what they are called here.
_OTHER_NAMES: Final = {
    'status': 'ret_code',
    'status_code': 'ret_code',
    'code': 'ret_code',
    'body': 'payload',
    'content': 'payload',
    'data': 'payload',
    'json': 'payload',
    'text': 'payload',
}


class HTTP_RESPONSE:
    r"""A whole response: status, header fields and body.

    `headers` maps names to values, each `str` or `bytes`; a list as value is a
    field that is repeated. `payload` is `bytes`, `str`, None (nothing), or a
    dict or list, which becomes JSON. `ret_code` is the status, 200 unless given.
    Further keyword arguments are kept in `kwargs`.

    >>> HTTP_RESPONSE({'Location': '/new'}, ret_code=307).build()
    b'HTTP/1.1 307 Temporary Redirect\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n'
    """

    def __init__(
        self,
        headers: Mapping[Any, Any] | None = None,
        payload: Any = b'',
        *args: Any,
        ret_code: int = 200,
        **kwargs: Any,
    ) -> None:
        # A dict of its own: what is added to one response is in no other. The usual kind comes
        # first, for every answer passes here.
        self.headers: dict[Any, Any]
        if type(headers) is dict:
            self.headers = headers.copy()
        elif isinstance(headers, (str, bytes)):
            raise TypeError(
                f'headers: expected a dict, found `{type(headers).__name__}`;'
                ' the body is the second argument: write `HTTP_RESPONSE(payload=…)`'
            )
        else:
            self.headers = dict(headers) if headers else {}
        self.payload = payload
        self.ret_code = ret_code
        self.args = args
        self.kwargs = kwargs
        if kwargs:
            _warn_of_other_names(kwargs)

    def __repr__(self) -> str:
        return f'<HTTP_RESPONSE {self.ret_code} {self.headers!r} {self.payload!r}>'

    def set_cookie(
        self, name: str, value: str = '', **options: Unpack[CookieOptions]
    ) -> HTTP_RESPONSE:
        """Add a cookie, and give the response itself.

        The options are those of `HTTP_REQUEST.set_cookie`; raises ValueError as
        that does.

        >>> HTTP_RESPONSE().set_cookie('seen', 'yes', secure=True).headers
        {'Set-Cookie': ['seen=yes; Path=/; Secure; HttpOnly; SameSite=Lax']}
        """
        from slimHTTP._message._cookies import set_on  # Here, for most programs set none.

        set_on(self.headers, name, value, **options)
        return self

    def delete_cookie(self, name: str, **options: Unpack[CookieOptions]) -> HTTP_RESPONSE:
        """Have the client forget a cookie, and give the response itself.

        `path` and `domain` are those with which it was set.
        """
        options['max_age'] = 0
        return self.set_cookie(name, '', **options)

    def build(self) -> Raw:
        """Give the response as bytes, head and body, for a handler to return.

        Raises ValueError where a field or the status is none that HTTP has or a
        number none that JSON has, TypeError where the payload is none.
        """
        body = self.clean_payload()
        if self.ret_code in _WITHOUT_BODY:
            return self.build_headers()
        if self._has('content-length'):
            return self.build_headers() + body
        return self.build_headers({'Content-Length': str(len(body))}) + body

    def build_headers(self, additional_headers: Mapping[Any, Any] | None = None) -> Raw:
        """Give the head: status line, the fields and the additional ones, a blank line.

        Raises ValueError as `build` does.
        """
        if not isinstance(self.ret_code, int) or not 200 <= self.ret_code <= 599:
            raise ValueError(f'ret_code: expected a status from 200 to 599, found {self.ret_code}')
        from http import HTTPStatus  # Here, for most answers are built by the extension.

        try:
            phrase = HTTPStatus(self.ret_code).phrase
        except ValueError:
            phrase = ''
        lines = [b'HTTP/1.1 %d %s' % (self.ret_code, phrase.encode('ascii'))]
        for fields in (self.headers, additional_headers or {}):
            for name, value in fields.items():
                for one in value if isinstance(value, (list, tuple)) else (value,):
                    lines.append(_field(name, one))
        return Raw(b'\r\n'.join(lines) + b'\r\n\r\n')

    def clean_payload(self) -> bytes:
        """Turn the payload into the bytes that are sent, and give them.

        Where no `Content-Type` is set, the payload's kind sets it. Raises
        TypeError for a payload that is no body.
        """
        payload = self.payload
        kind = 'text/html; charset=utf-8'
        if payload is None:
            body = b''
        elif isinstance(payload, (bytes, bytearray, memoryview)):
            body = bytes(payload)
        elif isinstance(payload, str):
            body = payload.encode()
        elif isinstance(payload, (dict, list)):
            body = json_bytes(payload)
            kind = 'application/json'
        else:
            raise TypeError(
                'payload: expected bytes, str, dict, list or None,'
                f' found `{type(payload).__name__}`'
            )
        if body and not self._has('content-type'):
            self.headers['Content-Type'] = kind
        self.payload = body
        return body

    def _has(self, name: str) -> bool:
        return any(_bytes(key).lower() == name.encode() for key in self.headers)


def _warn_of_other_names(kwargs: dict[str, Any]) -> None:
    for name in _OTHER_NAMES.keys() & kwargs.keys():
        _log.logger.warning(
            'HTTP_RESPONSE: `%s` sends nothing (it is kept in `kwargs`); did you mean `%s`?',
            name,
            _OTHER_NAMES[name],
        )


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def _field(name: Any, value: Any) -> bytes:
    line = _bytes(name) + b': ' + _bytes(value)
    if not _TOKEN.fullmatch(_bytes(name)) or _FORBIDDEN.search(line):
        raise ValueError(f'expected a header field, found {line!r}')
    return line


class FILE:
    """A file below the request's `web_root`; returned by a handler, it is sent.

    The server sends it as it sends any file: with validators, ranges and the
    right type. `path` is absolute; a relative one is meant below `web_root`, and
    so is a URL such as `/img/logo.png`. An absolute one may lie below the
    request's `private_root` too. `mime` is its type, `size` its length in
    bytes, -1 where there is no such file. `headers` (type and length) and `data`
    (its bytes) are for a raw response:

    >>> with FILE(request, 'index.html') as page:           # doctest: +SKIP
    ...     return request.build_headers(page.headers) + page.data
    """

    def __init__(self, request: HTTP_REQUEST, path: PathLike) -> None:
        self.request = request
        self.path = self._find(os.fsdecode(path))
        import mimetypes  # It reads the tables of the system, and only this needs them.

        self.mime = mimetypes.guess_type(self.path)[0] or 'application/octet-stream'

    def _find(self, path: str) -> str:
        root, private = self.request.web_root, _private_root(self.request)
        if root is None:
            return os.path.abspath(os.path.join(private or '', path))
        root = os.path.abspath(root)
        if os.path.isabs(path):
            plain = os.path.normpath(path)
            if not any(_is_below(plain, known) for known in (root, private) if known):
                path = path.lstrip('/')
        return os.path.normpath(os.path.join(root, path))

    def __enter__(self) -> FILE:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f'<{type(self).__name__} {self.path}>'

    @property
    def size(self) -> int:
        """Its length in bytes, -1 where there is no such file that may be sent."""
        try:
            return os.stat(self._inside()).st_size
        except OSError:
            return -1

    @property
    def headers(self) -> dict[str, str]:
        """The fields `Content-Type` and `Content-Length` of the whole file."""
        return {'Content-Type': self.mime, 'Content-Length': str(max(self.size, 0))}

    @property
    def data(self) -> bytes:
        """The whole file.

        Raises OSError where it cannot be read, PermissionError where it lies
        outside of `web_root` and `private_root`.
        """
        with self._open() as file:
            return file.read()

    def close(self) -> None:
        """Let go of the file; it may be used again."""

    def _open(self) -> BinaryIO:
        return open(self._inside(), 'rb')

    def _inside(self) -> str:
        known = (self.request.web_root, _private_root(self.request))
        roots = [os.path.realpath(root) for root in known if root is not None]
        path = os.path.realpath(self.path)
        if roots and not any(_is_below(path, root) for root in roots):
            raise PermissionError(f'{self.path} is outside of web_root')
        return path


def _private_root(request: HTTP_REQUEST) -> str | None:
    # Programs make requests of their own, with what they know of ours.
    return getattr(request, 'private_root', None)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


class STREAM_CHUNKED(FILE):
    """A file that a program reads piece by piece.

    `chunk` reads the next `chunksize` bytes, beginning at byte `start`, and is
    `b''` at the end; iteration gives the chunks. Returned by a handler, the file
    is sent as a `FILE` is: the server reads it and answers the ranges that the
    client asks for, whatever `start` says.
    """

    def __init__(
        self, request: HTTP_REQUEST, path: PathLike, start: int = 0, chunksize: int = 51200
    ) -> None:
        super().__init__(request, path)
        self.start = start
        self.chunksize = chunksize
        self._file: BinaryIO | None = None

    def __enter__(self) -> STREAM_CHUNKED:
        return self

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.chunk:
            yield chunk

    @property
    def headers(self) -> dict[str, str]:
        """The fields `Content-Type` and `Content-Length` of the part from `start` on."""
        return {'Content-Type': self.mime, 'Content-Length': str(max(self.size - self.start, 0))}

    @property
    def chunk(self) -> bytes:
        """The next piece, `b''` at the end of the file; raises as `data` does."""
        if self._file is None:
            self._file = self._open()
            self._file.seek(self.start)
        return self._file.read(self.chunksize)

    def close(self) -> None:
        """Let go of the file; the next chunk begins at `start` again."""
        if self._file is not None:
            self._file.close()
            self._file = None
