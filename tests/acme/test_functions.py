"""Functions of the program that set the records of dns-01, and that say which names may have one."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import slimHTTP
from support import (
    REPOSITORY,
    Exchange,
    Log,
    Program,
    Upstream,
    get,
    tree,
    wait_until,
    wait_until_async,
)
from support.pebble import Authority, needs_pebble, secure, serial, wait_for_certificate
from support.tls import lenient_tls

#: What is called with which arguments, on which thread.
Calls = list[tuple[str, str, str, str]]
Provider = Callable[[Authority, Calls], Any]


def serve_record(authority: Authority, calls: Calls, action: str, name: str, value: str) -> None:
    """What a provider of the DNS does."""
    calls.append((action, name, value, threading.current_thread().name))
    if action == 'present':
        authority.add_record(name, value)
    else:
        authority.remove_records(name)


def plain_class(authority: Authority, calls: Calls) -> Any:
    class Records:
        def present(self, name: str, value: str) -> None:
            serve_record(authority, calls, 'present', name, value)

        def cleanup(self, name: str, value: str) -> None:
            serve_record(authority, calls, 'cleanup', name, value)

    return Records


def async_object(authority: Authority, calls: Calls) -> Any:
    class Records:
        async def present(self, name: str, value: str) -> None:
            await asyncio.sleep(0)
            serve_record(authority, calls, 'present', name, value)

        async def cleanup(self, name: str, value: str) -> None:
            serve_record(authority, calls, 'cleanup', name, value)

    return Records()


def function(authority: Authority, calls: Calls) -> Any:
    return functools.partial(serve_record, authority, calls)


def mixed_function(authority: Authority, calls: Calls) -> Any:
    async def later(name: str, value: str) -> None:
        serve_record(authority, calls, 'present', name, value)

    def change(action: str, name: str, value: str) -> Any:
        if action == 'present':
            return later(name, value)
        return serve_record(authority, calls, action, name, value)

    return change


def wildcard_site(authority: Authority, host: str, **dns: Any) -> dict[str, Any]:
    return {
        'listen': [],
        'vhosts': {host: {'tls': {'cert': 'auto', 'names': f'*.{host}'}}},
        'acme': {'challenge': 'dns-01', 'dns': {'resolvers': [authority.dns], **dns}},
    }


def fault_of(http: Any) -> str:
    [known] = [known for known in http.certificates() if known['source'] == 'automatic']
    return str(known['fault'] or '')


@needs_pebble
@pytest.mark.parametrize(
    ('provider', 'threads'),
    [
        (plain_class, {'slimHTTP acme_dns'}),
        (async_object, {'slimHTTP event loop'}),
        (function, {'slimHTTP acme_dns'}),
        (mixed_function, {'slimHTTP acme_dns', 'slimHTTP event loop'}),
    ],
)
def test_c10_4_the_program_sets_records_for_a_wildcard(
    provider: Provider, threads: set[str], authority: Authority, tmp_path: Path
) -> None:
    calls: Calls = []
    host = f'{provider.__name__.replace("_", "-")}.example'
    config = wildcard_site(authority, host)
    http = slimHTTP.server(
        slimHTTP.HTTPS,
        addr='127.0.0.1',
        port=authority.tls,
        quiet=True,
        **{**config, 'acme': authority.options(storage=str(tmp_path / 'acme'), **config['acme'])},
    )
    given = provider(authority, calls)
    assert http.acme_dns(given) is given
    with http:
        client = authority.client()
        found = {
            wait_for_certificate(authority.tls, name, client) for name in (host, f'any.{host}')
        }
        assert len(found) == 1
        wait_until(lambda: len(calls) == 4, 'the removal of both records')
    presented = [(name, value) for action, name, value, _ in calls if action == 'present']
    cleaned = [(name, value) for action, name, value, _ in calls if action == 'cleanup']
    assert {name for name, _ in presented} == {f'_acme-challenge.{host}'}
    assert len({value for _, value in presented}) == 2
    assert sorted(cleaned) == sorted(presented)
    assert {thread for *_, thread in calls} == threads


class NoZone:
    """A provider of the DNS that refuses, in more than one line."""

    def present(self, name: str, value: str) -> None:
        raise LookupError(f'{name} is in no zone\nof ours')

    def cleanup(self, name: str, value: str) -> None:
        raise AssertionError('nothing was set')


@needs_pebble
def test_c10_4_what_the_program_raises_is_the_failure_in_one_line(
    authority: Authority, tmp_path: Path
) -> None:
    with Log() as log, authority.site(tmp_path, **wildcard_site(authority, 'z.example')) as site:
        nobody = wait_until(lambda: fault_of(site.http), 'a failure')
        assert 'cannot be answered: nobody sets records' in nobody
        site.http.acme_dns(NoZone)
        # Another configuration is tried at once.
        site.http.config['acme']['email'] = 'admin@z.example'
        why = wait_until(lambda: 'LookupError' in fault_of(site.http) and fault_of(site.http))
        said = r'`acme_dns` raised LookupError: _acme-challenge\.z\.example is in no zone of ours'
        assert re.fullmatch(rf'dns-01 of (\*\.)?z\.example cannot be answered: {said}', why), why
        log.wait_for(
            r'acme_dns \(present of _acme-challenge\.z\.example\) failed\n +Traceback .*'
            r'raise LookupError.*is in no zone\n +of ours'
        )


@needs_pebble
@pytest.mark.parametrize('is_async', [True, False])
def test_c10_4_a_program_that_is_late_has_failed(
    is_async: bool, authority: Authority, tmp_path: Path
) -> None:
    ended, released = threading.Event(), threading.Event()

    class Slow:
        if is_async:

            async def present(self, name: str, value: str) -> None:
                try:
                    await wait_until_async(released.is_set)
                finally:
                    ended.set()
        else:

            def present(self, name: str, value: str) -> None:
                wait_until(released.is_set)
                ended.set()

        def cleanup(self, name: str, value: str) -> None: ...

    config = wildcard_site(authority, 'late.example', timeout=0.3)
    # First of all, so that nobody asks before there is somebody to ask.
    config['acme']['challenge'] = 'http-01'
    with authority.site(tmp_path, **config) as site:
        site.http.acme_dns(Slow)
        site.http.route('/', vhost='late.example')(lambda request: 'served')
        site.http.config['acme']['challenge'] = 'dns-01'
        why = wait_until(lambda: 'not done' in fault_of(site.http) and fault_of(site.http))
        assert why.endswith('cannot be answered: not done in 0.3 s')
        # A plain function goes on, and holds nobody up; a coroutine is cancelled.
        assert ended.wait(10) if is_async else not ended.is_set()
        with secure(authority.tls, 'late.example', lenient_tls()) as client:
            assert client.get('/', host='late.example').text == 'served'
        released.set()
        assert ended.wait(10)


@needs_pebble
def test_c10_4_a_server_that_stops_waits_for_no_record(
    authority: Authority, tmp_path: Path
) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def never(action: str, name: str, value: str) -> None:
        begun.set()
        try:
            await wait_until_async(lambda: False, patience=60)
        finally:
            ended.set()

    config = {**wildcard_site(authority, 'stop.example'), 'grace_period': 60}
    config['acme']['challenge'] = 'http-01'
    with Log() as log:
        with authority.site(tmp_path, **config) as site:
            site.http.acme_dns(never)
            site.http.config['acme']['challenge'] = 'dns-01'
            assert begun.wait(10)
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 10
        assert ended.is_set()
        assert 'Traceback' not in log.text
        assert 'still running' not in log.text


@needs_pebble
@pytest.mark.parametrize('is_async', [False, True])
def test_c10_4_the_program_says_which_names_may_have_one_on_demand(
    is_async: bool, authority: Authority, tmp_path: Path
) -> None:
    asked: list[str] = []
    kind = 'async' if is_async else 'plain'

    def decide(name: str) -> Any:
        asked.append(name)
        if name.startswith('broken'):
            raise LookupError('the table is gone')
        return name.startswith('shop') or None

    async def decide_later(name: str) -> Any:
        await asyncio.sleep(0)
        return decide(name)

    tree(tmp_path / 'www', {'index.html': 'a page'})
    config = {
        'web_root': str(tmp_path / 'www'),
        'tls': 'auto',
        'acme': {'on_demand': {'allow': 'allowed.example'}},
    }
    orders = authority.orders
    with Log() as log, authority.site(tmp_path, **config) as site:
        given = decide_later if is_async else decide
        assert site.http.acme_allow(given) is given
        client = authority.client()
        for name in (f'shop.{kind}.example', 'allowed.example'):
            # The handshake itself waits for it.
            assert serial(authority.tls, name, client)
            with secure(authority.tls, name, client) as browser:
                assert browser.get('/', host=name).text == 'a page'
        for name in (f'other.{kind}.example', f'broken.{kind}.example'):
            for _ in range(2):
                assert serial(authority.tls, name, client) is None
        log.wait_for(rf'acme_allow of broken\.{kind}\.example failed\n +Traceback .*LookupError')
        # Once each, and what the configuration allows not at all.
        assert asked == [f'{name}.{kind}.example' for name in ('shop', 'other', 'broken')]
        assert authority.orders == orders + 2


@needs_pebble
def test_c10_4_a_client_does_not_wait_for_a_decision_for_ever(
    authority: Authority, tmp_path: Path
) -> None:
    ended = threading.Event()

    async def never(name: str) -> bool:
        try:
            await wait_until_async(lambda: False)
        finally:
            ended.set()
        return True

    config = {'tls': 'auto', 'acme': {'on_demand': {'timeout': 0.3}}}
    with authority.site(tmp_path, **config) as site:
        site.http.acme_allow(never)
        assert serial(authority.tls, 'slow.example', authority.client()) is None
        assert ended.wait(10), 'it is cancelled'


class Half:
    def present(self, name: str, value: str) -> None: ...


class Greedy:
    def __init__(self, zone: str) -> None: ...
    def present(self, name: str, value: str) -> None: ...
    def cleanup(self, name: str, value: str) -> None: ...


@pytest.fixture
def http() -> Iterator[Any]:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    yield server
    server.close()


@pytest.mark.parametrize('provider', [None, 'nsupdate', Half, Half(), int, type('Any', (), {})()])
def test_what_sets_no_records_is_refused(provider: Any, http: Any) -> None:
    expected = r'acme_dns: expected a class or an object with `present\(name, value\)` and'
    with pytest.raises(TypeError, match=expected):
        http.acme_dns(provider)


def test_a_class_that_needs_arguments_is_refused_as_python_does(http: Any) -> None:
    with pytest.raises(TypeError, match='zone'):
        http.acme_dns(Greedy)
    given = Greedy('a.example')
    assert http.acme_dns(given) is given


@pytest.mark.parametrize('function', [None, 'example.com', ['example.com']])
def test_what_decides_about_no_names_is_refused(function: Any, http: Any) -> None:
    with pytest.raises(TypeError, match='acme_allow: expected a function, found'):
        http.acme_allow(function)


# The programs of docs/acme.md, as they stand there but for where they listen and whom they ask.

BLOCK = re.compile(r'<!-- (\w+): site\.py -->\n+```python\n(.*?)^```$', re.M | re.S)


def documented(name: str, folder: Path, authority: Authority, **acme: Any) -> Path:
    """Write the program of this name of the page; its file."""
    programs = dict(BLOCK.findall((REPOSITORY / 'docs' / 'acme.md').read_text()))
    program, begin = programs[name], 'acme={'
    where = f"addr='127.0.0.1', port={authority.tls}, listen=['http://127.0.0.1:{authority.http}'],"
    options = json.dumps({**authority.options(), **acme})
    assert program.count(begin) == 1
    program = program.replace(begin, f'{where} acme={{**{options}, ')
    tree(folder, {'site.py': program, 'site/index.html': 'a page'})
    return folder / 'site.py'


@needs_pebble
def test_the_documented_provider_of_records_sets_them(authority: Authority, tmp_path: Path) -> None:
    asked: list[str] = []

    def provider(exchange: Exchange) -> None:
        asked.append(exchange.method)
        record = json.loads(exchange.read_body())
        if exchange.method == 'POST':
            authority.add_record(record['name'], record['value'])
        else:
            authority.remove_records(record['name'])
        exchange.respond(status='201 Created')

    with Upstream(provider) as upstream:
        dns = {'resolvers': [authority.dns]}
        file = documented('records', tmp_path, authority, dns=dns)
        env = {'DNS_API': f'http://{upstream.name}', 'DNS_TOKEN': 'secret'}
        with Program(file, cwd=tmp_path, env=env) as site:
            client = authority.client()
            wait_for_certificate(authority.tls, 'any.example.com', client)
            with secure(authority.tls, 'example.com', client) as browser:
                assert browser.get('/', host='example.com').text == 'a page'
            wait_until(lambda: len(asked) == 4, 'the removal of both records')
            assert site.stop() == 0
            assert 'Traceback' not in site.stderr, site.stderr


@needs_pebble
def test_the_documented_judge_of_names_looks_into_its_table(
    authority: Authority, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / 'customers.db') as customers:
        customers.execute('CREATE TABLE sites (name TEXT)')
        customers.execute("INSERT INTO sites VALUES ('ada.example')")
    customers.close()
    file = documented('names', tmp_path, authority)
    with Program(file, cwd=tmp_path) as site:
        site.wait_for('Ctrl-C stops')
        assert get(('127.0.0.1', authority.http), '/').text == 'a page'
        client = authority.client()
        assert serial(authority.tls, 'ada.example', client)
        assert serial(authority.tls, 'eve.example', client) is None
        assert site.stop() == 0
        assert 'Traceback' not in site.stderr, site.stderr
