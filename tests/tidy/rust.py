"""Rust source as far as the rules need it: code without comments, literals and tests."""

from __future__ import annotations

import re

# What is no code, in the order in which it must be tried at one place. A lifetime (`'a`) is
# none of these: a character literal is closed after one character or one escape.
LITERAL = re.compile(
    r"""
      //[^\n]*                                       # line comment
    | /\*                                            # block comment, may nest: see `blank`
    | \b[bc]?r(?P<hashes>\#*)"(?:.|\n)*?"(?P=hashes) # raw string
    | "(?:\\(?:.|\n)|[^"\\])*"                       # string
    | b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'        # character
    """,
    re.VERBOSE,
)
TEST_MODULE = re.compile(
    r'#\[cfg\((?:test|all\(test\b[^\]]*)\)?\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{'
)
USE = re.compile(r'\buse\s+([^;]+);')


def is_test(name: str) -> bool:
    """Whether a file is test code as a whole: `x/tests.rs`, `x/tests/y.rs`, `crates/x/tests/y.rs`."""
    return name.endswith('/tests.rs') or '/tests/' in name or '/benches/' in name


def code(source: str) -> str:
    """The code alone. What is taken out becomes blanks, so that lines keep their numbers."""
    return without_test_modules(blank(source))


def blank(source: str) -> str:
    """`source` with comments and literals blanked."""
    parts: list[str] = []
    at = 0
    while found := LITERAL.search(source, at):
        end = found.end() if found.group() != '/*' else end_of_block_comment(source, found.start())
        parts += [source[at : found.start()], blanks(source[found.start() : end])]
        at = end
    return ''.join([*parts, source[at:]])


def end_of_block_comment(source: str, start: int) -> int:
    depth = 0
    for mark in re.finditer(r'/\*|\*/', source[start:]):
        depth += 1 if mark.group() == '/*' else -1
        if depth == 0:
            return start + mark.end()
    return len(source)


def blanks(taken: str) -> str:
    return re.sub(r'[^\n]', ' ', taken)


def without_test_modules(code: str) -> str:
    """`code` (already blanked) with each `#[cfg(test)] mod … { … }` blanked."""
    at = 0
    while found := TEST_MODULE.search(code, at):
        depth, end = 1, found.end()
        while depth and end < len(code):
            depth += {'{': 1, '}': -1}.get(code[end], 0)
            end += 1
        code = code[: found.start()] + blanks(code[found.start() : end]) + code[end:]
        at = end
    return code


def paths(code: str) -> list[tuple[int, str]]:
    """Every path that is imported or spelled out, with its line: `std::{fs, net::*}` is two."""
    found: list[tuple[int, str]] = []
    for use in USE.finditer(code):
        line = code.count('\n', 0, use.start()) + 1
        found += [(line, path) for path in expand(re.sub(r'\s+', ' ', use.group(1)).strip())]
    rest = USE.sub(lambda use: blanks(use.group()), code)
    for path in re.finditer(r'\b\w+(?:\s*::\s*\w+)+', rest):
        line = rest.count('\n', 0, path.start()) + 1
        found.append((line, re.sub(r'\s+', '', path.group())))
    return found


def expand(tree: str) -> list[str]:
    """The paths of one use tree."""
    opening = tree.find('{')
    if opening < 0:
        return [tree.split(' as ')[0].strip().removeprefix('::')]
    stem, inner = tree[:opening].strip().removeprefix('::'), tree[opening + 1 : tree.rindex('}')]
    found, depth, part = [], 0, ''
    for sign in inner + ',':
        depth += {'{': 1, '}': -1}.get(sign, 0)
        if sign == ',' and depth == 0:
            if part.strip():
                found += [stem + path for path in expand(part.strip())]
            part = ''
        else:
            part += sign
    return found
