"""Waiting: always for something to happen, never for ever."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable

#: Seconds until a wait is given up. Generous: it is only ever reached by a fault.
PATIENCE = 10.0
#: The same for the start of a process, on a machine that is busy with others.
START_PATIENCE = 30.0


def wait_until(condition: Callable[[], Any], what: str = 'it', patience: float = PATIENCE) -> Any:
    """Give the first true value of `condition`, for what nobody can signal."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'{what} did not come about within {patience} s')
        time.sleep(0.01)


def settles(value: Callable[[], Any], quiet: float = 0.4, patience: float = PATIENCE) -> Any:
    """Wait until `value()` has stayed the same for `quiet` seconds; give it."""
    deadline = time.monotonic() + patience
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet:
        assert time.monotonic() < deadline, f'it never settles: {last!r}'
        time.sleep(0.02)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last


def tick(seconds: float = 0.05) -> None:
    """Let the clock go on by which a server orders what happens, and which shows in nothing else.

    The one wait for time and for nothing but time, in a handler that takes its time too.
    """
    time.sleep(seconds)


async def wait_until_async(
    condition: Callable[[], Any], what: str = 'it', patience: float = PATIENCE
) -> Any:
    """Give the first true value of `condition`, as `wait_until`, to a handler on an event loop."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f'{what} did not come about within {patience} s'
        await asyncio.sleep(0.01)
    return value


async def tick_async(seconds: float = 0.05) -> None:
    """Let the clock go on, as `tick`, in a handler on an event loop that takes its time."""
    await asyncio.sleep(seconds)


class Deadline:
    """A moment after which a wait is given up."""

    def __init__(self, patience: float) -> None:
        self._at = time.monotonic() + patience

    @property
    def left(self) -> float:
        return max(0.001, self._at - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._at
