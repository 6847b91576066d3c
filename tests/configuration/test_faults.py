"""C2.1, C2.5, C2.6: what a configuration may not say, and how it is told."""

from __future__ import annotations

import math

import pytest
import slimHTTP
from support import Program, tree


def fault_of(http, config) -> str:
    """The text of the ConfError that `config` raises; it must raise one."""
    with pytest.raises(slimHTTP.ConfError) as caught:
        http.configuration(config)
    assert isinstance(caught.value, slimHTTP.slimHTTP_Error)
    assert isinstance(caught.value, Exception)
    assert caught.value.message == str(caught.value)
    return str(caught.value)


@pytest.fixture
def http(in_folder):
    """A server that is bound, in a folder with some files."""
    in_folder(
        {
            'www/index.html': 'www',
            'vhost.py': "def on_request(request): return 'module'",
            'vhost.txt': "def on_request(request): return 'no module'",
        }
    )
    instance = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True, web_root='www')
    yield instance
    instance.close()


NESTED: dict = {}
NESTED['vhosts'] = NESTED


@pytest.mark.parametrize(
    ('config', 'place'),
    [
        ({'web_root': 5}, 'web_root'),
        ({'web_root': True}, 'web_root'),
        ({'web_root': ['www']}, 'web_root'),
        ({'web_root': {'www'}}, 'web_root'),
        ({'web_root': b'www'}, 'web_root'),
        ({'web_root': object()}, 'web_root'),
        ({'web_root': lambda: 'www'}, 'web_root'),
        ({'web_root': ''}, 'web_root'),
        ({'index': 5}, 'index'),
        ({'index': ['a.html', 5]}, 'index[1]'),
        ({'index': {'a': 'b'}}, 'index'),
        ({'index': '../index.html'}, 'index'),
        ({'vhosts': []}, 'vhosts'),
        ({'vhosts': 'a.example'}, 'vhosts'),
        ({'vhosts': {'a.example': 'www'}}, 'vhosts."a.example"'),
        ({'vhosts': {'a.example': ['www']}}, 'vhosts."a.example"'),
        ({'vhosts': {'localhost': {'web_root': 1}}}, 'vhosts.localhost.web_root'),
        ({'vhosts': {'a.example': {'index': [1]}}}, 'vhosts."a.example".index[0]'),
        ({'vhosts': {'a.example': {'debug': 'yes'}}}, 'vhosts."a.example".debug'),
        ({'vhosts': {'a.example': {'vhosts': {}}}}, 'vhosts."a.example".vhosts'),
        ({'vhosts': {'a.example': {'port': 80}}}, 'vhosts."a.example".port'),
        ({'module': 3}, 'module'),
        ({'proxy': 80}, 'proxy'),
        ({'proxy': {'host': 'a', 'port': 80}}, 'proxy'),
        ({'proxy': '127.0.0.1:80', 'ssl': 'no'}, 'ssl'),
        ({'proxy': ['127.0.0.1:80', 3]}, 'proxy[1]'),
        ({'debug': 1}, 'debug'),
        ({'debug': math.nan}, 'debug'),
        ({'debug': 2**70}, 'debug'),
        ({'index': 'a\0b'}, 'index'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_c2_1_values_that_it_refuses_with_their_place(http, config, place):
    text = fault_of(http, config)
    line = next((line for line in text.splitlines() if line.startswith(f'{place}:')), None)
    assert line is not None, text
    assert line.startswith(f'{place}: expected '), text


@pytest.mark.parametrize(
    'config',
    [
        None,
        'web_root',
        5,
        [],
        [('web_root', 'www')],
        {5: 'www'},
        {b'web_root': 'www'},
        {None: 'www'},
        {'vhosts': {5: {}}},
        {'vhosts': {b'a.example': {}}},
        NESTED,
        {'index': '\ud800'},
    ],
    ids=repr,
)
def test_c2_1_what_is_no_configuration_at_all(http, config):
    def give():
        return config

    with pytest.raises(slimHTTP.ConfError):
        http.configuration(give)
    assert http.config['web_root'] == 'www'


def test_c2_1_vhosts_stand_at_the_global_level_only(http):
    text = fault_of(http, {'vhosts': {'a.example': {'vhosts': {'b.example': {}}}}})
    assert 'vhosts."a.example".vhosts: expected ' in text
    assert 'global' in text


@pytest.mark.parametrize(
    'wrap', [lambda scope: scope, lambda scope: {'vhosts': {'a.example': scope}}]
)
def test_c2_5_proxy_and_module_exclude_each_other_in_one_scope(http, wrap):
    text = fault_of(http, wrap({'proxy': '127.0.0.1:9000', 'module': 'vhost.py'}))
    assert '`proxy`' in text
    assert '`module`' in text


def test_c2_6_the_example_to_the_letter(http):
    text = fault_of(http, {'vhosts': {'example.com': {'proxy': '10.0.0.1'}}})
    assert text == 'vhosts."example.com".proxy: expected `host:port`, found `10.0.0.1`'


def test_c2_6_every_fault_is_reported_at_once(http):
    text = fault_of(
        http,
        {
            'web_rot': 'www',
            'index': 5,
            'debug': 'yes',
            'vhosts': {
                '': {'web_root': 'www'},
                'a.example': {'proxy': '10.0.0.1', 'indx': 'a'},
                'b.example': {'module': 'missing.py'},
                'c.example': {'module': 'vhost.txt'},
                'd.example': {'module': 'vhost.py', 'proxy': '127.0.0.1:1'},
                'e.example': [],
            },
        },
    )
    places = [
        'web_rot',
        'index',
        'debug',
        'vhosts.""',
        'vhosts."a.example".proxy',
        'vhosts."a.example".indx',
        'vhosts."b.example".module',
        'vhosts."c.example".module',
        'vhosts."d.example"',
        'vhosts."e.example"',
    ]
    lines = [line for line in text.splitlines() if not line.startswith(' ')]
    found = {line.partition(': expected ')[0] for line in lines}
    assert found == set(places)
    assert len(lines) == len(places), 'each once'


@pytest.mark.parametrize(
    ('config', 'meant'),
    [
        ({'web_rot': 'www'}, 'web_root'),
        ({'webroot': 'www'}, 'web_root'),
        ({'Web_Root': 'www'}, 'web_root'),
        ({'web-root': 'www'}, 'web_root'),
        ({'idnex': 'a'}, 'index'),
        ({'vhost': {}}, 'vhosts'),
        ({'vhosts': {'a.example': {'porxy': '127.0.0.1:1'}}}, 'proxy'),
        ({'vhosts': {'a.example': {'modul': 'vhost.py'}}}, 'module'),
        ({'vhosts': {'a.example': {'ssll': False, 'proxy': '127.0.0.1:1'}}}, 'ssl'),
    ],
    ids=repr,
)
def test_c2_6_a_key_that_looks_misspelt_gets_a_suggestion(http, config, meant):
    assert f'`{meant}`' in fault_of(http, config)


def test_c2_6_a_key_that_looks_like_nothing_gets_no_suggestion(http):
    text = fault_of(http, {'xyzzyplugh': 1})
    assert text.startswith('xyzzyplugh: expected ')
    assert 'did you mean' not in text


@pytest.mark.parametrize(
    ('config', 'place', 'found'),
    [
        ({'vhosts': {'': {}}}, 'vhosts.""', 'empty'),
        ({'vhosts': {' ': {}}}, 'vhosts." "', '` `'),
        ({'vhosts': {'a b': {}}}, 'vhosts."a b"', '`a b`'),
        ({'vhosts': {'http://a.example': {}}}, 'vhosts."http://a.example"', '`http://a.example`'),
        ({'vhosts': {'a.example:99999': {}}}, 'vhosts."a.example:99999"', '`a.example:99999`'),
        ({'vhosts': {'a.*.example': {}}}, 'vhosts."a.*.example"', '`a.*.example`'),
        ({'vhosts': {'m': {'module': 'missing.py'}}}, 'vhosts.m.module', 'missing.py`'),
        ({'vhosts': {'m': {'module': 'vhost.txt'}}}, 'vhosts.m.module', 'vhost.txt`'),
        ({'vhosts': {'m': {'module': 'www'}}}, 'vhosts.m.module', 'www`'),
        ({'vhosts': {'m': {'module': ''}}}, 'vhosts.m.module', ''),
        ({'proxy': '127.0.0.1'}, 'proxy', '`127.0.0.1`'),
        ({'proxy': 'example.com'}, 'proxy', '`example.com`'),
        ({'proxy': '127.0.0.1:'}, 'proxy', '`127.0.0.1:`'),
        ({'proxy': ':80'}, 'proxy', '`:80`'),
        ({'proxy': '127.0.0.1:0'}, 'proxy', '`127.0.0.1:0`'),
        ({'proxy': '127.0.0.1:65536'}, 'proxy', '`127.0.0.1:65536`'),
        ({'proxy': '127.0.0.1:+80'}, 'proxy', '`127.0.0.1:+80`'),
        ({'proxy': 'ftp://127.0.0.1'}, 'proxy', '`ftp://127.0.0.1`'),
        ({'proxy': '::1:80'}, 'proxy', '`::1:80`'),
        ({'proxy': ''}, 'proxy', ''),
        ({'proxy': []}, 'proxy', ''),
        ({'web_root': 'www/index.html'}, 'web_root', 'index.html`'),
    ],
    ids=repr,
)
def test_c2_6_faults_with_place_and_what_was_found(http, config, place, found):
    text = fault_of(http, config)
    first, _, _ = text.partition('\n')
    assert first.startswith(f'{place}: expected '), text
    assert found in first, text


def test_c2_6_two_spellings_of_one_host_are_a_fault(http):
    text = fault_of(http, {'vhosts': {'a.example': {}, 'A.Example.': {}}})
    assert 'a.example' in text
    assert 'A.Example.' in text


def test_c2_6_a_fault_at_start_raises_too_and_frees_the_port(in_folder):
    in_folder()
    with pytest.raises(slimHTTP.ConfError) as caught:
        slimHTTP.server(
            slimHTTP.HTTP,
            addr='127.0.0.1',
            port=0,
            vhosts={'example.com': {'proxy': '10.0.0.1'}},
            web_rot='x',
        )
    assert 'vhosts."example.com".proxy: expected `host:port`, found `10.0.0.1`' in str(caught.value)
    assert 'web_rot' in str(caught.value)
    assert not [key for key in slimHTTP.instances if key.endswith(':0')]


def test_c2_6_check_config_gives_the_error_and_applies_nothing(http):
    assert http.check_config({'web_root': 'elsewhere'}) is True
    error = http.check_config({'vhosts': {'example.com': {'proxy': '10.0.0.1'}}})
    assert isinstance(error, slimHTTP.ConfError)
    assert 'expected `host:port`, found `10.0.0.1`' in str(error)
    assert http.config['web_root'] == 'www'


MISSING_ROOT = """
import slimHTTP
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
http.configuration({'web_root': 'not-there-yet', 'vhosts': {'a.example': {'web_root': 'nor-this'}}})
http.run()
"""


def test_c2_6_a_web_root_that_does_not_exist_is_a_warning_and_answers_404(in_folder):
    folder = in_folder()
    with Program(MISSING_ROOT, cwd=folder) as program:
        with program.client() as client:
            assert client.get('/').status == 404
            assert client.get('/x', 'a.example').status == 404
            program.wait_for('not-there-yet')
            program.wait_for('nor-this')
            # It may come later.
            tree(folder / 'not-there-yet', {'index.html': 'there now'})
            assert client.get('/').body == b'there now'
