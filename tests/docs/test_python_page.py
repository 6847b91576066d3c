"""The pieces of docs/python.md make one program, and it does what the page says."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import slimHTTP
from support import PATIENCE, REPOSITORY, Client, Log, serving, wait_until

PAGE = REPOSITORY / 'docs' / 'python.md'


def test_the_pieces_of_the_page_make_one_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'public').mkdir()
    (tmp_path / 'public' / 'file.txt').write_text('a file')
    (tmp_path / 'app.py').write_text('def on_request(request):\n    return "the module"\n')
    monkeypatch.chdir(tmp_path)
    pieces = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    source = '\n'.join(pieces).replace('port=8080', 'port=0')
    program = ModuleType('program')
    monkeypatch.setitem(sys.modules, 'program', program)
    exec(compile(source, str(PAGE), 'exec'), program.__dict__)
    http: slimHTTP.HTTP_SERVER = program.__dict__['http']
    with http, Client((http.address, http.port)) as client:
        assert client.get('/hello/you').text == 'Hello, you!\n'
        # What a client sends is no HTML of ours.
        assert client.get('/hello/%3Cscript%3E').text == 'Hello, &lt;script&gt;!\n'
        fields = {'Content-Type': 'application/json'}
        assert client.request('POST', '/sum', fields, b'[1, 2, 3.5]').text == '{"sum":6.5}'
        assert client.request('GET', '/sum').status == 405
        assert client.get('/report').text == 'a report\n'
        assert client.get('/wait').text == 'waited\n'
        assert client.get('/count').text == '0\n1\n2\n'
        events = client.get('/events')
        assert events.headers['Content-Type'] == 'text/event-stream'
        assert events.text == 'data: 0\n\ndata: 1\n\ndata: 2\n\n'
        before = client.get('/visits').text
        assert before != client.get('/visits').text
        assert client.get('/file.txt').text == 'a file'
        assert client.get('/', host='app.localhost').text == 'the module'


def test_the_one_who_only_sends_hears_of_clients_that_leave() -> None:
    """The piece of docs/websockets.md, as it stands."""
    from websockets.sync.client import connect

    page = PAGE.parent / 'websockets.md'
    pieces = re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL)
    (piece,) = [piece for piece in pieces if "'/news'" in piece]
    with serving() as site, Log() as log:
        program: dict[str, Any] = {'asyncio': asyncio, 'http': site.http}
        exec(compile(piece, str(page), 'exec'), program)

        def publish(text: bytes) -> str:
            with site.client() as client:
                return client.request('POST', '/publish', body=text).text

        address = f'ws://127.0.0.1:{site.http.port}/news'
        with connect(address) as stays:
            wait_until(lambda: publish(b'first') == '1 are there', 'one reader')
            assert stays.recv(PATIENCE) == 'first'
            with connect(address) as leaves:
                wait_until(lambda: len(program['readers']) == 2, 'two readers')
                leaves.send('of no interest')
            # Nothing is sent to it: its handler has heard of it all the same.
            wait_until(lambda: len(program['readers']) == 1, 'one reader')
            publish(b'second')
            messages = [stays.recv(PATIENCE)]
            while messages[-1] == 'first':
                messages.append(stays.recv(PATIENCE))
            assert messages[-1] == 'second'
        wait_until(lambda: not program['readers'], 'nobody')
    assert [record for record in log.records if record.levelno > logging.INFO] == []


def test_every_public_name_stands_in_the_documentation() -> None:
    pages = ''.join(page.read_text() for page in PAGE.parent.glob('*.md'))
    names = [name for name in slimHTTP.__all__ if not name.startswith('_')]
    assert [name for name in names if name not in pages] == []


@pytest.mark.parametrize('page', sorted(PAGE.parent.glob('*.md')), ids=lambda page: page.name)
def test_every_piece_of_python_is_python(page: Path) -> None:
    for piece in re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL):
        # In a list it is indented.
        compile(textwrap.dedent(piece), f'{page.name}: {piece[:40]!r}', 'exec')
