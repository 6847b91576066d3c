"""`--reload`: a supervisor starts the server anew after an edit, in a process of its own.

The supervisor (`_supervisor`) never imports what it serves. It binds the sockets, starts workers
(`_worker_process` is its view of one, `_worker` what runs in one), looks for edits (`_watch`),
and talks with each worker by messages (`_channel`). docs/internals/reload.md tells who waits for
whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The variable of the environment by which a worker knows that it is one.
ASSIGNMENT: Final = 'SLIMHTTP_WORKER'


def listens_on(reached: Mapping[str, Any]) -> list[Any]:
    """Give where a server is to listen, by what `CommandLine.reached` says of it."""
    return [reached['address'], reached['port'], reached['config'].get('listen')]
