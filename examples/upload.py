"""Uploads: a form with files, a body read as it comes in, and a cookie.

Start it:  python examples/upload.py
Try it:    open http://localhost:8080/ in a browser, or
           curl --form note=hello --form file=@README.md http://localhost:8080/form
           curl --data-binary @README.md http://localhost:8080/count
           curl --data hello http://localhost:8080/upper
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import slimHTTP
from slimHTTP import HTTP_REQUEST

http = slimHTTP.server(
    slimHTTP.HTTP,
    port=int(os.environ.get('PORT', '8080')),
    max_body='1GiB',  # uploads are not held in memory
)
folder = tempfile.mkdtemp(prefix='uploads-')

PAGE = """<!doctype html><title>Upload</title>
<form method="post" action="/form" enctype="multipart/form-data">
  <input name="note"> <input type="file" name="file" multiple> <button>Send</button>
</form>
"""


@http.route('/')
def page(request: HTTP_REQUEST) -> str:
    request.set_cookie('visits', str(int(request.cookies.get('visits', '0')) + 1))
    return PAGE


@http.route('/form', methods=['POST'], stream=True)
def form(request: HTTP_REQUEST) -> dict[str, Any]:
    """Save the files of a form; they are parsed while they come in."""
    saved = []
    for file in request.files.getlist('file'):
        if file.filename:  # else the field was left empty
            path = file.save(folder)
            saved.append({'name': os.path.basename(path), 'bytes': file.size})
    return {'note': request.form.get('note', ''), 'saved': saved}


@http.route('/count', methods=['POST'], stream=True)
async def count(request: HTTP_REQUEST) -> dict[str, Any]:
    """Read a body of any length without holding it."""
    size, digest = 0, hashlib.sha256()
    async for chunk in request.stream():
        size += len(chunk)
        digest.update(chunk)
    return {'bytes': size, 'sha256': digest.hexdigest()}


@http.route('/upper', methods=['POST'], stream=True)
async def upper(request: HTTP_REQUEST) -> AsyncIterator[bytes]:
    """Write while reading: each chunk goes back as soon as it has come."""
    async for chunk in request.stream():
        yield chunk.upper()


http.run()
