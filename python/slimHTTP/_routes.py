"""The arguments of `route()` and `websocket()`, checked before the extension gets them.

Called where a program registers a handler, on whatever thread. What cannot be is a TypeError or
a ValueError; what can be and is probably meant otherwise is a warning in the log, once for each
line of the program. Host names are compared here too, for routes that a module registers.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, Final, Literal

from slimHTTP import _log
from slimHTTP._types import F

#: The methods of RFC 9110, RFC 5789 and WebDAV, and others that are in use. Any
#: token is a method; what resembles one of these and is none is probably a slip.
_METHODS: Final = (
    'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'COPY', 'LOCK',
    'MKCOL', 'MOVE', 'PROPFIND', 'PROPPATCH', 'REPORT', 'SEARCH', 'UNLOCK', 'PURGE', 'QUERY',
)  # fmt: skip

#: The flag of a function's code: it takes `*args`.
_VARARGS: Final = 0x04

#: A variable as other frameworks write it: `{name}`, `{name:path}`. Compiled when it is
#: needed, for few programs have a brace in a route.
_BRACES: Final = r'\{(\w+)(?::(\w+))?\}'


class ROUTE_HANDLER:
    """A route and who answers it, as `http.routes` shows them.

    `route` is its path; `parser` the function that answers, None until
    `gateway` has been given one.
    """

    def __init__(self, route: str) -> None:
        self.route = route
        self.parser: Callable[..., Any] | None = None

    def gateway(self, function: F) -> F:
        """Make `function` the one that answers, and give it back."""
        self.parser = function
        return function

    def __repr__(self) -> str:
        return f'<route {self.route} {self.parser!r}>'


def check_route(url: object, vhost: object, methods: object) -> list[str] | None:
    """Give the methods in upper case, or None for every one.

    Raises TypeError or ValueError, naming what was expected and what was found,
    where a route cannot be made of the arguments.
    """
    if callable(url):
        raise TypeError("a route needs its path: write `@http.route('/path')`")
    if not isinstance(url, str):
        raise TypeError(f'url: expected a path such as `/hello`, found `{url!r}`')
    if not url.startswith('/'):
        raise ValueError(f'url: expected a path that begins with `/`, found `{url}`')
    if '{' in url:
        _warn_of_braces(url)
    if vhost is not None and not isinstance(vhost, str):
        raise TypeError(f'vhost: expected a host name or None, found `{vhost!r}`')
    if methods is None:
        return None
    if isinstance(methods, (str, bytes)) or not isinstance(methods, Iterable):
        raise TypeError(f"methods: expected a list such as `['GET']`, found `{methods!r}`")
    listed = list(methods)
    if not listed:
        raise ValueError('methods: expected at least one, found an empty list')
    for method in listed:
        if not isinstance(method, str):
            raise TypeError(f'methods: expected names such as `GET`, found `{method!r}`')
    named = [method.upper() for method in listed]
    for method in named:
        if method not in _METHODS:
            _warn_of_unknown_method(method)
    return named


def _warn_of_braces(url: str) -> None:
    """Warn of a variable in braces, which here are letters like any other."""

    def spelled(found: re.Match[str]) -> str:
        name, converter = found.groups()
        return f'<{converter}:{name}>' if converter in ('int', 'path') else f'<{name}>'

    meant = re.sub(_BRACES, spelled, url)
    if meant != url:
        _log.warn_once(f'the route `{url}` has no variables, `{{` is a letter; write `{meant}`')


def _warn_of_unknown_method(method: str) -> None:
    """Warn of a method that nobody knows and that looks like one everybody knows."""
    import difflib  # Here, for it is seldom that one is unknown.

    near = difflib.get_close_matches(method, _METHODS, n=1, cutoff=0.66)
    if near:
        _log.warn_once(f'methods: `{method}` is no method that HTTP knows; is `{near[0]}` meant?')


def body_kind(stream: bool) -> Literal['whole', 'streamed']:
    """Give the kind of a route that asks for its requests so."""
    return 'streamed' if stream else 'whole'


def check_handler(handler: object) -> None:
    """Raise TypeError where `handler` cannot be called at all."""
    if not callable(handler):
        raise TypeError(f"a route's handler: expected a function, found `{type(handler).__name__}`")
    if isinstance(handler, FunctionType):
        _warn_of_parameters(handler)


def _warn_of_parameters(handler: FunctionType) -> None:
    """Warn of a function that cannot be called with one argument."""
    code = handler.__code__
    required = code.co_argcount - len(handler.__defaults__ or ())
    takes_one = code.co_argcount or code.co_flags & _VARARGS
    if not takes_one:
        meant = 'and this one takes none'
    elif required > 1 or code.co_kwonlyargcount > len(handler.__kwdefaults__ or ()):
        meant = 'and this one needs more; what the path holds is in `params` of that argument'
    else:
        return
    _log.warn_once(f'`{handler.__name__}`: a handler is given one argument, {meant}')


@functools.lru_cache(maxsize=1024)
def host_and_port(name: str) -> tuple[str, str]:
    """Give a vhost's name in normal form and its port, '' without one.

    Lower case, no trailing dot, IDN as A-labels, IPv6 without brackets: what
    makes two spellings of one host equal (RFC 9110 section 4.2.3).
    """
    if name.startswith('['):
        host, _, port = name[1:].partition(']')
        port = port[1:]
    elif name.count(':') == 1:
        host, _, port = name.partition(':')
    else:
        host, port = name, ''
    host = host.rstrip('.').lower()
    if not host.isascii():
        # No host name at all is equal to itself only.
        with contextlib.suppress(UnicodeError):
            host = host.encode('idna').decode('ascii')
    return host, port


def same_host(one: str | None, other: str | None) -> bool:
    """Tell whether two vhosts are one; a port matters where both name it."""
    if one is None or other is None:
        return one is other
    if one == other:
        return True
    (host, port), (other_host, other_port) = host_and_port(one), host_and_port(other)
    return host == other_host and (port == other_port or not port or not other_port)
