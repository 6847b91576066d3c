"""WebSockets as handlers know them, and the decorator that gives them one.

A handler is a coroutine function and its WebSocket a `WEBSOCKET`, to be awaited on the
event loop; or it is a plain function on a thread of its own, and its WebSocket a
`SYNC_WEBSOCKET`, whose methods wait. What they share stands in `_WebSocketBase`: it never
waits, and may be called from anywhere.

The extension holds the queues of both directions. An `async` method that cannot go on waits
for a future; the extension calls `_wake` on the loop's thread when something has changed, and
every method that waits looks again. Methods of `SYNC_WEBSOCKET` wait in the extension, without
the interpreter's lock, on the thread of their handler. Cancelling a method that waits loses no
message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Union

from slimHTTP import _callables, _modules, _routes
from slimHTTP._errors import WebSocketClosed
from slimHTTP._message._json import json_dumps, json_loads
from slimHTTP._slimhttp import HTTP_REQUEST, Server, WebSocketEnd, WebSocketRoute
from slimHTTP._slimhttp import broadcast as _broadcast
from slimHTTP._types import F

if TYPE_CHECKING:
    import asyncio

#: What a message is: str for text, bytes for binary.
Message = Union[str, bytes]

#: How many messages a handler takes without a pause before other tasks have a turn.
_MAX_WITHOUT_PAUSE: Final = 64


class _WebSocketBase:
    """What every WebSocket has. Nothing here waits; all of it may be used from any thread."""

    __slots__ = {  # A slot's text is what help() says of it.
        '__weakref__': None,
        '_end': None,
        'request': 'The request of the handshake: its headers, its query, its `CLIENT_IDENTITY`.',
    }

    def __init__(self, end: WebSocketEnd, request: HTTP_REQUEST) -> None:
        self._end = end
        self.request = request

    @property
    def params(self) -> dict[str, Any]:
        """What the route's pattern took from the path."""
        return self.request.params

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, or None."""
        return self._end.subprotocol

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more: either side has closed, or is gone."""
        return self._end.closed

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed, None while it is open.

        1005: the client has closed without a code; 1006: the connection broke.
        """
        ended = self._end.ended()
        return None if ended is None else ended[0]

    @property
    def close_reason(self) -> str | None:
        """Why it was closed, in words, often `''`; None while it is open."""
        ended = self._end.ended()
        return None if ended is None else ended[1]

    def send_nowait(self, message: Message) -> bool:
        """Send without waiting, from any thread: the way to tell many clients something.

        Gives False, and sends nothing, where `websocket_queue` messages wait
        already: this client is too slow. Raises WebSocketClosed.
        """
        return self._end.send(message)

    def __repr__(self) -> str:
        ended = self._end.ended()
        state = 'open' if ended is None else f'closed {ended[0]}'
        return f'<{type(self).__name__} {self.request.url} {state}>'


class WEBSOCKET(_WebSocketBase):
    """The WebSocket of an `async def` handler.

    >>> import slimHTTP
    >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    >>> @http.websocket('/echo')
    ... async def echo(ws):
    ...     async for message in ws:
    ...         await ws.send(message)
    >>> http.close()

    Iterating gives the messages and ends when it is closed, by whomever and
    however; `close_code` tells how. What is awaited must be awaited on the loop of the
    handler; several tasks may do so at once.
    """

    __slots__ = ('_loop', '_waiting', '_without_pause')

    def __init__(self, end: WebSocketEnd, request: HTTP_REQUEST) -> None:
        import asyncio  # Here and below, for whoever has no WebSocket does without it.

        super().__init__(end, request)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._without_pause = 0

    async def receive(self) -> Message:
        """Wait for the next message: str for text, bytes for binary.

        Raises WebSocketClosed when none will come any more.
        """
        self._without_pause += 1
        if self._without_pause >= _MAX_WITHOUT_PAUSE:
            # A client that floods leaves time for the others.
            import asyncio

            self._without_pause = 0
            await asyncio.sleep(0)
        while True:
            message = self._end.receive()
            if message is not None:
                return message
            await self._wait_for_change()

    async def receive_json(self) -> Any:
        """Wait for the next message and parse it. Raises ValueError where it is not JSON."""
        return json_loads(await self.receive())

    async def send(self, message: Message) -> None:
        """Send a message: str as text, bytes as binary.

        Waits while `websocket_queue` messages wait to be sent, so that a handler is
        no faster than its client. Raises WebSocketClosed where it is closed.
        """
        while not self._end.send(message):
            await self._wait_for_change()

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send(json_dumps(value))

    async def ping(self, data: Message | None = None, timeout: float | None = 20.0) -> float:
        """Ping the client and wait for its answer; gives the seconds that took.

        `data` has at most 125 bytes. Raises TimeoutError after `timeout` seconds (None:
        never), WebSocketClosed. Nobody needs this to find out dead clients: see
        `websocket_ping_interval`. The answer stands behind the messages that the
        client has sent before; while `websocket_queue` of them wait, somebody has to
        receive them.
        """
        began = time.monotonic()
        deadline = None if timeout is None else began + timeout
        while (ping := self._end.ping(data)) is None:
            await self._wait_for_change_until(deadline)
        while not self._end.answered(ping):
            await self._wait_for_change_until(deadline)
        return time.monotonic() - began

    async def close(self, code: int = 1000, reason: str = '') -> None:
        """Close, and wait until it is closed. What waits to be sent is sent before.

        A second call only waits. Raises ValueError for a code that may not be sent
        (1000, 1001, 1003, 1008, 1011 and 3000 to 4999 are of use) and for a
        reason of more than 123 bytes.
        """
        self._end.close(code, reason)
        while self._end.ended() is None:
            await self._wait_for_change()

    def __aiter__(self) -> WEBSOCKET:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    async def _wait_for_change(self) -> None:
        """Wait until something has changed: until the extension calls `_wake`."""
        import asyncio

        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                'a WebSocket is awaited on the event loop of its handler only; from elsewhere'
                ' use `send_nowait`'
            )
        future = self._loop.create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:  # Cancelled.
                self._waiting.remove(future)
        self._without_pause = 0

    async def _wait_for_change_until(self, deadline: float | None) -> None:
        import asyncio

        if deadline is None:
            await self._wait_for_change()
            return
        try:
            await asyncio.wait_for(self._wait_for_change(), max(deadline - time.monotonic(), 0.0))
        except asyncio.TimeoutError:
            raise TimeoutError('the client has not answered the ping') from None

    def _wake(self) -> None:
        """Let every method that waits look again; the extension calls it on the loop's thread."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class SYNC_WEBSOCKET(_WebSocketBase):
    """The WebSocket of a handler that is a plain function, on a thread of its own.

    >>> import slimHTTP
    >>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    >>> @http.websocket('/echo')
    ... def echo(ws):
    ...     for message in ws:
    ...         ws.send(message)
    >>> http.close()

    Every `timeout` is in seconds, None for as long as it takes; TimeoutError is
    raised behind it.
    """

    __slots__ = ()

    def receive(self, timeout: float | None = None) -> Message:
        """Wait for the next message: str for text, bytes for binary.

        Raises WebSocketClosed when none will come any more.
        """
        message = self._end.receive_within(timeout)
        if message is None:
            raise TimeoutError('no message has come')
        return message

    def receive_json(self, timeout: float | None = None) -> Any:
        """Wait for the next message and parse it. Raises ValueError where it is not JSON."""
        return json_loads(self.receive(timeout))

    def send(self, message: Message, timeout: float | None = None) -> None:
        """Send a message: str as text, bytes as binary.

        Waits while `websocket_queue` messages wait to be sent. Raises WebSocketClosed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._end.send(message):
            remaining = None if deadline is None else deadline - time.monotonic()
            if not self._end.room_within(remaining):
                raise TimeoutError('the client takes no more messages')

    def send_json(self, value: Any, timeout: float | None = None) -> None:
        """Send a value as JSON text."""
        self.send(json_dumps(value), timeout)

    def ping(self, data: Message | None = None, timeout: float | None = 20.0) -> float:
        """Ping the client and wait for its answer; gives the seconds that took.

        As `WEBSOCKET.ping`.
        """
        began = time.monotonic()
        while (ping := self._end.ping(data)) is None:
            remaining = None if timeout is None else began + timeout - time.monotonic()
            if not self._end.room_within(remaining):
                raise TimeoutError('the client takes no more messages')
        remaining = None if timeout is None else began + timeout - time.monotonic()
        if not self._end.answered_within(ping, remaining):
            raise TimeoutError('the client has not answered the ping')
        return time.monotonic() - began

    def close(self, code: int = 1000, reason: str = '', timeout: float | None = None) -> None:
        """Close, and wait until it is closed. What waits to be sent is sent before.

        As `WEBSOCKET.close`.
        """
        self._end.close(code, reason)
        if self._end.ended_within(timeout) is None:
            raise TimeoutError('the closing takes its time')

    def __iter__(self) -> SYNC_WEBSOCKET:
        return self

    def __next__(self) -> Message:
        try:
            return self.receive()
        except WebSocketClosed:
            raise StopIteration from None


def broadcast(
    websockets: Iterable[WEBSOCKET | SYNC_WEBSOCKET], message: Message
) -> list[WEBSOCKET | SYNC_WEBSOCKET]:
    """Send one message to many, without waiting, from any thread.

    Gives those that did not take it: they are closed, or too slow. It is copied
    once, however many there are.
    """
    listed = list(websockets)
    taken = _broadcast([websocket._end for websocket in listed], message)
    return [websocket for websocket, took in zip(listed, taken) if not took]


class WebSockets:
    """The part of a server, and of nothing else, that registers handlers of WebSockets."""

    _server: Server

    def websocket(
        self,
        url: str,
        vhost: str | None = None,
        *,
        origins: Iterable[str] | None = None,
        subprotocols: Iterable[str] = (),
    ) -> Callable[[F], F]:
        """Register a handler of WebSockets for a path: `@http.websocket('/chat')`.

        The handler takes a `WEBSOCKET` where it is a coroutine function, else a
        `SYNC_WEBSOCKET` on a thread of its own. It has the WebSocket until it
        returns, which closes it with 1000, or raises, which closes it with 1011 and
        is logged. Patterns and `vhost` are as for `route`, and a route of the same
        path is replaced; WebSockets that are open go on.

        `origins` are the pages that may open it from a browser, such as
        `https://example.com`; `['*']` is every page. Unless given these are the
        pages of the host that is asked, and of no other. `subprotocols` are the
        protocols that it speaks, the dearest first.

        In a module, one for the module's own virtual host belongs to that run of
        the module: it is run for the handshake, and stays for the WebSocket.

        Raises TypeError or ValueError for arguments of which no route can be made.
        """
        _routes.check_route(url, vhost, None)
        allowed = None if origins is None else _names('origins', origins)
        spoken = _names('subprotocols', subprotocols)

        def register(handler: F) -> F:
            _routes.check_handler(handler)
            asynchronous = _callables.is_async(handler)
            route = WebSocketRoute(handler, asynchronous, allowed, spoken)
            run = _modules.own_run(self, url, vhost)
            if run is not None:
                run.add_route(url, ['GET'], False, route)
            else:
                name, place = _callables.name_of(handler), _callables.place_of(handler)
                self._server.add_route(
                    url, vhost, ['GET'], False, 'websocket', route, asynchronous, name, place
                )
            return handler

        return register


def _names(option: str, given: object) -> list[str]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f'{option}: expected a list of texts, found `{given!r}`')
    listed = list(given)
    for name in listed:
        if not isinstance(name, str) or not name:
            raise TypeError(f'{option}: expected texts, found `{name!r}`')
    return listed
