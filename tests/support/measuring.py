"""Figures: what a process takes, what rests in it, and what most of many times are below."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Union


def resident_memory(pid: Union[int, str] = 'self') -> int:
    """The resident memory of a process in bytes."""
    fields = Path(f'/proc/{pid}/statm').read_text().split()
    return int(fields[1]) * os.sysconf('SC_PAGE_SIZE')


def connections_at_rest(pid: Union[int, str] = 'self') -> int:
    """How many connections of a process's servers rest.

    Of each I/O thread these are the descriptors of an epoll that the epoll of its runtime watches.
    By its inode, for what else is watched may have had the number of a descriptor before.
    """
    watched: dict[int, set[tuple[int, int]]] = {}
    inodes: dict[int, int] = {}
    for link in Path(f'/proc/{pid}/fd').iterdir():
        try:
            if os.readlink(link) == 'anon_inode:[eventpoll]':
                information = Path(f'/proc/{pid}/fdinfo/{link.name}').read_text()
                found = re.findall(r'^tfd: *(\d+).* ino:([0-9a-f]+)', information, re.MULTILINE)
                watched[int(link.name)] = {(int(tfd), int(inode, 16)) for tfd, inode in found}
                inodes[int(link.name)] = link.stat().st_ino
        except FileNotFoundError:
            continue  # It was closed meanwhile.
    every = {one for found in watched.values() for one in found}
    inner = [descriptor for descriptor, inode in inodes.items() if (descriptor, inode) in every]
    return sum(len(watched[descriptor]) for descriptor in inner)


def quantile(times: list[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the times lie."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
