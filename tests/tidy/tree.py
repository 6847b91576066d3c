"""The files that belong to the project, and where exemptions stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]

# What is built, fetched or remembered; never ours. Only asked where there is no git to ask.
BUILT = {'target', 'dist', '.venv', '__pycache__', '.git'}
BUILT |= {'.mypy_cache', '.pytest_cache', '.ruff_cache'}


def files() -> list[str]:
    """Every file of the project, relative to its root, `/` between the parts."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split('\0') if name]
        return sorted(name for name in set(names) if (ROOT / name).is_file())
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in BUILT]
        found += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in names]
    return sorted(found)


def text(name: str) -> str | None:
    """What a file says, or `None` where it is no text."""
    try:
        return (ROOT / name).read_text(encoding='utf-8')
    except UnicodeDecodeError:
        return None


def toml(name: str) -> dict[str, Any]:
    """A TOML file as plain data."""
    return tomllib.loads((ROOT / name).read_text(encoding='utf-8'))
