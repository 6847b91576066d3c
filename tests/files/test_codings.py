"""Content codings of files: siblings, compression here, and what says so."""

from __future__ import annotations

import gzip
import os
import time
from typing import Optional

import pytest
from support import wait_until

TEXT = ''.join(f'line {number} of a text that compresses well\n' for number in range(400))
BIG = TEXT * 20
SIBLINGS = {coding: f'{coding} sibling' for coding in ('br', 'zst', 'gz')}
FILES = {
    'root': {
        'page.html': TEXT,
        'big.txt': BIG,
        'small.txt': 'short',
        'noise.txt': os.urandom(4000),
        'picture.png': TEXT,
        'unknown': TEXT,
        'all.css': TEXT,
        **{f'all.css.{extension}': body for extension, body in SIBLINGS.items()},
        'one.js': 'short script',
        'one.js.gz': gzip.compress(b'short script'),
        'folder.txt': TEXT,
        'folder.txt.br': {'inside': 'a folder is no sibling'},
    }
}
CONFIG = {'web_root': 'root'}
of = pytest.mark.parametrize


@pytest.fixture
def files(site):
    return site(CONFIG, FILES)


def plain(response) -> bytes:
    coding = response.headers.get('content-encoding')
    assert coding in (None, 'gzip')
    return gzip.decompress(response.body) if coding else response.body


def undated(response) -> list[tuple[str, str]]:
    return [field for field in response.headers.fields if field[0] != 'date']


@of(
    ('accept', 'coding'),
    [
        (None, None),
        ('', None),
        ('identity', None),
        ('gzip', 'gzip'),
        ('x-gzip', 'gzip'),
        ('GZIP', 'gzip'),
        ('br', 'br'),
        ('zstd', 'zstd'),
        ('gzip, deflate, br, zstd', 'br'),
        ('gzip, zstd', 'zstd'),
        ('gzip;q=1, br;q=0.5', 'gzip'),
        ('br;q=0, gzip', 'gzip'),
        ('br;q=0.1, identity;q=0.5', None),
        ('*', 'br'),
        ('*;q=0', None),
        ('br;q=0, *', 'zstd'),
        ('deflate', None),
    ],
)
def test_c5_4_the_coding_is_the_one_that_the_client_likes_best(
    files, accept: Optional[str], coding: Optional[str]
) -> None:
    with files.client() as client:
        fields = {} if accept is None else {'Accept-Encoding': accept}
        response = client.request('GET', '/page.html', fields)
        assert response.status == 200
        assert response.headers.get('content-encoding') == coding
        assert response.headers.get('vary') == 'Accept-Encoding'
        assert response.headers['content-type'] == 'text/html; charset=utf-8'
        if coding is None:
            assert response.body == TEXT.encode()
        else:
            assert len(response.body) < len(TEXT) / 4
        head = client.request('HEAD', '/page.html', fields)
        assert undated(head) == undated(response)


def test_c5_4_each_coding_has_a_tag_of_its_own_and_is_not_sent_again(files) -> None:
    with files.client() as client:
        tags = {}
        for coding in ('identity', 'br', 'zstd', 'gzip'):
            response = client.get('/page.html', accept_encoding=coding)
            tags[coding] = response.headers['etag']
            assert not tags[coding].startswith('W/')
            again = client.get('/page.html', accept_encoding=coding, if_none_match=tags[coding])
            assert again.status == 304
            assert again.headers['etag'] == tags[coding]
            assert again.headers['vary'] == 'Accept-Encoding'
            assert 'content-encoding' not in again.headers
        assert len(set(tags.values())) == 4
        other = client.get('/page.html', accept_encoding='gzip', if_none_match=tags['br'])
        assert other.status == 200


@of('name', ['small.txt', 'noise.txt', 'picture.png', 'unknown', 'folder.txt'])
def test_what_gains_nothing_is_sent_as_it_is(files, name: str) -> None:
    accept = 'br' if name != 'folder.txt' else 'identity'
    response = files.get(f'/{name}', accept_encoding=accept)
    content = FILES['root'][name]
    assert response.body == (content if isinstance(content, bytes) else content.encode())
    assert 'content-encoding' not in response.headers
    varies = name.endswith('.txt')
    assert response.headers.get('vary') == ('Accept-Encoding' if varies else None)


def test_c5_4_a_range_is_one_of_the_file_as_it_is(files) -> None:
    with files.client() as client:
        response = client.get('/page.html', accept_encoding='br', range='bytes=0-3')
        assert response.status == 206
        assert response.body == b'line'
        assert 'content-encoding' not in response.headers
        assert response.headers['vary'] == 'Accept-Encoding'
        tag = client.get('/page.html', accept_encoding='br').headers['etag']
        whole = client.get('/page.html', accept_encoding='br', range='bytes=0-3', if_range=tag)
        assert whole.status == 200
        assert whole.body == TEXT.encode()


def test_a_long_file_is_compressed_for_those_who_come_later(files) -> None:
    with files.client() as client:
        first = client.get('/big.txt', accept_encoding='gzip')
        assert plain(first) == BIG.encode()

        def coded():
            response = client.get('/big.txt', accept_encoding='gzip')
            assert plain(response) == BIG.encode()
            return response.headers.get('content-encoding') == 'gzip'

        wait_until(coded)


@of(
    ('accept', 'coding', 'extension'),
    [('br', 'br', 'br'), ('zstd', 'zstd', 'zst'), ('gzip', 'gzip', 'gz'), ('gzip, br', 'br', 'br')],
)
def test_a_sibling_stands_for_the_file(files, accept: str, coding: str, extension: str) -> None:
    with files.client() as client:
        response = client.get('/all.css', accept_encoding=accept)
        assert response.body == SIBLINGS[extension].encode()
        assert response.headers['content-encoding'] == coding
        assert response.headers['content-type'] == 'text/css; charset=utf-8'
        assert response.headers['vary'] == 'Accept-Encoding'
        itself = client.get(f'/all.css.{extension}')
        assert itself.body == response.body
        assert 'content-encoding' not in itself.headers
        assert itself.headers['etag'] != response.headers['etag']


def test_a_sibling_of_any_length_is_sent_and_preferred_to_work(files) -> None:
    with files.client() as client:
        response = client.get('/one.js', accept_encoding='br, gzip')
        assert response.headers['content-encoding'] == 'gzip'
        assert plain(response) == b'short script'
        assert client.get('/one.js', accept_encoding='br').body == b'short script'


def test_a_sibling_that_is_older_than_the_file_is_not_sent(site) -> None:
    files = site(CONFIG, {'root': {'a.txt': 'new', 'a.txt.gz': 'old'}}, fresh=True)
    root = files.folder / 'root'
    stamp = int(time.time() - 100) * 10**9 + 9 * 10**8
    with files.client() as client:
        for age, sent in ((0, True), (1, True), (1.5, False), (3, False), (-50, True)):
            older = stamp - int(age * 10**9)
            os.utime(root / 'a.txt', ns=(stamp, stamp))
            os.utime(root / 'a.txt.gz', ns=(older, older))

            def is_sent(sent: bool = sent) -> bool:
                response = client.get('/a.txt', accept_encoding='gzip')
                assert response.body == (b'new', b'old')['content-encoding' in response.headers]
                return ('content-encoding' in response.headers) == sent

            # That there was none is believed for a second.
            wait_until(is_sent)


def test_a_sibling_that_comes_and_goes_is_seen(site) -> None:
    files = site(CONFIG, {'root': {'a.txt': 'plain'}}, fresh=True)
    sibling = files.folder / 'root' / 'a.txt.br'
    with files.client() as client:
        body = lambda: client.get('/a.txt', accept_encoding='br').body  # noqa: E731
        assert body() == b'plain'
        sibling.write_bytes(b'one')
        wait_until(lambda: body() == b'one')
        sibling.write_bytes(b'two!')
        wait_until(lambda: body() == b'two!')
        sibling.unlink()
        wait_until(lambda: body() == b'plain')


@of(
    ('option', 'name', 'accept', 'coding'),
    [
        (False, 'page.html', 'br', None),
        (False, 'all.css', 'br', None),
        ({'encodings': ['gzip', 'br']}, 'page.html', 'br, gzip', 'gzip'),
        ({'encodings': ['gzip']}, 'page.html', 'br', None),
        ({'precompressed': False}, 'one.js', 'gzip', None),
        ({'on_the_fly': False}, 'page.html', 'br', None),
        ({'on_the_fly': False}, 'all.css', 'br', 'br'),
        ({'min_size': 20000}, 'page.html', 'br', None),
        ({'max_size': 10000}, 'page.html', 'br', None),
        ({'types': ['image/png']}, 'picture.png', 'br', 'br'),
        ({'types': ['image/png']}, 'page.html', 'br', None),
    ],
    ids=str,
)
def test_compress_says_what_is_done(site, option, name: str, accept: str, coding) -> None:
    files = site({**CONFIG, 'compress': option}, FILES)
    response = files.get(f'/{name}', accept_encoding=accept)
    assert response.status == 200
    assert response.headers.get('content-encoding') == coding


def test_nothing_is_held_back_where_nothing_is_kept(site) -> None:
    files = site({**CONFIG, 'file_cache': False}, FILES)
    with files.client() as client:
        for _ in range(2):
            response = client.get('/page.html', accept_encoding='gzip')
            assert response.headers['content-encoding'] == 'gzip'
            assert plain(response) == TEXT.encode()
