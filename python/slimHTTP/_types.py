"""Types that several modules share, so that none imports another for its type alone.

A server is made of modules that are handed the server: its lifecycle, its connections, its
callbacks. They know it by the protocol `ServerInstance`, and `_server`, which defines
`HTTP_SERVER`, imports them. So imports run one way, those for type checkers included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from slimHTTP._slimhttp import Server

#: A function that a decorator registers and gives back unchanged.
F = TypeVar('F', bound=Callable[..., Any])


class ServerInstance(Protocol):
    """A server as programs hold it, `HTTP_SERVER`: what the modules beneath it use of it."""

    @property
    def _server(self) -> Server:
        """The extension's server, which does the work."""

    @property
    def closed(self) -> bool:
        """Whether it has been closed; it cannot be opened again."""

    def stop(self) -> None:
        """Stop gracefully; returns at once."""

    def close(self) -> None:
        """Close at once."""

    def join_loop(self) -> None:
        """Let the event loop of `async def` handlers serve this server."""
