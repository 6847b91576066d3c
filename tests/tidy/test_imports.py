"""Imports of the Python package run one way: from its top to its ground, and never in a circle.

Those for type checkers count, and those within functions: a circle that is hidden in one of
them is a circle all the same for whoever reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest
import tree

PACKAGE = 'python/slimHTTP/'

#: The rooms of the package, a module or a folder each, from the top down: a room imports those
#: that stand behind it alone. The extension, `_slimhttp`, is everybody's.
ROOMS = [
    '__main__', '_upgrade', '_reload', '__init__', '_legacy', '_privileges', '_server', '_callbacks', '_hooks',
    '_instances', '_mounts', '_applications', '_net', '_debug', '_modules', '_state', '_serve',
    '_routes', '_message', '_log', '_types', '_callables', '_errors', '_package',
]  # fmt: skip


def imported(text: str) -> Iterator[str]:
    """The modules of the package that a module imports: `_serve._fork`, `_errors`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from slimHTTP._log import _records` names a module, `… import logger` none.
            named = [
                f'{node.module}.{alias.name}' if alias.name.startswith('_') else str(node.module)
                for alias in node.names
            ]
        else:
            continue
        for name in named:
            package, _, module = name.partition('.')
            if package == 'slimHTTP':
                yield module or '__init__'


def modules() -> dict[str, str]:
    """The text of every module by its name within the package."""
    names = [name for name in tree.files() if name.startswith(PACKAGE) and name.endswith('.py')]
    assert names
    return {
        name[len(PACKAGE) : -len('.py')].replace('/', '.'): tree.text(name) or '' for name in names
    }


def room_of(module: str) -> str:
    """The room in which a module stands."""
    return module.partition('.')[0]


def upwards(sources: dict[str, str]) -> list[str]:
    """The imports against the order of the rooms."""
    return [
        f'{module} imports {other}'
        for module, text in sources.items()
        for other in imported(text)
        if room_of(other) not in ('_slimhttp', room_of(module))
        and ROOMS.index(room_of(other)) <= ROOMS.index(room_of(module))
    ]


def circle(sources: dict[str, str]) -> list[str]:
    """A circle of modules, if there is one."""
    graph = {module: {*imported(text)} & sources.keys() for module, text in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def test_imports_run_down() -> None:
    sources = modules()
    assert {room_of(module) for module in sources} == set(ROOMS)
    assert upwards(sources) == []
    assert circle(sources) == []


@pytest.mark.parametrize(
    'text',
    [
        'from slimHTTP import _server',
        'from slimHTTP._server import HTTP_SERVER',
        'import slimHTTP._server',
        'if TYPE_CHECKING:\n    from slimHTTP._server import HTTP_SERVER',
        'def f():\n    from slimHTTP._net import _events',
        'from slimHTTP import memory',
    ],
)
def test_an_import_that_runs_up_is_found(text: str) -> None:
    assert len(upwards({'_serve._run': text})) == 1


def test_a_circle_is_found_and_what_runs_down_is_none() -> None:
    down = 'from slimHTTP._serve import _threads\nfrom slimHTTP._log import logger'
    assert upwards({'_serve._run': down, '_serve._threads': ''}) == []
    assert circle({'_serve._run': down, '_serve._threads': ''}) == []
    assert circle({'_serve._run': down, '_serve._threads': 'import slimHTTP._serve._run'})
