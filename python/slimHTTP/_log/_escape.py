"""Text of which nobody can break out: what a terminal would act upon is escaped.

The rule of the Rust side, `slimhttp_site::harmless`: tests/data/harmless.toml is what both are
held against. Text is only shown in whatever writing; what is escaped are controls, and what ends
a line, turns the direction of writing, or is not seen.
"""

from __future__ import annotations

import re
from typing import Final

#: All that is escaped; half a surrogate pair too, which no encoding takes. Not the tab, nor `\n`.
_HARMFUL: Final = re.compile(
    r'[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f'
    r'\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]'
)


def escaped(text: str) -> str:
    """Give text without what is not harmless, but for the ends of its lines."""
    # The quick answer: nothing that is escaped is printable.
    return text if text.isprintable() else _HARMFUL.sub(_escape, text)


def contained(text: str) -> str:
    """Give text that stands in a log as one record: further lines are indented."""
    head, *rest = escaped(text).split('\n')
    return '\n'.join([head, *map(_indented, rest)])


def _escape(found: re.Match[str]) -> str:
    return found[0].encode('unicode_escape').decode('ascii')


def _indented(line: str) -> str:
    blanks = len(line) - len(line.lstrip(' '))
    return ' ' * (2 - min(blanks, 2)) + line
