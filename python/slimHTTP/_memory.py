"""State that outlives the reload of modules: `slimHTTP.memory`.

Every operation is atomic: it holds the one lock from beginning to end. What
happens between two operations is the caller's affair, which is why
`increment`, `setdefault` and `update(key, function)` exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, overload

from slimHTTP._fork import LockOwner

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

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            return self._values[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            self._values[key] = value

    def __delitem__(self, key: Any) -> None:
        with self._lock:
            del self._values[key]

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
            return self._values.setdefault(key, default)

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Take `key` away and give its value, or `default`.

        Raises KeyError where there is neither.
        """
        with self._lock:
            if default is _MISSING:
                return self._values.pop(key)
            return self._values.pop(key, default)

    def popitem(self) -> tuple[Any, Any]:
        """Take the newest key away and give it with its value; KeyError if empty."""
        with self._lock:
            return self._values.popitem()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
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
            self._values[key] = total
            return total

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
                self._values.update(new)
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
            self._values[key] = value
            return value


#: The process's memory, shared by every server and module.
memory: Final = Memory()
