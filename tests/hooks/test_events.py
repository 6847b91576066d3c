"""C9: the events that `poll()` yields beside those of plain requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import Closed, Serving, Upstream, exchange, in_background, unused_port
from support.polling import gather, numbers
from support.upgrades import ASKING, WebSocket, echo_websockets


@pytest.fixture
def http() -> Iterator[Any]:
    import slimHTTP

    http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)
    yield http
    http.close()


def named(events: list[tuple]) -> list[str]:
    import slimHTTP

    return [str(slimHTTP.Events.convert(event)) for event, *_ in events]


def happened(http: Any, ask: Any) -> list[tuple]:
    """Let `ask(site)` talk to the server until its connection ends; gives the events."""
    site = Serving(http)
    with in_background(lambda: ask(site)) as result:
        events = gather(http, lambda seen: 0x81 in numbers(seen))
        result()
    return events


def asks(target: str, host: str = '', fields: Any = ()) -> Any:
    def ask(site: Serving) -> int:
        with site.client() as client:
            return client.request('GET', target, fields, host=host).status

    return ask


def test_c9_a_routed_request(http: Any) -> None:
    http.route('/hello', vhost='a.example')(lambda request: 'hello')
    http.config['vhosts'] = {'a.example': {}}
    events = happened(http, asks('/hello?x=y', 'a.example'))
    assert named(events) == [
        'SERVER_ACCEPT',
        'CLIENT_REQUEST',
        'CLIENT_URL_ROUTED',
        'CLIENT_RESPONSE_DATA',
        'SERVER_CLOSE',
    ]
    assert events[1][2:] == ('GET', '/hello?x=y', 'a.example')
    assert events[2][2:] == ('/hello?x=y', 'a.example')
    assert events[3][2:] == (200,)


def test_c9_a_request_that_files_answer_is_not_routed(http: Any) -> None:
    assert named(happened(http, asks('/missing'))) == [
        'SERVER_ACCEPT',
        'CLIENT_REQUEST',
        'CLIENT_RESPONSE_DATA',
        'SERVER_CLOSE',
    ]


def test_c9_forwarded_requests(http: Any) -> None:
    with Upstream() as upstream:
        http.config['vhosts'] = {
            'up.example': {'proxy': upstream.name},
            'down.example': {'proxy': f'127.0.0.1:{unused_port()}'},
        }
        events = happened(http, asks('/x', 'up.example'))
        assert (named(events)[2], events[2][2]) == ('CLIENT_RESPONSE_PROXY_DATA', 200)
    events = happened(http, asks('/x', 'down.example'))
    assert (named(events)[2], events[2][2]) == ('PROXY_EMPTY_RESPONSE', 502)


def test_c9_what_is_no_http(http: Any) -> None:
    events = happened(http, lambda site: exchange(site.address, b'nonsense\r\n\r\n'))
    assert named(events) == ['SERVER_ACCEPT', 'INVALID_DATA', 'SERVER_CLOSE']


def test_c9_an_upgraded_connection(http: Any) -> None:
    identities = echo_websockets(Serving(http))

    def talk(site: Serving) -> None:
        with WebSocket(site.address) as ws:
            assert ws.ask(b'hello') == b'hello'
            ws.send(b'', 8)
            ws.client.read_rest()

    events = happened(http, talk)
    assert [name for name in named(events) if name != 'CLIENT_DATA'] == [
        'SERVER_ACCEPT',
        'CLIENT_REQUEST',
        'CLIENT_UPGRADED',
        'WS_CLIENT_COMPLETE_FRAME',
        'WS_CLIENT_REQUEST',
        'WS_CLIENT_RESPONSE',
        'SERVER_CLOSE',
    ]
    data = [event for event in events if event[0] == 0x40]
    assert data[0][1] is identities[0]
    [frame] = [event[1] for event in events if event[0] == 0xC1]
    assert frame.payload == b'hello'


def test_c9_an_upgrade_that_fails(http: Any) -> None:
    import slimHTTP

    def issue(request: Any) -> None:
        raise slimHTTP.UpgradeIssue('not like this')

    http.on_upgrade(issue)
    events = happened(http, asks('/ws', fields=ASKING))
    issues = [event for event in events if event[0] == slimHTTP.Events.CLIENT_UPGRADE_ISSUE]
    assert [event[2] for event in issues] == ['not like this']
    assert issues[0][1].address == '127.0.0.1'


def test_c9_who_is_not_allowed_is_no_event(http: Any) -> None:
    http.allow(['192.0.2.1'])
    site = Serving(http)
    list(http.poll())
    with site.client() as client, pytest.raises((Closed, ConnectionError)):
        client.get('/')
    http.allow(None)
    assert named(happened(http, asks('/')))[0] == 'SERVER_ACCEPT'


def test_c9_poll_with_the_fileno_of_an_upgraded_connection_tells_of_its_bytes(http: Any) -> None:
    """As identities of old programs ask before they read."""
    looked: list[Any] = []

    class Curious:
        def __init__(self, request: Any) -> None:
            self.socket = request.CLIENT_IDENTITY.socket
            self.fileno = request.CLIENT_IDENTITY.fileno
            self.socket.send(
                b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'
            )

        def poll(self, timeout: float = 0.2) -> None:
            looked.append((timeout, list(http.poll(timeout, fileno=self.fileno))))
            self.socket.recv(100)
            looked.append(list(http.poll(timeout, fileno=self.fileno)))
            self.socket.close()

    http.on_upgrade(Curious)

    def talk(site: Serving) -> None:
        with site.client() as client:
            client.send('GET', '/', [('Upgrade', 'x'), ('Connection', 'upgrade')])
            assert client.read_head().status == 101
            client.send_raw(b'x')
            assert client.read_rest() == b''

    happened(http, talk)
    (timeout, [(event, identity)]), nothing = looked
    assert (timeout, event, type(identity), nothing) == (0, 0x40, Curious, [])


def test_c9_what_identities_tell_is_bounded_and_costs_nothing_unread(http: Any) -> None:
    http._connections.record(0x40, 'unseen')
    list(http.poll())
    assert list(http.poll()) == []
    for n in range(10_000):
        http._connections.record(0x40, n)
    assert len(http._connections._recorded) == 4096
    told = [event[1] for event in http.poll()]
    assert told == list(range(10_000 - 4096, 10_000))
