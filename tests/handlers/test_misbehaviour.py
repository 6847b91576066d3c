"""C6.6 and C8.5: handlers that misbehave, each with its exact outcome, and the server well after it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from support import (
    PATIENCE,
    Closed,
    Log,
    Process,
    Program,
    Upstream,
    check_not_whole,
    in_background,
    says,
    serving,
    tree,
)
from support.sites import write

of = pytest.mark.parametrize


class Case(NamedTuple):
    """What a handler does, and what comes of it."""

    #: The body of a function of `request`.
    does: str
    #: The answer. Without one it is 500 and the page that says nothing.
    answer: Optional[str] = None
    #: What the log says of it, a pattern; without one nothing is said.
    log: Optional[str] = None
    #: As what it does so: the handler of a (r)oute, of an (a)sync route, `on_request` of a
    #: (m)odule, async `on_request` of a module (n), or the module itself while it is (i)mported.
    ways: str = 'ramn'
    status: int = 200


EVERY = 'ramni'
#: The same, but for an event loop, which has its own mind about it.
SYNC = 'rmi'
FAULTS = {
    'raises': Case('raise RuntimeError("on purpose")', log='RuntimeError: on purpose', ways=EVERY),
    'raises what is no Exception': Case(
        'raise type("Own", (BaseException,), {})("on purpose")', log=r'\bOwn: on purpose', ways=EVERY
    ),
    'raises from a cause': Case('raise KeyError(1) from ValueError(2)', log='KeyError: 1', ways=EVERY),
    'raises without a text': Case(
        'class Dumb(Exception):\n    def __str__(self): raise RuntimeError\nraise Dumb()',
        log='Dumb: <exception str[()]+ failed>', ways=EVERY,
    ),
    'raises lines': Case(
        'raise RuntimeError("one\\n\\x1b[31mtwo")', log=r'RuntimeError: one\\n\\x1b\[31mtwo', ways=EVERY
    ),
    'exits': Case('import sys; sys.exit(3)', log='SystemExit: 3', ways=EVERY),
    'exits well': Case('raise SystemExit', log='SystemExit', ways=EVERY),
    'raises GeneratorExit': Case('raise GeneratorExit', log='GeneratorExit', ways=EVERY),
    'raises StopIteration': Case('raise StopIteration(1)', log='StopIteration: 1', ways=SYNC),
    'raises StopIteration later': Case(
        'raise StopIteration(1)', log='RuntimeError: coroutine raised StopIteration', ways='an'
    ),
    'raises StopAsyncIteration': Case(
        'raise StopAsyncIteration', log='StopAsyncIteration', ways=EVERY
    ),
    'raises CancelledError': Case(
        'import asyncio; raise asyncio.CancelledError', log='CancelledError', ways=EVERY
    ),
    'raises MemoryError': Case('raise MemoryError', log='MemoryError', ways=EVERY),
    'recurses': Case('def f(): return f()\nf()', log='RecursionError: maximum recursion', ways=EVERY),
    'asserts': Case('assert request is None, "it is one"', log='AssertionError: it is one'),
    'leaves a name out': Case('undefined', log="NameError: name 'undefined' is not defined", ways=EVERY),
    # Answers
    'returns a set': Case('return {1}', log='TypeError: .* returned `set`, expected HTTP_RESPONSE'),
    'returns its request': Case('return request', log='returned `HTTP_REQUEST`, expected'),
    'returns a number': Case('return 200', log='returned `int`, expected'),
    'returns a type': Case('return str', log='returned `type`, expected'),
    'returns a function': Case('return lambda: 1', log='returned `function`, expected'),
    'returns an exception': Case('return RuntimeError()', log='returned `RuntimeError`, expected'),
    'returns itself in JSON': Case('a = []; a.append(a); return a', log='ValueError: Circular reference'),
    'returns what is no JSON': Case('return {"a": object()}', log='TypeError: a `object` cannot be written as JSON'),
    'returns JSON too deep': Case(
        'a = []\nfor _ in range(100_000): a = [a]\nreturn a', log='RecursionError: maximum recursion'
    ),
    'returns half a letter': Case("return '\\udc80'", log='UnicodeEncodeError: .*surrogates not allowed'),
    'returns a bad status': Case(
        'request.ret_code = "nonsense"; return "x"', log='TypeError: [^\n]*nonsense|TypeError: [^\n]*str'
    ),
    'returns a status of none': Case('request.ret_code = 99; return "x"', log='ValueError: [^\n]*99'),
    'spoils its fields': Case('request.response_headers = 3; return "x"', log='TypeError: [^\n]*int'),
    'forges a field': Case(
        'request.response_headers["X"] = "a\\r\\nY: b"; return "x"', log='ValueError: [^\n]*'
    ),
    'yields nothing and raises': Case(
        'def g():\n    raise RuntimeError("at once")\n    yield\nreturn g()', log='RuntimeError: at once', ways='rm'
    ),
    'yields a number': Case('return iter([1])', log='yielded `int`, expected bytes or str', ways='rm'),
    # An event loop
    'cancels itself': Case(
        'import asyncio; asyncio.current_task().cancel(); await asyncio.sleep(9)', log='CancelledError', ways='an'
    ),
    'closes the loop': Case(
        'import asyncio; asyncio.get_running_loop().close()',
        log='RuntimeError: Cannot close a running event loop', ways='an',
    ),
    'runs a loop in the loop': Case(
        'import asyncio\nasync def f(): pass\nc = f()\ntry: asyncio.run(c)\nfinally: c.close()',
        log='RuntimeError: asyncio.run[()]+ cannot be called from a running', ways='an',
    ),
    'waits for itself': Case(
        'import asyncio; await asyncio.current_task()', log='RuntimeError: Task cannot await on itself', ways='an'
    ),
}  # fmt: skip

STRANGE = {
    'mutates its request': Case(
        'for name in ("method", "url", "headers", "query", "params", "payload", "data", "vhost",'
        ' "web_root", "session_storage", "CLIENT_IDENTITY"):\n    setattr(request, name, name)\n'
        'request.own = request\nreturn "mutated"',
        'mutated',
    ),
    'keeps its request': Case(
        'import builtins\nkept = vars(builtins).setdefault("kept", [])\nkept.append(request)\n'
        'return ",".join(sorted({one.url[:1] + one.method for one in kept}))',
        '/GET',
    ),
    'keeps its response': Case(
        'import builtins, slimHTTP\nbuiltins.last = slimHTTP.HTTP_RESPONSE(payload=b"kept")\nreturn builtins.last',
        'kept',
    ),
    'answers with the same again': Case('import builtins\nreturn builtins.last', 'kept'),
    'raises when it is forgotten': Case(
        'class D(bytes):\n    def __del__(self): raise RuntimeError("in del")\nreturn D(b"forgotten")',
        'forgotten', 'Exception ignored in[^\n]*__del__',
    ),
    'raises when an object ends': Case(
        'class D:\n    def __del__(self): raise SystemExit("in del")\nD()\nfine = "fine"', None,
        'Exception ignored in[^\n]*__del__', 'i',
    ),
    'returns much': Case('return b"x" * 20_000_000', 'x' * 20_000_000),
    'returns nothing': Case('return ""', ''),
    'takes a builtin away': Case('import builtins; vars(builtins).pop("credits", 0); return "fine"', 'fine'),
    'takes standard output away': Case('import sys; sys.stdout = None; print("x"); return "fine"', 'fine'),
    'collects garbage': Case('import gc; gc.collect(); gc.disable(); return "fine"', 'fine'),
    'goes elsewhere': Case('import os; os.chdir("/"); return "fine"', 'fine'),
    'has a child that ends': Case(
        'import os\npid = os.fork()\nif pid == 0: os._exit(7)\n'
        'return str(os.waitpid(pid, 0)[1] >> 8)', '7',
    ),
    'has a child that exits': Case(
        'import os, sys\npid = os.fork()\nif pid == 0: sys.exit(7)\n'
        'return str(os.waitpid(pid, 0)[1] >> 8)', '7',
    ),
    'starts a thread': Case(
        'import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nreturn "fine"',
        'fine',
    ),
    'has a thread that raises': Case(
        'import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()\nreturn "fine"',
        'fine', 'Exception in thread [^\n]*(\n[^\n]*)+?ZeroDivisionError',
    ),
    'hears a signal': Case(
        'import signal, os\nheard = []\nsignal.signal(signal.SIGUSR1, lambda *_: heard.append(1))\n'
        'os.kill(os.getpid(), signal.SIGUSR1)\nfor _ in range(10**5): pass\nreturn str(heard)', '[1]', ways='rm',
    ),
    'runs an event loop': Case(
        'import asyncio\nasync def f(): return "ran"\nreturn asyncio.run(f())', 'ran', ways='rm'
    ),
    'changes the recursion limit': Case('import sys; sys.setrecursionlimit(2000); return "fine"', 'fine'),
    'warns': Case('import warnings; warnings.warn("odd"); return "fine"', 'fine', 'UserWarning: odd'),
    'returns a coroutine of a coroutine': Case(
        'async def one(): return "deep"\nreturn one()', 'deep', ways='rm'
    ),
    # An event loop
    'blocks the loop': Case('import time; time.sleep(0.2); return "fine"', 'fine', ways='an'),
    'never awaits': Case('import asyncio; asyncio.sleep(0); return "fine"', 'fine', 'was never awaited', 'an'),
    'leaves a task behind': Case(
        'import asyncio; asyncio.ensure_future(asyncio.sleep(600)); return "fine"', 'fine', ways='an'
    ),
    'leaves a task behind that raises': Case(
        'import asyncio, gc\nasync def f(): 1 / 0\nt = asyncio.ensure_future(f())\nawait asyncio.sleep(0)\n'
        'await asyncio.sleep(0); del t; gc.collect(); return "fine"',
        'fine', 'Task exception was never retrieved', 'an',
    ),
    'cancels itself at its end': Case(
        'import asyncio; asyncio.current_task().cancel(); return "done before"', 'done before', ways='an'
    ),
    'stops the loop': Case(
        'import asyncio; asyncio.get_running_loop().stop(); return "fine"', 'fine',
        'a handler has stopped the event loop; it goes on', 'an',
    ),
}  # fmt: skip

CASES = {**FAULTS, **STRANGE}
WAYS = {'r': 'route', 'a': 'async route', 'm': 'module', 'n': 'async module', 'i': 'import'}
ROWS = [(name, way) for name, case in CASES.items() for way in case.ways]


def path_of(name: str, way: str) -> str:
    return f'/{way}/{name.replace(" ", "-")}'


def function(name: str, way: str, called: str) -> str:
    body = ''.join(f'    {line}\n' for line in CASES[name].does.splitlines())
    return f'{"async " if way in "an" else ""}def {called}(request):\n{body}\n'


def module(name: str, way: str) -> str:
    if way == 'i':
        return f'{CASES[name].does}\ndef on_request(request):\n    return "ran to its end"\n'
    return function(name, way, 'on_request')


PROGRAM = """
import logging, slimHTTP
logging.basicConfig(format='%(levelname)s %(message)s')
http = slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, web_root='www', grace_period=0.5, vhosts={
    'bad.example': {'module': './bad.py'}, 'well.example': {'module': './well.py'}})

@http.route('/well')
def well(request):
    return 'well'

@http.route('/well/later')
async def later(request):
    return 'well'
"""


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp('bad')
    program = PROGRAM
    for number, (name, way) in enumerate(ROWS):
        if way in 'ra':
            program += f'\n@http.route({path_of(name, way)!r})\n' + function(
                name, way, f'f{number}'
            )
    files = {'program.py': f'{program}\nhttp.run()\n', 'www/file.txt': 'a file', 'bad.py': '',
             'well.py': 'def on_request(request):\n    return "well"\n'}  # fmt: skip
    tree(folder, files)
    with Program(
        folder / 'program.py', cwd=folder, options=['-X', 'dev', '-W', 'default']
    ) as process:
        process.folder = folder  # type: ignore[attr-defined]
        yield process
        assert process.stop() == 0, process.stderr


def is_well(server: Process) -> None:
    """Everybody else is answered as ever, by both threads that run Python, and from files."""
    with server.client(timeout=2 * PATIENCE) as client:
        asked = [('/well', ''), ('/well/later', ''), ('/file.txt', ''), ('/', 'well.example')]
        assert [client.get(path, host).text for path, host in asked] == [
            'well',
            'well',
            'a file',
            'well',
        ]


@of(('name', 'way'), ROWS, ids=[f'{name}, {WAYS[way]}' for name, way in ROWS])
def test_c6_6_the_outcome_is_exact_and_the_server_well(
    server: Process, name: str, way: str
) -> None:
    case = CASES[name]
    path = path_of(name, way)
    if way not in 'ra':
        write(server.folder / 'bad.py', module(name, way))  # type: ignore[attr-defined]
    begun = len(server.stderr)
    response = server.client(timeout=2 * PATIENCE).get(
        path, 'other.example' if way in 'ra' else 'bad.example'
    )
    if name in FAULTS:
        assert response.status == 500
        assert response.headers['Content-Type'] == 'text/html; charset=utf-8'
        assert '<h1>500 Internal Server Error</h1>' in response.text
        assert 'purpose' not in response.text
        assert len(response.body) < 1000
    else:
        answer = 'ran to its end' if way == 'i' else case.answer
        assert (response.status, response.text) == (200, answer)
    is_well(server)
    if case.log is None:
        assert ' failed in ' not in server.stderr[begun:]
        return
    found = server.wait_for(f'(?s:.{{{begun}}}.*?)(?:{case.log})')
    assert found is not None
    if name in FAULTS:
        callee = (
            'module `[^`]*bad.py`' if way not in 'ra' else rf'route `{path}` \(`__main__.f\d+`\)'
        )
        place = 'global level' if way in 'ra' else 'vhost bad.example'
        line = rf'^ERROR GET {path} failed in {callee} \({place}, client 127.0.0.1\): [^\n]*'
        said = re.findall(line, server.stderr[begun:], re.MULTILINE)
        assert len(said) == 1, server.stderr[begun:]
        assert re.search(case.log, said[0])


BREAKS_OFF = {
    'raises half-way': ('raise RuntimeError("half-way")', 'RuntimeError: half-way'),
    'exits half-way': ('raise SystemExit(4)', 'SystemExit: 4'),
    'yields nonsense half-way': ('yield 5', 'yielded `int`, expected bytes or str'),
    'raises what is no Exception half-way': (
        'raise type("Own", (BaseException,), {})("x")',
        'Own: x',
    ),
    'recurses half-way': ('def f(): return f()\n    f()', 'RecursionError'),
}


@of('asynchronous', [False, True])
@of('name', BREAKS_OFF)
def test_c8_5_a_stream_that_fails_half_way_breaks_off(name: str, asynchronous: bool) -> None:
    does, said = BREAKS_OFF[name]
    names: dict = {'__name__': 'handlers'}
    word = 'async ' if asynchronous else ''
    exec(f'{word}def handler(request):\n    yield "first"\n    {does}\n    yield "never"\n', names)
    with serving() as site, Log() as log:
        site.http.route('/test')(names['handler'])
        site.http.route('/well')(lambda request: 'well')
        for _ in range(2):
            with site.client() as client:
                client.send('GET', '/test')
                check_not_whole(client)
            assert site.get('/well').text == 'well'
        log.wait_for(f'GET /test failed in route `/test`[^\n]*{said}')
        assert len([record for record in log.records if record.levelname == 'ERROR']) == 2


@of('asynchronous', [False, True])
def test_c8_5_a_stream_that_will_not_end_is_left(asynchronous: bool) -> None:
    """A client leaves, and the generator raises where it is to clean up."""
    begun = threading.Event()

    def stream(request):
        try:
            while True:
                begun.set()
                yield b'x' * 65536
        finally:
            raise RuntimeError('in finally')

    async def stream_later(request):
        try:
            while True:
                begun.set()
                yield b'x' * 65536
        finally:
            raise RuntimeError('in finally')

    with serving() as site, Log() as log:
        site.http.route('/test')(stream_later if asynchronous else stream)
        site.http.route('/well')(lambda request: 'well')
        with site.client() as client:
            client.send('GET', '/test')
            assert begun.wait(PATIENCE)
            client.read_head()
        if not asynchronous:  # A task that nobody asks any more tells nobody.
            log.wait_for('GET /test failed in route [^\n]*RuntimeError: in finally')
        assert site.get('/well').text == 'well'


def test_c8_5_a_handler_that_raises_keyboard_interrupt_ends_the_server(tmp_path: Path) -> None:
    """As Ctrl-C in it would: nobody could tell them apart."""
    program = (
        PROGRAM
        + "\n@http.route('/interrupts')\ndef interrupts(request): raise KeyboardInterrupt\nhttp.run()\n"
    )
    tree(tmp_path, {'www': {}, 'bad.py': '', 'well.py': ''})
    with Program(program, cwd=tmp_path) as process:
        assert process.get('/well').text == 'well'
        # The end cuts what has not been sent yet.
        with contextlib.suppress(Closed):
            assert process.get('/interrupts').status == 500
        assert process.wait() != 0
        assert 'KeyboardInterrupt' in process.stderr


@of('threads', [1, 2])
def test_c8_7_files_and_proxying_go_on_while_python_is_blocked(
    tmp_path: Path, threads: int
) -> None:
    tree(
        tmp_path,
        {'www': {'file.txt': 'a file'}, 'm.py': 'def on_request(request): return "module"\n'},
    )
    begun = [threading.Event() for _ in range(threads)]
    go_on = threading.Event()
    with Upstream(says('upstream')) as upstream:
        vhosts = {
            'up.example': {'proxy': upstream.name},
            'mod.example': {'module': str(tmp_path / 'm.py')},
        }
        with serving(web_root=str(tmp_path / 'www'), vhosts=vhosts, python_threads=threads) as site:

            @site.http.route('/blocked/<int:number>')
            def blocked(request):
                begun[request.params['number']].set()
                go_on.wait(4 * PATIENCE)
                return 'went on'

            def ask(number: int) -> str:
                return site.client(timeout=4 * PATIENCE).get(f'/blocked/{number}').text

            with (
                in_background(lambda: ask(0)) as first,
                in_background(lambda: ask(threads - 1)) as last,
            ):
                try:
                    assert all(event.wait(PATIENCE) for event in begun)
                    with site.client() as waiting, site.client() as client:
                        waiting.send('GET', '/', host='mod.example')
                        for _ in range(20):
                            assert client.get('/file.txt').text == 'a file'
                            assert client.get('/', 'up.example').text == 'upstream'
                            assert client.get('/missing').status == 404
                            assert client.request('POST', '/file.txt', body=b'').status == 405
                        go_on.set()
                        assert (first(), last()) == ('went on', 'went on')
                        assert waiting.read_response().text == 'module'
                finally:
                    go_on.set()
