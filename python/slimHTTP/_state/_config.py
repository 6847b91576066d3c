"""`http.config`: the configuration in force, as a mapping that is edited in place.

There is one configuration, and it is the extension's. What stands here are views: they hold a
path of keys and no values, so they never grow stale; `_config_store` reads and writes for them.
Programs use them from any thread. Every edit is one change of the site: it is checked whole,
and either applied before the statement ends or refused with a ConfError that changes nothing.
An edit that depends on what it finds (`append`, `pop`, `setdefault`) keeps the others out
meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from types import MappingProxyType
from typing import Any, overload

from slimHTTP._errors import ConfError
from slimHTTP._state._config_store import MISSING, DraftStore, Edit, Path, View, key_text, plain


def _is_always_there(path: Path) -> bool:
    """Whether a table can be read and written into though nothing has made it yet."""
    in_vhost = len(path) == 3 and path[0] == 'vhosts' and path[2] == 'mounts'
    return path in {('vhosts',), ('mounts',)} or in_vhost


class ConfigTable(View, MutableMapping[str, Any]):
    """A table of the configuration: `http.config` itself, or one within it.

    It behaves as a dict of what has been configured: read it, assign, `del`,
    `update`, compare it with dicts; `copy()`, `|`, pickle and deepcopy give plain
    dicts. Tables in it are tables like this one, so
    `http.config['vhosts']['a.example']['index'] = 'home.html'` changes the
    site. `http.config['vhosts']` is there even before a vhost is, and so is
    `mounts` there and in each vhost. Each statement is one change; `edit()`
    makes one change of several.

    Raises ConfError where the site cannot be as the edit wants it, and
    KeyError where there is nothing to read or delete.
    """

    def __getitem__(self, key: str) -> Any:
        path = self._below(key)
        kind = self._store.kind(path)
        if kind == 'table' or (kind is None and _is_always_there(path)):
            return ConfigTable(self._store, path)
        if kind is None:
            raise KeyError(key)
        value = self._store.get(path)
        return ConfigList(self._store, path) if isinstance(value, list) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._edit([('set', self._below(key), plain(value))])

    def __delitem__(self, key: str) -> None:
        with self._store.exclusive():
            self._edit([self._removal(key)])

    def __contains__(self, key: object) -> bool:
        key = key_text(key)
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
        with self._store.exclusive():
            return {key: self._store.get((*self._path, key)) for key in self._keys()}

    def to_plain(self) -> dict[str, Any]:
        """Do what `to_dict` does, under the name that every view has for it."""
        return self.to_dict()

    def copy(self) -> dict[str, Any]:
        """Do what `to_dict` does, under the name that dicts have for it."""
        return self.to_dict()

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return self.to_dict()

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied and pickled it is what it shows, not a way to this very server.
        return dict, (self.to_dict(),)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return {**self.to_dict(), **plain(other)}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return {**plain(other), **self.to_dict()}

    def __ior__(self, other: Any) -> ConfigTable:  # type: ignore[misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Give what stands at `key`; where nothing does, `default` is put there."""
        with self._store.exclusive():
            if key not in self:
                self[key] = default
            return self[key]

    def pop(self, key: str, default: Any = MISSING) -> Any:
        """Take `key` away and give a plain copy of what stood there, or `default`.

        Raises KeyError where there is neither.
        """
        with self._store.exclusive():
            if key not in self:
                if default is MISSING:
                    raise KeyError(key)
                return default
            value = self._store.get(self._below(key))
            del self[key]
            return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last key away and give it with a plain copy of its value."""
        with self._store.exclusive():
            keys = self._keys()
            if not keys:
                raise KeyError('popitem(): the table is empty')
            return keys[-1], self.pop(keys[-1])

    def clear(self) -> None:
        """Take all keys away, as one change."""
        with self._store.exclusive():
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
        not name stays. After the block the draft takes no edits: slimHTTP_Error.

        >>> with http.config.edit() as draft:               # doctest: +SKIP
        ...     draft['web_root'] = './release-2'
        ...     draft['vhosts']['a.example'] = {'proxy': '127.0.0.1:9000'}
        """
        draft = DraftStore(self._store)
        try:
            yield ConfigTable(draft, self._path)
        finally:
            edits = draft.finish()
        if edits:
            self._store.edit(edits)

    def _keys(self) -> list[str]:
        if _is_always_there(self._path) and self._store.kind(self._path) is None:
            return []
        return self._store.keys(self._path)

    def _below(self, key: str) -> Path:
        key = key_text(key)
        if not isinstance(key, str):
            raise ConfError(f'expected a string as key, found `{key!r}`')
        return (*self._path, key)

    def _removal(self, key: str) -> Edit:
        if key not in self:
            raise KeyError(key)
        return 'remove', self._below(key)

    def _edit(self, edits: list[Edit]) -> None:
        if not edits:
            return
        with self._store.exclusive():
            if _is_always_there(self._path) and self._store.kind(self._path) is None:
                edits.insert(0, ('table', self._path))
            self._store.edit(edits)


class ConfigList(View, MutableSequence[Any]):
    """A list in the configuration, such as `index`; editing it changes the site.

    Tables and lists within it are read-only copies, so that an edit which
    would be lost raises a TypeError instead.
    """

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
        if isinstance(index, slice):
            value = list(value)
        with self._editing() as items:
            items[index] = value

    def __delitem__(self, index: int | slice) -> None:
        with self._editing() as items:
            del items[index]

    def __len__(self) -> int:
        return len(self.to_list())

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        if not isinstance(other, (list, ConfigList)):
            return NotImplemented
        return [*self.to_list(), *plain(other)]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        if not isinstance(other, list):
            return NotImplemented
        return [*plain(other), *self.to_list()]

    def copy(self) -> list[Any]:
        """Do what `to_list` does, under the name that lists have for it."""
        return self.to_list()

    def __deepcopy__(self, memo: object) -> list[Any]:
        return self.to_list()

    def __reduce__(self) -> tuple[Any, ...]:
        # As a table: what it shows.
        return list, (self.to_list(),)

    def insert(self, index: int, value: Any) -> None:
        """Put `value` before `index`."""
        with self._editing() as items:
            items.insert(index, value)

    def append(self, value: Any) -> None:
        """Put `value` at the end."""
        with self._editing() as items:
            items.append(value)

    def extend(self, values: Iterable[Any]) -> None:
        """Append all of `values`, as one change."""
        new = list(values)
        with self._editing() as items:
            items.extend(new)

    def pop(self, index: int = -1) -> Any:
        """Take the item at `index` away and give a plain copy of it."""
        with self._editing() as items:
            return items.pop(index)

    def remove(self, value: Any) -> None:
        """Take the first item away that equals `value`; ValueError if there is none."""
        with self._editing() as items:
            items.remove(plain(value))

    def reverse(self) -> None:
        """Turn the order around, as one change."""
        with self._editing() as items:
            items.reverse()

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Put the items into order as a list's `sort` does, as one change."""
        with self._editing() as items:
            items.sort(key=key, reverse=reverse)

    def clear(self) -> None:
        """Take all items away, as one change."""
        with self._editing() as items:
            items.clear()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, ConfigList)):
            return bool(self.to_list() == plain(other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.to_list())

    @contextlib.contextmanager
    def _editing(self) -> Iterator[list[Any]]:
        """Give a plain copy to edit; it replaces the list when the block ends."""
        with self._store.exclusive():
            items = self.to_list()
            yield items
            self._store.edit([('set', self._path, plain(items))])


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
