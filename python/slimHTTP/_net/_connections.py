"""The connections that a program has to do with: their identities, and its hooks.

One object per server. The extension calls it, on threads that are in `turn()`,
with a number for each connection; which object stands for that connection is
known here and nowhere else. Without hooks it knows no connection at all.
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

#: How many happenings are kept for `poll()`; the oldest make room.
_KEPT: Final = 4096
#: How many bytes an identity may leave in its `buffer` before its connection ends.
_MOST_BUFFERED: Final = 16 * 1024 * 1024

AcceptHook = Callable[[CLIENT_SOCKET, str, int], Any]
CloseHook = Callable[[Any], Any]
UpgradeHook = Callable[[HTTP_REQUEST], Any]


class Connections:
    """The identities of one server's connections, and the functions about them."""

    def __init__(self, note: Callable[[int], None]) -> None:
        """`note` gives what is told under a number its place among other events."""
        self.on_accept: AcceptHook | None = None
        self.on_close: CloseHook | None = None
        self.on_upgrade: UpgradeHook | None = None
        #: Whether somebody takes what is told.
        self.watched = False
        self._known: dict[int, tuple[Any, CLIENT_SOCKET]] = {}
        self._note = note
        self._numbers = itertools.count()
        self._told: dict[int, tuple[Any, ...]] = {}

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
        return self._keep(http, number, identity, socket)

    def _keep(
        self, http: ServerInstance, number: int, identity: Any, socket: CLIENT_SOCKET
    ) -> bool:
        """Keep the identity of a connection until its end; gives whether that is yet to come."""
        self._known[number] = (identity, socket)
        if socket.over:  # Another thread has been told of it before there was anybody to tell.
            self.left(http, number, socket)
        return not socket.over

    def identity(self, http: ServerInstance, number: int, socket: CLIENT_SOCKET) -> Any:
        """Give the one identity of a connection, made when it is first asked for."""
        known = self._known.get(number)
        if known is None:
            fresh = HTTP_CLIENT_IDENTITY(http, socket)
            # Another thread may have been quicker; all shall have the same object.
            known = self._known.setdefault(number, (fresh, socket))
            if socket.over:  # Nobody else would let go of it.
                self._known.pop(number, None)
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
            self.tell(Events.CLIENT_UPGRADE_ISSUE, request.CLIENT_IDENTITY, str(issue))
            _log.logger.warning('on_upgrade: %s', issue)
            return HTTP_RESPONSE(ret_code=400, payload='Bad Request')
        except BaseException as error:
            self.tell(Events.CLIENT_UPGRADE_ISSUE, request.CLIENT_IDENTITY, repr(error))
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
        self._keep(http, number, identity, socket)

    def data(self, number: int, finished: bool) -> None:
        """Let an identity take what its client has sent; `finished`: it sends no more."""
        known = self._known.get(number)
        if known is None:
            return
        identity, socket = known
        waiting = socket.waiting
        while waiting:
            self._feed(identity, socket)
            before, waiting = waiting, socket.waiting
            if not finished or waiting >= before:
                break  # It is called again when there is more, or takes nothing.
        if finished or not getattr(identity, 'keep_alive', True):
            socket.close()

    def left(self, http: ServerInstance, number: int, socket: CLIENT_SOCKET) -> None:
        """Hear that a connection has ended, and tell the program."""
        known = self._known.pop(number, None)
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
        known = [(socket.fileno(), identity) for identity, socket in list(self._known.values())]
        return {fileno: identity for fileno, identity in known if fileno != -1}

    def readable(self, fileno: int) -> list[tuple[Any, ...]] | None:
        """Tell whether bytes wait at an upgraded connection: None where there is none."""
        for identity, socket in list(self._known.values()):
            if socket.upgraded and socket.fileno() == fileno:
                return [(Events.CLIENT_DATA, identity)] if socket.has_data() else []
        return None

    def end(self, identity: Any) -> None:
        """End the connection of `identity`."""
        for one, socket in list(self._known.values()):
            if one is identity:
                socket.close()
                return
        identity.close()

    def forget(self) -> None:
        """Let go of all identities: the server is closed."""
        self._known.clear()

    def tell(self, *event: Any) -> None:
        """Keep something that happened for `poll()`, if anybody polls."""
        if not self.watched:
            return
        number = next(self._numbers)
        self._told[number] = event
        # As many as the extension keeps; what it has dropped is dropped here.
        self._told.pop(number - _KEPT, None)
        self._note(number)

    def told(self, number: int) -> tuple[Any, ...] | None:
        """Give what happened under this number, once."""
        return self._told.pop(number, None)

    # How an identity is fed.

    def _feed(self, identity: Any, socket: CLIENT_SOCKET) -> None:
        for event, *data in _events(_polled(identity, socket)):
            self.tell(event, identity, *data)
            if event == Events.CLIENT_DATA:
                build = getattr(identity, 'build_request', None)
                for inner in _events(build() if callable(build) else None):
                    self.tell(*inner)
        buffer = getattr(identity, 'buffer', b'')
        if isinstance(buffer, (bytes, bytearray)) and len(buffer) > _MOST_BUFFERED:
            _log.logger.warning(
                '%r leaves %d bytes in its `buffer`: its connection is closed',
                identity,
                len(buffer),
            )
            socket.close()


def _polled(identity: Any, socket: CLIENT_SOCKET) -> Any:
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
    except (TypeError, ValueError):  # A callable that does not tell.
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
