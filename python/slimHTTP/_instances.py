"""The type of `slimHTTP.instances`: a dict whose KeyError names the servers that are open.

`_server` fills it, under a lock of its own; programs read it from any thread.
"""

from __future__ import annotations

from typing import NoReturn, TypeVar

S = TypeVar('S')


class Instances(dict[str, S]):
    """Open servers by `'<addr>:<port>'` as configured, `':8080'` for every interface.

    A key that is not there raises KeyError, which names those that are.
    """

    def __missing__(self, key: object) -> NoReturn:
        if not self:
            raise KeyError(f'no server is open, so none is called {key!r}')
        there = ', '.join(map(repr, self))
        raise KeyError(f'no server is called {key!r}; there is: {there}')
