"""The examples in the package's docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import tempfile
from pathlib import Path

import pytest
import slimHTTP

MODULES = sorted(
    f'slimHTTP.{module.name}'
    for module in pkgutil.iter_modules(slimHTTP.__path__)
    if module.name not in ('__main__', '_slimhttp')
)


@pytest.mark.parametrize('name', ['slimHTTP', *MODULES])
def test_examples_in_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the examples leave what they write.
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_there_are_examples_at_all() -> None:
    finder = doctest.DocTestFinder()
    found = [
        test
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]
    assert found
