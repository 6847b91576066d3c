"""C8.2: `safe_filename` is a name that every file system takes for one."""

from __future__ import annotations

import io
import os
import random
import unicodedata
from pathlib import Path

import pytest
from slimHTTP import UploadedFile

of = pytest.mark.parametrize


def safe(filename: str) -> str:
    return UploadedFile(io.BytesIO(), filename, 0).safe_filename


@of(
    ('filename', 'expected'),
    [
        ('photo.jpg', 'photo.jpg'),
        ('a b-c_d.tar.gz', 'a b-c_d.tar.gz'),
        # Dots, blanks and hyphens at either end, in whatever order.
        ('. .htaccess', 'htaccess'),
        ('. ..', 'upload'),
        ('.. .', 'upload'),
        (' . . a . . ', 'a'),
        ('-rf', 'rf'),
        ('--.-', 'upload'),
        ('a.', 'a'),
        ('a.txt. .', 'a.txt'),
        ('\x00.\x00.\x00a', 'a'),
        ('\u200b.a', 'a'),
        # What other systems take for a separator.
        ('..\\..\\boot.ini', 'boot.ini'),
        ('a\uff0f..\uff0fb', 'b'),
        ('a\uff3cb', 'b'),
        ('a\u2215b', 'b'),
        ('\uff0e\uff0e', 'upload'),
        ('\u2025\u2024a', 'a'),
        ('\u2026', 'upload'),
        # Direction, marks and letters that look like others.
        ('\u202egpj.exe', 'gpj.exe'),
        ('a\u2066b\u2069', 'ab'),
        ('\uff41\uff42.txt', 'ab.txt'),
        ('a\u0308.txt', '\u00e4.txt'),
        ('a\u200b\u0308', '\u00e4'),
        ('\ud800a', 'a'),
        # What Windows keeps for itself.
        ('CON', '_CON'),
        ('con.txt', '_con.txt'),
        ('Nul .tar.gz', '_Nul .tar.gz'),
        ('com1', '_com1'),
        ('LPT\u00b9.txt', '_LPT1.txt'),
        ('..aux', '_aux'),
        ('console', 'console'),
        ('com10', 'com10'),
        ('C:boot.ini', 'C_boot.ini'),
        ('a.txt:stream', 'a.txt_stream'),
        ('a<b>|"c?*', 'a_b___c__'),
        # Length, in bytes.
        ('x' * 300 + '.png', 'x' * 251 + '.png'),
        ('\u00e4' * 200 + '.png', '\u00e4' * 125 + '.png'),
        ('x' * 254 + '. .png', 'x' * 251 + '.png'),
        ('x' * 254 + ' ' + 'y' * 300, 'x' * 254),
        ('x' * 100_000 + '.png', 'x' * 251 + '.png'),
        ('', 'upload'),
        ('/', 'upload'),
    ],
)
def test_c8_2_names_and_what_is_safe_of_them(filename: str, expected: str) -> None:
    assert safe(filename) == expected


PIECES = (
    '. ', '.', ' ', '-', '/', '\\', '\x00', '\n', '\u202e', '\u200d', '\ufeff', '\uff0e', '\uff0f',
    '\u2024', '\u2026', '\u2044', '\u2100', '\u00a0', '\u00a8', '\u0308', '\u0327', '\ufdfa', '\u1160', 'a', 'B',
    '\u00e4', '\u65e5', '\U0001f600', '\ud800', 'con', 'nul', 'com1', '\u00b9', ':', '<', '*', '~', '_',
    '.txt', 'x' * 100, '\u00e4' * 60, '.' + 'e' * 33, ' ' * 50,
)  # fmt: skip


def test_c8_2_a_safe_name_is_safe_whatever_it_was(tmp_path: Path) -> None:
    chance = random.Random(11)
    for _ in range(20_000):
        filename = ''.join(chance.choice(PIECES) for _ in range(chance.randrange(9)))
        name = safe(filename)
        told = f'{filename!r} -> {name!r}'
        assert safe(name) == name, f'not its own: {told}'
        assert 1 <= len(name.encode()) <= 255, told
        assert name.isprintable(), told
        assert name == name.lstrip(' .-').rstrip(' .'), told
        assert not set(name) & set('/\\<>:"|?*\u2044\u2215'), told
        assert unicodedata.normalize('NFKC', name) == name or len(filename) > 255, told
        stem = name.partition('.')[0].rstrip().lower()
        assert stem not in ('con', 'nul', 'com1'), told
        path = os.path.join(tmp_path, name)
        assert os.path.dirname(os.path.abspath(path)) == os.fspath(tmp_path), told


def test_c8_2_a_long_name_takes_no_long_time() -> None:
    # Marks of falling classes are put into order, each by each.
    name = 'a' + '\u0308\u0327' * 30_000
    assert len(safe(name).encode()) <= 255
