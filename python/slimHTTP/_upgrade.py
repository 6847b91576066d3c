"""Another process takes over from this one, so that the program is renewed and no client notices.

SIGUSR2 begins it (`_serve._run`), on a thread of its own: `Upgrade.begin` starts the program once
more with the sockets on which this process listens, and waits until that process serves. Then the
server retires; the main thread goes on to take turns until nobody is left, ends the applications,
and leaves. What one process says to the other, and to the service manager, is the extension's
(`Upgrade` there, docs/internals/upgrade.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from slimHTTP._package import interpreter
from slimHTTP._server import HTTP_SERVER
from slimHTTP._slimhttp import CommandLine
from slimHTTP._state import _persist

#: How long it waits at once for what the other process says (s): a stop ends that process by then.
_INTERVAL: Final = 0.1
#: How long it serves on when it is to make room (s): who has just connected may send a request.
_LAST_MOMENT: Final = 0.3


class Upgrade:
    """The upgrades of this process, which serves `http`.

    `begin` may run on several threads at once, one for each signal: only one of them starts a
    process. `end` is for the main thread, when it has stopped to serve.
    """

    def __init__(self, command: CommandLine, arguments: list[str], http: HTTP_SERVER) -> None:
        self._upgrade = command.upgrade([*interpreter(), *arguments])
        self._http = http
        self._looking = threading.Lock()
        self._ended = threading.Event()
        self._makes_room = False

    def begin(self, retired: Callable[[], None]) -> None:
        """Start a process that takes over, and wait until it does; calls `retired` then."""
        server = self._http._server
        step = self._upgrade.begin(server)
        # Where another thread looks already, this one has told that there is nothing to do.
        if not self._looking.acquire(blocking=False):
            return
        try:
            while step == 'look again' and not self._ended.is_set():
                step = self._upgrade.look(server, _INTERVAL)
        finally:
            self._looking.release()
        if step == 'retire':
            self._http._lifecycle.begin_grace_period()
            server.retire()
            retired()
        elif step == 'make room':
            self._makes_room = True
            server.stop_accepting()
            self._ended.wait(_LAST_MOMENT)
            self._http.stop()
            retired()

    def end(self) -> None:
        """End the process that is starting, or let the one go on that waits for the end of this."""
        self._ended.set()
        self._upgrade.abandon(self._http._server)
        if self._makes_room:
            # It waits for this file.
            _persist.close_all()
            self._upgrade.let_go()
