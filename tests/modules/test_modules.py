"""C6.1 to C6.5: modules, Python files that answer a virtual host, run afresh for every request."""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support import Log, at_once, serving, tree, wait_until
from support.sites import ANSWERS, HOST, ask, module_site, write

of = pytest.mark.parametrize

# C6.1


def test_c6_1_an_edit_shows_at_once(tmp_path: Path) -> None:
    with module_site(tmp_path, ANSWERS.format('0')) as site, site.client() as client:
        for turn in range(50):  # Of one size, many within one tick of the clock.
            write(tmp_path / 'vhost.py', ANSWERS.format(str(turn % 10)))
            assert client.get('/', host=HOST).text == str(turn % 10)


def test_c6_1_an_edit_of_the_same_size_and_time_shows_at_once(tmp_path: Path) -> None:
    with module_site(tmp_path, ANSWERS.format('first')) as site:
        path = tmp_path / 'vhost.py'
        assert ask(site).text == 'first'
        changed = os.stat(path).st_ctime_ns
        wait_until(
            lambda: time.time_ns() - changed > 200_000_000, 'the age from which code is cached'
        )
        assert ask(site).text == 'first'
        write(path, ANSWERS.format('other'), like=os.stat(path))
        assert ask(site).text == 'other'


def test_c6_1_a_replaced_file_shows_at_once(tmp_path: Path) -> None:
    """As editors and deployments write: a new file, moved over the old one."""
    with module_site(tmp_path, ANSWERS.format('first')) as site:
        path = tmp_path / 'vhost.py'
        assert ask(site).text == 'first'
        for text in ('other', 'third', 'fifth'):
            fresh = tmp_path / 'fresh.py'
            write(fresh, ANSWERS.format(text), like=os.stat(path))
            os.replace(fresh, path)
            assert ask(site).text == text


def test_c6_1_a_link_that_is_turned_shows_at_once(tmp_path: Path) -> None:
    tree(tmp_path, {'one/m.py': ANSWERS.format('one'), 'two/m.py': ANSWERS.format('two')})
    os.symlink('one', tmp_path / 'now')
    with serving(vhosts={HOST: {'module': os.fspath(tmp_path / 'now' / 'm.py')}}) as site:
        assert ask(site).text == 'one'
        os.symlink('two', tmp_path / 'new')
        os.replace(tmp_path / 'new', tmp_path / 'now')
        assert ask(site).text == 'two'


def test_c6_1_names_of_the_module_start_anew(tmp_path: Path) -> None:
    source = (
        'calls = []\ndef on_request(request):\n    calls.append(1)\n    return str(len(calls))\n'
    )
    with module_site(tmp_path, source) as site, site.client() as client:
        assert [client.get('/', host=HOST).text for _ in range(5)] == ['1'] * 5


def test_c6_1_a_name_that_was_taken_away_is_gone(tmp_path: Path) -> None:
    with module_site(
        tmp_path, 'x = 1\ndef on_request(request):\n    return repr("x" in globals())\n'
    ) as site:
        assert ask(site).text == 'True'
        write(
            tmp_path / 'vhost.py', 'def on_request(request):\n    return repr("x" in globals())\n'
        )
        assert ask(site).text == 'False'


@of(
    ('reload', 'runs', 'after_edit'),
    [('always', '1', '1'), ('changed', '123', '1'), ('never', '123', '4')],
)
def test_c6_1_module_reload(tmp_path: Path, reload: str, runs: str, after_edit: str) -> None:
    source = (
        'calls = []\ndef on_request(request):\n    calls.append(1)\n    return str(len(calls))\n'
    )
    with module_site(tmp_path, source, module_reload=reload) as site:
        seen = ''.join(ask(site).text for _ in range(3))
        assert seen == (runs if len(runs) == 3 else runs * 3)
        write(tmp_path / 'vhost.py', source + '# edited\n')
        assert ask(site).text == after_edit


def test_c6_1_a_module_is_a_real_module(tmp_path: Path) -> None:
    """Dataclasses, pickles and annotations look their module up."""
    source = (
        'import pickle, sys\n'
        'from dataclasses import dataclass\n'
        '@dataclass\n'
        'class Point:\n'
        '    x: "int" = 1\n'
        'def on_request(request):\n'
        '    assert sys.modules[__name__].Point is Point\n'
        '    return {"file": __file__, "x": pickle.loads(pickle.dumps(Point(2))).x}\n'
    )
    with module_site(tmp_path, source) as site:
        assert ask(site).json() == {'file': os.fspath(tmp_path / 'vhost.py'), 'x': 2}


def test_c6_1_a_module_imports_what_lies_beside_it(tmp_path: Path) -> None:
    name = 'helper_of_c6_1'
    source = f'import {name}\ndef on_request(request):\n    return {name}.WORD\n'
    with module_site(tmp_path, source, {f'{name}.py': 'WORD = "beside"\n'}) as site:
        assert ask(site).text == 'beside'


def test_c6_1_a_module_of_the_global_level(tmp_path: Path) -> None:
    tree(tmp_path, {'m.py': 'def on_request(request):\n    return repr(request.vhost)\n'})
    with serving(module=os.fspath(tmp_path / 'm.py')) as site:
        assert ask(site, host='anything.example').text == 'None'


# C6.2


def test_c6_2_on_request_gets_every_request(tmp_path: Path) -> None:
    source = 'def on_request(request):\n    return [request.method, request.url, request.payload.decode()]\n'
    with module_site(tmp_path, source) as site, site.client() as client:
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'BREW'):
            body = b'body' if method in ('POST', 'PUT', 'PATCH') else None
            response = client.request(method, '/any/path?q=1', body=body, host=HOST)
            assert response.json() == [method, '/any/path', 'body' if body else '']
        head = client.request('HEAD', '/any/path', host=HOST)
        assert (head.status, head.body) == (200, b'')


def test_c6_2_neither_function_nor_route_is_404_and_the_log_says_what_was_looked_for(
    tmp_path: Path,
) -> None:
    with Log() as log, module_site(tmp_path, 'x = 1\n') as site:
        assert ask(site).status == 404
        log.wait_for(r'vhost\.py[^\n]*on_request')


@of(
    ('source', 'status'),
    [('on_request = 3\n', 500), ('on_request = None\n', 404), ('class on_request: pass\n', 500)],
)
def test_c6_2_an_on_request_that_is_no_function(tmp_path: Path, source: str, status: int) -> None:
    with module_site(tmp_path, source) as site:
        assert ask(site).status == status
        assert site.get('/', host='other.example').status == 404


# C6.3

ROUTES = """
import slimHTTP

http = slimHTTP.instances['127.0.0.1:{port}']

@http.route('/', vhost='a.example')
def front(request):
    return 'route {version}'

@http.route('/pass', vhost='a.example')
def passes(request):
    return None

@http.route('/user/<name>', vhost='a.example', methods=['GET'])
def user(request):
    return request.params['name']

@http.route('/async', vhost='a.example')
async def later(request):
    return 'async route'

@http.route('/async/pass', vhost='a.example')
async def later_passes(request):
    return None

def on_request(request):
    if request.url == '/nothing':
        return None
    return 'on_request {version}'
"""


def test_c6_3_routes_of_the_module_answer_before_on_request(tmp_path: Path) -> None:
    with module_site(tmp_path, '') as site:
        write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=1))
        assert ask(site, '/').text == 'route 1'
        assert ask(site, '/other').text == 'on_request 1'
        assert ask(site, '/user/Ada').text == 'Ada'
        assert ask(site, '/async').text == 'async route'


def test_c6_3_a_route_answers_from_the_code_just_run(tmp_path: Path) -> None:
    with module_site(tmp_path, '') as site, site.client() as client:
        for version in range(10):
            write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=version))
            assert client.get('/', host=HOST).text == f'route {version}'
            assert client.get('/x', host=HOST).text == f'on_request {version}'


def test_c6_3_a_route_that_is_edited_away_is_gone(tmp_path: Path) -> None:
    with module_site(tmp_path, '') as site:
        write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=1))
        assert ask(site, '/').text == 'route 1'
        write(tmp_path / 'vhost.py', ANSWERS.format('only this'))
        assert ask(site, '/').text == 'only this'
        assert ask(site, '/user/Ada').text == 'only this'


def test_c6_3_a_route_that_returns_nothing_passes_on(tmp_path: Path) -> None:
    with module_site(tmp_path, '') as site:
        write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=1))
        assert ask(site, '/pass').text == 'on_request 1'
        assert ask(site, '/async/pass').text == 'on_request 1'


def test_c6_3_on_request_that_returns_nothing_passes_on_to_web_root(tmp_path: Path) -> None:
    files = {'root': {'nothing': 'a file', 'index.html': 'index'}}
    with module_site(tmp_path, '', files, web_root=os.fspath(tmp_path / 'root')) as site:
        write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=1))
        assert ask(site, '/nothing').text == 'a file'
        assert ask(site, '/other').text == 'on_request 1', 'the module is asked first'
        write(tmp_path / 'vhost.py', 'def on_request(request):\n    return None\n')
        assert ask(site, '/').text == 'index'
        assert ask(site, '/missing').status == 404


def test_c6_3_on_request_that_returns_nothing_without_web_root_is_404(tmp_path: Path) -> None:
    tree(tmp_path, {'vhost.py': 'async def on_request(request):\n    return None\n'})
    with serving(vhosts={HOST: {'module': os.fspath(tmp_path / 'vhost.py')}}) as site:
        assert ask(site, '/').status == 404


def test_c6_3_a_route_of_another_method_is_405_or_passes_on(tmp_path: Path) -> None:
    with module_site(tmp_path, '') as site:
        write(tmp_path / 'vhost.py', ROUTES.format(port=site.http.port, version=1))
        with site.client() as client:
            response = client.request('POST', '/user/Ada', body=b'', host=HOST)
            assert response.status == 405
            assert 'GET' in response.headers['Allow']


def test_c6_3_routes_of_the_program_come_before_the_module(tmp_path: Path) -> None:
    with module_site(tmp_path, ANSWERS.format('module')) as site:
        site.http.route('/program', vhost=HOST)(lambda request: 'program')
        site.http.route('/passes', vhost=HOST)(lambda request: None)
        assert ask(site, '/program').text == 'program'
        assert ask(site, '/passes').text == 'module'


#: What each of those who may answer does: it is not there, declines, or answers.
DOES = ('none', 'declines', 'answers')


def test_c6_3_each_falls_back_on_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's route, the module's, `on_request`, files: in every combination."""
    import slimHTTP

    expected: dict[str, str] = {}
    vhosts: dict[str, Any] = {}
    program: list[tuple[str, str]] = []
    root = os.fspath(tree(tmp_path / 'root', {'x': 'file'}))
    for number, (asked, route, function, files, kind) in enumerate(
        itertools.product(DOES, DOES, DOES, (False, True), ('def', 'async def'))
    ):
        host = f'h{number}.example'
        source = 'import slimHTTP\n'
        if route != 'none':
            source += (
                "@slimHTTP.instances['c6_3'].route('/x', vhost='{}')\n"
                '{} route(request):\n    return {!r}\n'
            ).format(host, kind, 'route' if route == 'answers' else None)
        if function != 'none':
            answer = 'on_request' if function == 'answers' else None
            source += f'{kind} on_request(request):\n    return {answer!r}\n'
        tree(tmp_path, {f'{number}.py': source})
        vhosts[host] = {'module': os.fspath(tmp_path / f'{number}.py')}
        if files:
            vhosts[host]['web_root'] = root
        if asked != 'none':
            program.append((host, asked))
        line = [(asked, 'program'), (route, 'route'), (function, 'on_request')]
        answers = [name for does, name in line if does == 'answers']
        expected[host] = (answers or ['file' if files else '404'])[0]
    with serving(web_root=os.fspath(tmp_path / 'nothing'), vhosts=vhosts) as site:
        monkeypatch.setitem(slimHTTP.instances, 'c6_3', site.http)
        for host, does in program:
            handler = (lambda request: 'program') if does == 'answers' else (lambda request: None)
            site.http.route('/x', vhost=host)(handler)
        with site.client() as client:
            answers = {host: client.get('/x', host=host) for host in vhosts}
    told = {
        host: answer.text if answer.status == 200 else str(answer.status)
        for host, answer in answers.items()
    }
    assert told == expected


# C6.4

TRICK = """
if 'MyMemStorage' not in __builtins__: __builtins__['MyMemStorage'] = {}
if 'counter' not in MyMemStorage: MyMemStorage['counter'] = 0
MyMemStorage['counter'] += 1
def on_request(request):
    return str(MyMemStorage['counter'])
"""


def test_c6_4_the_trick_with_builtins(tmp_path: Path) -> None:
    import builtins

    try:
        with module_site(tmp_path, TRICK) as site:
            assert [ask(site).text for _ in range(3)] == ['1', '2', '3']
            write(tmp_path / 'vhost.py', TRICK + '# edited\n')
            assert ask(site).text == '4'
    finally:
        vars(builtins).pop('MyMemStorage', None)


def test_c6_4_memory_outlives_reloads_and_is_shared(tmp_path: Path) -> None:
    import slimHTTP

    source = 'import slimHTTP\ndef on_request(request):\n    return str(slimHTTP.memory.increment("c6_4"))\n'
    slimHTTP.memory.pop('c6_4', None)
    with module_site(tmp_path, source) as site:
        assert [ask(site).text for _ in range(3)] == ['1', '2', '3']
        write(tmp_path / 'vhost.py', source + '# edited\n')
        assert ask(site).text == '4'
    assert slimHTTP.memory['c6_4'] == 4
    del slimHTTP.memory['c6_4']


def test_c6_4_memory_increments_atomically_under_requests(tmp_path: Path) -> None:
    import slimHTTP

    source = (
        'import slimHTTP\n'
        'def on_request(request):\n'
        '    for _ in range(100): slimHTTP.memory.increment("c6_4 hits")\n'
        '    return "done"\n'
    )
    slimHTTP.memory.pop('c6_4 hits', None)
    tree(tmp_path, {'vhost.py': source})
    with serving(
        python_threads=4, vhosts={HOST: {'module': os.fspath(tmp_path / 'vhost.py')}}
    ) as site:

        def load() -> None:
            with site.client() as client:
                for _ in range(25):
                    assert client.get('/', host=HOST).text == 'done'

        at_once([load] * 8)
    assert slimHTTP.memory.pop('c6_4 hits') == 8 * 25 * 100


def test_c6_4_memory_is_atomic_among_threads() -> None:
    import slimHTTP

    memory = slimHTTP.memory
    memory.clear()
    seen: set[int] = set()

    def work() -> None:
        mine = []
        for _ in range(2000):
            mine.append(memory.increment('n'))
            memory.update('list', lambda old: (old or 0) + 1)
            memory.setdefault('first', threading.get_ident())
        assert mine == sorted(mine)
        seen.update(mine)

    at_once([work] * 8)
    assert (memory['n'], memory['list'], len(seen)) == (16000, 16000, 16000)
    assert memory.increment('n', 5) == 16005
    assert memory.increment('fresh') == 1
    assert 'first' in memory
    memory.clear()
    assert len(memory) == 0
    with pytest.raises(KeyError):
        memory['n']


# C6.5


def test_c6_5_modules_of_one_file_name_never_mix(tmp_path: Path) -> None:
    names = ['one', 'two', 'three']
    source = (
        'WORD = {!r}\nclass C: pass\ndef on_request(request):\n    return WORD + str(id(C))[:0]\n'
    )
    tree(tmp_path, {f'{name}/vhost.py': source.format(name) for name in names})
    hosts = {
        f'{name}.example': {'module': os.fspath(tmp_path / name / 'vhost.py')} for name in names
    }
    with serving(vhosts=hosts) as site:

        def load(name: str) -> None:
            with site.client() as client:
                for _ in range(40):
                    assert client.get('/', host=f'{name}.example').text == name

        at_once([lambda name=name: load(name) for name in names * 3])


def test_c6_5_one_file_for_two_hosts_knows_which(tmp_path: Path) -> None:
    tree(tmp_path, {'m.py': 'def on_request(request):\n    return request.vhost\n'})
    module = {'module': os.fspath(tmp_path / 'm.py'), 'module_reload': 'never'}
    with serving(vhosts={'a.example': module, 'b.example': module}) as site:
        for host in ('a.example', 'b.example', 'a.example'):
            assert ask(site, host=host).text == host
