"""What every test here may ask for, and the watch over tests that hang."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

# What its assertions compare is shown when they fail, as in the tests themselves.
pytest.register_assert_rewrite('support')

from support import ENTRY_POINTS, Process, Serving, launch, serving, tree
from support.chromium import Chromium, executable
from support.sites import FILES

#: Seconds after which a test is taken for hung: all stacks are shown and the run
#: ends. No test comes near it; a wait that is never given up does.
HUNG = float(os.environ.get('SLIMHTTP_TEST_HUNG', '300'))

_stderr = None


def pytest_configure() -> None:
    global _stderr
    # The real one: while a test runs, its standard error is captured.
    _stderr = os.fdopen(os.dup(sys.__stderr__.fileno()), 'w')


def pytest_unconfigure() -> None:
    if _stderr is not None:
        _stderr.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    # From outside of Python's own locks: a test may hang with the GIL held.
    faulthandler.dump_traceback_later(HUNG, exit=True, file=_stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make files in a folder that becomes the working directory: `in_folder({...})`."""

    def make(files: Optional[Mapping[str, Any]] = None) -> Path:
        monkeypatch.chdir(tree(tmp_path, files or {}))
        return tmp_path

    return make


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser without a window, one for all tests of a file."""
    if executable() is None:
        pytest.skip('skipped: no chromium')
    with Chromium(tmp_path_factory.mktemp('profile')) as browser:
        yield browser


@pytest.fixture(scope='module')
def _started() -> Iterator[dict[str, Process]]:
    started: dict[str, Process] = {}
    yield started
    for process in started.values():
        process.kill()


@pytest.fixture(params=ENTRY_POINTS)
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _started: dict[str, Process],
) -> Callable[..., Process]:
    """Start a server by each of the three entry points: `site(config, files)`.

    Relative paths in the configuration start at the folder of `files`
    (`.folder`). Servers of the same configuration and files are shared within a
    test file, unless `fresh=True`: for tests that edit files or stop it.
    """
    entry_point = request.param

    def start(
        config: Optional[Mapping[str, Any]] = None,
        files: Optional[Mapping[str, Any]] = None,
        *,
        fresh: bool = False,
        env: Optional[Mapping[str, str]] = None,
    ) -> Process:
        key = json.dumps([entry_point, config, repr(files), repr(env)])
        if fresh:
            key += f' {len(_started)}'
        process = _started.get(key)
        if process is None or not process.running:
            folder = tmp_path_factory.mktemp('site')
            process = launch(entry_point, folder, config or {}, files, env)
            _started[key] = process
            process.folder = folder  # type: ignore[attr-defined]
            process.entry_point = entry_point  # type: ignore[attr-defined]
            assert process.port  # Waits until it serves.
        return process

    return start


@pytest.fixture
def s(in_folder: Callable[..., Path]) -> Iterator[Serving]:
    """A server of `a`, in a folder with `a`, `b` and `c`."""
    in_folder(FILES)
    with serving(web_root='a') as serving_a:
        yield serving_a
