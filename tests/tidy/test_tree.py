"""Every file keeps every rule of rules.py, but for the exceptions of allowed.toml."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import tree
from rules import RULES, Finding

ALLOWED = tree.toml('tests/tidy/allowed.toml')


@functools.cache
def findings(rule: str) -> dict[str, list[Finding]]:
    """What breaks the rule in the whole tree, exceptions included, by file."""
    found = {}
    for name in tree.files():
        text = tree.text(name)
        if text is not None:
            found[name] = list(RULES[rule](name, text))
    return {name: broken for name, broken in found.items() if broken}


def keys(name: str, finding: Finding) -> set[str]:
    """The entries of allowed.toml that would allow it."""
    return {name, f'{name}#{finding.word}'}


@pytest.mark.parametrize('rule', RULES)
def test_the_tree_keeps_the_rule(rule: str) -> None:
    allowed = ALLOWED.get(rule, {})
    broken = [
        f'{name}:{finding.line}: `{finding.word}`: {finding.advice}'
        for name, found in findings(rule).items()
        for finding in found
        if not keys(name, finding) & set(allowed)
    ]
    assert not broken, '\n'.join(['', RULES[rule].__doc__ or '', *broken])


def exceptions() -> Iterator[tuple[str, str, str]]:
    for rule, entries in ALLOWED.items():
        for key, reason in entries.items():
            yield rule, key, reason


@pytest.mark.parametrize(('rule', 'key', 'reason'), list(exceptions()))
def test_an_exception_is_needed_and_has_a_reason(rule: str, key: str, reason: str) -> None:
    assert rule in RULES, f'allowed.toml names a rule that does not exist: {rule}'
    used = any(key in keys(name, f) for name, found in findings(rule).items() for f in found)
    assert used, f'nothing needs the exception of `{key}` from `{rule}` any more: take it away'
    assert len(reason.split()) >= 5, f'say in a sentence why `{key}` is an exception'
    assert reason.endswith('.'), f'say in a sentence why `{key}` is an exception'
