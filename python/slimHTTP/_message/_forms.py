"""`request.args`, `.form` and `.files`: read-only mappings, and uploaded files.

The extension parses queries and forms, within its bounds, and calls `read_query` and `read_form`
on the handler's thread when the attribute is first read. Larger uploads lie in one temporary
file that all parts of a form share; each `UploadedFile` reads its part of it by `pread`, so
that several threads may read at once.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Optional, TypeVar, Union, overload

from slimHTTP._errors import MissingField

V = TypeVar('V')
T = TypeVar('T')

#: A part as the extension gives it: name, filename, headers, bytes, whether they
#: are in the file instead, where there, and how many.
_Part = tuple[str, str, list[tuple[str, str]], bytes, bool, int, int]

#: Longer names are cut: file systems take 255 bytes. An extension of more than
#: this is none.
_MAX_NAME_BYTES = 255
_MAX_EXTENSION_BYTES = 32

#: So many characters of a name are looked at: putting marks in their order takes
#: time by the square of how many there are.
_MAX_CHARACTERS = 1024

#: What some system takes for a separator of folders, beside `/`.
_SLASHES = str.maketrans(dict.fromkeys('\\\u2044\u2215\u2216\u29f5\u29f8', '/'))

#: What Windows does not take in a name (a colon leads into a file's other streams).
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', '_'))

#: What Windows takes for a device, whatever its extension. Compiled when a name is looked at,
#: for few programs take uploads.
_DEVICE = r'(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9]|lpt[0-9]) *(\.|$)'


class MultiDict(Mapping[str, V]):
    """A mapping of which a name may have several values; it cannot be changed.

    `form['name']` is the first value of a name, `form.getlist('name')` is all
    of them. It is as long as it has names.

    >>> form = MultiDict([('tag', 'a'), ('tag', 'b'), ('n', '7')])
    >>> form['tag'], form.getlist('tag'), form.get('n', type=int)
    ('a', ['a', 'b'], 7)
    """

    __slots__ = ('_lists', '_of')

    def __init__(self, pairs: Iterable[tuple[str, V]] = (), of: str = 'form') -> None:
        # What it is of, for who looks for a name that it has not.
        self._of = of
        self._lists: dict[str, list[V]] = {}
        for name, value in pairs:
            self._lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> V:
        values = self._lists.get(name)
        if values is None:
            raise MissingField(name, self._of)
        return values[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({list(self.pairs())!r})'

    @overload
    def get(self, name: str, default: None = None, type: None = None) -> Optional[V]: ...
    @overload
    def get(self, name: str, default: Union[V, T], type: None = None) -> Union[V, T]: ...
    @overload
    def get(self, name: str, default: None = None, type: Callable[[V], T] = ...) -> Optional[T]: ...
    @overload
    def get(self, name: str, default: T, type: Callable[[V], T]) -> T: ...
    def get(self, name: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002 - as Flask
        """Give the first value of a name, or `default` where it has none.

        With `type` the value is converted by it; a ValueError gives `default`.
        """
        values = self._lists.get(name)
        if values is None:
            return default
        if type is None:
            return values[0]
        try:
            return type(values[0])
        except ValueError:
            return default

    def getlist(self, name: str) -> list[V]:
        """Give every value of a name, in the order in which they came."""
        return list(self._lists.get(name, ()))

    def pairs(self) -> Iterator[tuple[str, V]]:
        """Give every name with each of its values."""
        for name, values in self._lists.items():
            for value in values:
                yield name, value

    def to_dict(self) -> dict[str, V]:
        """Give a plain dict of the first values."""
        return {name: values[0] for name, values in self._lists.items()}


class UploadedFile(io.BufferedReader):
    """A file that came with a form; it is read as any file opened for reading.

    `filename` is what the client calls it and may be anything, `''` where no
    file was chosen; `safe_filename` is a name that leads nowhere else. `size`
    is its length in bytes, `content_type` what the client says it is, `headers`
    the header fields of its part by lower-case name.
    """

    def __init__(
        self, raw: Any, filename: str, size: int, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(raw)
        self.filename = filename
        self.size = size
        self.headers: dict[str, str] = dict(headers)

    @property
    def content_type(self) -> str:
        """What the client says it is, `application/octet-stream` where it says nothing."""
        return self.headers.get('content-type', 'application/octet-stream')

    @property
    def safe_filename(self) -> str:
        """The last part of `filename`, as a name that every file system takes for one.

        No folder, no dot, blank or hyphen at the beginning, no dot or blank at the
        end, no control or invisible character, nothing that Windows keeps for
        itself, at most 255 bytes; letters in their usual form (NFKC). `upload` where
        nothing is left. It is its own safe name.

        >>> import io
        >>> UploadedFile(io.BytesIO(), '../../etc/.passwd', 0).safe_filename
        'passwd'
        """
        name = self.filename
        # What one pass takes away may bring together what another takes away.
        while (cleaned := _cleaned(name)) != name:
            name = cleaned
        return name

    @overload
    def save(self, target: Union[str, os.PathLike[str]]) -> str: ...
    @overload
    def save(self, target: BinaryIO) -> BinaryIO: ...
    def save(self, target: Union[str, os.PathLike[str], BinaryIO]) -> Union[str, BinaryIO]:
        """Write all of it to `target`, and give where it is.

        `target` is a path, which is replaced if there is a file already; a
        folder, in which it gets its `safe_filename`; or a file open for
        writing. Raises OSError.
        """
        before = self.tell()
        self.seek(0)
        try:
            if not isinstance(target, (str, os.PathLike)):
                _copy(self, target)
                return target
            path = os.fspath(target)
            if os.path.isdir(path):
                path = os.path.join(path, self.safe_filename)
            with open(path, 'wb') as file:
                _copy(self, file)
            return path
        finally:
            self.seek(before)

    def __repr__(self) -> str:
        return f'<UploadedFile {self.filename!r} {self.size} bytes>'


def _cleaned(name: str) -> str:
    """Take a step towards a safe name; what is one stays as it is."""
    import unicodedata  # Here, for it is a table of all there are.

    name = name.translate(_SLASHES).rpartition('/')[2]
    if len(name) > _MAX_CHARACTERS:
        name = name[: _MAX_CHARACTERS - _MAX_EXTENSION_BYTES] + name[-_MAX_EXTENSION_BYTES:]
    name = ''.join(letter for letter in name if letter.isprintable())
    # A dot or a slash of another width is one to who reads the name later.
    name = unicodedata.normalize('NFKC', name).translate(_SLASHES).rpartition('/')[2]
    name = _trimmed(''.join(letter for letter in name if letter.isprintable()))
    name = name.translate(_FORBIDDEN)
    if re.match(_DEVICE, name, re.IGNORECASE):
        name = f'_{name}'
    stem, dot, extension = name.rpartition('.')
    if not dot or len(extension.encode()) > _MAX_EXTENSION_BYTES:
        stem, extension = name, ''
    else:
        extension = dot + extension
    room = _MAX_NAME_BYTES - len(extension.encode())
    stem = stem.encode()[:room].decode('utf-8', 'ignore')
    return _trimmed(stem + extension) or 'upload'


def _trimmed(name: str) -> str:
    return name.lstrip(' .-').rstrip(' .')


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    import shutil  # Here, for it imports every way to compress.

    shutil.copyfileobj(source, target)


class _FileSlice(io.RawIOBase):
    """A part of a file that others read too: it has a position of its own."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise ValueError(f'expected a position from 0 on, found {base + offset}')
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._length - self._position))
        data = os.pread(self._file.fileno(), wanted, self._start + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def read_query(pairs: list[tuple[str, str]]) -> MultiDict[str]:
    """Give the names and values of a query."""
    return MultiDict(pairs, 'query')


def read_form(
    fields: list[tuple[str, str]], parts: list[_Part], descriptor: int | None
) -> tuple[MultiDict[str], MultiDict[UploadedFile]]:
    """Give the form and the files that the extension has read.

    `descriptor` is of the file in which the larger ones lie; it lives as long as
    one of them.
    """
    file = None if descriptor is None else open(descriptor, 'rb', buffering=0)  # noqa: SIM115

    def opened(part: _Part) -> UploadedFile:
        _, filename, headers, data, in_file, start, length = part
        raw: Any = io.BytesIO(data)
        if in_file and file is not None:
            raw = _FileSlice(file, start, length)
        return UploadedFile(raw, filename, length, headers)

    return MultiDict(fields), MultiDict((part[0], opened(part)) for part in parts)
