"""Turning the loop of `http.poll()`, and what it tells of."""

from __future__ import annotations

import time
from typing import Any

from support.waiting import PATIENCE


def gather(http: Any, until: Any, patience: float = PATIENCE) -> list[tuple]:
    """Poll until `until` is true of the events so far."""
    seen: list[tuple] = []
    ends = time.monotonic() + patience
    while not until(seen):
        assert time.monotonic() < ends, seen
        seen.extend(http.poll(timeout=0.02))
    return seen


def numbers(events: list[tuple]) -> list[int]:
    return [event for event, *_ in events]
