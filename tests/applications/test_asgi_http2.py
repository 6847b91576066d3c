"""C11.3: ASGI over TLS and HTTP/2: what the scope says there, and many requests side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import CERTIFICATE, CERTIFICATE_KEY, lenient_tls, wait_until
from support.asgi import AsgiSite, Noted, Receive, Send, asgi_site, body, says, start
from support.http2_client import WIDEST, Http2
from support.waiting import settles


@pytest.fixture(scope='module')
def site() -> Iterator[AsgiSite]:
    tls = {'cert': str(CERTIFICATE), 'key': str(CERTIFICATE_KEY)}
    with asgi_site(mode=slimHTTP.HTTPS, ssl=tls, max_unsent='64KiB', send_timeout=60) as site:
        yield site


def test_c11_3_the_scope_and_the_trailers_of_http_2(site: AsgiSite) -> None:
    seen: list[dict[str, Any]] = []
    raised: list[str] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope)
        try:
            await send({'type': 'http.response.early_hint', 'links': [b'</a>']})
        except RuntimeError as error:
            raised.append(str(error))
        await send(start(200, trailers=True))
        await send(body(b'x' * 100_000, more_body=True))
        await send(body(b'y'))
        await send({'type': 'http.response.trailers', 'headers': [(b'x-end', b'1')]})

    with Http2(site.address[1]) as client:
        answer = client.get('/a?b', ('x-app', site.name(application)))
    assert (answer.status, len(answer.body)) == (200, 100_001)
    assert answer.trailers == [('x-end', '1')]
    (scope,) = seen
    assert (scope['http_version'], scope['scheme']) == ('2', 'https')
    assert scope['headers'][0] == (b'host', b'a')
    assert not any(name.startswith(b':') for name, _ in scope['headers'])
    assert set(scope['extensions']) == {'http.response.trailers', 'tls'}
    assert 'do not offer it' in raised[0]


def test_c11_3_a_stream_that_the_client_takes_back_is_told_of(site: AsgiSite) -> None:
    waits, seen = Noted(), Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        waits.note()
        seen.note(await receive())

    with Http2(site.address[1]) as client:
        stream = client.ask('/', ('x-app', site.name(application)))
        waits.wait()
        client.take_back(stream)
        assert seen.wait() == {'type': 'http.disconnect'}
        other = says(start(), body(b'other'))
        assert client.get('/', ('x-app', site.name(other))).body == b'other'


def test_c11_3_content_over_http_2(site: AsgiSite) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        got, more = b'', True
        while more:
            message = await receive()
            got, more = got + message['body'], message['more_body']
        await says(start(), body(got))(scope, receive, send)

    with Http2(site.address[1]) as client:
        stream = client.ask('/', ('x-app', site.name(application)), method='POST', end=False)
        for _ in range(3):
            client.frames.send_data(stream, b'x' * 10_000)
            client.flush()
        client.frames.end_stream(stream)
        client.flush()
        assert client.answer(stream).body == b'x' * 30_000


def test_c11_3_who_does_not_read_is_given_few_answers(site: AsgiSite) -> None:
    asked: list[int] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        asked.append(1)
        await says(start(), body(bytes(1 << 20)))(scope, receive, send)

    name = site.name(application)
    with Http2(site.address[1], window=WIDEST, narrow=True) as client:
        for _ in range(100):
            client.ask('/', ('x-app', name))
        wait_until(lambda: asked, 'the first one')
        # What the kernel takes on its way is sent.
        assert settles(lambda: len(asked)) <= 20
        other = says(start(), body(b'other'))
        with Http2(site.address[1]) as beside:
            assert beside.get('/', ('x-app', site.name(other))).body == b'other'


def test_c11_3_who_does_not_read_a_stream_is_waited_for(site: AsgiSite) -> None:
    sent: list[int] = []
    left = Noted()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        try:
            for _ in range(1000):
                await send(body(bytes(16_384), more_body=True))
                sent.append(16_384)
        except OSError:
            left.note()

    with Http2(site.address[1]) as client:
        client.ask('/', ('x-app', site.name(application)))
        wait_until(lambda: sent, 'the first chunk')
        assert settles(lambda: sum(sent)) < 1 << 20
    left.wait()


def test_c11_3_tls_is_told_of(site: AsgiSite) -> None:
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope)
        await says(start(), body())(scope, receive, send)

    with site.serving.client(tls=lenient_tls()) as client:
        assert site.ask(application, client=client).status == 200
        connection: Any = client.socket
        version, cipher = connection.version(), connection.cipher()
    tls = seen[0]['extensions']['tls']
    assert (version, tls['tls_version']) == ('TLSv1.3', 0x0304)
    known = {
        'TLS_AES_128_GCM_SHA256': 0x1301,
        'TLS_AES_256_GCM_SHA384': 0x1302,
        'TLS_CHACHA20_POLY1305_SHA256': 0x1303,
    }
    assert tls['cipher_suite'] == known[cipher[0]]
    assert (tls['client_cert_chain'], tls['client_cert_name']) == ([], None)
