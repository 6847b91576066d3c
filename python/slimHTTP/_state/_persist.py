"""The file in which `slimHTTP.memory` is kept: an SQLite database with a write-ahead log.

`_memory` calls it, on whatever thread uses the memory, and holds its lock meanwhile: so calls
never overlap, and they wait for the disk. A write is in the log when the call that made it
returns. So the end of the process loses nothing, by `kill -9` or otherwise; the end of the
machine loses nothing with `fsync=True`. One process holds the file at a time.

Plain values are stored as JSON, which anybody may read; others as a pickle, and only where the
program has asked for it: whoever wrote a pickle decides what code runs when it is read.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import stat
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from slimHTTP._errors import slimHTTP_Error
from slimHTTP._slimhttp import Server, Successor

if TYPE_CHECKING:
    import sqlite3

#: Marks the database as one of ours ("slim").
_APPLICATION_ID: Final = 0x736C696D
_SCALAR_TYPES: Final = frozenset((str, int, float, bool, type(None)))
#: The smallest size that a file may be bounded to: the table and a few values.
_MIN_SIZE: Final = 64 * 1024


class Store:
    """One open file, used by one memory, whose lock is held during every call."""

    def __init__(self, path: str, *, max_size: int | None, fsync: bool, pickle: bool) -> None:
        self.path = path
        self._pickle = pickle
        #: Where each key stands in the file. Keys that are equal are one key, as in a
        #: dict, though they may be written differently (1 and 1.0).
        self._positions: dict[Any, int] = {}
        self._next = 1
        #: None in a forked child: there every write is passed over.
        self._connection: sqlite3.Connection | None = _open(path, fsync, pickle)
        try:
            with self._translated_errors():
                self._execute(
                    'CREATE TABLE IF NOT EXISTS memory'
                    ' (position INTEGER PRIMARY KEY, key NOT NULL, value NOT NULL)'
                )
                if max_size is not None:
                    (page,) = self._execute('PRAGMA page_size').fetchone()
                    self._execute(f'PRAGMA max_page_count = {max(max_size, _MIN_SIZE) // page}')
        except BaseException:
            self.close()
            raise
        _stores.add(self)

    def load(self) -> dict[Any, Any]:
        """Give everything that is kept, in the order in which it came."""
        values = {}
        with self._translated_errors():
            rows = self._execute('SELECT position, key, value FROM memory ORDER BY position')
            for position, encoded, value in rows:
                key = self._decode(encoded)
                self._positions[key] = position
                values[key] = self._decode(value)
                self._next = position + 1
        return values

    def write(self, changes: Mapping[Any, Any]) -> None:
        """Keep new values of these keys: all of them, or none and an exception."""
        if self._connection is None:
            return
        new: dict[Any, int] = {}
        rows: list[tuple[int, str | bytes | None, str | bytes]] = []
        for key, value in changes.items():
            position = self._positions.get(key)
            if position is None:
                position = new[key] = self._next + len(new)
                rows.append((position, self._encode(key), self._encode(value)))
            else:
                rows.append((position, None, self._encode(value)))
        if len(rows) == 1:
            with self._translated_errors():
                self._write_row(*rows[0])
        else:
            with self._transaction():
                for row in rows:
                    self._write_row(*row)
        self._positions.update(new)
        self._next += len(new)

    def _write_row(self, position: int, key: str | bytes | None, value: str | bytes) -> None:
        if key is None:
            self._execute('UPDATE memory SET value = ? WHERE position = ?', (value, position))
        else:
            self._execute('INSERT INTO memory VALUES (?, ?, ?)', (position, key, value))

    def remove(self, key: Any) -> None:
        """Forget one key, which is there."""
        if self._connection is None:
            return
        with self._translated_errors():
            self._execute('DELETE FROM memory WHERE position = ?', (self._positions[key],))
        del self._positions[key]

    def clear(self) -> None:
        """Forget everything."""
        if self._connection is None:
            return
        with self._translated_errors():
            self._execute('DELETE FROM memory')
        self._positions.clear()

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._connection is not None:
            self._connection.close()
        _stores.discard(self)

    def abandon(self) -> None:
        """Leave the connection alone for ever: in a forked child it is the parent's.

        Closed there, as by being freed, it would move its log into the file
        while the parent uses both. So it is never freed.
        """
        import ctypes  # Only here: few programs fork while they keep a file.

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        self._connection = None

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        assert self._connection is not None, 'a forked child comes not this far'
        return self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated_errors():
            self._execute('BEGIN')
            try:
                yield
                self._execute('COMMIT')
            except BaseException:
                # A disk that is full has ended it already.
                if self._connection is not None and self._connection.in_transaction:
                    self._execute('ROLLBACK')
                raise

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise an error of the database as `slimHTTP_Error`."""
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            raise slimHTTP_Error(f'memory: `{self.path}`: {error}') from error

    def _encode(self, value: Any) -> str | bytes:
        if type(value) in _SCALAR_TYPES:
            return json.dumps(value)
        try:
            return json.dumps(_to_json(value))
        except (_NotJson, RecursionError) as reason:
            if self._pickle:
                import pickle  # Here and below, for few files hold any.

                return pickle.dumps(value)
            raise TypeError(
                f'memory: a `{reason or type(value).__name__}` cannot be kept in `{self.path}`;'
                ' expected None, bools, numbers, texts, bytes, and lists, tuples, sets and'
                ' dicts of these (`persist(path, pickle=True)` keeps what pickle can write)'
            ) from None

    def _decode(self, encoded: str | bytes) -> Any:
        if isinstance(encoded, str):
            return _from_json(json.loads(encoded))
        if not self._pickle:
            raise slimHTTP_Error(
                f'memory: `{self.path}` has pickled values, and reading them runs code; where'
                ' nobody else can have written it: `persist(path, pickle=True)`'
            )
        from slimHTTP._state import _unpickler

        return _unpickler.loads(encoded)


class _NotJson(Exception):
    """A value that JSON does not give back as it was; its text is the type's name."""


def _to_json(value: Any) -> Any:
    """Give what JSON can say; every JSON object is a tag and its content."""
    kind = type(value)
    if kind in _SCALAR_TYPES:
        return value
    if kind is list:
        return [_to_json(item) for item in value]
    if kind is dict:
        return {'dict': [[_to_json(key), _to_json(item)] for key, item in value.items()]}
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [_to_json(item) for item in value]}
    if kind is bytes:
        return {'bytes': binascii.b2a_base64(value, newline=False).decode()}
    raise _NotJson(kind.__name__)


def _from_json(value: Any) -> Any:
    """Give the value of which `_to_json` has made this."""
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == 'bytes':
        return binascii.a2b_base64(content)
    items: Iterable[Any] = (_from_json(item) for item in content)
    return _FROM_TAG[tag](items)


_FROM_TAG: Final[dict[str, Any]] = {
    'dict': dict,
    'tuple': tuple,
    'set': set,
    'frozenset': frozenset,
}


def _open(path: str, fsync: bool, pickled: bool) -> sqlite3.Connection:
    try:
        import sqlite3
    except ImportError as missing:
        raise slimHTTP_Error(f'memory: this Python has no sqlite3: {missing}') from missing
    place = path
    try:
        if pickled:
            # What is checked is what is opened, whatever becomes of a link meanwhile.
            place = os.path.realpath(path)
            _check_owners(place)
        # Made by us, for its owner only; the log gets the same mode from SQLite.
        os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise slimHTTP_Error(f'memory: `{path}`: {error.strerror}') from error
    connection = sqlite3.connect(place, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute('PRAGMA locking_mode = EXCLUSIVE')
        (found,) = connection.execute('PRAGMA application_id').fetchone()
        (tables,) = connection.execute('SELECT count(*) FROM sqlite_master').fetchone()
        if found != _APPLICATION_ID and (found or tables):
            raise slimHTTP_Error(f'memory: `{path}` is a database of another program')
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute(f'PRAGMA synchronous = {"FULL" if fsync else "NORMAL"}')
        connection.execute(f'PRAGMA application_id = {_APPLICATION_ID}')
        # Takes the lock now, and not with the first write.
        connection.execute('BEGIN EXCLUSIVE')
        connection.execute('COMMIT')
    except sqlite3.Error as error:
        connection.close()
        if 'locked' in str(error):
            raise slimHTTP_Error(
                f'memory: `{path}` is in use; one process at a time may keep its memory there'
            ) from error
        raise slimHTTP_Error(f'memory: `{path}`: {error}') from error
    except BaseException:
        connection.close()
        raise
    return connection


#: What SQLite reads beside a database when it opens it: each of them may hold its pages.
_SIDE_FILES: Final = ('', '-wal', '-shm', '-journal')


def _check_owners(path: str) -> None:
    """Raise where somebody else can write what is read from the database at `path`.

    They could write the file, its log or its journal, or put one of these there.
    Whoever can write a folder on the way can put another one in its place, unless
    it is one like `/tmp` (the sticky bit), where only owners rename.
    """
    folder = os.path.dirname(path)
    way = folder
    while True:
        _check_owner(way, path, allowed=0 if way == folder else stat.S_ISVTX)
        if way == os.path.dirname(way):
            break
        way = os.path.dirname(way)
    for suffix in _SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            _check_owner(path + suffix, path)


def _check_owner(path: str, database: str, allowed: int = 0) -> None:
    """Raise unless `path` is ours or root's, and only its owner may write it."""
    facts = os.lstat(path)
    if facts.st_uid in (os.geteuid(), 0) and (
        not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or facts.st_mode & allowed
    ):
        return
    raise slimHTTP_Error(
        f'memory: others may write `{path}` (owner {facts.st_uid}, mode'
        f' {stat.S_IMODE(facts.st_mode):04o}), and reading pickles from `{database}` would run'
        f' their code; make it yours alone (`chown`, `chmod go-w`)'
    )


def open_configured(opened: Server, persist: Callable[[str | os.PathLike[str]], None]) -> None:
    """Let `persist` open the file that the server's option of that name says.

    Where root opens it for a server that is about to serve as another `user`,
    that is done with the rights of this user, who may own the folder and have put
    a link there. Where these do not suffice root opens it, by no link and in no
    folder in which this user can put one.
    """
    path, successor = opened.persist, _successor(opened)
    if path is None:
        return
    if successor is None:
        persist(path)
        return
    with contextlib.suppress(ImportError):
        import sqlite3  # As root: the interpreter may be its own.
    try:
        successor.call(lambda: persist(path))
    except slimHTTP_Error as refused:
        if not isinstance(refused.__cause__, (PermissionError, sqlite3.OperationalError)):
            raise
        try:
            place = successor.trusted(path)
        except OSError as untrusted:
            raise slimHTTP_Error(f'memory: `{path}`: {untrusted}') from refused
        if place.is_symlink():
            raise slimHTTP_Error(f'memory: `{path}` is a link, and root follows none') from refused
        persist(place)


def _successor(opened: Server) -> Successor | None:
    names = [opened.get((key,)) if opened.kind((key,)) else None for key in ('user', 'group')]
    user, group = (None if name is None else str(name) for name in names)
    return None if user is None else Successor.find(user, group)


#: Every open one, for the end of the program and for forked children.
_stores: Final[weakref.WeakSet[Store]] = weakref.WeakSet()


def close_all() -> None:
    """Close every file; called when nothing of the program runs any more."""
    for store in list(_stores):
        store.close()


def _abandon_all() -> None:
    for store in list(_stores):
        store.abandon()
    _stores.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_abandon_all)
