"""C5: what people really use: curl, wget, and a browser.

Where one of them is not installed its tests are skipped and say so; `tools/clients` installs
them, and CI has them all.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from support import CERTIFICATE, CERTIFICATE_KEY, DATA, Process, Serving, serving, tree, wait_until
from support.chromium import Chromium

#: Large enough to be sent in many pieces, and unlike itself at every place.
LARGE = b''.join(b'%07d\n' % number for number in range(300_000))
WORDS = 'The same words, over and over again, as pages have them.\n' * 400
MODIFIED = 784111777

of = pytest.mark.parametrize


def needs(program: str) -> Callable[[Any], Any]:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f'skipped: no {program}')


@pytest.fixture
def files(site) -> Process:
    server = site({'web_root': 'root'}, {'root': {'large.bin': LARGE, 'words.txt': WORDS}})
    for name in ('large.bin', 'words.txt'):
        os.utime(server.folder / 'root' / name, (MODIFIED, MODIFIED))
    return server


def run(*command: str, status: int = 0, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a client as its user does, without settings of the machine."""
    environment = {'PATH': os.environ['PATH'], 'HOME': os.fspath(cwd), 'LC_ALL': 'C'}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, (command, done)
    return done


def curl(files: Process, cwd: Path, *arguments: str, status: int = 0) -> str:
    done = run('curl', '-q', '-sS', '--fail', '--noproxy', '*', *arguments, status=status, cwd=cwd)
    return done.stdout


# curl


@needs('curl')
def test_c5_4_curl_resumes(files, tmp_path: Path) -> None:
    partial = tmp_path / 'large.bin'
    partial.write_bytes(LARGE[:1_000_001])
    said = curl(files, tmp_path, '-C', '-', '-O', '-w', '%{http_code} %{size_download}',
                files.url + 'large.bin')  # fmt: skip
    assert said == f'206 {len(LARGE) - 1_000_001}'
    assert partial.read_bytes() == LARGE


@needs('curl')
def test_c5_4_curl_finds_nothing_left_to_resume(files, tmp_path: Path) -> None:
    partial = tmp_path / 'large.bin'
    partial.write_bytes(LARGE)
    # curl takes a 416 to a whole file for what it is; `--fail` would not.
    done = run('curl', '-q', '-sS', '--noproxy', '*', '-C', '-', '-O', '-w', '%{http_code}',
               files.url + 'large.bin', cwd=tmp_path)  # fmt: skip
    assert done.stdout == '416'
    assert partial.read_bytes() == LARGE


@needs('curl')
@of('span', ['0-9', '1000000-1000009', '-10', '2399990-'])
def test_c5_4_curl_asks_for_a_range(files, tmp_path: Path, span: str) -> None:
    first, last = span.split('-')
    wanted = LARGE[-int(last) :] if not first else LARGE[int(first) :][: 10 if last else None]
    assert curl(files, tmp_path, '-r', span, files.url + 'large.bin').encode() == wanted


@needs('curl')
def test_c5_4_curl_takes_a_file_only_where_it_is_newer(files, tmp_path: Path) -> None:
    url = files.url + 'words.txt'
    for date, status in [('Sun, 06 Nov 1994 08:49:37 GMT', '304'), ('1994-11-05 00:00:00', '200')]:
        said = curl(files, tmp_path, '-z', date, '-o', 'got', '-w', '%{http_code}', url)
        assert said == status
    # By the date of the file that curl has kept with the server's own.
    curl(files, tmp_path, '-R', '-o', 'kept', url)
    assert (tmp_path / 'kept').stat().st_mtime == MODIFIED
    assert curl(files, tmp_path, '-z', 'kept', '-o', 'kept', '-w', '%{http_code}', url) == '304'
    assert (tmp_path / 'kept').read_text() == WORDS


@needs('curl')
def test_c5_4_curl_compares_tags(files, tmp_path: Path) -> None:
    url = files.url + 'words.txt'
    tags = ('--etag-save', 'tag', '--etag-compare', 'tag', '-o', 'kept', '-w', '%{http_code}')
    (tmp_path / 'tag').touch()
    assert curl(files, tmp_path, *tags, url) == '200'
    assert curl(files, tmp_path, *tags, url) == '304'
    assert (tmp_path / 'kept').read_text() == WORDS


@needs('curl')
@of('coding', ['br', 'zstd', 'gzip'])
def test_c5_4_curl_decodes(files, tmp_path: Path, coding: str) -> None:
    if {'gzip': 'libz'}.get(coding, coding.replace('br', 'brotli')) not in run(
        'curl', '-V', cwd=tmp_path
    ).stdout.split():
        pytest.skip(f'skipped: a curl without {coding}')
    said = curl(files, tmp_path, '--compressed', '-H', f'Accept-Encoding: {coding}', '-D', 'head',
                '-o', 'got', '-w', '%{size_download}', files.url + 'words.txt')  # fmt: skip
    head = (tmp_path / 'head').read_text().lower()
    assert f'content-encoding: {coding}\n' in head.replace('\r', '')
    assert int(said) < len(WORDS) / 4
    assert (tmp_path / 'got').read_text() == WORDS


@needs('curl')
@of('coding', ['br', 'zstd', 'gzip'])
def test_curl_decodes_what_handlers_answer(tmp_path: Path, coding: str) -> None:
    if {'gzip': 'libz'}.get(coding, coding.replace('br', 'brotli')) not in run(
        'curl', '-V', cwd=tmp_path
    ).stdout.split():
        pytest.skip(f'skipped: a curl without {coding}')
    with serving() as site:
        site.http.route('/short')(lambda request: WORDS)
        site.http.route('/long')(lambda request: WORDS * 20)
        site.http.route('/stream')(lambda request: (WORDS for _ in range(20)))
        for target, words in [('short', WORDS), ('long', WORDS * 20), ('stream', WORDS * 20)]:
            url = f'http://127.0.0.1:{site.address[1]}/{target}'
            said = run('curl', '-q', '-sS', '--noproxy', '*', '--compressed', '-H',
                       f'Accept-Encoding: {coding}', '-o', 'got', '-w', '%{size_download}', url,
                       cwd=tmp_path).stdout  # fmt: skip
            assert int(said) < len(words) / 4
            assert (tmp_path / 'got').read_text() == words


@needs('curl')
def test_c5_4_curl_decodes_what_it_asks_for_by_itself(files, tmp_path: Path) -> None:
    assert curl(files, tmp_path, '--compressed', files.url + 'words.txt') == WORDS
    assert curl(files, tmp_path, files.url + 'words.txt') == WORDS


@needs('curl')
def test_c5_4_curl_resumes_by_http2(site, tmp_path: Path) -> None:
    if 'HTTP2' not in run('curl', '-V', cwd=tmp_path).stdout.split():
        pytest.skip('skipped: a curl without HTTP/2')
    pair = {'cert': os.fspath(CERTIFICATE), 'key': os.fspath(CERTIFICATE_KEY)}
    secure = site({'web_root': 'root', **pair}, {'root': {'large.bin': LARGE}})
    (tmp_path / 'large.bin').write_bytes(LARGE[:1_000_001])
    said = curl(secure, tmp_path, '--cacert', pair['cert'], '-C', '-', '-O', '-w',
                '%{http_version} %{http_code}',
                f'https://localhost:{secure.port}/large.bin')  # fmt: skip
    assert said == '2 206'
    assert (tmp_path / 'large.bin').read_bytes() == LARGE


# wget


@needs('wget')
def test_c5_4_wget_continues(files, tmp_path: Path) -> None:
    (tmp_path / 'large.bin').write_bytes(LARGE[:1_000_001])
    said = run('wget', '--no-config', '--no-proxy', '-c', files.url + 'large.bin', cwd=tmp_path)
    assert '206 Partial Content' in said.stderr
    assert (tmp_path / 'large.bin').read_bytes() == LARGE
    said = run('wget', '--no-config', '--no-proxy', '-c', files.url + 'large.bin', cwd=tmp_path)
    assert 'already fully retrieved' in said.stderr


@needs('wget')
def test_c5_4_wget_minds_timestamps(files, tmp_path: Path) -> None:
    command = ('wget', '--no-config', '--no-proxy', '-N', files.url + 'words.txt')
    assert '200 OK' in run(*command, cwd=tmp_path).stderr
    assert (tmp_path / 'words.txt').stat().st_mtime == MODIFIED
    assert '304 Not Modified' in run(*command, cwd=tmp_path).stderr
    os.utime(tmp_path / 'words.txt', (MODIFIED - 9, MODIFIED - 9))
    assert '200 OK' in run(*command, cwd=tmp_path).stderr


@needs('wget')
def test_c5_1_wget_mirrors_a_site(site, tmp_path: Path) -> None:
    pages = {
        'index.html': '<a href="one/">one</a> <a href="two%20words.html">two</a>',
        'one/index.html': '<link rel="stylesheet" href="../style.css">',
        'two words.html': 'the end',
        'style.css': 'p {}',
    }
    server = site({'web_root': 'root'}, {'root': pages})
    run('wget', '--no-config', '--no-proxy', '-r', '-nH', server.url, cwd=tmp_path)
    for name, text in pages.items():
        assert (tmp_path / name).read_text() == text


# A browser


PAGE = f"""<!doctype html><html lang="en"><title>Page</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">
<p id="text">{WORDS}</p><script src="script.js"></script>"""


@pytest.fixture(scope='module')
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp('browsed')
    root = tree(
        folder / 'root',
        {
            'page.html': PAGE,
            'style.css': 'p { color: rgb(1, 2, 3) }\n' + '/* as long as styles are */\n' * 200,
            'script.js': 'window.ran = true;\n' + '// as long as scripts are\n' * 200,
            'video.html': '<!doctype html><link rel="icon" href="data:,">'
            '<video muted preload="metadata" src="seek.mov"></video>',
            'seek.mov': gzip.decompress((DATA / 'media' / 'seek.mov.gz').read_bytes()),
            'listed': {'one.txt': 'one', 'two words.txt': 'two', 'deeper': {'x.txt': 'x'}},
        },
    )
    log = {'format': 'json', 'file': os.fspath(folder / 'access.log')}
    with serving(web_root=os.fspath(root), access_log=log) as site:
        site.log = folder / 'access.log'  # type: ignore[attr-defined]
        site.url = f'http://127.0.0.1:{site.http.port}/'  # type: ignore[attr-defined]
        yield site


def logged(site: Any, path: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in site.log.read_text().splitlines()]
    return [line for line in lines if line['target'] == path]


def test_c5_4_a_browser_seeks_in_a_video(browsed, browser: Chromium) -> None:
    length = (browsed.log.parent / 'root' / 'seek.mov').stat().st_size
    with browser.page() as page:
        page.go(browsed.url + 'video.html')
        video = 'document.querySelector("video")'
        duration = page.run(
            f'new Promise((done, fail) => {{ const video = {video};'
            ' const ready = () => done(video.duration);'
            ' video.onerror = () => fail(video.error.message);'
            ' if (video.readyState >= 1) ready(); else video.onloadedmetadata = ready })'
        )
        assert 29 < duration < 31
        reached = page.run(
            f'new Promise((done, fail) => {{ const video = {video};'
            ' video.onerror = () => fail(video.error.message);'
            ' video.onseeked = () => done([video.currentTime, video.readyState]);'
            ' video.currentTime = 25 })'
        )
        assert reached[0] == 25
        assert reached[1] >= 2, 'the picture of that moment is there'
        starts = [
            int(re.fullmatch(r'bytes (\d+)-\d+/\d+', value)[1]) for value in seen_ranges(browser)
        ]
    assert max(starts) > length * 2 / 3, (starts, length)

    def statuses() -> list[int]:
        return [line['status'] for line in logged(browsed, '/seek.mov')]

    # The one that it left in the middle has its line when that is noticed.
    wait_until(lambda: statuses().count(206) >= 2, 'two lines of the access log')
    assert set(statuses()) <= {206, 304}, 'by the tag it may ask anew for what it has kept'


def seen_ranges(browser: Chromium) -> list[str]:
    """The `Content-Range` of every 206 that the browser has received."""
    return [
        value
        for method, parameters, _ in browser.events
        if method == 'Network.responseReceived' and parameters['response']['status'] == 206
        for name, value in parameters['response']['headers'].items()
        if name.lower() == 'content-range'
    ]


def test_c5_4_a_browser_loads_a_compressed_page(browsed, browser: Chromium) -> None:
    with browser.page() as page:
        page.go(browsed.url + 'page.html')
        assert page.run('window.ran') is True
        assert page.run('getComputedStyle(document.querySelector("p")).color') == 'rgb(1, 2, 3)'
        assert page.run('document.querySelector("#text").textContent') == WORDS
        sizes = page.run(
            'performance.getEntriesByType("navigation")'
            '.concat(performance.getEntriesByType("resource"))'
            '.filter(entry => entry.name.startsWith("http"))'
            '.map(entry => [entry.name, entry.encodedBodySize, entry.decodedBodySize])'
        )
        assert len(sizes) == 3, sizes
        for name, encoded, decoded in sizes:
            assert 0 < encoded < decoded / 4, (name, encoded, decoded)
        for name, response in page.responses().items():
            fields = {key.lower(): value for key, value in response['headers'].items()}
            if name.startswith('http'):
                assert fields['content-encoding'] == 'br', name
        assert page.complaints == []


def test_c5_4_a_browser_that_comes_again_is_answered_304(browsed, browser: Chromium) -> None:
    with browser.page() as page:
        page.go(browsed.url + 'page.html')
        before = len(logged(browsed, '/page.html'))
        page.call('Page.reload')
        wait_until(lambda: len(logged(browsed, '/page.html')) > before, 'the second request')
        assert logged(browsed, '/page.html')[-1]['status'] == 304
        assert page.complaints == []


@of('scheme', ['light', 'dark'])
def test_c5_3_a_browser_shows_a_listing(tmp_path: Path, browser: Chromium, scheme: str) -> None:
    names = ['one.txt', 'two words.txt', '100%.txt', '<b>bold&.txt', 'caf\u00e9.txt', 'quote".txt']
    files = {**{name: name for name in names}, 'deeper': {'x.txt': 'x'}, '.hidden': 'never'}
    tree(tmp_path / 'root', files)
    with serving(web_root=os.fspath(tmp_path / 'root'), listing=True) as site:
        with browser.page() as page:
            page.prefer(scheme)
            page.go(f'http://127.0.0.1:{site.http.port}/')
            links = page.run('[...document.links].map(link => link.href)')
            shown = page.run('document.body.innerText')
            for name in names:
                assert name in shown
                with site.client() as client:
                    found = [
                        link.split('/', 3)[3]
                        for link in links
                        if client.get('/' + link.split('/', 3)[3]).body == name.encode()
                    ]
                assert found, f'no link leads to {name}'
            assert '.hidden' not in shown
            assert page.run('document.querySelectorAll("b").length') == 0, 'a name is no markup'
            assert page.complaints == []
            policy = next(iter(page.responses().values()))['headers']
            policy = {key.lower(): value for key, value in policy.items()}
            assert "default-src 'none'" in policy['content-security-policy']
            light = brightness(page)
            assert (light > 128) == (scheme == 'light'), light
            page.go(next(link for link in links if link.endswith('/deeper/')))
            assert 'x.txt' in page.run('document.body.innerText')


def brightness(page: Any) -> float:
    """How bright the upper left corner of a page's picture is, from 0 to 255."""
    picture = page.picture()
    packed, at = b'', 8
    while at < len(picture):
        size = int.from_bytes(picture[at : at + 4], 'big')
        if picture[at + 4 : at + 8] == b'IDAT':
            packed += picture[at + 8 : at + 8 + size]
        at += size + 12
    # Behind the byte of the line's filter; every filter of PNG leaves the first pixel as it is.
    corner = zlib.decompressobj().decompress(packed, 4)[1:]
    return sum(corner) / 3
