"""The type of `slimHTTP.instances`: a dict whose KeyError names the servers that are open.

And what it calls them by: addresses and ports. `_server` fills it, under a lock of its own;
programs read it from any thread.
"""

from __future__ import annotations

import operator
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


def keys_of(endpoint: str, bound: int, addr: str | None, port: int | None) -> list[str]:
    """Give the keys of a server: where it listens first, as configured and with the `bound` port.

    `addr` and `port` are what the program said; without both, `listen` says it (`endpoint`).
    """
    if addr is None and port is None:
        is_port = not endpoint.startswith(('unix:', 'fd:'))
        with_port = f'{endpoint.rpartition(":")[0]}:{bound}' if is_port else endpoint
        return list(dict.fromkeys((endpoint, with_port)))
    addr = addr or ''
    return list(dict.fromkeys((f'{addr}:{bound if port is None else port}', f'{addr}:{bound}')))


def check_port(port: object) -> int:
    """Give the port that a program has written, if it is one."""
    expected = f'port: expected a number from 0 to 65535, found `{port!r}`'
    if isinstance(port, bool):
        raise TypeError(expected)
    try:
        number = operator.index(port)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(expected) from None
    if not 0 <= number <= 65535:
        raise ValueError(expected)
    return number
