"""An ASGI application without a framework: a greeting, and a stream of events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    if scope['type'] == 'lifespan':
        await lifespan(receive, send)
    elif scope['type'] != 'http':
        raise RuntimeError(f'it speaks no {scope["type"]}')
    elif scope['path'] == f'{scope["root_path"]}/ticks':
        await start(send, b'text/event-stream')
        for number in range(3):
            await body(send, f'data: tick {number}\n\n'.encode(), more=True)
            await asyncio.sleep(0.1)
        await body(send, b'')
    else:
        await start(send, b'text/plain')
        await body(send, f'live, below {scope["root_path"] or "/"}\n'.encode())


async def lifespan(receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """Told once before the first request, and once after the last."""
    await receive()
    print('live begins', flush=True)
    await send({'type': 'lifespan.startup.complete'})
    await receive()
    print('live ends', flush=True)
    await send({'type': 'lifespan.shutdown.complete'})


async def start(send: Send, content_type: bytes) -> None:
    headers = [(b'content-type', content_type)]
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})


async def body(send: Send, data: bytes, more: bool = False) -> None:
    await send({'type': 'http.response.body', 'body': data, 'more_body': more})
