"""Who may depend on whom. Each "never" of ARCHITECTURE.md is a line that a manifest lacks."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import tree

Locked = dict[str, set[str]]

# The crates from the inside out; each may name those before it, but the bridge and the program
# know nothing of each other.
WAY = [
    'slimhttp-http1',
    'slimhttp-site',
    'slimhttp-acme',
    'slimhttp-server',
    'slimhttp-bridge',
    'slimhttp-cli',
    'slimhttp-python',
]
APART = [('slimhttp-bridge', 'slimhttp-cli')]

# A crate, and packages that must not be reachable from it.
NEVER = [
    # What the engine brings, the site brings too.
    ('slimhttp-site', 'tokio'),
    ('slimhttp-site', 'hyper'),
    ('slimhttp-site', 'hyper-util'),
    ('slimhttp-site', 'mio'),
    ('slimhttp-site', 'rustls'),
    ('slimhttp-site', 'socket2'),
    ('slimhttp-site', 'rustix'),
    ('slimhttp-site', 'pyo3'),
    ('slimhttp-acme', 'pyo3'),
    ('slimhttp-acme', 'clap'),
    ('slimhttp-server', 'pyo3'),
    ('slimhttp-server', 'clap'),
    ('slimhttp-bridge', 'pyo3'),
    ('slimhttp-bridge', 'clap'),
    ('slimhttp-cli', 'pyo3'),
    # One TLS, one resolver of it, and no C library that a fresh machine would have to have.
    ('slimhttp-python', 'openssl-sys'),
    ('slimhttp-python', 'native-tls'),
]


def locked() -> Locked:
    """Every package of Cargo.lock with what it depends on, by name."""
    found: Locked = {}
    for package in tree.toml('Cargo.lock')['package']:
        needs = {entry.split()[0] for entry in package.get('dependencies', [])}
        found.setdefault(package['name'], set()).update(needs)
    return found


def reachable(start: str, packages: Locked) -> set[str]:
    """Everything that a package brings with it, itself included."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += packages[name]
    return seen


def upward(packages: Locked) -> list[str]:
    """Dependencies between our crates that point against the way, or from one side to another."""
    against = [(crate, other) for at, crate in enumerate(WAY) for other in WAY[at:]]
    against += [(one, other) for pair in APART for one, other in (pair, pair[::-1])]
    return [
        f'{crate} -> {other}' for crate, other in dict.fromkeys(against) if other in packages[crate]
    ]


def naming(needed: str, packages: Locked) -> set[str]:
    """Our crates that depend on `needed` themselves."""
    return {crate for crate in WAY if any(name.split('-')[0] == needed for name in packages[crate])}


@pytest.mark.parametrize(('crate', 'never'), NEVER)
def test_a_crate_does_not_bring(crate: str, never: str) -> None:
    assert never not in reachable(crate, locked())


def test_imports_run_one_way() -> None:
    assert upward(locked()) == []


def test_only_one_crate_names_pyo3() -> None:
    assert naming('pyo3', locked()) == {'slimhttp-python'}


def test_only_one_crate_names_hyper() -> None:
    # Authorities are asked by our own engine of HTTP/1.1. (Cargo.lock has hyper below
    # `instant-acme`, for a feature of it that is not switched on.)
    assert naming('hyper', locked()) == {'slimhttp-server'}


def test_every_crate_keeps_the_lints_and_the_version_of_the_workspace() -> None:
    for crate in WAY:
        manifest = tree.toml(f'crates/{crate}/Cargo.toml')
        assert manifest['lints'] == {'workspace': True}, crate
        for key in ('version', 'edition', 'rust-version', 'license'):
            assert manifest['package'][key] == {'workspace': True}, f'{crate}: {key}'
        for kind in ('dependencies', 'dev-dependencies', 'build-dependencies'):
            for name, entry in manifest.get(kind, {}).items():
                shared = isinstance(entry, dict) and entry.get('workspace') is True
                assert shared, f'{crate}: give the version of `{name}` once, in the workspace'


def test_the_guards_can_fail() -> None:
    packages: Locked = {
        'slimhttp-http1': {'slimhttp-site'},
        'slimhttp-site': {'slimhttp-server', 'middle'},
        'slimhttp-acme': set(),
        'slimhttp-server': {'pyo3-ffi'},
        'slimhttp-bridge': set(),
        'slimhttp-cli': {'slimhttp-bridge'},
        'slimhttp-python': {'pyo3'},
        'middle': {'tokio'},
        'tokio': {'middle'},
        'pyo3': set(),
        'pyo3-ffi': set(),
    }
    assert 'tokio' in reachable('slimhttp-site', packages)
    assert upward(packages) == [
        'slimhttp-http1 -> slimhttp-site',
        'slimhttp-site -> slimhttp-server',
        'slimhttp-cli -> slimhttp-bridge',
    ]
    assert naming('pyo3', packages) == {'slimhttp-server', 'slimhttp-python'}


def python_promises(cargo: dict[str, Any], project: dict[str, Any]) -> set[str]:
    """The oldest CPython, in every place that promises it."""
    features = cargo['workspace']['dependencies']['pyo3']['features']
    oldest = [name.removeprefix('abi3-py3') for name in features if name.startswith('abi3-py3')]
    return {
        *(f'3.{minor}' for minor in oldest),
        project['project']['requires-python'].removeprefix('>='),
        project['tool']['ruff']['target-version'].replace('py3', '3.'),
    }


def test_one_oldest_python() -> None:
    assert python_promises(tree.toml('Cargo.toml'), tree.toml('pyproject.toml')) == {'3.9'}


def test_the_promise_can_be_broken() -> None:
    cargo = {'workspace': {'dependencies': {'pyo3': {'features': ['abi3-py310']}}}}
    project = {
        'project': {'requires-python': '>=3.9'},
        'tool': {'ruff': {'target-version': 'py311'}},
    }
    assert python_promises(cargo, project) == {'3.9', '3.10', '3.11'}


def test_the_tools_of_development_are_locked_and_come_from_nowhere_named() -> None:
    lines = (tree.ROOT / 'requirements-dev.txt').read_text().splitlines()
    locks = [line for line in lines if line and not line.startswith('#')]
    assert all('==' in line.split(';')[0] for line in locks)
    assert not [line for line in locks if '--' in line or '://' in line or ' @ ' in line]
    locked_names = {line.split('==')[0].strip() for line in locks}
    wanted = tree.toml('pyproject.toml')['dependency-groups']['dev']
    names = {want.split(';')[0].split('[')[0].split('>')[0].strip() for want in wanted}
    assert names - locked_names == set()


# What a package that we ship may be licensed under, by itself or as one choice of several.
LICENCES = {
    'MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC',
    'Zlib', '0BSD', 'Unicode-3.0', 'CC0-1.0', 'Unlicense', 'BSL-1.0', 'CDLA-Permissive-2.0', 'MPL-2.0', 'MPL-2.0+',
}  # fmt: skip


def permitted(licence: str) -> bool:
    """Whether an SPDX expression can be met by LICENCES; `/` is an old way to write OR."""
    spelled = licence.replace('/', ' OR ').replace('(', ' ( ').replace(')', ' ) ')
    parts = re.split(r'(\(|\)|\bOR\b|\bAND\b)', spelled)
    words = {'(': '(', ')': ')', 'OR': 'or', 'AND': 'and'}
    # Nothing but True, False, `and`, `or` and brackets is left of it.
    said = [
        words.get(part.strip(), str(part.strip() in LICENCES)) for part in parts if part.strip()
    ]
    return bool(said) and bool(eval(' '.join(said)))


@pytest.mark.parametrize(
    ('licence', 'answer'),
    [
        ('MIT', True),
        ('MIT/Apache-2.0', True),
        ('GPL-3.0-only', False),
        ('GPL-3.0-only OR MIT', True),
        ('MIT AND GPL-2.0', False),
        ('(MIT OR GPL-2.0) AND Unicode-3.0', True),
        ('Apache-2.0 WITH LLVM-exception OR GPL-2.0', True),
        ('', False),
    ],
)
def test_a_licence_expression_is_understood(licence: str, answer: bool) -> None:
    assert permitted(licence) is answer


def test_every_package_has_a_licence_that_goes_with_ours() -> None:
    listed = subprocess.run(
        ['cargo', 'metadata', '--format-version', '1', '--locked'],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    packages = json.loads(listed.stdout)['packages']
    assert len(packages) > len(WAY)
    refused = [
        f'{p["name"]}: {p["license"]}' for p in packages if not permitted(p['license'] or '')
    ]
    assert refused == []
