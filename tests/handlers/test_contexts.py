"""C8: a request has a context (`contextvars`) of its own: it finds what the program had set,
and leaves nothing to anybody else."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from support import PATIENCE, Log, Program, Serving, at_once, serving
from support.sites import HOST, ask, module_site

of = pytest.mark.parametrize

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar('variable', default='nothing')


@pytest.fixture(autouse=True)
def base() -> Any:
    """What the program has set at start; it ends with the test."""
    token = VARIABLE.set('base')
    yield
    VARIABLE.reset(token)


def look(name: str) -> str:
    """What there is, before `name` is set."""
    before = VARIABLE.get()
    VARIABLE.set(name)
    return before


def plain(request: Any) -> str:
    return look(request.query['as'])


async def coroutine(request: Any) -> str:
    before = look(request.query['as'])
    await asyncio.sleep(0)
    assert VARIABLE.get() == request.query['as']
    return before


def generator(request: Any) -> Any:
    yield look(request.query['as'])
    yield ' ' + VARIABLE.get()


async def async_generator(request: Any) -> Any:
    yield look(request.query['as'])
    yield ' ' + VARIABLE.get()


def mixed(request: Any) -> Any:
    """A plain function that gives a coroutine, which gives a generator."""
    before = look(request.query['as'])

    async def later() -> Any:
        within = VARIABLE.get()
        VARIABLE.set(within + '+')
        return (part for part in (before, ' ', within, VARIABLE.get()))

    return later()


#: A handler, and what it says that is called `one`.
HANDLERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    'plain': (plain, 'base'),
    'coroutine': (coroutine, 'base'),
    'generator': (generator, 'base one'),
    'async generator': (async_generator, 'base one'),
    'mixed': (mixed, 'base oneone+'),
}


@of('threads', [1, 3])
@of('kind', HANDLERS)
def test_c8_4_what_one_request_sets_the_next_one_does_not_see(kind: str, threads: int) -> None:
    handler, expected = HANDLERS[kind]
    with serving(python_threads=threads) as site:
        site.http.route('/')(handler)
        answers = [site.get('/?as=one').text for _ in range(4)]
        answers += at_once([lambda: site.get('/?as=one').text] * 6)
    assert set(answers) == {expected}
    assert VARIABLE.get() == 'base'


def test_c8_4_a_generator_keeps_its_context_among_threads() -> None:
    """Each chunk may be made on another thread; all of them are in the same context."""
    with serving(python_threads=4) as site:

        @site.http.route('/')
        def count(request):
            VARIABLE.set(request.query['as'])
            for _ in range(20):
                yield VARIABLE.get() + ' '

        def client(name: str) -> Callable[[], str]:
            return lambda: site.get(f'/?as={name}').text

        names = ['a', 'b', 'c', 'd']
        answers = at_once([client(name) for name in names])
    assert answers == [f'{name} ' * 20 for name in names]


def test_c8_4_whoever_is_asked_next_sees_what_was_set() -> None:
    """All who are asked about one request are in one context: a route that passes on, and the next."""
    with serving() as site:
        site.http.route('/sync')(lambda request: VARIABLE.set('route') and None)

        @site.http.route('/async')
        async def passes(request):
            VARIABLE.set('route')

        site.http.GET(lambda request: VARIABLE.get())
        for path in ('/sync', '/async'):
            assert site.get(path).text == 'route'
        assert site.get('/').text == 'base'


def test_c6_1_a_module_has_the_context_of_its_request(tmp_path: Path) -> None:
    source = (
        f'import sys\ntests = sys.modules[{__name__!r}]\n'
        'before = tests.look("module")\n'
        'def on_request(request):\n'
        '    return before + " " + tests.look("on_request")\n'
    )
    with module_site(tmp_path, source) as site:
        assert [ask(site).text for _ in range(3)] == ['base module'] * 3
        site.http.config['vhosts'][HOST]['module_reload'] = 'never'
        assert [ask(site).text for _ in range(3)] == ['base module', 'base base', 'base base']


def test_c9_hooks_leave_nothing_behind() -> None:
    seen: list[str] = []
    ended = threading.Event()
    with serving() as site:
        site.http.on_accept(lambda *args: seen.append(look('accept')))
        site.http.on_close(lambda identity: (seen.append(look('close')), ended.set()))
        site.http.route('/')(plain)
        assert site.get('/?as=one').text == 'base'
        assert site.get('/?as=one').text == 'base'
        assert ended.wait(PATIENCE)
    assert set(seen) == {'base'}


@of('kind', ['plain', 'coroutine'])
def test_c8_4_a_websocket_keeps_its_context(kind: str) -> None:
    from websockets.sync.client import connect

    with serving() as site:
        if kind == 'plain':

            @site.http.websocket('/')
            def serve(ws):
                ws.send(look('one'))
                for _ in ws:
                    ws.send(VARIABLE.get())
        else:

            @site.http.websocket('/')
            async def serve_async(ws):
                await ws.send(look('one'))
                async for _ in ws:
                    await ws.send(VARIABLE.get())

        for _ in range(2):
            with connect(f'ws://127.0.0.1:{site.http.port}/') as client:
                assert client.recv(PATIENCE) == 'base'
                client.send('and now?')
                assert client.recv(PATIENCE) == 'one'


def test_c8_4_tasks_and_failures_are_in_the_context_of_their_request() -> None:
    """A filter of the log sees whose request has failed."""
    seen: list[str] = []

    class Note(Log):
        def emit(self, record):
            seen.append(VARIABLE.get())

    with serving() as site, Note():

        @site.http.route('/sync')
        def fails(request):
            VARIABLE.set('sync')
            raise RuntimeError

        @site.http.route('/async')
        async def fails_later(request):
            await asyncio.create_task(asyncio.sleep(0))
            VARIABLE.set('async')
            raise RuntimeError

        for path in ('/sync', '/async'):
            assert site.get(path).status == 500
    assert {'sync', 'async'} <= set(seen)


@of(('kind', 'first'), [('def', ''), ('async def', '    await asyncio.sleep(0)\n')])
def test_c1_5_run_and_poll_begin_with_what_the_program_has_set(
    tmp_path: Path, kind: str, first: str
) -> None:
    source = (
        'import asyncio, contextvars, slimHTTP\n'
        'variable = contextvars.ContextVar("variable", default="nothing")\n'
        'http = slimHTTP.server(slimHTTP.HTTP, addr="127.0.0.1", port=0, python_threads=2)\n'
        '@http.on_start\n'
        f'{kind} begin():\n'
        f'{first}'
        '    variable.set("begun")\n'
        '@http.route("/sync")\n'
        'def sync(request):\n'
        '    before = variable.get(); variable.set("leaked"); return before\n'
        '@http.route("/async")\n'
        'async def later(request):\n'
        '    before = variable.get(); variable.set("leaked"); return before\n'
        'http.run()\n'
        'print("left", variable.get())\n'
    )
    with Program(source, cwd=tmp_path) as program:
        for path in ('/sync', '/async') * 4:
            assert program.get(path).text == 'begun'
        assert program.stop() == 0
        assert program.stdout == 'left begun' + os.linesep


def test_c9_a_turn_within_a_task_sees_its_context() -> None:
    import slimHTTP

    async def serve(http: Any, done: threading.Event) -> None:
        VARIABLE.set('task')
        while not done.is_set():
            for _event in http.poll(timeout=0.01):
                pass
            await asyncio.sleep(0)

    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    http.route('/')(plain)
    done = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(http, done)))
    thread.start()
    try:
        site = Serving(http)
        assert [site.get('/?as=one').text for _ in range(3)] == ['task'] * 3
    finally:
        done.set()
        thread.join(PATIENCE)
        http.close()
    assert not thread.is_alive()
