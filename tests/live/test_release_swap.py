"""C3.3, C5.4: two thousand releases under load; a page and its parts come from one of them.

Every release has a page that names its parts by hashed names, and parts of the same names in
every release, of equal size and equal times, so that nothing but their content tells them apart.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Optional

import pytest
from support import Client, Deadline, Response, Serving, at_once, serving, tree

SWAPS = 2000
RELEASES = 24
#: How many releases a page may be behind when its last part is asked for: the server keeps 16
#: earlier ones, and one is on its way.
BEHIND = 12
MODIFIED = 784111777
SHARED = ('shared.js', 'theme.css', 'deep/er/data.json')


def label(release: int) -> str:
    return f'release-{release:04}'


def parts(release: int) -> dict[str, str]:
    """The files of a release that no other has: their names are of their content."""
    found = {}
    for kind in ('js', 'css'):
        text = f'/* {label(release)} {kind} */' + ' ' * 3000
        found[f'assets/app.{sha256(text.encode()).hexdigest()[:12]}.{kind}'] = text
    return found


def files(release: int) -> dict[str, str]:
    shared = {name: f'/* {label(release)} {name} */' + ' ' * 2000 for name in SHARED}
    named = [*parts(release), *SHARED]
    page = f'<!doctype html><title>{label(release)}</title>' + ''.join(
        f'<link href="/{name}">' for name in named
    )
    return {'index.html': page, **parts(release), **shared}


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    base = tmp_path_factory.mktemp('releases')
    found = [tree(base / label(release), files(release)) for release in range(RELEASES)]
    for folder in found:
        for name in folder.rglob('*'):
            os.utime(name, (MODIFIED, MODIFIED))
    return found


@pytest.fixture
def deployed(folders: list[Path]) -> Iterator[Serving]:
    with serving(web_root=os.fspath(folders[0]), pin_releases=60) as site:
        yield site


class Deployment:
    """Swaps releases, never so far ahead that a page being loaded is forgotten."""

    def __init__(self, http: Any, folders: list[Path]) -> None:
        self.http = http
        self.folders = folders
        self._turn = threading.Condition()
        self._swaps = 0
        #: By thread: at which swap the page was asked for that it is loading.
        self._loading: dict[int, int] = {}
        self.over = False

    def swap_all(self) -> int:
        try:
            for swap in range(1, SWAPS + 1):
                deadline = Deadline(10)
                with self._turn:
                    while self._loading and swap - min(self._loading.values()) > BEHIND:
                        assert not deadline.passed, 'a page was not loaded within 10 s'
                        self._turn.wait(deadline.left)
                    self._swaps = swap
                folder = os.fspath(self.folders[swap % RELEASES])
                if swap % 2:
                    self.http.swap_root(None, folder)
                else:
                    self.http.config['web_root'] = folder
        finally:
            self.over = True
        return SWAPS

    def begin(self) -> None:
        with self._turn:
            self._loading[threading.get_ident()] = self._swaps

    def end(self) -> None:
        with self._turn:
            self._loading.pop(threading.get_ident(), None)
            self._turn.notify_all()


class Visitor:
    """A browser: it keeps its connection, what it has loaded, and maybe its cookies."""

    def __init__(self, client: Client, keeps_cookies: bool) -> None:
        self.client = client
        self.keeps_cookies = keeps_cookies
        self.cookie: Optional[str] = None
        #: Of each target: the tag and the content that it loaded last.
        self.kept: dict[str, tuple[str, str]] = {}
        #: Of each tag: the content. A tag that has two of them lies.
        self.tags: dict[tuple[str, str], str] = {}
        self.fresh = 0

    def get(self, target: str) -> str:
        """What a target has, from what was kept where the server says that it is current."""
        fields = {}
        if self.cookie:
            fields['Cookie'] = self.cookie
        if target in self.kept:
            fields['If-None-Match'] = self.kept[target][0]
        response = self.client.request('GET', target, fields)
        if self.keeps_cookies and 'Set-Cookie' in response.headers:
            self.cookie = response.headers['Set-Cookie'].partition(';')[0]
        if response.status == 304:
            assert response.headers['ETag'] == self.kept[target][0]
            self.fresh += 1
            return self.kept[target][1]
        assert response.status == 200, (target, response)
        return self._keep(target, response)

    def _keep(self, target: str, response: Response) -> str:
        tag = response.headers['ETag']
        assert self.tags.setdefault((target, tag), response.text) == response.text, 'a tag lies'
        self.kept[target] = (tag, response.text)
        return response.text

    def load(self) -> str:
        """Load a page with all its parts; which release they are all from."""
        page = self.get('/')
        release = re.search(r'release-\d+', page)[0]
        for target in re.findall(r'href="([^"]+)"', page):
            hashed = target.startswith('/assets/')
            if hashed or self.keeps_cookies:
                part = self.get(target)
                assert release in part, f'{target} of another release: {part[:40]}'
        return release


@pytest.mark.parametrize('keeps_cookies', [True, False])
def test_c3_3_two_thousand_releases_under_load(
    deployed: Serving, folders: list[Path], keeps_cookies: bool
) -> None:
    """With cookies all parts are of the page's release; without, those of hashed names are."""
    deployment = Deployment(deployed.http, folders)

    def visit() -> tuple[int, int, set[str]]:
        seen: list[str] = []
        with deployed.client() as client:
            visitor = Visitor(client, keeps_cookies)
            while not deployment.over:
                deployment.begin()
                try:
                    seen.append(visitor.load())
                finally:
                    deployment.end()
            assert client.connections == 1, 'no swap closes a connection'
            return len(seen), visitor.fresh, set(seen)

    swaps, *visits = at_once([deployment.swap_all, visit, visit, visit], patience=60)
    assert swaps == SWAPS
    for pages, fresh, seen in visits:
        assert pages > 50, 'there was load'
        assert len(seen) > RELEASES / 4, 'of many releases'
        assert fresh, 'and what was kept was asked for anew'


def test_c5_4_files_of_equal_size_and_time_have_tags_of_their_own(
    deployed: Serving, folders: list[Path]
) -> None:
    for name in SHARED:
        tags = set()
        for folder in folders:
            deployed.http.swap_root(None, os.fspath(folder))
            stat = (folder / name).stat()
            response = deployed.get('/' + name)
            assert (stat.st_size, stat.st_mtime) == (len(response.body), MODIFIED)
            assert response.text == (folder / name).read_text()
            tags.add(response.headers['ETag'])
        assert len(tags) == RELEASES


def test_c3_3_a_swap_holds_when_it_returns(deployed: Serving, folders: list[Path]) -> None:
    """Every request that begins afterwards sees it, on connections that are kept as well."""
    with deployed.client() as kept:
        for swap in range(500):
            release = swap * 7 % RELEASES
            deployed.http.swap_root(None, os.fspath(folders[release]))
            assert label(release) in kept.get('/').text
        assert kept.connections == 1
