"""C11.1, C3.3: mounts that come, go and change while the server serves; and how they are written."""

from __future__ import annotations

import html
import json
import re

import pytest
import slimHTTP
from support import Cli, at_once, serving, tree

FILES = {
    'www/index.html': 'www',
    'one/index.html': 'one',
    'one/only-one.js': 'one',
    'two/index.html': 'two',
    'module.py': "def on_request(request):\n    return 'module ' + request.url\n",
    'scripts/run.py': "def on_request(request):\n    return 'script'\n",
}


@pytest.fixture
def site(in_folder):
    in_folder(FILES)
    with serving(web_root='www', mounts={'/m': {'web_root': 'one'}}) as site:
        yield site


def test_c3_3_an_edit_in_place_is_in_force_at_once(site):
    config = site.http.config
    with site.client() as client:
        assert client.get('/m/').text == 'one'
        config['mounts']['/m']['web_root'] = 'two'
        assert client.get('/m/').text == 'two'
        config['mounts']['/m/x'] = {'web_root': 'one'}
        assert client.get('/m/x/').text == 'one'
        del config['mounts']['/m']
        assert client.get('/m/').status == 404
        assert client.get('/m/x/').text == 'one'
        config['mounts'] = {'/n': {'web_root': 'two'}}
        assert (client.get('/m/x/').status, client.get('/n/').text) == (404, 'two')
        del config['mounts']
        assert client.get('/n/').status == 404
        # As of nothing, and of a virtual host.
        config['mounts']['/o'] = {'web_root': 'one'}
        assert client.get('/o/').text == 'one'
        config['vhosts']['v.example'] = {}
        assert client.get('/o/', 'v.example').text == 'one'
        config['vhosts']['v.example']['mounts']['/p'] = {'web_root': 'two'}
        assert client.get('/p/', 'v.example').text == 'two'
        assert client.get('/o/', 'v.example').status == 404
        config['vhosts']['v.example']['mounts']['/p']['max_body'] = 1
        assert client.request('POST', '/p/', body=b'12', host='v.example').status == 413
        assert client.connections == 1
    assert config.to_dict()['vhosts'] == {
        'v.example': {'mounts': {'/p': {'web_root': 'two', 'max_body': 1}}}
    }


def test_c3_2_a_faulty_mount_changes_nothing(site):
    for mounts, message in [
        ({'m': {}}, r'mounts.m: expected a path that begins with a slash'),
        ({'/m/': {}, '/m': {}}, r'mounts."/m/": expected every prefix once'),
        ({'/m': {'mounts': {}}}, r'mounts."/m".mounts: expected no `mounts` in a mount'),
        ({'/m': {'web_rot': 'x'}}, r'mounts."/m".web_rot: expected a known option'),
        ({'/m': {'access_log': {'file': 'none/log'}}}, r'mounts."/m".access_log.file: expected'),
    ]:
        with pytest.raises(slimHTTP.ConfError, match=message):
            site.http.config['mounts'] = mounts
        with pytest.raises(slimHTTP.ConfError, match='vhosts.h.' + message):
            site.http.config['vhosts']['h'] = {'mounts': mounts}
        assert site.get('/m/').text == 'one'
    assert dict(site.http.config['mounts']) == {'/m': {'web_root': 'one'}}


def test_c3_3_requests_see_one_set_of_mounts(site):
    """While mounts come and go, each answer is that of one of them."""
    config = site.http.config

    def change():
        for _ in range(30):
            config['mounts'] = {'/m': {'web_root': 'two'}, '/m/deep': {'web_root': 'one'}}
            config['mounts'] = {'/m': {'web_root': 'one'}}
        return set()

    def ask():
        seen = set()
        with site.client() as client:
            for _ in range(150):
                seen.add(('/m/', client.get('/m/').text))
                answer = client.get('/m/deep/')
                seen.add(('/m/deep/', answer.text if answer.status == 200 else answer.status))
        return seen

    results = at_once([change, ask, ask])
    assert set().union(*results) <= {
        ('/m/', 'one'),
        ('/m/', 'two'),
        ('/m/deep/', 'one'),
        ('/m/deep/', 404),
    }


def test_c11_1_modules_and_scripts_answer_below_a_mount(site):
    site.http.config['mounts'] = {
        '/mod': {'module': 'module.py'},
        '/run': {'web_root': 'scripts', 'scripts': True},
        '/off': {'web_root': 'scripts'},
    }
    assert site.get('/mod/x').text == 'module /mod/x'
    assert site.get('/run/run.py').text == 'script'
    assert site.get('/off/run.py').status == 404

    @site.http.route('/mod/route')
    def handler(request):
        return f'route {request.url}'

    assert site.get('/mod/route').text == 'route /mod/route'
    assert site.get('/mod/other').text == 'module /mod/other'


def test_c5_1_releases_are_those_of_a_mount(in_folder):
    in_folder(FILES)
    mounts = {'/m': {'web_root': 'one', 'pin_releases': 60}, '/n': {'web_root': 'two'}}
    with serving(web_root='www', mounts=mounts) as site, site.client() as client:
        cookie = client.get('/m/').headers['Set-Cookie']
        assert 'Path=/m;' in cookie
        assert 'Set-Cookie' not in client.get('/n/').headers
        site.http.config['mounts']['/m']['web_root'] = 'two'
        assert client.get('/m/').text == 'two'
        named = {'Cookie': cookie.split(';')[0]}
        assert client.request('GET', '/m/only-one.js', named).text == 'one'
        assert client.request('GET', '/n/only-one.js', named).status == 404


def test_an_access_log_is_that_of_a_mount(in_folder):
    folder = in_folder(FILES)
    mounts = {'/m': {'web_root': 'one', 'access_log': {'format': 'common', 'file': 'm.log'}}}
    with serving(web_root='www', mounts=mounts) as site:
        for target in ('/', '/m/', '/x'):
            site.get(target)
    assert [line.split('"')[1] for line in (folder / 'm.log').read_text().splitlines()] == [
        'GET /m/ HTTP/1.1'
    ]


TOML = """
web_root = "www"

[mounts."/one"]
web_root = "one"

[vhosts."v.example".mounts."/two"]
web_root = "two"
cache_control = "no-store"
"""


@pytest.mark.parametrize('name', ['site.toml', 'site.json'])
def test_c2_6_mounts_in_a_file(tmp_path, name):
    two = {'web_root': 'two', 'cache_control': 'no-store'}
    as_json = {
        'web_root': 'www',
        'mounts': {'/one': {'web_root': 'one'}},
        'vhosts': {'v.example': {'mounts': {'/two': two}}},
    }
    text = TOML if name.endswith('.toml') else json.dumps(as_json)
    tree(tmp_path, {**FILES, name: text})
    with Cli('run', name, '--port', '0', cwd=tmp_path) as program:
        assert program.get('/').text == 'www'
        assert program.get('/one/').text == 'one'
        two = program.get('/two/', 'v.example')
        assert (two.text, two.headers['Cache-Control']) == ('two', 'no-store')
        assert program.get('/one/', 'v.example').status == 404


def test_a_fault_of_a_mount_has_its_line(tmp_path):
    tree(tmp_path, {**FILES, 'site.toml': TOML.replace('"no-store"', '7').strip()})
    with Cli('check', 'site.toml', cwd=tmp_path) as program:
        assert program.wait() != 0
        assert 'site.toml:8' in program.stderr
        assert 'vhosts."v.example".mounts."/two".cache_control' in program.stderr


def test_c11_1_many_mounts_in_many_virtual_hosts(in_folder):
    in_folder(FILES)
    mounts = {f'/m{number}': {'web_root': 'one'} for number in range(500)}
    vhosts = {f'v{number}.example': {'max_body': 7} for number in range(20)}
    with serving(web_root='www', mounts=mounts, vhosts=vhosts) as site, site.client() as client:
        for host in ('', 'v0.example', 'v19.example'):
            for number in (0, 250, 499):
                assert client.get(f'/m{number}/', host).text == 'one'
            assert client.get('/m500/', host).status == 404
        site.http.config['mounts']['/m250']['web_root'] = 'two'
        for host in ('', 'v0.example', 'v19.example'):
            texts = [client.get(f'/m{number}/', host).text for number in (249, 250, 251)]
            assert texts == ['one', 'two', 'one']


def test_the_debug_page_says_which_mount_it_was(in_folder):
    in_folder({**FILES, 'module.py': 'def on_request(request):\n    raise ValueError\n'})
    mounts = {'/m': {'module': 'module.py'}, '/m/x/': {'module': 'module.py'}}
    vhosts = {'v': {'mounts': {'/n': {'module': 'module.py'}}}}
    with serving(web_root='www', debug=True, mounts=mounts, vhosts=vhosts) as site:
        for target, host, place in [
            ('/m/a', '', 'mounts."/m".module'),
            ('/m/x/a', '', 'mounts."/m/x/".module'),
            ('/n', 'v', 'vhosts."v".mounts."/n".module'),
        ]:
            page = site.get(target, host, Accept='text/html')
            assert page.status == 500
            assert f'by <code>{place} = "module.py"</code>' in html.unescape(page.text)


def test_live_reload_knows_the_pages_of_mounts(in_folder):
    folder = in_folder({'www/index.html': '<p>www', 'one/index.html': '<p>one'})
    navigation = {'Accept': 'text/html', 'Sec-Fetch-Dest': 'document'}
    mounts = {'/m': {'web_root': 'one', 'debug': True}}
    with serving(web_root='www', mounts=mounts) as site, site.client() as listener:

        def version(target):
            with site.client() as client:
                found = re.search(
                    'data-seen="([^"]+)"', client.request('GET', target, navigation).text
                )
            return found and found[1]

        def told():
            while True:
                line = listener.read_until(b'\n').decode().strip()
                if line.startswith('data: '):
                    return line[6:]

        assert version('/') is None
        before = version('/m/')
        # It listens to its whole host, wherever the page is mounted.
        listener.send('GET', '/.slimhttp/reload', {'Accept': 'text/event-stream'})
        assert listener.read_head().status == 200
        assert told() == before
        (folder / 'one/index.html').write_text('<p>another')
        edited = told()
        assert edited != before
        assert edited == version('/m/')
        # What the mount says is behind its pages too; what another one says is not.
        site.http.config['mounts']['/other'] = {'web_root': 'one'}
        assert version('/m/') == edited
        site.http.config['mounts']['/m']['index'] = ['index.html', 'none']
        assert told() != edited
        site.http.config['mounts']['/m']['debug'] = False
        assert told() == 'gone'
