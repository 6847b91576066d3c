"""`http.config`: the configuration in force, as a mapping that is edited in place.

There is one configuration, and it is the extension's. What stands here are
views: they hold a path of keys and no values, so they never grow stale. Every
edit is one change of the site: it is checked whole, and either applied before
the statement ends or refused with a ConfError that changes nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from types import MappingProxyType
from typing import Any, Final, Protocol, Union, overload

from slimHTTP._errors import ConfError
from slimHTTP._slimhttp import Server

Path = tuple[str, ...]
#: ('set', path, value), ('remove', path), or ('table', path): an empty
#: table where there is nothing yet, whoever is first.
Edit = Union[tuple[str, Path, Any], tuple[str, Path]]

_GONE: Final = object()


class Store(Protocol):
    """Where a view reads and writes: the server, or a draft above one."""

    def keys(self, path: Path) -> list[str]:
        """Give the keys of the table at `path`; KeyError where there is none."""

    def kind(self, path: Path) -> str | None:
        """Tell whether `path` is a 'table', a 'value' or nothing."""

    def get(self, path: Path) -> Any:
        """Give a plain copy of what stands at `path`; KeyError where nothing does."""

    def edit(self, edits: list[Edit]) -> None:
        """Apply all of `edits` or, with a ConfError or KeyError, none."""


class LiveStore:
    """The configuration in force of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.keys = server.keys
        self.kind = server.kind
        self.get = server.get

    def edit(self, edits: list[Edit]) -> None:
        """Change the site; see `Store.edit`."""
        self._follow_working_directory()
        self._server.edit(edits)

    def replace(self, config: Mapping[str, Any]) -> None:
        """Replace the runtime options as a whole; ConfError where they are faulty."""
        self._follow_working_directory()
        self._server.configure(plain(config))

    def _follow_working_directory(self) -> None:
        # Relative paths are resolved against the working directory of the moment
        # a change is applied. If that folder has been removed, the last one holds.
        with contextlib.suppress(OSError):
            self._server.set_base(os.getcwd())


class DraftStore:
    """Edits that wait for each other, above the store that they will change.

    `_changes` holds what differs: a whole plain value, or `_GONE`, by path. No
    path in it lies below another one, because an edit below a changed value is
    made within that value. Hence their order does not matter.
    """

    def __init__(self, below: Store) -> None:
        self._below = below
        self._changes: dict[Path, Any] = {}
        # Tables that are to be there; others may make and fill them meanwhile.
        self._tables: list[Path] = []

    def edits(self) -> list[Edit]:
        """Give what has to be done to the store below, as one transaction."""
        edits: list[Edit] = [('table', path) for path in self._tables]
        edits += [
            ('remove', path) if value is _GONE else ('set', path, value)
            for path, value in self._changes.items()
        ]
        return edits

    def keys(self, path: Path) -> list[str]:
        """See `Store.keys`."""
        changed = self._changed(path)
        if changed is not None:
            value = _descend(*changed)
            if not isinstance(value, dict):
                raise KeyError(path)
            return list(value)
        missing = path in self._tables and self._below.kind(path) is None
        keys = dict.fromkeys([] if missing else self._below.keys(path))
        for change, value in self._changes.items():
            if change[:-1] == path:
                if value is _GONE:
                    keys.pop(change[-1], None)
                else:
                    keys[change[-1]] = None
        return list(keys)

    def kind(self, path: Path) -> str | None:
        """See `Store.kind`."""
        changed = self._changed(path)
        if changed is None:
            return self._below.kind(path) or ('table' if path in self._tables else None)
        value = _descend(*changed)
        if value is _GONE:
            return None
        return 'table' if isinstance(value, dict) else 'value'

    def get(self, path: Path) -> Any:
        """See `Store.get`."""
        if not any(change[: len(path)] == path[: len(change)] for change in self._changes):
            return self._below.get(path)
        if self.kind(path) == 'table':
            return {key: self.get((*path, key)) for key in self.keys(path)}
        changed = self._changed(path)
        if changed is None:
            return self._below.get(path)
        value = _descend(*changed)
        if value is _GONE:
            raise KeyError(path)
        return plain(value)

    def edit(self, edits: list[Edit]) -> None:
        """Remember `edits`; KeyError where the way to one does not exist."""
        for what, path, *value in edits:
            if what == 'set':
                self._put(path, plain(value[0]))
            elif what == 'table':
                if self.kind(path) is None:
                    self._tables.append(path)
            else:
                self._put(path, _GONE)

    def _put(self, path: Path, value: Any) -> None:
        *way, last = path
        if way and self.kind(tuple(way)) != 'table':
            raise KeyError(way[-1])
        if value is _GONE and self.kind(path) is None:
            raise KeyError(last)
        changed = self._changed(tuple(way))
        if changed is not None:
            table = _descend(*changed)
            if value is _GONE:
                del table[last]
            else:
                table[last] = value
            return
        for change in [change for change in self._changes if change[: len(path)] == path]:
            del self._changes[change]
        if value is not _GONE or self._below.kind(path) is not None:
            self._changes[path] = value

    def _changed(self, path: Path) -> tuple[Any, Path] | None:
        """Give the change in which `path` lies, and the rest of the way within it."""
        if self._changes:
            for length in range(1, len(path) + 1):
                change = self._changes.get(path[:length], self)
                if change is not self:
                    return change, path[length:]
        return None


class ConfigTable(MutableMapping[str, Any]):
    """A table of the configuration: `http.config` itself, or one within it.

    It behaves as a dict of what has been configured: read it, assign, `del`,
    `update`, compare it with dicts. Tables in it are tables like this one, so
    `http.config['vhosts']['a.example']['index'] = 'home.html'` changes the
    site. `http.config['vhosts']` is there even before a vhost is. Each
    statement is one change; `edit()` makes one change of several.

    Raises ConfError where the site cannot be as the edit wants it, and
    KeyError where there is nothing to read or delete.
    """

    def __init__(self, store: Store, path: Path = ()) -> None:
        self._store = store
        self._path = path

    def __getitem__(self, key: str) -> Any:
        path = self._below(key)
        kind = self._store.kind(path)
        if kind == 'table' or (kind is None and path == ('vhosts',)):
            return ConfigTable(self._store, path)
        if kind is None:
            raise KeyError(key)
        value = self._store.get(path)
        return ConfigList(self._store, path) if isinstance(value, list) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._edit([('set', self._below(key), plain(value))])

    def __delitem__(self, key: str) -> None:
        self._edit([self._removal(key)])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._store.kind((*self._path, key)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return bool(self.to_dict() == plain(other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        try:
            return repr(self.to_dict())
        except KeyError:
            return f'<a table that is no longer there: {".".join(self._path)}>'

    def to_dict(self) -> dict[str, Any]:
        """Give a plain, deep copy, which changes nothing when it is changed."""
        return {key: self._store.get((*self._path, key)) for key in self._keys()}

    def copy(self) -> dict[str, Any]:
        """Do what `to_dict` does, under the name that dicts have for it."""
        return self.to_dict()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Give what stands at `key`; where nothing does, `default` is put there."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, default: Any = _GONE) -> Any:
        """Take `key` away and give a plain copy of what stood there, or `default`.

        Raises KeyError where there is neither.
        """
        if key not in self:
            if default is _GONE:
                raise KeyError(key)
            return default
        value = self._store.get(self._below(key))
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last key away and give it with a plain copy of its value."""
        keys = self._keys()
        if not keys:
            raise KeyError('popitem(): the table is empty')
        return keys[-1], self.pop(keys[-1])

    def clear(self) -> None:
        """Take all keys away, as one change."""
        self._edit([self._removal(key) for key in self._keys()])

    def update(self, *args: Any, **more: Any) -> None:
        """Set several keys as a dict's `update` does, as one change."""
        new = dict(*args, **more)
        self._edit([('set', self._below(key), plain(value)) for key, value in new.items()])

    @contextlib.contextmanager
    def edit(self) -> Iterator[ConfigTable]:
        """Group several edits into one change.

        Gives a draft of this table to read and edit; the site changes when the
        block ends, once. It does not when the block raises, or when the whole
        is faulty (ConfError). What others change meanwhile and the draft does
        not name stays.

        >>> with http.config.edit() as draft:               # doctest: +SKIP
        ...     draft['web_root'] = './release-2'
        ...     draft['vhosts']['a.example'] = {'proxy': '127.0.0.1:9000'}
        """
        draft = DraftStore(self._store)
        yield ConfigTable(draft, self._path)
        edits = draft.edits()
        if edits:
            self._store.edit(edits)

    def _keys(self) -> list[str]:
        if self._path == ('vhosts',) and self._store.kind(self._path) is None:
            return []
        return self._store.keys(self._path)

    def _below(self, key: str) -> Path:
        if not isinstance(key, str):
            raise ConfError(f'expected a string as key, found `{key!r}`')
        return (*self._path, key)

    def _removal(self, key: str) -> Edit:
        if key not in self:
            raise KeyError(key)
        return 'remove', (*self._path, key)

    def _edit(self, edits: list[Edit]) -> None:
        if not edits:
            return
        if self._path == ('vhosts',) and self._store.kind(self._path) is None:
            edits.insert(0, ('table', self._path))
        self._store.edit(edits)


class ConfigList(MutableSequence[Any]):
    """A list in the configuration, such as `index`; editing it changes the site.

    Tables and lists within it are read-only copies, so that an edit which
    would be lost raises a TypeError instead.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path

    def to_list(self) -> list[Any]:
        """Give a plain, deep copy, which changes nothing when it is changed."""
        value = self._store.get(self._path)
        if not isinstance(value, list):
            raise KeyError(self._path[-1])
        return value

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        found = self.to_list()[index]
        if isinstance(index, slice):
            return [_frozen(item) for item in found]
        return _frozen(found)

    @overload
    def __setitem__(self, index: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        items = self.to_list()
        items[index] = value
        self._replace(items)

    def __delitem__(self, index: int | slice) -> None:
        items = self.to_list()
        del items[index]
        self._replace(items)

    def __len__(self) -> int:
        return len(self.to_list())

    def insert(self, index: int, value: Any) -> None:
        """Put `value` before `index`."""
        items = self.to_list()
        items.insert(index, value)
        self._replace(items)

    def extend(self, values: Iterable[Any]) -> None:
        """Append all of `values`, as one change."""
        self._replace([*self.to_list(), *values])

    def reverse(self) -> None:
        """Turn the order around, as one change."""
        self._replace(self.to_list()[::-1])

    def clear(self) -> None:
        """Take all items away, as one change."""
        self._replace([])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, ConfigList)):
            return bool(self.to_list() == plain(other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.to_list())

    def _replace(self, items: list[Any]) -> None:
        self._store.edit([('set', self._path, plain(items))])


def plain(value: Any) -> Any:
    """Give `value` as the extension reads it: dicts, lists, texts and numbers.

    Copies deeply, so that nobody's later change of a dict that he gave reaches
    the configuration. `os.PathLike`s become texts. What is no configuration
    value at all stays, for the extension to name in its ConfError.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise ConfError('expected a configuration, found a dict that contains itself') from None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, ConfigTable):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, ConfigList)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


def _descend(value: Any, way: Path) -> Any:
    """Follow `way` into a plain value; `_GONE` where it ends early."""
    for key in way:
        if not isinstance(value, dict) or key not in value:
            return _GONE
        value = value[key]
    return value
