"""The certificate of the tests, what a client of theirs trusts, and one that ends TLS half way."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Any

from support.waiting import PATIENCE

#: A self-signed certificate for localhost, 127.0.0.1 and ::1, and its key.
CERTIFICATE = Path(__file__).resolve().parent / 'certificates' / 'localhost.pem'
CERTIFICATE_KEY = CERTIFICATE.with_suffix('.key')


def trusting_tls() -> ssl.SSLContext:
    """A TLS context that trusts `CERTIFICATE` and nothing else."""
    return ssl.create_default_context(cafile=os.fspath(CERTIFICATE))


def lenient_tls() -> ssl.SSLContext:
    """A TLS context that trusts any certificate, for self-signed ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SecureClient:
    """A client of TLS that can say that it has sent all (close_notify) and go on reading."""

    def __init__(self, address: Any) -> None:
        self.socket = socket.create_connection(address, PATIENCE)
        self.received, self.to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = lenient_tls().wrap_bio(self.received, self.to_send)
        self._until_done(self.tls.do_handshake)

    def _until_done(self, step: Any) -> Any:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                if data := self.socket.recv(65_536):
                    self.received.write(data)
                else:
                    self.received.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if data := self.to_send.read():
            self.socket.sendall(data)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self._flush()

    def close_notify(self) -> None:
        """Say it, and nothing else: the answer of the other end is not waited for."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self._flush()

    def read_some(self, most: int) -> bytes:
        """What comes next, at least one byte."""
        return self._until_done(lambda: self.tls.read(most))

    def read_rest(self) -> bytes:
        """All that comes until the other end says that it has sent all."""
        data = b''
        while True:
            try:
                part = self.read_some(1 << 20)
            except ssl.SSLZeroReturnError:
                return data
            if not part:
                return data
            data += part
