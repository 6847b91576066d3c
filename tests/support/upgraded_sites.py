"""Sites that are upgraded, by both programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.client import Client
from support.handover import Generations, generations
from support.servers import tree

both_programs = pytest.mark.parametrize('python', [False, True], ids=['program', 'python -m'])

#: Longer than what the system holds of it for a client that does not read.
LARGE = bytes(range(256)) * (32 * 1024)

#: Says who it is, over HTTP and over WebSockets, and when it begins and ends.
APPLICATION = """
import os, sys

async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        while True:
            message = await receive()
            print(message['type'], os.getpid(), flush=True)
            await send({'type': message['type'] + '.complete'})
            if message['type'] == 'lifespan.shutdown':
                return
    elif scope['type'] == 'websocket':
        await receive()
        await send({'type': 'websocket.accept'})
        while True:
            message = await receive()
            if message['type'] == 'websocket.disconnect':
                return
            await send({'type': 'websocket.send', 'text': f"{os.getpid()} {message['text']}"})
    else:
        body = f"{os.getpid()} {sys.argv[1:]}".encode()
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': body})
"""


#: Never starts.
HANGS = """
import time
time.sleep(1000)
"""


def site(folder: Path, text: str = '', **files: Any) -> Path:
    """A site of files, and what else its configuration says; gives the configuration's file."""
    tree(folder, {'root/a.txt': 'a', 'root/large.bin': LARGE, **files})
    file = folder / 'site.toml'
    file.write_text(f"addr = '127.0.0.1'\nport = 0\nweb_root = 'root'\n{text}")
    return file


def run(file: Path, python: bool, **env: str) -> Generations:
    return generations('run', file, python=python, cwd=file.parent, env=env)


def run_application(folder: Path, program: str, text: str = '', **env: str) -> Generations:
    """A site with an application, `app.py` at `/app`, which has started."""
    file = site(folder, f"{text}\n[mounts.'/app']\napp = './app.py'\n", **{'app.py': program})
    running = run(file, True, **env)
    with Client(running.address) as client:
        assert client.get('/app').status == 200
    return running
