"""C11.3: the response that an ASGI application sends: heads, bodies, streams, trailers, files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE, Log, narrow_client, wait_until
from support.asgi import AsgiSite, Noted, Receive, Send, asgi_site, body, says, start
from support.waiting import settles, wait_until_async

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsgiSite]:
    folder = tmp_path_factory.mktemp('private')
    (folder / 'report.txt').write_text('0123456789')
    with asgi_site(private_root=str(folder)) as site:
        site.folder = folder  # type: ignore[attr-defined]
        yield site


def test_c11_3_one_body_has_its_length(site: AsgiSite) -> None:
    response = site.ask(says(start(201, (b'X-Name', b'v')), body(b'whole')))
    assert (response.status, response.body, response.headers['x-name']) == (201, b'whole', 'v')
    assert response.headers['content-length'] == '5'
    assert 'transfer-encoding' not in response.headers


def test_c11_3_several_bodies_are_streamed(site: AsgiSite) -> None:
    chunks = [b'a', b'', b'b' * 100_000, b'c']
    messages = [start(), *(body(chunk, more_body=True) for chunk in chunks), body(b'end')]
    response = site.ask(says(*messages))
    assert response.body == b''.join(chunks) + b'end'
    assert response.headers['transfer-encoding'] == 'chunked'


def test_c11_3_several_bodies_with_a_length_are_not_chunked(site: AsgiSite) -> None:
    head = start(200, (b'content-length', b'4'))
    with site.serving.client() as client:
        messages = (head, body(b'ab', more_body=True), body(b'cd', more_body=True), body())
        response = site.ask(says(*messages), client=client)
        assert (response.body, response.headers['content-length']) == (b'abcd', '4')
        assert site.ask(says(start(), body(b'x')), client=client).body == b'x'
        assert client.connections == 1


def test_c11_3_the_head_goes_with_the_first_body(site: AsgiSite) -> None:
    go_on, sent = threading.Event(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        sent.note()
        await wait_until_async(go_on.is_set)
        await send(body(b'x'))

    with site.serving.client() as client:
        site.send(client, application)
        sent.wait()
        assert client.is_open(0.1)
        go_on.set()
        assert client.read_response().body == b'x'


def test_c11_3_a_chunk_does_not_wait_for_the_next(site: AsgiSite) -> None:
    go_on = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b'first', more_body=True))
        await wait_until_async(go_on.is_set)
        await send(body(b'last'))

    with site.serving.client() as client:
        site.send(client, application)
        assert client.read_head().status == 200
        assert client.read_chunk()[0] == b'first'
        go_on.set()
        assert client.read_chunk()[0] == b'last'


@of('more', [False, True])
@of('first', ['at once', 'later'])
def test_c11_3_who_blocks_the_loop_behind_a_body_does_not_hold_it_back(
    site: AsgiSite, more: bool, first: str
) -> None:
    go_on = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if first == 'later':
            await asyncio.sleep(0)
        await send(start())
        await send(body(b'x', more_body=more))
        go_on.wait(PATIENCE)
        if more:
            await send(body())

    with site.serving.client() as client:
        site.send(client, application)
        head = client.read_head()
        assert (client.read_chunk()[0] if more else client.read_exactly(1)) == b'x'
        assert head.status == 200
        assert not go_on.is_set()
        go_on.set()


def test_c11_3_a_thousand_chunks_go_out_in_few_pieces(site: AsgiSite) -> None:
    messages = [body(b'x' * 10, more_body=True)] * 1000
    with site.serving.client() as client:
        site.send(client, says(start(), *messages, body()))
        assert client.read_head().status == 200
        pieces = []
        while piece := client.read_chunk()[0]:
            pieces.append(piece)
    assert b''.join(pieces) == b'x' * 10_000
    assert len(pieces) <= 100


@of('leaves', [False, True])
def test_c11_3_send_waits_while_the_client_is_slow(site: AsgiSite, leaves: bool) -> None:
    sent: list[int] = []
    outcome = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            await send(start())
            for _ in range(1000):
                await send(body(b'x' * 65_536, more_body=True))
                sent.append(65_536)
            await send(body())
            outcome.note('complete')
        except OSError:
            outcome.note('left')

    client = narrow_client(site.address)
    site.send(client, application)
    assert client.read_head().status == 200
    wait_until(lambda: len(sent) > 1, 'the first chunks')
    # What the system takes besides fits well into this.
    assert settles(lambda: sum(sent)) < 32 << 20
    if leaves:
        client.reset()
        assert outcome.wait() == 'left'
    else:
        size = 0
        while chunk := client.read_chunk()[0]:
            size += len(chunk)
        assert (size, outcome.wait()) == (1000 * 65_536, 'complete')
        client.close()


@of('headers', [[(b'x-a', b'1')], [[b'x-a', b'1']], ((b'x-a', b'1'),), iter([(b'x-a', b'1')])])
def test_c11_3_headers_are_any_iterable_of_pairs(site: AsgiSite, headers: Any) -> None:
    message = {'type': 'http.response.start', 'status': 200, 'headers': headers}
    assert site.ask(says(message, body())).headers['x-a'] == '1'


def test_c11_3_headers_and_body_may_be_left_out(site: AsgiSite) -> None:
    bare = says({'type': 'http.response.start', 'status': 200}, {'type': 'http.response.body'})
    response = site.ask(bare)
    assert (response.status, response.body) == (200, b'')


def test_c11_3_repeated_fields_of_a_response_are_sent_each(site: AsgiSite) -> None:
    fields = (b'Set-Cookie', b'a=1'), (b'set-cookie', b'b=2')
    assert site.ask(says(start(200, *fields), body())).headers.all('set-cookie') == ['a=1', 'b=2']


def test_c11_3_transfer_encoding_is_the_servers_own(site: AsgiSite) -> None:
    response = site.ask(says(start(200, (b'transfer-encoding', b'chunked')), body(b'x')))
    assert (response.headers['content-length'], response.body) == ('1', b'x')


@of('streamed', [False, True])
@of('length', [None, b'7'])
def test_c11_3_the_body_of_a_response_to_head_is_not_sent(
    site: AsgiSite, streamed: bool, length: Any
) -> None:
    head = start(200, *([(b'content-length', length)] if length else []))
    bodies = [body(b'con', more_body=True), body(b'tent')] if streamed else [body(b'content')]
    with site.serving.client() as client:
        response = site.ask(says(head, *bodies), method='HEAD', client=client)
        assert response.status == 200
        expected = None if streamed and not length else '7'
        assert response.headers.get('content-length') == expected
        assert site.ask(says(start(), body(b'next')), client=client).body == b'next'


@of('status', [204, 304])
@of('streamed', [False, True])
def test_c11_3_a_status_without_content_has_none(
    site: AsgiSite, status: int, streamed: bool
) -> None:
    bodies = [body(b'x', more_body=True), body(b'y')] if streamed else [body(b'x')]
    with site.serving.client() as client:
        assert site.ask(says(start(status), *bodies), client=client).status == status
        assert site.ask(says(start(), body(b'next')), client=client).body == b'next'


@of('content', [b'', b'12345'])
def test_c11_3_a_304_says_the_length_that_a_200_would_have(site: AsgiSite, content: bytes) -> None:
    with site.serving.client() as client:
        head = start(304, (b'content-length', b'5'))
        response = site.ask(says(head, body(content)), client=client)
        assert (response.status, response.headers['content-length']) == (304, '5')
        assert site.ask(says(start(), body(b'next')), client=client).body == b'next'


@of('how', ['HEAD', '204', 'x-sendfile', 'trailers'])
def test_c11_3_who_sends_for_ever_behind_an_answered_head_is_told(site: AsgiSite, how: str) -> None:
    raised = Noted()
    headers = []
    if how == 'x-sendfile':
        folder = site.folder  # type: ignore[attr-defined]
        headers = [(b'x-sendfile', str(folder / 'report.txt').encode())]

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(204 if how == '204' else 200, *headers, trailers=how == 'trailers'))
        await send(body(b'x', more_body=how != 'trailers'))
        more: dict[str, Any] = body(b'x' * 100, more_body=True)
        if how == 'trailers':
            more = {'type': 'http.response.trailers', 'headers': [], 'more_trailers': True}
        try:
            while True:
                await send(more)
        except OSError as error:
            raised.note(type(error).__name__)
            raise

    with Log() as log:
        method = 'HEAD' if how in ('HEAD', 'trailers') else 'GET'
        assert site.ask(application, method=method).status == (204 if how == '204' else 200)
        # The event loop is there for others meanwhile.
        assert site.ask(says(start(), body(b'next'))).body == b'next'
        assert raised.wait() == 'ClientDisconnected'
    assert 'Traceback' not in log.text


def test_c11_3_who_waits_for_the_end_of_an_answered_head_is_told(site: AsgiSite) -> None:
    told = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def listen() -> None:
            while (await receive())['type'] != 'http.disconnect':
                pass

        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(0)
        await send(start(200, (b'content-type', b'text/event-stream')))
        await send(body(b'data: 1\n\n', more_body=True))
        await listening
        told.note()

    with Log() as log, site.serving.client() as client:
        assert site.ask(application, method='HEAD', client=client).status == 200
        # The connection stays, and another request comes on it.
        told.wait()
        assert site.ask(says(start(), body(b'next')), client=client).body == b'next'
    assert 'returned before' not in log.text


def test_c11_3_others_run_while_a_response_streams(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        other = asyncio.ensure_future(asyncio.sleep(0))
        await send(start())
        for _ in range(1000):
            # Of these any number may wait for the client.
            await send(body(b'', more_body=True))
        await send(body(b'other ran' if other.done() else b'alone'))

    assert site.ask(application).body == b'other ran'


def test_c11_3_what_send_gave_is_awaited_once(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        received = receive()
        await received
        with pytest.raises(RuntimeError, match='already awaited'):
            await received
        await send(start())
        await send(body(b'once'))

    assert site.ask(application).body == b'once'


def test_c11_3_trailers_are_sent_to_who_takes_them(site: AsgiSite) -> None:
    messages = (
        start(200, trailers=True),
        body(b'x'),
        {'type': 'http.response.trailers', 'headers': [(b'X-A', b'1')], 'more_trailers': True},
        {'type': 'http.response.trailers', 'headers': [(b'x-b', b'2')]},
    )
    takes = [('TE', 'gzip, trailers'), ('Connection', 'TE')]
    response = site.ask(says(*messages), fields=takes)
    assert response.body == b'x'
    assert {name: response.trailers[name] for name in response.trailers} == {
        'x-a': '1',
        'x-b': '2',
    }
    response = site.ask(says(*messages))
    assert (response.body, list(response.trailers)) == (b'x', [])


def test_c11_3_early_hints_come_before_the_response(site: AsgiSite) -> None:
    go_on = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        links = [b'</a.css>; rel=preload', b'</b.js>; rel=preload']
        await send({'type': 'http.response.early_hint', 'links': links})
        await wait_until_async(go_on.is_set)
        await says(start(), body(b'x'))(scope, receive, send)

    with site.serving.client() as client:
        site.send(client, application)
        head = client.read_head()
        assert head.status == 103
        assert head.headers.all('link') == ['</a.css>; rel=preload', '</b.js>; rel=preload']
        go_on.set()
        response = client.read_response()
        assert (response.status, response.interim, response.body) == (200, [], b'x')


def pathsend(path: Any, *headers: tuple[bytes, bytes], status: int = 200) -> Any:
    return says(start(status, *headers), {'type': 'http.response.pathsend', 'path': str(path)})


def test_c11_3_pathsend_sends_a_file(site: AsgiSite) -> None:
    path = site.folder / 'report.txt'  # type: ignore[attr-defined]
    response = site.ask(pathsend(path, (b'content-length', b'10'), (b'x-a', b'1')))
    assert (response.status, response.body) == (200, b'0123456789')
    assert (response.headers['x-a'], response.headers['content-length']) == ('1', '10')
    assert response.headers['content-type'].startswith('text/plain')


def test_c11_3_pathsend_answers_ranges_with_200_only(site: AsgiSite) -> None:
    path = site.folder / 'report.txt'  # type: ignore[attr-defined]
    response = site.ask(pathsend(path), fields=[('Range', 'bytes=2-4')])
    assert (response.status, response.body) == (206, b'234')
    response = site.ask(pathsend(path, status=404), fields=[('Range', 'bytes=2-4')])
    assert (response.status, response.body) == (404, b'0123456789')


@of('field', [b'X-Sendfile', b'X-Accel-Redirect'])
@of('streamed', [False, True])
def test_c11_3_a_field_names_a_file_in_place_of_the_body(
    site: AsgiSite, field: bytes, streamed: bool
) -> None:
    bodies = [body(b'x', more_body=True), body(b'y')] if streamed else [body(b'x')]
    response = site.ask(says(start(200, (field, b'report.txt')), *bodies))
    assert (response.status, response.body) == (200, b'0123456789')
    assert field.decode() not in response.headers
