"""C11.3: a request of HTTP as an ASGI application sees it; for its response see `test_asgi_responses`.

The rules are those of the specification (ASGI 3.0, `HTTP & WebSocket ASGI Message Format` 2.5).
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support import (
    PATIENCE,
    Client,
    serving,
    wait_until,
)
from support.asgi import AsgiSite, Noted, Receive, Send, asgi_site, body, says, start
from support.waiting import tick_async, wait_until_async

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiSite]:
    folder = tmp_path_factory.mktemp('private')
    (folder / 'report.txt').write_text('0123456789')
    with asgi_site(
        max_body=8 << 20,
        private_root=str(folder),
        root_path='/front',
        trusted_proxies=['127.0.0.2'],
    ) as site:
        site.folder = folder  # type: ignore[attr-defined]
        yield site


def scope_of(site: AsgiSite, target: str = '/', **options: Any) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope)
        await says(start(), body())(scope, receive, send)

    assert site.ask(application, target, **options).status == 200
    return seen[0]


def test_c11_3_the_scope_is_as_the_specification_has_it(site: AsgiSite) -> None:
    with site.serving.client() as client:
        scope = scope_of(site, '/a%20b/%C3%A4?x=%20y', fields=[('X-Two', '2')], client=client)
        local = client.socket.getsockname()
    headers = scope.pop('headers')
    assert scope == {
        'type': 'http',
        'asgi': {'version': '3.0', 'spec_version': '2.5'},
        'http_version': '1.1',
        'method': 'GET',
        'scheme': 'http',
        'path': '/front/a b/ä',
        'raw_path': b'/front/a%20b/%C3%A4',
        'query_string': b'x=%20y',
        'root_path': '/front',
        'client': local,
        'server': site.address,
        'state': {},
        'extensions': {'http.response.pathsend': {}, 'http.response.early_hint': {}},
    }
    assert [name for name, _ in headers] == [b'host', b'x-app', b'x-two']
    assert headers[2] == (b'x-two', b'2')


def test_c11_3_no_scope_shares_what_may_be_changed(site: AsgiSite) -> None:
    first = scope_of(site)
    for name in 'asgi', 'extensions', 'state':
        first[name]['changed'] = True
    first['headers'].append((b'changed', b''))
    second = scope_of(site)
    assert 'changed' not in str(second)


@of('method', ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])
def test_c11_3_any_method_comes_as_it_is(site: AsgiSite, method: str) -> None:
    assert scope_of(site, method=method)['method'] == method


def test_c11_3_repeated_fields_stay_apart_and_in_order(site: AsgiSite) -> None:
    scope = scope_of(site, fields=[('X-A', '1'), ('X-B', '2'), ('X-A', '3')])
    assert [value for name, value in scope['headers'] if name == b'x-a'] == [b'1', b'3']


def test_c11_3_a_trusted_proxy_is_believed() -> None:
    with asgi_site(trusted_proxies=['127.0.0.1']) as site:
        told = [('X-Forwarded-For', '192.0.2.7'), ('X-Forwarded-Proto', 'https')]
        scope = scope_of(site, fields=told)
        assert (scope['client'], scope['scheme']) == (('192.0.2.7', 0), 'https')


def test_c11_3_a_stranger_is_not_believed(site: AsgiSite) -> None:
    scope = scope_of(
        site, fields=[('X-Forwarded-For', '192.0.2.7'), ('X-Forwarded-Proto', 'https')]
    )
    assert (scope['client'][0], scope['scheme']) == ('127.0.0.1', 'http')


def test_c11_3_http_1_0_says_so_and_is_offered_less(site: AsgiSite) -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append((scope['http_version'], scope['extensions']))
        await says(start(), body(b'a', more_body=True), body(b'b'))(scope, receive, send)

    with site.serving.client() as client:
        client.send_raw(b'GET / HTTP/1.0\r\nX-App: %s\r\n\r\n' % site.name(application).encode())
        answer = client.read_rest()
    assert answer.endswith(b'\r\n\r\nab')
    assert seen == [('1.0', {'http.response.pathsend': {}})]


def test_c11_3_trailers_are_offered_where_the_client_takes_them(site: AsgiSite) -> None:
    takes = [('TE', 'gzip, trailers'), ('Connection', 'TE')]
    assert 'http.response.trailers' in scope_of(site, fields=takes)['extensions']
    assert 'http.response.trailers' not in scope_of(site, fields=[('TE', 'gzip')])['extensions']


async def content(receive: Receive) -> list[tuple[bytes, bool]]:
    messages = []
    while True:
        message = await receive()
        assert message['type'] == 'http.request', message
        messages.append((message['body'], message['more_body']))
        if not message['more_body']:
            return messages


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    got = b''.join(chunk for chunk, _ in await content(receive))
    await says(start(), body(got))(scope, receive, send)


def test_c11_3_a_request_without_content_is_complete_at_once(site: AsgiSite) -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.extend(await content(receive))
        await says(start(), body())(scope, receive, send)

    assert site.ask(application).status == 200
    assert seen == [(b'', False)]


@of('sent', [b'x', b'x' * 70_000, b'x' * 3_000_000], ids=len)
@of('chunked', [False, True])
def test_c11_3_content_comes_whole_and_in_order(site: AsgiSite, sent: bytes, chunked: bool) -> None:
    pieces = [sent[at : at + 10_000] for at in range(0, len(sent), 10_000)]
    response = site.ask(echo, method='POST', body=pieces if chunked else sent)
    assert (response.status, response.body == sent) == (200, True)


def test_c11_3_content_is_given_as_it_comes(site: AsgiSite) -> None:
    got: list[bytes] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            got.append(message['body'])
            if not message['more_body']:
                break
        await says(start(), body())(scope, receive, send)

    with site.serving.client() as client:
        site.send(client, application, method='POST', fields=[('Content-Length', '4')])
        client.send_raw(b'ab')
        wait_until(lambda: b''.join(got) == b'ab', 'the first half')
        client.send_raw(b'cd')
        assert client.read_response().status == 200
    assert b''.join(got) == b'abcd'


def test_c11_3_content_that_nobody_reads_stays_with_the_client(site: AsgiSite) -> None:
    go_on = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        first = await receive()
        await wait_until_async(go_on.is_set)
        size = len(first['body'])
        while first['more_body']:
            first = await receive()
            size += len(first['body'])
        await says(start(), body(str(size).encode()))(scope, receive, send)

    size = 8 << 20
    sent = 0
    with site.serving.client() as client:
        site.send(client, application, method='POST', fields=[('Content-Length', str(size))])
        client.socket.settimeout(0.5)
        block = b'x' * 65_536
        stopped = False
        while sent < size and not stopped:
            try:
                sent += client.socket.send(block[: size - sent])
            except OSError:  # Its time is over: nobody takes more.
                stopped = True
        assert stopped, 'all of it was taken, and nobody has read it'
        go_on.set()
        client.socket.settimeout(PATIENCE)
        while sent < size:
            sent += client.socket.send(block[: size - sent])
        assert client.read_response().body == str(size).encode()


def test_c11_3_100_continue_is_sent_once_the_content_is_asked_for(site: AsgiSite) -> None:
    with site.serving.client() as client:
        site.send(
            client,
            echo,
            method='POST',
            fields=[('Content-Length', '2'), ('Expect', '100-continue')],
        )
        assert client.read_head().status == 100
        client.send_raw(b'ok')
        assert client.read_response().body == b'ok'


def test_c11_3_a_receive_behind_the_content_waits_until_the_response_is_complete(
    site: AsgiSite,
) -> None:
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await says(start(), body(b'x'))(scope, receive, send)
        seen.note((await waiting, await receive()))

    assert site.ask(application).body == b'x'
    assert seen.wait() == ({'type': 'http.disconnect'},) * 2


def test_c11_3_a_receive_that_is_cancelled_loses_nothing(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        got = b''
        for _ in range(20):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.001)
        client.send_raw(b'abc')
        for chunk, _ in await content(receive):
            got += chunk
        await says(start(), body(got))(scope, receive, send)

    with site.serving.client() as client:
        site.send(client, application, method='POST', fields=[('Content-Length', '3')])
        assert client.read_response().body == b'abc'


@of('left', ['reset', 'close'])
def test_c11_3_a_client_that_leaves_is_told_of_at_once(site: AsgiSite, left: str) -> None:
    waits, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        message = await receive()
        try:
            await send(start())
        except OSError as error:
            seen.note((message, type(error).__name__))

    client = site.serving.client()
    site.send(client, application)
    waits.wait()
    getattr(client, left)()
    assert seen.wait() == ({'type': 'http.disconnect'}, 'ClientDisconnected')


def test_c11_3_a_client_that_leaves_a_stream_is_told_of_by_receive_and_send(site: AsgiSite) -> None:
    streams, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        await send(body(b'x', more_body=True))
        streams.note()
        message = await receive()
        with pytest.raises(OSError) as raised:
            await send(body(b'x', more_body=True))
        seen.note((message, type(raised.value).__name__))

    client = site.serving.client()
    site.send(client, application)
    assert client.read_head().status == 200
    streams.wait()
    client.reset()
    assert seen.wait() == ({'type': 'http.disconnect'}, 'ClientDisconnected')


def test_c11_3_a_client_that_leaves_cancels_nothing(site: AsgiSite) -> None:
    waits, left, seen = Noted(), threading.Event(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        try:
            await wait_until_async(left.is_set)
            assert (await receive())['type'] == 'http.disconnect'
            await tick_async()
            seen.note('its end')
        except asyncio.CancelledError:
            seen.note('cancelled')
            raise

    client = site.serving.client()
    site.send(client, application)
    waits.wait()
    client.reset()
    left.set()
    assert seen.wait() == 'its end'


variable: contextvars.ContextVar[str] = contextvars.ContextVar('variable', default='unset')


def test_c11_3_each_request_is_a_task_with_a_context_of_its_own(site: AsgiSite) -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        before, task = variable.get(), asyncio.current_task()
        variable.set('set')
        await asyncio.sleep(0)
        seen.append((before, variable.get(), task is asyncio.current_task(), task is not None))
        await says(start(), body())(scope, receive, send)

    for _ in range(2):
        assert site.ask(application).status == 200
    assert seen == [('unset', 'set', True, True)] * 2


class Instance:
    """An application that is an object, and one whose call is no `async def`."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await says(start(), body(b'object'))(scope, receive, send)


def plain(scope: Any, receive: Receive, send: Send) -> Any:
    assert asyncio.current_task() is not None
    return says(start(), body(b'plain'))(scope, receive, send)


@of('application, expected', [(Instance(), b'object'), (plain, b'plain')])
def test_c11_3_whatever_can_be_called_is_an_application(
    site: AsgiSite, application: Any, expected: bytes
) -> None:
    assert site.ask(application).body == expected


def test_c11_3_receive_and_send_are_coroutines_for_tasks(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        message: Any = await asyncio.create_task(receive())  # type: ignore[arg-type]
        await asyncio.create_task(send(start()))  # type: ignore[arg-type]
        await asyncio.gather(send(body(message['type'].encode())))

    assert site.ask(application).body == b'http.request'


def test_c11_3_send_may_be_called_on_another_thread(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            for message in (start(), body(b'a', more_body=True), body(b'b')):
                asyncio.run_coroutine_threadsafe(send(message), loop).result(PATIENCE)  # type: ignore[arg-type]

        await loop.run_in_executor(None, work)

    assert site.ask(application).body == b'ab'


def test_c11_3_requests_of_one_connection_are_answered_in_turn(site: AsgiSite) -> None:
    with Client(site.address) as client:
        for number in range(50):
            answer = site.ask(says(start(), body(str(number).encode())), client=client)
            assert answer.body == str(number).encode()
        assert client.connections == 1


def test_c11_3_what_the_scope_says_of_a_prefix() -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append((scope['path'], scope['root_path']))
        await says(start(), body())(scope, receive, send)

    with serving(app=application, interface='asgi', lifespan='off') as site:
        assert site.get('/a/b').status == 200
    assert seen == [('/a/b', '')]


def left_over() -> list[str]:
    gc.collect()
    names = {'AsgiExchange', 'ApplicationCoroutine', 'Awaiting'}
    return [repr(it) for it in gc.get_objects() if type(it).__name__ in names]


def test_c11_3_nothing_is_left_of_requests_that_are_over(site: AsgiSite) -> None:
    waits, left = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        await receive()
        left.note()

    for _ in range(20):
        assert site.ask(echo, method='POST', body=b'x').body == b'x'
    client = site.serving.client()
    site.send(client, application)
    waits.wait()
    client.reset()
    left.wait()
    wait_until(lambda: not left_over(), 'the end of all that requests have made')
