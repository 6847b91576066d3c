"""Listings of large folders: compressed, shared by who asks, and bounded in what they take."""

from __future__ import annotations

import gzip
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE, Client, Process, launch, serving, wait_until

#: As many as a listing has at most.
MANY = 10_000


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('many')
    (root / 'many').mkdir()
    for number in range(MANY):
        (root / 'many' / f'{number:05}-a-name-of-a-usual-length.txt').touch()
    return root


def test_c5_3_a_listing_is_compressed_for_whom_takes_it(folder: Path) -> None:
    with serving(web_root=str(folder), listing=True) as site, site.client() as client:
        plain = client.get('/many/', accept_encoding='identity')
        coded = client.get('/many/', accept_encoding='gzip')
        assert plain.headers['vary'] == coded.headers['vary'] == 'accept, accept-encoding'
        assert 'content-encoding' not in plain.headers
        assert coded.headers['content-encoding'] == 'gzip'
        assert gzip.decompress(coded.body) == plain.body
        assert len(coded.body) * 5 < len(plain.body)
        assert coded.headers['etag'] != plain.headers['etag']
        tag = coded.headers['etag']
        again = client.get('/many/', accept_encoding='gzip', if_none_match=tag)
        assert again.status == 304
        head = client.request('HEAD', '/many/', headers={'Accept-Encoding': 'gzip'})
        assert int(head.headers['content-length']) == len(coded.body)


def test_c5_3_a_listing_is_not_compressed_where_nothing_is(folder: Path) -> None:
    with serving(web_root=str(folder), listing=True, compress=False) as site:
        response = site.get('/many/', accept_encoding='gzip')
        assert 'content-encoding' not in response.headers
        assert response.headers['vary'] == 'accept'


def test_c5_3_a_change_is_seen_in_a_listing_that_is_kept(tmp_path: Path) -> None:
    (tmp_path / 'one.txt').write_text('1')

    def listed(client: Client) -> list[tuple[str, int]]:
        entries = client.get('/', accept='application/json').json()['entries']
        return [(entry['name'], entry['size']) for entry in entries]

    with serving(web_root=str(tmp_path), listing=True) as site, site.client() as client:
        assert listed(client) == [('one.txt', 1)]
        for number in range(20):
            (tmp_path / f'{number:02}.txt').touch()
            # The folder is another one now. Its clock may not have ticked since.
            wait_until(lambda number=number: (f'{number:02}.txt', 0) in listed(client))
        # The length of a file does not show at its folder.
        (tmp_path / 'one.txt').write_text('12345')
        wait_until(lambda: ('one.txt', 5) in listed(client))


@pytest.fixture
def program(folder: Path, tmp_path: Path) -> Iterator[Process]:
    with launch('cli', tmp_path, {'web_root': str(folder), 'listing': True}) as program:
        yield program


def test_c5_3_listings_that_nobody_takes_are_held_once(program: Process) -> None:
    with program.client() as client:
        length = len(client.get('/many/', accept_encoding='identity').body)
    before = program.memory()
    unread = []
    try:
        for _ in range(60):
            sock = socket.socket()
            unread.append(sock)
            # Set before it connects, or the system takes all of it for the client.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(PATIENCE)
            sock.connect(program.address)
            sock.sendall(b'GET /many/ HTTP/1.1\r\nHost: a\r\n\r\n')
            # The first bytes are there: the answer has been made.
            assert sock.recv(16).startswith(b'HTTP/1.1 200')
        grown = program.memory() - before
    finally:
        for sock in unread:
            sock.close()
    # Sixty times the length, were each of its own.
    assert grown < 12 * length, f'{grown >> 20} MiB for {length >> 20} MiB'


def test_c5_3_a_listing_is_not_made_anew_for_each_who_asks(program: Process) -> None:
    with program.client() as client:
        tags = set()
        for _ in range(200):
            response = client.get('/many/', accept_encoding='gzip')
            assert response.status == 200
            tags.add(response.headers['etag'])
        begun, before = time.monotonic(), cpu(program)
        for _ in range(50):
            assert client.get('/many/', accept_encoding='gzip').headers['etag'] in tags
        took, used = time.monotonic() - begun, cpu(program) - before
    # One is made for a tenth of the time, which is long with a debug build.
    assert used < 50 * 0.02, f'{used:.2f} s of CPU in {took:.2f} s'


def cpu(program: Process) -> float:
    """Seconds of CPU that a program has used."""
    fields = Path(f'/proc/{program.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf('SC_CLK_TCK')
