"""C11.1, C11.2: `http.mount`, `http.group`, and applications as handlers of routes."""

from __future__ import annotations

import types
from typing import Any

import pytest
import slimHTTP
from support import serving, tree, wait_until
from support.applications import Modules, Recorded, answer, modules
from websockets.sync.client import connect

__all__ = ['modules']


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    body = environ['wsgi.input'].read()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return ['|'.join((environ['SCRIPT_NAME'], environ['PATH_INFO'])).encode(), body]


def test_c11_1_an_application_is_mounted_in_every_form(modules: Modules) -> None:
    name = modules.add()
    files = tree(modules.folder / 'files', {'a.txt': 'a file'})
    with serving() as site:
        http = site.http
        http.mount('/object', wsgi)
        http.mount('/text', f'{name}:app', app_dir=str(modules.folder))
        http.mount('/said', slimHTTP.wsgi(lambda *arguments: wsgi(*arguments)))
        http.mount('/dict', {'app': wsgi, 'root_path': '/front'}, max_body=10)
        http.mount('/files', web_root=str(files))
        assert site.get('/object/x').text == '/object|/x'
        assert site.get('/text/x').text == name
        assert site.get('/said/x').text == '/said|/x'
        assert site.get('/dict/x').text == '/front/dict|/x'
        assert site.get('/files/a.txt').text == 'a file'
        assert http.config['mounts']['/object']['app'] is wsgi
        assert http.config['mounts']['/dict'] == {
            'app': wsgi,
            'root_path': '/front',
            'max_body': 10,
        }
        http.mount('/object/', web_root=str(files))
        assert site.get('/object/a.txt').text == 'a file'
        assert len(http.config['mounts']) == 5
        del http.config['mounts']['/said']
        assert site.get('/said/x').status == 404
        http.configuration({})
        assert site.get('/dict/x').status == 404
        assert 'mounts' not in http.config


def test_c11_1_a_mount_of_a_virtual_host_in_any_spelling() -> None:
    with serving(vhosts={'Shop.example': {}, 'b.example:80': {}}) as site:
        site.http.mount('/x', wsgi, vhost='shop.EXAMPLE')
        assert site.get('/x/y', host='shop.example').text == '/x|/y'
        assert site.get('/x/y').status == 404
        assert list(site.http.config['vhosts']) == ['Shop.example', 'b.example:80']
        with pytest.raises(slimHTTP.ConfError) as error:
            site.http.mount('/x', wsgi, vhost='other.example')
        assert str(error.value) == (
            'vhosts."other.example": expected a virtual host of the configuration\n'
            "  hint: make it first: `http.config['vhosts']['other.example'] = {}`"
        )


def test_c11_1_what_cannot_be_mounted_is_told_and_changes_nothing() -> None:
    with serving() as site:
        http = site.http
        with pytest.raises(
            slimHTTP.ConfError, match=r'^mounts.x: expected a path that begins with a slash'
        ):
            http.mount('x', wsgi)
        with pytest.raises(slimHTTP.ConfError, match=r'^mounts\."/x"\.indx: '):
            http.mount('/x', indx='a.html')
        with pytest.raises(
            slimHTTP.ConfError, match=r'^mounts\."/x"\.app: expected `package.module:name`'
        ):
            http.mount('/x', 7)
        module = types.ModuleType('shop')
        with pytest.raises(TypeError, match=r'an application, found the module `shop`$'):
            http.mount('/x', module)
        vars(module)['application'] = wsgi
        with pytest.raises(TypeError, match=r'`shop`; did you mean `shop.application`\?$'):
            http.mount('/x', module)
        with pytest.raises(TypeError, match=r'^mount: expected an application, or options'):
            http.mount('/x')
        with pytest.raises(TypeError, match=r'^prefix: expected a path such as `/shop`, found `7`'):
            http.mount(7, wsgi)  # type: ignore[arg-type]
        assert 'mounts' not in http.config


def test_c11_1_a_mount_answers_for_an_application_that_is_a_mapping() -> None:
    class Both(dict):  # type: ignore[type-arg]
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            return wsgi(environ, start_response)

    both = Both(web_root='nowhere')
    with serving() as site:
        site.http.mount('/x', both)
        assert site.get('/x/y').text == '/x|/y'


# Groups.


def test_c8_1_a_group_is_the_beginning_of_paths() -> None:
    with serving(vhosts={'a': {}}) as site:
        api = site.http.group('/api/', vhost='a')
        inner = api.group('/<version>')

        @api.route('')
        @api.route('/users', methods=['POST'])
        def users(request: Any) -> str:
            return 'users'

        @inner.route('/item/<int:id>')
        def item(request: Any) -> Any:
            return request.params

        @inner.websocket('/ws')
        async def socket(ws: Any) -> None: ...

        assert site.get('/api', host='a').text == 'users'
        assert site.get('/api').status == 404
        assert site.get('/api/users', host='a').status == 405
        assert site.get('/api/v1/item/7', host='a').text == '{"version":"v1","id":7}'
        assert site.get('/api/v1/ws', host='a').status == 426
        assert sorted(site.http.routes['a']) == [
            '/api', '/api/<version>/item/<int:id>', '/api/<version>/ws', '/api/users',
        ]  # fmt: skip
        assert repr(inner) == "<routes below /api/<version> of 'a'>"
        assert isinstance(inner, slimHTTP.ROUTE_GROUP)


def test_c8_1_what_is_no_group_is_told() -> None:
    with serving() as site:
        with pytest.raises(
            ValueError, match=r'^prefix: expected a path that begins with `/`, found `api`'
        ):
            site.http.group('api')
        with pytest.raises(TypeError, match=r'^prefix: expected a path such as `/api`, found `7`'):
            site.http.group(7)
        with pytest.raises(TypeError, match=r'^vhost: '):
            site.http.group('/api', vhost=7)
        group = site.http.group('/api')
        with pytest.raises(
            ValueError, match=r'^url: expected a path that begins with `/`, found `x`'
        ):
            group.route('x')
        with pytest.raises(TypeError, match=r'write `@group.route'):
            group.route(lambda request: 'x')
        with pytest.raises(TypeError, match=r'^url: '):
            group.route(7)


# Applications as handlers.


@pytest.mark.parametrize(
    ('pattern', 'prefix', 'target', 'answer'),
    [
        ('/x', True, '/x/a/b', '/x|/a/b'),
        ('/x', True, '/x', '/x|'),
        ('/x/', True, '/x/a', '/x|/a'),
        ('/x', False, '/x', '/x|'),
        ('/', True, '/a/b', '|/a/b'),
        ('/u/<name>', True, '/u/ada/b/c', '/u/ada|/b/c'),
        ('/u/<name>', False, '/u/ada', '/u/ada|'),
        ('/u/<path:rest>', False, '/u/a/b', '/u|/a/b'),
    ],
)
def test_c11_2_an_application_answers_a_route(
    pattern: str, prefix: bool, target: str, answer: str
) -> None:
    with serving() as site:
        wrapped = slimHTTP.wsgi(wsgi)
        assert site.http.route(pattern, prefix=prefix)(wrapped) is wrapped
        assert site.get(target).text == answer
        assert site.get('/other/path').status == (200 if pattern == '/' else 404)
        assert site.http.routes[None][pattern].parser is wrapped
        with site.client() as client:
            assert client.request('POST', target, body=b'.body').text == f'{answer}.body'


def test_c11_2_the_same_route_again_replaces_the_application() -> None:
    with serving() as site:
        register = site.http.route('/x', prefix=True)
        register(slimHTTP.wsgi(wsgi))
        assert site.get('/x/a').text == '/x|/a'
        register(slimHTTP.wsgi(lambda environ, start: wsgi({**environ, 'PATH_INFO': '!'}, start)))
        assert site.get('/x/a').text == '/x|!'
        register(lambda request: 'a handler')
        assert site.get('/x/a').text == 'a handler'
        site.http.group('/g').route('/x', prefix=True)(slimHTTP.wsgi(wsgi))
        assert site.get('/g/x/a').text == '/g/x|/a'


def test_c11_2_a_route_answers_with_its_methods_and_by_its_host() -> None:
    with serving(vhosts={'a': {}}) as site:
        site.http.route('/x', 'a', methods=['POST'], prefix=True)(slimHTTP.wsgi(wsgi))
        assert site.get('/x/a').status == 404
        response = site.get('/x/a', host='a')
        assert (response.status, response.headers['Allow']) == (405, 'POST')


def test_c11_3_an_application_of_a_route_has_a_lifespan() -> None:
    recorded, other = Recorded(), Recorded()
    with serving() as site:
        site.http.route('/x', prefix=True)(slimHTTP.asgi(recorded))
        wait_until(lambda: recorded.seen == ['startup'], 'its start')
        site.http.route('/x', prefix=True)(slimHTTP.asgi(other))
        wait_until(lambda: recorded.seen == ['startup', 'shutdown'], 'its end')
        wait_until(lambda: other.seen == ['startup'], 'the start of the other')
    assert other.seen == ['startup', 'shutdown']


def test_c11_3_a_route_of_asgi_answers_requests_and_websockets() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        where = f'{scope["root_path"]}|{scope["path"]}'
        if scope['type'] == 'http':
            await answer(send, where)
            return
        assert (await receive())['type'] == 'websocket.connect'
        await send({'type': 'websocket.accept'})
        await send({'type': 'websocket.send', 'text': where})
        await send({'type': 'websocket.close'})

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope['type'] in ('http', 'websocket')
        await echo(scope, receive, send)

    with serving() as site:
        site.http.route('/x/<name>', prefix=True)(slimHTTP.asgi(application))
        assert site.get('/x/ada/b').text == '/x/ada|/x/ada/b'
        host, port = site.address
        with connect(f'ws://{host}:{port}/x/ada/b') as websocket:
            assert websocket.recv() == '/x/ada|/x/ada/b'


def test_c11_2_a_module_registers_no_application(modules: Modules) -> None:
    source = (
        'import slimHTTP\n[http] = set(slimHTTP.instances.values())\n'
        "http.route('/x')(slimHTTP.wsgi(lambda environ, start: []))\n"
    )
    module = modules.folder / 'hosted_module.py'
    module.write_text(source)
    with serving(module=str(module), debug=True) as site:
        response = site.get('/x')
        assert response.status == 500
        assert 'an application starts once, and a module runs again and again' in response.text
