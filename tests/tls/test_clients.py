"""Who a client is: what is demanded of it, and what handlers and applications know of it."""

from __future__ import annotations

import datetime
import hashlib
import re
import ssl
import time
from pathlib import Path
from typing import Any, Optional

import pytest
import slimHTTP
from support import Client, Closed, Serving, serving, wait_until
from support.http2_client import Http2
from support.issuing import Issuer, der, lenient_client

#: Both refuse and require: what TLS answers a client whose certificate is not good.
REFUSED = (ssl.SSLError, ConnectionError, Closed)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / 'issued')


def https(**config: Any) -> Any:
    return serving(mode=slimHTTP.HTTPS, **config)


def ask(served: Serving, name: str, shown: Optional[Path], version: str) -> str:
    """What a handler answers to a client that shows a certificate, or none."""
    context = lenient_client(shown, version)
    with Client(served.address, tls=context, server_name=name) as client:
        return client.get('/', host=name).text


def by_subject(request: slimHTTP.HTTP_REQUEST) -> str:
    """Who asks, for a route."""
    assert request.tls is not None
    own = request.tls.client_certificate
    return own.subject if own is not None else 'nobody'


@pytest.mark.parametrize('version', ['TLSv1_2', 'TLSv1_3'])
def test_c10_5_what_is_demanded_of_clients(version: str, issuer: Issuer) -> None:
    foreign = Issuer(issuer.folder / 'foreign', 'Another CA')
    certificates = {
        'none': None,
        'good': issuer.issue('ada.pem', 'ada'),
        'foreign': foreign.issue('eve.pem', 'eve'),
        'expired': issuer.issue('late.pem', 'late', expires=1),
        'self-signed': issuer.folder / 'self.pem',
    }
    slimHTTP.CertManager.generate_key_and_cert(certificates['self-signed'], cn='self')
    ca = str(issuer.authority)
    config = {
        'cert': str(issuer.issue('all.pem', '*.example')),
        'vhosts': {
            'free.example': {},
            'may.example': {'tls': {'client_auth': {'ca': ca, 'mode': 'optional'}}},
            'must.example': {'tls': {'client_auth': ca}},
        },
    }
    end = time.time() + 1
    with https(**config) as served:
        for vhost in (None, *config['vhosts']):
            served.http.route('/', vhost)(by_subject)
        wait_until(lambda: time.time() > end + 1, 'the end of a certificate')
        for host, known in [
            ('free.example', dict.fromkeys(certificates, 'nobody')),
            ('may.example', {'none': 'nobody', 'good': 'CN=ada'}),
            ('must.example', {'good': 'CN=ada'}),
        ]:
            for kind, shown in certificates.items():
                if kind in known:
                    assert ask(served, host, shown, version) == known[kind], (host, kind)
                else:
                    with pytest.raises(REFUSED):
                        ask(served, host, shown, version)


def test_c10_5_a_host_demands_less_or_more_than_the_global_level(issuer: Issuer) -> None:
    ada, ca = issuer.issue('ada.pem', 'ada'), str(issuer.authority)
    config = {
        'tls': {'cert': str(issuer.issue('all.pem', '*.example')), 'client_auth': ca},
        'vhosts': {'free.example': {'tls': {'client_auth': False}}, 'same.example': {}},
    }
    with https(**config) as served:
        for vhost in (None, *config['vhosts']):
            served.http.route('/', vhost)(by_subject)
        assert ask(served, 'free.example', None, 'TLSv1_3') == 'nobody'
        for name in ('same.example', 'other.example'):
            assert ask(served, name, ada, 'TLSv1_3') == 'CN=ada'
            with pytest.raises(REFUSED):
                ask(served, name, None, 'TLSv1_3')
        # What is changed while it runs holds for whoever connects then.
        served.http.config['tls']['client_auth'] = {'ca': ca, 'mode': 'optional'}
        assert ask(served, 'same.example', None, 'TLSv1_3') == 'nobody'


def test_c10_5_another_authority_on_disk_is_taken_up(issuer: Issuer) -> None:
    other = Issuer(issuer.folder / 'other', 'Another CA')
    ada, eve = issuer.issue('ada.pem', 'ada'), other.issue('eve.pem', 'eve')
    config = {'cert': str(issuer.issue('a.pem', 'a.example'))}
    with https(tls={'client_auth': str(issuer.authority)}, **config) as served:
        served.http.route('/')(by_subject)
        assert ask(served, 'a.example', ada, 'TLSv1_3') == 'CN=ada'
        with Client(served.address, tls=lenient_client(ada), server_name='a.example') as before:
            assert before.get('/', host='a.example').text == 'CN=ada'
            issuer.authority.write_bytes(other.own[1])

            def is_known() -> bool:
                try:
                    return ask(served, 'a.example', eve, 'TLSv1_3') == 'CN=eve'
                except REFUSED:
                    return False

            wait_until(is_known, 'the other authority')
            assert before.get('/', host='a.example').status == 421, 'nobody vouches for it any more'
        with pytest.raises(REFUSED):
            ask(served, 'a.example', ada, 'TLSv1_3')


@pytest.mark.parametrize('protocol', ['HTTP/1.1', 'HTTP/2'])
def test_c10_5_a_handler_knows_who_asks(protocol: str, issuer: Issuer) -> None:
    ada = issuer.issue('ada.pem', 'ada', 'ada.example', '192.0.2.7', organization='Us, Inc.')
    config = {'cert': str(issuer.issue('a.pem', 'a.example'))}
    seen: list[Any] = []

    def look(request: slimHTTP.HTTP_REQUEST) -> str:
        seen.append(request.tls)
        return repr(request.tls)

    with https(tls={'client_auth': str(issuer.authority)}, **config) as served:
        served.http.route('/')(look)
        context = lenient_client(ada, 'TLSv1_3')
        if protocol == 'HTTP/2':
            with Http2(served.http.port, server_name='A.Example', context=context) as client:
                text = client.get('/', authority='a.example').body.decode()
                cipher = client.socket.cipher()
        else:
            context.set_alpn_protocols(['http/1.1'])
            with served.client(tls=context, server_name='A.Example') as one:
                text = one.get('/', host='a.example').text
                cipher = one.socket.cipher()
    tls = seen[0]
    assert isinstance(tls, slimHTTP.TlsSession)
    assert (tls.version, tls.cipher, tls.sni) == ('TLSv1.3', cipher[0], 'a.example')
    assert tls.alpn == ('h2' if protocol == 'HTTP/2' else 'http/1.1')
    own = tls.client_certificate
    assert isinstance(own, slimHTTP.ClientCertificate)
    assert (own.subject, own.issuer) == (r'CN=ada,O=Us\, Inc.', 'CN=Our CA')
    assert own.names == ['ada', 'ada.example', '192.0.2.7']
    assert own.fingerprint == hashlib.sha256(der(ada)).hexdigest()
    assert ssl.PEM_cert_to_DER_cert(own.pem) == der(ada)
    assert re.fullmatch('([0-9A-F]{2})+', own.serial)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert own.not_before < now < own.not_after
    assert text == f'<TlsSession TLSv1.3 {cipher[0]} of {own.subject}>'
    assert repr(own) == f'<ClientCertificate {own.subject}>'


def test_c10_5_without_tls_there_is_nothing_to_know(issuer: Issuer) -> None:
    seen: list[Any] = []
    with serving(trusted_proxies='127.0.0.1') as plain:
        plain.http.route('/')(lambda request: str(request.tls))
        assert plain.get('/', x_forwarded_proto='https').text == 'None'
    with https(cert=str(issuer.issue('a.pem', 'a.example'))) as served:

        @served.http.route('/', stream=True)
        def keep(request: slimHTTP.HTTP_REQUEST) -> str:
            seen.append(request)
            return 'kept'

        with served.client(tls=lenient_client()) as client:
            assert client.get('/').text == 'kept'
        tls = seen[0].tls
        assert (tls.sni, tls.alpn, tls.client_certificate) == (None, None, None)


def test_c10_5_applications_are_told_as_their_protocols_have_it(issuer: Issuer) -> None:
    ada = issuer.issue('ada.pem', 'ada', 'ada.example', organization='Us', email='ada@us.example')
    seen: dict[str, Any] = {}

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen['wsgi'] = {key: environ[key] for key in environ if key.startswith('SSL_')}
        start_response('204 No Content', [])
        return []

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope['type'] == 'lifespan':
            raise RuntimeError('none')
        seen['asgi'] = scope['extensions']['tls']
        await send({'type': 'http.response.start', 'status': 204})
        await send({'type': 'http.response.body'})

    ca = {'ca': str(issuer.authority), 'mode': 'optional'}
    config = {'tls': {'cert': str(issuer.issue('a.pem', 'a.example')), 'client_auth': ca}}
    with https(**config) as served:
        served.http.mount('/wsgi', slimHTTP.wsgi(wsgi))
        served.http.mount('/asgi', slimHTTP.asgi(asgi))
        for shown in (None, ada):
            context = lenient_client(shown, 'TLSv1_3')
            with Client(served.address, tls=context, server_name='a.example') as client:
                for path in ('/wsgi', '/asgi'):
                    assert (
                        client.get(path, host='a.example', Ssl_Client_Verify='SUCCESS').status
                        == 204
                    )
                cipher = client.socket.cipher()[0]
            pem = ssl.DER_cert_to_PEM_cert(der(ada))
            bare = {
                'SSL_PROTOCOL': 'TLSv1.3',
                'SSL_CIPHER': cipher,
                'SSL_TLS_SNI': 'a.example',
            }
            if shown is None:
                assert seen['wsgi'] == {**bare, 'SSL_CLIENT_VERIFY': 'NONE'}
                assert (seen['asgi']['client_cert_name'], seen['asgi']['client_cert_chain']) == (
                    None,
                    [],
                )
                continue
            said = seen['wsgi']
            end = datetime.datetime.strptime(said.pop('SSL_CLIENT_V_END'), '%b %d %H:%M:%S %Y GMT')
            start = datetime.datetime.strptime(
                said.pop('SSL_CLIENT_V_START'), '%b %d %H:%M:%S %Y GMT'
            )
            assert end - start == datetime.timedelta(days=365, hours=1)
            assert re.fullmatch('([0-9A-F]{2})+', said.pop('SSL_CLIENT_M_SERIAL'))
            name = 'emailAddress=ada@us.example,CN=ada,O=Us'
            assert said == {
                **bare,
                'SSL_CLIENT_VERIFY': 'SUCCESS',
                'SSL_CLIENT_S_DN': name,
                'SSL_CLIENT_S_DN_CN': 'ada',
                'SSL_CLIENT_S_DN_O': 'Us',
                'SSL_CLIENT_S_DN_Email': 'ada@us.example',
                'SSL_CLIENT_I_DN': 'CN=Our CA',
                'SSL_CLIENT_I_DN_CN': 'Our CA',
                'SSL_CLIENT_M_VERSION': '3',
                'SSL_CLIENT_SAN_DNS_0': 'ada',
                'SSL_CLIENT_SAN_DNS_1': 'ada.example',
                'SSL_CLIENT_CERT': pem,
            }
            assert seen['asgi']['client_cert_name'] == name
            assert seen['asgi']['client_cert_chain'] == [pem]
