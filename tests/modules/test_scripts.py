"""C6.7: a URL that names a `.py` file under `web_root` runs it; its source is never sent."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Log, Serving, serving, tree
from support.sites import ANSWERS, write

of = pytest.mark.parametrize

SOURCE = 'secret_word'
FILES = {
    'hello.py': 'secret_word = 1\ndef on_request(request):\n    return "hello " + request.method\n',
    'folder': {'index.html': 'folder', 'deep.py': f'{SOURCE} = 1\n{ANSWERS.format("deep")}'},
    'with index': {'index.py': f'{SOURCE} = 1\n{ANSWERS.format("index.py")}'},
    'two words.py': f'{SOURCE} = 1\n{ANSWERS.format("two words")}',
    'file.txt': 'a file',
    'bad.py': 'def on_request(secret_word:\n',
    'raises.py': 'def on_request(request):\n    raise RuntimeError("secret_word")\n',
    'silent.py': 'secret_word = 1\n',
    'passes.py': 'def on_request(request):\n    secret_word = None\n    return secret_word\n',
    'later.py': 'async def on_request(request):\n    secret_word = "later"\n    return "later"\n',
    'echo.py': 'def on_request(request):\n    secret_word = request.payload\n    return {"body": request.payload.decode(), "query": request.query}\n',
    'names.py': 'secret_word = []\ndef on_request(request):\n    secret_word.append(1)\n    return str(len(secret_word))\n',
    'empty.py': '',
}

#: Every way to ask for the source that somebody has thought of.
DISGUISES = [
    '/hello.py', '/hello.py?', '/hello.py?x=y', '/hello.py/', '/hello.py/extra', '/hello.py%20', '/hello.py%00',
    '/hello.py%00.txt', '/hello.py.', '/hello.py%2e', '/hello.py%2f', '/hello%2epy', '/hello.p%79', '/hello.%70%79',
    '/%68ello.py', '/hello%252epy', '//hello.py', '/./hello.py', '/folder/../hello.py', '/folder/..%2fhello.py',
    '/hello.py;x', '/hello.py;.txt', '/hello.py::$DATA', '/hello.py%5c', '/hello.py\\', '/hello.PY', '/hello.Py',
    '/HELLO.PY', '/hello.py~', '/hello.pyc', '/hello.py%0a', '/hello.py%0d%0a', '/hello.py%23', '/hello.py%3f',
    '/hello.py+', '/hello.py%c0%80', '/folder/deep.py', '/folder//deep.py', '/two%20words.py', '/with%20index/',
    '/with%20index/index.py', '/with%20index', '/bad.py', '/raises.py', '/silent.py', '/passes.py', '/later.py',
    '/echo.py', '/names.py', '/empty.py', '/__pycache__/', '/__pycache__/hello.cpython-311.pyc',
]  # fmt: skip
METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']
FIELDS = [
    {},
    {'Range': 'bytes=0-'},
    {'If-None-Match': '*'},
    {'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT'},
    {'Accept-Encoding': 'gzip, br, zstd'},
    {'Accept': 'text/x-python'},
]


def read_everything(site) -> None:
    with site.client() as client:
        for target in DISGUISES:
            for method in METHODS:
                for fields in FIELDS if method == 'GET' else FIELDS[:1]:
                    body = b'x' if method in ('POST', 'PUT') else None
                    response = client.request(method, target, fields, body, host='a.example')
                    what = (method, target, fields, response)
                    assert SOURCE.encode() not in response.body, what
                    assert b'def on_request' not in response.body, what


def test_c6_7_the_source_is_never_sent_by_any_entry_point(site) -> None:
    """The program without Python cannot run it; it does not send it either."""
    read_everything(
        site({'web_root': 'root', 'index': ['index.html', 'index.py']}, {'root': FILES})
    )


@of('scripts', [True, 'executable', False])
def test_c6_7_the_source_is_never_sent_whatever_scripts_says(tmp_path: Path, scripts) -> None:
    tree(tmp_path, FILES)
    with serving(
        web_root=os.fspath(tmp_path), index=['index.html', 'index.py'], scripts=scripts
    ) as site:
        read_everything(site)


#: What Python leaves where a script imports what stands beside it, and its like.
COMPILED = {
    '__pycache__': {'beside.cpython-311.pyc': SOURCE, 'other.txt': SOURCE, 'index.html': SOURCE},
    'folder': {'__pycache__': {'deep.cpython-311.opt-1.pyc': SOURCE}, 'old.pyo': SOURCE},
    '__PyCache__': {'loud': SOURCE},
    'beside.pyc': SOURCE,
    'LOUD.PYC': SOURCE,
    'index.pyc': SOURCE,
}


@of('scripts', [True, 'executable', False])
def test_c6_7_what_is_compiled_is_never_sent(site, scripts) -> None:
    config = {'web_root': 'root', 'index': ['index.pyc', 'index.html'], 'scripts': scripts}
    server = site(config, {'root': COMPILED})
    targets = [
        '/__pycache__/beside.cpython-311.pyc', '/__pycache__/other.txt', '/__pycache__/', '/__pycache__',
        '/__pycache__/index.html', '/folder/__pycache__/deep.cpython-311.opt-1.pyc', '/folder/old.pyo',
        '/__PyCache__/loud', '/beside.pyc', '/LOUD.PYC', '/%5f_pycache__/other.txt', '/beside%2epyc', '/',
    ]  # fmt: skip
    with server.client() as client:
        for target in targets:
            response = client.get(target)
            assert response.status == 404, target
            assert SOURCE.encode() not in response.body, target


def test_c6_7_a_script_that_imports_what_stands_beside_it_leaves_nothing_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'stands_beside_it'
    tree(
        tmp_path,
        {
            f'{name}.py': 'text = "secret_word"\n',
            'imports.py': 'import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n'
            f'import {name}\nsys.path.pop(0)\n{ANSWERS.format("imported")}',
        },
    )
    monkeypatch.setattr(sys, 'dont_write_bytecode', False)
    with serving(web_root=os.fspath(tmp_path)) as site:
        try:
            assert site.get('/imports.py').text == 'imported'
        finally:
            sys.modules.pop(name, None)
        left = list((tmp_path / '__pycache__').iterdir())
        assert left
        for path in left:
            assert site.get(f'/__pycache__/{path.name}').status == 404


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Serving]:
    tree(tmp_path, FILES)
    with serving(web_root=os.fspath(tmp_path), index=['index.html', 'index.py']) as site:
        yield site


@of(
    ('target', 'text'),
    [
        ('/hello.py', 'hello GET'),
        ('/hello.py?x=y', 'hello GET'),
        ('/hello%2epy', 'hello GET'),
        ('/folder/deep.py', 'deep'),
        ('/two%20words.py', 'two words'),
        ('/later.py', 'later'),
        ('/names.py', '1'),
    ],
)
def test_c6_7_a_script_is_run(scripts: Serving, target: str, text: str) -> None:
    for _ in range(2):
        response = scripts.get(target)
        assert (response.status, response.text) == (200, text)


@of('method', ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'BREW'])
def test_c6_7_a_script_answers_every_method(scripts: Serving, method: str) -> None:
    with scripts.client() as client:
        body = b'x' if method in ('POST', 'PUT', 'PATCH') else None
        assert client.request(method, '/hello.py', body=body).text == f'hello {method}'


def test_c6_7_head_runs_a_script_too(scripts: Serving) -> None:
    with scripts.client() as client:
        response = client.request('HEAD', '/hello.py')
        assert (response.status, response.body) == (200, b'')


def test_c6_7_a_script_gets_the_whole_request(scripts: Serving) -> None:
    with scripts.client() as client:
        response = client.request('POST', '/echo.py?a=b', body=b'the body')
        assert response.json() == {'body': 'the body', 'query': {'a': 'b'}}


def test_c6_7_an_index_py_is_run_not_sent(scripts: Serving) -> None:
    assert scripts.get('/with%20index/').text == 'index.py'


def test_c6_7_an_index_html_comes_first_where_it_is_named_first(
    scripts: Serving, tmp_path: Path
) -> None:
    write(tmp_path / 'with index' / 'index.html', 'a page')
    assert scripts.get('/with%20index/').text == 'a page'


@of(
    'target',
    [
        '/missing.py',
        '/hello.py/',
        '/hello.py/extra',
        '/silent.py',
        '/passes.py',
        '/empty.py',
        '/hello.PY',
    ],
)
def test_c6_7_what_does_not_answer_is_404(scripts: Serving, target: str) -> None:
    assert scripts.get(target).status == 404


@of('target', ['/bad.py', '/raises.py'])
def test_c6_7_a_script_that_fails_is_500_and_recovers(
    scripts: Serving, tmp_path: Path, target: str
) -> None:
    with Log() as log:
        response = scripts.get(target)
        assert response.status == 500
        assert SOURCE not in response.text
        log.wait_for(target[1:])
    write(tmp_path / target[1:], ANSWERS.format('well'))
    assert scripts.get(target).text == 'well'


def test_c6_7_an_edit_of_a_script_shows_at_once(scripts: Serving, tmp_path: Path) -> None:
    with scripts.client() as client:
        for turn in range(30):
            write(tmp_path / 'hello.py', ANSWERS.format(str(turn % 10)))
            assert client.get('/hello.py').text == str(turn % 10)


def test_c6_7_executable_runs_only_what_has_the_bit(tmp_path: Path) -> None:
    tree(tmp_path, FILES)
    path = tmp_path / 'hello.py'
    with serving(web_root=os.fspath(tmp_path), scripts='executable') as site:
        assert site.get('/hello.py').status == 404
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        assert site.get('/hello.py').text == 'hello GET'
        path.chmod(path.stat().st_mode & ~0o111)
        assert site.get('/hello.py').status == 404
        assert site.get('/file.txt').text == 'a file'


def test_c6_7_scripts_can_be_switched_off_for_a_host(tmp_path: Path) -> None:
    tree(tmp_path, FILES)
    root = os.fspath(tmp_path)
    with serving(
        web_root=root, vhosts={'off.example': {'web_root': root, 'scripts': False}}
    ) as site:
        assert site.get('/hello.py', host='on.example').text == 'hello GET'
        assert site.get('/hello.py', host='off.example').status == 404
        assert site.get('/file.txt', host='off.example').text == 'a file'


def test_c6_7_a_script_behind_a_module_that_passes_on(tmp_path: Path) -> None:
    tree(tmp_path, {'root': FILES, 'vhost.py': 'def on_request(request):\n    return None\n'})
    vhost = {'module': os.fspath(tmp_path / 'vhost.py'), 'web_root': os.fspath(tmp_path / 'root')}
    with serving(vhosts={'a.example': vhost}) as site:
        assert site.get('/hello.py', host='a.example').text == 'hello GET'


def test_c6_7_a_script_outside_of_the_root_is_not_run(tmp_path: Path) -> None:
    tree(
        tmp_path, {'outside.py': ANSWERS.format('outside'), 'root': {'in.py': ANSWERS.format('in')}}
    )
    os.symlink('../outside.py', tmp_path / 'root' / 'out.py')
    os.symlink('in.py', tmp_path / 'root' / 'link.py')
    with serving(web_root=os.fspath(tmp_path / 'root')) as site:
        assert site.get('/out.py').status == 404
        assert site.get('/../outside.py').status == 400
        assert site.get('/link.py').text == 'in'


def test_c6_7_scripts_of_one_name_never_mix(tmp_path: Path) -> None:
    tree(tmp_path, {f'{name}/index.py': ANSWERS.format(name) for name in 'abc'})
    with serving(web_root=os.fspath(tmp_path), index='index.py') as site:
        for _ in range(3):
            assert [site.get(f'/{name}/').text for name in 'abc'] == list('abc')
