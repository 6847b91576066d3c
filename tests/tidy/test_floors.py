"""Imports within a crate run down its floors, as ARCHITECTURE.md lists them; see floors.py."""

from __future__ import annotations

import floors
import pytest
import tree

LISTS = floors.lists((tree.ROOT / 'ARCHITECTURE.md').read_text(encoding='utf-8'))
# The crates that have a list, whatever becomes of the document.
LISTED: tuple[str, ...] = ('slimhttp-http1', 'slimhttp-site')


@pytest.mark.parametrize('crate', sorted({*LISTS, *LISTED}))
def test_imports_run_down(crate: str) -> None:
    assert crate in LISTS, f'ARCHITECTURE.md has no list of the floors of {crate}'
    found = floors.problems(floors.sources(crate), LISTS[crate])
    assert not found, '\n'.join(['', *found])


# `top` stands above `left` and `right`, those above `low`.
HOUSE = floors.floors('top\nleft right  what is asked\nlow — the ground')


def house(file: str, text: str) -> floors.Sources:
    """A crate of these four rooms, one of whose files says `text`."""
    rooms = {'lib.rs': 'pub mod top;', 'top.rs': '', 'left/x.rs': '', 'right.rs': '', 'low.rs': ''}
    return {**rooms, file: text}


# A file, its text, and what is found in it
CASES = [
    ('low.rs', 'use crate::top::X;', ['src/low.rs:1: `low` imports `top`, which stands above it']),
    ('low.rs', '\nfn f() { crate::left::f() }', ['src/low.rs:2: `low` imports `left`, which stands above it']),
    ('low/deep/x.rs', 'use super::super::super::top;', ['src/low/deep/x.rs:1: `low` imports `top`, which stands above it']),
    ('low.rs', 'use self::super::top;', ['src/low.rs:1: `low` imports `top`, which stands above it']),
    ('left/x.rs', 'use super::super::right::X;', ['src/left/x.rs:1: `left` imports `right`, which stands beside it']),
    ('right.rs', 'use crate::{low, left::{self, x}};', 2 * ['src/right.rs:1: `right` imports `left`, which stands beside it']),
    ('low.rs', 'use crate::X;', ['src/low.rs:1: `low` imports from the root of the crate: name the room it comes from']),
    ('low.rs', 'use super::*;', ['src/low.rs:1: `low` imports from the root of the crate: name the room it comes from']),
    ('low.rs', 'use crate as all;', ['src/low.rs:1: `low` imports from the root of the crate: name the room it comes from']),
    ('low.rs', '#[cfg(test)]\nmod tests {}\nuse crate::top;', ['src/low.rs:3: `low` imports `top`, which stands above it']),
    ('attic.rs', '', ['`attic` has no floor']),
    ('attic/x.rs', 'use crate::top;', ['`attic` has no floor']),
    ('top.rs', 'use crate::left::X; use super::low; fn f() { crate::right::f() }', []),
    ('left/x.rs', 'use super::y; use crate::left::z; use std::top; use top::X; use self::left;', []),
    ('left/y/z.rs', 'use super::super::x; use super::w;', []),
    ('lib.rs', 'pub use top::X; use crate::low;', []),
    ('low.rs', '// crate::top\nlet s = "crate::top";', []),
    ('low.rs', '#[cfg(test)]\nmod tests { use crate::top; }', []),
    ('low.rs', '#[cfg(test)]\nuse crate::top;', []),
    ('low/tests.rs', 'use crate::top;', []),
    ('low/tests/x.rs', 'use crate::top;', []),
    ('tests.rs', 'use crate::top;', []),
]  # fmt: skip


@pytest.mark.parametrize(('file', 'text', 'found'), CASES)
def test_an_import_up_or_sideways_is_found(file: str, text: str, found: list[str]) -> None:
    assert floors.problems(house(file, text), HOUSE) == found


def test_a_listed_room_is_there() -> None:
    crate = house('top.rs', '')
    del crate['low.rs']
    assert floors.problems(crate, HOUSE) == ['`low` is listed but not there']


@pytest.mark.parametrize(
    'declaration', ['mod samples;', '#[path = "x.rs"]\npub(crate) mod samples;']
)
def test_a_module_for_tests_alone_is_no_room(declaration: str) -> None:
    crate = house('lib.rs', f'#[cfg(test)]\n{declaration}')
    crate |= {'samples.rs': 'use crate::top;', 'samples/deep.rs': 'use crate::top;'}
    assert floors.problems(crate, HOUSE) == []
    assert '`samples` has no floor' in floors.problems({**crate, 'lib.rs': 'mod samples;'}, HOUSE)


def test_a_list_stands_below_the_name_of_its_crate() -> None:
    block = '```text\na b  comment\nc — comment\n\nd\n```\n'
    document = f'## Map\n### z\n{block}## Floors\nWords.\n### y\n\nWords.\n{block}### `x-1`\n{block}## End\n### w\n{block}'
    assert floors.lists(document) == {
        name: {'a': 0, 'b': 0, 'c': 1, 'd': 3} for name in ('y', 'x-1')
    }
    assert floors.lists('## Floors\n### y\nNo list.\n### x\n```\na\n```\n') == {'x': {'a': 0}}
    assert floors.lists('# Nothing\n') == {}


def test_a_room_has_one_floor() -> None:
    with pytest.raises(ValueError, match='`a` stands in the list twice'):
        floors.floors('a\nb a\n')


def test_rooms_that_import_each_other_are_a_circle() -> None:
    crate = house('low.rs', 'use crate::right::X;')
    crate |= {'right.rs': 'use super::left;', 'left.rs': 'use crate::low; use crate::left::x;'}
    assert floors.circles(crate) == [['left', 'low', 'right']]
    assert floors.circles(house('low.rs', '')) == []
