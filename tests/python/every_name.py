"""A program that uses every public name, as its types say; never run, but read by `mypy --strict`."""

from __future__ import annotations

import datetime
import logging
import pathlib
import socket as sockets
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, Optional, Union

import slimHTTP
from typing_extensions import assert_type

http: slimHTTP.HTTP_SERVER = slimHTTP.server(slimHTTP.HTTP, addr='', port=0, web_root='./www')
https = slimHTTP.server(slimHTTP.HTTPS, '', 443, ssl={'cert': 'cert.pem', 'key': 'key.pem'})
assert isinstance(https, slimHTTP.HTTPS_SERVER)
older: slimHTTP.HTTP_SERVER = slimHTTP.host(slimHTTP.HTTP, addr='', port=80)
found: slimHTTP.HTTP_SERVER = slimHTTP.instances[':80']

# Configuring


@http.configuration
def config(instance: slimHTTP.HTTP_SERVER) -> dict[str, Any]:
    return {'web_root': './www', 'vhosts': {}}


assert_type(config(http), dict[str, Any])
http.configuration({'web_root': './www'})
http.config['vhosts']['a.example'] = {'module': './vhost.py'}
del http.config['vhosts']['a.example']
http.config.update(index=['index.html'])
with http.config.edit() as draft:
    draft['vhosts'] = {}
assert_type(http.check_config(http.default_config()), Union[bool, slimHTTP.ConfError])
http.swap_root(None, pathlib.Path('www'))
assert_type(https.certificates(), list[dict[str, Any]])


# Applications


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({'type': 'http.response.start', 'status': 204})


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return [b'']


http.mount('/shop', asgi, app_start_timeout=10)
http.mount('/static', {'web_root': './static'}, vhost='a.example')
http.mount('/old', slimHTTP.wsgi(wsgi))
assert_type(http.route('/shop', prefix=True)(slimHTTP.asgi(asgi)), slimHTTP.asgi)
group: slimHTTP.ROUTE_GROUP = http.group('/api', vhost='a.example').group('/v1')
assert_type((group.prefix, group.vhost), tuple[str, Optional[str]])
assert_type(group.route('/old', prefix=True)(slimHTTP.wsgi(wsgi)), slimHTTP.wsgi)

# Handlers


@http.route('/')
def raw(request: slimHTTP.HTTP_REQUEST) -> bytes:
    return request.build_headers({'Content-Type': 'text/plain'}) + request.payload


assert_type(raw(slimHTTP.HTTP_REQUEST()), bytes)


@http.route('/users/<name>', vhost='a.example', methods=['GET'], prefix=True)
async def user(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.HTTP_RESPONSE:
    response = slimHTTP.HTTP_RESPONSE({'X': 'y'}, {'name': request.params['name']}, ret_code=201)
    print(response.headers, response.payload, response.kwargs, response.ret_code, response.build())
    assert_type(response.build_headers({'X': 'y'}) + response.clean_payload(), slimHTTP.Raw)
    return response.set_cookie('seen', 'yes', secure=True).delete_cookie('new')


# Certificates


class Records:
    def present(self, name: str, value: str) -> None:
        print(name, value)

    async def cleanup(self, domain: str, text: str) -> bool:
        return bool(domain and text)


class Zone:
    @staticmethod
    def present(name: str, value: str) -> None: ...
    @classmethod
    def cleanup(cls, name: str, value: str) -> None: ...


@http.acme_dns
def records(action: str, name: str, value: str) -> None:
    print(action, name, value)


assert_type(http.acme_dns(Records), type[Records])
assert_type(http.acme_dns(Records()), Records)
assert_type(http.acme_dns(Zone), type[Zone])


@http.acme_allow
async def is_customer(name: str) -> bool:
    return name.endswith('.example')


@http.acme_allow
def is_known(name: str) -> Optional[str]:
    return name or None


@http.route('/upload', stream=True)
async def upload(request: slimHTTP.HTTP_REQUEST) -> AsyncIterator[bytes]:
    content: slimHTTP.ContentStream = request.stream()
    try:
        async for chunk in content:
            yield chunk
    except (slimHTTP.ContentTooLarge, slimHTTP.ContentTimeout, slimHTTP.ClientDisconnected):
        raise
    except (slimHTTP.MissingField, slimHTTP.MalformedContent, slimHTTP.ContentError) as error:
        yield str(error).encode()


@http.route('/request')
def look(request: slimHTTP.HTTP_REQUEST) -> Optional[Iterator[str]]:
    assert_type((request.method, request.url, request.query), tuple[str, str, dict[str, str]])
    assert_type(request.headers, dict[bytes, Any])
    assert_type((request.payload, request.request_payload), tuple[bytes, bytes])
    assert_type((request.vhost, request.web_root), tuple[Optional[str], Optional[str]])
    assert_type(request.private_root, Optional[str])
    assert_type((request.ret_code_mapper, request.cookies), tuple[dict[int, str], dict[str, str]])
    form: slimHTTP.MultiDict[str] = request.form
    for file in request.files.getlist('file'):
        assert_type(file, slimHTTP.UploadedFile)
    print(request.data, request.json, request.text, form, request.scheme, request.host)
    print(request.remote, request.base_url, request.full_url)
    if request.tls is not None:
        session: slimHTTP.TlsSession = request.tls
        print(session.version, session.cipher, session.sni, session.alpn)
        if session.client_certificate is not None:
            own: slimHTTP.ClientCertificate = session.client_certificate
            assert_type((own.subject, own.issuer, own.serial, own.pem), tuple[str, str, str, str])
            assert_type((own.names, own.not_before), tuple[list[str], datetime.datetime])
            print(own.not_after, own.fingerprint)
    request.ret_code = 418
    request.response_headers['X'] = 'y'
    request.session_storage['seen'] = True
    request.set_cookie('a', 'b', max_age=60)
    request.delete_cookie('a')
    if request.locate_index_file(['index.html'], return_any=False) is None:
        return None
    client: slimHTTP.HTTP_CLIENT_IDENTITY = request.CLIENT_IDENTITY
    assert_type((client.address, client.source_port, client.fileno), tuple[str, int, int])
    assert_type((client.keep_alive, client.closing, client.has_data()), tuple[bool, bool, bool])
    assert_type(client.server, Optional[slimHTTP.HTTP_SERVER])
    assert_type(client.request, Optional[slimHTTP.HTTP_REQUEST])
    print(client.socket, client.buffer, client.buffer_size, client.on_close, client.poll(timeout=0))
    client.close()
    return iter(['streamed'])


@http.route('/file')
def file(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.FILE:
    with slimHTTP.STREAM_CHUNKED(request, pathlib.Path('a'), start=3, chunksize=100) as part:
        assert_type(part.chunk, bytes)
    with slimHTTP.FILE(request, 'a') as whole:
        assert_type((whole.path, whole.mime, whole.size), tuple[str, str, int])
        assert_type((whole.headers, whole.data), tuple[dict[str, str], bytes])
        return whole


def forwarded(request: slimHTTP.HTTP_PROXY_REQUEST) -> str:
    return request.url


# Hooks


@http.GET
def get(request: slimHTTP.HTTP_REQUEST) -> Optional[str]:
    return None


@http.REQUESTED_METHOD
def every(request: slimHTTP.HTTP_REQUEST) -> Optional[str]:
    return None


assert_type(every(slimHTTP.HTTP_REQUEST()), Optional[str])
http.methods[b'PUT'] = get


class Lines(slimHTTP.HTTP_CLIENT_IDENTITY):
    def upgrade(self, request: slimHTTP.HTTP_REQUEST) -> None:
        request.CLIENT_IDENTITY.socket.send(b'HTTP/1.1 101 Switching Protocols\r\n\r\n')

    def build_request(self) -> Iterator[tuple[Any, ...]]:
        self.send(b'line')
        yield slimHTTP.Events.WS_CLIENT_REQUEST, self


@http.allow(['10.0.0.0/8'])
def accept(socket: slimHTTP.CLIENT_SOCKET, ip: str, source_port: int) -> Lines:
    return Lines(http, socket, (ip, source_port))


@http.on_accept
def accept_all(socket: slimHTTP.CLIENT_SOCKET, ip: str, source_port: int) -> Optional[bool]:
    return None


@http.on_close
def close(identity: slimHTTP.HTTP_CLIENT_IDENTITY) -> None:
    print(identity.address)


@http.on_upgrade
def upgrade(request: slimHTTP.HTTP_REQUEST) -> Optional[Lines]:
    if request.method == 'POST':
        raise slimHTTP.UpgradeIssue('not by POST')
    return Lines(request)


http.on_accept_func, http.on_close_func, http.on_upgrade_func = accept, close, None
http.process_new_client(sockets.create_connection(('127.0.0.1', 80)), ('127.0.0.1', 80))
for identity in http.sockets.values():
    http.unregister(identity)


@http.websocket('/chat')
async def chat(ws: slimHTTP.WEBSOCKET) -> None:
    async for message in ws:
        assert_type(message, Union[str, bytes])
        slimHTTP.broadcast([ws], message)


@http.websocket('/talk')
def talk(ws: slimHTTP.SYNC_WEBSOCKET) -> None:
    try:
        for message in ws:
            ws.send(message)
    except slimHTTP.WebSocketClosed:
        return


# The beginning, the end, and answers that are raised


@http.on_start
async def connect(instance: slimHTTP.HTTP_SERVER) -> None:
    print(instance)


@http.on_stop
def disconnect() -> None:
    raise slimHTTP.HTTPError(404, {'error': 'gone'}, {'X': 'y'})


assert_type(slimHTTP.Raw(b'HTTP/1.1 200 OK\r\n\r\n') + b'body', slimHTTP.Raw)

# Serving

for event, *event_data in http.poll():
    print(slimHTTP.Events.convert(event), event_data)
for event, data in http.poll(timeout=0.1, fileno=3):
    print(event in slimHTTP.Events.DATA_EVENTS, data)
http.debug('/')
assert_type(http.is_debuggable('/'), bool)
http.log('told', 1, level='info')
http.log('told', level=logging.WARNING)
for vhost, routes in http.routes.items():
    assert_type((vhost, routes), tuple[Optional[str], dict[str, slimHTTP.ROUTE_HANDLER]])
with http as serving:
    assert_type((serving.address, serving.port, serving.closed), tuple[str, int, bool])
http.stop()
http.close()
http.run()

# The rest

assert_type(slimHTTP.CertManager.generate_key_and_cert('key.pem', cn='a'), tuple[bytes, bytes])
assert_type(slimHTTP.drop_privileges(), bool)
assert_type(slimHTTP.__version__, str)
with slimHTTP.Imported('vhost.py', namespace='vhost') as module:
    assert_type(module, ModuleType)
storage = slimHTTP.VirtualStorage()
print(storage.sys.modules, storage.sys.specs, storage.storage)
handler = slimHTTP.ROUTE_HANDLER('/')
assert_type(handler.gateway(raw)(slimHTTP.HTTP_REQUEST()), bytes)
slimHTTP.memory['key'] = slimHTTP.memory.increment('visits') + slimHTTP.memory.setdefault('n', 0)
assert_type(slimHTTP.memory.compare_and_set('key', 1, 2), bool)
slimHTTP.memory.update('key', lambda value: value + 1, default=0)
try:
    raise slimHTTP.ModuleError('message', '/vhost.py')
except (slimHTTP.InvalidFrame, slimHTTP.LoggerError, slimHTTP.NotYetImplemented) as error:
    assert_type(str(error), str)
except slimHTTP.ModuleError as error:
    assert_type((error.message, error.path), tuple[str, str])
except slimHTTP.slimHTTP_Error as error:
    print(error)
