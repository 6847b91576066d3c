"""C2.1 to C2.5: what a configuration may say, and what it means."""

from __future__ import annotations

import os
import pathlib

import pytest
from support import Cli, Upstream, launch, says, serving, tree

# --- C2.1 ------------------------------------------------------------------


class Folder(os.PathLike):
    def __fspath__(self) -> str:
        return 'www'

    def __repr__(self) -> str:
        return type(self).__name__


class BytesFolder(os.PathLike):
    def __fspath__(self) -> bytes:
        return b'www'

    def __repr__(self) -> str:
        return type(self).__name__


class Text(str):
    pass


@pytest.mark.parametrize(
    'options',
    [
        {'web_root': 'www'},
        {'web_root': pathlib.Path('www')},
        {'web_root': pathlib.PurePosixPath('./www/')},
        {'web_root': Folder()},
        {'web_root': BytesFolder()},
        {'web_root': Text('www')},
        {'web_root': 'www', 'index': 'index.html'},
        {'web_root': 'www', 'index': ['index.html']},
        {'web_root': 'www', 'index': ('index.html', 'other.html')},
        {'web_root': 'www', 'index': [Text('index.html')]},
        {'web_root': 'www', 'debug': True},
        {'web_root': 'www', 'vhosts': {}},
        {'web_root': 'www', 'vhosts': {'a.example': {}}},
        {Text('web_root'): 'www'},
        # A whole configuration may be written out.
        {'web_root': 'www', 'index': 'index.html', 'vhosts': {}, 'addr': '127.0.0.1'},
    ],
    ids=repr,
)
def test_c2_1_values_that_it_takes(in_folder, options):
    in_folder({'www/index.html': 'www'})
    with serving() as s:
        s.http.configuration(options)
        assert s.get('/').body == b'www'


def test_c2_1_the_dict_is_copied(in_folder):
    in_folder({'www/index.html': 'www'})
    options = {'web_root': 'www', 'vhosts': {'a.example': {'index': ['index.html']}}}
    with serving() as s:
        s.http.configuration(options)
        options['vhosts']['a.example']['index'].append(7)
        options['web_root'] = 'nowhere'
        options.clear()
        assert s.http.config['web_root'] == 'www'
        assert s.http.config['vhosts']['a.example']['index'] == ['index.html']


def test_c2_1_module_and_proxy_stand_at_the_global_level_too(in_folder):
    in_folder({'vhost.py': "def on_request(request): return 'module'"})
    with serving(module='./vhost.py') as s:
        assert s.get('/anything').body == b'module'
    with Upstream(says('upstream')) as upstream, serving(proxy=upstream.name, ssl=False) as s:
        assert s.get('/anything').body == b'upstream'


# --- C2.2 ------------------------------------------------------------------


def test_c2_2_what_a_vhost_leaves_out_it_takes_from_the_global_level(site):
    files = {
        'www/home.html': 'global',
        'a/home.html': 'a',
        'a/index.html': 'a, not asked for',
        'b/other.html': 'b',
        'www/b.html': 'b in www',
    }
    config = {
        'web_root': 'www',
        'index': 'home.html',
        'vhosts': {
            'a.example': {'web_root': 'a'},
            'b.example': {'web_root': 'b', 'index': 'other.html'},
            'c.example': {'index': 'b.html'},
            'd.example': {},
        },
    }
    s = site(config, files)
    with s.client() as client:
        for host, body in [
            ('a.example', b'a'),
            ('b.example', b'b'),
            ('c.example', b'b in www'),
            ('d.example', b'global'),
            ('e.example', b'global'),
        ]:
            assert client.get('/', host).body == body, host


def test_c2_2_a_vhost_that_gives_only_web_root_is_complete(site):
    s = site({'vhosts': {'a.example': {'web_root': 'a'}}}, {'a/index.html': 'a'})
    assert s.get('/', 'a.example').body == b'a'


def test_c2_2_an_edit_of_the_global_level_reaches_those_that_inherit(in_folder):
    in_folder({'a/one.html': 'one', 'a/two.html': 'two'})
    with serving(
        index='one.html',
        vhosts={
            'a.example': {'web_root': 'a'},
            'b.example': {'web_root': 'a', 'index': 'one.html'},
        },
    ) as s:
        assert s.get('/', 'a.example').body == b'one'
        s.http.config['index'] = 'two.html'
        assert s.get('/', 'a.example').body == b'two'
        assert s.get('/', 'b.example').body == b'one'


# --- C2.3 ------------------------------------------------------------------


def test_c2_3_relative_paths_are_resolved_when_the_change_is_applied(in_folder, monkeypatch):
    folder = in_folder({'one/www/index.html': 'one', 'two/www/index.html': 'two'})
    monkeypatch.chdir(folder / 'one')
    with serving(web_root='www') as s:
        assert s.get('/').body == b'one'
        monkeypatch.chdir(folder / 'two')
        assert s.get('/').body == b'one', 'the working directory decides when a change is applied'
        s.http.configuration({'web_root': 'www'})
        assert s.get('/').body == b'two'
        monkeypatch.chdir(folder / 'one')
        s.http.config['vhosts']['a.example'] = {'web_root': './www/'}
        assert s.get('/', 'a.example').body == b'one'


def test_c2_3_paths_may_be_absolute(in_folder, monkeypatch, tmp_path_factory):
    folder = in_folder(
        {'www/index.html': 'absolute', 'vhost.py': "def on_request(request): return 'm'"}
    )
    monkeypatch.chdir(tmp_path_factory.mktemp('elsewhere'))
    vhosts = {'m.example': {'module': str(folder / 'vhost.py')}}
    with serving(web_root=str(folder / 'www'), vhosts=vhosts) as s:
        assert s.get('/').body == b'absolute'
        assert s.get('/', 'm.example').body == b'm'


def test_c2_3_a_module_and_its_errors_go_by_the_resolved_path(
    in_folder, monkeypatch, tmp_path_factory
):
    in_folder({'vhost.py': 'def on_request(request): return __file__'})
    with serving(module='vhost.py') as s:
        path = os.path.abspath('vhost.py')
        monkeypatch.chdir(tmp_path_factory.mktemp('elsewhere'))
        assert s.get('/').text == path


def test_c2_3_paths_in_a_file_start_at_its_folder(tmp_path):
    tree(tmp_path, {'conf/site.json': '{"web_root": "../www"}', 'www/index.html': 'by the file'})
    (tmp_path / 'elsewhere').mkdir()
    for file in (tmp_path / 'conf' / 'site.json', '../conf/site.json'):
        arguments = ('run', file, '--addr', '127.0.0.1', '--port', '0')
        with Cli(*arguments, cwd=tmp_path / 'elsewhere') as server:
            assert server.get('/').body == b'by the file'


# --- C2.4 ------------------------------------------------------------------


@pytest.mark.parametrize(
    ('index', 'status', 'body'),
    [
        ('first.html', 200, b'first'),
        (['first.html'], 200, b'first'),
        (['first.html', 'second.html'], 200, b'first'),
        (['second.html', 'first.html'], 200, b'second'),
        (['missing.html', 'second.html', 'first.html'], 200, b'second'),
        (['missing.html', 'folder', 'first.html'], 200, b'first'),
        (['missing.html'], 404, None),
        ('folder', 404, None),
    ],
    ids=repr,
)
def test_c2_4_the_first_index_that_exists_answers(site, index, status, body):
    files = {'www/first.html': 'first', 'www/second.html': 'second', 'www/folder/x': 'x'}
    s = site({'web_root': 'www', 'vhosts': {'a.example': {'index': index}}}, files)
    response = s.get('/', 'a.example')
    assert response.status == status
    if body is not None:
        assert response.body == body


def test_c2_4_the_order_holds_in_every_folder_by_itself(site):
    files = {'www/b.html': 'b', 'www/sub/a.html': 'sub a', 'www/sub/b.html': 'sub b'}
    s = site({'web_root': 'www', 'index': ['a.html', 'b.html']}, files)
    assert s.get('/').body == b'b'
    assert s.get('/sub/').body == b'sub a'


def test_c2_4_an_index_that_appears_is_found(in_folder):
    folder = in_folder({'www/second.html': 'second'})
    with serving(web_root='www', index=['first.html', 'second.html']) as s, s.client() as client:
        assert client.get('/').body == b'second'
        (folder / 'www' / 'first.html').write_text('first')
        assert client.get('/').body == b'first'
        (folder / 'www' / 'first.html').unlink()
        assert client.get('/').body == b'second'


def test_c2_4_a_python_index_is_run_and_not_sent(in_folder):
    source = "SECRET = 'the source'\ndef on_request(request):\n    return 'ran ' + str(6 * 7)\n"
    in_folder({'www/index.py': source, 'www/sub/index.py': source})
    with serving(web_root='www', index=['index.html', 'index.py']) as s:
        for target in ('/', '/sub/'):
            response = s.get(target)
            assert (response.status, response.body) == (200, b'ran 42')
            assert b'SECRET' not in response.raw


def test_c2_4_a_python_index_is_never_sent_where_there_is_no_python(tmp_path):
    files = {'www/index.py': 'SECRET = 1', 'www/after.html': 'after'}
    config = {'web_root': 'www', 'index': ['index.py', 'after.html']}
    with launch('cli', tmp_path / 'site', config, files) as s:
        for target in ('/', '/index.py'):
            assert b'SECRET' not in s.get(target).raw


# --- C2.5 ------------------------------------------------------------------


def test_c2_5_a_vhost_may_choose_the_other_than_the_global_level(in_folder):
    in_folder({'vhost.py': "def on_request(request): return 'module'"})
    with Upstream(says('upstream')) as upstream:
        with serving(proxy=upstream.name, vhosts={'m.example': {'module': 'vhost.py'}}) as s:
            assert s.get('/').body == b'upstream'
            assert s.get('/', 'm.example').body == b'module'
        with serving(module='vhost.py', vhosts={'p.example': {'proxy': upstream.name}}) as s:
            assert s.get('/').body == b'module'
            assert s.get('/', 'p.example').body == b'upstream'


def test_c2_5_a_module_is_asked_first_and_files_answer_what_it_declines(in_folder):
    source = """
def on_request(request):
    if request.url.startswith('/by-module'):
        return 'module'
"""
    in_folder(
        {'vhost.py': source, 'www/index.html': 'index', 'www/by-module.html': 'file', 'www/x': 'x'}
    )
    with serving(vhosts={'a.example': {'module': 'vhost.py', 'web_root': 'www'}}) as s:
        with s.client() as client:
            for target, status, body in [
                ('/by-module.html', 200, b'module'),
                ('/by-module/or/not', 200, b'module'),
                ('/x', 200, b'x'),
                ('/', 200, b'index'),
                ('/missing', 404, None),
            ]:
                response = client.get(target, 'a.example')
                assert response.status == status, target
                assert body is None or response.body == body, target
