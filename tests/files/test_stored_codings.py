"""Files that are stored compressed: SVGZ, and what `content_encoding` names."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Optional

import pytest
from support import serving, settle, tree

of = pytest.mark.parametrize

PICTURE = gzip.compress(b'<svg xmlns="http://www.w3.org/2000/svg"/>' * 100)
GAME = gzip.compress(b'\0asm' * 1000)
FILES = {
    'root': {
        'logo.svgz': PICTURE,
        'Build': {'game.wasm.gz': GAME, 'game.js.br': b'in brotli', 'index.html': 'page'},
        'other.wasm.gz': GAME,
        'long.wasm.gz': GAME + bytes(400_000),
    }
}
CONFIG = {'web_root': 'root', 'content_encoding': ['/Build/', 'long.*']}
SVG = 'image/svg+xml; charset=utf-8'


def said(response: Any) -> tuple[Optional[str], Optional[str], Optional[str]]:
    return tuple(response.headers.get(n) for n in ('content-type', 'content-encoding', 'vary'))


VARY = 'Accept-Encoding'


@of(
    ('target', 'accept', 'expected'),
    [
        ('/logo.svgz', 'gzip, br', (SVG, 'gzip', VARY)),
        ('/logo.svgz', 'br', ('application/gzip', None, VARY)),
        ('/logo.svgz', '', ('application/gzip', None, VARY)),
        ('/logo.svgz', 'gzip;q=0', ('application/gzip', None, VARY)),
        ('/Build/game.wasm.gz', 'gzip', ('application/wasm', 'gzip', VARY)),
        ('/Build/game.wasm.gz', 'identity', ('application/gzip', None, VARY)),
        ('/Build/game.js.br', 'br', ('text/javascript; charset=utf-8', 'br', VARY)),
        ('/Build/game.js.br', 'gzip', ('application/octet-stream', None, VARY)),
        ('/Build/index.html', 'gzip', ('text/html; charset=utf-8', None, VARY)),
        ('/long.wasm.gz', 'gzip', ('application/wasm', 'gzip', VARY)),
        ('/other.wasm.gz', 'gzip', ('application/gzip', None, None)),
    ],
    ids=str,
)
def test_c5_4_what_a_stored_file_is_depends_on_the_client(site, target, accept, expected) -> None:
    process = site(CONFIG, FILES)
    response = process.get(target, accept_encoding=accept)
    path = FILES['root']
    for name in target[1:].split('/'):
        path = path[name]
    body = path if isinstance(path, bytes) else path.encode()
    assert (response.status, response.body) == (200, body)
    assert said(response) == expected


def test_c5_4_each_form_has_its_tag_and_ranges(site) -> None:
    with site(CONFIG, FILES).client() as client:
        coded = client.get('/logo.svgz', accept_encoding='gzip')
        plain = client.get('/logo.svgz')
        assert coded.headers['etag'] != plain.headers['etag']
        tag = coded.headers['etag']
        again = client.get('/logo.svgz', accept_encoding='gzip', if_none_match=tag)
        assert (again.status, again.headers['vary']) == (304, VARY)
        assert client.get('/logo.svgz', if_none_match=tag).status == 200
        part = client.get('/logo.svgz', accept_encoding='gzip', range='bytes=2-5', if_range=tag)
        assert (part.status, part.body) == (206, PICTURE[2:6])
        assert said(part) == (SVG, 'gzip', VARY)


def test_c5_4_a_handler_may_name_the_coding_itself(in_folder) -> None:
    root = in_folder(FILES) / 'root'
    with serving(web_root=str(root)) as site:

        @site.http.route('/picture')
        def picture(request):
            request.response_headers['Content-Encoding'] = 'gzip'
            return root / 'logo.svgz'

        response = site.get('/picture')
        assert response.body == PICTURE
        assert said(response)[:2] == (SVG, 'gzip')


def test_c5_4_what_cannot_be_kept_is_not_compressed_for_each_who_asks(tmp_path: Path) -> None:
    text = ''.join(f'line {number} of a text\n' for number in range(20_000))
    path = tree(tmp_path, {'long.txt': text, 'short.txt': text[:5000]}) / 'long.txt'
    # Only what has not changed for a while is compressed.
    settle(path)
    odd = 'gzip, identity;q=0'
    with serving(web_root=str(tmp_path), file_cache={'size': 0}) as site:
        for _ in range(3):
            assert site.get('/long.txt', accept_encoding=odd).text == text
        short = site.get('/short.txt', accept_encoding=odd)
        assert gzip.decompress(short.body).decode() == text[:5000]
    with serving(web_root=str(tmp_path)) as site:
        kept = site.get('/long.txt', accept_encoding=odd)
        assert gzip.decompress(kept.body).decode() == text
