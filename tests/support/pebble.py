"""Pebble, the test authority of those who run Let's Encrypt, with its server of the DNS.

Both are processes of their own (packages `pebble` of Debian, see tools/clients), on free ports, and
ended with the block that has started them. Every name leads to 127.0.0.1. The authority looks for
answers at the ports that `Authority` has chosen for the site, so a site is told these.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from support.client import Client, is_refused
from support.issuing import Issuer
from support.servers import Process, Serving, serving
from support.upstreams import unused_port
from support.waiting import PATIENCE, START_PATIENCE, wait_until

#: The mode of a server that speaks TLS.
HTTPS = 2

#: For the tests that need both.
needs_pebble = pytest.mark.skipif(
    not (shutil.which('pebble') and shutil.which('pebble-challtestsrv')),
    reason='skipped: no pebble',
)


class Authority:
    """An authority, the DNS that it asks, and the ports of the site at which it looks.

    `settings` go into the configuration of Pebble.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._settings = folder, settings
        self._issuer = Issuer(folder / 'tls')
        self._shown = self._issuer.issue('pebble.pem', '127.0.0.1')
        #: What the authority's own TLS is verified by.
        self.ca = self._issuer.authority
        #: The ports of the site at which it looks for http-01 and tls-alpn-01.
        self.http, self.tls = unused_port(), unused_port()
        self.port, self._management = unused_port(), unused_port()
        self.dns = f'127.0.0.1:{unused_port()}'
        self._records = f'http://127.0.0.1:{unused_port()}'
        self._pebble: Optional[Process] = None
        self._server_of_dns: Optional[Process] = None

    def __enter__(self) -> Authority:
        try:
            self._start_dns()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._server_of_dns is not None:
            self._server_of_dns.kill()

    def _start_dns(self) -> None:
        nothing = [f'-{name}=' for name in ('http01', 'https01', 'tlsalpn01', 'defaultIPv6')]
        management = self._records.partition('//')[2]
        self._server_of_dns = Process(
            ['pebble-challtestsrv', *nothing, '-dns01', self.dns, '-management', management]
        )
        wait_until(lambda: self._edit_dns('clear-txt', host='nobody.'), 'the DNS', START_PATIENCE)

    def _edit_dns(self, action: str, **content: str) -> bool:
        asked = urllib.request.Request(f'{self._records}/{action}', json.dumps(content).encode())
        try:
            urllib.request.urlopen(asked, timeout=PATIENCE).close()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def add_record(self, name: str, value: str) -> None:
        """Let `name` have this text too."""
        assert self._edit_dns('set-txt', host=f'{name}.', value=value)

    def remove_records(self, name: str) -> None:
        """Take every text of `name` away."""
        assert self._edit_dns('clear-txt', host=f'{name}.')

    def start(self) -> None:
        """Begin to answer; it remembers nothing of what it was before."""
        config = {
            'listenAddress': f'127.0.0.1:{self.port}',
            'managementListenAddress': f'127.0.0.1:{self._management}',
            'certificate': str(self._shown),
            'privateKey': str(self._shown),
            'httpPort': self.http,
            'tlsPort': self.tls,
            'ocspResponderURL': '',
            'externalAccountBindingRequired': False,
            **self._settings,
        }
        file = self.folder / 'pebble.json'
        file.write_text(json.dumps({'pebble': config}))
        env = {
            'PEBBLE_VA_NOSLEEP': '1',
            'PEBBLE_WFE_NONCEREJECT': '5',
            'PEBBLE_AUTHZREUSE': '0',
        }
        command = ['pebble', '-config', file, '-strict', '-dnsserver', self.dns]
        self._pebble = Process(command, env=env)
        ports = (self._management, self.port)
        wait_until(
            lambda: not any(is_refused(('127.0.0.1', port)) for port in ports),
            'Pebble',
            START_PATIENCE,
        )

    def stop(self) -> None:
        """Be down."""
        if self._pebble is not None:
            self._pebble.kill()

    @property
    def directory(self) -> str:
        return f'https://127.0.0.1:{self.port}/dir'

    @property
    def orders(self) -> int:
        """How many orders it has taken."""
        assert self._pebble is not None
        return self._pebble.stdout.count('Added order ')

    def options(self, **more: Any) -> dict[str, Any]:
        """The option `acme` of a site that asks it."""
        return {'directory': self.directory, 'ca': str(self.ca), **more}

    def client(self) -> ssl.SSLContext:
        """A client that believes the certificates that it issues."""
        trusted = ssl.create_default_context(cafile=str(self.ca))
        url = f'https://127.0.0.1:{self._management}/roots/0'
        with urllib.request.urlopen(url, timeout=PATIENCE, context=trusted) as root:
            return ssl.create_default_context(cadata=root.read().decode())

    @contextlib.contextmanager
    def site(self, folder: Path, **config: Any) -> Iterator[Serving]:
        """Serve in this process at the ports at which the authority looks, TLS at first.

        `acme` is said by this, with `folder` as storage; what is given there is added.
        """
        listen = [f'http://127.0.0.1:{self.http}']
        acme = self.options(storage=str(folder / 'acme'), **config.pop('acme', {}))
        said = {'port': self.tls, 'listen': listen, 'acme': acme, **config}
        with serving(mode=HTTPS, **said) as served:
            yield served


def secure(port: int, name: str, context: ssl.SSLContext) -> Client:
    """A client of TLS that asks for a host and wants a certificate for it."""
    return Client(('127.0.0.1', port), tls=context, server_name=name)


def serial(port: int, name: str, context: ssl.SSLContext) -> Optional[str]:
    """The serial number of the certificate for a host; None where it is not believed."""
    with secure(port, name, context) as client:
        try:
            certificate = client.socket.getpeercert()
        except (ssl.SSLError, ConnectionError):
            return None
    return None if certificate is None else str(certificate['serialNumber'])


def wait_for_certificate(port: int, name: str, context: ssl.SSLContext) -> str:
    """Wait until a client believes that this is the host; the serial number of its certificate."""
    found = wait_until(lambda: serial(port, name, context), f'{name}, certified', START_PATIENCE)
    return str(found)
