"""`python -m slimHTTP serve|run|check …`, and the program `slimhttp` that the wheel installs.

The flags, the files and every message are the extension's, the same as those of the
program `slimhttp` without Python; what needs Python is added. All of it runs on the
main thread, which serves until a signal ends it or another process takes over (see `_upgrade`), or
supervises the processes that do (`--reload`, see `_reload`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

from slimHTTP import _log
from slimHTTP._callbacks import Callbacks
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._reload import ASSIGNMENT
from slimHTTP._serve import _run
from slimHTTP._server import HTTP_SERVER
from slimHTTP._slimhttp import CommandLine
from slimHTTP._upgrade import Upgrade


def main() -> None:
    """Do what the arguments say, then leave with the status that tells how it went."""
    as_module = os.path.basename(sys.argv[0]) == '__main__.py'
    sys.exit(command_line(sys.argv[1:], as_module=as_module))


def command_line(arguments: list[str], *, as_module: bool) -> int:
    """Do what the command line asks for; gives the exit status.

    `as_module` says that it was called as `python -m slimHTTP`, and not by the name
    under which the wheel installs it.
    """
    _log.show_by_default()
    # Not for what the program itself starts.
    assignment = os.environ.pop(ASSIGNMENT, None)
    if assignment is not None:
        from slimHTTP._reload import _worker

        return _interruptible(lambda: _worker.work(assignment, arguments, as_module=as_module))
    command = CommandLine.read(arguments, as_module)
    for name in CommandLine.own_variables():
        os.environ.pop(name, None)
    if isinstance(command, tuple):
        status, message = command
        _say(message)
        return status
    if command.reload is not None:
        from slimHTTP._reload import _supervisor

        return _supervisor.supervise(arguments, command)
    is_successor = command.is_successor
    # What it takes over from has its applications.
    needs_applications = command.needs_application or is_successor
    callbacks = Callbacks()
    # One process at a time has the file of the memory.
    faults = command.wait_until_alone() if is_successor and command.persists else None
    server = command.open(callbacks) if faults is None else faults
    if isinstance(server, str):
        _say(server)
        return 1
    try:
        http = HTTP_SERVER._from_opened(server, callbacks)
        upgrade = Upgrade(command, arguments, http)
        return _interruptible(
            lambda: _serve(http, command, upgrade, needs_applications=needs_applications)
        )
    except slimHTTP_Error as refused:
        # The file of the memory, or the event loop: nothing of the user's own is at fault, so
        # there is no traceback to show.
        command.fail(str(refused))
        _say(f'slimhttp: {refused}\n')
        return 1


def _serve(
    http: HTTP_SERVER, command: CommandLine, upgrade: Upgrade, *, needs_applications: bool
) -> int:
    """Serve until it is stopped; with `needs_applications` not without what it is to serve."""

    def start() -> list[threading.Thread]:
        threads = http._start(greeting=True)
        command.serves(http._server)
        return threads

    server, lifecycle = http._server, http._lifecycle
    try:
        if not needs_applications:
            _run.run(http, server, lifecycle, http._prepare, start, upgrade.begin)
            return 0
        failed = _run.run_with_applications(
            http, server, lifecycle, http._hosting, http._prepare, start, upgrade.begin
        )
    finally:
        upgrade.end()
    if not failed:
        return 0
    # The log has said why.
    label, error = failed[0]
    command.fail(f'{label}: {error}')
    return 1


def _interruptible(serve: Callable[[], int | None]) -> int:
    """Serve, and give the exit status; a second Ctrl-C has one of its own."""
    try:
        return serve() or 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _say(message: str) -> None:
    # With standard error gone there is nobody to read it.
    if message and sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(message)


if __name__ == '__main__':
    main()
