"""Locks in a forked child.

A child has its parent's memory, and of its threads only the one that forked. A
lock that another one held at that moment would never be let go in the child. So
every object of ours with a lock gets a new one there. (Locks that are a
module's own are renewed by that module.)
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final


class LockOwner:
    """An object that is guarded by `_lock`, reentrant, and new in a forked child."""

    def __init__(self) -> None:
        # A new lock and not the old one set free: the thread that forks may hold
        # it, and lets go of the one that it took.
        self._lock = threading.RLock()
        _owners[id(self)] = self


#: By identity, for an owner need not be hashable.
_owners: Final[weakref.WeakValueDictionary[int, LockOwner]] = weakref.WeakValueDictionary()


def _renew() -> None:
    for owner in list(_owners.values()):
        owner._lock = threading.RLock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_renew)
