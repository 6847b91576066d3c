"""`http.mount` and `http.group`: what answers below a path.

`Mounts` is the part of `HTTP_SERVER` that has them; nothing else derives from it. A mount is
part of the configuration, and edited there (`http.config['mounts']`); a group is no more than a
prefix of the routes that are registered by it. Programs call both on any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from slimHTTP import _routes
from slimHTTP._applications._wrappers import Wrapper
from slimHTTP._errors import ConfError
from slimHTTP._state._config_store import LiveStore, Path, plain
from slimHTTP._types import F


class Mounts:
    """What may be put below a path; the part of `HTTP_SERVER` that has to do with it."""

    #: Set by the constructor of the server.
    _store: LiveStore

    def mount(self, prefix: str, app: Any = None, vhost: str | None = None, **options: Any) -> None:
        """Let an application, or whatever options say, answer a path and all below it.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> def app(environ, start_response): ...
        >>> http.mount('/shop', app)
        >>> http.mount('/static', web_root='.')
        >>> sorted(http.config['mounts'])
        ['/shop', '/static']
        >>> http.close()

        `app` is an ASGI or WSGI application, the text that names one
        (`'shop.wsgi:application'`), or a dict of options; keywords are options too, of
        any that a virtual host takes. What is left out is taken from the level above: the
        virtual host, None for the global level. A mount of the same prefix is replaced.

        It edits the configuration as `http.config` does: a later `http.configuration`
        replaces it with all the rest, and `del http.config['mounts'][prefix]` takes it
        away. A virtual host that has mounts of its own inherits none.

        Raises ConfError, and changes nothing, where that cannot be.
        """
        if not isinstance(prefix, str):
            raise TypeError(f'prefix: expected a path such as `/shop`, found `{prefix!r}`')
        scope = _scope_of(app, options)
        with self._store.exclusive():
            table = (*_level(self._store, vhost), 'mounts')
            known = self._store.keys(table) if self._store.kind(table) == 'table' else []
            # `/shop/` is `/shop`.
            written = [key for key in known if key.rstrip('/') == prefix.rstrip('/')]
            key = written[0] if written else prefix
            self._store.edit([('table', table), ('set', (*table, key), plain(scope))])

    def group(self, prefix: str, vhost: str | None = None) -> ROUTE_GROUP:
        """Give a group of routes, whose paths all begin with `prefix`.

        >>> import slimHTTP
        >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
        >>> api = http.group('/api')
        >>> @api.route('/users/<name>')
        ... def user(request):
        ...     return request.params
        >>> list(http.routes[None])
        ['/api/users/<name>']
        >>> http.close()
        """
        return ROUTE_GROUP(self, prefix, vhost)


class ROUTE_GROUP:
    """Routes that share the beginning of their paths and a virtual host: `http.group('/api')`.

    It keeps nothing: what is registered by it is a route of the server as any other.
    """

    def __init__(self, http: Any, prefix: str, vhost: str | None = None) -> None:
        if not isinstance(prefix, str):
            raise TypeError(f'prefix: expected a path such as `/api`, found `{prefix!r}`')
        if not prefix.startswith('/'):
            raise ValueError(f'prefix: expected a path that begins with `/`, found `{prefix}`')
        if vhost is not None and not isinstance(vhost, str):
            raise TypeError(f'vhost: expected a host name or None, found `{vhost!r}`')
        self._http = http
        #: What the paths begin with, without a slash at the end.
        self.prefix = prefix.rstrip('/')
        self.vhost = vhost

    def __repr__(self) -> str:
        of = '' if self.vhost is None else f' of {self.vhost!r}'
        return f'<routes below {self.prefix or "/"}{of}>'

    def route(
        self,
        url: str,
        *,
        methods: Iterable[str] | None = None,
        prefix: bool = False,
        stream: bool = False,
    ) -> Callable[[F], F]:
        """Register a handler for a path of the group: `@api.route('/users/<name>')`.

        All is as for `http.route`; `''` is the path of the group itself.
        """
        registered: Callable[[F], F] = self._http.route(
            self._path(url), self.vhost, methods=methods, prefix=prefix, stream=stream
        )
        return registered

    def websocket(
        self,
        url: str,
        *,
        origins: Iterable[str] | None = None,
        subprotocols: Iterable[str] = (),
    ) -> Callable[[F], F]:
        """Register a handler of WebSockets for a path of the group, as `http.websocket`."""
        registered: Callable[[F], F] = self._http.websocket(
            self._path(url), self.vhost, origins=origins, subprotocols=subprotocols
        )
        return registered

    def group(self, prefix: str) -> ROUTE_GROUP:
        """Give a group within this one."""
        return ROUTE_GROUP(self._http, self._path(prefix), self.vhost)

    def _path(self, url: str) -> str:
        if callable(url):
            raise TypeError("a route needs its path: write `@group.route('/path')`")
        if not isinstance(url, str):
            raise TypeError(f'url: expected a path such as `/hello`, found `{url!r}`')
        if url and not url.startswith('/'):
            raise ValueError(f'url: expected a path that begins with `/`, found `{url}`')
        return (self.prefix + url) or '/'


def application_of(handler: object) -> Wrapper | None:
    """Give the application that answers a route, None where a handler does."""
    return handler if isinstance(handler, Wrapper) else None


def check_no_application(handler: object) -> None:
    """Raise TypeError for an application that a module registers for its own virtual host."""
    if isinstance(handler, Wrapper):
        raise TypeError(
            f'{handler!r}: an application starts once, and a module runs again and again: register'
            ' it in the program that makes the server, or name it by `app` or `mounts`'
        )


def _scope_of(app: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Give the options of a mount, however they were given."""
    if app is None:
        if not options:
            raise TypeError('mount: expected an application, or options such as `web_root`')
        return options
    # Before mappings, for an application may be one too.
    if isinstance(app, Mapping) and not callable(app):
        return {**app, **options}
    if isinstance(app, ModuleType):
        name = app.__name__
        usual = [found for found in ('app', 'application') if callable(getattr(app, found, None))]
        hint = f'; did you mean `{name}.{usual[0]}`?' if usual else ''
        raise TypeError(f'mount: expected an application, found the module `{name}`{hint}')
    return {'app': app, **options}


def _level(store: LiveStore, vhost: str | None) -> Path:
    """Give where the mounts of `vhost` stand, in whatever spelling it is written."""
    if vhost is None:
        return ()
    hosts = store.keys(('vhosts',)) if store.kind(('vhosts',)) == 'table' else []
    known = vhost if vhost in hosts else None
    for host in hosts if known is None else ():
        if _routes.same_host(host, vhost):
            known = host
            break
    if known is None:
        raise ConfError(
            f'vhosts."{vhost}": expected a virtual host of the configuration\n'
            f"  hint: make it first: `http.config['vhosts']['{vhost}'] = {{}}`"
        )
    return ('vhosts', known)
