"""Looking for edits: the times and sizes of files, compared with those of the look before.

By looking and not by the system's notifications, which do not come from folders that a container
or another machine shares. What is looked at is bounded, and how often is the supervisor's, whose
only thread calls this.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Optional

#: How many files are looked at, and how many entries of folders for them.
MAX_FILES: Final = 20_000
_MAX_ENTRIES: Final = 200_000
#: Folders in which nobody edits a program. Those that begin with a dot are left out too.
_LEFT_OUT: Final = frozenset({'__pycache__', 'node_modules', 'site-packages'})

#: What another look is compared by: time of change, size, and which file it is, for editors
#: put another file in its place. None: there is no such file.
State = Optional[tuple[int, int, int]]


class Watched(NamedTuple):
    """What is looked at, as the command line says it."""

    folders: list[str]
    includes: list[str]
    excludes: list[str]
    files: list[str]


class Watch:
    """The files that are looked at, and their states as they were seen last."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        #: Files that workers have named.
        self._named: set[str] = set()
        #: Whether there were more than are looked at.
        self.is_full = False
        self._states: dict[str, State] = dict(self._look())

    def __len__(self) -> int:
        return len(self._states)

    def add(self, files: Iterable[str], since: float) -> list[str]:
        """Look at `files` too from now on; gives those that were changed after `since`.

        A worker names a file some time after it has read it. `since` is when that worker began, by
        the clock of the system.
        """
        late = []
        for file in files:
            if file in self._named or len(self._named) >= MAX_FILES:
                continue
            self._named.add(file)
            if file in self._states:
                continue
            state = self._states[file] = _state(file)
            if state is not None and state[0] > since * 1e9:
                late.append(file)
        return late

    def look(self) -> list[str]:
        """Give the files that have changed, come or gone since the last look, in order."""
        before, self._states = self._states, dict(self._look())
        changed = {
            file for file in {*before, *self._states} if before.get(file) != self._states.get(file)
        }
        return sorted(changed)

    def _look(self) -> Iterator[tuple[str, State]]:
        for file in (*self._watched.files, *self._named):
            yield file, _state(file)
        self.is_full = False
        entries = files = 0
        pending = list(self._watched.folders)
        while pending:
            folder = pending.pop()
            try:
                listed = os.scandir(folder)
            except OSError:  # It is gone, or nobody may read it.
                continue
            with listed:
                for entry in listed:
                    entries += 1
                    if entries > _MAX_ENTRIES or files >= MAX_FILES:
                        self.is_full = True
                        return
                    if self._is_left_out(entry.name):
                        continue
                    try:
                        # A link to a folder may lead round in a circle.
                        if entry.is_dir(follow_symlinks=False):
                            if not _is_environment(entry.path):
                                pending.append(entry.path)
                        elif self._is_included(entry.name):
                            files += 1
                            yield entry.path, _state(entry.path)
                    except OSError:
                        continue

    def _is_left_out(self, name: str) -> bool:
        if name in _LEFT_OUT:
            return True
        hidden = name.startswith('.') and not self._is_included(name)
        return hidden or _matches(name, self._watched.excludes)

    def _is_included(self, name: str) -> bool:
        return _matches(name, self._watched.includes)


def _matches(name: str, globs: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _is_environment(folder: str) -> bool:
    """Tell whether a folder is a virtual environment, whatever it is called."""
    return os.path.exists(os.path.join(folder, 'pyvenv.cfg'))


def _state(file: str) -> State:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
