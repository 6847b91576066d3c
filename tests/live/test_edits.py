"""C3.1, C3.2, C3.4: the ways to change a configuration, and what no change may do."""

from __future__ import annotations

import pytest
import slimHTTP
from support import serving, unused_port
from support.sites import FILES

# --- C3.1 ------------------------------------------------------------------


def test_c3_1_the_decorator_calls_once_at_once_and_applies(s):
    calls = []

    @s.http.configuration
    def config(instance):
        calls.append(instance)
        return {'web_root': './b'}

    assert calls == [s.http]
    assert s.get('/').body == b'b'
    assert s.get('/home.html').body == b'b home'
    assert calls == [s.http], 'once, not for each request'


def without():
    return {'web_root': 'b'}


def keyword_only(*, instance):
    assert isinstance(instance, slimHTTP.HTTP_SERVER)
    return {'web_root': 'b'}


def any_keywords(**kwargs):
    assert list(kwargs) == ['instance']
    return {'web_root': 'b'}


def with_default(instance=None):
    assert isinstance(instance, slimHTTP.HTTP_SERVER)
    return {'web_root': 'b'}


def others_have_defaults(some='a', instance=None, more=()):
    assert isinstance(instance, slimHTTP.HTTP_SERVER)
    return {'web_root': 'b'}


class Callable:
    def __call__(self, instance):
        return {'web_root': 'b'}

    def method(self):
        return {'web_root': 'b'}


@pytest.mark.parametrize(
    'function',
    [
        without,
        keyword_only,
        any_keywords,
        with_default,
        others_have_defaults,
        lambda: {'web_root': 'b'},
        Callable(),
        Callable().method,
        {'web_root': 'b'}.copy,
    ],
    ids=lambda function: getattr(function, '__name__', type(function).__name__),
)
def test_c3_1_the_function_gets_the_instance_if_it_takes_it(s, function):
    s.http.configuration(function)
    assert s.get('/').body == b'b'


def test_c3_1_the_decorator_with_parentheses(s):
    @s.http.configuration()
    def config(instance):
        return {'web_root': 'b'}

    assert s.get('/').body == b'b'


def test_c3_1_a_call_with_a_dict(s):
    s.http.configuration({'web_root': 'b'})
    assert s.get('/').body == b'b'
    s.http.configuration(config={'web_root': 'c'})
    assert s.get('/').body == b'c'


@pytest.mark.parametrize('way', ['call', 'decorator'])
def test_c3_1_the_first_two_replace_the_options_as_a_whole(s, way):
    s.http.configuration(
        {'web_root': 'a', 'index': 'home.html', 'vhosts': {'b.example': {'web_root': 'b'}}}
    )
    assert s.get('/').body == b'a home'
    assert s.get('/', 'b.example').body == b'b home'
    new = {'web_root': 'c'}
    s.http.configuration(new if way == 'call' else lambda: new)
    assert s.get('/').body == b'c', 'index is index.html again'
    assert s.get('/', 'b.example').body == b'c', 'the vhost is gone'
    assert 'index' not in s.http.config
    assert s.get('/', 'b.example').status == 200
    s.http.configuration({})
    assert s.get('/home.html').status == 404, 'web_root is /srv/http again'


def test_c3_1_replacing_keeps_routes_address_and_port(s):
    s.http.route('/route')(lambda _: 'route')
    s.http.configuration({'web_root': 'b'})
    assert s.get('/route').body == b'route'
    assert s.get('/').body == b'b'


def vhost(name):
    """A function that looks as a client of that vhost sees it."""

    def look(s):
        response = s.get('/', name)
        return response.text if response.status == 200 else response.status

    return look


#: An edit, then what the global level, v.example and w.example answer.
EDITS = {
    'set a global option': (lambda c: c.__setitem__('web_root', 'c'), 'c', 'b', 'b home'),
    'set an inherited option': (
        lambda c: c.__setitem__('index', 'home.html'),
        'a home',
        'b home',
        'b home',
    ),
    'set an option of a vhost': (
        lambda c: c['vhosts']['v.example'].__setitem__('web_root', 'c'),
        'a',
        'c',
        'b home',
    ),
    'set a nested option': (
        lambda c: c['vhosts']['v.example'].__setitem__('index', 'home.html'),
        'a',
        'b home',
        'b home',
    ),
    'set a vhost': (
        lambda c: c['vhosts'].__setitem__('v.example', {'web_root': 'c'}),
        'a',
        'c',
        'b home',
    ),
    'set a new vhost': (
        lambda c: c['vhosts'].__setitem__('x.example', {'web_root': 'c'}),
        'a',
        'b',
        'b home',
    ),
    'set all vhosts': (
        lambda c: c.__setitem__('vhosts', {'v.example': {'web_root': 'c'}}),
        'a',
        'c',
        'a',
    ),
    'del a vhost': (lambda c: c['vhosts'].__delitem__('v.example'), 'a', 'a', 'b home'),
    'del all vhosts': (lambda c: c.__delitem__('vhosts'), 'a', 'a', 'a'),
    'del an option of a vhost': (
        lambda c: c['vhosts']['w.example'].__delitem__('index'),
        'a',
        'b',
        'b',
    ),
    'update': (lambda c: c.update(web_root='c', index='index.html'), 'c', 'b', 'b home'),
    'update with a dict': (lambda c: c.update({'web_root': 'b'}), 'b', 'b', 'b home'),
    'update the vhosts': (
        lambda c: c['vhosts'].update({'v.example': {'web_root': 'c'}, 'w.example': {}}),
        'a',
        'c',
        'a',
    ),
    'update a vhost': (
        lambda c: c['vhosts']['v.example'].update(web_root='c', index='index.html'),
        'a',
        'c',
        'b home',
    ),
    'setdefault of what is there': (lambda c: c.setdefault('web_root', 'c'), 'a', 'b', 'b home'),
    'setdefault of what is not': (
        lambda c: c['vhosts']['v.example'].setdefault('index', 'home.html'),
        'a',
        'b home',
        'b home',
    ),
    'pop': (lambda c: c['vhosts'].pop('v.example'), 'a', 'a', 'b home'),
    'clear the vhosts': (lambda c: c['vhosts'].clear(), 'a', 'a', 'a'),
    'append to a list': (
        lambda c: c['vhosts']['w.example']['index'].append('index.html'),
        'a',
        'b',
        'b home',
    ),
    'insert into a list': (
        lambda c: c['vhosts']['w.example']['index'].insert(0, 'index.html'),
        'a',
        'b',
        'b',
    ),
}


@pytest.mark.parametrize('name', EDITS)
def test_c3_1_edits_in_place_change_only_what_they_name(s, name):
    edit, at_global, at_v, at_w = EDITS[name]
    s.http.configuration(
        {
            'web_root': 'a',
            'vhosts': {
                'v.example': {'web_root': 'b'},
                'w.example': {'web_root': 'b', 'index': ['home.html']},
            },
        }
    )
    edit(s.http.config)
    looks = [vhost('')(s), vhost('v.example')(s), vhost('w.example')(s)]
    assert looks == [at_global, at_v, at_w]


def test_c3_1_vhosts_can_be_edited_where_none_were_configured(s):
    s.http.config['vhosts']['v.example'] = {'web_root': 'b'}
    assert s.get('/', 'v.example').body == b'b'
    assert s.get('/').body == b'a'


def test_c3_1_the_config_is_a_mapping_of_what_was_configured(s):
    s.http.configuration({'web_root': 'a', 'vhosts': {'v.example': {'index': ['x', 'y']}}})
    config = s.http.config
    assert config['web_root'] == 'a'
    assert config['vhosts']['v.example']['index'] == ['x', 'y']
    assert 'vhosts' in config
    assert 'index' not in config
    assert config.get('index', 'none') == 'none'
    assert list(config['vhosts']) == ['v.example']
    assert len(config['vhosts']) == 1
    assert dict(config['vhosts']['v.example'].items()).keys() == {'index'}
    with pytest.raises(KeyError):
        config['vhosts']['w.example']
    with pytest.raises(KeyError):
        del config['vhosts']['w.example']
    with pytest.raises(KeyError):
        config['vhosts']['w.example']['index'] = 'x'


def test_c3_1_what_was_read_before_a_change_shows_the_change(s):
    s.http.configuration({'web_root': 'a', 'vhosts': {'v.example': {'web_root': 'b'}}})
    held = s.http.config['vhosts']['v.example']
    s.http.config['vhosts']['v.example'] = {'web_root': 'c'}
    assert held['web_root'] == 'c'
    held['web_root'] = 'a'
    assert s.get('/', 'v.example').body == b'a'


def test_c3_1_edit_groups_several_edits_into_one_change(s):
    seen = []
    with s.http.config.edit() as draft:
        draft['web_root'] = 'b'
        seen.append(s.get('/').body)
        # Neither would be valid without the other.
        draft['vhosts']['v.example'] = {'module': 'vhost.py', 'proxy': '127.0.0.1:1'}
        del draft['vhosts']['v.example']['proxy']
        draft['vhosts']['w.example'] = {}
        draft['vhosts']['w.example']['web_root'] = 'c'
        assert draft['web_root'] == 'b'
        assert draft['vhosts']['w.example']['web_root'] == 'c'
        seen.append(s.get('/', 'v.example').body)
    assert seen == [b'a', b'a'], 'nothing changes before the block ends'
    assert s.get('/').body == b'b'
    assert s.get('/', 'v.example').body == b'module'
    assert s.get('/', 'w.example').body == b'c'


def test_c3_1_an_edit_that_raises_changes_nothing(s):
    def edit():
        with s.http.config.edit() as draft:
            draft['web_root'] = 'b'
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edit()
    assert s.get('/').body == b'a'
    assert s.http.config['web_root'] == 'a'


@pytest.mark.parametrize('vhosts', [{}, {'x.example': {}}], ids=['none before', 'some before'])
def test_c3_1_an_edit_keeps_what_others_changed_meanwhile(s, vhosts):
    s.http.configuration({'web_root': 'a', **({'vhosts': vhosts} if vhosts else {})})
    with s.http.config.edit() as draft:
        draft['vhosts']['v.example'] = {'web_root': 'b'}
        s.http.config['vhosts']['w.example'] = {'web_root': 'c'}
    assert s.get('/', 'v.example').body == b'b'
    assert s.get('/', 'w.example').body == b'c'


# --- C3.2 ------------------------------------------------------------------

INVALID = {
    'unknown key': lambda http: http.config.__setitem__('web_rot', 'b'),
    'wrong type': lambda http: http.config.__setitem__('web_root', 5),
    'wrong nested': lambda http: http.config['vhosts']['v.example'].__setitem__(
        'proxy', '10.0.0.1'
    ),
    'empty host': lambda http: http.config['vhosts'].__setitem__('', {'web_root': 'b'}),
    'module and proxy': lambda http: http.config['vhosts']['v.example'].update(
        module='vhost.py', proxy='127.0.0.1:1'
    ),
    'half of an update': lambda http: http.config.update(web_root='b', index=5),
    'missing module': lambda http: http.config['vhosts'].update(
        {'w.example': {'web_root': 'b'}, 'v.example': {'module': 'missing.py'}}
    ),
    'whole': lambda http: http.configuration({'web_root': 'b', 'vhosts': {'': {}}}),
    'function': lambda http: http.configuration(lambda: {'web_root': 'b', 'index': []}),
    'function without a result': lambda http: http.configuration(lambda: None),
    'function with nonsense': lambda http: http.configuration(lambda: 'web_root'),
    'list': lambda http: http.config['vhosts']['v.example']['index'].append(5),
    'vhosts': lambda http: http.config.__setitem__('vhosts', []),
    'port': lambda http: http.config.update(web_root='b', port=1),
}


@pytest.mark.parametrize('name', INVALID)
def test_c3_2_invalid_change_keeps_the_old_site(s, name):
    before = {'web_root': 'a', 'vhosts': {'v.example': {'web_root': 'b', 'index': ['home.html']}}}
    s.http.configuration(before)
    with s.client() as client:
        assert client.get('/').body == b'a'
        with pytest.raises(slimHTTP.ConfError):
            INVALID[name](s.http)
        for _ in range(2):
            assert client.get('/').body == b'a'
            assert client.get('/', 'v.example').body == b'b home'
            assert client.get('/', 'w.example').body == b'a'
        assert client.connections == 1
        assert s.http.config['web_root'] == 'a'
        assert s.http.config['vhosts'] == before['vhosts']
        # And the next valid one is applied.
        s.http.config['vhosts']['v.example']['web_root'] = 'c'
        assert client.get('/index.html', 'v.example').body == b'c'


def test_c3_2_an_invalid_group_keeps_the_old_site_whole(s):
    def edit():
        with s.http.config.edit() as draft:
            draft['web_root'] = 'b'
            draft['vhosts']['v.example'] = {'web_root': 'c'}
            draft['web_rot'] = 'b'

    with pytest.raises(slimHTTP.ConfError, match='web_rot'):
        edit()
    assert s.get('/').body == b'a'
    assert s.get('/', 'v.example').body == b'a'
    assert 'v.example' not in s.http.config['vhosts']


def test_c3_2_a_function_that_raises_keeps_the_old_site(s):
    with pytest.raises(ZeroDivisionError):

        @s.http.configuration
        def config():
            return {'web_root': 1 // 0}

    assert s.get('/').body == b'a'


def test_c3_2_an_invalid_route_keeps_the_old_routes(s):
    s.http.route('/x')(lambda _: 'x')
    for url in ('', 'no-slash', '/<unclosed', '/<a>/<a>'):
        with pytest.raises((ValueError, slimHTTP.ConfError)):
            s.http.route(url)(lambda _: 'never')
    assert s.get('/x').body == b'x'
    assert s.get('/').body == b'a'


# --- C3.4 ------------------------------------------------------------------


@pytest.mark.parametrize('way', ['whole', 'edit', 'update', 'group'])
@pytest.mark.parametrize(('key', 'value'), [('port', 4711), ('addr', '127.0.0.9'), ('addr', '')])
def test_c3_4_another_address_or_port_is_an_error_that_says_how(s, way, key, value):
    def change():
        if way == 'whole':
            s.http.configuration({'web_root': 'b', key: value})
        elif way == 'edit':
            s.http.config[key] = value
        elif way == 'update':
            s.http.config.update({'web_root': 'b', key: value})
        else:
            with s.http.config.edit() as draft:
                draft['web_root'] = 'b'
                draft[key] = value

    with pytest.raises(slimHTTP.ConfError) as caught:
        change()
    text = str(caught.value)
    assert text.startswith(f'{key}: expected '), text
    assert 'fixed at start' in text
    assert 'slimHTTP.server(' in text, 'how to do it'
    assert s.get('/').body == b'a'


def test_c3_4_the_same_address_and_port_are_fine(in_folder):
    in_folder(FILES)
    port = unused_port()
    with serving(port=port, web_root='a') as s:
        s.http.configuration({'addr': '127.0.0.1', 'port': port, 'web_root': 'b'})
        assert s.get('/').body == b'b'
        s.http.config['port'] = port
        s.http.config.update(addr='127.0.0.1', web_root='c')
        assert s.get('/').body == b'c'


def test_c3_4_the_port_that_was_taken_is_the_same_as_a_free_one(s):
    s.http.configuration({'port': s.http.port, 'web_root': 'b'})
    assert s.get('/').body == b'b'


def test_c3_4_leaving_them_out_does_not_move_the_server(s):
    s.http.configuration({'web_root': 'b'})
    assert s.http.port == s.address[1]
    assert s.get('/').body == b'b'
