"""C2.1, C2.2, C2.6: the options about files and answers, in every spelling that there is."""

from __future__ import annotations

import ast
import json
import re

import pytest
import slimHTTP
from support import REPOSITORY, Cli, serving, tree

DOCUMENT = REPOSITORY / 'docs' / 'configuration.md'

#: One good configuration that names every option about files and answers.
WHOLE = {
    'try_files': ['{path}', '{path}.html', '/index.html', '=404'],
    'fallback': '/index.html',
    'clean_urls': True,
    'listing': True,
    'dotfiles': False,
    'exclude': ['*.bak', '/drafts/**'],
    'content_encoding': '*.wasm.gz',
    'follow_symlinks': 'never',
    'cache_control': {'*': 'no-cache', '/assets/**': 'max-age=60'},
    'immutable': True,
    'file_headers': {'*.js': {'X-Kind': 'script', 'Link': ['<a>', '<b>'], 'ETag': False}},
    'mime_types': {'.foo': 'text/x-foo; version=1'},
    'charset': False,
    'compress': {
        'encodings': ['gzip', 'br'],
        'precompressed': False,
        'on_the_fly': True,
        'dynamic': False,
        'max_encoders': 5,
        'min_size': 100,
        'max_size': '1MiB',
        'types': ['text/*', '*+json'],
    },
    'file_cache': {'entry': '64KiB', 'revalidate': 0},
    'pin_releases': 1.5,
    'redirects': {
        '/a': '/b',
        '/old/<path:rest>': {'to': 'https://x.example/<rest>', 'status': 308},
    },
    'rewrites': {'/users/<name>': '/user.html?name=<name>'},
    'error_pages': {'404': '/404.html', '5xx': 'errors/5xx.html'},
    'response_headers': {'X-By': 'us', 'Vary': ['Origin'], 'Server': False},
    'security_headers': True,
    'redirect_https': 8443,
    'hsts': {'max_age': 63072000, 'include_subdomains': True, 'preload': True},
    'cors': {'origins': ['https://a.example', 'https://*.b.example'], 'max_age': 60},
}


def examples() -> list[tuple[str, str, str]]:
    """The examples of the options that are tables: heading, Python, TOML."""
    text = DOCUMENT.read_text(encoding='utf-8')
    section = text.split('## The options that are tables\n')[1].split('\n## ')[0]
    pattern = r'^### (.+?)\n.*?```python\n(.*?)```\n.*?```toml\n(.*?)```'
    return re.findall(pattern, section, re.M | re.S)


def check(folder, name, text):
    """Have `slimhttp check` look at `text`: exit status and everything that it says."""
    tree(folder, {name: text})
    with Cli('check', name, cwd=folder) as cli:
        status = cli.wait()
    return status, cli.stdout + cli.stderr


@pytest.mark.parametrize(
    'config',
    [WHOLE, {**WHOLE, 'vhosts': {'a.example': WHOLE}}, {'vhosts': {'a.example': WHOLE}}],
    ids=['global', 'both', 'vhost'],
)
def test_c2_1_every_option_about_files_and_answers(in_folder, config):
    folder = in_folder({'www/index.html': 'www'})
    with serving() as s:
        s.http.configuration({**config, 'web_root': 'www'})
        assert s.http.config['vhosts'] == config.get('vhosts', {})
        # Edited in place, key by key.
        for key, value in WHOLE.items():
            s.http.config['vhosts']['b.example'] = {key: value}
            assert s.http.config['vhosts']['b.example'] == {key: value}
    # A proxy in front speaks https, of which `hsts` tells.
    text = json.dumps({**config, 'web_root': 'www', 'trusted_proxies': '10.0.0.1'})
    assert check(folder, 'site.json', text) == (0, 'site.json: fine\n')


@pytest.mark.parametrize('key', [key for key, value in WHOLE.items() if value is not True])
def test_c2_2_a_vhost_does_without_what_it_would_inherit(in_folder, key):
    in_folder({'www/index.html': 'www'})
    with serving(web_root='www') as s:
        without = s.http.check_config({key: WHOLE[key], 'vhosts': {'a.example': {key: False}}})
        assert without is True


def test_c2_1_a_status_may_be_a_number(in_folder):
    in_folder({'www/index.html': 'www'})
    pages = {404: '/404.html', '5xx': '/5xx.html'}
    with serving(web_root='www', error_pages=pages) as s:
        config = s.http.config
        assert config['error_pages'] == pages == {404: '/404.html', '5xx': '/5xx.html'}
        assert config['error_pages'].to_dict() == {'404': '/404.html', '5xx': '/5xx.html'}
        assert 404 in config['error_pages']
        config['error_pages'][404] = '/gone.html'
        assert config['error_pages']['404'] == config['error_pages'][404] == '/gone.html'
        config['error_pages'].update({410: '/gone.html'})
        del config['error_pages'][404]
        with config.edit() as draft:
            draft['error_pages'][500] = '/500.html'
        assert set(config['error_pages']) == {'410', '500', '5xx'}
        with pytest.raises(slimHTTP.ConfError, match='expected a status from 400 to 599'):
            config['error_pages'][200] = '/200.html'
        for key in (5, True, 404.0, 4040):
            with pytest.raises(slimHTTP.ConfError):
                config['error_pages'][key] = '/x.html'


@pytest.mark.parametrize(('heading', 'python', 'toml'), examples(), ids=lambda text: text[:20])
def test_the_examples_of_the_docs_are_configurations(in_folder, heading, python, toml):
    folder = in_folder({'www/index.html': 'www'})
    config = ast.literal_eval(python)
    assert all(f'`{key}`' in heading for key in config), 'each stands under its heading'
    with serving(web_root='www') as s:
        assert s.http.check_config({'web_root': 'www', **config}) is True
    toml = f'web_root = "www"\ntrusted_proxies = "10.0.0.1"\n{toml}'
    assert check(folder, 'site.toml', toml) == (0, 'site.toml: fine\n')


@pytest.mark.parametrize(('heading', 'python', 'toml'), examples(), ids=lambda text: text[:20])
def test_the_examples_of_the_docs_say_the_same_twice(heading, python, toml):
    tomllib = pytest.importorskip('tomllib')
    as_json = json.dumps(ast.literal_eval(python))
    assert tomllib.loads(toml) == json.loads(as_json), heading


def test_the_guide_of_files_is_of_configurations():
    text = (DOCUMENT.parent / 'static-files.md').read_text(encoding='utf-8')
    blocks = re.findall(r'```python\n(\{.*?)```', text, re.S)
    assert len(blocks) == 6
    with serving(web_root='www') as s:
        for block in blocks:
            assert s.http.check_config(ast.literal_eval(block)) is True, block


def test_the_application_of_the_guide_is_the_same_in_toml(in_folder):
    text = (DOCUMENT.parent / 'static-files.md').read_text(encoding='utf-8')
    section = text.split('## A single-page application\n')[1].split('\n## ')[0]
    toml, python = re.findall(r'```(?:toml|python)\n(.*?)```', section, re.S)
    folder = in_folder({'dist/index.html': 'application'})
    assert check(folder, 'site.toml', toml) == (0, 'site.toml: fine\n')
    calls = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Call)]
    server = next(call for call in calls if call.keywords)
    options = {word.arg: ast.literal_eval(word.value) for word in server.keywords}
    assert options == pytest.importorskip('tomllib').loads(toml)


FAULTY = """\
web_root = "www"
error_pages = { 404 = "/404.html", 50x = "/50x.html" }

[vhosts."a.example"]
gzip = true
file_cache = { size = 5 }

[vhosts."a.example".file_headers."*.js"]
Content-Length = "5"
X-Foo = 1

[vhosts."a.example".compress]
encoding = "br"
"""


def test_c2_6_faults_within_tables_have_their_places(tmp_path):
    tree(tmp_path, {'www/index.html': 'www'})
    status, said = check(tmp_path, 'site.toml', FAULTY)
    assert status == 1
    for text in [
        '2:36: error_pages.50x: expected a status from 400 to 599, `4xx` or `5xx`, found `50x`',
        '9:18: vhosts."a.example".file_headers."*.js".Content-Length: expected a field that may be changed',
        'vhosts."a.example".file_headers."*.js".X-Foo: expected a text, a list of texts, or `false`',
        'vhosts."a.example".compress.encoding: expected `encodings` or ',
        'vhosts."a.example".file_cache.size: expected `entry` or `revalidate`',
        'vhosts."a.example".gzip: expected a known option, found `gzip`',
        'did you mean `compress`?',
        'did you mean `encodings`?',
        'did you mean `5xx`?',
    ]:
        assert text in said, said
