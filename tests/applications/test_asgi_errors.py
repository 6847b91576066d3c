"""C11.3: what becomes of a request whose ASGI application fails, or breaks the specification.

Each rule is a row of `docs/applications-errors.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support import Client, Closed, Log, Program, ended, serving, wait_until
from support.asgi import AsgiSite, Noted, Receive, Send, asgi_site, body, says, start
from support.waiting import tick_async, wait_until_async

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiSite]:
    folder = tmp_path_factory.mktemp('private')
    (folder / 'a.txt').write_text('a')
    with asgi_site(private_root=str(folder), max_body=10_000, body_timeout=0.5) as site:
        site.folder = folder  # type: ignore[attr-defined]
        yield site


class Failure(Exception):
    pass


def errors(log: Log) -> list[logging.LogRecord]:
    return [record for record in list(log.records) if record.levelno >= logging.ERROR]


def raises(*messages: Any, error: Any = Failure) -> Any:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await says(*messages)(scope, receive, send)
        raise error('its reason')

    return application


@of('before', [(), (start(),)], ids=['before start', 'behind start'])
@of('error', [Failure, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_c11_3_who_raises_before_a_body_is_answered_500(
    site: AsgiSite, before: Any, error: type
) -> None:
    with Log() as log:
        assert site.ask(raises(*before, error=error)).status == 500
        wait_until(lambda: errors(log), 'a record')
    (record,) = errors(log)
    assert record.exc_info is not None
    assert record.exc_info[0] is error
    assert 'application `' in record.getMessage()


def test_c11_3_the_failure_is_shown_with_debug() -> None:
    with asgi_site(debug=True) as site:
        response = site.ask(raises())
    assert response.status == 500
    assert 'Failure' in response.text
    assert 'its reason' in response.text


@of('length', [(), ((b'content-length', b'10'),)], ids=['chunked', 'length'])
def test_c11_3_who_raises_in_a_stream_breaks_it_off(site: AsgiSite, length: Any) -> None:
    with Log() as log, site.serving.client() as client:
        site.send(client, raises(start(200, *length), body(b'part', more_body=True)))
        assert client.read_head().status == 200
        if length:
            assert client.read_exactly(4) == b'part'
        else:
            assert client.read_chunk()[0] == b'part'
        with pytest.raises(Closed):
            client.read_exactly(1)
        wait_until(lambda: errors(log), 'a record')
    assert [record.exc_info[0] for record in errors(log) if record.exc_info] == [Failure]


def test_c11_3_who_raises_behind_its_response_is_logged(site: AsgiSite) -> None:
    with Log() as log, site.serving.client() as client:
        assert site.ask(raises(start(), body(b'x')), client=client).body == b'x'
        wait_until(lambda: errors(log), 'a record')
        assert site.ask(says(start(), body(b'next')), client=client).body == b'next'
    assert [record.exc_info[0] for record in errors(log) if record.exc_info] == [Failure]


@of('messages', [(), (start(),)], ids=['nothing', 'start'])
def test_c11_3_who_returns_without_a_body_is_answered_500(site: AsgiSite, messages: Any) -> None:
    with Log() as log:
        assert site.ask(says(*messages)).status == 500
        wait_until(lambda: errors(log), 'a record')
    (record,) = errors(log)
    assert 'returned without an answer' in record.getMessage()


def test_c11_3_who_returns_in_the_midst_of_a_body_breaks_it_off(site: AsgiSite) -> None:
    with Log() as log, site.serving.client() as client:
        site.send(client, says(start(), body(b'part', more_body=True)))
        assert client.read_head().status == 200
        assert client.read_chunk()[0] == b'part'
        with pytest.raises(Closed):
            client.read_chunk()
        log.wait_for('returned before its response was complete')
    assert len(errors(log)) == 1


async def raised_by(send: Send, message: Any) -> str:
    try:
        await send(message)
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return 'nothing'


#: What is sent, what comes before it, and what `send` raises.
WRONG: dict[str, tuple[Any, Any, str]] = {
    'no dict': ((), None, 'TypeError: a message is a dict'),
    'no type': ((), {}, 'TypeError: a message has a `type`'),
    'a type that is no str': ((), {'type': 1}, 'TypeError: `type` is str'),
    'an unknown type': (
        (),
        {'type': 'http.nonsense'},
        "RuntimeError: unexpected ASGI message 'http.nonsense'",
    ),
    'a body first': ((), body(b'x'), "RuntimeError: unexpected ASGI message 'http.response.body'"),
    'trailers first': ((), {'type': 'http.response.trailers'}, 'RuntimeError: '),
    'start twice': (
        (start(),),
        start(),
        "RuntimeError: unexpected ASGI message 'http.response.start'",
    ),
    'trailers unannounced': (
        (start(), body(b'x', more_body=True)),
        {'type': 'http.response.trailers'},
        'RuntimeError: ',
    ),
    'a hint behind start': (
        (start(),),
        {'type': 'http.response.early_hint', 'links': [b'<a>']},
        'RuntimeError: ',
    ),
    'no status': ((), {'type': 'http.response.start'}, 'TypeError: a response has a `status`'),
    'a status of text': ((), start('200'), 'TypeError: `status` is int'),  # type: ignore[arg-type]
    'a status too low': ((), start(199), 'ValueError: `status` is a number from 200 to 599'),
    'a status too high': ((), start(600), 'ValueError: `status` is a number from 200 to 599'),
    'a negative status': ((), start(-1), 'ValueError: `status` is a number from 200 to 599'),
    'a huge status': ((), start(1 << 70), 'TypeError: `status` is int'),
    'a name of text': ((), start(200, ('a', b'b')), 'TypeError: the name of a header is bytes'),  # type: ignore[arg-type]
    'a value of text': ((), start(200, (b'a', 'b')), 'TypeError: the value of a header is bytes'),  # type: ignore[arg-type]
    'a pseudo field': ((), start(200, (b':status', b'1')), 'ValueError: ":status" is no name'),
    'a name with a space': ((), start(200, (b'a b', b'1')), 'ValueError: "a b" is no name'),
    'a line break': ((), start(200, (b'a', b'1\r\nb: 2')), 'ValueError: the header `a` cannot be'),
    'no pair': ((), start(200, (b'a',)), 'ValueError: `headers` are pairs'),  # type: ignore[arg-type]
    'headers that are none': (
        (),
        {'type': 'http.response.start', 'status': 200, 'headers': 7},
        'TypeError: ',
    ),
    'a length of words': (
        (),
        start(200, (b'content-length', b'x')),
        'ValueError: a Content-Length',
    ),
    'two lengths': (
        (),
        start(200, (b'content-length', b'1'), (b'content-length', b'1')),
        'ValueError: a Content-Length',
    ),
    'a body of text': ((start(),), body('x'), 'TypeError: `body` is bytes, not `str`'),  # type: ignore[arg-type]
    'a body of None': ((start(),), body(None), 'TypeError: `body` is bytes'),  # type: ignore[arg-type]
    'too much at once': (
        (start(200, (b'content-length', b'1')),),
        body(b'xx'),
        'RuntimeError: the response is longer than its Content-Length',
    ),
    'too little at once': (
        (start(200, (b'content-length', b'3')),),
        body(b'xx'),
        'RuntimeError: the response is shorter than its Content-Length',
    ),
    'too much in parts': (
        (start(200, (b'content-length', b'3')), body(b'xx', more_body=True)),
        body(b'xx'),
        'RuntimeError: the response is longer than its Content-Length',
    ),
    'too little in parts': (
        (start(200, (b'content-length', b'3')), body(b'x', more_body=True)),
        body(b'x'),
        'RuntimeError: the response is shorter than its Content-Length',
    ),
    'behind the end': (
        (start(), body(b'x')),
        body(b'y'),
        "RuntimeError: unexpected ASGI message 'http.response.body': the response is complete",
    ),
    'a path that is none': (
        (start(),),
        {'type': 'http.response.pathsend', 'path': 7},
        'TypeError: `path` is str',
    ),
    'a path elsewhere': (
        (start(),),
        {'type': 'http.response.pathsend', 'path': '/etc/passwd'},
        'ValueError: `http.response.pathsend`: expected a path below `private_root`',
    ),
    'a path that is relative': (
        (start(),),
        {'type': 'http.response.pathsend', 'path': 'a.txt'},
        'ValueError: `http.response.pathsend`: expected a path below `private_root`',
    ),
    'trailers without end': (
        (
            start(200, trailers=True),
            body(b'x'),
            {
                'type': 'http.response.trailers',
                'headers': [(b'a', b'b')] * 600,
                'more_trailers': True,
            },
        ),
        {'type': 'http.response.trailers', 'headers': [(b'a', b'b')] * 600},
        'ValueError: a response has at most 1024 trailers',
    ),
    'fields without end': (
        (),
        start(200, *[(b'a', b'b')] * 1025),
        'ValueError: an answer has at most 1024 header fields',
    ),
    'a link of text': (
        (),
        {'type': 'http.response.early_hint', 'links': ['<a>']},
        'TypeError: `links` are bytes',
    ),
}


@of('name', WRONG)
def test_c11_3_send_raises_what_is_wrong(site: AsgiSite, name: str) -> None:
    before, message, expected = WRONG[name]
    seen: list[str] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await says(*before)(scope, receive, send)
        seen.append(await raised_by(send, message))

    with site.serving.client() as client:
        site.send(client, application)
        wait_until(lambda: seen, 'what send raises')
    assert seen[0].startswith(expected)


def test_c11_3_who_was_wrong_may_go_on_otherwise(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        wrong = [
            await raised_by(send, start(1)),
            await raised_by(send, body(b'early')),
        ]
        assert 'nothing' not in wrong
        await send(start(200, (b'content-length', b'2')))
        assert await raised_by(send, body(b'abc')) != 'nothing'
        await send(body(b'ab'))

    assert site.ask(application).body == b'ab'


def test_c11_3_a_path_out_of_the_root_is_not_sent(site: AsgiSite) -> None:
    path = site.folder / '..' / 'private' / 'a.txt'  # type: ignore[attr-defined]
    seen: list[str] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        seen.append(await raised_by(send, {'type': 'http.response.pathsend', 'path': str(path)}))
        await send(body(b'otherwise'))

    assert site.ask(application).body == b'otherwise'
    assert seen[0].startswith('ValueError: ')


async def reads(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message['type'] == 'http.disconnect':
            told.append('http.disconnect')
            return
        if not message['more_body']:
            await says(start(), body(b'all'))(scope, receive, send)
            return


told: list[str] = []


def test_c11_3_content_that_is_too_long_is_refused_as_it_is_read(site: AsgiSite) -> None:
    del told[:]
    chunks = [b'x' * 5000] * 4
    assert site.ask(reads, method='POST', body=chunks).status == 413
    wait_until(lambda: told, 'http.disconnect')


def test_c11_3_content_that_is_announced_too_long_reaches_no_application(site: AsgiSite) -> None:
    del told[:]
    assert site.ask(reads, method='POST', body=b'x' * 10_001).status == 413
    assert told == []


def test_c11_3_content_that_does_not_come_is_refused_in_time(site: AsgiSite) -> None:
    del told[:]
    with Client(site.address) as client:
        site.send(client, reads, method='POST', fields=[('Content-Length', '10')])
        assert client.read_response().status == 408
    wait_until(lambda: told, 'http.disconnect')


def test_c11_3_malformed_content_is_refused(site: AsgiSite) -> None:
    del told[:]
    with Client(site.address) as client:
        site.send(client, reads, method='POST', fields=[('Transfer-Encoding', 'chunked')])
        client.send_raw(b'nonsense\r\n')
        assert client.read_response().status == 400
    wait_until(lambda: told, 'http.disconnect')


def test_c11_3_content_that_breaks_off_is_no_content(site: AsgiSite) -> None:
    import socket

    del told[:]
    with Client(site.address) as client:
        site.send(client, reads, method='POST', fields=[('Content-Length', '10')])
        client.send_raw(b'12345')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_response().status == 400
    wait_until(lambda: told, 'http.disconnect')


def test_c11_3_who_fails_behind_a_client_that_left_is_told_of_in_a_line(site: AsgiSite) -> None:
    waits = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        await receive()
        await send(start())

    with Log() as log:
        client = Client(site.address)
        site.send(client, application)
        waits.wait()
        client.reset()
        log.wait_for('ended behind its client, which had left: ClientDisconnected')
    assert errors(log) == []


def test_c11_3_who_fails_and_knows_of_no_client_that_left_has_failed(site: AsgiSite) -> None:
    waits, left = Noted(), threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        waits.note()
        await wait_until_async(left.is_set)
        raise Failure

    with Log() as log:
        client = Client(site.address)
        site.send(client, application)
        waits.wait()
        client.reset()
        left.set()
        wait_until(lambda: errors(log), 'a record')


def test_c11_3_what_still_runs_at_the_end_of_the_grace_period_is_cancelled() -> None:
    begun, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        begun.note()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            seen.note('cancelled')
            raise

    with Log() as log:
        with serving(app=application, interface='asgi', lifespan='off', grace_period=0.2) as site:
            client = site.client()
            client.send('GET', '/')
            begun.wait()
        assert seen.wait() == 'cancelled'
        assert ended(client)
        client.close()
    assert errors(log) == []


def test_c11_3_a_response_under_way_is_completed_when_the_server_stops() -> None:
    begun, stops = Noted(), threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b'a', more_body=True))
        begun.note()
        await wait_until_async(stops.is_set)
        await tick_async()
        await send(body(b'b'))

    with serving(app=application, interface='asgi', lifespan='off') as site:
        client = site.client()
        client.send('GET', '/')
        begun.wait()
        site.http.stop()
        stops.set()
        assert client.read_response().body == b'ab'
        client.close()


INTERRUPTS = """
import asyncio
import contextlib
import slimHTTP


async def app(scope, receive, send):
    if scope['path'] == '/later':
        await asyncio.sleep(0)
    raise KeyboardInterrupt


http = slimHTTP.server(
    slimHTTP.HTTP, addr='127.0.0.1', port=0, app=app, interface='asgi', lifespan='off'
)
http.run()
"""


@pytest.mark.parametrize('path', ['/', '/later'])
def test_c11_3_a_keyboard_interrupt_ends_the_server_and_nothing_else_tells_of_it(path: str) -> None:
    with Program(INTERRUPTS) as process:
        # The end cuts what has not been sent yet.
        with contextlib.suppress(Closed):
            assert process.get(path).status == 500
        assert process.wait() == 0
        assert 'never retrieved' not in process.stderr
        assert 'Traceback' not in process.stderr
