"""The floors of a crate: which of its top-level modules may import which.

ARCHITECTURE.md lists them, under `## Floors`, in a block below `### NAME-OF-THE-CRATE`: one
floor a line, the highest first, its rooms separated by spaces. A room is a top-level module of
the crate: `x.rs`, `x/`, or both. What follows two spaces or a dash is a comment. Imports run
to a lower line only: within a room they run as they like, and rooms of one line do not import
each other.

From the command line it prints what breaks that, and which rooms import each other in circles
(for which it needs no list):

    python tests/tidy/floors.py slimhttp-server               # the list of ARCHITECTURE.md
    python tests/tidy/floors.py slimhttp-server LIST          # another one: a file of such lines
    python tests/tidy/floors.py --root DIR slimhttp-server    # the sources in another folder
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import rust
import tree

# Room -> the number of its line, counted from the top.
Floors = dict[str, int]
Sources = dict[str, str]

SECTION = re.compile(r'^## Floors$(.*?)(?=^## |\Z)', re.M | re.S)
LIST = re.compile(r'^### `?([\w-]+)`?$(?:(?!^###? ).)*?^```\w*\n(.*?)^```$', re.M | re.S)
COMMENT = re.compile(r'(?:\s{2}|\s*—).*')

ATTRIBUTES = r'#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?'
TEST_FILE = re.compile(ATTRIBUTES + r'mod\s+(\w+)\s*;')
TEST_USE = re.compile(ATTRIBUTES + r'use\s[^;]*;')


class Import(NamedTuple):
    """That a file names something of another room; `room` is `''` for the crate's root."""

    file: str
    line: int
    importer: str
    room: str


def lists(document: str) -> dict[str, Floors]:
    """Every list of a document, by crate."""
    section = SECTION.search(document)
    if section is None:
        return {}
    return {crate: floors(lines) for crate, lines in LIST.findall(section.group(1))}


def floors(lines: str) -> Floors:
    """The list that the lines of a block make."""
    found: Floors = {}
    for number, line in enumerate(lines.splitlines()):
        for room in COMMENT.sub('', line.strip()).split():
            if room in found:
                raise ValueError(f'`{room}` stands in the list twice')
            found[room] = number
    return found


def sources(crate: str, root: Path = tree.ROOT) -> Sources:
    """The files of a crate's `src`, by their path in it."""
    source = root / 'crates' / crate / 'src'
    return {
        path.relative_to(source).as_posix(): path.read_text(encoding='utf-8')
        for path in sorted(source.rglob('*.rs'))
    }


def module(file: str) -> tuple[str, ...]:
    """The module that a file of `src` is."""
    parts = file.removesuffix('.rs').split('/')
    return tuple(parts[:-1] if parts[-1] in ('lib', 'main', 'mod') else parts)


def without_tests(crate: Sources) -> dict[str, str]:
    """The code of a crate's files, less all that is compiled for tests alone."""
    blank = {file: rust.blank(text) for file, text in crate.items()}
    tests = {
        (*module(file), name) for file, code in blank.items() for name in TEST_FILE.findall(code)
    }
    return {
        file: TEST_USE.sub(lambda use: rust.blanks(use.group()), rust.without_test_modules(code))
        for file, code in blank.items()
        if not any(module(file)[: len(test)] == test for test in tests)
        and not rust.is_test('/' + file)
    }


def rooms(crate: Sources) -> set[str]:
    """The top-level modules of a crate."""
    return {module(file)[0] for file in without_tests(crate) if module(file)}


def imports(crate: Sources) -> Iterator[Import]:
    """Every path from one room into another, or to what the root of the crate hands on.

    The root itself (`lib.rs`) imports what it likes. `super` in a module that is written out
    within a file is read as if it stood outside; that finds too much, never too little.
    """
    known = rooms(crate)
    for file, code in without_tests(crate).items():
        if not (here := module(file)):
            continue
        for line, path in rust.paths(code):
            target = absolute(here, path.split('::'))
            if target is None or target[:1] == here[:1]:
                continue
            room = target[0] if target and target[0] in known else ''
            yield Import(file, line, here[0], room)


def absolute(here: tuple[str, ...], path: list[str]) -> tuple[str, ...] | None:
    """What a path in the module `here` leads to, from the root of its crate; `None` if it
    names another crate, or something within `here`."""
    if path[0] == 'crate':
        return tuple(path[1:])
    if path[0] == 'self':
        path = path[1:]
    steps = 0
    while steps < len(path) and path[steps] == 'super':
        steps += 1
    if steps == 0:
        return None
    return (*here[: max(0, len(here) - steps)], *path[steps:])


def upward(crate: Sources, listed: Floors) -> list[Import]:
    """The imports between listed rooms that do not run to a lower floor."""
    return [
        found
        for found in imports(crate)
        if found.importer in listed
        and found.room in listed
        and listed[found.room] <= listed[found.importer]
    ]


def problems(crate: Sources, listed: Floors) -> list[str]:
    """Where a crate does not keep to its list."""
    existing = rooms(crate)
    found = [f'`{room}` has no floor' for room in sorted(existing - set(listed))]
    found += [f'`{room}` is listed but not there' for room in sorted(set(listed) - existing)]
    for file, line, importer, room in imports(crate):
        if not room:
            found.append(
                f'src/{file}:{line}: `{importer}` imports from the root of the crate:'
                ' name the room it comes from'
            )
    for file, line, importer, room in upward(crate, listed):
        where = 'beside' if listed[room] == listed[importer] else 'above'
        found.append(f'src/{file}:{line}: `{importer}` imports `{room}`, which stands {where} it')
    return found


def circles(crate: Sources) -> list[list[str]]:
    """The largest sets of rooms that reach each other, the largest first."""
    arrows: dict[str, set[str]] = {room: set() for room in rooms(crate)}
    for found in imports(crate):
        if found.room:
            arrows[found.importer].add(found.room)
    reached = {room: reachable(arrows, room) for room in arrows}
    sets = {
        frozenset(other for other in reached[room] if room in reached[other])
        for room in arrows
        if room in reached[room]
    }
    return sorted((sorted(one) for one in sets), key=lambda one: (-len(one), one))


def reachable(arrows: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for room in arrows[waiting.pop()] - found:
            found.add(room)
            waiting.append(room)
    return found


def main() -> None:
    """Prints what runs the wrong way, and the figures of it."""
    parser = argparse.ArgumentParser(description='What imports against the floors of a crate.')
    parser.add_argument('--root', type=Path, default=tree.ROOT, help='the folder of the project')
    parser.add_argument('crate')
    parser.add_argument('list', nargs='?', type=Path, help='a file of floors, the highest first')
    args = parser.parse_args()
    crate = sources(args.crate, args.root)
    if args.list is not None:
        listed = floors(args.list.read_text(encoding='utf-8'))
    else:
        document = (args.root / 'ARCHITECTURE.md').read_text(encoding='utf-8')
        listed = lists(document).get(args.crate, {})
    if listed:
        wrong = upward(crate, listed)
        pairs = {(found.importer, found.room) for found in wrong}
        for problem in problems(crate, listed):
            print(problem)
        print(f'{len(wrong)} imports run up or sideways, between {len(pairs)} pairs of rooms')
    for circle in circles(crate):
        print(f'a circle of {len(circle)} rooms: {" ".join(circle)}')
    in_circles = sum(len(circle) for circle in circles(crate))
    print(f'{len(rooms(crate))} rooms, {in_circles} of them in circles')


if __name__ == '__main__':
    main()
