"""Servers as users start them: in this process, as a program, by the command line.

What is started here is ended here, by its process id.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from support.client import Address, Client, get
from support.measuring import resident_memory
from support.paths import REPOSITORY
from support.response import Response
from support.waiting import PATIENCE, START_PATIENCE, Deadline, wait_until


def tree(folder: Union[str, Path], files: Mapping[str, Any]) -> Path:
    """Make files: text, bytes, or a mapping for a folder; names may hold slashes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if isinstance(content, Mapping):
            tree(path, content)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def unix_socket(folder: Path, name: str) -> socket.socket:
    """A socket of this machine, whose file is `name` in `folder`."""
    bound = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(folder)  # The name of a socket has at most 107 bytes.
    try:
        bound.bind(name)
    finally:
        os.chdir(here)
    return bound


#: How long ago a file must have changed for the server to keep it (s).
SETTLED = 2.0


def settle(*paths: Path) -> None:
    """Wait until files, and all that is in folders, changed so long ago that the server keeps them."""
    every = [path for top in paths for path in (top, *top.rglob('*'))]
    newest = max(path.lstat().st_ctime for path in every)
    wait_until(lambda: time.time() > newest + SETTLED + 0.1, 'the age of a file')


class Serving:
    """A server of this process while it serves."""

    def __init__(self, http: Any, host: str = '127.0.0.1') -> None:
        self.http = http
        self.address: Address = (host, http.port)

    def client(self, **options: Any) -> Client:
        return Client(self.address, **options)

    def get(self, target: str = '/', host: Optional[str] = '', **headers: str) -> Response:
        return get(self.address, target, host, **headers)


@contextlib.contextmanager
def serving(
    *, mode: Optional[int] = None, addr: str = '127.0.0.1', **config: Any
) -> Iterator[Serving]:
    """Serve `config` on a free port of this process, in the background, for the block."""
    import slimHTTP

    config.setdefault('port', 0)
    config.setdefault('quiet', True)
    with slimHTTP.server(slimHTTP.HTTP if mode is None else mode, addr=addr, **config) as http:
        yield Serving(http, addr or '127.0.0.1')


def _heed_interrupts() -> None:
    # A shell makes its background jobs ignore Ctrl-C, and their children inherit it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A program that may greet with the URL where it serves; ended by its id.

    Its output is kept, whole, and can be waited for.
    """

    def __init__(
        self,
        command: Iterable[Union[str, os.PathLike]],
        cwd: Union[str, Path, None] = None,
        env: Optional[Mapping[str, str]] = None,
        pass_fds: Iterable[int] = (),
    ) -> None:
        environment = {**os.environ, 'PYTHONUNBUFFERED': '1', 'NO_COLOR': '1', **(env or {})}
        # What stands in for a flag of the program, or is its log.
        for name in [
            name for name in environment if name == 'PORT' or name.startswith('SLIMHTTP_')
        ]:
            if name not in (env or {}):
                del environment[name]
        self.command = [os.fspath(part) for part in command]
        self._process = subprocess.Popen(
            self.command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(pass_fds),
            preexec_fn=_heed_interrupts
            if signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            else None,
        )
        self.pid = self._process.pid
        self._news = threading.Condition()
        self._output = {'stdout': b'', 'stderr': b''}
        self._open = 2
        self._readers = [
            threading.Thread(
                target=self._read, args=(name, getattr(self._process, name)), daemon=True
            )
            for name in self._output
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, pipe: Any) -> None:
        with pipe:
            while True:
                data = os.read(pipe.fileno(), 65536)
                with self._news:
                    if not data:
                        self._open -= 1
                    self._output[name] += data
                    self._news.notify_all()
                if not data:
                    return

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def stdout(self) -> str:
        return self._output['stdout'].decode('utf-8', 'replace')

    @property
    def stderr(self) -> str:
        return self._output['stderr'].decode('utf-8', 'replace')

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(
        self, pattern: str, stream: str = 'stderr', patience: float = START_PATIENCE, count: int = 1
    ) -> re.Match:
        """Wait until `pattern` has matched `count` times in what it wrote; give the last match."""
        deadline = Deadline(patience)
        with self._news:
            while True:
                matches = list(re.finditer(pattern, getattr(self, stream)))
                if len(matches) >= count:
                    return matches[count - 1]
                if deadline.passed or self._open == 0:
                    why = 'it ended' if self._open == 0 else f'{patience} s passed'
                    raise AssertionError(
                        f'{" ".join(self.command)}: {why} before {pattern!r} came on {stream}\n'
                        f'--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}'
                    )
                self._news.wait(min(deadline.left, 1.0))

    @property
    def url(self) -> str:
        """The URL of its (first) greeting; waits for it."""
        return self.wait_for(r'https?://[^\s/]+/')[0]

    @property
    def port(self) -> int:
        return self.nth_port(1)

    def nth_port(self, n: int) -> int:
        """The port of the n-th greeting, from 1; waits for it."""
        return int(self.wait_for(r'https?://[^\s/]+:(\d+)/', count=n)[1])

    @property
    def address(self) -> Address:
        return ('127.0.0.1', self.port)

    def client(self, **options: Any) -> Client:
        return Client(self.address, **options)

    def get(self, target: str = '/', host: Optional[str] = '', **headers: str) -> Response:
        return get(self.address, target, host, **headers)

    def send_signal(self, number: int) -> None:
        """Send a signal to this very process."""
        if self.running:
            os.kill(self.pid, number)

    def wait(self, patience: float = START_PATIENCE) -> int:
        """Wait until it ends; give its status (negative: the signal that ended it)."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f'{" ".join(self.command)} did not end within {patience} s\n{self.stderr}'
            ) from None
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def stop(self, number: int = signal.SIGTERM, patience: float = START_PATIENCE) -> int:
        """Ask it to end by a signal and wait until it has; give its status."""
        self.send_signal(number)
        return self.wait(patience)

    def kill(self) -> None:
        """End it now, if it still runs."""
        if self.running:
            self._process.kill()
            self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)

    def memory(self) -> int:
        """Its resident memory in bytes."""
        return resident_memory(self.pid)


class Program(Process):
    """A Python program, from its source or its file, started as `python FILE`."""

    def __init__(
        self,
        source: Union[str, Path],
        *args: str,
        cwd: Union[str, Path, None] = None,
        env: Optional[Mapping[str, str]] = None,
        options: Iterable[str] = (),
    ) -> None:
        what = [source] if isinstance(source, Path) else ['-c', source]
        super().__init__([sys.executable, *options, *what, *args], cwd, env)


class Cli(Process):
    """The program `slimhttp`: `Cli('serve', folder)`, `Cli('run', file)`, `Cli('check', file)`.

    With `python=True` it is `python -m slimHTTP`. `serve` takes a free port of
    127.0.0.1 unless told otherwise.
    """

    def __init__(
        self,
        command: str,
        *args: Union[str, Path],
        python: bool = False,
        cwd: Union[str, Path, None] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        if command == 'serve' and not {'--port', '-p', '--addr'} & set(map(str, args)):
            args = (*args, '--addr', '127.0.0.1', '--port', '0')
        program = [sys.executable, '-m', 'slimHTTP'] if python else [self.binary()]
        super().__init__([*program, command, *args], cwd, env)

    @staticmethod
    def binary() -> str:
        """Where the program is: `SLIMHTTP_BIN`, else the newest one built here."""
        given = os.environ.get('SLIMHTTP_BIN')
        if given:
            return given
        built = [REPOSITORY / 'target' / kind / 'slimhttp' for kind in ('release', 'debug')]
        built = sorted(
            (path for path in built if path.exists()), key=lambda path: path.stat().st_mtime
        )
        if not built:
            raise AssertionError(
                'the program slimhttp is not built: cargo build -p slimhttp-cli, or set SLIMHTTP_BIN'
            )
        return os.fspath(built[-1])


#: The three entry points that lead to one server.
ENTRY_POINTS = ('import', 'cli', 'python-m')

_SERVES_ITS_ARGUMENT = """
import json, sys, slimHTTP
config = json.loads(sys.argv[1])
secure = 'cert' in config or isinstance(config.get('ssl'), dict)
slimHTTP.server(slimHTTP.HTTPS if secure else slimHTTP.HTTP, **config).run()
"""


def launch(
    entry_point: str,
    folder: Path,
    config: Mapping[str, Any],
    files: Optional[Mapping[str, Any]] = None,
    env: Optional[Mapping[str, str]] = None,
) -> Process:
    """Start a server of `config` through one of `ENTRY_POINTS`, with relative paths below `folder`.

    It listens on a free port of 127.0.0.1 unless the configuration says otherwise.
    """
    tree(folder, files or {})
    config = {'addr': '127.0.0.1', 'port': 0, **config}
    if entry_point == 'import':
        return Program(_SERVES_ITS_ARGUMENT, json.dumps(config), cwd=folder, env=env)
    file = folder / 'site.json'
    file.write_text(json.dumps(config, indent=2))
    return Cli('run', file, python=entry_point == 'python-m', cwd=folder.parent, env=env)
