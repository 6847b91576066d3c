"""A worker as the supervisor has it: a process, its channel, and in which part of its life it is.

It is the program once more, with the same arguments; an environment variable tells it what it is,
and which descriptors are the channel and the sockets. The supervisor's only thread uses this, and
nothing here waits but `kill`.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import socket
import subprocess
import time
from typing import Any

from slimHTTP._package import interpreter
from slimHTTP._reload import ASSIGNMENT
from slimHTTP._reload._channel import Channel


class Stage(enum.Enum):
    """The parts of a worker's life, in their order."""

    STARTING = 'starting'
    SERVING = 'serving'
    ENDING = 'ending'


class WorkerProcess:
    """One worker. `shows_failure`: it has no program to serve, and shows why."""

    def __init__(
        self,
        arguments: list[str],
        sockets: list[tuple[str, socket.socket]],
        *,
        shows_failure: bool,
        greets: bool,
    ) -> None:
        self.shows_failure = shows_failure
        self.stage = Stage.STARTING
        self.began = time.monotonic()
        #: The same by the clock that files are dated by.
        self.began_at = time.time()
        #: When it is killed, once it is to end.
        self.deadline = 0.0
        #: How long it may take to end once it serves (s), as it has said.
        self.grace = 0.0
        ours, theirs = socket.socketpair()
        with theirs:
            named = [(name, listening.fileno()) for name, listening in sockets]
            passed = [theirs.fileno(), *(fileno for _, fileno in named)]
            assignment = {
                'channel': theirs.fileno(),
                'sockets': named,
                'shows_failure': shows_failure,
                'greets': greets,
            }
            try:
                self._process = subprocess.Popen(
                    [*interpreter(), *arguments],
                    env={**os.environ, ASSIGNMENT: json.dumps(assignment)},
                    pass_fds=passed,
                )
            except BaseException:
                ours.close()
                raise
        self.channel = Channel(ours)
        self.pid = self._process.pid

    def status(self) -> int | None:
        """Give how it has ended, as a shell does; None while it runs."""
        status = self._process.poll()
        return 128 - status if status is not None and status < 0 else status

    def send(self, kind: str, **fields: Any) -> None:
        """Send it a message, if it is still there; what it has no room for goes later."""
        if not self.channel.post(kind, **fields):
            self.kill()

    def send_rest(self) -> None:
        """Send what there was no room for."""
        if not self.channel.flush():
            self.kill()

    def end(self, margin: float, *, has_successor: bool = False) -> None:
        """Let it finish what it does, and end; it is killed `margin` after its grace is over.

        A successor accepts in its place.
        """
        if self.stage is Stage.ENDING:
            return
        starting = self.stage is Stage.STARTING
        self.stage = Stage.ENDING
        self.deadline = time.monotonic() + self.grace + margin
        if starting:
            # It does nothing for anybody yet, and may be in an import that never ends.
            self.kill()
        else:
            self.send('end', has_successor=has_successor)

    def has_failed(self, margin: float) -> None:
        """Wait for its end no longer than `margin`: it has said that it fails."""
        self.stage = Stage.ENDING
        self.deadline = time.monotonic() + margin

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """Let go of what is left of it, once it has ended."""
        self.channel.close()
