"""Figures: what a process takes, and what most of many times are below."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union


def resident_memory(pid: Union[int, str] = 'self') -> int:
    """The resident memory of a process in bytes."""
    fields = Path(f'/proc/{pid}/statm').read_text().split()
    return int(fields[1]) * os.sysconf('SC_PAGE_SIZE')


def quantile(times: list[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
