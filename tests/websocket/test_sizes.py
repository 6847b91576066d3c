"""Messages of every kind arrive as they were sent, whatever their size: held against zlib.

The client is the package `websockets`, which packs and unpacks by Python's zlib. Here are the sizes
about which buffers, windows and pieces end. The Rust tests have more of them, and by `make sizes`
every size of every kind.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from typing import Union

import pytest
from support import PATIENCE, Serving, serving
from support.websocket_clients import client

Message = Union[str, bytes]

LONGEST = 300_000
SIZES = [
    *(0, 1, 255, 256, 257, 16_384, 32_767, 32_768, 32_769, 58_300, 59_000, 60_000, 61_000),
    *(65_535, 65_536, 65_537, 98_305, 120_000, 131_073, 180_000, 262_145, LONGEST),
]


def kinds() -> dict[str, Message]:
    chance = random.Random(1)
    noise = chance.randbytes(LONGEST)
    image = base64.b64encode(noise[:15_000]).decode()
    images = json.dumps([{'image': image[at:] + image[:at]} for at in range(0, 20_000, 1000)])
    records = json.dumps([{'id': at, 'name': f'item {at * 7 % 991}'} for at in range(10_000)])
    return {
        'one letter': 'x' * LONGEST,
        'period': bytes(range(251)) * 1200,
        'noise': noise,
        'base64': base64.b64encode(noise).decode(),
        'hex': noise.hex(),
        'words': ' '.join(chance.choices(['the', 'quick', 'brown', 'fox'], k=LONGEST)),
        'Greek': ''.join(chance.choices('αβγδεζηθικλμνξο ', k=LONGEST)),
        'JSON': records,
        'JSON around images': images,
        'bands': b''.join(noise[at : at + 9000] + b'.' * 9000 for at in range(0, LONGEST, 9000)),
    }


KINDS = kinds()


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    # Of a character in Greek are two bytes.
    with serving(websocket_max_message=2 * LONGEST) as site:

        @site.http.websocket('/ws')
        async def echo(ws):
            async for message in ws:
                await ws.send(message)

        yield site


@pytest.mark.parametrize('kind', KINDS)
def test_messages_come_back(site: Serving, kind: str) -> None:
    sample = KINDS[kind]
    assert len(sample) >= LONGEST
    with client(site, max_size=2 * LONGEST) as ws:
        assert ws.response.headers['Sec-WebSocket-Extensions'].startswith('permessage-deflate')
        for size in SIZES:
            message = sample[:size]
            ws.send(message)
            assert ws.recv(timeout=PATIENCE) == message, f'{kind}, {size}'


@pytest.mark.parametrize('kind', KINDS)
def test_fragments_come_back(site: Serving, kind: str) -> None:
    """Some of them of nothing."""
    with client(site, max_size=2 * LONGEST) as ws:
        for size in SIZES:
            message = KINDS[kind][:size]
            step = 1 + size // 7
            pieces = [message[at : at + step] for at in range(0, size, step)]
            ws.send([message[:0], *pieces, message[:0]])
            assert ws.recv(timeout=PATIENCE) == message, f'{kind}, {size}'
