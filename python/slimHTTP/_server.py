"""`HTTP_SERVER`, the server as programs know it, and `server()`, which makes one.

An instance is thin: the extension's `Server` does the work, and each concern that is about
Python has a module of its own. What stands here is the names that a program calls, and the
order in which a server lives: bound by its constructor, started by the first of `run`, `poll`
and `with`, stopped, closed. Programs call them from any thread and from handlers; starting is
guarded by the instance's lock, which `stop` and `close` do not take, because a signal handler
calls them too. No module that this one imports imports it, see `_types`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CoroutineType
from typing import Any, Final, TypeVar, Union, overload

from slimHTTP import _callables, _log, _modules, _mounts, _routes
from slimHTTP._callbacks import Callbacks
from slimHTTP._errors import ConfError, slimHTTP_Error
from slimHTTP._hooks import Hooks
from slimHTTP._instances import Instances, check_port, keys_of
from slimHTTP._net._events import events_of
from slimHTTP._net._websocket import WebSockets
from slimHTTP._serve import _lifecycle, _loop, _run, _threads
from slimHTTP._serve._fork import LockOwner
from slimHTTP._slimhttp import Server, WebSocketRoute
from slimHTTP._state import _persist
from slimHTTP._state._config import ConfigTable
from slimHTTP._state._config_store import LiveStore, plain
from slimHTTP._state._memory import memory
from slimHTTP._types import F

#: A function that gives a configuration, or one: given back as it is.
C = TypeVar('C', bound=Union[Callable[..., Any], Mapping[str, Any]])

#: The modes of a server.
HTTP: Final = 1
HTTPS: Final = 2

#: Every open server by `'<addr>:<port>'` as configured: `':8080'` on every interface.
#: One that took a free port (`port=0`) is found by that port too.
instances: Final[Instances[HTTP_SERVER]] = Instances()
_instances_lock = threading.Lock()


def server(
    mode: int = HTTPS, addr: str = '', port: int | None = None, **config: Any
) -> HTTP_SERVER:
    """Bind a server and give it; clients may connect from now on.

    `mode` is `slimHTTP.HTTP` or `slimHTTP.HTTPS`. `addr` is a name or an
    address, `''` for every interface. `port` is 80 or 443 unless given; 0 takes
    a free one, and `port` of the server tells which. Any configuration key may
    be given as a keyword.

    Raises slimHTTP_Error where it cannot listen there, ConfError where the
    configuration is faulty, ValueError or TypeError for a mode, an address or a
    port that is none.
    """
    if mode == HTTP:
        return HTTP_SERVER(addr, port, **config)
    if mode == HTTPS:
        return HTTPS_SERVER(addr, port, **config)
    raise ValueError(f'mode: expected slimHTTP.HTTP or slimHTTP.HTTPS, found `{mode!r}`')


class HTTP_SERVER(Hooks, WebSockets, _mounts.Mounts, LockOwner):
    """A server: one listener, its site, and the Python that it asks.

    Made by `slimHTTP.server`. It serves while `run()` or a `with` block runs,
    or in turns by `poll()`.
    """

    _tls: bool = False
    _default_port: int = 80

    def __init__(self, addr: str = '', port: int | None = None, **config: Any) -> None:
        if not isinstance(addr, str):
            raise TypeError(
                "addr: expected a name or an address such as '127.0.0.1', '' for every"
                f' interface, found `{addr!r}`'
            )
        # With neither, `listen` says where it listens first, if it says anything.
        is_named = addr != '' or port is not None
        callbacks = Callbacks()
        callbacks.bind(self)
        opened = Server(
            tls=self._tls,
            address=addr if is_named else None,
            port=None if port is None else check_port(port),
            config=plain(config),
            base=_working_directory(),
            callbacks=callbacks,
        )
        self._register(opened, addr if is_named else None, port)

    @classmethod
    def _from_opened(cls, opened: Server, callbacks: Callbacks) -> HTTP_SERVER:
        """Give the instance of a server that the command line has opened."""
        kind = HTTPS_SERVER if opened.tls else cls
        instance = kind.__new__(kind)
        callbacks.bind(instance)
        addr = opened.get(('addr',)) if opened.kind(('addr',)) == 'value' else None
        instance._register(opened, addr, opened.port)
        return instance

    def _register(self, opened: Server, addr: str | None, port: int | None) -> None:
        try:
            _persist.open_configured(opened, memory.persist)
        except BaseException:
            opened.close()
            raise
        self._server = opened
        super().__init__()
        self._store = LiveStore(opened, self._hosting.deferring)
        self._config = ConfigTable(self._store)
        self._python_threads: list[threading.Thread] | None = None  # None until started.
        self._background: threading.Thread | None = None
        self._watching = False
        #: What the `with` block holds.
        self._with_block = contextlib.ExitStack()
        self._keys = keys_of(opened.endpoint, opened.port, addr, port)
        with _instances_lock:
            for key in self._keys:
                instances[key] = self

    def __repr__(self) -> str:
        state = 'closed' if self.closed else 'open'
        return f'<{type(self).__name__} {self._keys[-1]!r} {state}>'

    # What it is.

    @property
    def address(self) -> str:
        """The address that it listens on first; of a socket in the file system `unix:PATH`."""
        return self._server.address

    @property
    def port(self) -> int:
        """The port that it listens on first; with `port=0` the one that was free."""
        return self._server.port

    @property
    def urls(self) -> list[str]:
        """Where it listens now, with the ports that are bound.

        The listener of the start is first, others as `listen` has them:
        `['http://127.0.0.1:8080', 'unix:/run/site.sock']`.
        """
        return self._server.urls

    @property
    def closed(self) -> bool:
        """Whether it has been closed; it cannot be opened again."""
        return self._server.closed

    @property
    def config(self) -> ConfigTable:
        """The configuration in force; editing it changes the site. See `ConfigTable`."""
        return self._config

    @config.setter
    def config(self, value: object) -> None:
        # `http.config |= {...}` has edited it and puts back what it was given.
        if value is not self._config:
            raise AttributeError('replace the configuration by `http.configuration({...})`')

    @property
    def routes(self) -> dict[str | None, dict[str, _routes.ROUTE_HANDLER]]:
        """A copy of the routes: by virtual host (None for the global level), by path."""
        by_vhost: dict[str | None, dict[str, _routes.ROUTE_HANDLER]] = {None: {}}
        for vhost, path, _methods, _prefix, handler in self._server.routes():
            route = _routes.ROUTE_HANDLER(path)
            route.gateway(handler.handler if isinstance(handler, WebSocketRoute) else handler)
            by_vhost.setdefault(vhost, {})[path] = route
        return by_vhost

    # Configuring it.

    def default_config(self) -> dict[str, Any]:
        """Give the options of a server that is given none."""
        return {
            'web_root': '/srv/http',
            'index': 'index.html',
            'vhosts': {},
            'port': self._default_port,
        }

    def check_config(self, conf: Mapping[str, Any]) -> bool | ConfError:
        """Check `conf` without applying it.

        Gives True where it could be applied, else the ConfError (given, not
        raised) that tells every fault.
        """
        try:
            self._server.check(plain(conf))
        except ConfError as error:
            return error
        return True

    @overload
    def configuration(self, config: None = None) -> Callable[[C], C]: ...
    @overload
    def configuration(self, config: C) -> C: ...
    def configuration(self, config: Any = None) -> Any:
        """Replace the runtime options as a whole: `@http.configuration` on a function.

        The function is called once, at once, with `instance=` if it takes it,
        and the dict that it returns is applied; the function itself is given
        back. A dict (any mapping) in its place is applied as it is. `addr` and `port` are
        fixed at start.

        Raises ConfError, and changes nothing, where the configuration is faulty
        or no dict.
        """
        if config is None:
            return self.configuration
        given = _lifecycle.call_with_instance(config, self) if callable(config) else config
        if not isinstance(given, Mapping):
            source = f'`{_callables.name_of(config)}` returned' if callable(config) else 'found'
            if isinstance(given, CoroutineType):
                given.close()
            raise ConfError(f'expected a dict of options, {source} `{type(given).__name__}`')
        self._store.replace(given)
        return config

    def swap_root(self, vhost: str | None, path: str | os.PathLike[str]) -> None:
        """Make another folder the `web_root` of a virtual host, at once and for all.

        `vhost` is a key of `vhosts`; None or `''` is the global level. A
        relative `path` starts at the working directory. When this returns, every
        request that begins afterwards is answered from that folder; a request
        in flight finishes with the one before. With `pin_releases` the files of
        the one before are still found for a while.

        Raises ConfError, and changes nothing, where there is no such virtual
        host or no such folder.
        """
        self._store.swap_root(vhost or None, os.fsdecode(path))

    def certificates(self) -> list[dict[str, Any]]:
        """Give what is known of each certificate: a dict each, whose keys docs/https.md lists.

        Empty where TLS is not spoken. With `state` and `not_after` a program tells
        by itself what the log says of certificates that end.
        """
        return self._server.certificates()

    def route(
        self,
        url: str,
        vhost: str | None = None,
        *,
        methods: Iterable[str] | None = None,
        prefix: bool = False,
        stream: bool = False,
    ) -> Callable[[F], F]:
        """Register a handler for a path: `@http.route('/users/<name>')`.

        `vhost` is the virtual host that it answers for, None for the global
        level. `methods` are those that it answers, every one unless given; to
        others the server answers 405. `prefix=True` answers everything below
        the path too. `stream=True` calls the handler as soon as the head of a
        request is there, to read the body by `request.stream()` as it comes in.
        The handler is any callable that takes the request,
        `async` or not; the same path again replaces it, and a decorated
        function is given back unchanged, so that decorators stack. An application, as
        `slimHTTP.asgi(app)` or `slimHTTP.wsgi(app)`, answers all that the route does.

        In a module, a route for the module's own virtual host belongs to that
        run of the module and answers before `on_request`; its body is there.

        Raises TypeError or ValueError for arguments of which no route can be made.
        """
        named = _routes.check_route(url, vhost, methods)

        def register(handler: F) -> F:
            _routes.check_handler(handler)
            run = _modules.own_run(self, url, vhost)
            if run is not None:
                _mounts.check_no_application(handler)
                run.add_route(url, named, prefix, handler)
                return handler
            application = _mounts.application_of(handler)
            kind = application.interface if application else _routes.body_kind(stream)
            called: Callable[..., Any] = application.app if application else handler
            asynchronous = _callables.is_async(called)
            name, place = _callables.name_of(called), _callables.place_of(called)
            self._server.add_route(
                url, vhost, named, prefix, kind, handler, asynchronous, name, place
            )
            return handler

        return register

    # Serving.

    def run(self) -> None:
        """Serve until Ctrl-C, SIGTERM, `stop()` or `close()`.

        Requests in flight finish first, within the grace period; a second
        Ctrl-C does not wait and raises KeyboardInterrupt. Handlers run on the
        thread that calls this, one at a time, and on further ones with
        `python_threads=N`. Signals end it on the main thread only.

        A handler that still runs after the grace period does not hold it up: on
        the main thread KeyboardInterrupt is raised in it, if a signal ends this.

        Raises slimHTTP_Error where the server is closed already, and in a handler.
        """
        _run.run(
            self, self._server, self._lifecycle, self._prepare, lambda: self._start(greeting=True)
        )

    def poll(
        self, timeout: float | None = 0.001, fileno: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Do one turn of work and give the events since the last one.

        Waits at most `timeout` seconds (None: a minute) for work; the work is
        done when the call returns, whether the events are looked at or not.
        Each is a tuple that begins with a number of `Events`, such as
        `(SERVER_ACCEPT, client)` and `(CLIENT_RESPONSE_DATA, client, status)`;
        docs/embedding.md lists them. With the `fileno` of an upgraded connection
        it does no work, and gives `(CLIENT_DATA, identity)` where bytes wait there.

        Raises slimHTTP_Error where the server is closed already.
        """
        readable = None if fileno is None else self._connections.readable(fileno)
        if readable is not None:
            return iter(readable)
        if not self._watching:
            self._watching = self._connections.watched = True
            self._server.watch_events()
        self._start(greeting=True)
        going = _run.turn(self._server, 60.0 if timeout is None else timeout)
        events = self._server.take_events()
        if not going:
            self.close()
        return events_of(self, events, self._connections.take_recorded)

    def __enter__(self) -> HTTP_SERVER:
        """Serve on a thread of its own until the block ends."""
        self._start(greeting=False)
        self._background = _threads.start(
            _run.work, self, self._server, name=f'slimHTTP {self._keys[-1]}'
        )
        self._with_block.enter_context(self._lifecycle.deferring_finish())
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.stop()
            threads = [*(self._python_threads or ())]
            if self._background is not None:
                threads.append(self._background)
            # A handler that never returns does not hold up the program for ever.
            _threads.join(threads, self._server.grace_period + _run.MARGIN)
        finally:
            # Ctrl-C ends the wait, and the block with it.
            self._with_block.close()
            self.close()

    def stop(self) -> None:
        """Stop gracefully, as the first Ctrl-C does; returns at once.

        No new connections, the port is free; requests in flight finish within
        the grace period, then `run()` returns. From any thread, and twice.
        """
        self._lifecycle.begin_grace_period()
        self._server.stop()
        self._server.wake()

    def close(self) -> None:
        """Close at once, cutting what is in flight. From any thread, and twice.

        The functions of `on_stop` are called here, unless `run()` or a `with` block
        calls them, which are about to end then.
        """
        try:
            # Where a handler closes its server, whoever has taken the turn ends it.
            ends = not (
                self._lifecycle.finish_is_deferred
                or _loop.is_on_loop()
                or _threads.is_serving(self._server)
            )
            self._server.close()
            self._server.wake()
            if ends:
                self._lifecycle.finish(self)
                _loop.detach(self._server)
            self._connections.clear()
        finally:
            with _instances_lock:
                for key in self._keys:
                    if instances.get(key) is self:
                        del instances[key]

    def log(self, *args: object, level: int | str = _log.INFO, **fields: object) -> None:
        """Log `args`, joined by spaces, to the logger `slimHTTP`.

        `level` is a number or a name in any case. Further keywords stand behind the
        text, `name=value`, and are attributes of the record; `exc_info` and
        `stack_info` mean what they mean to `logging`. Raises LoggerError for a level
        that is none.
        """
        number = _log.level_number(level)
        from slimHTTP._log import _records  # See `_log`.

        _records.log(number, args, fields)

    def join_loop(self) -> None:
        """Let the event loop of `async def` handlers serve this server."""
        _loop.attach(self._server)

    def _prepare(self) -> None:
        """Let the program begin: `on_start`."""
        with self._lock:
            if self.closed:
                raise slimHTTP_Error(f'{self!r} cannot serve any more: it is closed')
            if not self._lifecycle.has_started:
                # First of all, for what is called then may have something to log.
                log = self._server.get(('log',)) if self._server.kind(('log',)) else None
                _log.configure(log)
                _loop.check(self._server.event_loop)
                self._lifecycle.start(self)

    def _start(self, *, greeting: bool) -> list[threading.Thread]:
        with self._lock:
            self._prepare()
            if self._python_threads is None:
                _loop.set_base_context(self._server)
                _run.become_user(self._server)
                self._server.start()
                self._python_threads = _run.start_python_threads(self, self._server)
                if greeting:
                    _run.print_greeting(self._server)
            threads = self._python_threads
        # Without the lock, for applications run code of their own when they are imported.
        self._hosting.begin()
        return threads


class HTTPS_SERVER(HTTP_SERVER):
    """A server that speaks TLS.

    Its certificate is `ssl={'cert': …, 'key': …}`, or `cert=` and `key=`, unless
    given `cert.pem` and `key.pem` of the working directory. Without one it makes
    a self-signed one and says so.
    """

    _tls = True
    _default_port = 443

    def default_config(self) -> dict[str, Any]:
        """Give the options of a server that is given none."""
        return {**super().default_config(), 'ssl': {'cert': 'cert.pem', 'key': 'key.pem'}}


def _working_directory() -> str:
    """Give the folder where relative paths begin, `/` where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


@atexit.register
def _close_servers() -> None:
    """Close what a program has left open, before the interpreter goes."""
    for instance in dict.fromkeys(instances.values()):
        if instance._python_threads is None:
            _log.logger.warning('%r never served: the program ended without `run()`', instance)
        instance.close()
        # A block that was never left does not let the loop go any more, which would be waited
        # for. A thread in `run()` does, once the functions of `on_stop` have run there.
        instance._with_block.close()
        if not instance._lifecycle.finish_is_deferred:
            _loop.detach(instance._server)
    _threads.end_all()
    _persist.close_all()


def _renew_instances_lock() -> None:
    global _instances_lock
    _instances_lock = threading.Lock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_renew_instances_lock)
