"""What `import slimHTTP` brings along, and what it leaves to those who need it."""

from __future__ import annotations

import json
import sys

import pytest
from support import Program

of = pytest.mark.parametrize

#: Modules that take long to import, or bring many others along. Each is imported by the
#: first thing that needs it.
HEAVY = [
    'asyncio', 'ast', 'base64', 'bz2', 'concurrent.futures', 'ctypes', 'dataclasses', 'datetime',
    'decimal', 'difflib', 'dis', 'email', 'hashlib', 'http', 'http.client', 'inspect', 'ipaddress',
    'linecache', 'logging', 'lzma', 'mimetypes', 'multiprocessing', 'pathlib', 'pickle', 'random',
    'selectors', 'shutil', 'socket', 'sqlite3', 'ssl', 'subprocess', 'tempfile', 'textwrap', 'tokenize',
    'traceback', 'typing_extensions', 'unicodedata', 'unittest', 'urllib.parse', 'urllib.request',
    'uuid',
]  # fmt: skip

#: Programs that must do without them: one that is imported, one that serves a plain function.
PROGRAMS = {
    'import': '',
    'serve': (
        "http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)\n"
        "@http.route('/')\n"
        'def hello(request):\n'
        "    return 'hello'\n"
        'with http:\n'
        "    print('served', file=sys.stderr)\n"
    ),
}


@of('what', PROGRAMS)
def test_nothing_heavy_is_imported(what: str) -> None:
    source = (
        'import json, sys\n'
        'before = set(sys.modules)\n'
        'import slimHTTP\n'
        f'{PROGRAMS[what]}'
        'print(json.dumps(sorted(set(sys.modules) - before)))\n'
    )
    # Without `site`, for what is installed beside may import much for itself.
    source = f'import sys; sys.path[:] = {sys.path!r}\n{source}'
    with Program(source, options=['-I', '-S']) as program:
        assert program.wait() == 0, program.stderr
        imported = json.loads(program.stdout)
    assert not [name for name in imported if name in HEAVY]
    assert 'slimHTTP._slimhttp' in imported
    assert len(imported) < 90, imported


@of(
    'name',
    [
        'hello',
        'later',
        'partial',
        'method',
        'object',
        'later object',
        'generator',
        'marked',
        'class',
    ],
)
def test_what_is_async_is_told_as_inspect_tells_it(name: str) -> None:
    import functools
    import inspect

    from slimHTTP._callables import is_async

    def hello(request):
        return 'hello'

    async def later(request):
        return 'hello'

    async def generator(request):
        yield 'hello'

    class Kind:
        def __call__(self, request):
            return 'hello'

        async def method(self, request):
            return 'hello'

    class Later:
        async def __call__(self, request):
            return 'hello'

    def marked(request):
        return later(request)

    if hasattr(inspect, 'markcoroutinefunction'):  # From Python 3.12 on.
        inspect.markcoroutinefunction(marked)
    handlers = {
        'hello': hello,
        'later': later,
        'partial': functools.partial(functools.partial(later)),
        'method': Kind().method,
        'object': Kind(),
        'later object': Later(),
        'generator': generator,
        'marked': marked,
        'class': Kind,
    }
    expected = inspect.iscoroutinefunction(handlers[name]) or name == 'later object'
    assert is_async(handlers[name]) == expected
