"""Modules as C6 has them: run afresh, never mixed, each with its own routes."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slimHTTP
from slimHTTP import _modules
from slimHTTP._callbacks import Callbacks
from support import in_threads


class Site:
    """A server's callbacks and a folder of modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
        self.key = f'127.0.0.1:{self.http.port}'
        self.callbacks = Callbacks()
        self.callbacks.bind(self.http)

    def write(self, name: str, source: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace('THIS_SERVER', f'slimHTTP.instances[{self.key!r}]'))
        return str(path)

    def ask(
        self,
        path: str,
        url: str = '/',
        *,
        vhost: str | None = 'a.example',
        method: str = 'GET',
        reload: str = 'always',
    ) -> Any:
        request: Any = SimpleNamespace(url=url, method=method, vhost=vhost, params={})
        return self.callbacks.run_module(request, path, reload)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.http.close()


COUNTS = """
count = 0
def on_request(request):
    global count
    count += 1
    return count
"""


def test_c6_1_module_level_names_start_anew(site: Site) -> None:
    path = site.write('m.py', COUNTS)
    assert [site.ask(path) for _ in range(3)] == [1, 1, 1]


def test_c6_1_an_edit_shows_at_once_whatever_the_clock_says(site: Site) -> None:
    for number in range(50):
        path = site.write('m.py', f'def on_request(request): return 1{number:02}')
        assert site.ask(path) == number + 100


def test_c6_1_compilation_is_cached_once_the_file_has_settled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_modules, '_STABLE_AFTER', -1)
    path = site.write('m.py', COUNTS)
    first = _modules.code_cache.module(path)
    assert _modules.code_cache.module(path) is first
    os.utime(path)
    assert _modules.code_cache.module(path) is not first


def test_c6_1_the_cache_is_bounded_and_takes_its_names_along(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_modules, '_STABLE_AFTER', -1)
    cache = _modules.CodeCache(max_entries=3)
    monkeypatch.setattr(_modules, 'code_cache', cache)
    paths = [site.write(f'{n}.py', COUNTS) for n in range(8)]
    for path in paths:
        site.ask(path)
    assert len(cache) == 3
    listed = [path for path in paths if _modules.module_name(path) in sys.modules]
    assert listed == paths[-3:]


@pytest.mark.parametrize(
    ('reload', 'answers'),
    [('always', [1, 1, 1, 1]), ('changed', [1, 2, 1, 2]), ('never', [1, 2, 3, 4])],
)
def test_c6_1_module_reload(site: Site, reload: str, answers: list[int]) -> None:
    path = site.write('m.py', COUNTS)
    got = [site.ask(path, reload=reload) for _ in range(2)]
    site.write('m.py', COUNTS + '\n# edited\n')
    got += [site.ask(path, reload=reload) for _ in range(2)]
    assert got == answers


def test_c6_1_what_is_kept_is_kept_for_each_vhost(site: Site) -> None:
    path = site.write('m.py', COUNTS)
    for vhost in ('a.example', 'b.example', None):
        assert [site.ask(path, vhost=vhost, reload='never') for _ in range(2)] == [1, 2]


def test_c6_1_two_threads_run_a_kept_module_once(site: Site) -> None:
    path = site.write(
        'm.py',
        'import slimHTTP, time\n'
        'time.sleep(0.05)\n'
        f'slimHTTP.memory.increment({str(site.folder)!r})\n'
        "def on_request(request): return 'ok'",
    )
    in_threads(4, lambda _number: site.ask(path, reload='changed'))
    assert slimHTTP.memory.pop(str(site.folder)) == 1


def test_c6_1_a_kept_module_that_asks_its_own_server_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_modules, '_RUN_TIMEOUT', 0.2)
    runs: list[Any] = []
    monkeypatch.setattr(slimHTTP, 'runs_of_a_test', runs, raising=False)
    path = site.write(
        'm.py',
        'import slimHTTP\n'
        'runs = slimHTTP.runs_of_a_test\n'
        'number = len(runs)\n'
        'runs.append(number)\n'
        'if number == 0: slimHTTP.ask_of_a_test()\n'
        'def on_request(request): return number',
    )
    inner: list[Any] = []

    def ask() -> None:
        # As a request to the server would be: answered on another thread.
        thread = threading.Thread(target=lambda: inner.append(site.ask(path, reload='never')))
        thread.start()
        thread.join(10)

    monkeypatch.setattr(slimHTTP, 'ask_of_a_test', ask, raising=False)
    # The run that ended first is kept.
    assert [site.ask(path, reload='never') for _ in range(2)] == [1, 1]
    assert inner == [1]
    assert runs == [0, 1]


def test_c6_2_neither_function_nor_route_is_logged_once(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_modules, '_STABLE_AFTER', -1)
    path = site.write('m.py', 'x = 1')
    assert [site.ask(path), site.ask(path)] == [None, None]
    (record,) = caplog.records
    assert record.name == 'slimHTTP'
    for part in (path, 'on_request', "vhost='a.example'"):
        assert part in record.getMessage()


ROUTES = """
import slimHTTP
http = THIS_SERVER

@http.route('/r', vhost='A.example.')
def r(request): return 'route'

@http.route('/passes', vhost='a.example')
def passes(request): return None

@http.route('/async', vhost='a.example')
async def r_async(request): return 'async'

@http.route('/async-passes', vhost='a.example')
async def passes_async(request): return None

@http.route('/users/<name>', vhost='a.example')
def user(request): return request.params

@http.route('/post', vhost='a.example', methods=['post'])
def post(request): return 'posted'

def on_request(request): return 'on_request ' + request.url
"""

ASKED: list[tuple[str, Any]] = [
    ('/r', 'route'),
    ('/passes', 'on_request /passes'),
    ('/async', 'async'),
    ('/async-passes', 'on_request /async-passes'),
    ('/users/Ada', {'name': 'Ada'}),
    ('/other', 'on_request /other'),
    ('/r/below', 'on_request /r/below'),
]


@pytest.mark.parametrize(('url', 'expected'), ASKED)
def test_c6_3_routes_first_then_on_request(site: Site, url: str, expected: Any) -> None:
    answer = site.ask(site.write('m.py', ROUTES), url)
    if asyncio.iscoroutine(answer):
        answer = asyncio.run(answer)
    assert answer == expected


def test_c6_3_a_route_for_other_methods_is_405(site: Site) -> None:
    path = site.write('m.py', ROUTES)
    refused = site.ask(path, '/post')
    assert refused.ret_code == 405
    assert 'POST' in refused.headers['Allow']
    assert site.ask(path, '/post', method='POST') == 'posted'


def test_c6_3_its_own_routes_belong_to_the_run_and_others_to_the_server(site: Site) -> None:
    source = """
import slimHTTP
def handler(request): return 'x'
for vhost in ('a.example', 'b.example', None):
    THIS_SERVER.route('/x', vhost=vhost)(handler)
"""
    path = site.write('m.py', source)
    site.http.config['vhosts']['b.example'] = {}
    assert site.ask(path, '/x') == 'x'
    registered = {vhost for vhost, routes in site.http.routes.items() if '/x' in routes}
    assert registered == {'b.example', None}


def test_c6_3_a_module_of_the_global_level_owns_the_global_routes(site: Site) -> None:
    source = "import slimHTTP\n@THIS_SERVER.route('/x')\ndef handler(request): return 'x'"
    path = site.write('m.py', source)
    assert site.ask(path, '/x', vhost=None) == 'x'
    assert '/x' not in site.http.routes[None]
    site.write('m.py', "def on_request(request): return 'edited'")
    assert site.ask(path, '/x', vhost=None) == 'edited'


def test_c6_3_a_helper_that_is_imported_registers_at_the_server(site: Site) -> None:
    site.http.config['vhosts']['a.example'] = {}
    helper = f'routes_helper_{site.http.port}'
    site.write(
        f'{helper}.py',
        "import slimHTTP\n@THIS_SERVER.route('/h', vhost='a.example')\ndef h(request): return 'h'",
    )
    path = site.write('m.py', f"import {helper}\ndef on_request(request): return 'm'")
    assert [site.ask(path, '/h'), site.ask(path, '/h')] == ['m', 'm']
    assert '/h' in site.http.routes['a.example']
    del sys.modules[helper]


def test_c6_3_what_on_request_registers_stays(site: Site) -> None:
    site.http.config['vhosts']['a.example'] = {}
    path = site.write(
        'm.py',
        'import slimHTTP\n'
        'def on_request(request):\n'
        "    THIS_SERVER.route('/later', vhost='a.example')(print)\n",
    )
    assert site.ask(path) is None
    assert '/later' in site.http.routes['a.example']


def test_c6_4_the_trick_of_the_seed_page(site: Site) -> None:
    path = site.write(
        'm.py',
        "if not 'MyMemStorage' in __builtins__: __builtins__['MyMemStorage'] = {}\n"
        "if not 'counter' in MyMemStorage: MyMemStorage['counter'] = 0\n"
        "MyMemStorage['counter'] += 1\n"
        "def on_request(request): return MyMemStorage['counter']\n",
    )
    try:
        assert [site.ask(path) for _ in range(3)] == [1, 2, 3]
    finally:
        del builtins.__dict__['MyMemStorage']


def test_c6_4_memory_outlives_reloads(site: Site) -> None:
    key = str(site.folder)
    path = site.write(
        'm.py',
        f'import slimHTTP\ndef on_request(request): return slimHTTP.memory.increment({key!r})',
    )
    assert [site.ask(path) for _ in range(3)] == [1, 2, 3]
    del slimHTTP.memory[key]


def test_c6_5_the_same_file_name_never_mixes(site: Site) -> None:
    source = 'def on_request(request): return (__name__, __file__)'
    one, two = site.write('one/vhost.py', source), site.write('two/vhost.py', source)
    for _ in range(2):
        (name, file), (other_name, other_file) = site.ask(one), site.ask(two)
        assert (file, other_file) == (one, two)
        assert name != other_name
        assert name.startswith('vhost_')


FAILING = [
    ('does not parse', 'def on_request(:\n', SyntaxError),
    ('raises on import', '1/0', ZeroDivisionError),
    ('raises in on_request', "def on_request(request): return {}['x']", KeyError),
    ('is no function', 'on_request = 5', TypeError),
    ('exits', 'raise SystemExit(3)', SystemExit),
]


@pytest.mark.parametrize('reload', ['always', 'changed', 'never'])
@pytest.mark.parametrize(
    ('source', 'error'), [case[1:] for case in FAILING], ids=[case[0] for case in FAILING]
)
def test_c6_6_a_failure_is_raised_and_the_next_edit_recovers(
    site: Site, source: str, error: type[BaseException], reload: str
) -> None:
    path = site.write('m.py', source)
    for _ in range(2):
        with pytest.raises(error):
            site.ask(path, reload=reload)
    if reload == 'never' and error in (KeyError, TypeError):
        return  # It ran; that is what `never` keeps.
    site.write('m.py', "def on_request(request): return 'fine again'")
    assert site.ask(path, reload=reload) == 'fine again'


def test_c6_6_a_file_that_is_gone(site: Site) -> None:
    with pytest.raises(slimHTTP.ModuleError, match='cannot be read: No such file') as caught:
        site.ask(str(site.folder / 'gone.py'))
    assert caught.value.path == str(site.folder / 'gone.py')


def test_c6_7_a_script_runs_the_source_that_was_read(site: Site) -> None:
    request: Any = SimpleNamespace(url='/s.py', method='GET', vhost=None, params={})
    path = str(site.folder / 's.py')  # Not there: it must not be opened by its path.
    read = []
    for number in range(2):
        source = f'def on_request(request): return ({number}, __file__)'.encode()
        script: Any = SimpleNamespace(
            identity=lambda number=number: (1, 2, 50, number, number),
            read=lambda source=source: read.append(source) or source,
        )
        for reload in ('always', 'changed'):
            assert site.callbacks.run_script(request, path, script, reload) == (number, path)
    assert len(read) == 2, 'each is read once'


def test_c6_8_concurrent_runs_keep_their_routes_apart(site: Site) -> None:
    source = """
import slimHTTP, time
for number in range(3):
    time.sleep(0.005)
    THIS_SERVER.route('/who', vhost=%r)(lambda request: %r)
"""
    answers = {}

    def ask(number: int) -> None:
        name = f'n{number}'
        path = site.write(f'{name}.py', source % (f'{name}.example', name))
        answers[name] = site.ask(path, '/who', vhost=f'{name}.example')

    in_threads(6, ask)
    assert answers == {f'n{n}': f'n{n}' for n in range(6)}


def test_c8_4_an_asynchronous_on_request_gives_its_coroutine(site: Site) -> None:
    path = site.write('m.py', 'async def on_request(request): return request.url')
    assert asyncio.run(site.ask(path, '/x')) == '/x'


def test_c6_1_dataclasses_and_pickle_find_the_module(site: Site) -> None:
    path = site.write(
        'm.py',
        'from __future__ import annotations\n'
        'import pickle\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n'
        "@dataclass\nclass Point:\n    x: int\n    kind: ClassVar[str] = 'point'\n"
        'def on_request(request): return pickle.loads(pickle.dumps(Point(5))).x',
    )
    assert [site.ask(path), site.ask(path)] == [5, 5]


def test_siblings_can_be_imported_and_shadow_nothing(site: Site) -> None:
    helper = f'sibling_{site.http.port}'
    site.write(f'{helper}.py', 'VALUE = 7')
    site.write('json.py', "raise RuntimeError('shadowed')")
    path = site.write(
        'm.py', f'import json, {helper}\ndef on_request(request): return {helper}.VALUE'
    )
    assert [site.ask(path), site.ask(path)] == [7, 7]
    assert sys.path.count(str(site.folder)) == 1
    del sys.modules[helper]


def test_imported_runs_a_file_and_gives_its_module(site: Site) -> None:
    path = site.write('tool.py', 'name, file = __name__, __file__')
    with slimHTTP.Imported(path) as tool, slimHTTP.Imported(path, 'my_tool') as named:
        assert (tool.file, named.name) == (path, 'my_tool')
        assert sys.modules['my_tool'] is named
    assert 'my_tool' not in sys.modules
    with pytest.raises(slimHTTP.ModuleError), slimHTTP.Imported(path + 'c'):
        pass
    with pytest.raises(ZeroDivisionError), slimHTTP.Imported(site.write('bad.py', '1/0'), 'bad'):
        pass
    assert 'bad' not in sys.modules
