"""No file stands there that nobody names: the compiler passes over such a file in silence.

A file of Rust is named by a `mod` in the file of its parent module, a file of `tests/support` by
an import in another file.
"""

from __future__ import annotations

import ast
import posixpath
import re

import pytest
import rust
import tree

SUPPORT = 'tests/support/'
# A module that says itself where it stands.
BY_PATH = re.compile(r'^\s*#\[path = "([^"]+)"\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s', re.M)
# What Cargo finds by itself, and the folders of a crate in which each file is such a root.
ROOTS = {'lib', 'main', 'build'}
OF_ROOTS = re.compile(r'crates/[\w-]+/(?:tests|benches|examples|src/bin)')


def orphans_of_rust(sources: dict[str, str]) -> list[str]:
    """The files of Rust that no parent names, of all crates by their path."""
    blank = {file: rust.blank(text) for file, text in sources.items()}
    elsewhere = {
        posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        for file, text in sources.items()
        for path in BY_PATH.findall(text)
    }
    return [
        file
        for file in sorted(blank)
        if not is_root(file) and file not in elsewhere and not is_named(file, blank)
    ]


def is_root(file: str) -> bool:
    folder, _, name = file.removesuffix('.rs').rpartition('/')
    return name in ROOTS or OF_ROOTS.fullmatch(folder) is not None


def is_named(file: str, blank: dict[str, str]) -> bool:
    """Whether a file in which modules of this folder are declared declares this one."""
    folder, _, name = file.removesuffix('.rs').rpartition('/')
    parents = [f'{folder}.rs', f'{folder}/lib.rs', f'{folder}/main.rs']
    declares = re.compile(rf'\bmod\s+{name}\s*;')
    return any(declares.search(blank.get(parent, '')) for parent in parents)


def orphans_of_support(sources: dict[str, str]) -> list[str]:
    """The modules of `tests/support` that no other file of Python imports."""
    modules = [file for file in sorted(sources) if file.startswith(SUPPORT)]
    imported = {file: imports(text) for file, text in sources.items()}
    return [
        file
        for file in modules
        if not any(module(file) in names for other, names in imported.items() if other != file)
    ]


def module(file: str) -> str:
    """What a file below `tests` is imported as."""
    name = file.removeprefix('tests/').removesuffix('.py').removesuffix('/__init__')
    return name.replace('/', '.')


def imports(text: str) -> set[str]:
    """Every name that a file imports, and the modules and packages that it stands in."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f'{node.module}.{alias.name}' for alias in node.names]
    parts = [name.split('.') for name in names]
    return {'.'.join(name[:depth]) for name in parts for depth in range(1, len(name) + 1)}


def texts(prefix: str, ending: str) -> dict[str, str]:
    """The text of every file of the tree that is named so."""
    names = [name for name in tree.files() if name.startswith(prefix) and name.endswith(ending)]
    assert names
    return {name: tree.text(name) or '' for name in names}


def test_each_file_of_rust_is_named_by_its_parent() -> None:
    found = orphans_of_rust(texts('crates/', '.rs'))
    assert not found, f'say `mod` in the file of the parent module, or delete: {found}'


def test_each_module_of_support_is_imported() -> None:
    found = orphans_of_support(texts('tests/', '.py'))
    assert not found, f'nothing imports these: {found}'


# A crate of two modules, beside a test of two files, all of which are named.
CRATE = {
    'crates/x/src/lib.rs': 'pub(crate) mod a;',
    'crates/x/src/a.rs': '#[cfg(test)]\nmod tests;',
    'crates/x/src/a/tests.rs': '',
    'crates/x/src/main.rs': 'mod flags;',
    'crates/x/src/flags.rs': '',
    'crates/x/build.rs': '',
    'crates/x/tests/plan.rs': '',
    'crates/x/tests/fuzz/main.rs': 'mod path;',
    'crates/x/tests/fuzz/path.rs': '',
}
# A file that is written anew, and the files that are orphans then
RUST = [
    ('crates/x/src/lib.rs', 'mod a;', []),
    ('crates/x/src/lib.rs', '', ['crates/x/src/a.rs']),
    ('crates/x/src/lib.rs', '// mod a;', ['crates/x/src/a.rs']),
    ('crates/x/src/lib.rs', 'mod ab; use a;', ['crates/x/src/a.rs']),
    ('crates/x/src/lib.rs', 'mod a { mod tests; }', ['crates/x/src/a.rs']),
    ('crates/x/src/a.rs', '', ['crates/x/src/a/tests.rs']),
    ('crates/x/src/a.rs', '#[path = "a/tests.rs"]\nmod other;', []),
    ('crates/x/src/a.rs', '// #[path = "a/tests.rs"]\nmod other;', ['crates/x/src/a/tests.rs']),
    ('crates/x/src/main.rs', '', ['crates/x/src/flags.rs']),
    ('crates/x/src/b.rs', 'mod tests;', ['crates/x/src/b.rs']),
    ('crates/x/src/a/deep/x.rs', '', ['crates/x/src/a/deep/x.rs']),
    ('crates/x/tests/fuzz/main.rs', '', ['crates/x/tests/fuzz/path.rs']),
]


@pytest.mark.parametrize(('file', 'text', 'found'), RUST)
def test_a_file_that_no_parent_names_is_found(file: str, text: str, found: list[str]) -> None:
    assert orphans_of_rust({**CRATE, file: text}) == found


# What a file of tests imports, and what of `support` is an orphan beside it
PYTHON = [
    ('from support import x\nimport support.y.z', []),
    ('from support.x import f\nfrom support.y import z', []),
    ('from support.x import f', ['tests/support/y/z.py']),
    ('import support\n# from support.x import f', ['tests/support/x.py', 'tests/support/y/z.py']),
    ('from support import xy\nfrom support.y import z', ['tests/support/x.py']),
    ('from support import x\nfrom support.y.z import f', []),
]


@pytest.mark.parametrize(('text', 'found'), PYTHON)
def test_a_module_that_nothing_imports_is_found(text: str, found: list[str]) -> None:
    sources = {
        'tests/support/__init__.py': 'def f(): ...',
        'tests/support/x.py': 'from support.x import itself',
        'tests/support/y/z.py': '',
        'tests/files/test_x.py': text,
    }
    assert orphans_of_support(sources) == found
