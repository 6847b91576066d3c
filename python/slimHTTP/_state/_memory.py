"""`slimHTTP.memory`: state that is shared by all threads and outlives the reload of modules.

Programs use it as a dict, from any thread. Every operation is atomic: it holds the one lock
from beginning to end, and what it waits for meanwhile (the disk, a function given to `update`)
every other thread waits for too. What happens between two operations is the caller's affair,
which is why `increment`, `setdefault`, `update(key, function)` and `compare_and_set` exist.

Where the memory is kept in a file (`_persist`), the file is written first: what a call has put
there when it returns is in both, and what it fails to write is in neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, overload

from slimHTTP._errors import slimHTTP_Error
from slimHTTP._serve._fork import LockOwner
from slimHTTP._state._persist import Store

_MISSING: Final = object()


class Memory(LockOwner, MutableMapping[Any, Any]):
    """A thread-safe mapping of anything hashable to anything.

    It works as a dict does, with three differences: iteration goes over a copy
    of the keys, so that other threads may write meanwhile; `update` has a
    second form; and it is not copied, pickled or hashed.

    >>> visits = Memory()
    >>> visits.increment('/')
    1
    >>> visits.update('seen', lambda names: {*names, 'Ada'}, default=())
    {'Ada'}
    """

    def __init__(self) -> None:
        # Its lock is reentrant: a function given to `update` may use the memory.
        super().__init__()
        self._values: dict[Any, Any] = {}
        self._store: Store | None = None
        self._max_entries: int | None = None

    def persist(
        self,
        path: str | os.PathLike[str] | None,
        *,
        max_size: int | None = None,
        fsync: bool = False,
        pickle: bool = False,
    ) -> None:
        """Keep everything in the file `path` too, from now on and for the next start.

        The file is made if it is not there. What stands in it is read; where a
        key is in both, the file's value counts. From then on each operation is
        in the file when it returns, and survives the end of the process however
        it comes. With `fsync=True` it survives the end of the machine too, and
        waits for the disk.

        Values are None, bools, numbers, texts, bytes, and lists, tuples, sets
        and dicts of these; `pickle=True` allows what pickle can write, for a
        file that nobody else may write to. What is changed in place (`append`
        to a list) is not noticed: assign it, or use `update(key, function)`.
        `max_size` bounds the file, in bytes; its log has some megabytes beside.

        One process at a time may use a file. A forked child goes on in memory
        alone. `persist(None)` ends it: what is there stays in memory.

        Raises slimHTTP_Error where the file cannot be used, TypeError for a
        value that cannot be kept; nothing has changed then.

        >>> import os, tempfile
        >>> visits = Memory()
        >>> visits.persist(os.path.join(tempfile.mkdtemp(), 'visits.db'))
        >>> visits.increment('/')
        1
        >>> visits.persist(None)
        """
        with self._lock:
            wanted = None if path is None else os.path.abspath(os.fspath(path))
            if self._store is not None:
                if wanted == self._store.path:
                    return
                if wanted is not None:
                    raise slimHTTP_Error(
                        f'memory: it is kept in `{self._store.path}` already;'
                        ' `persist(None)` ends that'
                    )
                self._store.close()
                self._store = None
                return
            if wanted is None:
                return
            store = Store(wanted, max_size=max_size, fsync=fsync, pickle=pickle)
            try:
                kept = store.load()
                store.write({k: v for k, v in self._values.items() if k not in kept})
            except BaseException:
                store.close()
                raise
            self._values.update(kept)
            self._store = store

    @property
    def max_entries(self) -> int | None:
        """How many keys there may be; None for any number.

        One more raises slimHTTP_Error, and nothing is forgotten. What is there
        already may be more; it stays.
        """
        return self._max_entries

    @max_entries.setter
    def max_entries(self, most: int | None) -> None:
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
            raise TypeError(f'memory: max_entries: expected a number or None, found `{most!r}`')
        self._max_entries = most

    def _put(self, changes: Mapping[Any, Any]) -> None:
        """Put all of them in, or none; the lock is held."""
        if self._max_entries is not None:
            new = sum(key not in self._values for key in changes)
            if new and len(self._values) + new > self._max_entries:
                raise slimHTTP_Error(f'memory: it has {self._max_entries} entries, and is full')
        if self._store is not None:
            self._store.write(changes)
        self._values.update(changes)

    def _take(self, key: Any) -> Any:
        """Take a key away that is there; the lock is held."""
        if self._store is not None:
            self._store.remove(key)
        return self._values.pop(key)

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            return self._values[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            self._put({key: value})

    def __delitem__(self, key: Any) -> None:
        with self._lock:
            self._values[key]  # KeyError where it is not there.
            self._take(key)

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            return iter(list(self._values))

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Memory):
            return self is other or self.copy() == other.copy()
        if isinstance(other, Mapping):
            return self.copy() == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f'slimHTTP.memory({self.copy()!r})'

    def copy(self) -> dict[Any, Any]:
        """Give a plain dict of what is in it now."""
        with self._lock:
            return dict(self._values)

    def get(self, key: Any, default: Any = None) -> Any:
        """Give the value of `key`, or `default` where there is none."""
        with self._lock:
            return self._values.get(key, default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Give the value of `key`; where there is none, it is `default` from now on."""
        with self._lock:
            if key not in self._values:
                self._put({key: default})
            return self._values[key]

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Take `key` away and give its value, or `default`.

        Raises KeyError where there is neither.
        """
        with self._lock:
            if key in self._values:
                return self._take(key)
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        """Take the newest key away and give it with its value; KeyError if empty."""
        with self._lock:
            if not self._values:
                raise KeyError('memory: it is empty')
            key = next(reversed(self._values))
            return key, self._take(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            if self._store is not None:
                self._store.clear()
            self._values.clear()

    def keys(self) -> Any:
        """Give a view of the keys as they are now."""
        return self.copy().keys()

    def values(self) -> Any:
        """Give a view of the values as they are now."""
        return self.copy().values()

    def items(self) -> Any:
        """Give a view of keys and values as they are now."""
        return self.copy().items()

    def increment(self, key: Any, by: Any = 1, default: Any = 0) -> Any:
        """Add `by` to the value of `key` and give the sum.

        A key that is missing counts as `default`. Raises TypeError where the
        value cannot be added to, and leaves it.
        """
        with self._lock:
            total = self._values.get(key, default) + by
            self._put({key: total})
            return total

    def compare_and_set(self, key: Any, expected: Any, value: Any, default: Any = None) -> bool:
        """Put `value` in if what is there equals `expected`; gives whether it did.

        A key that is missing counts as `default`.
        """
        with self._lock:
            if self._values.get(key, default) != expected:
                return False
            self._put({key: value})
            return True

    @overload  # type: ignore[override]
    def update(self, key: Any, function: Callable[[Any], Any], /, default: Any = None) -> Any: ...
    @overload
    def update(
        self, other: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), /, **more: Any
    ) -> None: ...
    def update(self, /, *args: Any, **more: Any) -> Any:
        """Change one key by a function, or several as a dict does.

        `update(key, function, default=None)` replaces the value by
        `function(value)` and gives the new one; `function` gets `default`
        where the key is missing. If it raises, nothing changes. Nobody else
        uses the memory while it runs, so it should be short.

        `update(mapping)`, `update(pairs)` and `update(name=value)` put all of
        them in at once and give None.
        """
        if len(args) < 2:
            # A mapping may be slow or may itself lock: it is read outside the lock.
            new = dict(*args, **more)
            with self._lock:
                self._put(new)
            return None
        default = more.pop('default', None)
        if len(args) == 3:
            default = args[2]
        if len(args) > 3 or more:
            raise TypeError('expected update(key, function, default=None) or update(mapping)')
        key, function = args[0], args[1]
        if not callable(function):
            raise TypeError(
                f'update(key, function): expected a function, found `{type(function).__name__}`'
            )
        with self._lock:
            value = function(self._values.get(key, default))
            self._put({key: value})
            return value


#: The process's memory, shared by every server and module.
memory: Final = Memory()
