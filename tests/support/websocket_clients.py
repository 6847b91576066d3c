"""Clients of WebSockets, by the package `websockets`; tests import them from here."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support.waiting import PATIENCE


def client(
    site: Any, path: str = '/ws', scheme: str = 'ws', host: str = '', **options: Any
) -> ClientConnection:
    """Open a WebSocket, of the virtual host `host` if there is one."""
    options.setdefault('close_timeout', PATIENCE)
    address, port = site.address
    if host:
        options['sock'] = socket.create_connection((address, port))
    return connect(f'{scheme}://{host or address}:{port}{path}', **options)


def closing(connection: ClientConnection) -> tuple[int, str]:
    """Read until it is closed; how."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=PATIENCE)
    close = connection.protocol.close_rcvd
    return (1006, '') if close is None else (close.code, close.reason)
