"""C9: upgrades that a program takes itself, as programs for slimWS do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import (
    Client,
    Log,
    Serving,
    Upstream,
    at_once,
    in_background,
    serving,
    wait_until,
    websocket_echo,
)
from support.sites import site_fixture
from support.upgrades import ASKING, MASK, WebSocket, echo_websockets
from support.websocket_frames import read_websocket_frame, websocket_frame

of = pytest.mark.parametrize
site = site_fixture()


def test_c9_an_old_websocket_program_runs(site: Serving) -> None:
    identities = echo_websockets(site)
    with WebSocket(site.address) as one, WebSocket(site.address) as other:
        for payload in (b'hello', b'', b'x' * 125, b'y' * 126, b'z' * 70_000):
            assert one.ask(payload) == payload
            assert other.ask(payload[:5]) == payload[:5]
        # Sent by the program of its own accord, from another thread.
        at_once([lambda: identities[0].send_frame('news')])
        assert one.receive() == b'news'
        one.send(b'\x03\xe8', 8)
        assert one.receive() == b'\x03\xe8'
        assert one.client.read_rest() == b''
        assert other.ask(b'still there') == b'still there'
    assert [identity.address for identity in identities] == ['127.0.0.1'] * 2


def test_c9_frames_that_come_in_pieces_and_many_at_once(site: Serving) -> None:
    echo_websockets(site)
    with WebSocket(site.address) as ws:
        frame = websocket_frame(b'slowly', 1, MASK)
        for position in range(len(frame)):
            ws.client.send_raw(frame[position : position + 1])
        assert ws.receive() == b'slowly'
        messages = [b'%d' % n for n in range(3000)]
        ws.client.send_raw(b''.join(websocket_frame(message, 1, MASK) for message in messages))
        assert [ws.receive() for _ in messages] == messages


def test_c9_a_derived_identity_needs_build_request_only(site: Serving) -> None:
    import slimHTTP

    class Lines(slimHTTP.HTTP_CLIENT_IDENTITY):
        def upgrade(self, request: Any) -> None:
            request.CLIENT_IDENTITY.socket.sendall(
                b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines\r\nConnection: upgrade\r\n\r\nhi\n'
            )

        def build_request(self) -> Any:
            while b'\n' in self.buffer:
                line, _, self.buffer = self.buffer.partition(b'\n')
                self.send(line.upper() + b'\n')
                if line == b'quit':
                    self.close()
                yield slimHTTP.Events.WS_CLIENT_DATA, line

    # It is answered by us where the program does not call `upgrade` itself.
    site.http.on_upgrade(lambda request: Lines(request))
    with site.client() as client:
        client.send('GET', '/', [('Upgrade', 'lines'), ('Connection', 'upgrade')])
        assert client.read_head().status == 101
        assert client.read_exactly(3) == b'hi\n'
        client.send_raw(b'one\ntwo')
        assert client.read_exactly(4) == b'ONE\n'
        client.send_raw(b'!\nquit\n')
        assert client.read_rest() == b'TWO!\nQUIT\n'


def test_c9_an_identity_without_poll_finds_bytes_in_its_buffer(site: Serving) -> None:
    class Bare:
        def __init__(self, request: Any) -> None:
            self.socket = request.CLIENT_IDENTITY.socket
            self.socket.send(
                b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'
            )

        def build_request(self) -> None:
            self.socket.send(self.buffer[::-1])
            self.buffer = b''

    site.http.on_upgrade(Bare)
    with site.client() as client:
        client.send('GET', '/', [('Upgrade', 'x'), ('Connection', 'upgrade')])
        assert client.read_head().status == 101
        client.send_raw(b'abc')
        assert client.read_exactly(3) == b'cba'


def test_c9_none_leaves_the_request_to_whoever_else_answers() -> None:
    asked = []
    with Upstream(websocket_echo) as upstream:
        with serving(vhosts={'p.example': {'proxy': upstream.name}}) as site:
            site.http.on_upgrade(lambda request: asked.append(request))
            site.http.route('/ws')(lambda request: f'route {request is asked[-1]}')
            with site.client() as client:
                response = client.request('GET', '/ws', ASKING)
                assert (response.status, response.text) == (200, 'route True')
                # The connection goes on as it was.
                assert client.request('GET', '/missing', ASKING).status == 404
                assert client.connections == 1
            with WebSocket(site.address, host='p.example') as ws:
                assert ws.ask(b'by the proxy') == b'by the proxy'
    assert len(asked) == 3


def test_c9_a_route_has_its_params_where_an_upgrade_was_asked_about(site: Serving) -> None:
    told = []
    site.http.on_upgrade(lambda request: told.append(dict(request.params)))
    site.http.route('/users/<name>/<int:number>')(lambda request: request.params)

    @site.http.websocket('/ws/<room>')
    def room(ws: Any) -> None:
        ws.send(ws.request.params['room'])

    with site.client() as client:
        for fields in ([], [('Connection', 'upgrade'), ('Upgrade', 'foo')]):
            answer = client.request('GET', '/users/anna/7', fields)
            assert json.loads(answer.body) == {'name': 'anna', 'number': 7}, fields
    with WebSocket(site.address, '/ws/attic') as ws:
        assert ws.receive() == b'attic'
    assert told == [{}, {}]


def test_c9_only_who_asks_for_an_upgrade_is_asked_about(site: Serving) -> None:
    asked = []
    site.http.on_upgrade(lambda request: asked.append(request))
    for fields in ([], [('Upgrade', 'websocket')], [('Connection', 'upgrade')]):
        with site.client() as client:
            assert client.request('GET', '/', fields).status == 404
    assert asked == []
    # A request that is refused or sent elsewhere is none of the program's business.
    site.http.config['redirects'] = {'/old': '/new'}
    with site.client() as client:
        assert client.request('GET', '/old', ASKING).status == 302
        assert client.request('GET', '/%zz', ASKING).status == 400
    assert asked == []


def answers(text: bytes) -> Any:
    def upgrade(request: Any) -> Any:
        request.CLIENT_IDENTITY.socket.send(text)
        return request.CLIENT_IDENTITY

    return upgrade


def raises(request: Any) -> Any:
    raise RuntimeError('on purpose')


def issue(request: Any) -> Any:
    import slimHTTP

    raise slimHTTP.UpgradeIssue('not like this')


class Silent:
    def upgrade(self, request: Any) -> None:
        pass


def nobody(request: Any) -> None:
    answers(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')(
        request
    )


@of(
    ('hook', 'status', 'logged'),
    [
        (raises, 500, 'on purpose'),
        (issue, 400, 'not like this'),
        (lambda request: Silent(), 400, 'has not answered the upgrade'),
        (nobody, 500, 'returned nobody to go on'),
        (lambda request: object(), 500, 'on_upgrade returned `object`'),
        (answers(b'nonsense'), 500, 'raw response'),
        (answers(b'HTTP/1.1 426 Upgrade Required\r\n\r\nno'), 426, None),
        (lambda request: request.build_headers() + b'no', 200, None),
        (lambda request: {'no': 1}, 200, None),
    ],
)
def test_c9_what_else_on_upgrade_may_do(site: Serving, hook: Any, status: int, logged: Any) -> None:
    site.http.on_upgrade(hook)
    with Log() as log, site.client() as client:
        assert client.request('GET', '/ws', ASKING).status == status
        if logged:
            log.wait_for(logged)
    echo_websockets(site)
    with WebSocket(site.address) as ws:
        assert ws.ask(b'as before') == b'as before'


def test_c9_async_hooks_are_refused_where_they_are_registered(site: Serving) -> None:
    async def hook(*arguments: Any) -> None: ...

    for register in (site.http.on_accept, site.http.on_close, site.http.on_upgrade):
        with pytest.raises(TypeError, match='plain function'):
            register(hook)
        with pytest.raises(TypeError, match='expected a function'):
            register(None)


def test_c9_an_identity_that_raises_ends_its_connection_only(site: Serving) -> None:
    echo_websockets(site)
    with Log() as log, WebSocket(site.address) as bad, WebSocket(site.address) as good:
        bad.client.send_raw(websocket_frame(b'unmasked'))
        assert bad.client.read_rest() == b''
        log.wait_for('InvalidFrame: a client has to mask')
        assert good.ask(b'fine') == b'fine'


def test_c9_a_client_that_leaves_ends_its_identity(site: Serving) -> None:
    gone: list[Any] = []
    identities = echo_websockets(site)
    site.http.on_close(gone.append)
    with WebSocket(site.address) as ws:
        ws.ask(b'hello')
        assert list(site.http.sockets.values()) == identities
        assert set(site.http.sockets) == {identities[0].fileno}
    wait_until(lambda: gone == identities, 'on_close of the identity')
    assert site.http.sockets == {}
    with pytest.raises(ConnectionError):
        identities[0].send(b'late')
    assert identities[0].socket.recv(10) == b''


def test_c9_a_reset_ends_it_too(site: Serving) -> None:
    gone: list[Any] = []
    identities = echo_websockets(site)
    site.http.on_close(gone.append)
    ws = WebSocket(site.address)
    ws.ask(b'hello')
    ws.client.reset()
    wait_until(lambda: gone == identities, 'on_close of the identity')


def test_c9_unregister_ends_an_upgraded_connection(site: Serving) -> None:
    identities = echo_websockets(site)
    with WebSocket(site.address) as ws:
        ws.ask(b'hello')
        site.http.unregister(identities[0])
        assert ws.client.read_rest() == b''


def test_c9_bytes_before_the_101_belong_to_the_new_protocol(site: Serving) -> None:
    echo_websockets(site)
    with site.client() as client:
        lines = [f'{name}: {value}\r\n' for name, value in ASKING]
        client.send_raw(
            ('GET /ws HTTP/1.1\r\nHost: a\r\n' + ''.join(lines) + '\r\n').encode()
            + websocket_frame(b'early', 1, MASK)
            + websocket_frame(b'and late', 1, MASK)
        )
        assert client.read_head().status == 101
        for payload in (b'early', b'and late'):
            assert read_websocket_frame(client.read_exactly) == (1, payload)
    with WebSocket(site.address) as ws:
        assert ws.ask(b'after') == b'after'


def test_c9_stopping_ends_upgraded_connections_after_the_grace_period() -> None:
    with serving(grace_period=0.2) as site:
        echo_websockets(site)
        ws = WebSocket(site.address)
        assert ws.ask(b'hello') == b'hello'
        with in_background(ws.client.read_rest) as rest:
            site.http.stop()
            assert rest() == b''


def test_c9_an_upgrade_over_tls() -> None:
    import slimHTTP
    from support import lenient_tls

    with slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, quiet=True) as http:
        site = Serving(http)
        echo_websockets(site)
        client = Client(site.address, tls=lenient_tls())
        client.send('GET', '/ws', ASKING)
        assert client.read_head().status == 101
        client.send_raw(websocket_frame(b'secret', 1, MASK))
        assert read_websocket_frame(client.read_exactly) == (1, b'secret')
        client.close()


def test_c9_an_identity_is_built_from_a_request_of_whatever_identity(site: Serving) -> None:
    """As an identity of a library beside one that `on_accept` has returned."""
    import slimHTTP

    class Mine:
        pass

    built: list[Any] = []
    site.http.on_accept(lambda socket, ip, port: Mine())

    @site.http.route('/i')
    def build(request: Any) -> str:
        assert isinstance(request.CLIENT_IDENTITY, Mine)
        identity = slimHTTP.HTTP_CLIENT_IDENTITY(request)
        built.append((identity.address, identity.server is site.http, identity.request is request))
        built.append((identity.source_port, identity.fileno == identity.socket.fileno()))
        site.http.unregister(request.CLIENT_IDENTITY)
        return 'built'

    with site.client() as client:
        response = client.get('/i')
        assert (response.text, response.closes) == ('built', True)
        port = built[1][0]
    assert built == [('127.0.0.1', True, True), (port, True)]
