"""C11.3: a WebSocket as an ASGI application accepts it, denies it, and speaks over it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE, Client, Log, serving, wait_until
from support.asgi import AsgiSite, Noted, Receive, Send, asgi_site
from support.waiting import settles
from support.websocket_clients import client as connect
from support.websocket_clients import closing
from websockets.exceptions import InvalidStatus

of = pytest.mark.parametrize

ACCEPT = {'type': 'websocket.accept'}
CLOSE = {'type': 'websocket.close'}


@pytest.fixture(scope='module')
def site() -> Iterator[AsgiSite]:
    with asgi_site(root_path='/front') as site:
        yield site


def open_by(site: AsgiSite, application: Any, path: str = '/ws', **options: Any) -> Any:
    fields = [('X-App', site.name(application)), *options.pop('fields', ())]
    return connect(site, path, additional_headers=fields, **options)


async def accept(receive: Receive, send: Send, **more: Any) -> None:
    assert await receive() == {'type': 'websocket.connect'}
    await send({**ACCEPT, **more})


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await accept(receive, send)
    while (message := await receive())['type'] == 'websocket.receive':
        await send({**message, 'type': 'websocket.send'})


def errors(log: Log) -> list[logging.LogRecord]:
    return [record for record in list(log.records) if record.levelno >= logging.ERROR]


def test_c11_3_the_scope_of_a_websocket(site: AsgiSite) -> None:
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope)
        await accept(receive, send, subprotocol='two')

    with open_by(site, application, '/a%20b?x=y', subprotocols=['one', 'two']) as client:
        assert client.subprotocol == 'two'
    (scope,) = seen
    headers = dict(scope.pop('headers'))
    assert headers[b'upgrade'] == b'websocket'
    assert scope.pop('client')[0] == '127.0.0.1'
    assert scope == {
        'type': 'websocket',
        'asgi': {'version': '3.0', 'spec_version': '2.5'},
        'http_version': '1.1',
        'subprotocols': ['one', 'two'],
        'scheme': 'ws',
        'path': '/front/a b',
        'raw_path': b'/front/a%20b',
        'query_string': b'x=y',
        'root_path': '/front',
        'server': site.address,
        'state': {},
        'extensions': {'websocket.http.response': {}},
    }


@of('message', ['text', 'ä' * 1000, b'bytes', b'', ''])
def test_c11_3_messages_go_both_ways_as_they_are(site: AsgiSite, message: Any) -> None:
    with open_by(site, echo) as client:
        client.send(message)
        assert client.recv(timeout=PATIENCE) == message


def test_c11_3_many_messages_go_both_ways_in_order(site: AsgiSite) -> None:
    with open_by(site, echo) as client:
        for number in range(300):
            client.send(str(number))
            assert client.recv(timeout=PATIENCE) == str(number)


def test_c11_3_a_message_has_the_key_of_its_kind_only(site: AsgiSite) -> None:
    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        seen.extend([await receive(), await receive()])

    with open_by(site, application) as client:
        client.send('a')
        client.send(b'b')
        closing(client)
    assert seen == [
        {'type': 'websocket.receive', 'text': 'a'},
        {'type': 'websocket.receive', 'bytes': b'b'},
    ]


@of('none', [{'bytes': None, 'text': 'x'}, {'text': 'x'}])
def test_c11_3_what_is_none_is_not_sent(site: AsgiSite, none: Any) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send({'type': 'websocket.send', **none})

    with open_by(site, application) as client:
        assert client.recv(timeout=PATIENCE) == 'x'


def test_c11_3_fields_of_the_acceptance_are_sent(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send, headers=[(b'X-A', b'1'), (b'set-cookie', b'a=b')])

    with open_by(site, application) as client:
        assert client.response.headers['x-a'] == '1'
        assert client.response.headers['set-cookie'] == 'a=b'


def test_c11_3_any_origin_is_the_applications_to_judge(site: AsgiSite) -> None:
    with open_by(site, echo, origin='https://elsewhere.example') as client:
        client.send('x')
        assert client.recv(timeout=PATIENCE) == 'x'


def denied(site: AsgiSite, application: Any) -> Any:
    with pytest.raises(InvalidStatus) as raised:
        open_by(site, application)
    return raised.value.response


def test_c11_3_a_websocket_that_is_closed_at_once_is_answered_403(site: AsgiSite) -> None:
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send(CLOSE)
        seen.note(await receive())

    assert denied(site, application).status_code == 403
    assert seen.wait() == {'type': 'websocket.disconnect', 'code': 1006, 'reason': ''}


@of('streamed', [False, True])
def test_c11_3_a_websocket_is_denied_by_a_response(site: AsgiSite, streamed: bool) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        kind = 'websocket.http.response'
        fields = [(b'x-a', b'1')]
        await send({'type': f'{kind}.start', 'status': 401, 'headers': fields})
        if streamed:
            for _ in range(10):
                await send({'type': f'{kind}.body', 'body': b'n' * 50_000, 'more_body': True})
        await send({'type': f'{kind}.body', 'body': b'no'})

    response = denied(site, application)
    assert (response.status_code, response.headers['x-a']) == (401, '1')
    assert response.body.endswith(b'no')
    assert len(response.body) == (500_002 if streamed else 2)


@of('how, expected', [({}, (1000, '')), ({'code': 4001, 'reason': 'ä'}, (4001, 'ä'))])
def test_c11_3_the_application_closes_with_its_code(
    site: AsgiSite, how: Any, expected: Any
) -> None:
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send({**CLOSE, **how})
        seen.note(await receive())

    with open_by(site, application) as client:
        assert closing(client) == expected
    message = seen.wait()
    assert (message['type'], message['code']) == ('websocket.disconnect', expected[0])


def test_c11_3_who_returns_closes_with_1000(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send({'type': 'websocket.send', 'text': 'last'})

    with Log() as log, open_by(site, application) as client:
        assert client.recv(timeout=PATIENCE) == 'last'
        assert closing(client)[0] == 1000
    assert errors(log) == []


@of('code', [1000, 1001, 4321])
def test_c11_3_the_clients_close_is_told_of(site: AsgiSite, code: int) -> None:
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        first, second = await receive(), await receive()
        with pytest.raises(OSError) as raised:
            await send({'type': 'websocket.send', 'text': 'x'})
        await send(CLOSE)  # There is nothing left to close.
        seen.note((first, second, type(raised.value).__name__))

    with open_by(site, application) as client:
        client.close(code, 'its reason')
    message = {'type': 'websocket.disconnect', 'code': code, 'reason': 'its reason'}
    assert seen.wait() == (message, message, 'ClientDisconnected')


def test_c11_3_a_client_that_is_gone_is_told_of_as_1006(site: AsgiSite) -> None:
    opened, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        opened.note()
        seen.note(await receive())

    with Client(site.address) as client:
        handshake(client, site.name(application))
        opened.wait()
        client.reset()
    assert seen.wait() == {'type': 'websocket.disconnect', 'code': 1006, 'reason': ''}


def handshake(client: Client, name: str) -> None:
    fields = {
        'Connection': 'Upgrade',
        'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'X-App': name,
    }
    client.send('GET', '/ws', fields)


def test_c11_3_a_client_that_leaves_before_it_is_accepted_is_told_of(site: AsgiSite) -> None:
    waits, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        message = await receive()
        with pytest.raises(OSError) as raised:
            await send(ACCEPT)
        seen.note((message, type(raised.value).__name__))

    with Client(site.address) as client:
        handshake(client, site.name(application))
        waits.wait()
        client.reset()
    gone = {'type': 'websocket.disconnect', 'code': 1006, 'reason': ''}
    assert seen.wait() == (gone, 'ClientDisconnected')


def test_c11_3_send_waits_for_a_slow_client(site: AsgiSite) -> None:
    sent: list[int] = []
    finished = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        for number in range(400):
            await send({'type': 'websocket.send', 'bytes': b'%4d' % number + bytes(100_000)})
            sent.append(number)
        finished.note()

    with open_by(site, application, max_queue=1, compression=None) as client:
        first = client.recv(timeout=PATIENCE)
        assert first[:4] == b'   0'
        assert settles(lambda: len(sent)) < 400
        for number in range(1, 400):
            assert client.recv(timeout=PATIENCE)[:4] == b'%4d' % number
        finished.wait()


#: What is sent, whether it is accepted before, and what `send` raises.
WRONG: dict[str, tuple[bool, Any, str]] = {
    'send before accept': (
        False,
        {'type': 'websocket.send', 'text': 'x'},
        "RuntimeError: unexpected ASGI message 'websocket.send': the WebSocket is not accepted",
    ),
    'accept twice': (True, ACCEPT, "RuntimeError: unexpected ASGI message 'websocket.accept'"),
    'a response to an open one': (
        True,
        {'type': 'websocket.http.response.start', 'status': 400},
        "RuntimeError: unexpected ASGI message 'websocket.http.response.start'",
    ),
    'an unknown type': (True, {'type': 'websocket.nonsense'}, 'RuntimeError: '),
    'a type of HTTP': (False, {'type': 'http.response.start', 'status': 200}, 'RuntimeError: '),
    'nothing': (True, {'type': 'websocket.send'}, 'TypeError: `websocket.send` has either'),
    'both': (
        True,
        {'type': 'websocket.send', 'text': 'x', 'bytes': b'x'},
        'TypeError: `websocket.send` has either',
    ),
    'text of bytes': (True, {'type': 'websocket.send', 'text': b'x'}, 'TypeError: `text` is str'),
    'bytes of text': (
        True,
        {'type': 'websocket.send', 'bytes': 'x'},
        'TypeError: `bytes` is bytes',
    ),
    'a code that is none': (True, {**CLOSE, 'code': 1005}, 'ValueError: expected a close code'),
    'a long reason': (True, {**CLOSE, 'reason': 'x' * 200}, 'ValueError: expected a reason'),
    'a subprotocol of its own': (
        False,
        {**ACCEPT, 'subprotocol': 'x'},
        'ValueError: the client has not offered the subprotocol',
    ),
    'a field of the handshake': (
        False,
        {**ACCEPT, 'headers': [(b'sec-websocket-protocol', b'x')]},
        'ValueError: the header `sec-websocket-protocol`',
    ),
}


@of('name', WRONG)
def test_c11_3_send_raises_what_is_wrong(site: AsgiSite, name: str) -> None:
    is_open, message, expected = WRONG[name]
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        if is_open:
            await send(ACCEPT)
        try:
            await send(message)
        except Exception as error:
            seen.note(f'{type(error).__name__}: {error}')
        if not is_open:
            await send(ACCEPT)

    with open_by(site, application):
        assert seen.wait().startswith(expected)


def test_c11_3_behind_its_own_close_nothing_is_sent(site: AsgiSite) -> None:
    seen = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send(CLOSE)
        raised = []
        for message in ({'type': 'websocket.send', 'text': 'x'}, CLOSE):
            try:
                await send(message)
            except Exception as error:
                raised.append(f'{type(error).__name__}: {error}')
        seen.note(raised)

    with open_by(site, application):
        first, second = seen.wait()
    closed = 'the WebSocket is closed'
    assert first == f"RuntimeError: unexpected ASGI message 'websocket.send': {closed}"
    assert second == f"RuntimeError: unexpected ASGI message 'websocket.close': {closed}"


class Failure(Exception):
    pass


def test_c11_3_who_raises_before_it_accepts_is_answered_500(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        raise Failure

    with Log() as log:
        assert denied(site, application).status_code == 500
        wait_until(lambda: errors(log), 'a record')
    assert [record.exc_info[0] for record in errors(log) if record.exc_info] == [Failure]


def test_c11_3_who_returns_without_an_acceptance_is_answered_500(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()

    with Log() as log:
        assert denied(site, application).status_code == 500
        log.wait_for('returned without an answer')
    assert len(errors(log)) == 1


def test_c11_3_who_raises_in_an_open_one_closes_it_with_1011(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        raise Failure

    with Log() as log, open_by(site, application) as client:
        assert closing(client)[0] == 1011
        wait_until(lambda: errors(log), 'a record')
    assert [record.exc_info[0] for record in errors(log) if record.exc_info] == [Failure]


def test_c11_3_who_sends_to_a_client_that_left_has_not_failed(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await receive()
        await send({'type': 'websocket.send', 'text': 'x'})

    with Log() as log:
        with open_by(site, application):
            pass
        log.wait_for('ended behind its client, which had left: ClientDisconnected')
    assert errors(log) == []


def test_c11_3_a_server_that_stops_closes_with_1001() -> None:
    opened, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await accept(receive, send)
        opened.note()
        seen.note(await receive())

    with serving(app=application, interface='asgi', lifespan='off') as site:
        with connect(site, '/ws') as client:
            opened.wait()
            site.http.stop()
            assert closing(client)[0] == 1001
        assert seen.wait()['code'] == 1001


def test_c11_3_a_broken_handshake_reaches_no_application(site: AsgiSite) -> None:
    with Client(site.address) as client:
        fields = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13'}
        assert client.request('GET', '/', {**fields, 'X-App': site.name(echo)}).status == 400


def test_c11_3_a_request_that_opens_no_websocket_is_one_of_http(site: AsgiSite) -> None:
    seen: list[str] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope['type'])
        await send({'type': 'http.response.start', 'status': 200})
        await send({'type': 'http.response.body'})

    assert site.ask(application).status == 200
    assert seen == ['http']
