"""A worker: the program itself, which serves on the sockets that the supervisor keeps.

The main thread opens the server, with all that it imports, and serves. Another thread listens to
the supervisor for as long as the process lives, and tells it which modules are loaded; so the
worker ends when the supervisor does, even out of an import that never ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import sysconfig
import threading
from typing import Any, Final, NoReturn

from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._callbacks import Callbacks
from slimHTTP._debug import _failed_start
from slimHTTP._reload import listens_on
from slimHTTP._reload._channel import Channel
from slimHTTP._serve import _run
from slimHTTP._server import HTTP_SERVER
from slimHTTP._slimhttp import CommandLine, Server

#: How often it is looked whether there are new modules (s).
_INTERVAL: Final = 0.5
#: How long it goes on once its successor accepts (s): who has just connected may send a request.
_HANDOVER: Final = 0.3
#: How long the end may take beyond the grace periods of requests and of `on_stop` (s).
_MARGIN: Final = 2.0

_Message = dict[str, Any]


def work(assignment: str, arguments: list[str], *, as_module: bool) -> int:
    """Serve as the supervisor has assigned; gives the exit status."""
    assigned = json.loads(assignment)
    end = socket.socket(fileno=assigned['channel'])
    sockets = [(name, socket.socket(fileno=fileno)) for name, fileno in assigned['sockets']]
    for inherited in (end, *(bound for _, bound in sockets)):
        # Of this process alone: what a program starts must not keep them open.
        inherited.set_inheritable(False)
    worker = _Worker(Channel(end), sockets, greets=assigned['greets'])
    if assigned['shows_failure']:
        return worker.show_failure()
    return worker.serve(arguments, as_module=as_module)


class _Worker:
    """The worker that this process is."""

    def __init__(
        self, channel: Channel, sockets: list[tuple[str, socket.socket]], *, greets: bool
    ) -> None:
        self._channel = channel
        self._sockets = sockets
        self._greets = greets
        self._http: HTTP_SERVER | None = None
        self._alone = threading.Event()
        #: What is shown from the beginning, and to whom.
        self._shown: _Message | None = None
        self._everybody = False
        self._reported: set[str] = set()

    def serve(self, arguments: list[str], *, as_module: bool) -> int:
        """Open the server of the command line and serve; tell the supervisor how that goes."""
        threading.Thread(target=self._listen, name='slimHTTP supervisor', daemon=True).start()
        command = CommandLine.read(arguments, as_module)
        if isinstance(command, tuple):
            status, message = command
            return self._fail(status, _failed_start.of_text(message))
        if command.persists:
            # One process at a time has the file of the memory.
            self._channel.send('alone')
            self._alone.wait()
        reached = listens_on(command.reached)
        self._stay(command.endpoint)
        callbacks = Callbacks()
        try:
            server = command.open(callbacks, self._give)
            if isinstance(server, str):
                return self._fail(1, _failed_start.of_text(server))
            http = HTTP_SERVER._from_opened(server, callbacks)
            return self._run(http, reached)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self._http is not None:
                raise
            failure = _failed_start.of_error(error, 'the start of the server')
            return self._fail(1, failure)

    def show_failure(self) -> int:
        """Show whoever asks for anything what the supervisor sends."""
        self._everybody = True
        reached: _Message | None = None
        while reached is None or self._shown is None:
            self._channel.wait()
            messages = self._channel.receive()
            if messages is None:
                return 1
            for message in messages:
                if message['kind'] == 'reached':
                    reached = message
                elif message['kind'] == 'show':
                    self._shown = message
        threading.Thread(target=self._listen, name='slimHTTP supervisor', daemon=True).start()
        callbacks = Callbacks()
        server = Server(
            tls=reached['tls'],
            address=reached['address'],
            port=reached['port'],
            config=reached['config'],
            base=reached['base'],
            callbacks=callbacks,
            give=self._give,
        )
        self._greets = False
        http = HTTP_SERVER._from_opened(server, callbacks)
        return self._run(http, listens_on(reached))

    def _run(self, http: HTTP_SERVER, reached: list[Any]) -> int:
        """Serve until the supervisor, or a signal, ends it."""
        server = http._server

        def start() -> list[threading.Thread]:
            if self._shown is not None:
                # Before anybody is answered.
                self._show_on(server, self._shown)
            threads = http._start(greeting=self._greets)
            self._http = http
            grace = 2 * server.grace_period + _MARGIN
            self._channel.send('ready', grace=grace, listens_on=reached, files=self._new_files())
            return threads

        failed = _run.run_with_applications(
            http, server, http._lifecycle, http._hosting, http._prepare, start
        )
        if not failed:
            return 0
        label, error = failed[0]
        if isinstance(error, ApplicationFault):
            # It says all that there is, and no code of the program is to blame.
            failure = _failed_start.of_text(f'{label}: {error}\n')
        else:
            failure = _failed_start.of_error(error, label)
        # The log has told it already.
        return self._fail(1, failure, tells=False)

    def _stay(self, endpoint: str) -> None:
        """Listen first where the supervisor does, whatever the configuration names by now."""
        first = self._sockets[0][0]
        self._sockets = [
            (endpoint if name == first else name, bound) for name, bound in self._sockets
        ]

    def _give(self, descriptor: int) -> None:
        """Send the sockets to the extension, whose own they are then."""
        with socket.socket(fileno=descriptor) as channel:
            names = '\n'.join(name for name, _ in self._sockets).encode()
            socket.send_fds(channel, [names], [bound.fileno() for _, bound in self._sockets])
        for _, bound in self._sockets:
            bound.close()

    def _fail(self, status: int, failure: _Message, *, tells: bool = True) -> int:
        """Tell why nothing is served."""
        if tells and sys.stderr is not None:
            sys.stderr.write(failure['text'])
            sys.stderr.flush()
        files = [*self._new_files(), *failure.pop('sources', [])]
        self._channel.send('failed', files=files, **failure)
        return status

    # The thread that listens to the supervisor.

    def _listen(self) -> None:
        while True:
            if not self._channel.wait(_INTERVAL):
                files = self._new_files() if self._http is not None else []
                if files:
                    self._channel.send('files', files=files)
                continue
            messages = self._channel.receive()
            if messages is None:
                self._end()
            for message in messages:
                if message['kind'] == 'end':
                    self._end(has_successor=message['has_successor'])
                elif message['kind'] == 'alone':
                    self._alone.set()
                elif message['kind'] == 'show' and self._http is not None:
                    self._show_on(self._http._server, message)

    def _show_on(self, server: Server, message: _Message) -> None:
        page = (message['page'], message['policy'])
        server.show_failed_start(page, message['text'], self._everybody)

    def _end(self, *, has_successor: bool = False) -> NoReturn:
        """Stop the server; end the process where that takes too long, or none serves yet."""
        http = self._http
        if http is not None:
            if has_successor:
                http._server.stop_accepting()
                # Not for what the supervisor says, which is nothing more; but for its end.
                self._channel.wait(_HANDOVER)
            http.stop()
            # The main thread ends the process meanwhile, and this thread with it.
            threading.Event().wait(2 * http._server.grace_period + _MARGIN)
        os._exit(1)

    def _new_files(self) -> list[str]:
        """Give the files of modules of the program that are loaded since the last time."""
        files = []
        for module in list(sys.modules.values()):
            with contextlib.suppress(Exception):  # It may be any object, and answer anything.
                file = vars(module).get('__file__')
                if isinstance(file, str) and file not in self._reported and _is_own(file):
                    self._reported.add(file)
                    files.append(os.path.abspath(file))
        return files


_LIBRARIES: Final = tuple(
    {
        os.path.join(sysconfig.get_path(name), '')
        for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')
    }
)


def _is_own(file: str) -> bool:
    """Tell whether somebody may edit a file: it is none of a library."""
    parts = file.split(os.sep)
    return (
        not file.startswith(('<', *_LIBRARIES))
        and 'site-packages' not in parts
        and 'dist-packages' not in parts
    )
