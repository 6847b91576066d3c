"""C3.4 and C5.1: another folder of files, all at once; and what keeps an earlier one for a while."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest
import slimHTTP
from support import Client, at_once, serving, tree, wait_until

of = pytest.mark.parametrize

FILES = {
    'one': {'index.html': 'one', 'only-one.js': 'one', 'both.js': 'one'},
    'two': {'index.html': 'two', 'only-two.js': 'two', 'both.js': 'two'},
    'three': {'index.html': 'three', 'both.js': 'three'},
}
HOSTS = {'a.example': {'web_root': 'one'}, 'b.example': {}}


@pytest.fixture
def swapped(in_folder):
    folder = in_folder(FILES)
    with serving(web_root='one', vhosts=HOSTS) as site:
        site.folder = folder
        yield site


# http.swap_root


def test_c3_2_a_swap_is_in_force_when_it_returns(swapped) -> None:
    with swapped.client() as client:
        for name in ('two', 'three', 'one', 'two') * 10:
            swapped.http.swap_root('a.example', name)
            assert client.get('/', 'a.example').text == name, 'on a connection that is open too'
        assert client.get('/', 'b.example').text == 'one', 'and nowhere else'
        assert client.get('/').text == 'one'


@of('vhost', [None, ''])
def test_c3_2_the_global_level_is_swapped_with_who_inherits(swapped, vhost) -> None:
    swapped.http.swap_root(vhost, Path('two'))
    assert swapped.get('/').text == 'two'
    assert swapped.get('/', 'b.example').text == 'two'
    assert swapped.get('/', 'a.example').text == 'one', 'it has its own'
    assert swapped.http.config['web_root'] == os.fspath(swapped.folder / 'two')


def test_a_swap_gives_a_host_a_root_of_its_own(swapped) -> None:
    swapped.http.swap_root('B.Example', swapped.folder / 'two')
    assert swapped.get('/', 'b.example').text == 'two'
    assert list(swapped.http.config['vhosts']) == ['a.example', 'b.example'], 'no second spelling'


def test_c2_3_a_relative_path_starts_at_the_working_directory_of_now(swapped, monkeypatch) -> None:
    tree(swapped.folder / 'elsewhere', {'one': {'index.html': 'another one'}})
    monkeypatch.chdir(swapped.folder / 'elsewhere')
    swapped.http.swap_root('a.example', 'one')
    assert swapped.get('/', 'a.example').text == 'another one'


@of(
    ('vhost', 'path', 'place', 'found'),
    [
        ('c.example', 'two', r'vhosts\."c\.example"', None),
        ('no name', 'two', r'vhosts\."no name"', None),
        ('a.example', 'missing', r'vhosts\."a\.example"\.web_root', 'missing'),
        ('a.example', 'one/index.html', r'vhosts\."a\.example"\.web_root', 'index.html'),
        (None, 'missing', 'web_root', 'missing'),
        (None, '', 'web_root', '/`'),
        (None, 'nul\0', 'web_root', 'nul'),
    ],
)
def test_c3_4_a_swap_to_nothing_changes_nothing(swapped, vhost, path, place, found) -> None:
    before = swapped.http.config.to_dict()
    with pytest.raises(slimHTTP.ConfError, match=f'^{place}: expected') as error:
        swapped.http.swap_root(vhost, path)
    assert found is None or found in error.value.message.partition(', found ')[2]
    assert swapped.http.config.to_dict() == before
    assert swapped.get('/', 'a.example').text == 'one'


@of('path', [None, 5, ['two']])
def test_a_path_is_a_path(swapped, path) -> None:
    with pytest.raises(TypeError):
        swapped.http.swap_root(None, path)


def test_c3_5_no_request_is_lost_or_mixed_by_swaps(swapped) -> None:
    """Each answer is whole and from one of the roots, and the newest after a swap."""
    ends = threading.Event()

    def load() -> int:
        count = 0
        with swapped.client() as client:
            while not ends.is_set():
                response = client.get('/both.js', 'a.example')
                assert (response.status, response.text in ('one', 'two')) == (200, True)
                count += 1
        return count

    def swap() -> int:
        try:
            with swapped.client() as client:
                for turn in range(200):
                    name = ('two', 'one')[turn % 2]
                    swapped.http.swap_root('a.example', name)
                    assert client.get('/both.js', 'a.example').text == name
        finally:
            ends.set()
        return 1

    assert all(at_once([load, load, swap]))


# The folder behind a path


def test_c5_1_a_root_that_is_made_anew_is_seen_at_once(in_folder) -> None:
    """As a build tool does it: remove the folder, make it again, fill it."""
    folder = in_folder({'dist': {'index.html': '0'}})
    with serving(web_root='dist') as site, site.client() as client:
        assert client.get('/').text == '0'
        for turn in range(1, 20):
            (folder / 'dist' / 'index.html').unlink()
            for old in (folder / 'dist').iterdir():
                old.unlink()
            (folder / 'dist').rmdir()
            assert client.get('/').status == 404, 'nothing is there'
            tree(folder / 'dist', {'index.html': str(turn), f'asset-{turn}.js': 'asset'})
            assert client.get(f'/asset-{turn}.js').text == 'asset'
            assert client.get('/').text == str(turn)


def test_c5_1_a_root_that_is_a_link_is_followed_when_it_is_switched(in_folder) -> None:
    folder = in_folder(FILES)
    current, fresh = folder / 'current', folder / 'fresh'
    with serving(web_root='current') as site, site.client() as client:
        assert client.get('/').status == 404, 'there is none yet'
        for name in ('one', 'two', 'three', 'one'):
            fresh.symlink_to(name)
            fresh.replace(current)
            wait_until(lambda name=name: client.get('/').text == name, f'the switch to {name}')
        fresh.symlink_to('two')
        fresh.replace(current)
        assert client.get('/only-two.js').text == 'two', 'at once where the old one lacks it'


# pin_releases


class Browser:
    """A client that keeps the one cookie it is given."""

    def __init__(self, client: Client, host: str = 'a.example') -> None:
        self._client = client
        self._host = host
        self.cookie = ''

    def get(self, target: str):
        fields = {'Cookie': f'theme=dark; {self.cookie}'} if self.cookie else {}
        response = self._client.request('GET', target, fields, host=self._host)
        given = response.headers.get('Set-Cookie')
        if given:
            shape = r'(slimhttp-release=[0-9a-f]+); Path=/; Max-Age=60; SameSite=Lax; HttpOnly'
            match = re.fullmatch(shape, given)
            assert match, given
            self.cookie = match[1]
        return response


@pytest.fixture
def pinning(in_folder):
    folder = in_folder(FILES)
    config = {'web_root': 'one', 'pin_releases': 60}
    with serving(web_root='three', vhosts={'a.example': config}) as site:
        site.folder = folder
        with site.client() as first, site.client() as second:
            site.old, site.new = Browser(first), Browser(second)
            yield site


def test_a_page_and_its_parts_come_from_one_release(pinning) -> None:
    old, new = pinning.old, pinning.new
    assert old.get('/').text == 'one'
    pinning.http.swap_root('a.example', 'two')
    assert new.get('/').text == 'two'
    assert old.cookie != new.cookie
    for browser, name in ((old, 'one'), (new, 'two')):
        response = browser.get('/both.js')
        assert response.text == name
        assert 'Cookie' in response.headers['Vary']
        assert 'Set-Cookie' not in response.headers
        # Who lacks it here has it from the other one, cookie or not.
        assert browser.get('/only-one.js').text == 'one'
        assert browser.get('/only-two.js').text == 'two'
    assert old.get('/').text == 'two', 'a page is always the newest'
    assert old.get('/both.js').text == 'two', 'and then its parts are'
    assert old.get('/missing.js').status == 404


def test_releases_are_those_of_a_scope(pinning) -> None:
    response = pinning.get('/')
    assert response.text == 'three'
    assert 'Set-Cookie' not in response.headers, 'the global level pins nothing'
    pinning.old.get('/')
    pinning.http.swap_root('a.example', 'two')
    pinning.http.swap_root(None, 'two')
    assert pinning.get('/only-one.js', Cookie=pinning.old.cookie).status == 404


def test_c3_1_an_edit_of_web_root_is_a_release_too(pinning) -> None:
    pinning.old.get('/')
    pinning.http.config['vhosts']['a.example']['web_root'] = 'two'
    pinning.http.config['vhosts']['a.example']['index'] = ['index.html', 'home.html']
    assert pinning.old.get('/both.js').text == 'one'
    pinning.http.config['vhosts']['a.example']['pin_releases'] = 0
    response = pinning.old.get('/both.js')
    assert response.text == 'two'
    assert 'Cookie' not in (response.headers.get('Vary') or '')


def test_a_release_is_given_up_in_time(in_folder) -> None:
    in_folder(FILES)
    with serving(web_root='one', pin_releases=0.4) as site, site.client() as client:
        before = time.monotonic()
        site.http.swap_root(None, 'two')
        first = client.get('/only-one.js')
        assert first.status == 200 or time.monotonic() - before >= 0.4
        wait_until(lambda: client.get('/only-one.js').status == 404, 'the end of the release')
        assert time.monotonic() - before >= 0.4


def test_a_script_and_a_page_of_an_earlier_release_are_gone(pinning) -> None:
    tree(
        pinning.folder / 'one', {'gone.html': 'gone', 'gone.py': 'print', 'sub/index.html': 'gone'}
    )
    assert pinning.old.get('/gone.html').text == 'gone'
    pinning.http.swap_root('a.example', 'two')
    for target in ('/gone.html', '/gone.py', '/sub/'):
        response = pinning.old.get(target)
        assert response.status == 404, target
        assert b'print' not in response.body


def test_a_page_that_try_files_finds_is_always_the_newest(in_folder) -> None:
    names = ('app.html', 'about.html', 'part.json')
    in_folder({folder: dict.fromkeys(names, folder) for folder in ('one', 'two')})
    tree(Path('one'), {'gone.html': 'one'})
    tries = ['{path}', '{path}.html', '{path}.json', '/app.html']
    with serving(web_root='one', pin_releases=60, try_files=tries) as site, site.client() as client:
        browser = Browser(client, 'localhost')
        assert browser.get('/about').text == 'one'
        site.http.swap_root(None, 'two')
        assert browser.get('/part').text == 'one', 'what a page loads'
        for target in ('/about', '/a/view/of/the/app', '/gone'):
            old, page = browser.cookie, browser.get(target)
            assert page.text == 'two', target
            assert browser.cookie != old, 'and it brings its own release'
            browser.cookie = old


def test_c3_5_two_thousand_releases_under_load(pinning) -> None:
    """Every page and its parts come from one release, whenever the swaps come."""
    folders = []
    for number in range(2000):
        text = f'{number:05}'
        folders.append(tree(pinning.folder / text, {'index.html': text, 'app.js': text}))
    latest = [0]
    ends = threading.Event()
    pinning.http.swap_root('a.example', folders[0])

    def deploy() -> int:
        try:
            for number, folder in enumerate(folders):
                latest[0] = number
                pinning.http.swap_root('a.example', folder)
        finally:
            ends.set()
        return 1

    def browse() -> int:
        count = 0
        with pinning.client() as client:
            browser = Browser(client)
            while not ends.is_set():
                page, part = browser.get('/'), browser.get('/app.js')
                assert (page.status, part.status) == (200, 200)
                # Sixteen earlier releases are kept: a page must be as quick as that.
                if latest[0] - int(page.text) <= 15:
                    assert part.text == page.text
                    count += 1
        return count

    assert min(at_once([browse, browse, deploy])) > 0
