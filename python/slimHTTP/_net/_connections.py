"""The connections that hooks have to do with: `on_accept`, `on_close`, `on_upgrade`.

One `Connections` per server. The extension calls it through `_callbacks`, on threads that are
in `turn()`, with a number for each connection; which identity belongs to that connection is
kept here and nowhere else. Without hooks no connection is kept at all. Several threads may be
here at once, even for one connection: each use of a dict is one operation, and whoever comes
second takes what the first has put there, so no lock is held while a hook of the program runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from types import CoroutineType
from typing import Any, Final

from slimHTTP import _log
from slimHTTP._errors import UpgradeIssue
from slimHTTP._message._response import HTTP_RESPONSE
from slimHTTP._net._events import Events
from slimHTTP._slimhttp import CLIENT_SOCKET, HTTP_CLIENT_IDENTITY, HTTP_REQUEST
from slimHTTP._types import ServerInstance

#: How many events are kept for `poll()`; the oldest make room.
_MAX_RECORDED: Final = 4096
#: How many bytes an identity may leave in its `buffer` before its connection ends.
_MAX_BUFFERED: Final = 16 * 1024 * 1024

AcceptHook = Callable[[CLIENT_SOCKET, str, int], Any]
CloseHook = Callable[[Any], Any]
UpgradeHook = Callable[[HTTP_REQUEST], Any]


class Connections:
    """The identities of one server's connections, and the functions about them."""

    def __init__(self, on_recorded: Callable[[int], None]) -> None:
        """`on_recorded` gives what is recorded under a number its place among other events."""
        self.on_accept: AcceptHook | None = None
        self.on_close: CloseHook | None = None
        self.on_upgrade: UpgradeHook | None = None
        #: Whether events are recorded: a program has called `poll()`.
        self.watched = False
        self._by_number: dict[int, tuple[Any, CLIENT_SOCKET]] = {}
        self._on_recorded = on_recorded
        self._numbers = itertools.count()
        self._recorded: dict[int, tuple[Any, ...]] = {}

    # What the extension asks.

    def accept(self, http: ServerInstance, number: int, socket: CLIENT_SOCKET) -> bool:
        """Tell whether a connection is served: what `on_accept` says."""
        identity, accept = None, self.on_accept
        if accept is not None:
            identity = accept(socket, *socket.getpeername())
            _refuse_coroutine('on_accept', identity)
        if identity is False:
            return False
        if identity is None or identity is True:
            identity = HTTP_CLIENT_IDENTITY(http, socket)
        return self._register(http, number, identity, socket)

    def _register(
        self, http: ServerInstance, number: int, identity: Any, socket: CLIENT_SOCKET
    ) -> bool:
        """Keep the identity of a connection until its end; gives whether that is yet to come."""
        self._by_number[number] = (identity, socket)
        if socket.over:  # It has ended meanwhile, and another thread found nothing to end.
            self.connection_lost(http, number, socket)
        return not socket.over

    def identity(self, http: ServerInstance, number: int, socket: CLIENT_SOCKET) -> Any:
        """Give the one identity of a connection, made when it is first asked for."""
        known = self._by_number.get(number)
        if known is None:
            fresh = HTTP_CLIENT_IDENTITY(http, socket)
            # Another thread may have been quicker; all shall have the same object.
            known = self._by_number.setdefault(number, (fresh, socket))
            if socket.over:  # Nobody else would let go of it.
                self._by_number.pop(number, None)
        return known[0]

    def upgrade(self, number: int, socket: CLIENT_SOCKET, request: HTTP_REQUEST) -> Any:
        """Ask `on_upgrade`; give its identity, None, or an answer.

        Raises UpgradeIssue where an identity does not answer the upgrade.
        """
        upgrade = self.on_upgrade
        if upgrade is None:
            return None
        try:
            identity = upgrade(request)
            _refuse_coroutine('on_upgrade', identity)
            answer = getattr(identity, 'upgrade', None)
            if not socket.answered and callable(answer):
                answer(request)
                if not socket.answered:
                    raise UpgradeIssue(
                        f'{identity!r} has not answered the upgrade: its `upgrade(request)` sends'
                        ' `HTTP/1.1 101` through `request.CLIENT_IDENTITY.socket`'
                    )
        except UpgradeIssue as issue:
            self.record(Events.CLIENT_UPGRADE_ISSUE, request.CLIENT_IDENTITY, str(issue))
            _log.logger.warning('on_upgrade: %s', issue)
            return HTTP_RESPONSE(ret_code=400, payload='Bad Request')
        except BaseException as error:
            self.record(Events.CLIENT_UPGRADE_ISSUE, request.CLIENT_IDENTITY, repr(error))
            raise
        return identity

    def upgraded(
        self, http: ServerInstance, number: int, socket: CLIENT_SOCKET, identity: Any
    ) -> None:
        """Let `identity` carry a connection on from now on.

        Raises UpgradeIssue where it is None.
        """
        if identity is None:
            raise UpgradeIssue('on_upgrade has answered 101, and returned nobody to go on')
        self._register(http, number, identity, socket)

    def data_received(self, number: int, finished: bool) -> None:
        """Let an identity take what its client has sent; `finished`: it sends no more."""
        known = self._by_number.get(number)
        if known is None:
            return
        identity, socket = known
        waiting = socket.waiting
        while waiting:
            self._deliver(identity, socket)
            before, waiting = waiting, socket.waiting
            if not finished or waiting >= before:
                break  # It is called again when there is more, or takes nothing.
        if finished or not getattr(identity, 'keep_alive', True):
            socket.close()

    def connection_lost(self, http: ServerInstance, number: int, socket: CLIENT_SOCKET) -> None:
        """Forget a connection that has ended, and call `on_close`."""
        known = self._by_number.pop(number, None)
        if known is not None:
            identity = known[0]
        elif self.on_accept is not None or self.on_close is None:
            return  # Turned away, or nobody's business.
        else:
            identity = HTTP_CLIENT_IDENTITY(http, socket)
        if isinstance(identity, HTTP_CLIENT_IDENTITY):
            identity.closing = True
            identity.keep_alive = False
        on_close = self.on_close
        try:
            if on_close is not None:
                _refuse_coroutine('on_close', on_close(identity))
        finally:
            own: Any = getattr(identity, 'on_close', None)
            if getattr(own, '__self__', None) is identity:
                own()
            elif callable(own):
                own(identity)

    # What programs ask.

    def by_fileno(self) -> dict[int, Any]:
        """Give the identities of the open connections by the numbers of their descriptors."""
        known = [(socket.fileno(), identity) for identity, socket in list(self._by_number.values())]
        return {fileno: identity for fileno, identity in known if fileno != -1}

    def readable(self, fileno: int) -> list[tuple[Any, ...]] | None:
        """Tell whether bytes wait at an upgraded connection: None where there is none."""
        for identity, socket in list(self._by_number.values()):
            if socket.upgraded and socket.fileno() == fileno:
                return [(Events.CLIENT_DATA, identity)] if socket.has_data() else []
        return None

    def end(self, identity: Any) -> None:
        """End the connection of `identity`."""
        for one, socket in list(self._by_number.values()):
            if one is identity:
                socket.close()
                return
        identity.close()

    def clear(self) -> None:
        """Let go of all identities: the server is closed."""
        self._by_number.clear()

    def record(self, *event: Any) -> None:
        """Keep an event for `poll()`, if anybody polls."""
        if not self.watched:
            return
        number = next(self._numbers)
        self._recorded[number] = event
        # As many as the extension keeps; what it has dropped is dropped here.
        self._recorded.pop(number - _MAX_RECORDED, None)
        self._on_recorded(number)

    def take_recorded(self, number: int) -> tuple[Any, ...] | None:
        """Give the event of this number, once."""
        return self._recorded.pop(number, None)

    # What clients of upgraded connections have sent.

    def _deliver(self, identity: Any, socket: CLIENT_SOCKET) -> None:
        for event, *data in _events(_poll_identity(identity, socket)):
            self.record(event, identity, *data)
            if event == Events.CLIENT_DATA:
                build = getattr(identity, 'build_request', None)
                for inner in _events(build() if callable(build) else None):
                    self.record(*inner)
        buffer = getattr(identity, 'buffer', b'')
        if isinstance(buffer, (bytes, bytearray)) and len(buffer) > _MAX_BUFFERED:
            _log.logger.warning(
                '%r leaves %d bytes in its `buffer`: its connection is closed',
                identity,
                len(buffer),
            )
            socket.close()


def _poll_identity(identity: Any, socket: CLIENT_SOCKET) -> Any:
    """Let an identity read: by its `poll`, or into its `buffer` where it has none."""
    poll = getattr(identity, 'poll', None)
    if callable(poll):
        return poll(timeout=0) if _takes_timeout(poll) else poll()
    try:
        received = socket.recv(8192)
    except BlockingIOError:
        return None
    identity.buffer = getattr(identity, 'buffer', b'') + received
    return [(Events.CLIENT_DATA, len(identity.buffer))]


def _takes_timeout(poll: Callable[..., Any]) -> bool:
    import inspect  # Here, for only upgraded connections come to this.

    try:
        return 'timeout' in inspect.signature(poll).parameters
    except (TypeError, ValueError):  # A callable that does not say.
        return False


def _events(given: Any) -> Iterator[tuple[Any, ...]]:
    """Read what an identity's `poll` and `build_request` give: events, or nothing."""
    if not isinstance(given, Iterable):
        return
    for event in given:
        yield tuple(event) if isinstance(event, (tuple, list)) else (event,)


def _refuse_coroutine(hook: str, given: Any) -> None:
    if isinstance(given, CoroutineType):
        given.close()
        raise TypeError(f'{hook}: expected a plain function, found one that is `async`')
