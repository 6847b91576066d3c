"""Every rule whose number a test bears, or a comment cites, is a rule of docs/contract.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import tree

CONTRACT = 'docs/contract.md'

#: - **C3.2** A change is made whole or not at all.
RULE = re.compile(r'^- \*\*(C\d+(?:\.\d+)?)\*\* \S', re.M)
# `test_c3_2_…`, `fn c3_2_…`; C9 is one rule, so what follows it is no number of one.
PYTHON_TEST = re.compile(r'\bdef test_(c9(?=_)|c\d+_\d+)(?=_|\b)')
RUST_TEST = re.compile(r'\bfn (c9(?=_)|c\d+_\d+)(?=_|\b)')
# Only where it cannot be anything else: `C3.2`, never a bare `C9`.
CITED = re.compile(r'(?<![\w.])(C\d{1,2}\.\d{1,2})(?![\w.]*\d)')


def rules(contract: str) -> list[str]:
    """The numbers of the rules, in their order."""
    return RULE.findall(contract)


def cited(name: str, text: str) -> Iterator[tuple[int, str]]:
    """The rules that a file names, in its tests' names and in words, each with its line."""
    patterns = [CITED]
    if name.endswith('.py'):
        patterns.append(PYTHON_TEST)
    elif name.endswith('.rs'):
        patterns.append(RUST_TEST)
    for pattern in patterns:
        for found in pattern.finditer(text):
            number = found.group(1).upper().replace('_', '.')
            yield text.count('\n', 0, found.start()) + 1, number


def unknown(name: str, text: str, known: set[str]) -> list[str]:
    """The rules that a file names and that there are not."""
    return [f'{name}:{line}: {number}' for line, number in cited(name, text) if number not in known]


def test_every_rule_that_is_named_is_one_of_the_contract() -> None:
    known = set(rules(tree.text(CONTRACT) or ''))
    found = []
    for name in tree.files():
        if name.endswith(('.py', '.rs', '.md')) and not name.startswith('tests/tidy/'):
            found += unknown(name, tree.text(name) or '', known)
    assert not found, '\n'.join([f'no rules of {CONTRACT}:', *found])


def test_every_rule_stands_once_and_in_order() -> None:
    numbers = rules(tree.text(CONTRACT) or '')
    order = [tuple(int(part) for part in number[1:].split('.')) for number in numbers]
    assert order == sorted(set(order))
    assert len(numbers) > 50, 'the pattern of a rule finds them'


@pytest.mark.parametrize(
    ('name', 'text', 'found'),
    [
        ('x.py', 'def test_c3_2_x(): ...', []),
        ('x.py', '\nasync def test_c3_4_x(): ...', ['x.py:2: C3.4']),
        ('x.py', 'def test_c9_4_x(): ...', []),
        ('x.py', 'def test_c13_x(): ...\ndef test_certain(): ...', []),
        ('x.py', 'def c3_4_x(): ...', []),
        ('x.rs', 'fn c3_2_x() {}', []),
        ('x.rs', 'fn c3_24_x() {}', ['x.rs:1: C3.24']),
        ('x.rs', 'fn test_c3_4_x() {}', []),
        ('x.md', 'see C3.4, and C3.2.', ['x.md:1: C3.4']),
        ('x.md', 'AC3.4, C3.4.1, C++', []),
    ],
)
def test_a_rule_that_there_is_not_is_found(name: str, text: str, found: list[str]) -> None:
    assert unknown(name, text, {'C3.2', 'C9'}) == found


def test_a_rule_is_an_item_with_its_number() -> None:
    assert rules('## C1 X\n- **C1.1** X.\n  **C1.2** x\n- **C9** Y.\n- C1.3 z\n') == ['C1.1', 'C9']
