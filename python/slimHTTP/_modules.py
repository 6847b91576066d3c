"""Modules and scripts: Python files that answer requests.

The extension calls `Modules` through `_callbacks` for a request whose scope names a module, or
whose path leads to a script, on threads that are in `turn()`; several may run the same file at
once. A file is run afresh for every request, in a module object of its own; only its compiled
code is cached, by the file's identity. What a run registers for its own virtual host belongs to
that run and ends with it, so that the code just run answers, and nothing older. With
`module_reload` 'changed' or 'never' a run is cached too, and answers further requests.

The extension never opens a module; it opens scripts itself (they lie below
`web_root`, from which no path may lead out) and hands over what it has read.

The folder of a file that has been run is appended to `sys.path`, once, so that
`import helper` finds a sibling as it does for `python file.py`. Helpers are
ordinary modules: imported once, shared by name in the whole process, reloaded
by nobody.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from types import CodeType, CoroutineType, FrameType, ModuleType
from typing import Any, Final, Union

from slimHTTP import _log
from slimHTTP._errors import ModuleError
from slimHTTP._message._response import HTTP_RESPONSE
from slimHTTP._routes import same_host
from slimHTTP._serve._fork import LockOwner
from slimHTTP._slimhttp import HTTP_REQUEST, Routes, Script, WebSocketRoute
from slimHTTP._types import ServerInstance

#: Device, inode, size, and the times of the last writing and the last change
#: of the inode in nanoseconds: equal means that the file is the same.
Identity = tuple[int, int, int, int, int]

#: How many files' code is cached.
_MAX_CACHED: Final = 1024

#: A file system counts time in ticks, at most 10 ms each. A file that changed
#: less than this long ago (ns) may change again without its identity showing it,
#: so its code is not cached yet.
_STABLE_AFTER: Final = 100_000_000

#: How long a request waits for the run of a file that is to be run once (s).
_RUN_TIMEOUT: Final = 2.0


class Compiled:
    """The code of one state of one file."""

    __slots__ = ('code', 'identity', 'name', 'warned_of_silence')

    def __init__(self, identity: Identity, name: str, code: CodeType) -> None:
        self.identity = identity
        self.name = name
        self.code = code
        #: Whether the log says already that it defines nothing that answers.
        self.warned_of_silence = False


class CodeCache(LockOwner):
    """Compiled files by path, at most `max_entries` of them; the oldest goes first."""

    def __init__(self, max_entries: int = _MAX_CACHED) -> None:
        super().__init__()
        self._max_entries = max_entries
        self._cache: dict[str, Compiled] = {}

    def __len__(self) -> int:
        return len(self._cache)

    def module(self, path: str) -> Compiled:
        """Give the code of the module at `path` as it is now.

        Raises ModuleError where it cannot be read, SyntaxError where it does
        not parse.
        """
        try:
            identity = identity_of(os.stat(path))
            known = self._cache.get(path)
            if known is not None and known.identity == identity:
                return known
            with open(path, 'rb') as file:
                # What is read may be newer than what was found above.
                identity = identity_of(os.fstat(file.fileno()))
                source = file.read()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModuleError(f'the module `{path}` cannot be read: {reason}', path) from error
        return self._compile(path, source, identity)

    def script(self, path: str, script: Script) -> Compiled:
        """Give the code of `script`, opened at `path`, which is read only if it is new.

        Raises OSError where it cannot be read, SyntaxError where it does not parse.
        """
        # Before the reading: what is read may be newer than this, never older.
        identity = script.identity()
        known = self._cache.get(path)
        if known is not None and known.identity == identity:
            return known
        return self._compile(path, script.read(), identity)

    def _compile(self, path: str, source: bytes, identity: Identity) -> Compiled:
        code = compile(source, path, 'exec', dont_inherit=True)
        compiled = Compiled(identity, module_name(path), code)
        make_siblings_importable(path)
        if abs(time.time_ns() - identity[4]) > _STABLE_AFTER:
            with self._lock:
                self._cache.pop(path, None)  # A new state is the newest entry.
                while len(self._cache) >= self._max_entries:
                    oldest = self._cache.pop(next(iter(self._cache)))
                    sys.modules.pop(oldest.name, None)
                self._cache[path] = compiled
        return compiled


def identity_of(facts: os.stat_result) -> Identity:
    """Give the identity of a file from what `stat` tells."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@functools.lru_cache(maxsize=_MAX_CACHED)
def module_name(path: str) -> str:
    """Give the name under which the file at `path` runs, its own among all files.

    The file's name makes it readable, a digest of the whole path makes it its
    own. It has no dot, for pickle would import what stands before one.
    """
    stem = os.path.splitext(os.path.basename(path))[0].replace('.', '_')
    import hashlib  # It loads a library of its own, and only modules need it.

    digest = hashlib.blake2s(os.fsencode(path), digest_size=8).hexdigest()
    return f'{stem}_{digest}'


def make_siblings_importable(path: str) -> None:
    """Let `import` look in the folder of `path`, after everywhere else."""
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.append(folder)


code_cache: Final = CodeCache()


class Run:
    """One run of a file for one virtual host of one server, and what came of it."""

    __slots__ = ('compiled', 'instance', 'module', 'routes', 'vhost')

    def __init__(
        self, instance: ServerInstance | None, vhost: str | None, compiled: Compiled
    ) -> None:
        self.instance = instance
        self.vhost = vhost
        self.compiled = compiled
        #: What it registered for its own virtual host; None while that is nothing.
        self.routes: Routes | None = None
        code = compiled.code
        module = self.module = ModuleType(compiled.name)
        names = module.__dict__
        names['__file__'] = code.co_filename
        # The dict, as any imported module has it: programs add names to it.
        names['__builtins__'] = builtins.__dict__
        # Dataclasses and pickle look a class's module up there.
        sys.modules[compiled.name] = module
        token = _current_run.set(self)
        try:
            exec(code, names)
        finally:
            _current_run.reset(token)

    def is_current(self, compiled: Compiled) -> bool:
        """Tell whether this is a run of that state of the file."""
        return self.compiled.identity == compiled.identity

    def add_route(
        self,
        url: str,
        methods: list[str] | None,
        prefix: bool,
        handler: Callable[..., Any] | WebSocketRoute,
    ) -> None:
        """Register a route of this run; ValueError for a pattern that is none."""
        if self.routes is None:
            self.routes = Routes()
        self.routes.add(url, methods, prefix, handler)

    def answer(self, request: HTTP_REQUEST) -> Any:
        """Ask the run's routes, then `on_request`; None where neither answers."""
        on_request = self.module.__dict__.get('on_request')
        if self.routes is None:
            if on_request is None:
                self._warn_of_silence()
                return None
            return on_request(request)
        found = self.routes.find(request.url, request.method)
        if found is not None:
            handler, params = found
            if handler == 'methods':
                return HTTP_RESPONSE(
                    {'Allow': params, 'Content-Type': 'text/plain; charset=utf-8'},
                    f'This address answers {params}.\n',
                    ret_code=405,
                )
            request.params = params
            if isinstance(handler, WebSocketRoute):
                return handler
            result = handler(request)
            if result is not None:
                if on_request is not None and isinstance(result, CoroutineType):
                    return _route_then_on_request(result, on_request, request)
                return result
        return None if on_request is None else on_request(request)

    def _warn_of_silence(self) -> None:
        if not self.compiled.warned_of_silence:
            self.compiled.warned_of_silence = True
            _log.logger.warning(
                '%s answers nothing: looked for a function `on_request(request)` and for'
                ' routes registered for %s',
                self.compiled.code.co_filename,
                'the global level' if self.vhost is None else f'vhost={self.vhost!r}',
            )


async def _route_then_on_request(
    route: Coroutine[Any, Any, Any], on_request: Callable[..., Any], request: HTTP_REQUEST
) -> Any:
    """Await the route's answer; where it passes on, ask `on_request`."""
    result = await route
    if result is None:
        result = on_request(request)
        import inspect

        if inspect.isawaitable(result):
            result = await result
    return result


_current_run: ContextVar[Run | None] = ContextVar('slimHTTP module run', default=None)


def own_run(instance: object, url: str, vhost: str | None) -> Run | None:
    """Give the run that a route registered here and now belongs to.

    That is the file being run on this thread, if the route is for the server
    and the virtual host that it runs for; one for another virtual host belongs
    to the server, to stay, and the log says so once. A helper module is imported
    by the first run only, so what it registers while it is imported belongs to
    the server too.
    """
    run = _current_run.get()
    if run is None or run.instance is not instance:
        return None
    names = run.module.__dict__
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals is not names:
        if frame.f_code.co_filename == '<frozen importlib._bootstrap>':
            return None
        frame = frame.f_back
    if not same_host(vhost, run.vhost):
        _log.warn_once(
            f'the route `{url}` for {_scope(vhost)} is registered by the module of'
            f' {_scope(run.vhost)}: it belongs to the server and stays; to let it end with'
            f' this run of the module, register it with `vhost={run.vhost!r}`'
        )
        return None
    return run


def _scope(vhost: str | None) -> str:
    return 'the global level' if vhost is None else f'`{vhost}`'


class CachedRun(LockOwner):
    """The run of one file for one virtual host that answers until it is run again."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let one thread at a time look at `run` and, where need be, run the file.

        Whoever has waited for long goes on all the same: the file that is being
        run may be asking this very server, and wait for the answer. Then it is
        run twice, and the run that ends first is cached.
        """
        lock = self._lock
        locked = lock.acquire(timeout=_RUN_TIMEOUT)
        try:
            yield
        finally:
            if locked:
                lock.release()


class Modules(LockOwner):
    """The modules and scripts of one server: runs them, keeps what `module_reload` says."""

    def __init__(self) -> None:
        super().__init__()
        # By path and virtual host. Each has its lock, so that two threads do
        # not both run what is to be run once.
        self._cache: dict[tuple[str, str | None], CachedRun] = {}

    def run_module(
        self, instance: ServerInstance | None, request: HTTP_REQUEST, path: str, reload: str
    ) -> Any:
        """Answer `request` by the module at `path`.

        `reload` is 'always' (run it for this request), 'changed' (only if it is
        not the same file as last time) or 'never' (only if it has not run yet).
        Gives what it answers, a coroutine if that is asynchronous, or None.
        Raises what it raises.
        """
        if reload == 'always':
            return Run(instance, request.vhost, code_cache.module(path)).answer(request)
        return self._run_cached(instance, request, path, reload, lambda: code_cache.module(path))

    def run_script(
        self,
        instance: ServerInstance | None,
        request: HTTP_REQUEST,
        path: str,
        script: Script,
        reload: str,
    ) -> Any:
        """Answer `request` by `script`, which was found and opened at `path`.

        All else is as for `run_module`.
        """
        if reload == 'always':
            return Run(instance, request.vhost, code_cache.script(path, script)).answer(request)
        return self._run_cached(
            instance, request, path, reload, lambda: code_cache.script(path, script)
        )

    def _run_cached(
        self,
        instance: ServerInstance | None,
        request: HTTP_REQUEST,
        path: str,
        reload: str,
        compiled: Callable[[], Compiled],
    ) -> Any:
        vhost = request.vhost
        cached = self._cache.get((path, vhost))
        if cached is None:
            with self._lock:
                cached = self._cache.setdefault((path, vhost), CachedRun())
        run = cached.run
        # Whoever finds a run that may answer waits for nobody.
        if run is not None and (reload == 'never' or run.is_current(compiled())):
            return run.answer(request)
        with cached.exclusive():
            run = before = cached.run
            if run is None or reload == 'changed':
                now = compiled()
                if run is None or not run.is_current(now):
                    # A run that fails is not cached: the next request tries again.
                    run = Run(instance, vhost, now)
                    if cached.run is before or cached.run is None:
                        cached.run = run
                    else:  # Another thread was quicker.
                        run = cached.run
        return run.answer(request)


PathLike = Union[str, 'os.PathLike[str]']


class Imported:
    """Run a Python file and use its module: `with Imported('./tool.py') as tool:`.

    `path` is the file, made absolute. `namespace` is the module's `__name__`;
    without one it is the file's own name among all files. It is run each time
    a block begins and is in `sys.modules` only until the block ends.

    Raises ModuleError where the file cannot be read, SyntaxError where it does
    not parse, and whatever it raises itself.
    """

    def __init__(self, path: PathLike, namespace: str | None = None) -> None:
        self.path = os.path.abspath(path)
        self.namespace = namespace
        self._inside = contextlib.ExitStack()

    def __enter__(self) -> ModuleType:
        compiled = code_cache.module(self.path)
        module = ModuleType(self.namespace or compiled.name)
        module.__dict__.update(__file__=self.path, __builtins__=builtins.__dict__)
        with contextlib.ExitStack() as inside:
            inside.enter_context(_in_sys_modules(module))
            exec(compiled.code, module.__dict__)
            self._inside = inside.pop_all()
        return module

    def __exit__(self, *exception: object) -> None:
        self._inside.close()

    def __repr__(self) -> str:
        return f'<Imported {self.path}>'


@contextlib.contextmanager
def _in_sys_modules(module: ModuleType) -> Iterator[None]:
    """Keep `module` in `sys.modules`, then put back what stood there."""
    name = module.__name__
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        if before is not None:
            sys.modules[name] = before
        else:
            sys.modules.pop(name, None)
