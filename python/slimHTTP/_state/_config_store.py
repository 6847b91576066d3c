"""Where `http.config` reads and writes: the configuration in force, or a draft above it.

The views of `_config` hold a path and one of these stores: `LiveStore`, whose edits change the
site at once, or `DraftStore`, which collects edits that are applied as one change. Programs use
them from any thread. An edit that depends on what it finds holds the store's lock from the look
to the change, and so does every other edit; reading takes no lock. A change of the site is
compiled before the call returns, so the lock may be held for as long as that takes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, Union

from slimHTTP._errors import ConfError, slimHTTP_Error
from slimHTTP._serve._fork import LockOwner
from slimHTTP._slimhttp import Server

Path = tuple[str, ...]
#: ('set', path, value), ('remove', path), or ('table', path): an empty
#: table where there is nothing yet, whoever is first.
Edit = Union[tuple[str, Path, Any], tuple[str, Path]]

#: In place of a value: there is none.
MISSING: Final = object()


class Store(Protocol):
    """Where a view reads and writes: the server, or a draft above one."""

    def exclusive(self) -> AbstractContextManager[object]:
        """Keep the edits of other threads out while a block runs; may be nested."""

    def keys(self, path: Path) -> list[str]:
        """Give the keys of the table at `path`; KeyError where there is none."""

    def kind(self, path: Path) -> str | None:
        """Tell whether `path` is a 'table', a 'value' or nothing."""

    def get(self, path: Path) -> Any:
        """Give a plain copy of what stands at `path`; KeyError where nothing does."""

    def edit(self, edits: list[Edit]) -> None:
        """Apply all of `edits` or, with a ConfError or KeyError, none."""


class LiveStore(LockOwner):
    """The configuration in force of one server.

    `changing` gives what is around each change, and outside of the lock: what comes of a change
    (applications are imported) may take long, and no other change waits for that.
    """

    def __init__(
        self, server: Server, changing: Callable[[], AbstractContextManager[object]]
    ) -> None:
        super().__init__()
        self._server = server
        self._changing = changing
        self.keys = server.keys
        self.kind = server.kind
        self.get = server.get

    def edit(self, edits: list[Edit]) -> None:
        """Change the site; see `Store.edit`."""
        with self._changing(), self._lock:
            self._update_base()
            self._server.edit(edits)

    def replace(self, config: Mapping[str, Any]) -> None:
        """Replace the runtime options as a whole; ConfError where they are faulty."""
        new = plain(config)
        with self._changing(), self._lock:
            self._update_base()
            self._server.configure(new)

    def swap_root(self, vhost: str | None, path: str) -> None:
        """Exchange a `web_root`; ConfError where there is no such host or folder."""
        with self._changing(), self._lock:
            self._update_base()
            self._server.swap_root(vhost, path)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `Store.exclusive`."""
        with self._changing(), self._lock:
            yield

    def _update_base(self) -> None:
        # Relative paths are resolved against the working directory of the moment
        # a change is applied. If that folder has been removed, the last one holds.
        with contextlib.suppress(OSError):
            self._server.set_base(os.getcwd())


class DraftStore(LockOwner):
    """Edits that wait for each other, above the store that they will change.

    `_changes` holds what differs: a whole plain value, or `MISSING`, by path. No
    path in it lies below another one, because an edit below a changed value is
    made within that value. Hence their order does not matter.
    """

    def __init__(self, below: Store) -> None:
        super().__init__()
        self._below = below
        self._finished = False
        self._changes: dict[Path, Any] = {}
        # Tables that are to be there; others may make and fill them meanwhile.
        self._tables: list[Path] = []

    def finish(self) -> list[Edit]:
        """Take no more edits; gives what is to be done to the store below, as one change."""
        with self._lock:
            self._finished = True
            edits: list[Edit] = [('table', path) for path in self._tables]
            edits += [
                ('remove', path) if value is MISSING else ('set', path, value)
                for path, value in self._changes.items()
            ]
            return edits

    def exclusive(self) -> AbstractContextManager[object]:
        """See `Store.exclusive`."""
        return self._lock

    def keys(self, path: Path) -> list[str]:
        """See `Store.keys`."""
        changed = self._find_change(path)
        if changed is not None:
            value = _descend(*changed)
            if not isinstance(value, dict):
                raise KeyError(path)
            return list(value)
        missing = path in self._tables and self._below.kind(path) is None
        keys = dict.fromkeys([] if missing else self._below.keys(path))
        for change, value in self._changes.items():
            if change[:-1] == path:
                if value is MISSING:
                    keys.pop(change[-1], None)
                else:
                    keys[change[-1]] = None
        return list(keys)

    def kind(self, path: Path) -> str | None:
        """See `Store.kind`."""
        changed = self._find_change(path)
        if changed is None:
            return self._below.kind(path) or ('table' if path in self._tables else None)
        value = _descend(*changed)
        if value is MISSING:
            return None
        return 'table' if isinstance(value, dict) else 'value'

    def get(self, path: Path) -> Any:
        """See `Store.get`."""
        if not any(change[: len(path)] == path[: len(change)] for change in self._changes):
            return self._below.get(path)
        if self.kind(path) == 'table':
            return {key: self.get((*path, key)) for key in self.keys(path)}
        changed = self._find_change(path)
        if changed is None:
            return self._below.get(path)
        value = _descend(*changed)
        if value is MISSING:
            raise KeyError(path)
        return plain(value)

    def edit(self, edits: list[Edit]) -> None:
        """Remember `edits`; KeyError where the way to one does not exist.

        Raises slimHTTP_Error once the draft is finished: nobody would apply them.
        """
        with self._lock:
            if self._finished:
                raise slimHTTP_Error(
                    'this draft takes no more edits, its `with` block has ended:'
                    ' edit `http.config`, or begin another draft by `http.config.edit()`'
                )
            for what, path, *value in edits:
                if what == 'set':
                    self._put(path, plain(value[0]))
                elif what == 'table':
                    if self.kind(path) is None:
                        self._tables.append(path)
                else:
                    self._put(path, MISSING)

    def _put(self, path: Path, value: Any) -> None:
        *way, last = path
        if way and self.kind(tuple(way)) != 'table':
            raise KeyError(way[-1])
        if value is MISSING and self.kind(path) is None:
            raise KeyError(last)
        changed = self._find_change(tuple(way))
        if changed is not None:
            table = _descend(*changed)
            if value is MISSING:
                del table[last]
            else:
                table[last] = value
            return
        for change in [change for change in self._changes if change[: len(path)] == path]:
            del self._changes[change]
        if value is not MISSING or self._below.kind(path) is not None:
            self._changes[path] = value

    def _find_change(self, path: Path) -> tuple[Any, Path] | None:
        """Give the change in which `path` lies, and the rest of the way within it."""
        if self._changes:
            for length in range(1, len(path) + 1):
                change = self._changes.get(path[:length], self)
                if change is not self:
                    return change, path[length:]
        return None


class View:
    """A way to what stands at a path of a store."""

    def __init__(self, store: Store, path: Path = ()) -> None:
        self._store = store
        self._path = path

    def to_plain(self) -> Any:
        """Give a plain, deep copy of what stands there."""
        return self._store.get(self._path)


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
    if isinstance(value, View):
        return value.to_plain()
    if isinstance(value, Mapping):
        # An application may be a mapping, and is no table of the configuration.
        return {
            key_text(key): item if key == 'app' and callable(item) else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    return value


def key_text(key: Any) -> Any:
    """Give the key as the configuration has it: a status such as 404 is a text there."""
    if isinstance(key, int) and not isinstance(key, bool) and 100 <= key < 600:
        return str(int(key))
    return key


def _descend(value: Any, way: Path) -> Any:
    """Follow `way` into a plain value; `MISSING` where it ends early."""
    for key in way:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value
