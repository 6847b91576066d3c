"""Every example of the configuration guide, completed, as a program of its own.

Each is started as its reader would start it, `python example.py` in its folder,
and driven by Python's own HTTP client. Only the port comes from the environment.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import sys
from pathlib import Path

import pytest
from support import Process, Program, tree, unused_port


class Visitor:
    """A real HTTP client that visits one server by many names."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)

    def get(self, url: str = '/', host: str = 'localhost', method: str = 'GET', body=None):
        """Status and text of the answer."""
        self._connection.request(method, url, body, {'Host': f'{host}:{self.port}'})
        response = self._connection.getresponse()
        self.headers = response.headers
        return response.status, response.read().decode()

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def example(folder: Path, source: str, files=(), port: int = 0, fails: bool = False, **env: str):
    """Start `python example.py` in `folder`; give a client of it and the program.

    It must end well, and without tracebacks in its log unless it `fails`.
    """
    tree(folder, {'example.py': source, **dict(files)})
    environment = {'PORT': str(port), **env}
    with Program(Path('example.py'), cwd=folder, env=environment) as program:
        visitor = Visitor(program.port)
        try:
            yield visitor, program
        finally:
            visitor.close()
        assert program.stop() == 0
        assert ('Traceback' in program.stderr) == fails, program.stderr


def text_of(answer) -> str:
    status, text = answer
    assert status == 200, answer
    return text


# --- Configuration ---------------------------------------------------------

MINIMAL = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='', port=int(os.environ['PORT']))

http.run()
"""


def test_minimal_addr_and_port(tmp_path):
    port = unused_port()
    with example(tmp_path, MINIMAL, port=port) as (visitor, program):
        assert program.port == port
        if not os.path.exists('/srv/http'):
            assert visitor.get('/')[0] == 404
        assert visitor.get('/', method='DELETE')[0] == 405


ADDR_AND_PORT_LATER = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']), web_root='.')

try:
    http.configuration({'addr': '', 'port': 8081})
except slimHTTP.ConfError as error:
    print(error)

http.run()
"""


def test_c3_4_addr_and_port_in_the_runtime_configuration_fail(tmp_path):
    with example(tmp_path, ADDR_AND_PORT_LATER, {'index.html': 'served'}) as (visitor, program):
        assert text_of(visitor.get('/')) == 'served'
        program.wait_for('fixed at start', 'stdout', count=2)
        places = {line.partition(': expected ')[0] for line in program.stdout.splitlines()}
        assert {'addr', 'port'} <= places


EXAMPLE_CONFIGURATION = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']))

@http.configuration
def config(instance):
    return {
        'web_root' : './vhosts/default',
        'index' : 'index.html',
        'vhosts' : {
            'slimhttp.example' : {
                'web_root' : './vhosts/slimhttp.example',
                'index' : 'index.html'
            },
            'internal.example' : {
                'module' : './vhosts/internal_tests/vhost_internal.py'
            },
            'proxied.example' : {
                'proxy' : os.environ['UPSTREAM']
            }
        }
    }

http.run()
"""

EXAMPLE_FILES = {
    'vhosts/default/index.html': 'the default site',
    'vhosts/default/page.html': 'a page of the default site',
    'vhosts/slimhttp.example/index.html': 'the site of slimhttp.example',
    'vhosts/internal_tests/vhost_internal.py': """
def on_request(request):
    return f'internal tests answer {request.method} {request.url} of {request.vhost}'
""",
}


@pytest.fixture
def upstream(tmp_path_factory):
    """Somebody else's server to proxy to."""
    folder = tree(
        tmp_path_factory.mktemp('upstream'), {'index.html': 'upstream', 'sub/x': "upstream's x"}
    )
    command = [sys.executable, '-m', 'http.server', '0', '--bind', '127.0.0.1']
    with Process(command, cwd=folder) as program:
        port = program.wait_for(r'http://127\.0\.0\.1:(\d+)/', 'stdout')[1]
        program.name = f'127.0.0.1:{port}'
        yield program


def test_example_configuration(tmp_path, upstream):
    with example(tmp_path, EXAMPLE_CONFIGURATION, EXAMPLE_FILES, UPSTREAM=upstream.name) as (
        visitor,
        _,
    ):
        assert text_of(visitor.get('/')) == 'the default site'
        assert text_of(visitor.get('/page.html', 'unknown.example')) == 'a page of the default site'
        assert text_of(visitor.get('/', 'slimhttp.example')) == 'the site of slimhttp.example'
        assert visitor.get('/page.html', 'slimhttp.example')[0] == 404
        answer = 'internal tests answer GET /a b of internal.example'
        assert text_of(visitor.get('/a%20b', 'internal.example')) == answer
        answer = 'internal tests answer POST / of internal.example'
        assert text_of(visitor.get('/', 'internal.example', 'POST', b'body')) == answer
        assert text_of(visitor.get('/', 'proxied.example')) == 'upstream'
        assert text_of(visitor.get('/sub/x', 'proxied.example')) == "upstream's x"
        assert visitor.get('/none', 'proxied.example')[0] == 404


GIVEN_ON_STARTUP = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']),
    web_root='./vhosts/default',
    index='index.html',
    vhosts={
        'slimhttp.example': {'web_root': './vhosts/slimhttp.example'},
        'internal.example': {'module': './vhosts/internal_tests/vhost_internal.py'},
    })

http.run()
"""


def test_the_same_configuration_given_on_startup(tmp_path):
    with example(tmp_path, GIVEN_ON_STARTUP, EXAMPLE_FILES) as (visitor, _):
        assert text_of(visitor.get('/')) == 'the default site'
        assert text_of(visitor.get('/', 'slimhttp.example')) == 'the site of slimhttp.example'
        assert text_of(visitor.get('/', 'internal.example')).startswith('internal tests answer')


CHANGED_WHENEVER = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']), web_root='./vhosts/default')

@http.route('/switch')
def switch(request):
    http.configuration({'web_root' : './vhosts/slimhttp.example'})
    return 'switched'

http.run()
"""


def test_c3_3_options_change_during_normal_operation_without_a_reload(tmp_path):
    with example(tmp_path, CHANGED_WHENEVER, EXAMPLE_FILES) as (visitor, _):
        assert text_of(visitor.get('/')) == 'the default site'
        assert text_of(visitor.get('/switch')) == 'switched'
        assert text_of(visitor.get('/')) == 'the site of slimhttp.example'


WEB_ROOT = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']))
http.configuration({'web_root' : './path'})
http.run()
"""


@pytest.mark.parametrize('path', ["'./path'", "os.path.abspath('path')"])
def test_c2_1_web_root(tmp_path, path):
    files = {'path/index.html': 'index', 'path/sub/page.html': 'page', 'secret': 'secret'}
    source = WEB_ROOT.replace("'./path'", path)
    with example(tmp_path, source, files) as (visitor, _):
        assert text_of(visitor.get('/')) == 'index'
        assert text_of(visitor.get('/sub/page.html')) == 'page'
        assert visitor.headers['Content-Type'].startswith('text/html')
        for url in ('/../secret', '/%2e%2e/secret', '/../example.py', '/sub/../../secret'):
            status, text = visitor.get(url)
            assert status == 400, url
            assert 'secret' not in text.replace(url, '')


INDEX_LIST = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']), web_root='./path')
http.configuration({'web_root' : './path', 'index' : ['index.html', 'index.py']})
http.run()
"""


def test_c2_4_index_list(tmp_path):
    files = {
        'path/both/index.html': 'html',
        'path/both/index.py': "def on_request(request): return 'python'",
        'path/python/index.py': "def on_request(request): return 'python'",
        'path/neither/page.html': 'page',
    }
    with example(tmp_path, INDEX_LIST, files) as (visitor, _):
        assert text_of(visitor.get('/both/')) == 'html'
        assert text_of(visitor.get('/python/')) == 'python'
        assert visitor.get('/neither/')[0] == 404


INDEX_STR = INDEX_LIST.replace("['index.html', 'index.py']", "'page.html'")


def test_c2_4_index_str(tmp_path):
    with example(tmp_path, INDEX_STR, {'path/page.html': 'page', 'path/index.html': 'no'}) as (
        visitor,
        _,
    ):
        assert text_of(visitor.get('/')) == 'page'


VHOST_INDEX = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']))
http.configuration({
    'web_root' : './path',
    'vhosts' : {
        'slimhttp.example' : {
            'index' : 'home.html'
        }
    }
})
http.run()
"""


def test_c4_1_vhosts_take_any_option(tmp_path):
    files = {'path/index.html': 'index', 'path/home.html': 'home'}
    with example(tmp_path, VHOST_INDEX, files) as (visitor, _):
        assert text_of(visitor.get('/')) == 'index'
        assert text_of(visitor.get('/', 'slimhttp.example')) == 'home'
        assert text_of(visitor.get('/', 'SLIMHTTP.example.')) == 'home'


# --- Modules ---------------------------------------------------------------

MODULE = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='', port=int(os.environ['PORT']))
http.configuration({
    'vhosts' : {
        'slimhttp.example' : {
            'module' : './vhosts/slimhttp.example/vhost_slimhttp.py'
        }
    }
})
http.run()
"""

COUNTER = """
if not 'MyMemStorage' in __builtins__: __builtins__['MyMemStorage'] = {}
if not 'counter' in MyMemStorage: MyMemStorage['counter'] = 0

print(f"The module ran with counter value {MyMemStorage['counter']}. Incremeting value!")

MyMemStorage['counter'] += 1

fresh = globals().get('fresh', 0) + 1

def on_request(request):
    return f"counter {MyMemStorage['counter']}, fresh {fresh}"
"""


def module_example(folder, source, **options):
    return example(folder, MODULE, {'vhosts/slimhttp.example/vhost_slimhttp.py': source}, **options)


def test_c6_4_module_with_in_memory_storage(tmp_path):
    with module_example(tmp_path, COUNTER) as (visitor, program):
        for turn in range(1, 6):
            answer = text_of(visitor.get('/', 'slimhttp.example'))
            assert answer == f'counter {turn}, fresh 1', (
                'the storage persists, module-level names do not'
            )
        for turn in range(5):
            program.wait_for(
                f'The module ran with counter value {turn}. Incremeting value!', 'stdout'
            )
        assert program.stdout.count('The module ran') == 5, 'once for each request'


def test_c6_1_module_is_reloaded_each_request(tmp_path):
    source = "def on_request(request): return 'first'"
    with module_example(tmp_path, source) as (visitor, _):
        assert text_of(visitor.get('/', 'slimhttp.example')) == 'first'
        for answer in ('other', 'third', 'fours'):  # Of equal size, quickly one after the other.
            (tmp_path / 'vhosts/slimhttp.example/vhost_slimhttp.py').write_text(
                f"def on_request(request): return '{answer}'"
            )
            assert text_of(visitor.get('/', 'slimhttp.example')) == answer


ON_REQUEST = """
def on_request(request):
    return f'{request.method} {request.url} {request.query} {request.payload}'
"""


def test_c6_2_on_request_is_called_upon_each_request(tmp_path):
    with module_example(tmp_path, ON_REQUEST) as (visitor, _):
        answer = text_of(visitor.get('/a?b=c', 'slimhttp.example'))
        assert answer == "GET /a {'b': 'c'} b''"
        answer = text_of(visitor.get('/', 'slimhttp.example', 'PUT', b'payload'))
        assert answer == "PUT / {} b'payload'"


VHOST_ROUTE = """
import os
import slimHTTP

http = slimHTTP.instances[':' + os.environ['PORT']]

@http.route('/', vhost='slimhttp.example')
def route_handler(request):
    return 'route'

@http.route('/passes-on', vhost='slimhttp.example')
def passes_on(request):
    return None

def on_request(request):
    if request.url != '/nothing':
        return 'on_request'
"""


def test_c6_3_vhost_specific_route_in_a_module(tmp_path):
    with module_example(tmp_path, VHOST_ROUTE, port=unused_port()) as (visitor, _):
        for _ in range(3):
            assert text_of(visitor.get('/', 'slimhttp.example')) == 'route'
            assert text_of(visitor.get('/other', 'slimhttp.example')) == 'on_request'
            assert text_of(visitor.get('/passes-on', 'slimhttp.example')) == 'on_request'
            assert visitor.get('/nothing', 'slimhttp.example')[0] == 404
            assert visitor.get('/', 'other.example')[0] == 404, 'only for the given vhost'


ROUTE_ONLY = """
import os
import slimHTTP

http = slimHTTP.instances[':' + os.environ['PORT']]

@http.route('/', vhost='slimhttp.example')
def route_handler(request):
    return slimHTTP.HTTP_RESPONSE({'X-Of': 'the route'}, b'route', ret_code=201)
"""


def test_c6_3_vhost_specific_route_without_on_request(tmp_path):
    with module_example(tmp_path, ROUTE_ONLY, port=unused_port()) as (visitor, _):
        assert visitor.get('/', 'slimhttp.example') == (201, 'route')
        assert visitor.headers['X-Of'] == 'the route'
        assert visitor.get('/other', 'slimhttp.example')[0] == 404


ROUTE_IN_PROGRAM = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='', port=int(os.environ['PORT']))

@http.route('/', vhost='slimhttp.example')
def route_handler(request):
    return request.build_headers() + b'<html><body>Only here</body></html>'

http.run()
"""


def test_c8_1_vhost_specific_route_in_the_program(tmp_path):
    with example(tmp_path, ROUTE_IN_PROGRAM) as (visitor, _):
        assert (
            text_of(visitor.get('/', 'slimhttp.example')) == '<html><body>Only here</body></html>'
        )
        if not os.path.exists('/srv/http'):
            assert visitor.get('/', 'other.example')[0] == 404


def test_c6_7_a_url_that_ends_in_py_runs_the_file(tmp_path):
    files = {
        'path/hello.py': "SECRET = 'source'\ndef on_request(request):\n    return 'Hello ' + request.query['name']\n",
        'path/sub/counter.py': COUNTER,
    }
    with example(tmp_path, WEB_ROOT, files, fails=True) as (visitor, program):
        assert text_of(visitor.get('/hello.py?name=you')) == 'Hello you'
        assert text_of(visitor.get('/sub/counter.py')) == 'counter 1, fresh 1'
        assert text_of(visitor.get('/sub/counter.py')) == 'counter 2, fresh 1'
        assert visitor.get('/none.py')[0] == 404
        status, text = visitor.get('/hello.py')  # No name: it raises.
        assert status == 500
        assert 'SECRET' not in text
        assert 'KeyError' not in text
        program.wait_for('KeyError')


# --- Reverse proxy ---------------------------------------------------------

PROXY = """
import os
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=int(os.environ['PORT']), web_root='.')
http.configuration({
    'web_root' : '.',
    'vhosts' : {
        'slimhttp.example' : {
            'proxy' : os.environ['UPSTREAM'],
            'ssl' : False
        }
    }
})
http.run()
"""


@pytest.mark.parametrize(
    'source', [PROXY, PROXY.replace("'ssl' : False", '')], ids=['ssl False', 'default']
)
def test_c7_1_reverse_proxy(tmp_path, upstream, source):
    with example(tmp_path, source, {'index.html': 'ours'}, UPSTREAM=upstream.name) as (visitor, _):
        assert text_of(visitor.get('/', 'slimhttp.example')) == 'upstream'
        assert text_of(visitor.get('/sub/x', 'slimhttp.example')) == "upstream's x"
        assert visitor.get('/', 'slimhttp.example', 'DELETE')[0] == 501, "upstream's own answer"
        assert text_of(visitor.get('/')) == 'ours'
        upstream.kill()
        assert visitor.get('/', 'slimhttp.example')[0] == 502
        assert text_of(visitor.get('/')) == 'ours'
