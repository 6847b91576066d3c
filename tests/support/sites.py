"""Sites that tests serve: three folders to change between, a module, a handler of one request."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from support.response import Response
from support.servers import Serving, serving, tree

#: Three folders to choose from, and a module.
FILES = {
    'a/index.html': 'a',
    'a/home.html': 'a home',
    'b/index.html': 'b',
    'b/home.html': 'b home',
    'c/index.html': 'c',
    'vhost.py': "def on_request(request): return 'module'",
}
#: The host of `module_site`.
HOST = 'a.example'
#: A module that answers what is put in.
ANSWERS = 'def on_request(request):\n    return {!r}\n'


def site_fixture(**config: Any) -> Any:
    """A fixture: a server of this process under these options, to which a test adds handlers.

    `site = site_fixture()` stands in a file of tests instead of the fixture of all files.
    """

    @pytest.fixture
    def site() -> Iterator[Serving]:
        with serving(**config) as served:
            yield served

    return site


def write(path: Path, text: str, *, like: Optional[os.stat_result] = None) -> None:
    """Write a file, with the times of another state of it where `like` is given."""
    path.write_text(text)
    if like is not None:
        os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))


def ask(site: Serving, target: str = '/', host: str = HOST) -> Response:
    """`GET target` of a virtual host."""
    return site.get(target, host=host)


@contextlib.contextmanager
def module_site(
    folder: Path, source: str, files: Optional[dict[str, Any]] = None, **vhost: Any
) -> Iterator[Serving]:
    """Serve `folder/vhost.py` of this source as the module of `a.example`."""
    tree(folder, {'vhost.py': source, **(files or {})})
    with serving(
        web_root=os.fspath(tree(folder / 'nothing', {})),
        vhosts={HOST: {'module': os.fspath(folder / 'vhost.py'), **vhost}},
    ) as site:
        yield site


@contextlib.contextmanager
def site_of_hosts(folder: Path) -> Iterator[Serving]:
    """Serve `folder/root`, with a file beside it, at the global level and of two virtual hosts."""
    root = {'file.txt': 'the file', 'index.html': 'index', 'a': {'page.html': '<p>'}}
    tree(folder, {'outside.txt': 'outside', 'root': root})
    hosts: dict[str, Any] = {HOST: {}, '*.b.example': {}}
    with serving(web_root=os.fspath(folder / 'root'), vhosts=hosts) as site:
        yield site


def ask_handler(
    site: Serving,
    handler: Callable[[Any], Any],
    method: str = 'GET',
    target: str = '/test',
    fields: Any = (),
    body: Any = None,
    host: str = 'other.example',
) -> Response:
    """Let `handler` answer one request."""
    site.http.route('/test', prefix=True)(handler)
    with site.client() as client:
        return client.request(method, target, fields, body, host)
