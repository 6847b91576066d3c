"""An application of Litestar: validated bodies, events, WebSockets, its lifespan, its schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, get, post, websocket_listener
from litestar.response import ServerSentEvent, Stream


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.began = True
    yield
    print('litestar has ended', flush=True)


@dataclass
class Item:
    """What is sold."""

    name: str
    price: float


@get('/')
async def hello(request: Request) -> dict[str, Any]:
    return {'hello': 'Litestar', 'began': request.app.state.began}


@post('/items')
async def add(data: Item) -> Item:
    return data


@get('/seen/{rest:path}')
async def seen(request: Request, rest: str) -> dict[str, Any]:
    return {'rest': rest, 'url': str(request.url), 'root_path': request.scope['root_path']}


@get('/stream', media_type='text/plain')
async def stream() -> Stream:
    async def produce() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b'line %d\n' % number

    return Stream(produce())


@get('/events')
async def events() -> ServerSentEvent:
    async def produce() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    return ServerSentEvent(produce())


@websocket_listener('/echo')
async def echo(data: str) -> str:
    return f'you said {data}'


app = Litestar([hello, add, seen, stream, events, echo], lifespan=[lifespan])
