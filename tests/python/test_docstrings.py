"""The examples in the package's docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import slimHTTP

MODULES = sorted(
    f'slimHTTP.{module.name}'
    for module in pkgutil.iter_modules(slimHTTP.__path__)
    if module.name not in ('__main__', '_slimhttp')
)


@pytest.mark.parametrize('name', ['slimHTTP', *MODULES])
def test_examples_in_docstrings(name: str) -> None:
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
