"""A server of one ASGI application that answers each request by a function of a test."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Awaitable, Iterator
from typing import Any, Callable, Optional

from support.client import Client
from support.response import Response
from support.servers import Serving, serving
from support.waiting import PATIENCE

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class AsgiSite:
    """The server, and the functions that answer its requests, by the field `X-App`."""

    def __init__(self, serving: Serving, applications: dict[str, Application]) -> None:
        self.serving = serving
        self.address = serving.address
        self.applications = applications
        self._names = map(str, itertools.count())

    def name(self, application: Application) -> str:
        """Give an application the name by which a request asks it."""
        name = next(self._names)
        self.applications[name] = application
        return name

    def ask(
        self,
        application: Application,
        target: str = '/',
        *,
        method: str = 'GET',
        fields: Any = (),
        body: Any = None,
        client: Optional[Client] = None,
    ) -> Response:
        """Have `application` answer a request."""
        headers = [('X-App', self.name(application)), *fields]
        if client is not None:
            return client.request(method, target, headers, body)
        with self.serving.client() as own:
            return own.request(method, target, headers, body)

    def send(
        self,
        client: Client,
        application: Application,
        target: str = '/',
        *,
        method: str = 'GET',
        fields: Any = (),
        body: Any = None,
    ) -> None:
        """Send a request that `application` answers, and read no response."""
        client.send(method, target, [('X-App', self.name(application)), *fields], body)


@contextlib.contextmanager
def asgi_site(**config: Any) -> Iterator[AsgiSite]:
    """Serve applications of tests for the block."""
    applications: dict[str, Application] = {}

    async def dispatch(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        name = dict(scope['headers'])[b'x-app'].decode()
        await applications[name](scope, receive, send)

    with serving(app=dispatch, interface='asgi', lifespan='off', **config) as site:
        yield AsgiSite(site, applications)


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    return {'type': 'http.response.start', 'status': status, 'headers': list(headers), **more}


def body(content: bytes = b'', **more: Any) -> Message:
    return {'type': 'http.response.body', 'body': content, **more}


def says(*messages: Message) -> Application:
    """An application that sends these messages."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return application


class Noted:
    """What an application has come to, on its loop; a test waits for it."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self.value: Any = None

    def note(self, value: Any = None) -> None:
        self.value = value
        self._came.set()

    @property
    def is_there(self) -> bool:
        return self._came.is_set()

    def wait(self) -> Any:
        assert self._came.wait(PATIENCE), 'the application has not come so far'
        return self.value
