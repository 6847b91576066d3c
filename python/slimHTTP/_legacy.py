"""Inherited spellings: names that programs of slimHTTP 1.0 use.

New names are never added here, and nothing else in the package uses these.
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

from slimHTTP._server import HTTP_SERVER, HTTPS, server
from slimHTTP._slimhttp import HTTP_REQUEST

#: A request that is forwarded looks like any other.
HTTP_PROXY_REQUEST = HTTP_REQUEST


def host(mode: int = HTTPS, *args: Any, **kwargs: Any) -> HTTP_SERVER:
    """Do what `server` does, under its old name; warns (DeprecationWarning)."""
    warnings.warn(
        'slimHTTP.host() is now called slimHTTP.server()', DeprecationWarning, stacklevel=2
    )
    return server(mode, *args, **kwargs)


class VirtualStorage:
    """A place for a program's own modules and values.

    `sys.modules`, `sys.specs` and `storage` are empty dicts at first. slimHTTP
    itself keeps nothing in it; `slimHTTP.memory` is the better place for values.
    """

    def __init__(self) -> None:
        self.sys = SimpleNamespace(modules={}, specs={})
        self.storage: dict[Any, Any] = {}
