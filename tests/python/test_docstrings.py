"""The examples in the package's docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import tempfile
from pathlib import Path

import pytest
import slimHTTP

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(slimHTTP.__path__, 'slimHTTP.')
    if module.name not in ('slimHTTP.__main__', 'slimHTTP._slimhttp')
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
        for name in ('slimHTTP', *MODULES)
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]
    assert found


def test_every_public_name_and_all_its_members_say_what_they_are() -> None:
    silent = []
    for name in slimHTTP.__all__:
        thing = getattr(slimHTTP, name)
        if not isinstance(thing, (int, str)) and not inspect.getdoc(thing):
            silent.append(name)
        # Of the classes that are ours; what those of Python's library do is theirs to tell.
        for kind in inspect.getmro(thing if inspect.isclass(thing) else type(thing)):
            if kind.__module__.partition('.')[0] != 'slimHTTP':
                continue
            told = inspect.getdoc(kind) or ''
            for member, value in vars(kind).items():
                known = isinstance(value, (int, tuple)) or f'`{member}`' in told
                if not member.startswith('_') and not known and not inspect.getdoc(value):
                    silent.append(f'{name}.{member}')
    assert silent == []
