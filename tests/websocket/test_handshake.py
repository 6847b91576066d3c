"""Who may open a WebSocket, by which route, and what is agreed on."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from support import CERTIFICATE, CERTIFICATE_KEY, PATIENCE, Log, Serving, serving, wait_until
from support.sites import site_fixture
from support.websocket_clients import client
from support.websocket_frames import handshake
from websockets.sync.client import ClientConnection

of = pytest.mark.parametrize
site = site_fixture(grace_period=2)


# The handshake.


@of(
    ('method', 'fields', 'status'),
    [
        ('GET', {}, 426),
        ('HEAD', handshake(), 426),
        ('POST', handshake(), 405),
        ('GET', handshake(Upgrade='h2c'), 426),
        ('GET', handshake(Sec_WebSocket_Version='8'), 426),
        ('GET', handshake(Sec_WebSocket_Version=''), 426),
        ('GET', handshake(Sec_WebSocket_Key=''), 400),
        ('GET', handshake(Sec_WebSocket_Key='short'), 400),
        ('GET', handshake(Origin='https://evil.example'), 403),
        ('GET', handshake(Origin='null'), 403),
        ('GET', handshake(), 101),
    ],
)
@of('module', [False, True])
def test_handshakes(
    tmp_path: Any, method: str, fields: dict[str, str], status: int, module: bool
) -> None:
    """A module's are judged as a route's are; what Python need not see it does not see."""
    source = """
import slimHTTP
http = next(iter(slimHTTP.instances.values()))
@http.websocket('/ws')
async def handler(ws):
    await ws.send('x')
"""
    if module:
        (tmp_path / 'app.py').write_text(source)
        config = {'module': str(tmp_path / 'app.py')}
    else:
        config = {}
    called = []
    with serving(**config) as site:
        if not module:

            @site.http.websocket('/ws')
            async def handler(ws):
                called.append(1)

        with site.client() as client:
            client.send(method, '/ws', fields)
            response = client.read_head()
            assert response.status == status
            if status == 426:
                assert response.headers['Upgrade'] == 'websocket'
                assert response.headers['Connection'].lower() == 'upgrade'
                assert response.headers['Sec-WebSocket-Version'] == '13'
            elif status == 405:
                assert response.headers['Allow'] == 'GET, HEAD'
            elif status == 101 and not module:
                wait_until(lambda: called, 'the handler')
        assert called == ([1] if status == 101 and not module else [])


def test_origins(site: Serving) -> None:
    @site.http.websocket('/same')
    async def same(ws): ...

    @site.http.websocket('/listed', origins=['https://a.example', 'http://b.example:8080'])
    async def listed(ws): ...

    @site.http.websocket('/any', origins=['*'])
    async def anybody(ws): ...

    host, port = site.address
    for path, origin, status in (
        ('/same', '', 101),
        ('/same', f'http://{host}:{port}', 101),
        ('/same', f'http://{host}', 403),
        ('/same', 'https://a.example', 403),
        ('/listed', '', 101),
        ('/listed', 'https://A.example:443', 101),
        ('/listed', 'http://b.example:8080', 101),
        ('/listed', f'http://{host}:{port}', 403),
        ('/any', 'null', 101),
    ):
        with site.client() as client:
            client.send('GET', path, handshake(Origin=origin))
            assert client.read_head().status == status, (path, origin)


@pytest.mark.parametrize(('debug', 'level'), [(True, 'WARNING'), (False, 'INFO')])
def test_the_log_says_whose_page_was_turned_away(debug: bool, level: str) -> None:
    with serving(debug=debug) as site, Log() as log:
        site.http.websocket('/chat')(lambda ws: None)
        with site.client() as client:
            client.send('GET', '/chat', handshake(Origin='http://other.example:5173'))
            assert client.read_head().status == 403
        log.wait_for('a page of `http://other.example:5173` may not open the WebSocket `/chat`')
        told = [one.levelname for one in log.records if 'may not open' in one.getMessage()]
        assert told == [level]


def test_the_log_says_so_of_a_module_too(tmp_path: Path) -> None:
    module = tmp_path / 'module.py'
    module.touch()
    with serving(vhosts={'a.example': {'module': str(module)}}) as site, Log() as log:
        module.write_text(
            f"import slimHTTP\nhttp = slimHTTP.instances['127.0.0.1:{site.http.port}']\n"
            "http.websocket('/chat', vhost='a.example')(lambda ws: None)\n"
        )
        with site.client() as client:
            fields = handshake(Origin='http://other.example')
            client.send('GET', '/chat', fields, host='a.example')
            assert client.read_head().status == 403
        log.wait_for('a page of `http://other.example` may not open the WebSocket `/chat`')


def test_subprotocols(site: Serving) -> None:
    @site.http.websocket('/ws', subprotocols=['v2', 'v1'])
    async def handler(ws):
        await ws.send(str(ws.subprotocol))

    for offered, spoken in ((['v1', 'v2'], 'v2'), (['v1'], 'v1'), (['v0'], None), (None, None)):
        with client(site, subprotocols=offered) as ws:
            assert ws.recv(timeout=PATIENCE) == str(spoken)
            assert ws.subprotocol == spoken


@of(
    ('arguments', 'error'),
    [
        ({'url': 'ws'}, ValueError),
        ({'url': '/ws', 'origins': 'https://a.example'}, TypeError),
        ({'url': '/ws', 'origins': ['a.example']}, ValueError),
        ({'url': '/ws', 'origins': [1]}, TypeError),
        ({'url': '/ws', 'subprotocols': 'v1'}, TypeError),
        ({'url': '/ws', 'vhost': 1}, TypeError),
        ({'url': '/ws/<'}, ValueError),
    ],
)
def test_arguments_that_make_no_route(site: Serving, arguments: Any, error: type) -> None:
    with pytest.raises(error):

        @site.http.websocket(**arguments)
        async def handler(ws): ...


def test_routes_show_it(site: Serving) -> None:
    @site.http.websocket('/ws')
    async def handler(ws): ...

    assert site.http.routes[None]['/ws'].parser is handler
    # A route of the same path replaces it.
    site.http.route('/ws')(lambda request: 'plain')
    assert site.get('/ws').body == b'plain'


def test_over_tls() -> None:
    with serving(mode=slimHTTP.HTTPS, cert=str(CERTIFICATE), key=str(CERTIFICATE_KEY)) as site:

        @site.http.websocket('/ws')
        async def handler(ws):
            async for message in ws:
                await ws.send(message)

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with client(site, scheme='wss', ssl=context) as ws:
            for message in ('Hello', bytes(1_000_000), 'x' * 500_000):
                ws.send(message)
                assert ws.recv(timeout=PATIENCE) == message


def test_a_module_opens_websockets(tmp_path: Any) -> None:
    """It is run for the handshake, and that run stays for the WebSocket."""
    module = tmp_path / 'app.py'
    module.write_text("""
import slimHTTP
http = next(iter(slimHTTP.instances.values()))
slimHTTP.memory.increment('runs')

@http.websocket('/async/<name>', vhost='a.example')
async def handler(ws):
    async for message in ws:
        await ws.send(f'one {ws.params["name"]} {message}')

@http.websocket('/sync', vhost='a.example')
def handler_sync(ws):
    for message in ws:
        ws.send('one ' + message)

def on_request(request):
    return 'a page'
""")
    with serving(vhosts={'a.example': {'module': str(module)}}) as site:

        def opened(path: str) -> ClientConnection:
            return client(site, path, host='a.example')

        def said(ws: ClientConnection) -> str:
            ws.send('?')
            return str(ws.recv(timeout=PATIENCE))

        slimHTTP.memory.pop('runs', None)
        with opened('/async/x') as old, opened('/sync') as old_sync:
            assert (said(old), said(old_sync)) == ('one x ?', 'one ?')
            assert slimHTTP.memory['runs'] == 2
            assert site.get('/', 'a.example').body == b'a page'
            module.write_text(module.read_text().replace('one', 'two'))
            with opened('/async/x') as new:
                assert (said(new), said(old)) == ('two x ?', 'one x ?')


def test_c7_2_through_the_proxy_of_another_server(site: Serving) -> None:
    @site.http.websocket('/ws')
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    host, port = site.address
    with serving(proxy=f'{host}:{port}') as front, client(front) as ws:
        for message in ('Hello', bytes(500_000)):
            ws.send(message)
            assert ws.recv(timeout=PATIENCE) == message
