"""Where things stand that tests read: the tree of the project, and the data of tests."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / 'tests' / 'data'
