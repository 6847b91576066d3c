"""The servers of the training: whatever they answer is counted, see tools/profile.

    python servers.py FOLDER

FOLDER holds the files that are served. Says where it listens, in one line of JSON, and ends by
SIGTERM.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import slimHTTP

FOLDER = sys.argv[1]

#: What all have in common.
COMMON: Any = {'addr': '127.0.0.1', 'port': 0, 'web_root': FOLDER, 'quiet': True, 'io_threads': 1}

upstream = slimHTTP.server(slimHTTP.HTTP, **COMMON)


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers a page, and what was sent to it."""
    content = environ['wsgi.input'].read() or b'Hello, World!'
    fields = [('Content-Type', 'text/plain'), ('Content-Length', str(len(content)))]
    start_response('200 OK', fields)
    return [content]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answers a page, what was sent to it, or a stream."""
    if scope['type'] == 'lifespan':
        while (await receive())['type'] != 'lifespan.shutdown':
            await send({'type': 'lifespan.startup.complete'})
        await send({'type': 'lifespan.shutdown.complete'})
        return
    if scope['type'] == 'websocket':
        await receive()
        await send({'type': 'websocket.accept'})
        while (message := await receive())['type'] == 'websocket.receive':
            await send({'type': 'websocket.send', 'text': message.get('text') or ''})
        return
    content = b''
    while scope['method'] == 'POST':
        message = await receive()
        content += message.get('body', b'')
        if not message.get('more_body'):
            break
    content = content or b'Hello, World!'
    fields = [(b'content-type', b'text/plain')]
    if not scope['path'].endswith('/stream'):
        fields.append((b'content-length', b'%d' % len(content)))
        await send({'type': 'http.response.start', 'status': 200, 'headers': fields})
        await send({'type': 'http.response.body', 'body': content})
        return
    await send({'type': 'http.response.start', 'status': 200, 'headers': fields})
    for _ in range(20):
        await send({'type': 'http.response.body', 'body': b'x' * 100, 'more_body': True})
    await send({'type': 'http.response.body', 'body': b''})


def opened(mode: Any) -> Any:
    """A server with routes, files, applications and an upstream."""
    http = slimHTTP.server(
        mode,
        index='index.html',
        compress=True,
        mounts={
            '/wsgi': {'app': wsgi, 'interface': 'wsgi'},
            '/asgi': {'app': asgi, 'interface': 'asgi'},
            '/up': {'proxy': f'127.0.0.1:{upstream.port}', 'strip_prefix': True},
        },
        **COMMON,
    )

    @http.route('/text')
    def text(request: slimHTTP.HTTP_REQUEST) -> bytes:
        return b'Hello, World!'

    @http.route('/response')
    def response(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.HTTP_RESPONSE:
        return slimHTTP.HTTP_RESPONSE(headers={'Content-Type': 'text/plain'}, payload=b'Hello!')

    @http.route('/items/<int:id>')
    def item(request: slimHTTP.HTTP_REQUEST) -> dict[str, Any]:
        return {'id': request.params['id'], 'query': request.query, 'ok': True}

    @http.route('/async')
    async def later(request: slimHTTP.HTTP_REQUEST) -> str:
        return 'Hello, World!'

    @http.route('/form', methods=['POST'])
    def form(request: slimHTTP.HTTP_REQUEST) -> str:
        return f'{len(request.form)} fields'

    @http.route('/stream')
    def stream(request: slimHTTP.HTTP_REQUEST) -> Iterator[bytes]:
        for _ in range(20):
            yield b'x' * 100

    @http.route('/events')
    async def events(request: slimHTTP.HTTP_REQUEST) -> AsyncIterator[str]:
        for number in range(5):
            yield f'data: {number}\n\n'

    @http.websocket('/echo')
    async def echo(ws: slimHTTP.WEBSOCKET) -> None:
        async for message in ws:
            await ws.send(message)

    return http


plain = opened(slimHTTP.HTTP)
secret = opened(slimHTTP.HTTPS)  # Of which it makes the certificate.
with upstream, secret:
    print(json.dumps({'plain': plain.port, 'tls': secret.port}), flush=True)
    plain.run()
