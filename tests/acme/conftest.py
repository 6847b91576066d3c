"""The authority that the tests of a file ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.pebble import Authority


@pytest.fixture(scope='module')
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp('authority')) as authority:
        yield authority
