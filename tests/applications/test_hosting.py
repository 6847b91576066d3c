"""C11.2: which applications a server hosts, and what a change does to them."""

from __future__ import annotations

import asyncio
import gc
import select
import sys
import threading
import time
import weakref
from typing import Any

import pytest
import slimHTTP
from support import Program, serving, wait_until
from support.applications import WSGI, Modules, Recorded, modules
from support.log import Log
from support.waiting import tick

__all__ = ['modules']


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [environ['SCRIPT_NAME'].encode() + b'|' + environ['PATH_INFO'].encode()]


def wait_for(recorded: Recorded, *seen: str) -> None:
    wait_until(lambda: recorded.seen == [*seen], f'{seen}, not {recorded.seen}')


async def never_answers(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


# One for each server.


def test_c11_3_an_application_starts_once_for_each_server_that_names_it() -> None:
    recorded = Recorded()
    same = {'app': recorded}
    with serving(**same, vhosts={'a': {**same}, 'b': {**same, 'app_start_timeout': 9}}) as site:
        wait_for(recorded, 'startup')
        # Written otherwise it is the same object still.
        site.http.config['vhosts']['b']['app_start_timeout'] = 8
        site.http.config['vhosts']['a']['root_path'] = '/x'
        del site.http.config['app']
        with serving(**same):
            wait_for(recorded, 'startup', 'startup')
        wait_for(recorded, 'startup', 'startup', 'shutdown')
        del site.http.config['vhosts']['a']
        tick(0.3)
        assert recorded.seen.count('shutdown') == 1
        del site.http.config['vhosts']['b']
        wait_for(recorded, 'startup', 'startup', 'shutdown', 'shutdown')


def test_c11_3_each_call_of_a_factory_makes_one_of_its_own(modules: Modules) -> None:
    name = modules.add(
        'made = []\n'
        + WSGI
        + 'def create():\n    made.append(1)\n    return lambda e, s: app(e, s)\n'
    )
    config = {'app': f'{name}:create()', 'app_dir': str(modules.folder)}
    with serving(**config, vhosts={'a': {'app': f'{name}:create()'}}) as site:
        assert [site.get(host=host).status for host in ('x', 'a')] == [200, 200]
        assert sys.modules[name].made == [1]
        with serving(**config) as other:
            assert other.get().status == 200
        assert sys.modules[name].made == [1, 1]


# Changes.


def test_c11_2_requests_wait_for_an_application_that_starts(modules: Modules) -> None:
    sys.modules['hosted_gate'] = gate = type(sys)('hosted_gate')
    gate.importing, gate.go_on = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    modules.names.append('hosted_gate')
    name = modules.add(
        'import hosted_gate\nhosted_gate.importing.set()\nassert hosted_gate.go_on.wait(20)\n'
        + WSGI
    )
    with serving(vhosts={'a': {'app': wsgi}}) as site:
        change = threading.Thread(
            target=site.http.configuration,
            args=({'app': f'{name}:app', 'app_dir': str(modules.folder), 'vhosts': {'a': {'app': wsgi}}},),
        )  # fmt: skip
        change.start()
        assert gate.importing.wait(10)  # type: ignore[attr-defined]
        with site.client() as waiting:
            waiting.send('GET', '/')
            assert site.get('/x', host='a').text == '|/x', 'others go on'
            # A change meanwhile does not wait for it.
            site.http.config['vhosts']['b'] = {'app': lambda environ, start: wsgi(environ, start)}
            gate.go_on.set()  # type: ignore[attr-defined]
            assert waiting.read_response().text == name
        change.join(10)
        assert site.get('/x', host='b').text == '|/x'


def test_c11_2_an_import_that_hangs_holds_nobody_else_up(modules: Modules) -> None:
    sys.modules['hosted_gate'] = gate = type(sys)('hosted_gate')
    gate.go_on = threading.Event()  # type: ignore[attr-defined]
    modules.names.append('hosted_gate')
    hanging = modules.add('import hosted_gate\nassert hosted_gate.go_on.wait(60)\n' + WSGI)
    other = modules.add()
    mounts = {
        '/hanging': {'app': f'{hanging}:app', 'app_start_timeout': 0.3},
        '/other': {'app': f'{other}:app'},
        '/object': {'app': wsgi},
    }
    config = {'app_dir': str(modules.folder), 'python_threads': 1, 'mounts': mounts}
    overdue = f'application `{hanging}:app` has not started within 0.3 s'
    try:
        with Log() as log, serving(**config) as site:
            assert site.get('/object/x').text == '/object|/x'
            assert site.get('/other').text == other
            assert site.get('/hanging').status == 503
            log.wait_for(f'{overdue} .*: its import still runs')
            assert site.get('/hanging').status == 503
            site.http.config['index'] = 'other.html'
            assert site.get('/object/x').text == '/object|/x', 'a change waits for it no more'
            assert log.text.count(overdue) == 1
            gate.go_on.set()  # type: ignore[attr-defined]
            wait_until(lambda: site.get('/hanging').text == hanging, 'its start')
    finally:
        gate.go_on.set()  # type: ignore[attr-defined]


def test_c11_2_an_import_that_hangs_does_not_hold_up_the_end(modules: Modules) -> None:
    name = modules.add('import threading\nthreading.Event().wait()\n' + WSGI)
    config = {
        'port': 0,
        'app_dir': str(modules.folder),
        'python_threads': 1,
        'grace_period': 1,
        'mounts': {'/': {'app': f'{name}:app'}},
    }
    source = f'import slimHTTP\nslimHTTP.server(slimHTTP.HTTP, **{config!r}).run()\n'
    with Program(source) as program:
        with program.client() as client:
            client.send('GET', '/')
            assert client.is_open(within=0.1)
            assert program.stop() == 0


def test_c11_2_imports_run_in_the_order_of_the_configuration(modules: Modules) -> None:
    sys.modules['hosted_order'] = order = type(sys)('hosted_order')
    order.seen, order.threads = [], set()  # type: ignore[attr-defined]
    modules.names.append('hosted_order')
    source = (
        'import hosted_order, threading\nhosted_order.seen.append("begin")\n'
        'threading.Event().wait(0.05)\nhosted_order.seen.append("end")\n'
        'hosted_order.threads.add(threading.current_thread().name)\n' + WSGI
    )
    names = [modules.add(source) for _ in range(3)]
    mounts = {f'/{name}': {'app': f'{name}:app'} for name in names}
    with serving(app_dir=str(modules.folder), mounts=mounts) as site:
        assert [site.get(f'/{name}').text for name in names] == names
    assert order.seen == ['begin', 'end'] * 3  # type: ignore[attr-defined]
    expected = {f'slimHTTP start of application `{name}:app`' for name in names}
    assert order.threads == expected  # type: ignore[attr-defined]


def test_c11_2_requests_wait_no_longer_than_a_start_may_take() -> None:
    with serving(app=never_answers, app_start_timeout=0.3) as site:
        began = time.monotonic()
        response = site.get()
        assert (response.status, response.headers['Retry-After']) == (503, '1')
        assert time.monotonic() - began < 5


def test_c11_2_as_many_requests_wait_as_may() -> None:
    with serving(app=never_answers, max_queue=1) as site:
        with site.client() as one, site.client() as other:
            for client in (one, other):
                client.send('GET', '/')
            [refused], _, _ = select.select([one.socket, other.socket], [], [], 10)
            client = one if refused is one.socket else other
            assert client.read_response().status == 503


def test_c11_2_an_import_may_change_the_configuration(modules: Modules) -> None:
    name = modules.add(
        'import slimHTTP\n[http] = set(slimHTTP.instances.values())\n'
        "http.config['vhosts']['added'] = {'app': lambda e, s: app(e, s)}\n" + WSGI
    )
    with serving(app=f'{name}:app', app_dir=str(modules.folder)) as site:
        assert [site.get(host=host).text for host in ('x', 'added')] == [name, name]


def test_c11_2_one_that_has_failed_is_tried_anew_by_a_change_that_names_it(
    modules: Modules,
) -> None:
    broken, other = modules.add('1 / 0'), modules.add('1 / 0')
    config = {
        'app_dir': str(modules.folder),
        'vhosts': {'a': {'app': f'{broken}:app'}, 'b': {'app': f'{other}:app'}},
    }
    with Log() as log, serving(**config) as site:

        def failures() -> list[int]:
            return [log.text.count(f'`{name}:app` has not started') for name in (broken, other)]

        assert [site.get(host=host).status for host in 'ab'] == [503, 503]
        assert failures() == [1, 1]
        site.http.config['index'] = 'other.html'

        @site.http.route('/x')
        def route(request: Any) -> str:
            return 'x'

        assert failures() == [1, 1]
        (modules.folder / f'{broken}.py').write_text(WSGI)
        site.http.config['vhosts']['a'] = {'app': f'{broken}:app'}
        assert site.get(host='a').text == broken
        assert failures() == [1, 1]
        (modules.folder / f'{other}.py').write_text('# Longer than before.\n' + WSGI)
        site.http.configuration(config)
        assert [site.get(host=host).text for host in 'ab'] == [broken, other]


def test_c11_2_a_module_without_its_application_is_read_anew(modules: Modules) -> None:
    name = modules.add('')
    with serving(app=f'{name}:app', app_dir=str(modules.folder)) as site:
        assert site.get().status == 503
        (modules.folder / f'{name}.py').write_text(WSGI)
        site.http.config['app'] = f'{name}:app'
        assert site.get().text == name


def test_c11_2_a_change_that_is_refused_starts_and_ends_nothing() -> None:
    recorded = Recorded()
    with serving(app=recorded) as site:
        wait_for(recorded, 'startup')
        with pytest.raises(slimHTTP.ConfError):
            site.http.configuration({'app': wsgi, 'indx': 1})
        assert site.http.config['app'] is recorded
        tick(0.2)
        assert recorded.seen == ['startup']


def test_c11_2_changes_of_many_threads_come_to_the_last_one() -> None:
    every = [Recorded() for _ in range(12)]
    with serving() as site:
        threads = [
            threading.Thread(target=site.http.configuration, args=({'app': one},)) for one in every
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = site.http.config['app']
        wait_for(last, 'startup')
        for one in every:
            if one is not last:
                wait_until(lambda: one.seen in ([], ['startup', 'shutdown']), 'its end')  # noqa: B023
    assert last.seen == ['startup', 'shutdown']


def test_c11_2_a_request_in_flight_is_finished_by_the_application_that_began_it() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        began.set()
        assert go_on.wait(10)
        return wsgi(environ, start_response)

    with serving(app=slow, python_threads=2) as site, site.client() as client:
        client.send('GET', '/slow')
        assert began.wait(10)
        site.http.configuration({'app': wsgi, 'python_threads': 2})
        assert site.get('/new').text == '|/new'
        go_on.set()
        assert client.read_response().text == '|/slow'


# Objects.


def test_c11_2_a_configuration_gives_the_object_back_and_lets_it_go() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        return wsgi(environ, start_response)

    reference = weakref.ref(application)
    with serving() as site:
        site.http.config['app'] = application
        assert site.http.config['app'] is application
        assert site.http.config.copy()['app'] is application
        assert site.get().status == 200
        site.http.config['app'] = application
        assert site.get().status == 200
        site.http.config['app'] = wsgi
        del application

        def is_gone() -> bool:
            # It goes behind a change, once no thread has the site before any more.
            site.http.config['index'] = 'a.html'
            gc.collect()
            return reference() is None

        wait_until(is_gone, 'the end of the object')
        assert site.get().status == 200


def test_c11_2_configurations_that_are_refused_keep_no_objects() -> None:
    references = []
    with serving() as site:
        for _ in range(100):

            def application(environ: Any, start_response: Any) -> None: ...

            references.append(weakref.ref(application))
            assert site.http.check_config({'app': application}) is True
        del application
        gc.collect()
    assert sum(reference() is not None for reference in references) <= 40


# What is shown.


def test_c11_3_with_debug_the_failure_is_shown(modules: Modules) -> None:
    name = modules.add('secret_number = 7\nraise LookupError("no <database>")\n')
    config = {'app': f'{name}:app', 'app_dir': str(modules.folder)}
    with serving(**config, debug=True, vhosts={'quiet': {'debug': False}}) as site:
        shown, plain = site.get(), site.get(host='quiet')
    assert (shown.status, plain.status) == (503, 503)
    assert 'no &lt;database&gt;' in shown.text
    assert f'application <code>{name}:app</code>' in shown.text
    assert 'a plain 503' in shown.text
    assert 'The request' not in shown.text
    assert 'database' not in plain.text


def test_c11_3_with_debug_what_is_wrong_is_shown_in_words(modules: Modules) -> None:
    with serving(app=modules.add(''), app_dir=str(modules.folder), debug=True) as site:
        assert 'nothing that looks like one' in site.get().text
