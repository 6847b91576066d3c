"""The event loop for `async def` handlers: one thread for the whole process.

It runs while a server uses it and ends with the last one. Each server has a
file descriptor that is readable while coroutines wait for the loop; on this
thread, and on no other, the extension turns them into tasks and delivers what
they give.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Final

from slimHTTP._slimhttp import Server

_lock = threading.Lock()
_servers: Final[dict[Server, int]] = {}
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
            threading.Thread(
                target=_main, args=(loop,), name='slimHTTP event loop', daemon=True
            ).start()
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
        loop.call_soon_threadsafe(_unwatch, loop, server, descriptor)
        if not _servers:
            _loop = None
            loop.call_soon_threadsafe(loop.stop)


def _watch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int) -> None:
    loop.add_reader(descriptor, server.async_turn, loop.create_task)


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until somebody stops it, whatever a handler raises."""
    while True:
        try:
            loop.run_forever()
        except SystemExit:
            # asyncio lets it out of the loop; to the server it is a failure like any
            # other, which its task has noted.
            continue
        except KeyboardInterrupt:
            for server in list(_servers):
                server.stop()
                server.wake()
            continue
        return


def _unwatch(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int) -> None:
    loop.remove_reader(descriptor)
    # The last turn of a closed server cancels what still runs for it.
    server.async_turn(loop.create_task)


def _main(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        _run_until_stopped(loop)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
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
