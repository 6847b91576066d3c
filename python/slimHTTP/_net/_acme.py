"""What a program has a say in where the server obtains certificates by itself (ACME).

Who sets the records of dns-01, and which names may have a certificate that are no virtual host.
A program registers its functions on any thread, at any time. The extension asks them through
`_callbacks`: for records on a thread of its own, for names on a thread that is in `turn()`, several
at once; what they return to be awaited it awaits on the event loop. What they raise goes back to
the extension, which logs it, and is the answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, Union

from slimHTTP._slimhttp import Server
from slimHTTP._types import F


class DnsProvider(Protocol):
    """Sets records in the DNS."""

    def present(self, name: str, value: str, /) -> Any:
        """Add a TXT record of this text to those of `name`."""

    def cleanup(self, name: str, value: str, /) -> Any:
        """Take it away again."""


if TYPE_CHECKING:
    _Provider = Union[DnsProvider, type[DnsProvider], Callable[[str, str, str], Any]]

#: What sets records: given back as it is.
P = TypeVar('P', bound='_Provider')


class Records(NamedTuple):
    """The two functions that set records and take them away."""

    present: Callable[[str, str], Any]
    cleanup: Callable[[str, str], Any]


class AcmeFunctions:
    """What the program of one server has registered, and how the extension asks it."""

    def __init__(self) -> None:
        self.records: Records | None = None
        self.allows: Callable[[str], Any] | None = None

    def set_record(self, action: str, name: str, value: str) -> Any:
        """Have the program set a record (`present`) or take it away (`cleanup`)."""
        assert self.records is not None  # The extension asks once there is something to ask.
        return getattr(self.records, action)(name, value)

    def allows_name(self, name: str) -> Any:
        """Have the program decide whether a name may have a certificate."""
        assert self.allows is not None  # As above.
        return self.allows(name)


class Acme:
    """The part of a server, and of nothing else, that has to do with such certificates."""

    #: Set before the constructor is called.
    _server: Server

    def __init__(self) -> None:
        super().__init__()
        self._acme = AcmeFunctions()

    def acme_dns(self, provider: P) -> P:
        """Let `provider` set the TXT records by which dns-01 proves a name: `@http.acme_dns`.

        It is a class, of which one object is made at once and without arguments, or an object,
        with `present(name, value)` and `cleanup(name, value)`; or one function
        `f(action, name, value)`, whose `action` is `'present'` or `'cleanup'`. Each is a plain
        function, called on a thread of its own, or `async`, and may be called several times at
        once. `name` begins with `_acme-challenge.` and has no dot at its end; it may have several
        values at the same time. To add what is there, and to take away what is not there, is no
        fault.

        An exception is the failure: its text is in the status of the certificate, its traceback
        in the log. What is not done within `timeout` of `acme.dns` has failed; a coroutine is
        cancelled then. A program or a server that `acme.dns` names is asked instead.

        Raises TypeError for what is none of these.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> @http.acme_dns
        ... class Records:
        ...     async def present(self, name, value):
        ...         print('add', name, value)
        ...     async def cleanup(self, name, value):
        ...         print('take away', name, value)
        >>> http.close()
        """
        self._acme.records = records_of(provider)
        self._server.hooks.set_acme_dns()
        return provider

    def acme_allow(self, function: F) -> F:
        """Let `function(name)` say whether a name may have a certificate: `@http.acme_allow`.

        It is asked where a client asks for a name that is no virtual host, if `acme.on_demand` is
        there and does not allow the name itself. Whatever is true is a yes; an exception is a no,
        and is logged. The function runs where handlers run and may be `async`; the client waits
        for it, no longer than `timeout` of `acme.on_demand` for all that it waits for. A no holds
        for `negative_ttl`.

        Raises TypeError for what is no function.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> customers = {'shop.example.com'}
        >>> @http.acme_allow
        ... def is_customer(name):
        ...     return name in customers
        >>> http.close()
        """
        if not callable(function):
            raise TypeError(f'acme_allow: expected a function, found `{type(function).__name__}`')
        self._acme.allows = function
        self._server.hooks.set_acme_allow()
        return function


def records_of(provider: Any) -> Records:
    """Give the functions of what `acme_dns` is given; TypeError where it has none."""
    present, cleanup = getattr(provider, 'present', None), getattr(provider, 'cleanup', None)
    if callable(present) and callable(cleanup):
        if isinstance(provider, type):
            provider = provider()
        return Records(provider.present, provider.cleanup)
    if callable(provider) and not isinstance(provider, type) and present is cleanup is None:
        return Records(
            functools.partial(provider, 'present'), functools.partial(provider, 'cleanup')
        )
    name = getattr(provider, '__name__', None) or type(provider).__name__
    raise TypeError(
        'acme_dns: expected a class or an object with `present(name, value)` and'
        f' `cleanup(name, value)`, or a function of `(action, name, value)`, found `{name}`'
    )
