"""What belongs to an I/O thread alone is listed where the thread is, and declared in one way."""

from __future__ import annotations

import re

import floors
import pytest
import rust

LIST = 'serve/io_thread.rs'
ROW = re.compile(r'^//! \| `([\w/]+\.rs)` \|', re.M)
DECLARED = re.compile(r'\bthread_local!')
PART = re.compile(r'^\s*(?:pub\S* )?static \w+\s*:(?!\s*(?:Ref)?Cell<)', re.M)


def problems(sources: dict[str, str]) -> list[str]:
    """What the list lacks, what it has too much, and what is declared otherwise."""
    listed = ROW.findall(sources[LIST])
    found = [] if listed == sorted(set(listed)) else ['the list is not sorted']
    declared = set()
    for file, text in sources.items():
        code = rust.blank(text)
        count = len(DECLARED.findall(code))
        if not count or file.endswith('tests.rs') or '/tests/' in file:
            continue
        declared.add(file)
        if count > 1:
            found.append(f'{file}: one `thread_local!` is enough')
        _, _, behind = code.partition('thread_local!')
        block = behind[: behind.index('\n}')] if '\n}' in behind else behind
        if PART.search(block):
            found.append(f'{file}: a part is a `RefCell` or a `Cell`')
    found += [f'{file}: not in the list of {LIST}' for file in sorted(declared - set(listed))]
    found += [
        f'{file}: in the list of {LIST}, and has no part' for file in sorted(set(listed) - declared)
    ]
    return found


def test_every_part_of_an_io_thread_is_listed() -> None:
    found = problems(floors.sources('slimhttp-server'))
    assert not found, '\n'.join(['', *found])


PARTS = 'thread_local! {\n    static A: RefCell<u8> = const { RefCell::new(0) };\n}\n'
ROWS = '//! | `a.rs` | a |\n'

# The list, a file `a.rs`, and what is found in them
CASES = [
    (ROWS, PARTS, []),
    ('', PARTS, ['a.rs: not in the list of serve/io_thread.rs']),
    (ROWS, '// thread_local!', ['a.rs: in the list of serve/io_thread.rs, and has no part']),
    (2 * ROWS, PARTS, ['the list is not sorted']),
    (ROWS, 2 * PARTS, ['a.rs: one `thread_local!` is enough']),
    (ROWS, PARTS.replace('RefCell<u8>', 'Mutex<u8>'), ['a.rs: a part is a `RefCell` or a `Cell`']),
]


@pytest.mark.parametrize(('rows', 'text', 'found'), CASES)
def test_what_is_not_listed_or_declared_otherwise_is_found(
    rows: str, text: str, found: list[str]
) -> None:
    assert problems({LIST: rows, 'a.rs': text}) == found
