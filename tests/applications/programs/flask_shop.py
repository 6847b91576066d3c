"""An application of Flask: streams within their request, links below a prefix, uploads, files."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_file, session, stream_with_context, url_for

app = Flask('flask_shop', static_folder=None)
app.secret_key = 'only for tests'

#: Set by `/release`: a stream waits for it between its two halves.
released = threading.Event()
#: For whom a stream has ended, by whoever ended it.
ended: list[str] = []


@app.get('/')
def hello() -> str:
    return 'Hello from Flask\n'


@app.get('/seen/<path:rest>')
def seen(rest: str) -> dict[str, Any]:
    return {
        'rest': rest,
        'path': request.path,
        'script_name': request.environ['SCRIPT_NAME'],
        'url': request.url,
        'query': request.args.to_dict(),
        'agent': request.headers.get('User-Agent'),
        'client': request.remote_addr,
        'hello': url_for('hello'),
        'link': url_for('seen', rest='a b', _external=True),
        'multithread': request.environ['wsgi.multithread'],
    }


@app.get('/stream')
def stream() -> Response:
    """Two halves; what stands in the request is at hand in both."""

    def produce() -> Iterator[str]:
        try:
            yield f'first {request.args["name"]}\n'
            assert released.wait(30)
            yield f'second {request.args["name"]}\n'
        finally:
            ended.append(request.args['name'])

    return Response(stream_with_context(produce()), mimetype='text/plain')


@app.post('/release')
def release() -> str:
    released.set()
    return 'released\n'


@app.get('/endless')
def endless() -> Response:
    """More than any client takes, until it leaves."""

    def produce() -> Iterator[bytes]:
        try:
            while True:
                yield b'x' * 65_536
        finally:
            ended.append(request.args['name'])

    return Response(stream_with_context(produce()), mimetype='application/octet-stream')


@app.get('/ended')
def tell() -> list[str]:
    return ended


@app.post('/upload')
def upload() -> dict[str, Any]:
    content = request.files['file']
    digest = hashlib.sha256()
    size = 0
    while data := content.stream.read(1 << 16):
        digest.update(data)
        size += len(data)
    return {'sha256': digest.hexdigest(), 'size': size, 'note': request.form['note']}


@app.post('/count')
def count() -> dict[str, int]:
    """Read a body of any length, piece by piece."""
    size = 0
    while data := request.stream.read(1 << 16):
        size += len(data)
    return {'bytes': size}


@app.get('/file')
def file() -> Response:
    """A file by `wsgi.file_wrapper`, with validators and ranges."""
    app.config['USE_X_SENDFILE'] = 'x_sendfile' in request.args
    return send_file(Path(os.environ['FLASK_FILE']), mimetype='video/mp4')


@app.get('/private/<path:name>')
def private(name: str) -> Response:
    """A file that the server is told to send, as nginx and Apache are told."""
    by = request.args.get('by', 'X-Sendfile')
    answer = Response('sent by nobody', mimetype='video/mp4')
    answer.headers[by] = f'/{name}' if by == 'X-Accel-Redirect' else name
    return answer


@app.get('/visits')
def visits() -> dict[str, int]:
    session['visits'] = session.get('visits', 0) + 1
    return {'visits': session['visits']}


@app.get('/fail')
def fail() -> str:
    raise RuntimeError('the view fails')


def create_app() -> Flask:
    """The application as a factory."""
    return app
