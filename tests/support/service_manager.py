"""A service manager as systemd is one: it reads notices, and hands sockets to what it starts."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from support.servers import Cli, Process
from support.waiting import START_PATIENCE, Deadline

#: The process, the user and the group of whoever has sent a datagram (unix(7)).
_CREDENTIALS = struct.Struct('iII')


class Notice(NamedTuple):
    """What a process has said: its number, and the fields in their order."""

    pid: int
    fields: dict[str, str]


class Notices:
    """The socket that `NOTIFY_SOCKET` names; `env` is for the process that is to write to it."""

    def __init__(self, folder: Path, *, abstract: bool = False) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The system says who has sent each of them.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        name = f'{os.getpid()}-{id(self)}'
        path = f'slimhttp-{name}' if abstract else f'/tmp/slimhttp-notify-{name}'
        self._file = None if abstract else Path(path)
        self._socket.bind('\0' + path if abstract else path)
        self.env = {'NOTIFY_SOCKET': '@' + path if abstract else path}

    def __enter__(self) -> Notices:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()
        if self._file is not None:
            self._file.unlink()

    def read(self, patience: float = START_PATIENCE) -> Notice:
        """The next notice."""
        self._socket.settimeout(patience)
        space = socket.CMSG_SPACE(_CREDENTIALS.size)
        data, ancillary, _, _ = self._socket.recvmsg(8192, space)
        ((_, kind, credentials),) = ancillary
        assert kind == socket.SCM_CREDENTIALS
        pid, _, _ = _CREDENTIALS.unpack(credentials)
        return Notice(pid, dict(line.split('=', 1) for line in data.decode().splitlines()))

    def read_until(self, name: str) -> Notice:
        """The next notice with that field; those before it are passed over."""
        deadline = Deadline(START_PATIENCE)
        while not deadline.passed:
            notice = self.read(deadline.left)
            if name in notice.fields:
                return notice
        raise AssertionError(f'no notice has {name}')

    def rest(self) -> list[Notice]:
        """Those that have come and are not read."""
        notices = []
        while True:
            try:
                notices.append(self.read(0.01))
            except (TimeoutError, socket.timeout):
                return notices


#: Starts the rest of its arguments with descriptors from 3 on, as sd_listen_fds(3) says.
_STARTS = """
import fcntl, json, os, sys
options = json.loads(sys.argv[1])
# Out of the way first, for one may stand where another belongs.
moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 50) for number in options['descriptors']]
for number in options['descriptors']:
    os.close(number)
for number, descriptor in enumerate(moved, 3):
    os.dup2(descriptor, number, inheritable=True)
environment = dict(os.environ, LISTEN_FDS=options['count'] or str(len(moved)))
environment['LISTEN_PID'] = options['pid'] or str(os.getpid())
if options['names'] is not None:
    environment['LISTEN_FDNAMES'] = options['names']
os.execvpe(sys.argv[2], sys.argv[2:], environment)
"""


class Activated(Process):
    """`slimhttp` or `python -m slimHTTP`, started with sockets that listen.

    `names` are those of the sockets; `pid` is for whom they are, unless for itself; `count` is how
    many there are said to be.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        *arguments: Any,
        python: bool,
        cwd: Path,
        names: Optional[str] = None,
        pid: str = '',
        count: str = '',
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        descriptors = [listening.fileno() for listening in sockets]
        options = json.dumps(
            {'descriptors': descriptors, 'names': names, 'pid': pid, 'count': count}
        )
        program = [sys.executable, '-m', 'slimHTTP'] if python else [Cli.binary()]
        starts = [sys.executable, '-c', _STARTS, options]
        super().__init__([*starts, *program, *arguments], cwd, env, pass_fds=descriptors)


def listening(address: str = '127.0.0.1', port: int = 0) -> socket.socket:
    """A socket that listens, as systemd binds it."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    bound.bind((address, port))
    bound.listen()
    return bound
