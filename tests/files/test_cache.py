"""Files in memory are never staler than is said, and never more than is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from support import launch, serving, settle, tree, wait_until

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def folders(tmp_path_factory) -> Iterator[Path]:
    """Folders with two files of an age from which the server keeps them, for who changes them."""
    made = []
    for _ in range(9):
        made.append(tree(tmp_path_factory.mktemp('site'), {'a.txt': 'one', 'b.txt': 'two'}))
        for path in made[-1].iterdir():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    settle(*made)
    return iter(made)


@pytest.fixture
def settled(folders: Iterator[Path]) -> Path:
    return next(folders)


def ask(site) -> bytes:
    response = site.get('/a.txt')
    assert response.status == 200
    return response.body


@of('cache', [None, False, True, {'revalidate': 0}, {'size': 0}, {'entry': 0}], ids=str)
def test_an_edit_is_seen(settled: Path, cache: Optional[object]) -> None:
    options = {} if cache is None else {'file_cache': cache}
    path = settled / 'a.txt'
    with serving(web_root=str(settled), **options) as site:
        tags = set()
        for content in (b'one', b'two', b'three', b'one'):
            # In place, of equal length and longer, and back again.
            path.write_bytes(content)
            wait_until(lambda content=content: ask(site) == content)
            tags.add(site.get('/a.txt').headers['etag'])
        # A tag is one of the content where the file is read whole.
        assert len(tags) == (4 if cache == {'entry': 0} else 3)
        path.unlink()
        wait_until(lambda: site.get('/a.txt').status == 404)
        path.write_bytes(b'four')
        wait_until(lambda: site.get('/a.txt').status == 200)
        assert ask(site) == b'four'


def test_a_replacement_of_equal_length_and_time_is_another_file(settled: Path) -> None:
    one, other = settled / 'a.txt', settled / 'b.txt'
    with serving(web_root=str(settled), file_cache={'revalidate': 0}) as site:
        before = site.get('/a.txt')
        assert before.body == b'one'
        os.replace(other, one)
        after = site.get('/a.txt')
        assert after.body == b'two'
        assert after.headers['last-modified'] == before.headers['last-modified']
        assert after.headers['etag'] != before.headers['etag']
        again = site.get('/a.txt', if_none_match=before.headers['etag'])
        assert (again.status, again.body) == (200, b'two')
        # No part of the one is ever joined to the other.
        for name in ('etag', 'last-modified'):
            part = site.get('/a.txt', range='bytes=1-', if_range=before.headers[name])
            assert (part.status, part.body) == (200, b'two'), name


def test_an_edit_right_behind_a_request_is_seen_though_the_clock_has_not_ticked(tmp_path) -> None:
    path = tree(tmp_path, {'a.txt': '000'}) / 'a.txt'
    with (
        serving(web_root=str(tmp_path), file_cache={'revalidate': 3600}) as site,
        site.client() as c,
    ):
        for number in range(200):
            content = b'%03d' % number
            path.write_bytes(content)
            assert c.get('/a.txt').body == content


def test_a_kept_file_is_believed_for_as_long_as_is_said(settled: Path) -> None:
    path = settled / 'a.txt'
    with serving(web_root=str(settled), file_cache={'revalidate': 3600}) as site:
        assert ask(site) == b'one'
        path.write_bytes(b'two')
        assert ask(site) == b'one'
        site.http.config['file_cache'] = {'revalidate': 0}
        assert ask(site) == b'two'


def test_c5_4_equal_contents_have_equal_tags(tmp_path) -> None:
    tree(tmp_path, {'a.txt': 'same', 'b.txt': 'same', 'c.txt': 'else'})
    with serving(web_root=str(tmp_path)) as site:
        a, b, c = (site.get(f'/{name}.txt').headers['etag'] for name in 'abc')
        assert a == b != c


def test_c5_4_the_tag_of_a_long_file_is_weak_until_it_has_settled(tmp_path) -> None:
    path = tree(tmp_path, {'long.bin': bytes(600_000)}) / 'long.bin'
    with serving(web_root=str(tmp_path)) as site:
        weak = site.get('/long.bin').headers['etag']
        assert weak.startswith('W/')
        settle(path)
        response = site.get('/long.bin', if_none_match=weak)
        assert response.status == 200, 'it may have been changed within a tick since'
        tag = response.headers['etag']
        assert not tag.startswith('W/')
        part = site.get('/long.bin', range='bytes=5-9', if_range=tag)
        assert (part.status, part.body) == (206, bytes(5))
        path.write_bytes(b'1' + bytes(599_999))
        settle(path)
        other = site.get('/long.bin', range='bytes=5-9', if_range=tag)
        assert other.status == 200


def test_a_file_that_becomes_unreadable_or_a_folder_is_not_sent_from_memory(
    settled: Path, tmp_path: Path
) -> None:
    path = settled / 'a.txt'
    with serving(web_root=str(settled), file_cache={'revalidate': 0}) as site:
        assert ask(site) == b'one'
        path.rename(settled / 'away')
        path.mkdir()
        assert site.get('/a.txt').headers['location'] == '/a.txt/'
        path.rmdir()
        (tmp_path / 'outside.txt').write_text('secret')
        path.symlink_to(tmp_path / 'outside.txt')
        assert site.get('/a.txt').status == 404


@of('entry_point', ['import', 'cli'])
def test_memory_is_bounded_over_many_files(entry_point: str, tmp_path: Path) -> None:
    size = 4 << 20
    count, length = 1500, 16_000
    config = {'web_root': 'root', 'file_cache': {'size': size}, 'io_threads': 1}
    files = {
        'root': {f'{number}.bin': b'%07d\n' % number * (length // 8) for number in range(count)}
    }
    with launch(entry_point, tmp_path, config, files) as program, program.client() as client:
        settle(tmp_path / 'root' / f'{count - 1}.bin')
        for number in range(150):
            client.get(f'/{number}.bin')
        before = program.memory()
        for number in range(count):
            response = client.get(f'/{number}.bin')
            assert response.body[:8] == b'%07d\n' % number
        # What was asked for are 24 MB.
        assert program.memory() < before + 2 * size
