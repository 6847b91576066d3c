"""The functions of Python that the extension calls: one `Callbacks` object per server.

The extension finds them by their names, so one that is changed here is changed in the crate
slimhttp-python too. It calls them on the threads that handlers run on: those in `turn()`, the
event loop's, those of WebSockets; several may be here at the same moment. What a module, a
script or a hook raises goes back to the extension, which calls `failed`. Programs do not see
any of it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol

from slimHTTP import _log
from slimHTTP._applications._hosting import Hosting
from slimHTTP._debug import _failure
from slimHTTP._errors import ContentError
from slimHTTP._message._json import json_bytes
from slimHTTP._message._raw import Raw
from slimHTTP._message._response import FILE, HTTP_RESPONSE, STREAM_CHUNKED
from slimHTTP._modules import Modules
from slimHTTP._net._acme import AcmeFunctions
from slimHTTP._net._connections import Connections
from slimHTTP._net._websocket import SYNC_WEBSOCKET, WEBSOCKET
from slimHTTP._serve import _fork, _threads
from slimHTTP._slimhttp import CLIENT_SOCKET, HTTP_CLIENT_IDENTITY, HTTP_REQUEST, Script
from slimHTTP._types import ServerInstance


class _Instance(ServerInstance, Protocol):
    """The server that the extension asks by these callbacks."""

    @property
    def _connections(self) -> Connections:
        """Its connections that the program has to do with."""

    @property
    def _acme(self) -> AcmeFunctions:
        """What its program has a say in where certificates are obtained."""

    @property
    def _hosting(self) -> Hosting:
        """Its applications."""


#: How many handlers are warned of at most.
_MAX_WARNED: Final = 1024


class Callbacks:
    """Runs modules, tells failures, keeps the event loop, for one server."""

    #: Answers whose `path` is sent as a file.
    file_types: Final[tuple[type, ...]] = (FILE, STREAM_CHUNKED)
    #: Answers whose `ret_code`, `headers` and `payload` are sent.
    response_type: Final[type] = HTTP_RESPONSE
    #: Answers that are sent as they stand, head and body.
    raw_type: Final[type] = Raw
    json_bytes = staticmethod(json_bytes)
    #: What handlers of WebSockets get, on the event loop and on threads.
    websocket_type: Final[type] = WEBSOCKET
    websocket_sync_type: Final[type] = SYNC_WEBSOCKET

    def __init__(self) -> None:
        # Weak: the server holds the extension's server, and that holds these callbacks.
        self._instance: weakref.ref[_Instance] | None = None
        self._modules = Modules()
        self._warned_of: set[str] = set()

    @property
    def instance(self) -> _Instance | None:
        """The server, as programs know it."""
        return None if self._instance is None else self._instance()

    def bind(self, instance: _Instance) -> None:
        """Say which server these callbacks are of; called before it answers anything."""
        self._instance = weakref.ref(instance)

    def sync_applications(self, retry: list[str] | None) -> None:
        """See `Hosting.sync`."""
        http = self.instance
        if http is not None:
            http._hosting.sync(retry)

    def run_module(self, request: HTTP_REQUEST, path: str, reload: str) -> Any:
        """See `Modules.run_module`."""
        return self._modules.run_module(self.instance, request, path, reload)

    def run_script(self, request: HTTP_REQUEST, path: str, script: Script, reload: str) -> Any:
        """See `Modules.run_script`."""
        return self._modules.run_script(self.instance, request, path, script, reload)

    # What the extension asks about connections; see `_connections`.

    def accept(self, number: int, socket: CLIENT_SOCKET) -> bool:
        """Tell whether a connection is served."""
        http = self.instance
        return http is not None and http._connections.accept(http, number, socket)

    def identity(self, number: int, socket: CLIENT_SOCKET) -> Any:
        """Give the one identity of a connection."""
        http = self.instance
        if http is None:  # A handler may keep a request longer than its server lives.
            return HTTP_CLIENT_IDENTITY(socket)
        return http._connections.identity(http, number, socket)

    def upgrade(self, number: int, socket: CLIENT_SOCKET, request: HTTP_REQUEST) -> Any:
        """Ask the program whether it takes an upgrade."""
        http = self.instance
        return None if http is None else http._connections.upgrade(number, socket, request)

    def upgraded(self, number: int, socket: CLIENT_SOCKET, identity: Any) -> None:
        """Let an identity carry a connection on."""
        http = self.instance
        if http is not None:
            http._connections.upgraded(http, number, socket, identity)

    def data_received(self, number: int, finished: bool) -> None:
        """Let an identity take what its client has sent."""
        http = self.instance
        if http is not None:
            http._connections.data_received(number, finished)

    def connection_lost(self, number: int, socket: CLIENT_SOCKET) -> None:
        """Hear that a connection has ended."""
        http = self.instance
        if http is not None:
            http._connections.connection_lost(http, number, socket)

    # What it asks about certificates; see `_acme`.

    def set_record(self, action: str, name: str, value: str) -> Any:
        """Set a record of the DNS, or take it away."""
        return self._asked()._acme.set_record(action, name, value)

    def allows_name(self, name: str) -> Any:
        """Tell whether a name may have a certificate."""
        return self._asked()._acme.allows_name(name)

    def _asked(self) -> _Instance:
        http = self.instance
        if http is None:
            raise RuntimeError('the server is gone')
        return http

    def failed(
        self, error: BaseException, request: HTTP_REQUEST | None, what: str, debug: bool
    ) -> tuple[str, str, list[str]] | None:
        """Log that `what` (a module's path, a handler's name) failed on `request`.

        One record at ERROR with the traceback. With `debug`, gives the page that shows
        a browser the same, its policy, and the files that stand on it; else None. What
        is ended because the program ends has not failed: a WARNING names it. Nor has
        what is cancelled because the server is closed: nothing is logged. Content that
        cannot be read is the client's doing: one line at INFO.
        """
        _fork.exit_as_child(error)
        # Where nobody has imported it nothing is cancelled.
        asyncio = sys.modules.get('asyncio')
        # By its type, for it may answer by itself what its class is, and raise.
        kind = type(error)
        if asyncio and issubclass(kind, asyncio.CancelledError) and self._is_closed():
            return None
        if _threads.is_ending() and issubclass(kind, SystemExit):
            _log.logger.warning('%s still ran when the program ended, and was ended', what)
            return None
        if issubclass(kind, ContentError):
            # The client's doing, not the program's.
            _log.logger.info('%s', _failure.headline(error, request, what))
            return None
        exc_info = _failure.exc_info(error)
        _log.logger.error(
            '%s',
            # A hook that is about a connection has no request.
            f'{what} failed' if request is None else _failure.headline(error, request, what),
            exc_info=exc_info,
        )
        if not debug or exc_info is None:
            return None
        # Much is imported for a page, and few programs ever show one.
        from slimHTTP._debug import _resolution, _traceback_page

        instance = self.instance
        resolution = () if instance is None else _resolution.steps(instance._server, request, what)
        return _traceback_page.page(error, request, what, resolution)

    def looks_raw(self, what: str) -> None:
        """Warn, once for each handler, of a body that looks like a whole response."""
        if what in self._warned_of or len(self._warned_of) >= _MAX_WARNED:
            return
        self._warned_of.add(what)
        _log.logger.warning(
            '%s returned bytes that begin with `HTTP/1.`: they are sent as a body, for a client'
            ' may have written them; a whole response is `slimHTTP.Raw(…)`, or begins with'
            ' `request.build_headers()`',
            what,
        )

    def _is_closed(self) -> bool:
        instance = self.instance
        return instance is None or instance.closed

    def start_thread(self, work: Callable[[], None], name: str) -> None:
        """Start a thread that serves, for a WebSocket or to set a record of the DNS."""
        _threads.start(work, name=name)

    def log(self, level: int, message: str, application: str | None) -> None:
        """Hand a record of the extension to `logging`; `application` if it is its own text."""
        _log.log_record(level, message, application)

    def ensure_loop(self) -> None:
        """See to it that the event loop serves this server."""
        instance = self.instance
        if instance is not None:
            instance.join_loop()
