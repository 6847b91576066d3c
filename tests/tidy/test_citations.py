"""What the documents for engineers cite is there: files, folders and names of the sources, and
what any document links to.

A citation is a code span, outside of blocks. One that has the form of a path is looked for below
the root of the project, below `src` of each crate, below the Python package and below `tests`; a
`*` stands for any name, and `x` for any module. One that has the form of a name, such as
`Live::update` or `_run.turn()`, is there if one file of the sources has all words of it; what a
type of ours has must be defined in that file. What is renamed or moved is found here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest
import tree

#: The documents whose citations are held.
CITING = ('ARCHITECTURE.md', 'docs/internals/')
#: Where words of the sources are found; tests name what they test, so they count.
SOURCES = re.compile(
    r'^(?:crates|python|tests|benches|tools|examples)/.*\.(?:rs|py|pyi|toml)$|^Makefile$|\.toml$'
)

FENCE = re.compile(r'^```.*?^```$', re.M | re.S)
SPAN = re.compile(r'(?<!`)`([^`\n]+)`(?!`)')
PATH = re.compile(r'^[\w.*-]+(?:/[\w.*-]+)*(?:/|\.(?:rs|pyi?|md|toml|sh|yml))$')
ANY_MODULE = re.compile(r'^x(?:\.rs|/tests\.rs)?$')
WORD = re.compile(r'[A-Za-z_]\w*')
TYPE = re.compile(r'\b(?:struct|enum|trait|class) (\w+)')
#: A function, or what stands at the beginning of a line as fields and variants do.
MEMBER = re.compile(
    r'\b(?:fn|def|const|type) (\w+)|^ +(?:pub(?:\(\w+\))? )?(\w+)(?:[:,(]| [{=]|$)', re.M
)
NAME = re.compile(r'^@?[A-Za-z_]\w*(?:(?:::|\.)[A-Za-z_]\w*)*(?:\([\w, =…]*\)|!)?$')
LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)')
HEADING = re.compile(r'^#+ (.+?)\s*$', re.M)


def without_blocks(document: str) -> str:
    """A document with its fenced blocks blanked, every line where it was."""
    return FENCE.sub(lambda block: re.sub(r'[^\n]', ' ', block.group()), document)


def spans(document: str) -> Iterator[tuple[int, str]]:
    """The code spans of a document, each with its line."""
    text = without_blocks(document)
    for found in SPAN.finditer(text):
        yield text.count('\n', 0, found.start()) + 1, found.group(1)


@functools.cache
def places() -> frozenset[str]:
    """Every path under which a file or folder may be cited, folders with their slash."""
    found = set()
    for name in tree.files():
        parts = name.split('/')
        bases = [0]
        if parts[0] == 'crates':
            bases += [2, 3] if parts[2:3] == ['src'] else [2]
        elif parts[:2] == ['python', 'slimHTTP']:
            bases.append(2)
        elif parts[0] == 'tests':
            bases.append(1)
        for base in bases:
            path = parts[base:]
            found.add('/'.join(path))
            found |= {'/'.join(path[:end]) + '/' for end in range(1, len(path))}
    return frozenset(found)


class Source(NamedTuple):
    """What can be cited of a file."""

    words: frozenset[str]
    types: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        """That of one file, the words of its path included."""
        members = ''.join(f'{a or b} ' for a, b in MEMBER.findall(text)).split()
        words = WORD.findall(name) + WORD.findall(text)
        return cls(frozenset(words), frozenset(TYPE.findall(text)), frozenset(members))


@functools.cache
def sources() -> tuple[Source, ...]:
    """The files whose names may be cited."""
    return tuple(
        Source.of(name, tree.text(name) or '')
        for name in tree.files()
        if SOURCES.search(name) and not name.startswith('tests/tidy/test_citations')
    )


def is_named(span: str, known: tuple[Source, ...]) -> bool:
    """Whether a file has the name that a code span is."""
    named = WORD.findall(span.partition('(')[0])
    owner, member = named[-2:] if len(named) > 1 else ('', named[0])
    is_ours = any(owner in source.types for source in known)
    return any(
        source.words.issuperset(named) and (not is_ours or member in source.members)
        for source in known
    )


def missing(document: str, known_places: frozenset[str], known: tuple[Source, ...]) -> list[str]:
    """The citations of a document that lead nowhere, each behind its line."""
    found = []
    for line, span in spans(document):
        if ANY_MODULE.match(span):
            continue
        if PATH.match(span):
            there = span in known_places or (
                '*' in span and any(fnmatchcase(place, span) for place in known_places)
            )
            if not there:
                found.append(f'{line}: there is no `{span}`')
        elif NAME.match(span) and not is_named(span, known):
            found.append(f'{line}: no file of the sources has `{span}`')
    return found


def test_what_is_cited_is_there() -> None:
    found = []
    for name in tree.files():
        if name.startswith(CITING) and name.endswith('.md'):
            document = tree.text(name) or ''
            found += [f'{name}:{wrong}' for wrong in missing(document, places(), sources())]
    assert not found, '\n'.join(['', *found])


@pytest.mark.parametrize(
    ('document', 'found'),
    [
        ('`a/b.rs` and `a/`', []),
        ('`a/*.rs`', []),
        ('x\n`a/c.rs`', ['2: there is no `a/c.rs`']),
        ('`b/`', ['1: there is no `b/`']),
        ('`a/*.py`', ['1: there is no `a/*.py`']),
        ('`Live::update`, `update()`, `@Live.update`', []),
        ('`Live::change`', ['1: no file of the sources has `Live::change`']),
        ('`Live::draw`, `draw`', ['1: no file of the sources has `Live::draw`']),
        ('`Live::put`, `put`', ['1: no file of the sources has `Live::put`']),
        ('`Lively`', ['1: no file of the sources has `Lively`']),
        ('`x.rs` and `x/tests.rs`', []),
        ('`two words`, `x → y`, `--flag`', []),
        ('```text\n`a/c.rs`\n```\n', []),
        ('Lively', []),
    ],
)
def test_a_citation_that_leads_nowhere_is_found(document: str, found: list[str]) -> None:
    there = frozenset({'a/', 'a/b.rs'})
    live = 'struct Live;\nimpl Live {\n    fn update() { table.put() }\n}\n'
    known = (Source.of('a/b.rs', live), Source.of('a/c.rs', 'fn draw() {}\n'))
    assert missing(document, there, known) == found


def anchors(document: str) -> set[str]:
    """The anchors of a document's headings, as the usual pages of Markdown make them."""
    found: set[str] = set()
    for heading in HEADING.findall(without_blocks(document)):
        bare = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
        slug = re.sub(r'[^\w\- ]', '', bare.lower()).replace(' ', '-')
        found.add(slug if slug not in found else f'{slug}-1')
    return found


def broken(name: str, document: str, documents: dict[str, str], there: set[str]) -> list[str]:
    """The links of a document to what is not there."""
    found = []
    for link in LINK.findall(without_blocks(document)):
        if re.match(r'[a-z]+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = name
        if path:
            parts: list[str] = []
            for part in (PurePosixPath(name).parent / path).parts:
                if part == '..' and parts:
                    parts.pop()
                else:
                    parts.append(part)
            target = '/'.join(parts)
        if target not in there:
            found.append(f'{name}: nothing is at {link}')
        elif anchor and anchor not in anchors(documents.get(target, '')):
            found.append(f'{name}: {target} has no heading for {link}')
    return found


def test_what_is_linked_is_there() -> None:
    files = tree.files()
    folders = {'/'.join(name.split('/')[:end]) for name in files for end in range(1, 9)}
    documents = {name: tree.text(name) or '' for name in files if name.endswith('.md')}
    found = []
    for name, document in documents.items():
        found += broken(name, document, documents, set(files) | folders)
    assert not found, '\n'.join(['', *found])


@pytest.mark.parametrize(
    ('link', 'found'),
    [
        ('b.md', []),
        ('../x.md#the-end-of-it', []),
        ('#here', []),
        ('https://example.com/', []),
        ('c.md', ['d/a.md: nothing is at c.md']),
        ('../x.md#gone', ['d/a.md: x.md has no heading for ../x.md#gone']),
        ('#there', ['d/a.md: d/a.md has no heading for #there']),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, found: list[str]) -> None:
    document = f'# Here\n[a link]({link})\n'
    documents = {'d/a.md': document, 'x.md': '## The `end` of it\n'}
    assert broken('d/a.md', document, documents, {*documents, 'd/b.md'}) == found


def test_every_page_is_listed() -> None:
    for index in ('docs/README.md', 'docs/internals/README.md'):
        folder = index.rpartition('/')[0]
        listed = set(LINK.findall(tree.text(index) or ''))
        for name in tree.files():
            inside = name.startswith(f'{folder}/') and name.count('/') == index.count('/')
            if inside and name.endswith('.md') and name != index:
                assert name.rpartition('/')[2] in listed, f'{index} does not list {name}'
