"""Escaping text for logs: what a terminal would act upon, and what ends a line.

A client that could write a line feed into a URL could write records of its own into the log.
Escaped are control characters, and characters that end a line, turn the direction of writing,
or are not seen; letters of whatever writing stay. Rust has the same rule,
`slimhttp_site::escape`, and tests/data/harmless.toml holds both against it. Pure functions,
called on whatever thread logs.
"""

from __future__ import annotations

import re
from typing import Final

#: All that is escaped; half a surrogate pair too, which no encoding takes. Not the tab, nor `\n`.
_UNSAFE: Final = re.compile(
    r'[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f'
    r'\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]'
)


def escaped(text: str) -> str:
    """Give text in which all of that is escaped, but for the ends of its lines."""
    # The quick answer: nothing that is escaped is printable.
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def escaped_record(text: str) -> str:
    """Give escaped text that reads as one record of a log: further lines are indented."""
    head, *rest = escaped(text).split('\n')
    return '\n'.join([head, *map(_indented, rest)])


def _escape(found: re.Match[str]) -> str:
    return found[0].encode('unicode_escape').decode('ascii')


def _indented(line: str) -> str:
    blanks = len(line) - len(line.lstrip(' '))
    return ' ' * (2 - min(blanks, 2)) + line
