"""C9: the programs that slimHTTP 1.0 documents, as such programs are written.

Each runs as a program of its own and is asked from outside. Only the port, the
address and paths are not those of the documents.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PATIENCE, Program, tree, wait_until, websocket_identity
from support.websocket_frames import read_websocket_frame, websocket_accept, websocket_frame

MINIMAL = """
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, port=0, web_root='./web')
http.run()
"""

REST = """
import json
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

@http.configuration
def config(instance):
    return {
        'web_root': './web',
        'index': 'index.html',
    }

@http.route('/')
def main(request):
    return request.build_headers() + b'<html><body>Test body</body></html>'

@http.route('/put')
def put_handler(request):
    print(request.headers)
    if request.method == 'PUT':
        print('PUT:', request.request_payload)

@http.route('/api/v1/login.json')
def login(request):
    data = json.loads(request.payload.decode('UTF-8'))
    answer = {'status': 'successful' if data['password'] == 'open sesame' else 'failed'}
    return request.build_headers({'Content-Type': 'application/json'}) + bytes(json.dumps(answer), 'UTF-8')

@http.route('/whoami')
def whoami(request):
    return slimHTTP.HTTP_RESPONSE(
        ret_code=200,
        headers={'Content-Type': 'application/json'},
        payload={'you are': request.CLIENT_IDENTITY.address},
    )

@http.route('/old')
def redirect(request):
    request.ret_code = 307
    request.response_headers[b'Location'] = b'/'
    return request.build_headers()

@http.route('/older')
def older(request):
    return slimHTTP.HTTP_RESPONSE(ret_code=307, headers={'Location': '/old'}, payload=b'')

http.run()
"""

LOOP = """
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

@http.configuration
def config(instance):
    return {'web_root': './web', 'index': 'index.html'}

@http.on_accept
def accept(socket, ip, source_port):
    print('accepted', ip, flush=True)

@http.on_close
def close(CLIENT_IDENTITY):
    print('closed', CLIENT_IDENTITY.address, flush=True)

@http.GET
def get(request):
    if request.headers[b'URL'] == '/get':
        return request.build_headers() + b'by GET'

while 1:
    for event, *event_data in http.poll():
        if event == slimHTTP.Events.CLIENT_REQUEST:
            print(slimHTTP.Events.convert(event), flush=True)
"""

BRIDGE = """
import asyncio
import slimHTTP

class Chat:
    '''Another client library: it talks to a server of its own on the loop.'''

    def __init__(self):
        self.channel = []

    async def connect(self):
        while True:
            await asyncio.sleep(0.01)

    async def send(self, text):
        await asyncio.sleep(0.01)
        self.channel.append(text)
        print('said', text, flush=True)

client = Chat()
http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
loop = asyncio.new_event_loop()

@http.route('/say')
def say(request):
    loop.create_task(client.send(request.payload.decode()))
    return request.build_headers() + b'is going to be said'

@http.route('/channel')
def channel(request):
    return slimHTTP.HTTP_RESPONSE(payload={'channel': client.channel})

async def web():
    while 1:
        for event, *event_data in http.poll():
            pass
        await asyncio.sleep(0.25)

loop.create_task(web())
loop.run_until_complete(client.connect())
"""

WEBSOCKET = """
import slimHTTP
from websocket_identity import WebSocketIdentity

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

@http.configuration
def config(instance):
    return {'web_root': './web', 'index': 'index.html'}

@http.on_upgrade
def upgrade(request):
    if b'upgrade' in request.headers and request.headers[b'upgrade'].lower() == b'websocket':
        identity = WebSocketIdentity(request)
        identity.upgrade(request)
        return identity

while 1:
    for event, *event_data in http.poll():
        if event == slimHTTP.Events.WS_CLIENT_REQUEST:
            frame = event_data[0]
            frame.answer(b'you said ' + frame.payload)
        elif event == slimHTTP.Events.CLIENT_UPGRADED:
            print('upgraded', event_data[0].address, flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[object]:
    tree(tmp_path, {'web': {'index.html': 'the index', 'page.html': 'a page'}})
    shutil.copy(websocket_identity.__file__, tmp_path)
    with contextlib.ExitStack() as running:

        def start(source: str) -> Program:
            (tmp_path / 'program.py').write_text(source)
            return running.enter_context(Program(tmp_path / 'program.py', cwd=tmp_path))

        yield start


def test_c9_program_1_minimal(run) -> None:
    program = run(MINIMAL)
    for address in ('127.0.0.1', '::1'):
        if address == '::1' and not os.path.exists('/proc/net/if_inet6'):
            continue
        with program.client() as client:
            client.address = (address, program.port)
            assert client.get('/').text == 'the index'
            assert client.get('/page.html').text == 'a page'
            assert client.get('/missing').status == 404
    assert program.stop(signal.SIGINT) == 0


def test_c9_program_2_rest(run) -> None:
    program = run(REST)
    with program.client() as client:
        assert client.get('/').text == '<html><body>Test body</body></html>'
        assert client.get('/page.html').text == 'a page'
        # It answers nothing, so files do: with what they say to PUT.
        assert client.request('PUT', '/put', body=b'some data').status == 405
        program.wait_for(r"PUT: b'some data'", 'stdout')
        for password, status in [('open sesame', 'successful'), ('x', 'failed')]:
            body = json.dumps({'password': password}).encode()
            response = client.request('POST', '/api/v1/login.json', body=body)
            assert response.headers['content-type'] == 'application/json'
            assert response.json() == {'status': status}
        assert client.get('/whoami').json() == {'you are': '127.0.0.1'}
        response = client.get('/old')
        assert (response.status, response.headers['location']) == (307, '/')
        response = client.get('/older')
        assert (response.status, response.headers['location']) == (307, '/old')
        # One that does not parse is this program's own fault, and its alone.
        assert client.request('POST', '/api/v1/login.json', body=b'{').status == 500
        assert client.get('/whoami').status == 200


def test_c9_program_4_a_loop_of_one_s_own(run) -> None:
    program = run(LOOP)
    with program.client() as client:
        assert client.get('/get').text == 'by GET'
        assert client.get('/page.html').text == 'a page'
        assert client.get('/').text == 'the index'
    program.wait_for('CLIENT_REQUEST', 'stdout', count=3)
    program.wait_for('closed 127.0.0.1', 'stdout')
    assert program.stdout.count('accepted 127.0.0.1') == 1


def test_c9_program_5_beside_another_client_on_one_loop(run) -> None:
    program = run(BRIDGE)
    with program.client(timeout=3 * PATIENCE) as client:
        for text in ('one', 'two'):
            answer = client.request('POST', '/say', body=text.encode())
            assert answer.text == 'is going to be said'
        program.wait_for('said two', 'stdout')
        wait_until(
            lambda: client.get('/channel').json() == {'channel': ['one', 'two']}, 'both texts'
        )


def test_c9_program_6_websocket(run) -> None:
    program = run(WEBSOCKET)
    key = base64.b64encode(b'0123456789abcdef').decode()
    fields = [
        ('Upgrade', 'websocket'),
        ('Connection', 'keep-alive, Upgrade'),
        ('Sec-WebSocket-Key', key),
        ('Sec-WebSocket-Version', '13'),
    ]
    with program.client() as client, program.client() as other:
        client.send('GET', '/', fields)
        response = client.read_head()
        assert response.status == 101
        assert response.headers['sec-websocket-accept'] == websocket_accept(key)
        program.wait_for('upgraded 127.0.0.1', 'stdout')
        for text in (b'hello', b'x' * 5000):
            client.send_raw(websocket_frame(text, 1, b'mask'))
            assert read_websocket_frame(client.read_exactly) == (1, b'you said ' + text)
            # Others are served meanwhile.
            assert other.get('/page.html').text == 'a page'
        client.send_raw(websocket_frame(b'', 8, b'mask'))
        assert read_websocket_frame(client.read_exactly) == (8, b'')
        assert client.read_rest() == b''
    assert program.running
