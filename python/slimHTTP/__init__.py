"""A web server driven from Python: files, virtual hosts, modules, proxying.

>>> import slimHTTP
>>> http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
>>> @http.route('/hello')
... def hello(request):
...     return 'Hello!'
>>> http.close()    # a program says `http.run()` instead, and serves

This file is names only; each stands where it is defined, and says that it is of `slimHTTP`.
"""

from __future__ import annotations

from types import FunctionType as _FunctionType

from slimHTTP._applications._wrappers import asgi, wsgi
from slimHTTP._errors import (
    ClientDisconnected,
    ConfError,
    ContentError,
    ContentTimeout,
    ContentTooLarge,
    HTTPError,
    InvalidFrame,
    LoggerError,
    MalformedContent,
    MissingField,
    ModuleError,
    NotYetImplemented,
    UpgradeIssue,
    WebSocketClosed,
    slimHTTP_Error,
)
from slimHTTP._legacy import HTTP_PROXY_REQUEST, VirtualStorage, host
from slimHTTP._message._forms import MultiDict, UploadedFile
from slimHTTP._message._raw import Raw
from slimHTTP._message._response import FILE, HTTP_RESPONSE, STREAM_CHUNKED
from slimHTTP._modules import Imported
from slimHTTP._mounts import ROUTE_GROUP
from slimHTTP._net._certificates import CertManager
from slimHTTP._net._events import Events
from slimHTTP._net._websocket import SYNC_WEBSOCKET, WEBSOCKET, broadcast
from slimHTTP._privileges import drop_privileges
from slimHTTP._routes import ROUTE_HANDLER
from slimHTTP._server import HTTP, HTTP_SERVER, HTTPS, HTTPS_SERVER, instances, server
from slimHTTP._slimhttp import (
    CLIENT_SOCKET,
    HTTP_CLIENT_IDENTITY,
    HTTP_REQUEST,
    ClientCertificate,
    ContentStream,
    TlsSession,
    version,
)
from slimHTTP._state._memory import memory

__version__ = version()

__all__ = [
    'CLIENT_SOCKET',
    'FILE',
    'HTTP',
    'HTTPS',
    'HTTPS_SERVER',
    'HTTP_CLIENT_IDENTITY',
    'HTTP_PROXY_REQUEST',
    'HTTP_REQUEST',
    'HTTP_RESPONSE',
    'HTTP_SERVER',
    'ROUTE_GROUP',
    'ROUTE_HANDLER',
    'STREAM_CHUNKED',
    'SYNC_WEBSOCKET',
    'WEBSOCKET',
    'CertManager',
    'ClientCertificate',
    'ClientDisconnected',
    'ConfError',
    'ContentError',
    'ContentStream',
    'ContentTimeout',
    'ContentTooLarge',
    'Events',
    'HTTPError',
    'Imported',
    'InvalidFrame',
    'LoggerError',
    'MalformedContent',
    'MissingField',
    'ModuleError',
    'MultiDict',
    'NotYetImplemented',
    'Raw',
    'TlsSession',
    'UpgradeIssue',
    'UploadedFile',
    'VirtualStorage',
    'WebSocketClosed',
    '__version__',
    'asgi',
    'broadcast',
    'drop_privileges',
    'host',
    'instances',
    'memory',
    'server',
    'slimHTTP_Error',
    'wsgi',
]

# Pickles and texts that a program keeps name a class by its module: by the one that it
# imports, and not by the file in which it stands, which another version may call otherwise.
for _public in [globals()[_name] for _name in __all__]:
    if isinstance(_public, (type, _FunctionType)) and _public.__module__ != __name__:
        _public.__module__ = __name__
del _public
