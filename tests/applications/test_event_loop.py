"""The option `event_loop`: which loop a process has."""

from __future__ import annotations

import pytest
import slimHTTP
from support.programs import check, run

PROGRAM = """
http = opened({options})

@http.route('/loop')
async def loop(request):
    return type(asyncio.get_running_loop()).__module__

with http:
    print(ask(http, '/loop'))
"""


@pytest.mark.parametrize(
    ('options', 'module'),
    [
        ('', 'asyncio.unix_events'),
        ("event_loop='asyncio'", 'asyncio.unix_events'),
        ("event_loop='uvloop'", 'uvloop'),
        ("event_loop='auto'", 'uvloop'),
    ],
)
def test_the_loop_is_the_one_that_is_wished_for(options: str, module: str) -> None:
    check(PROGRAM.format(options=options), f'{module}\n')


def test_auto_is_asyncio_where_there_is_no_other() -> None:
    program = "sys.modules['uvloop'] = None\n" + PROGRAM.format(options="event_loop='auto'")
    check(program, 'asyncio.unix_events\n')


def test_a_loop_that_is_not_there_is_told_at_the_start() -> None:
    program = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'uvloop' else found(name, *rest)
http = opened(event_loop='uvloop')
try:
    with http:
        print('serves')
except slimHTTP.slimHTTP_Error as error:
    print(str(error).replace(sys.executable, 'PYTHON'))
"""
    check(
        program,
        'event_loop: expected a package `uvloop`, found none\n'
        '  hint: install it for PYTHON, or say `auto`, which takes it where it is\n',
    )


def test_a_process_has_one_loop() -> None:
    second = PROGRAM.format(options="event_loop='uvloop'").replace('print(', 'print(ask(first), ')
    program = (
        'first = opened()\nfirst.__enter__()\nask(first, "/async")\n' + second + 'first.close()\n'
    )
    said = run(program)
    assert said.stdout == 'hello asyncio.unix_events\n', said.stderr
    assert (
        'event_loop: `uvloop` is wished for, but another server of this process has begun with'
        ' `asyncio`: a process has one event loop'
    ) in said.stderr


def test_c3_4_the_loop_is_fixed_at_start() -> None:
    with slimHTTP.server(slimHTTP.HTTP, '127.0.0.1', 0, quiet=True, event_loop='auto') as http:
        http.configuration({})
        assert http.config['event_loop'] == 'auto'
        with pytest.raises(
            slimHTTP.ConfError, match=r'^event_loop: expected `auto`, as it was started'
        ):
            http.configuration({'event_loop': 'asyncio'})
