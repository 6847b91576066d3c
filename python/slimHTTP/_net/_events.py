"""Events: their numbers, and the tuples that `poll()` yields with each.

The numbers are those of slimHTTP 1.0; programs compare with them, so they never change.
`poll()` calls `events_of` on its own thread, with what the extension and `_connections` have
recorded since the last call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from slimHTTP._types import ServerInstance


class Events:
    """The number of every event, and `convert` from a number back to its name."""

    SERVER_ACCEPT: Final = 0x80
    SERVER_CLOSE: Final = 0x81
    SERVER_RESTART: Final = 0x02

    CLIENT_DATA: Final = 0x40
    CLIENT_REQUEST: Final = 0x41
    CLIENT_RESPONSE_DATA: Final = 0x42
    CLIENT_UPGRADED: Final = 0x43
    CLIENT_UPGRADE_ISSUE: Final = 0x44
    CLIENT_URL_ROUTED: Final = 0x45
    CLIENT_DATA_FRAGMENTED: Final = 0x46
    CLIENT_RESPONSE_PROXY_DATA: Final = 0x47

    WS_CLIENT_DATA: Final = 0xC0
    WS_CLIENT_REQUEST: Final = 0xC1
    WS_CLIENT_COMPLETE_FRAME: Final = 0xC2
    WS_CLIENT_INCOMPLETE_FRAME: Final = 0xC3
    WS_CLIENT_ROUTED: Final = 0xC4
    WS_CLIENT_RESPONSE: Final = 0xC6

    PROXY_EMPTY_RESPONSE: Final = 0xE0

    NOT_YET_IMPLEMENTED: Final = 0x00
    INVALID_DATA: Final = 0x01

    #: The events that carry data for a client.
    DATA_EVENTS: Final = (
        CLIENT_RESPONSE_DATA,
        CLIENT_URL_ROUTED,
        CLIENT_RESPONSE_PROXY_DATA,
        WS_CLIENT_RESPONSE,
    )

    @staticmethod
    def convert(number: int) -> str | None:
        """Give the name of the event `number`, or None where there is none.

        >>> Events.convert(0x80)
        'SERVER_ACCEPT'
        """
        return _NAMES.get(number)


_NAMES: Final = {number: name for name, number in vars(Events).items() if isinstance(number, int)}


class EventClient:
    """The client that an event is about: `address`, `source_port`, `server`.

    `fileno` is always -1 and `socket` None: connections are not Python's.
    """

    __slots__ = ('address', 'server', 'source_port')

    fileno: Final = -1
    socket: Final = None

    def __init__(self, address: str, source_port: int, server: ServerInstance) -> None:
        self.address = address
        self.source_port = source_port
        self.server = server

    def __repr__(self) -> str:
        return f'<client {self.address} port {self.source_port}>'


def events_of(
    server: ServerInstance,
    seen: list[tuple[Any, ...]],
    take_recorded: Callable[[int], tuple[Any, ...] | None],
) -> Iterator[tuple[Any, ...]]:
    """Turn what the extension saw into what `poll()` yields.

    `take_recorded` gives the event that `_connections` has recorded under a number.

    An accepted connection is `(SERVER_ACCEPT, client)`, an ended one
    `(SERVER_CLOSE, client)`, one on which came no HTTP `(INVALID_DATA, client)`. A
    request that was answered is `(CLIENT_REQUEST, client, method, url, vhost)`,
    followed by what came of it, see `_answered`.
    """
    for what, *facts in seen:
        if what == 'custom':
            recorded = take_recorded(*facts)
            if recorded is not None:
                yield recorded
            continue
        address, port, *rest = facts
        client = EventClient(address, port, server)
        if what == 'answered':
            method, url, vhost, by, status = rest
            yield Events.CLIENT_REQUEST, client, method, url, vhost
            yield from _answered(client, url, vhost, by, status)
        else:
            yield _ON_CONNECTIONS[what], client


_ON_CONNECTIONS: Final = {
    'accepted': Events.SERVER_ACCEPT,
    'closed': Events.SERVER_CLOSE,
    'malformed': Events.INVALID_DATA,
}


def _answered(
    client: EventClient, url: str, vhost: str | None, by: str, status: int
) -> Iterator[tuple[Any, ...]]:
    if by == 'route':
        yield Events.CLIENT_URL_ROUTED, client, url, vhost
    if status == 101:
        yield Events.CLIENT_UPGRADED, client
    elif by != 'proxy':
        yield Events.CLIENT_RESPONSE_DATA, client, status
    elif status in (502, 504):
        yield Events.PROXY_EMPTY_RESPONSE, client, status
    else:
        yield Events.CLIENT_RESPONSE_PROXY_DATA, client, status
