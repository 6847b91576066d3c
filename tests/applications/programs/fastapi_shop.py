"""An application of FastAPI: validation, streams, tasks behind the answer, WebSockets, its docs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, UploadFile, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    app.state.jobs = {}
    app.state.release = asyncio.Event()
    yield {'answer': 42}
    print('fastapi has ended', flush=True)


app = FastAPI(title='shop', lifespan=lifespan)


class Item(BaseModel):
    """What is sold."""

    name: str
    price: float


@app.get('/')
async def hello() -> dict[str, str]:
    return {'hello': 'FastAPI'}


@app.get('/state')
async def state(request: Request) -> dict[str, Any]:
    return {'answer': request.state.answer, 'jobs': request.app.state.jobs}


@app.get('/items/{number}')
async def item(number: int) -> dict[str, int]:
    if number > 100:
        raise HTTPException(404, 'no such item')
    return {'number': number}


@app.post('/items', status_code=201)
def add(item: Item) -> Item:
    return item


@app.get('/seen')
async def seen(request: Request) -> dict[str, Any]:
    return {
        'url': str(request.url),
        'root_path': request.scope['root_path'],
        'item': str(request.url_for('item', number=7)),
        'client': request.client.host if request.client else None,
        'http_version': request.scope['http_version'],
    }


@app.get('/stream')
async def stream() -> StreamingResponse:
    async def produce() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b'line %d\n' % number

    return StreamingResponse(produce(), media_type='text/plain')


@app.post('/upload')
async def upload(file: UploadFile) -> dict[str, Any]:
    digest = hashlib.sha256()
    while data := await file.read(1 << 16):
        digest.update(data)
    return {'sha256': digest.hexdigest(), 'name': file.filename, 'size': file.size}


@app.post('/jobs/{name}', status_code=202)
async def job(name: str, request: Request, background: BackgroundTasks) -> dict[str, str]:
    jobs, release = request.app.state.jobs, request.app.state.release

    async def work() -> None:
        jobs[name] = 'works'
        await release.wait()
        jobs[name] = 'done'

    jobs[name] = 'accepted'
    background.add_task(work)
    return {'job': name}


@app.post('/release')
async def release(request: Request) -> None:
    request.app.state.release.set()


@app.websocket('/sum')
async def total(socket: WebSocket) -> None:
    """Add up the numbers that come, until one is negative."""
    await socket.accept()
    numbers = 0
    while True:
        number = (await socket.receive_json())['add']
        if number < 0:
            await socket.close(code=4000, reason=f'the sum is {numbers}')
            return
        numbers += number
        await socket.send_json({'sum': numbers})
