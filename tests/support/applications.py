"""Applications of tests: modules of their own in a folder, and an ASGI application that records."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_numbers = itertools.count()

#: A WSGI application that answers its module's name.
WSGI = """
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [__name__.encode()]
"""


class Modules:
    """Modules in a folder; what is imported of them is forgotten with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []

    def add(self, source: str = WSGI, name: str = '') -> str:
        """Write a module under a name that no other test has, and give that."""
        name = name or f'hosted_{next(_numbers)}'
        (self.folder / f'{name}.py').write_text(source)
        self.names.append(name)
        return name


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Modules]:
    before = list(sys.path)
    written = Modules(tmp_path)
    yield written
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition('.')[0] in written.names]:
        del sys.modules[name]


class Recorded:
    """An ASGI application that records its lifespan, and answers its `state`."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope['type'] == 'lifespan':
            await self.lifespan(scope, receive, send)
            return
        self.seen.append(scope['type'])
        await self.respond(scope, receive, send)

    async def lifespan(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        for what in ('startup', 'shutdown'):
            assert (await receive())['type'] == f'lifespan.{what}'
            self.seen.append(what)
            scope['state']['at'] = what
            await send({'type': f'lifespan.{what}.complete'})

    async def respond(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await answer(send, scope['state']['at'])


async def answer(send: Any, text: str) -> None:
    """Answer a request of ASGI."""
    await send(
        {
            'type': 'http.response.start',
            'status': 200,
            'headers': [(b'content-type', b'text/plain')],
        }
    )
    await send({'type': 'http.response.body', 'body': text.encode()})
