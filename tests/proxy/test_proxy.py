"""C7.1 and C7.2: the reverse proxy forwards everything, and streams both ways."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest
from support import (
    DATA,
    PATIENCE,
    Exchange,
    TlsUpstream,
    Upstream,
    events,
    narrow_client,
    says,
    serving,
    settles,
    tree,
    unused_port,
    wait_until,
    websocket_echo,
)
from support.websocket_frames import (
    KEY,
    handshake,
    read_websocket_frame,
    websocket_accept,
    websocket_frame,
)

of = pytest.mark.parametrize
TRUST = {'SSL_CERT_FILE': os.fspath(DATA / 'tls' / 'ca.pem')}


# C7.1


@of('method', ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'BREW'])
def test_c7_1_every_request_of_the_scope_is_forwarded(site, method: str) -> None:
    with Upstream() as upstream:
        running = site({'vhosts': {'a.example': {'proxy': upstream.name}}}, fresh=True)
        with running.client() as client:
            body = b'the body' if method in ('POST', 'PUT', 'PATCH') else None
            response = client.request(method, '/any/path?x=1', body=body, host='a.example')
            assert response.status == 200
            asked = upstream.wait_for(1)
            assert (asked.method, asked.target) == (method, '/any/path?x=1')
            if method != 'HEAD':
                assert response.json()['body'] == ('the body' if body else '')
            assert client.get('/', host='other.example').status == 404, 'and of no other'
            assert len(upstream.exchanges) == 1
        running.kill()


@of(
    'target',
    [
        '/',
        '/a%2Fb',
        '/a//b',
        '/%7e',
        '/~',
        '/?',
        '/?x',
        '/a?b=c&d=%20+',
        '/%e9',
        "/!$&'()*,;=:@",
        '/%41%2e',
    ],
)
def test_c7_1_the_target_reaches_the_upstream_as_sent(target: str) -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        assert site.get(target).json()['target'] == target


def test_c7_7_a_nul_in_the_target_does_not_reach_the_upstream() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        assert site.get('/a%00b').status == 400
        assert upstream.exchanges == []


@of('form', ['{}', 'http://{}', 'http://{}/', ['{}'], ['http://{}']], ids=str)
def test_c7_1_proxy_is_an_address_a_url_or_a_list(form) -> None:
    with Upstream(says('upstream')) as upstream:
        proxy = (
            [one.format(upstream.name) for one in form]
            if isinstance(form, list)
            else form.format(upstream.name)
        )
        with serving(vhosts={'a.example': {'proxy': proxy}}) as site:
            assert site.get('/', host='a.example').text == 'upstream'


def test_c7_1_an_ipv6_upstream() -> None:
    with Upstream(says('six'), host='::1') as upstream, serving(proxy=upstream.name) as site:
        assert site.get('/').text == 'six'


def test_c7_1_a_name_as_upstream() -> None:
    with Upstream(says('named')) as upstream, serving(proxy=f'localhost:{upstream.port}') as site:
        assert site.get('/').text == 'named'


def test_c7_1_of_a_list_the_living_answer() -> None:
    dead = f'127.0.0.1:{unused_port()}'
    with Upstream(says('alive')) as upstream, serving(proxy=[dead, upstream.name, dead]) as site:
        with site.client() as client:
            assert [client.get('/').text for _ in range(12)] == ['alive'] * 12
            assert client.request('POST', '/', body=b'x').text == 'alive'


def test_c7_1_a_vhost_takes_the_proxy_of_the_global_level(tmp_path: Path) -> None:
    tree(tmp_path, {'file.txt': 'file'})
    with Upstream(says('global')) as one, Upstream(says('own')) as two:
        vhosts = {'own.example': {'proxy': two.name}, 'none.example': {'debug': False}}
        with serving(proxy=one.name, vhosts=vhosts, web_root=os.fspath(tmp_path)) as site:
            assert site.get('/', host='own.example').text == 'own'
            assert site.get('/', host='none.example').text == 'global'
            assert site.get('/', host='other.example').text == 'global'


def test_c7_1_a_route_comes_before_the_proxy() -> None:
    with Upstream(says('upstream')) as upstream, serving(proxy=upstream.name) as site:
        site.http.route('/route')(lambda request: 'route')
        site.http.route('/passes')(lambda request: None)
        assert site.get('/route').text == 'route'
        assert site.get('/passes').text == 'upstream'
        assert site.get('/other').text == 'upstream'


def test_c7_1_a_route_that_read_the_body_and_passes_on_forwards_it() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site:
        site.http.route('/passes')(lambda request: request.payload and None)
        with site.client() as client:
            assert client.request('POST', '/passes', body=b'the body').json()['body'] == 'the body'
            assert (
                client.request('POST', '/passes', body=[b'the ', b'body']).json()['body']
                == 'the body'
            )


@of(
    'proxy',
    [
        {'proxy': '127.0.0.1:{}', 'ssl': True},
        {'proxy': 'https://127.0.0.1:{}'},
        {'proxy': 'https://localhost:{}'},
    ],
    ids=str,
)
def test_c7_1_ssl_speaks_tls_with_a_verified_certificate(site, proxy: dict) -> None:
    with TlsUpstream('localhost') as upstream:
        proxy = {**proxy, 'proxy': proxy['proxy'].format(upstream.port)}
        running = site({'vhosts': {'a.example': proxy}}, env=TRUST, fresh=True)
        with running.client() as client:
            response = client.request('POST', '/x', body=b'secret', host='a.example')
            assert response.json()['body'] == 'secret'
            assert client.get('/', host='a.example').status == 200
        running.kill()


@of('certificate', ['elsewhere', 'expired'])
def test_c7_1_a_certificate_that_is_wrong_is_502(site, certificate: str) -> None:
    with TlsUpstream(certificate) as upstream:
        running = site(
            {'vhosts': {'a.example': {'proxy': upstream.name, 'ssl': True}}}, env=TRUST, fresh=True
        )
        assert running.get('/', host='a.example').status == 502
        running.wait_for('(?i)certificate')
        assert upstream.exchanges == [], 'nothing was said to it'
        running.kill()


def test_c7_1_a_certificate_of_an_unknown_authority_is_502() -> None:
    with TlsUpstream('localhost') as upstream, serving(proxy=upstream.name, ssl=True) as site:
        assert site.get('/').status == 502
        assert upstream.exchanges == []


def test_c7_1_without_ssl_it_speaks_no_tls() -> None:
    with TlsUpstream('localhost') as upstream, serving(proxy=upstream.name) as site:
        assert site.get('/').status == 502
        assert upstream.exchanges == []


# C7.2


def test_c7_2_a_response_streams() -> None:
    """The client has the first half before the second is sent."""

    def halves(exchange: Exchange) -> None:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst')
        exchange.upstream.released.wait(PATIENCE)
        exchange.send(b'other')

    with Upstream(halves) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send('GET', '/')
            assert client.read_head().headers['Content-Length'] == '10'
            assert client.read_exactly(5) == b'first'
            assert client.is_open(0.2)
            upstream.released.set()
            assert client.read_exactly(5) == b'other'


def test_c7_2_server_sent_events_arrive_as_they_are_sent() -> None:
    with Upstream(events) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send('GET', '/events')
            head = client.read_head()
            assert head.headers['Content-Type'] == 'text/event-stream'
            for n in range(5):
                event = f'data: {n}\n\n'.encode()
                upstream.to_send.put(event)
                assert client.read_chunk()[0] == event
            upstream.to_send.put(None)
            assert client.read_chunk()[0] == b''


def test_c7_2_an_upload_streams() -> None:
    """The upstream has the first half before the client sends the second."""
    arrived: list[bytes] = []

    def take(exchange: Exchange) -> None:
        arrived.append(exchange.receive_exactly(5))
        arrived.append(exchange.receive_exactly(5))
        exchange.respond(b'taken')

    with Upstream(take) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send_raw(
                b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nfirst'
            )
            wait_until(lambda: arrived == [b'first'])
            client.send_raw(b'other')
            assert client.read_response().text == 'taken'
            assert arrived == [b'first', b'other']


def test_c7_2_a_chunked_upload_streams_beside_its_response() -> None:
    """Both ways at once: each chunk is answered before the next one is sent."""

    def mirror(exchange: Exchange) -> bool:
        exchange.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        while True:
            size = int(exchange.read_line(), 16)
            data = exchange.receive_exactly(size + 2)
            exchange.send(b'%x\r\n' % size + data)
            if not size:
                return True

    with Upstream(mirror) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send('POST', '/', {'Transfer-Encoding': 'chunked'})
            for n in range(5):
                client.send_raw(b'1\r\n%d\r\n' % n)
                if n == 0:
                    assert client.read_head().status == 200
                assert client.read_chunk()[0] == b'%d' % n
            client.send_raw(b'0\r\n\r\n')
            assert client.read_chunk()[0] == b''


@of('chunked', [False, True])
def test_c7_2_large_bodies_pass_whole_both_ways(chunked: bool) -> None:
    data = os.urandom(1 << 20) * 8

    def back(exchange: Exchange) -> None:
        body = exchange.read_body()
        if chunked:
            exchange.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
            exchange.send(b'%x\r\n' % len(body) + body + b'\r\n0\r\n\r\n')
        else:
            exchange.respond(body)

    with Upstream(back) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            body = (
                [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
                if chunked
                else data
            )
            result: list[bytes] = []
            sender = threading.Thread(
                target=lambda: client.send('POST', '/', body=body), daemon=True
            )
            client.socket  # noqa: B018 - connects before the thread uses it
            sender.start()
            result.append(client.read_response().body)
            sender.join(PATIENCE)
            assert result[0] == data


def test_c7_2_a_response_is_held_back_for_a_slow_client() -> None:
    sent = [0]

    def flood(exchange: Exchange) -> None:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n')
        while True:
            exchange.send(b'x' * 65536)
            sent[0] += 65536

    with Upstream(flood) as upstream, serving(proxy=upstream.name) as site:
        with narrow_client(site.address) as client:
            client.send('GET', '/')
            assert client.read_head().status == 200
            assert settles(lambda: sent[0]) < 64 << 20
            before = sent[0]
            client.read_exactly(32 << 20)
            assert sent[0] > before, 'and it goes on when the client does'


def test_c7_2_an_upload_is_held_back_for_a_slow_upstream() -> None:
    with Upstream(lambda exchange: exchange.upstream.released.wait(PATIENCE) and False) as upstream:
        with (
            serving(proxy=upstream.name, max_body='1GiB', grace_period=0.2) as site,
            site.client() as client,
        ):
            client.send_raw(
                b'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1073741824\r\n\r\n'
            )
            client.socket.settimeout(1)
            sent = 0
            with contextlib.suppress(socket.timeout):
                while sent < 1 << 30:
                    sent += client.socket.send(b'x' * 65536)
            assert sent < 64 << 20


def test_c7_2_a_client_that_leaves_ends_the_exchange() -> None:
    gone = threading.Event()

    def wait(exchange: Exchange) -> bool:
        exchange.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
        if exchange.wait_until_gone():
            gone.set()
        return False

    with Upstream(wait) as upstream, serving(proxy=upstream.name) as site:
        with site.client() as client:
            client.send('GET', '/')
            client.read_head()
        assert gone.wait(PATIENCE)


@of('size', [0, 5, 200, 70_000, 1_000_000])
def test_c7_2_websockets_pass(site, size: int) -> None:
    with Upstream(websocket_echo) as upstream:
        running = site(
            {'vhosts': {'a.example': {'proxy': upstream.name}}}, {'mark': str(size)}, fresh=True
        )
        with running.client() as client:
            fields = handshake(Connection='keep-alive, Upgrade')
            client.send('GET', '/chat', fields, host='a.example')
            response = client.read_response()
            assert response.status == 101
            assert response.headers['Sec-WebSocket-Accept'] == websocket_accept(KEY)
            assert response.headers['Upgrade'] == 'websocket'
            payload = b'p' * size
            for _ in range(3):
                client.send_raw(websocket_frame(payload, 2, b'mask'))
                assert read_websocket_frame(client.read_exactly) == (2, payload)
            client.send_raw(websocket_frame(b'', 8, b'mask'))
            assert read_websocket_frame(client.read_exactly)[0] == 8
            assert client.expect_close() == b''
        running.kill()


def test_c7_2_an_upgrade_that_the_upstream_refuses_is_a_response() -> None:
    with (
        Upstream(says('no', '426 Upgrade Required')) as upstream,
        serving(proxy=upstream.name) as site,
    ):
        with site.client() as client:
            fields = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Key': 'x'}
            response = client.request('GET', '/', fields)
            assert (response.status, response.text) == (426, 'no')


def test_c7_2_an_upgraded_connection_ends_when_either_side_goes() -> None:
    gone = threading.Event()

    def switch(exchange: Exchange) -> bool:
        exchange.send(
            b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello'
        )
        if exchange.target == '/stay' and exchange.wait_until_gone():
            gone.set()
        return False

    with Upstream(switch) as upstream, serving(proxy=upstream.name) as site:
        for target in ('/leave', '/stay'):
            with site.client() as client:
                client.send('GET', target, {'Connection': 'Upgrade', 'Upgrade': 'x'})
                assert client.read_head().status == 101
                assert client.read_exactly(5) == b'hello'
                if target == '/leave':
                    assert client.expect_close() == b''
        assert gone.wait(PATIENCE)


@of(
    ('raw', 'status', 'body'),
    [
        (b'HTTP/1.1 204 No Content\r\n\r\n', 204, b''),
        (b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', 304, b''),
        (b'HTTP/1.0 200 OK\r\n\r\nuntil the end', 200, b'until the end'),
        (b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end', 200, b'until the end'),
        (b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, b'ok'),
        (b'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, b'ok'),
        (b'HTTP/1.1 418 I am a teapot\r\nContent-Length: 3\r\n\r\ntea', 418, b'tea'),
        (b'HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n', 299, b''),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n', 200, b'ok'),
        (b'HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops', 500, b'oops'),
        (b'HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n', 302, b''),
    ],
)  # fmt: skip
def test_c7_2_every_kind_of_response_passes(raw: bytes, status: int, body: bytes) -> None:
    def send(exchange: Exchange) -> bool:
        exchange.send(raw)
        return False

    with Upstream(send) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/')
        assert (response.status, response.body) == (status, body)


def test_c7_2_expect_100_continue_is_answered_before_the_body() -> None:
    with Upstream() as upstream, serving(proxy=upstream.name) as site, site.client() as client:
        client.send('POST', '/', {'Expect': '100-continue', 'Content-Length': '5'})
        assert client.read_head().status == 100
        client.send_raw(b'hello')
        assert client.read_response().json()['body'] == 'hello'


def test_c7_2_connections_to_the_upstream_are_kept() -> None:
    with (
        Upstream(says('x')) as upstream,
        serving(proxy=upstream.name) as site,
        site.client() as client,
    ):
        assert [client.get('/').status for _ in range(60)] == [200] * 60
        assert upstream.connections < 20
