"""What tests of upgrades have in common."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Cli
from support.handover import CAN_TAKE_IN, taking_in_orphans


@pytest.fixture(autouse=True)
def orphans() -> Iterator[None]:
    """The processes that follow the first are this one's, in the end."""
    if not CAN_TAKE_IN:
        pytest.skip('orphans are taken in by Linux alone')
    with taking_in_orphans():
        yield


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """Where a socket may stand: its name has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp())
    yield folder / 'site.sock'
    assert list(folder.iterdir()) == []
    folder.rmdir()


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may read, with the program in it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy2(Cli.binary(), folder / 'slimhttp')
    yield folder
    shutil.rmtree(folder)
