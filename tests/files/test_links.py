"""What a link leads to is judged as what is asked for: hidden, a script, outside; and is said so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import serving, settle, tree

of = pytest.mark.parametrize

SECRET = 'not to be seen'
FILES = {
    'outside.txt': SECRET,
    'root': {
        'page.txt': 'page',
        '.env': SECRET,
        '.git': {'config': SECRET},
        'notes.bak': SECRET,
        'private': {'plan.txt': SECRET, 'deep': {'er.txt': SECRET}},
        'open': {'a.txt': 'a', 'draft': {'b.txt': SECRET}},
        'script.py': f'def on_request(request):\n    return "ran"\n# {SECRET}\n',
        'script.py.gz': SECRET,
        'script.PY.br': SECRET,
        'script.py.zst': SECRET,
        'script.pyc.gz': SECRET,
        'app.js': 'app',
        'app.js.gz': 'app in gzip',
    },
}
LINKS = {
    'shown.txt': 'page.txt',
    'env.txt': '.env',
    'repository': '.git',
    'notes.txt': 'notes.bak',
    'plans': 'private',
    'chain.txt': 'env.txt',
    'also': 'open',
    'code.txt': 'script.py',
    'code.gz': 'script.py.gz',
    'page.txt.gz': '.env',
    'out.txt': '../outside.txt',
}
EXCLUDE = ['*.bak', '/private', 'open/dr{a,e}ft/**']


def linked(folder: Path) -> Path:
    tree(folder, FILES)
    for name, target in LINKS.items():
        os.symlink(target, folder / 'root' / name)
    return folder / 'root'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return linked(tmp_path)


@pytest.fixture(scope='module')
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of an age from which files are kept in memory; nobody changes it."""
    root = linked(tmp_path_factory.mktemp('settled'))
    settle(root)
    return root


EXPECTED = {
    '/shown.txt': 'page',
    '/also/a.txt': 'a',
    '/app.js.gz': 'app in gzip',
    '/env.txt': 404,
    '/chain.txt': 404,
    '/repository': 404,
    '/repository/': 404,
    '/repository/config': 404,
    '/notes.txt': 404,
    '/plans/plan.txt': 404,
    '/plans/deep/er.txt': 404,
    '/also/draft/b.txt': 404,
    '/script.py.gz': 404,
    '/script.PY.br': 404,
    '/script.py.zst': 404,
    '/script.pyc.gz': 404,
    '/code.gz': 404,
    '/code.txt': 404,
}


@of('cache', [True, False], ids=['kept', 'unkept'])
def test_c5_2_the_name_that_a_link_leads_to_counts(settled: Path, cache: bool) -> None:
    with serving(web_root=str(settled), exclude=EXCLUDE, scripts=False, file_cache=cache) as site:
        # The second answer comes from memory, where that is on.
        for _ in range(2):
            for target, expected in EXPECTED.items():
                response = site.get(target)
                answer = response.status if response.status != 200 else response.text
                assert answer == expected, target


def test_c5_2_rules_that_change_hold_for_files_in_memory(settled: Path) -> None:
    with serving(web_root=str(settled)) as site:
        assert site.get('/notes.txt').text == SECRET
        site.http.config['exclude'] = '*.bak'
        assert site.get('/notes.txt').status == 404
        site.http.config['exclude'] = False
        assert site.get('/notes.txt').text == SECRET


def test_c5_2_a_file_beside_that_leads_to_what_is_hidden_is_not_sent(root: Path) -> None:
    with serving(web_root=str(root)) as site:
        response = site.get('/page.txt', accept_encoding='gzip')
        assert (response.text, response.headers.get('content-encoding')) == ('page', None)


def names(site: Any, target: str) -> set[str]:
    entries = site.get(target, accept='application/json').json()['entries']
    return {entry['name'] for entry in entries}


def test_c5_3_a_listing_has_what_can_be_had(root: Path) -> None:
    with serving(web_root=str(root), exclude=EXCLUDE, listing=True, scripts=False) as site:
        listed = names(site, '/')
        assert listed == {'also', 'app.js', 'app.js.gz', 'open', 'page.txt', 'shown.txt'}
        # The folder is another one than the URL says.
        assert names(site, '/also/') == names(site, '/open/') == {'a.txt', 'draft'}
        site.http.config['exclude'] = [*EXCLUDE, '/open/a.txt']
        assert names(site, '/also/') == {'draft'}


@of(
    ('target', 'options', 'why'),
    [
        ('/out.txt', {}, 'a symbolic link leads out of the root'),
        ('/shown.txt', {'follow_symlinks': 'never'}, '`follow_symlinks` is `never`'),
        ('/env.txt', {}, 'leads to .env, which is hidden'),
        ('/script.py.gz', {}, 'is code, compiled or compressed'),
    ],
    ids=str,
)
def test_c5_2_the_debug_page_says_why(root: Path, target: str, options: Any, why: str) -> None:
    with serving(web_root=str(root), debug=True, live_reload=False, **options) as site:
        response = site.get(target)
        assert response.status == 404
        assert why in response.text
        site.http.config['debug'] = False
        plain = site.get(target)
        assert plain.status == 404
        assert 'link' not in plain.text
        assert 'hidden' not in plain.text
