"""Why a handler was asked: which option of the configuration, or which registration.

The debug page shows these lines under the failure. The configuration is read as it is now, on
the thread of the handler; it may have changed since the request was planned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from slimHTTP._callables import code_of
from slimHTTP._debug._failure import safe_getattr
from slimHTTP._routes import same_host
from slimHTTP._slimhttp import Server


def steps(server: Server, request: Any, what: str) -> list[str]:
    """Give what led to `what`, line by line; nothing where that cannot be found out."""
    try:
        return list(_steps(server, request, what))
    except Exception:  # The configuration may be another one by now.
        return []


def _steps(server: Server, request: Any, what: str) -> Iterator[str]:
    vhost = safe_getattr(request, 'vhost')
    if what.startswith('route '):
        for of, path, methods, _prefix, handler in server.routes():
            if what.startswith(f'route `{path}` (') and (of == vhost or same_host(of, vhost)):
                args = [repr(path)]
                args += [] if of is None else [f'vhost={of!r}']
                args += [] if methods is None else [f'methods={methods!r}']
                yield f'`@http.route({", ".join(args)})` at {_place(handler)}'
        return
    key = 'module' if what.startswith('module ') else 'web_root'
    path = safe_getattr(request, 'url')
    for way in _ways(server, vhost, path if isinstance(path, str) else '/', key):
        written = _written(server, way)
        if written is not None:
            yield f'by `{_spelled(way)} = {json.dumps(written, ensure_ascii=False)}`'
            return
    if key == 'web_root':
        yield 'by `web_root = "/srv/http"`, the default'


def _ways(server: Server, vhost: str | None, path: str, key: str) -> Iterator[tuple[str, ...]]:
    """Give where the option of a request may stand, the innermost place first."""
    scopes: list[tuple[str, ...]] = [()] if vhost is None else [('vhosts', vhost), ()]
    for scope in scopes:
        mounts = _written(server, (*scope, 'mounts'))
        if isinstance(mounts, dict):
            # A scope without mounts has those of the global level.
            answering = [prefix for prefix in mounts if _is_below(path, prefix)]
            if answering:
                yield (*scope, 'mounts', max(answering, key=len), key)
            break
    for scope in scopes:
        yield (*scope, key)


def _is_below(path: str, prefix: str) -> bool:
    prefix = prefix.rstrip('/')
    return path == prefix or path.startswith(prefix + '/')


def _written(server: Server, way: tuple[str, ...]) -> Any:
    try:
        return server.get(way)
    except KeyError:
        return None


def _spelled(way: tuple[str, ...]) -> str:
    # Every second one is a name of a virtual host, or a prefix.
    spelled = [
        json.dumps(key, ensure_ascii=False) if place % 2 else key for place, key in enumerate(way)
    ]
    return '.'.join(spelled)


def _place(handler: Any) -> str:
    """Give where a handler is written: `/srv/app.py`, line 7."""
    code = code_of(handler)
    if code is None:
        return f'`{handler!r}`'
    return f'`{code.co_filename}`, line {code.co_firstlineno}'
