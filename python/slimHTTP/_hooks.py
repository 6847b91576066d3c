"""The decorators of `HTTP_SERVER` that are no routes: methods, lifecycle, connections.

`Hooks` is the part of `HTTP_SERVER` that has to do with them; nothing else derives from it. Those
about certificates stand in `_net._acme`. A
program calls these names on any thread, before the server starts or while it serves. They
check their arguments, keep the function, and tell the extension by `Server.hooks` what it is
to ask for; who calls the functions later is `_lifecycle` and, by `_callbacks`, `_connections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Union, cast, overload

from slimHTTP import _callables
from slimHTTP._applications._hosting import Hosting
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._net._acme import Acme
from slimHTTP._net._connections import AcceptHook, CloseHook, Connections, UpgradeHook
from slimHTTP._serve import _threads
from slimHTTP._serve._lifecycle import Lifecycle
from slimHTTP._slimhttp import CLIENT_SOCKET, HTTP_REQUEST, Server
from slimHTTP._types import F

if TYPE_CHECKING:
    import ipaddress
    import socket as _socket

    _Client = Union[
        str,
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    ]

#: A method as a program writes it: `'PUT'` or `b'PUT'`.
MethodName = Union[str, bytes]


def _files(request: HTTP_REQUEST) -> None:
    """Leave the answer to the files of `web_root`: the built-in answer to GET."""


class Methods(MutableMapping[MethodName, Callable[..., Any]]):
    """Who answers a method where no route, module or proxy does: `http.methods`.

    Keys are methods, `b'PUT'` or `'PUT'`; values are handlers. Setting and
    deleting change the server at once. `b'GET'` is always there: unless it is
    replaced it answers with files, and so it is again once it is deleted.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._handlers: dict[str, Callable[..., Any]] = {}

    def __getitem__(self, method: MethodName) -> Callable[..., Any]:
        name = _method_name(method)
        handler = self._handlers.get(name)
        if handler is None:
            if name != 'GET':
                raise KeyError(method)
            return _files
        return handler

    def __setitem__(self, method: MethodName, handler: Callable[..., Any]) -> None:
        name = _method_name(method)
        if handler is _files:
            self._handlers.pop(name, None)
            self._server.hooks.remove_method(name)
        else:
            _set_method_handler(self._server, name, handler)
            self._handlers[name] = handler

    def __delitem__(self, method: MethodName) -> None:
        name = _method_name(method)
        del self._handlers[name]
        self._server.hooks.remove_method(name)

    def __iter__(self) -> Iterator[MethodName]:
        return iter([name.encode() for name in dict.fromkeys(('GET', *self._handlers))])

    def __len__(self) -> int:
        return len(self._handlers.keys() | {'GET'})

    def __contains__(self, method: object) -> bool:
        return isinstance(method, (str, bytes)) and (
            _method_name(method) in self._handlers or _method_name(method) == 'GET'
        )

    def __repr__(self) -> str:
        return f'<methods {dict(self)!r}>'


class Hooks(Acme):
    """What a program may hook into; the part of `HTTP_SERVER` that has to do with it."""

    #: Set before the constructor is called.
    _server: Server

    def __init__(self) -> None:
        super().__init__()
        self._connections = Connections(self._server.hooks.record_event)
        self._hosting = Hosting(self._server)
        self._lifecycle = Lifecycle(self._hosting)
        self._methods = Methods(self._server)
        self._any_method: Callable[..., Any] | None = None

    # Who answers.

    def GET(self, function: F) -> F:
        """Let `function` answer GET where no route, module or proxy does: `@http.GET`.

        It is a handler as any: it is called with the request (HEAD too), for
        every virtual host, and may be `async`. None passes on to the files of
        `web_root`, which are the built-in answer.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> @http.GET
        ... def answer(request):
        ...     return 'hello' if request.url == '/hello' else None
        >>> http.methods[b'GET'] is answer
        True
        >>> http.close()
        """
        self.methods['GET'] = function
        return function

    @property
    def methods(self) -> MutableMapping[MethodName, Callable[..., Any]]:
        """Who answers a method where no route, module or proxy does; may be edited.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> http.methods[b'PUT'] = lambda request: f'{len(request.payload)} bytes'
        >>> sorted(http.methods)
        [b'GET', b'PUT']
        >>> http.close()
        """
        return self._methods

    @methods.setter
    def methods(self, handlers: Mapping[MethodName, Callable[..., Any]]) -> None:
        if handlers is self._methods:  # `http.methods |= {...}` puts back what it was given.
            return
        for method in list(self._methods._handlers):
            if method not in map(_method_name, handlers):
                del self._methods[method]
        self._methods.update(handlers)

    @overload
    def REQUESTED_METHOD(self, given: HTTP_REQUEST) -> Any: ...
    @overload
    def REQUESTED_METHOD(self, given: F) -> F: ...
    def REQUESTED_METHOD(self, given: Any) -> Any:
        """Answer a request by its method, or say who answers every other method.

        Called with a request, it gives what the handler of its method in
        `http.methods` gives, None where there is none. As a decorator
        (`@http.REQUESTED_METHOD`) it lets the function answer every method that
        nobody else does: no route, module or proxy, nor a function of
        `http.methods`. None passes on to files.
        """
        if isinstance(given, HTTP_REQUEST):
            handler = self._methods._handlers.get(given.method, self._any_method)
            return None if handler is None else handler(given)
        _set_method_handler(self._server, None, given)
        self._any_method = given
        return given

    # Who may connect.

    def allow(self, allow_list: Iterable[_Client] | None) -> Callable[[F], F]:
        """Let only clients from these addresses and networks connect.

        It holds at once and until it is called again; None lets everybody
        connect. Others are cut off as they connect, before TLS, and on
        connections that they have already, with their next request. As a
        decorator, `@http.allow(['10.0.0.0/8'])`, it registers the function as
        `on_accept` too. The option `allow` says the same in a configuration;
        whoever connects must be in both.

        Raises ConfError that names the entry which is neither.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> _ = http.allow(['127.0.0.1', '10.0.0.0/8', 'fd00::/8'])
        >>> http.allow(['10.0.0'])
        Traceback (most recent call last):
        slimHTTP.ConfError: allow[0]: expected an address or a network such as \
`10.0.0.0/8`, found `10.0.0`
        >>> http.close()
        """
        networks: list[str] | None = None
        if callable(allow_list):
            raise TypeError("`allow` needs its list: write `@http.allow(['10.0.0.0/8'])`")
        if isinstance(allow_list, str):
            networks = [allow_list]
        elif allow_list is not None:
            networks = [str(entry) for entry in allow_list]
        self._server.hooks.allow(networks)

        def register(function: F) -> F:
            return self.on_accept(function)

        return register

    # The beginning and the end.

    def on_start(self, function: F) -> F:
        """Call `function()` before the first request is answered: `@http.on_start`.

        Clients may connect by then and wait. It runs on the thread that serves, or,
        where it is `async`, on the event loop of the handlers; several in the order of
        their registration. It may take the instance as an argument. What it raises
        keeps the server from starting: `run()`, `poll()` and `with` raise
        slimHTTP_Error that names it, and the server is closed.

        Raises slimHTTP_Error once the server has started.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> @http.on_start
        ... def connect():
        ...     print('connected')
        >>> @http.on_stop
        ... async def disconnect():
        ...     print('disconnected')
        >>> with http:
        ...     print('serving')
        connected
        serving
        disconnected
        """
        _check_lifecycle_hook('on_start', function)
        self._lifecycle.on_start(function)
        return function

    def on_stop(self, function: F) -> F:
        """Call `function()` when the last request is answered: `@http.on_stop`.

        It runs where `on_start` runs; several in the opposite order. All of them have
        `grace_period` seconds, then a coroutine is cancelled. What one of them raises is
        logged, and the others are called. A server that never started calls none, nor
        does one whose program is interrupted by a second Ctrl-C.
        """
        _check_lifecycle_hook('on_stop', function)
        self._lifecycle.on_stop(function)
        return function

    # Connections.

    def on_accept(self, function: F) -> F:
        """Call `function(socket, ip, source_port)` for each connection: `@http.on_accept`.

        It says what becomes of the connection, and nothing of it is read before
        (within `header_timeout`). `socket` is a CLIENT_SOCKET, not Python's. What it returns is
        the identity of the connection, `request.CLIENT_IDENTITY` of all its
        requests; None or True: the built-in one. False, `socket.close()` and an
        exception refuse it.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> @http.on_accept
        ... def accept(socket, ip, source_port):
        ...     return ip != '192.0.2.1'
        >>> http.close()
        """
        _check_hook('on_accept', function)
        self.on_accept_func = cast(AcceptHook, function)
        return function

    def on_close(self, function: F) -> F:
        """Call `function(identity)` when a connection has ended: `@http.on_close`."""
        _check_hook('on_close', function)
        self.on_close_func = cast(CloseHook, function)
        return function

    def on_upgrade(self, function: F) -> F:
        """Call `function(request)` when a client asks for another protocol.

        It returns the identity that carries the connection on, or None: then the
        request is answered as any other. The identity answers the upgrade itself,
        by `upgrade(request)` or before it is returned: it sends `HTTP/1.1 101 …`
        through `request.CLIENT_IDENTITY.socket`. From then on, whenever bytes have
        come, its `poll()` and `build_request()` are called. Any other answer
        that a handler may return says no with it.
        """
        _check_hook('on_upgrade', function)
        self.on_upgrade_func = cast(UpgradeHook, function)
        return function

    @property
    def on_accept_func(self) -> AcceptHook | None:
        """What `on_accept` has registered; None takes it away."""
        return self._connections.on_accept

    @on_accept_func.setter
    def on_accept_func(self, function: AcceptHook | None) -> None:
        self._connections.on_accept = function
        self._register_interests()

    @property
    def on_close_func(self) -> CloseHook | None:
        """What `on_close` has registered; None takes it away."""
        return self._connections.on_close

    @on_close_func.setter
    def on_close_func(self, function: CloseHook | None) -> None:
        self._connections.on_close = function
        self._register_interests()

    @property
    def on_upgrade_func(self) -> UpgradeHook | None:
        """What `on_upgrade` has registered; None takes it away."""
        return self._connections.on_upgrade

    @on_upgrade_func.setter
    def on_upgrade_func(self, function: UpgradeHook | None) -> None:
        self._connections.on_upgrade = function
        self._register_interests()

    def _register_interests(self) -> None:
        known = self._connections
        accepts, closes = known.on_accept is not None, known.on_close is not None
        self._server.hooks.want(accepts or closes, accepts, known.on_upgrade is not None)

    @property
    def sockets(self) -> dict[int, Any]:
        """A copy of the identities of open connections, by the number of the descriptor.

        Those that hooks have to do with; without hooks connections are the
        server's alone, and this is empty.
        """
        return self._connections.by_fileno()

    def process_new_client(
        self, socket: _socket.socket | CLIENT_SOCKET, address: Any = None
    ) -> None:
        """Serve a connection that the program has accepted itself.

        `socket` is a connected socket of Python's, TCP and without TLS; it is the
        server's from now on. It is treated as if it had come by the listener:
        `allow`, TLS and hooks included. `address` is not needed.

        Raises slimHTTP_Error where the server is closed already, TypeError for
        what is no such socket, OSError where it is not connected.
        """
        # Here, for few programs have such sockets, and those have imported it.
        import socket as _socket
        import ssl

        if isinstance(socket, CLIENT_SOCKET):
            return  # It is being served.
        if not isinstance(socket, _socket.socket) or isinstance(socket, ssl.SSLSocket):
            raise TypeError(f'expected a connected TCP socket, found `{type(socket).__name__}`')
        if socket.family not in (_socket.AF_INET, _socket.AF_INET6):
            raise TypeError(f'expected a TCP socket, found one of {socket.family!r}')

        def send_descriptor(descriptor: int) -> None:
            with _socket.socket(fileno=descriptor) as channel:
                _socket.send_fds(channel, [b'.'], [socket.fileno()])

        self._start(greeting=True)
        self._server.hooks.serve_connection(send_descriptor)
        socket.close()

    def unregister(self, identity: Any) -> None:
        """End the connection of `identity`, after the answer in flight."""
        self._connections.end(identity)

    # Looking closely.

    def debug(self, url: str, on: bool = True) -> None:
        """Log every request of the path `url` in detail, at INFO; `on=False`: no more.

        Logged are its fields, who is asked in which order, and the answer's
        fields; not the content, nor cookies and credentials.
        """
        if not isinstance(url, str):
            raise TypeError(f'url: expected a path such as `/hello`, found `{url!r}`')
        if not url.startswith('/'):
            raise ValueError(f'url: expected a path that begins with `/`, found `{url}`')
        self._server.hooks.debug(url, on)

    def is_debuggable(self, url: str) -> bool:
        """Tell whether requests of the path `url` are logged in detail."""
        return self._server.hooks.is_debugged(url)

    def _start(self, *, greeting: bool) -> Any:
        raise NotImplementedError


def _set_method_handler(server: Server, method: str | None, handler: Callable[..., Any]) -> None:
    if not callable(handler):
        raise TypeError(
            f'the answer to {method or "a method"}: expected a function,'
            f' found `{type(handler).__name__}`'
        )
    asynchronous = _callables.is_async(handler)
    server.hooks.set_method(method, handler, asynchronous, _callables.name_of(handler))


def _method_name(method: MethodName) -> str:
    if isinstance(method, bytes):
        method = method.decode('latin-1')
    if not isinstance(method, str):
        raise TypeError(f'expected a method such as `GET`, found `{method!r}`')
    return method.upper()


def _check_lifecycle_hook(hook: str, function: Any) -> None:
    if not callable(function):
        raise TypeError(f'{hook}: expected a function, found `{type(function).__name__}`')
    if _threads.is_serving_thread():
        # Once for each request, as it would be in a module.
        raise slimHTTP_Error(
            f'{hook}: `{_callables.name_of(function)}` is registered while a request is answered:'
            ' do it once, where the program makes the server'
        )


def _check_hook(hook: str, function: Any) -> None:
    if not callable(function):
        raise TypeError(f'{hook}: expected a function, found `{type(function).__name__}`')
    if _callables.is_async(function):
        raise TypeError(
            f'{hook}: expected a plain function, found `{_callables.name_of(function)}`, which is'
            ' `async`: it could not be asked before the connection goes on'
        )
