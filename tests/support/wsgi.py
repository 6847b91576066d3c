"""A server of one WSGI application that answers each request by a function of a test."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, Callable, Optional
from wsgiref.validate import validator

from support.client import Client
from support.response import Response
from support.servers import Serving, serving

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


class WsgiSite:
    """The server, and the functions that answer its requests, by the field `X-App`."""

    def __init__(self, serving: Serving, applications: dict[str, Application]) -> None:
        self.serving = serving
        self.address = serving.address
        self.applications = applications
        self._names = map(str, itertools.count())

    def name(self, application: Application, *, valid: bool = True) -> str:
        """Give an application the name by which a request asks it.

        With `valid` both it and the server are held to PEP 3333 by `wsgiref.validate`.
        """
        name = next(self._names)
        self.applications[name] = validator(application) if valid else application
        return name

    def ask(
        self,
        application: Application,
        target: str = '/',
        *,
        method: str = 'GET',
        fields: Any = (),
        body: Any = None,
        valid: bool = True,
        client: Optional[Client] = None,
    ) -> Response:
        """Have `application` answer a request."""
        headers = [('X-App', self.name(application, valid=valid)), *fields]
        if client is not None:
            return client.request(method, target, headers, body)
        with self.serving.client() as own:
            return own.request(method, target, headers, body)


@contextlib.contextmanager
def wsgi_site(**config: Any) -> Iterator[WsgiSite]:
    """Serve applications of tests for the block."""
    applications: dict[str, Application] = {}

    def dispatch(environ: dict[str, Any], start_response: Any) -> Any:
        return applications[environ['HTTP_X_APP']](environ, start_response)

    with serving(app=dispatch, interface='wsgi', **config) as site:
        yield WsgiSite(site, applications)


class Closable:
    """An iterable whose `close` is counted."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Closable:
        return self

    def __next__(self) -> Any:
        return next(self._chunks)

    def close(self) -> None:
        self.closed += 1


PLAIN = [('Content-Type', 'text/plain')]


def says(*chunks: bytes, status: str = '200 OK', headers: Any = PLAIN) -> Application:
    """An application that answers with these chunks, as a list."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return list(chunks)

    return application


def returns(result: Any, status: str = '200 OK', headers: Any = PLAIN) -> Application:
    """An application that returns `result`, or what it gives if it is called."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return result() if callable(result) else result

    return application
