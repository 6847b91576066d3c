"""Which applications a server hosts: what a change brings is started, what it takes away is ended.

`sync` is called after each change of a site that names applications, on the thread that has made
the change.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import Any, Final

from slimHTTP._types import ServerInstance

#: What is hosted, by number, for each server.
_hosted: Final[dict[Any, set[int]]] = {}


def sync(http: ServerInstance) -> None:
    """Start and end applications until those of the site in force are there."""
    server = http._server
    applications = server.applications
    known = _hosted.setdefault(server, set())
    wanted = set()
    for number, reference, given, interface, _lifespan, folder, env, _seconds in applications.list():
        wanted.add(number)
        if number in known:
            continue
        known.add(number)
        os.environ.update(env)
        found = given if given is not None else _import(reference, str(folder))
        protocol = interface if interface != 'auto' else _protocol(found)
        if protocol == 'asgi':
            http.join_loop()
        applications.ready(number, found, protocol, None, f'application `{reference}`')
    for number in known - wanted:
        applications.remove(number)
        known.discard(number)


def _import(reference: str, folder: str) -> Any:
    module, _, name = reference.partition(':')
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = importlib.import_module(module)
    for part in name.removesuffix('()').split('.') if sys.version_info >= (3, 9) else ():
        found = getattr(found, part)
    return found() if name.endswith('()') else found


def _protocol(found: Any) -> str:
    call = found if inspect.isfunction(found) else getattr(found, '__call__', found)  # noqa: B004
    return 'asgi' if inspect.iscoroutinefunction(call) else 'wsgi'
