"""The event loop for `async def` handlers: one thread for the whole process.

It runs while a server uses it and ends with the last one. Each server has a
file descriptor that is readable while coroutines wait for the loop; on this
thread, and on no other, the extension turns them into tasks and delivers what
they give.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, Final

from slimHTTP import _log, _threads
from slimHTTP._slimhttp import Server

_lock = threading.Lock()
_servers: Final[dict[Server, int]] = {}
#: The loop that serves; None from the moment it is told to end.
_loop: asyncio.AbstractEventLoop | None = None


def attach(server: Server) -> None:
    """Let the loop serve `server`, and start it if need be; a second call does nothing."""
    global _loop
    if server in _servers:
        return
    with _lock:
        if server in _servers:
            return
        loop = _loop
        if loop is None:
            loop = _loop = asyncio.new_event_loop()
            _threads.start(_main, loop, name='slimHTTP event loop')
        descriptor = _servers[server] = server.async_fd()
        loop.call_soon_threadsafe(_watch, loop, server, descriptor)


def detach(server: Server) -> None:
    """Let go of a server that is closed; the loop ends if it was the last one."""
    global _loop
    with _lock:
        descriptor = _servers.pop(server, None)
        loop = _loop
        if descriptor is None or loop is None:
            return
        last = not _servers
        if last:
            _loop = None
        with contextlib.suppress(RuntimeError):  # Closed: its thread has died.
            loop.call_soon_threadsafe(_unwatch, loop, server, descriptor, last)


def is_here() -> bool:
    """Tell whether this runs on the loop, in an `async def` handler or a task of one."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


def _watch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int) -> None:
    loop.add_reader(descriptor, server.async_turn, loop.create_task)


def _unwatch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int, last: bool) -> None:
    try:
        loop.remove_reader(descriptor)
        # The last turn of a closed server cancels what still runs for it.
        server.async_turn(loop.create_task)
    finally:
        if last:
            loop.stop()


def _run_until_let_go(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until `detach` lets go of it, whatever a handler raises or stops."""
    while True:
        try:
            loop.run_forever()
        except SystemExit:
            # asyncio lets it out of the loop; to the server it is a failure like any
            # other, which its task has noted.
            pass
        except KeyboardInterrupt:
            for server in list(_servers):
                server.stop()
                server.wake()
        else:
            if loop is _loop:
                _log.logger.warning('a handler has stopped the event loop; it goes on')
        if loop is not _loop:
            return


def _see_through(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    """Run `loop` until `work` is done, whatever a task raises or stops."""
    task = loop.create_task(work)
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt, RuntimeError):
            # RuntimeError: the loop was stopped before the task was done.
            if _threads.is_ending():
                return


async def _end_tasks() -> None:
    """Cancel what is left on the loop and wait until it has cleaned up."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _main(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        _run_until_let_go(loop)
    finally:
        try:
            _see_through(loop, _end_tasks())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _forget() -> None:
    """Begin anew in a forked child, which has the parent's memory but not its threads."""
    global _lock, _loop
    _lock = threading.Lock()
    _servers.clear()
    _loop = None


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget)
