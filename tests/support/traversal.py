"""Request targets that try to lead out of a root: every way of writing, by every way out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

#: `..`, as servers have been taken in by it.
DOTS = [
    b'..', b'.%2e', b'%2e.', b'%2e%2e', b'%2E%2e', b'%252e%252e', b'%25252e%25252e', b'%%32%65%%32%65',
    b'%c0%ae%c0%ae', b'%c0%2e%c0%2e', b'%e0%80%ae%e0%80%ae', b'%f0%80%80%ae%f0%80%80%ae',
    b'%c0%5e%c0%5e', b'%u002e%u002e', b'%uff0e%uff0e', b'%ef%bc%8e%ef%bc%8e', b'\xef\xbc\x8e\xef\xbc\x8e',
    b'%e2%80%a5', b'\xe2\x80\xa5', b'..%00', b'..%20', b'..%09', b'..%0d', b'..%0a', b'..;', b'..;a=b', b';..',
    b'...', b'....', b'.../...', b'. .', b'.%20.', b'..%ff', b'..%c0', b'.%00.', b'..~', b'..:', b'..%3f', b'..%23',
    b'.\xc0\xae', b'\xc0\xae\xc0\xae',
]  # fmt: skip

#: What stands between names.
SLASHES = [
    b'/', b'//', b'/./', b'%2f', b'%2F', b'%252f', b'%25252f', b'\\', b'%5c', b'%255c', b'/\\', b'\\/', b'%c0%af',
    b'%e0%80%af', b'%f0%80%80%af', b'%c1%9c', b'%u2215', b'%u2216', b'%ef%bc%8f', b'\xe2\x88\x95', b'/%2e/', b';/', b'/;/',
    b'%2f%2f', b'/%00/', b'%00/',
]  # fmt: skip

#: What stands before the way out. The folders are there, `missing` is not.
STARTS = [
    b'/',
    b'//',
    b'/folder/',
    b'/folder/deeper/',
    b'/missing/',
    b'/page.txt/',
    b'/in/',
    b'/%2e/',
    b'/.',
]

#: What follows a goal and may cut it off, or make it look like something else.
ENDS = [
    b'',
    b'/',
    b'%00',
    b'%00.html',
    b'?',
    b'?page.txt',
    b';.html',
    b'%20',
    b'.',
    b'%3f.html',
    b'::$DATA',
    b'%2e',
]


def targets(outside: str, root: str) -> Iterator[bytes]:
    """Give every target, each once. `outside` and `root` are folders beside each other."""
    seen: set[bytes] = set()
    for target in _all(os.fsencode(outside), os.fsencode(root)):
        if target not in seen and not set(target) & set(b' \r\n\t\0'):
            seen.add(target)
            yield target


def _all(outside: bytes, root: bytes) -> Iterator[bytes]:
    goals = [b'outside/secret.txt', b'secret.txt']
    # Every writing of dots with every writing of slashes.
    for dots, slash, goal in itertools.product(DOTS, SLASHES, goals):
        yield b'/' + dots + slash + goal.replace(b'/', slash)
        yield b'/folder/' + (dots + slash) * 2 + goal.replace(b'/', slash)
    # Every beginning, every depth, every end.
    for start, dots, goal in itertools.product(STARTS, DOTS[:8], goals):
        yield start + dots + b'/' + goal
        yield start + (dots + b'/') * 3 + goal
        yield start + (dots + b'%2f') * 3 + goal
    for depth, slash, goal in itertools.product([*range(1, 16), 40, 200], SLASHES[:10], goals):
        yield b'/' + (b'..' + slash) * depth + goal
        yield b'/' + (b'%2e%2e' + slash) * depth + goal
    for end, start, goal in itertools.product(ENDS, STARTS, goals):
        yield start + b'../' + goal + end
        yield start + b'out-folder/secret.txt' + end
    # Down first, then further up than down.
    for depth in (1, 2, 3, 10, 60):
        for name in (
            b'folder',
            b'missing',
            b'folder/deeper',
            b'in',
            b'page.txt',
            b'%66older',
            b'x;y',
            b'n' * 255,
        ):
            yield b'/' + (name + b'/') * depth + b'../' * (depth * 2 + 1) + goals[0]
            yield b'/' + (name + b'%2f') * depth + b'..%2f' * (depth + 1) + goals[0]
            yield b'/' + (name + b'/') * depth + b'%2e%2e/' * (depth * 2 + 1) + goals[0]
    # Absolute paths, drives, shares and schemes.
    for path in (
        outside + b'/secret.txt',
        b'/etc/passwd',
        b'/proc/self/environ',
        b'/proc/self/root' + outside + b'/secret.txt',
    ):
        encoded = path.replace(b'/', b'%2f')
        for start in (
            b'', b'/', b'//', b'///', b'/.', b'/./', b'/%2f', b'/%2f%2f', b'/\\', b'/%5c', b'/folder/', b'/folder//', b'/~', b'/~root',
            b'file:', b'file://', b'file://localhost', b'/file:', b'/file://', b'/file:%2f%2f', b'/C:', b'/c%3a', b'/C:\\', b'//?/', b'//./',
            b'/\\\\?\\', b'/%5c%5c.%5c', b'\\\\localhost\\c$', b'/\\\\localhost\\c$', b'/%5c%5clocalhost%5cc$', b'/url:file://',
            b'/php://filter/resource=', b'/jar:file://', b'http://a.example', b'http://a.example/..', b'http://a.example/%2e%2e',
            b'http://a.example//', b'http://a.example/folder/../..', b'http://a.example@', b'HTTP://A.EXAMPLE/', b'https://a.example/',
        ):  # fmt: skip
            yield start + path
            yield start + encoded
            yield start + path.replace(b'/', b'\\')
    # Absolute targets whose path climbs.
    for dots, goal in itertools.product(DOTS[:24], goals):
        yield b'http://a.example/' + dots + b'/' + goal
        yield b'http://a.example/folder/' + dots + b'/' + dots + b'/' + goal
    # Links that lead out, and a root that begins as another folder does.
    for link in (
        b'out',
        b'out-folder',
        b'out-absolute',
        b'chain',
        b'slash',
        b'up',
        b'proc',
        b'swapped',
        b'swapped-folder',
        b'moving',
    ):
        for rest in (b'', b'/', b'/secret.txt', b'/outside/secret.txt', outside + b'/secret.txt', b'/etc/passwd', b'/../secret.txt',
                     b'/..%2fsecret.txt', b'/./secret.txt', b'/folder/../secret.txt', b'/' + b'root' + outside + b'/secret.txt'):  # fmt: skip
            for start in (b'/', b'/folder/../', b'/in/', b'//', b'/%2e/'):
                yield start + link + rest
    name = os.path.basename(root)
    for behind in (b'2', b'-old', b'.bak', b'%00', b'..'):
        yield b'/../' + name + behind + b'/secret.txt'
        yield b'/..%2f' + name + behind + b'/secret.txt'
    # Long ones, to the limit of a target and beyond.
    for length in (255, 256, 1000, 4000, 7900, 8192, 9000):
        yield b'/' + b'a' * length + b'/../../outside/secret.txt'
        yield b'/' + b'../' * (length // 3) + b'outside/secret.txt'
        yield b'/' + b'%2e%2e%2f' * (length // 9) + b'outside/secret.txt'
        yield b'/' + b'./' * (length // 2) + b'../outside/secret.txt'
        yield b'/' + b'/' * length + b'../outside/secret.txt'
