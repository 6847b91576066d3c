"""C8.2: uploads as real clients send them, whatever their files are called.

Where one is not installed its tests are skipped and say so, as in `test_real_clients.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import Serving, serving
from support.chromium import Chromium

of = pytest.mark.parametrize

CONTENT = bytes(range(256)) + b'\r\n--'
#: Names that no client writes as they are, or that look like more than a name.
NAMES = [
    'plain.txt',
    'a b.txt',
    '\u00e4\u65e5.txt',
    'quoted ".txt',
    'back\\slash.txt',
    'ends with one\\',
    '"',
    'filename="x"; name="y',
    "it's.txt",
    '100%.txt',
    'a;b=c.txt',
    'two\r\nlines',
]


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    with serving() as site:

        @site.http.route('/form')
        def form(request):
            files = [
                [name, file.filename, file.read() == CONTENT]
                for name, file in request.files.pairs()
            ]
            return {'fields': [list(pair) for pair in request.form.pairs()], 'files': files}

        @site.http.route('/page')
        def page(request):
            return '<!doctype html><link rel="icon" href="data:,"><title>forms</title>'

        yield site


def url(site: Serving, path: str = '/form') -> str:
    return f'http://127.0.0.1:{site.http.port}{path}'


@of('name', [name for name in NAMES if '\r' not in name])
@pytest.mark.skipif(shutil.which('curl') is None, reason='skipped: no curl')
def test_c8_2_curl_uploads(site: Serving, name: str, tmp_path: Path) -> None:
    (tmp_path / 'content').write_bytes(CONTENT)
    quoted = name.replace('\\', '\\\\').replace('"', '\\"')  # For curl's own reading of `-F`.
    done = subprocess.run(
        [
            'curl',
            '-sS',
            '-F',
            f'f=@content;filename="{quoted}"',
            '--form-string',
            f'a={name}',
            url(site),
        ],
        cwd=tmp_path,
        env={'PATH': os.environ['PATH'], 'HOME': os.fspath(tmp_path)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {'fields': [['a', name]], 'files': [['f', name, True]]}


@of('name', NAMES)
def test_c8_2_httpx_uploads(site: Serving, name: str) -> None:
    files = {name: (name, CONTENT, 'x/y')}
    response = httpx.post(url(site), files=files, data={'a': name}, timeout=60, trust_env=False)
    assert response.json() == {'fields': [['a', name]], 'files': [[name, name, True]]}


def test_c8_2_a_browser_uploads(site: Serving, browser: Chromium) -> None:
    send = (
        '(async names => { const form = new FormData();'
        f' const content = new Uint8Array({list(CONTENT)});'
        ' for (const name of names) {'
        ' form.append(name, name); form.append(name, new Blob([content]), name) }'
        " return (await fetch('/form', {method: 'POST', body: form})).json() })"
    )
    with browser.page() as page:
        page.go(url(site, '/page'))
        seen = page.run(f'{send}({json.dumps(NAMES)})')
    assert seen['files'] == [[name, name, True] for name in NAMES]
    assert seen['fields'] == [[name, name] for name in NAMES]


def test_c8_2_a_browser_sends_a_form_in_the_charset_of_its_page(
    site: Serving, browser: Chromium
) -> None:
    send = """
        new Promise(done => {
            document.body.innerHTML = '<iframe name="answer"></iframe>' +
                '<form method="post" action="/form" target="answer" accept-charset="iso-8859-1"' +
                ' enctype="multipart/form-data"><input type="hidden" name="_charset_">' +
                '<input name="\u00e4" value="\u20ac \u65e5"><input type="file" name="f"></form>'
            const answer = document.querySelector('iframe')
            answer.onload = () => done(JSON.parse(answer.contentDocument.body.textContent))
            document.querySelector('form').submit()
        })
    """

    def sent(kind: str) -> Any:
        with browser.page() as page:
            page.go(url(site, '/page'))
            return page.run(send.replace('multipart/form-data', kind))

    fields: list[Any] = [['_charset_', 'windows-1252'], ['\u00e4', '\u20ac &#26085;']]
    assert sent('multipart/form-data') == {'fields': fields, 'files': [['f', '', False]]}
    fields.append(['f', ''])
    assert sent('application/x-www-form-urlencoded') == {'fields': fields, 'files': []}
