"""`python -m slimHTTP serve|run|check …`, and the program `slimhttp` that the wheel installs.

The flags, the files and every message are the extension's, the same as those of the
program `slimhttp` without Python; only modules and scripts are added. All of it runs on the
main thread, which serves until a signal ends it.
"""

from __future__ import annotations

import os
import signal
import sys

from slimHTTP._callbacks import Callbacks
from slimHTTP._errors import slimHTTP_Error
from slimHTTP._server import HTTP_SERVER
from slimHTTP._slimhttp import Server


def main() -> None:
    """Do what the arguments say, then leave with the status that tells how it went."""
    as_module = os.path.basename(sys.argv[0]) == '__main__.py'
    sys.exit(command_line(sys.argv[1:], as_module=as_module))


def command_line(arguments: list[str], *, as_module: bool) -> int:
    """Do what the command line asks for; gives the exit status.

    `as_module` says that it was called as `python -m slimHTTP`, and not by the name
    under which the wheel installs it.
    """
    callbacks = Callbacks()
    server = Server.from_command_line(arguments, callbacks, as_module)
    if isinstance(server, int):
        return server
    try:
        http = HTTP_SERVER._from_opened(server, callbacks)
    except slimHTTP_Error as refused:
        # The file of the memory: nothing of the user's own has run yet, so there is
        # no traceback to show.
        if sys.stderr is not None:
            sys.stderr.write(f'slimhttp: {refused}\n')
        return 1
    try:
        http.run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == '__main__':
    main()
