"""Every public name has types that `mypy --strict` lets a program use."""

from __future__ import annotations

import ast

import tree


def test_every_public_name_is_used_by_a_typed_program() -> None:
    package = ast.parse((tree.ROOT / 'python/slimHTTP/__init__.py').read_text(encoding='utf-8'))
    [listed] = [
        node.value
        for node in package.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__'
    ]
    public = set(ast.literal_eval(listed))
    program = ast.parse((tree.ROOT / 'tests/python/every_name.py').read_text(encoding='utf-8'))
    used = {node.attr for node in ast.walk(program) if isinstance(node, ast.Attribute)}
    assert public <= used, public - used
    assert 'tests/python/every_name.py' in tree.toml('pyproject.toml')['tool']['mypy']['files']
