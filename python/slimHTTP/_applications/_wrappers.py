"""`slimHTTP.asgi` and `slimHTTP.wsgi`: an application, and what it speaks.

A program uses one as the value of `app`, or as the handler of a route. It is called as the
application itself is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, Literal

#: An application of ASGI 3, and one of WSGI (PEP 3333), as far as they are told apart here.
AsgiApplication = Callable[[Any, Any, Any], Awaitable[None]]
WsgiApplication = Callable[[Any, Any], Iterable[bytes]]


class Wrapper:
    """An application, its `app`, of which a program has said what it speaks."""

    __slots__ = ('__weakref__', 'app')

    #: What that is.
    interface: ClassVar[Literal['asgi', 'wsgi']]

    def __init__(self, app: Callable[..., Any]) -> None:
        inner = app.app if isinstance(app, Wrapper) else app
        if not callable(inner):
            raise TypeError(
                f'{type(self).__name__}: expected an application, found `{type(app).__name__}`'
            )
        self.app: Callable[..., Any] = inner

    def __call__(self, *arguments: Any) -> Any:
        """Call the application."""
        return self.app(*arguments)

    def __repr__(self) -> str:
        return f'slimHTTP.{type(self).__name__}({self.app!r})'


class asgi(Wrapper):
    """An ASGI 3 application: `http.route('/shop', prefix=True)(slimHTTP.asgi(app))`.

    As the handler of a route it answers what the route does, WebSockets included, and the
    route's path is its `root_path`. As the value of `app`, or given to `http.mount`, it says
    what need not be found out then.

    >>> import slimHTTP
    >>> async def app(scope, receive, send): ...
    >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    >>> _ = http.route('/shop', prefix=True)(slimHTTP.asgi(app))
    >>> http.close()
    """

    __slots__ = ()
    interface = 'asgi'

    def __init__(self, app: AsgiApplication) -> None:
        super().__init__(app)


class wsgi(Wrapper):
    """A WSGI application: `http.route('/shop', prefix=True)(slimHTTP.wsgi(app))`.

    As the handler of a route it answers what the route does, and the route's path is its
    `SCRIPT_NAME`. As the value of `app`, or given to `http.mount`, it says what need not be
    found out then.
    """

    __slots__ = ()
    interface = 'wsgi'

    def __init__(self, app: WsgiApplication) -> None:
        super().__init__(app)
