"""An application of Quart: what it does before and after serving, streams, WebSockets, sessions."""

from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, request, session, url_for, websocket

app = Quart('quart_shop', static_folder=None)
app.secret_key = 'only for tests'


@app.before_serving
async def begin() -> None:
    app.began = True  # type: ignore[attr-defined]


@app.after_serving
async def end() -> None:
    print('quart has ended', flush=True)


@app.get('/')
async def hello() -> dict[str, Any]:
    return {'hello': 'Quart', 'began': app.began}  # type: ignore[attr-defined]


@app.get('/seen/<path:rest>')
async def seen(rest: str) -> dict[str, Any]:
    return {
        'rest': rest,
        'path': request.path,
        'url': request.url,
        'hello': url_for('hello'),
        'client': request.remote_addr,
    }


@app.get('/visits')
async def visits() -> dict[str, int]:
    session['visits'] = session.get('visits', 0) + 1
    return {'visits': session['visits']}


@app.post('/upload')
async def upload() -> dict[str, Any]:
    files, form = await request.files, await request.form
    content = files['file'].read()
    return {'size': len(content), 'note': form['note']}


@app.get('/stream')
async def stream() -> Response:
    async def produce() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b'line %d\n' % number

    return Response(produce(), mimetype='text/plain')


@app.websocket('/echo')
async def echo() -> None:
    while True:
        await websocket.send(f'you said {await websocket.receive()}')
