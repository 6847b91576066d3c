"""An application of Starlette: files, the state of its lifespan, events, clients that leave."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    if os.environ.get('STARLETTE_FAILS'):
        raise RuntimeError('the database is not there')
    app.state.came, app.state.left = [], []
    app.state.news = asyncio.Queue()
    print('starlette has begun', flush=True)
    yield {'visits': []}
    print('starlette has ended', flush=True)


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse('Hello from Starlette\n')


async def seen(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            'url': str(request.url),
            'root_path': request.scope['root_path'],
            'link': str(request.url_for('hello')),
            'static': str(request.url_for('static', path='/page.css')),
            'http_version': request.scope['http_version'],
            'scheme': request.url.scheme,
        }
    )


async def visits(request: Request) -> JSONResponse:
    """A list that the lifespan has made, the same one in every request."""
    request.state.visits.append(request.client.host if request.client else None)
    return JSONResponse(request.state.visits)


async def count(request: Request) -> JSONResponse:
    """Read a body of any length, piece by piece."""
    size = 0
    async for data in request.stream():
        size += len(data)
    return JSONResponse({'bytes': size})


async def events(request: Request) -> StreamingResponse:
    """An event at once, and another when `/news` is told."""

    async def produce() -> AsyncIterator[str]:
        yield 'data: hello\n\n'
        yield f'data: {await request.app.state.news.get()}\n\n'

    return StreamingResponse(produce(), media_type='text/event-stream')


async def news(request: Request) -> PlainTextResponse:
    request.app.state.news.put_nowait((await request.body()).decode())
    return PlainTextResponse('told\n')


async def watch(request: Request) -> PlainTextResponse:
    """Work for a client as long as it is there."""
    request.app.state.came.append(request.query_params['who'])
    while not await request.is_disconnected():
        await asyncio.sleep(0)
    request.app.state.left.append(request.query_params['who'])
    return PlainTextResponse('for nobody\n')


async def came(request: Request) -> JSONResponse:
    return JSONResponse(request.app.state.came)


async def endless(request: Request) -> StreamingResponse:
    """More than any client takes, until it leaves."""

    async def produce() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b'x' * 65_536
        finally:
            request.app.state.left.append(request.query_params['who'])

    return StreamingResponse(produce(), media_type='application/octet-stream')


async def left(request: Request) -> JSONResponse:
    return JSONResponse(request.app.state.left)


async def file(request: Request) -> FileResponse:
    return FileResponse(os.path.join(os.environ['STARLETTE_FILES'], 'big.bin'))


async def private(request: Request) -> Response:
    """A file that the server is told to send, as nginx and Apache are told."""
    by = request.query_params['by']
    name = request.path_params['name']
    return Response(headers={by: f'/{name}' if by == 'X-Accel-Redirect' else name})


async def fail(request: Request) -> PlainTextResponse:
    raise RuntimeError('the endpoint fails')


async def members(socket: WebSocket) -> None:
    """Refuse whoever is no member, in words (`websocket.http.response`)."""
    refusal = JSONResponse({'error': 'for members'}, 401, {'WWW-Authenticate': 'Basic'})
    await socket.send_denial_response(refusal)


async def echo(socket: WebSocket) -> None:
    await socket.accept(subprotocol=socket.scope['subprotocols'][0])
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect as end:
        socket.app.state.left.append([end.code, end.reason])


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route('/', hello),
        Route('/seen', seen),
        Route('/visits', visits),
        Route('/count', count, methods=['POST']),
        Route('/events', events),
        Route('/news', news, methods=['POST']),
        Route('/watch', watch),
        Route('/came', came),
        Route('/endless', endless),
        Route('/left', left),
        Route('/file', file),
        Route('/private/{name}', private),
        Route('/fail', fail),
        WebSocketRoute('/echo', echo),
        WebSocketRoute('/members', members),
        Mount('/files', StaticFiles(directory=os.environ['STARLETTE_FILES']), name='static'),
    ],
)
