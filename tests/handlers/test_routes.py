"""C8.1: which route answers a request, and what becomes of the others."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Log, Serving, Upstream, at_once, says, serving, tree, wait_until
from support.sites import ANSWERS

of = pytest.mark.parametrize


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    tree(
        tmp_path,
        {
            'index.html': 'index',
            'file.txt': 'file',
            'sub': {'file.txt': 'deep file', 'index.html': 'sub'},
        },
    )
    with serving(web_root=os.fspath(tmp_path), vhosts={'a.example': {}, 'b.example': {}}) as site:
        yield site


def says_its_name(name: str):
    def handler(request):
        params = ''.join(f' {key}={value!r}' for key, value in sorted(request.params.items()))
        return name + params

    return handler


#: Routes as registered, `prefix` marked by a star at the end.
TABLE = [
    '/', '/a', '/a/b', '/users/<name>', '/users/me', '/users/<name>/posts', '/users/<name>/posts/<int:id>',
    '/users/<name>/posts/latest', '/files/<path:rest>', '/files/special', '/files/<name>.txt', '/n/<int:n>', '/n/<word>',
    '/tree*', '/tree/deep*', '/tree/deep/exact', '/caf\u00e9', '/two words', '/slash/',
]  # fmt: skip

#: A target and the route that answers it; None where no route does.
TARGETS = [
    ('/', '/'),
    ('/?x=y', '/'),
    ('/a', '/a'),
    ('/%61', '/a'),
    ('/a/b', '/a/b'),
    ('/a/', None),
    ('/a/c', None),
    ('/a/b/c', None),
    ('/A', None),
    ('/ab', None),
    ('/nothing', None),
    ('/users/Ada', "/users/<name> name='Ada'"),
    ('/users/A%20da', "/users/<name> name='A da'"),
    ('/users/%C3%A9', "/users/<name> name='\u00e9'"),
    ('/users/me', '/users/me'),
    ('/users/mex', "/users/<name> name='mex'"),
    ('/users', None),
    ('/users/', None),
    ('/users/Ada/', None),
    ('/users/Ada/posts', "/users/<name>/posts name='Ada'"),
    ('/users/me/posts', "/users/<name>/posts name='me'"),
    ('/users/Ada/posts/7', "/users/<name>/posts/<int:id> id=7 name='Ada'"),
    ('/users/Ada/posts/latest', "/users/<name>/posts/latest name='Ada'"),
    ('/users/Ada/posts/other', None),
    ('/users/Ada/other', None),
    ('/files/x', "/files/<path:rest> rest='x'"),
    ('/files/x/y/z', "/files/<path:rest> rest='x/y/z'"),
    ('/files/special', '/files/special'),
    ('/files/a.txt', "/files/<name>.txt name='a'"),
    ('/files/b/a.txt', "/files/<path:rest> rest='b/a.txt'"),
    ('/n/12', '/n/<int:n> n=12'),
    ('/n/007', '/n/<int:n> n=7'),
    ('/n/x', "/n/<word> word='x'"),
    ('/n/-1', "/n/<word> word='-1'"),
    ('/tree', '/tree*'),
    ('/tree/', '/tree*'),
    ('/tree/a/b', '/tree*'),
    ('/trees', None),
    ('/tree/deep', '/tree/deep*'),
    ('/tree/deep/x', '/tree/deep*'),
    ('/tree/deeper', '/tree*'),
    ('/tree/deep/exact', '/tree/deep/exact'),
    ('/caf%C3%A9', '/caf\u00e9'),
    ('/two%20words', '/two words'),
    ('/slash/', '/slash/'),
    ('/slash', None),
    ('/file.txt', None),
    ('/sub/file.txt', None),
]


@of('order', [1, -1], ids=['in order', 'reversed'])
def test_c8_1_the_most_specific_route_answers_whatever_the_order(site: Serving, order: int) -> None:
    for pattern in TABLE[::order]:
        prefix = pattern.endswith('*')
        site.http.route(pattern.rstrip('*'), prefix=prefix)(says_its_name(pattern))
    files = {'/file.txt': 'file', '/sub/file.txt': 'deep file'}
    with site.client() as client:
        for target, expected in TARGETS:
            response = client.get(target)
            if expected is not None:
                assert (response.status, response.text) == (200, expected), target
            elif target in files:
                assert response.text == files[target], 'a route swallows no file'
            else:
                assert response.status == 404, (target, response)


def test_c8_1_a_route_answers_every_method(site: Serving) -> None:
    site.http.route('/r')(lambda request: request.method)
    with site.client() as client:
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'BREW', 'get'):
            body = b'' if method in ('POST', 'PUT', 'PATCH') else None
            assert client.request(method, '/r', body=body).text == method
        assert client.request('HEAD', '/r').status == 200


def test_c8_1_methods_narrow_and_others_are_405_with_allow(site: Serving) -> None:
    site.http.route('/r', methods=['GET', 'PUT'])(lambda request: request.method)
    with site.client() as client:
        assert client.get('/r').text == 'GET'
        assert client.request('PUT', '/r', body=b'').text == 'PUT'
        assert client.request('HEAD', '/r').status == 200, 'HEAD goes with GET'
        for method in ('POST', 'DELETE', 'BREW', 'OPTIONS'):
            response = client.request(method, '/r', body=b'' if method == 'POST' else None)
            assert response.status == 405
            allowed = {word.strip() for word in response.headers['Allow'].split(',')}
            assert allowed == {'GET', 'HEAD', 'PUT'}


def test_c8_1_routes_of_one_pattern_share_the_methods(site: Serving) -> None:
    site.http.route('/x/<n>', methods=['GET'])(lambda request: 'get')
    site.http.route('/x/<m>', methods=['POST'])(lambda request: 'post')
    with site.client() as client:
        assert client.get('/x/1').text == 'get'
        assert client.request('POST', '/x/1', body=b'').text == 'post'
        response = client.request('DELETE', '/x/1')
        assert response.status == 405
        assert {word.strip() for word in response.headers['Allow'].split(',')} == {
            'GET',
            'HEAD',
            'POST',
        }


def test_c8_1_a_405_for_a_method_is_no_file_answer(site: Serving) -> None:
    """A route decides before files, also where it says no."""
    site.http.route('/file.txt', methods=['PUT'])(lambda request: 'put')
    with site.client() as client:
        assert client.request('PUT', '/file.txt', body=b'').text == 'put'
        assert client.get('/file.txt').status == 405


def test_c8_1_registering_again_replaces(site: Serving) -> None:
    with site.client() as client:
        for n in range(20):
            site.http.route('/r')(lambda request, n=n: str(n))
            assert client.get('/r').text == str(n)
        site.http.route('/users/<name>')(says_its_name('old'))
        site.http.route('/users/<name>')(says_its_name('new'))
        assert client.get('/users/Ada').text == "new name='Ada'"


def test_c8_1_a_route_registered_while_serving_answers_at_once(site: Serving) -> None:
    with site.client() as client:
        for n in range(50):
            assert client.get(f'/r{n}').status == 404
            site.http.route(f'/r{n}')(lambda request, n=n: str(n))
            assert client.get(f'/r{n}').text == str(n)


def test_c8_1_a_route_may_be_registered_by_a_handler(site: Serving) -> None:
    @site.http.route('/make')
    def make(request):
        site.http.route('/made')(lambda request: 'made')
        return 'done'

    assert site.get('/made').status == 404
    assert site.get('/make').text == 'done'
    assert site.get('/made').text == 'made'


def test_c8_1_vhost_narrows_and_none_is_the_global_level(site: Serving) -> None:
    site.http.route('/r', vhost='a.example')(lambda request: 'a')
    site.http.route('/r')(lambda request: 'global')
    assert site.get('/r', host='a.example').text == 'a'
    assert site.get('/r', host='A.EXAMPLE:80').text == 'a'
    assert site.get('/r', host='other.example').text == 'global'


def test_c8_1_a_route_makes_its_vhost(site: Serving) -> None:
    """`@http.route('/', vhost=…)` needs no `vhosts` entry of that name."""
    site.http.route('/', vhost='new.example')(lambda request: f'{request.vhost}')
    assert site.get('/', host='new.example').text == 'new.example'
    assert site.get('/', host='other.example').text == 'index'


def test_c8_1_a_route_decides_before_module_proxy_and_files(tmp_path: Path) -> None:
    tree(tmp_path, {'m.py': ANSWERS.format('module'), 'root/r': 'file'})
    with Upstream(says('upstream')) as upstream:
        hosts = {
            'module.example': {'module': os.fspath(tmp_path / 'm.py')},
            'proxy.example': {'proxy': upstream.name},
            'files.example': {'web_root': os.fspath(tmp_path / 'root')},
        }
        with serving(vhosts=hosts) as site:
            for host, other in zip(hosts, ('module', 'upstream', 'file')):
                assert site.get('/r', host=host).text == other
                site.http.route('/r', vhost=host)(lambda request: 'route')
                assert site.get('/r', host=host).text == 'route'


def test_c8_1_a_route_that_returns_nothing_passes_on(site: Serving) -> None:
    site.http.route('/file.txt')(lambda request: None)
    site.http.route('/missing')(lambda request: None)
    assert site.get('/file.txt').text == 'file'
    assert site.get('/missing').status == 404


def test_c8_1_of_two_that_match_the_next_is_not_asked(site: Serving) -> None:
    """Passing on is to module, proxy and files; one route answers a path."""
    site.http.route('/x/<name>')(lambda request: 'pattern')
    site.http.route('/x/y')(lambda request: None)
    assert site.get('/x/y').status == 404
    assert site.get('/x/z').text == 'pattern'


def test_c8_1_the_decorator_gives_the_function_back(site: Serving) -> None:
    def handler(request):
        return 'both'

    assert site.http.route('/one')(site.http.route('/two')(handler)) is handler
    assert [site.get(target).text for target in ('/one', '/two')] == ['both', 'both']


def test_c8_1_any_callable_is_a_handler(site: Serving) -> None:
    class Object:
        def __call__(self, request):
            return 'called'

        def method(self, request):
            return 'method'

    site.http.route('/called')(Object())
    site.http.route('/method')(Object().method)
    assert site.get('/called').text == 'called'
    assert site.get('/method').text == 'method'


@of('pattern', ['', 'no-slash', '/<', '/<>', '/<nothing:x>', '/<a>/<a>'])
def test_c8_1_a_pattern_that_is_none_raises_where_it_is_registered(
    site: Serving, pattern: str
) -> None:
    import slimHTTP

    with pytest.raises((ValueError, slimHTTP.ConfError)):
        site.http.route(pattern)(lambda request: 'x')


@of('handler', [None, 'text', 3])
def test_c8_1_a_handler_that_cannot_be_called_raises(site: Serving, handler) -> None:
    with pytest.raises(TypeError):
        site.http.route('/x')(handler)


def test_c8_1_thousands_of_routes(site: Serving) -> None:
    for n in range(1000):
        site.http.route(f'/many/{n}')(lambda request, n=n: str(n))

    def load() -> None:
        with site.client() as client:
            for n in range(0, 1000, 37):
                assert client.get(f'/many/{n}').text == str(n)

    at_once([load] * 4)
    assert len([path for path in site.http.routes[None] if path.startswith('/many/')]) == 1000


def test_c8_1_routes_survive_a_change_of_the_configuration(site: Serving, tmp_path: Path) -> None:
    site.http.route('/r')(lambda request: 'route')
    site.http.route('/r', vhost='a.example')(lambda request: 'a')
    site.http.configuration({'web_root': os.fspath(tmp_path / 'sub')})
    assert site.get('/').text == 'sub'
    assert site.get('/r').text == 'route'
    assert site.get('/r', host='a.example').text == 'a'


def test_c8_1_a_forgotten_return_is_named_once_in_a_while(site: Serving) -> None:
    """Who returned None while nobody else answered stands in the log, with the file."""

    def forgets(request):
        _answer = 'a text'

    async def forgets_later(request):
        _answer = 'a text'

    def decorated(function):
        return functools.wraps(function)(lambda request: function(request))

    site.http.route('/plain/<path:rest>')(forgets)
    site.http.route('/async/<path:rest>')(forgets_later)
    site.http.route('/decorated/<path:rest>')(decorated(forgets))
    # These are answered in the end, by a file, by whoever answers GET, by a text.
    site.http.route('/file.txt')(forgets)
    site.http.route('/answers')(lambda request: 'an answer')
    line = forgets.__code__.co_firstlineno
    with Log() as log:
        for path in ('plain', 'async', 'decorated'):
            for number in range(5):
                assert site.get(f'/{path}/{number}').status == 404
            with site.client() as client:
                assert client.request('POST', f'/{path}/a').status == 405
        assert site.get('/file.txt').text == 'file'
        assert site.get('/answers').text == 'an answer'
        assert site.get('/nothing').status == 404
        wait_until(lambda: log.text.count('forgotten?') >= 3, 'three lines')
    told = [record for record in log.records if 'forgotten?' in record.getMessage()]
    assert [record.levelname for record in told] == ['INFO'] * 3
    texts = [record.getMessage() for record in told]
    for text, path in zip(texts, ('plain', 'async', 'decorated')):
        assert text.startswith(f'GET /{path}/0: route `/{path}/<path:rest>` (`')
    assert f'forgets`), {__file__}:{line} returned None' in texts[0]
    assert f', {__file__}:{line} returned None' in texts[2]


def test_c9_who_answers_a_method_passes_on_to_files_by_intent(site: Serving) -> None:
    site.http.GET(lambda request: None)
    with Log() as log:
        assert site.get('/nothing').status == 404
        assert site.get('/file.txt').text == 'file'
    assert 'forgotten' not in log.text
