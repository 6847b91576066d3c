"""Waiting: always for something to happen, never for ever."""

from __future__ import annotations

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
