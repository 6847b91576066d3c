"""Who comes back by a ticket: over changes that do not concern it, and not where other demands hold."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Optional

import pytest
import slimHTTP
from support import Client, Serving, serving
from support.issuing import Issuer, lenient_client

VERSIONS = ['TLSv1_2', 'TLSv1_3']


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / 'issued')


class Returning:
    """A client that comes back by the ticket that it has got last."""

    def __init__(self, served: Serving, version: str, shown: Optional[Path] = None) -> None:
        self.served = served
        self.context = lenient_client(shown, version)
        self.session: Any = None

    def comes(self, name: str) -> bool:
        """Make a request; whether the connection was resumed."""
        options = {'tls': self.context, 'server_name': name, 'session': self.session}
        with Client(self.served.address, **options) as client:
            assert client.get('/', host=name).status == 404
            # With TLS 1.3 a ticket comes behind the handshake.
            secure: Any = client.socket
            self.session = secure.session
            return bool(secure.session_reused)


@pytest.mark.parametrize('version', VERSIONS)
def test_c10_5_a_ticket_outlives_changes_that_do_not_concern_it(
    version: str, issuer: Issuer
) -> None:
    a = issuer.issue('a.pem', 'a.example')
    vhosts = {'a.example': {'tls': {'cert': str(a)}}}
    with serving(mode=slimHTTP.HTTPS, vhosts=vhosts, io_threads=2) as served:
        client = Returning(served, version)
        assert not client.comes('a.example')
        # By whichever I/O thread.
        assert all(client.comes('a.example') for _ in range(5))
        served.http.config['index'] = 'other.html'
        assert client.comes('a.example')
        served.http.config['vhosts']['b.example'] = {'tls': {'versions': '1.3', 'cert': str(a)}}
        assert client.comes('a.example')
        other = issuer.issue('other.pem', 'a.example')
        served.http.config['vhosts']['a.example'] = {'tls': {'cert': str(other)}}
        assert client.comes('a.example')


@pytest.mark.parametrize('version', VERSIONS)
def test_c10_5_a_ticket_is_nothing_where_other_demands_hold(version: str, issuer: Issuer) -> None:
    pem, ca = str(issuer.issue('all.pem', '*.example')), str(issuer.authority)
    optional = {'cert': pem, 'client_auth': {'ca': ca, 'mode': 'optional'}}
    ada = issuer.issue('ada.pem', 'ada')
    with serving(mode=slimHTTP.HTTPS, cert=pem, vhosts={'a.example': {}}) as served:
        a = served.http.config['vhosts']['a.example']
        without, with_one = Returning(served, version), Returning(served, version, ada)
        for client in (without, with_one):
            assert not client.comes('a.example')
            assert client.comes('a.example')
        a['tls'] = optional
        for client in (without, with_one):
            assert not client.comes('a.example'), 'it came before anybody was asked'
            assert client.comes('a.example')
        a['tls'] = {'cert': pem, 'client_auth': ca}
        assert not with_one.comes('a.example')
        with pytest.raises((ssl.SSLError, ConnectionError)):
            without.comes('a.example')
        del a['tls']
        assert not with_one.comes('a.example')
        # Of one host nothing is resumed for another (RFC 6066 section 3).
        assert with_one.comes('a.example')
        assert not with_one.comes('b.example')


@pytest.mark.parametrize('version', VERSIONS)
def test_c10_5_who_comes_back_is_who_it_was(version: str, issuer: Issuer) -> None:
    ada, seen = issuer.issue('ada.pem', 'ada'), []
    tls = {'cert': str(issuer.issue('a.pem', 'a.example')), 'client_auth': str(issuer.authority)}
    with serving(mode=slimHTTP.HTTPS, tls=tls) as served:

        @served.http.route('/')
        def who(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.HTTP_RESPONSE:
            assert request.tls is not None
            seen.append(request.tls.client_certificate)
            return slimHTTP.HTTP_RESPONSE(ret_code=404)

        client = Returning(served, version, ada)
        assert [client.comes('a.example') for _ in range(3)] == [False, True, True]
    assert [own.subject for own in seen] == ['CN=ada'] * 3
