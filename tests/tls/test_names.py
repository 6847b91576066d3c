"""Which certificate a client gets: by the host that it asks for, and by what it can verify."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest
import slimHTTP
from support import DATA, Cli, Client, Log, Serving, serving, unused_port, wait_until
from support.http2_client import Http2
from support.issuing import Issuer, der, lenient_client

BOTH = ['HTTP/1.1', 'HTTP/2']


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / 'issued')


def https(**config: Any) -> Any:
    return serving(mode=slimHTTP.HTTPS, **config)


def presented(served: Serving, name: Optional[str], **options: Any) -> bytes:
    """The certificate that a client gets that asks for a host, DER."""
    context = lenient_client(**options)
    with Client(served.address, tls=context, server_name=name) as client:
        certificate = client.socket.getpeercert(binary_form=True)
    assert certificate
    return certificate


@pytest.mark.parametrize('protocol', BOTH)
def test_c10_2_each_virtual_host_presents_its_own(protocol: str, issuer: Issuer) -> None:
    pems = {name: issuer.issue(f'{name}.pem', f'{name}.example') for name in 'abcg'}
    wildcard = issuer.issue('wildcard.pem', '*.w.example')
    config = {
        'cert': str(pems['g']),
        'vhosts': {
            'a.example': {'tls': {'cert': str(pems['a'])}},
            'b.example': {'ssl': {'cert': str(pems['b']), 'key': str(pems['b'])}},
            'c.example': {'tls': [{'cert': str(pems['c'])}]},
            '*.w.example': {'tls': {'cert': str(wildcard)}},
            'none.example': {'web_root': str(issuer.folder)},
        },
    }
    with https(**config) as served:
        for name, path in [
            ('a.example', pems['a']),
            ('A.example', pems['a']),
            ('b.example', pems['b']),
            ('c.example', pems['c']),
            ('x.w.example', wildcard),
            ('none.example', pems['g']),
            ('other.example', pems['g']),
            (None, pems['g']),
        ]:
            if protocol == 'HTTP/2':
                with Http2(served.http.port, server_name=name) as client:
                    got = client.socket.getpeercert(binary_form=True)
            else:
                got = presented(served, name)
            assert got == der(path), name
        # The host that is asked for is believed by those who look.
        with served.client(tls=issuer.client(), server_name='x.w.example') as client:
            assert client.get('/', host='x.w.example').status == 404


def openssl_client(port: int, *arguments: str) -> str:
    """What openssl says of the certificate that it gets."""
    said = subprocess.run(
        ['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-servername', 'a.example',
         *arguments],
        input='', capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return said.stdout + said.stderr


def test_c10_2_a_client_gets_the_kind_of_key_that_it_knows(issuer: Issuer) -> None:
    rsa = issuer.issue('rsa.pem', 'a.example', key_size=2048)
    ecdsa = issuer.issue('ecdsa.pem', 'a.example')
    pairs = [{'cert': str(rsa)}, {'cert': str(ecdsa)}]
    with https(vhosts={'a.example': {'tls': pairs}}) as served:
        port = served.http.port
        for arguments, kind in [
            (['-tls1_3', '-sigalgs', 'RSA-PSS+SHA256'], 'RSA-PSS'),
            (['-tls1_3', '-sigalgs', 'ECDSA+SHA256'], 'ECDSA'),
            (['-tls1_3'], 'ECDSA'),
            (['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'], 'RSA'),
            (['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'], 'ECDSA'),
            (['-tls1_2'], 'ECDSA'),
        ]:
            said = openssl_client(port, *arguments)
            names = {'Peer signature type: ' + kind, f'Peer signature type: {kind.lower()}'}
            # Newer ones name the scheme: `ecdsa_secp256r1_sha256`, `rsa_pss_rsae_sha256`.
            scheme = kind.lower().replace('-', '_')
            assert any(name in said for name in names) or f'type: {scheme}' in said, said
        said = openssl_client(port, '-tls1_3', '-sigalgs', 'ed25519')
        assert 'alert handshake failure' in said, said


def test_c10_5_each_host_has_its_versions(issuer: Issuer) -> None:
    pem = str(issuer.issue('all.pem', '*.example'))
    config = {
        'cert': pem,
        'vhosts': {
            'old.example': {'tls': {'versions': '1.2'}},
            'new.example': {'tls': {'versions': ['1.3']}},
        },
    }
    with https(**config) as served:
        for name, version, works in [
            ('old.example', 'TLSv1_2', True),
            ('old.example', 'TLSv1_3', False),
            ('new.example', 'TLSv1_2', False),
            ('new.example', 'TLSv1_3', True),
            ('any.example', 'TLSv1_2', True),
            ('any.example', 'TLSv1_3', True),
        ]:
            if works:
                assert presented(served, name, version=version) == der(pem)
            else:
                with pytest.raises(ssl.SSLError, match=r'PROTOCOL_VERSION|protocol version'):
                    presented(served, name, version=version)


@pytest.mark.parametrize('how', ['by a change', 'on disk'])
def test_c10_2_another_certificate_of_one_host_disturbs_no_connection(
    how: str, issuer: Issuer
) -> None:
    a, b = (issuer.issue(f'{name}.pem', f'{name}.example') for name in 'ab')
    tls = {'a.example': {'tls': {'cert': str(a)}}, 'b.example': {'tls': {'cert': str(b)}}}
    with https(cert=str(b), vhosts=tls) as served:
        first, second = (
            served.client(tls=issuer.client(), server_name=f'{name}.example') for name in 'ab'
        )
        with first, second, Http2(served.http.port, server_name='b.example') as third:
            for number in range(5):
                renewed = 'a.pem' if how == 'on disk' else f'a{number}.pem'
                path = issuer.issue(renewed, 'a.example')
                if how == 'by a change':
                    served.http.config['vhosts']['a.example'] = {'tls': {'cert': str(path)}}
                    assert presented(served, 'a.example') == der(path)
                else:
                    wait_until(
                        lambda path=path: presented(served, 'a.example') == der(path), 'the renewal'
                    )
                assert presented(served, 'b.example') == der(b)
                # Each goes on with what it has begun with, and the host is still its own.
                assert first.get('/', host='a.example').status == 404
                assert second.get('/', host='b.example').status == 404
                assert third.get('/', authority='b.example').status == 404
                if how == 'on disk':
                    break
            assert (first.connections, second.connections) == (1, 1)


def test_c10_2_a_renewal_of_a_host_that_went_wrong_leaves_the_one_before(issuer: Issuer) -> None:
    a = issuer.issue('a.pem', 'a.example')
    before = der(a)
    vhosts = {'a.example': {'tls': {'cert': str(a)}}, 'b.example': {'tls': {'cert': str(a)}}}
    with Log() as log, https(vhosts=vhosts) as served:
        a.write_text('half of it')
        log.wait_for('the certificate read before stays in use: cert: expected a certificate')
        assert presented(served, 'a.example') == presented(served, 'b.example') == before
        of_both = served.http.certificates()[1]
        assert 'which has none' in of_both['fault']
        a.unlink()
        log.wait_for(r'a\.pem is gone: the certificate read before stays in use')
        assert presented(served, 'a.example') == before
        a = issuer.issue('a.pem', 'a.example')
        wait_until(lambda: presented(served, 'b.example') == der(a), 'the renewal')
        assert presented(served, 'a.example') == der(a)
        assert served.http.certificates()[1]['fault'] is None
    assert log.text.count('stays in use: cert') == 1, 'one file, read once'


def test_c10_2_what_is_wrong_with_the_certificate_of_a_host_is_said(issuer: Issuer) -> None:
    a, b = issuer.issue('a.pem', 'a.example'), issuer.issue('b.pem', 'b.example')
    (issuer.folder / 'broken.pem').write_text('nothing')
    broken = issuer.folder / 'broken.pem'
    with https(vhosts={'a.example': {'tls': {'cert': str(a)}}}) as served:
        for tls, message in [
            ({'cert': str(a), 'key': str(b)}, 'vhosts."a.example".tls.key: expected the private key'),
            ([{'cert': str(broken)}], 'vhosts."a.example".tls[0].cert: expected a certificate in PEM'),
            ({'client_auth': str(broken)}, 'vhosts."a.example".tls.client_auth: expected certificates'),
            ({'cert': 'no.pem'}, 'vhosts."a.example".tls.cert: expected a PEM file that exists'),
            ('yes', 'vhosts."a.example".tls: expected `auto`, a table, or a list'),
        ]:  # fmt: skip
            with pytest.raises(slimHTTP.ConfError) as refused:
                served.http.config['vhosts']['a.example'] = {'tls': tls}
            assert message in refused.value.message
            assert presented(served, 'a.example') == der(a)


def test_c10_2_ten_thousand_hosts_are_read_once(issuer: Issuer) -> None:
    shared = issuer.issue('shared.pem', '*.example')
    own = issuer.issue('own.pem', '5000.example')
    expected, glob = der(shared), str(issuer.issue('global.pem', 'g.example'))
    tls = {'tls': {'cert': str(shared)}}
    hosts = {f'{number}.example': tls for number in range(10_000)}
    with https(cert=glob, vhosts=hosts) as served:
        # Whoever read it again would find that it is gone; that is noticed, and told once.
        shared.unlink()
        served.http.config['vhosts']['5000.example'] = {'tls': {'cert': str(own)}}
        served.http.config['vhosts']['new.example'] = {'web_root': str(issuer.folder)}
        for number in (0, 4999, 5001, 9999):
            assert presented(served, f'{number}.example') == expected
        assert presented(served, '5000.example') == der(own)
        del served.http.config['vhosts']['5000.example']
        assert presented(served, '5000.example') == der(glob)
        of_all = [known for known in served.http.certificates() if known['cert'] == str(shared)]
        assert len(of_all[0]['vhosts']) == 9_999


@pytest.mark.parametrize('until_issued', ['self-signed', 'refuse'])
def test_c10_2_a_host_whose_certificate_is_not_there_yet(
    until_issued: str, issuer: Issuer, tmp_path: Path
) -> None:
    b = issuer.issue('b.pem', 'b.example')
    automatic = {'cert': 'auto', 'until_issued': until_issued, 'names': ['www.a.example']}
    vhosts = {'a.example': {'tls': automatic}, 'b.example': {'tls': {'cert': str(b)}}}
    # An authority that nobody reaches.
    acme = {'directory': f'https://127.0.0.1:{unused_port()}/', 'storage': str(tmp_path / 'acme')}
    with https(vhosts=vhosts, acme=acme) as served:
        for name in ('a.example', 'www.a.example'):
            if until_issued == 'refuse':
                with pytest.raises(ssl.SSLError, match=r'ACCESS_DENIED|access denied'):
                    presented(served, name)
            else:
                with served.client(tls=lenient_client(), server_name=name) as client:
                    assert client.get('/', host=name).status == 404
        assert presented(served, 'b.example') == der(b)
        known = next(one for one in served.http.certificates() if one['source'] == 'automatic')
        assert (known['names'], known['state']) == (['a.example', 'www.a.example'], 'missing')


def test_c10_2_what_is_known_of_each_certificate(issuer: Issuer) -> None:
    a = issuer.issue('a.pem', 'a.example', '192.0.2.1', expires=20 * 86400)
    g = issuer.issue('g.pem', 'g.example', key_size=2048)
    over = {'cert': str(DATA / 'tls' / 'expired.pem'), 'key': str(DATA / 'tls' / 'expired.key')}
    vhosts: dict[str, Any] = {
        name: {'tls': [{'cert': str(a)}]} for name in ('b.example', 'a.example')
    }
    vhosts['c.example'] = {'tls': over}
    with Log() as log, https(cert=str(g), vhosts=vhosts) as served:
        of_global, of_hosts, expired = served.http.certificates()
        log.wait_for(r'expired\.pem ended on ')
    assert set(of_global) == {
        'names', 'state', 'vhosts', 'source', 'cert', 'key', 'issuer', 'serial', 'not_before',
        'not_after', 'key_type', 'fingerprint', 'fault', 'attempts', 'next_attempt',
    }  # fmt: skip
    assert (of_global['vhosts'], of_global['state']) == ([None], 'valid')
    assert of_global['key_type'] == 'RSA with 2048 bits'
    assert (of_hosts['vhosts'], of_hosts['state']) == (['a.example', 'b.example'], 'valid')
    assert of_hosts['names'] == ['a.example', '192.0.2.1']
    assert (of_hosts['source'], of_hosts['cert'], of_hosts['key']) == ('files', str(a), str(a))
    assert (of_hosts['issuer'], of_hosts['fault']) == ('CN=Our CA', None)
    assert of_hosts['fingerprint'] == hashlib.sha256(der(a)).hexdigest()
    left = of_hosts['not_after'] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(19) < left < datetime.timedelta(20)
    assert (expired['vhosts'], expired['state']) == (['c.example'], 'expired')
    with serving() as plain:
        assert plain.http.certificates() == []


@pytest.mark.parametrize('debug', [True, False])
def test_c10_5_secrets_are_written_with_debug_alone(
    debug: bool, issuer: Issuer, tmp_path: Path
) -> None:
    pem = issuer.issue('a.pem', 'a.example')
    file = tmp_path / 'site.toml'
    file.write_text(f'addr = "127.0.0.1"\nport = 0\ncert = "{pem}"\ndebug = {str(debug).lower()}\n')
    secrets = tmp_path / 'secrets.txt'
    with Cli('run', file, env={'SSLKEYLOGFILE': os.fspath(secrets)}) as program:
        with program.client(tls=lenient_client(version='TLSv1_3')) as client:
            assert client.get('/').status == 404
        if debug:
            assert 'CLIENT_TRAFFIC_SECRET_0' in secrets.read_text()
            assert f'secrets of TLS are written to {secrets}' in program.stderr
        else:
            assert not secrets.exists()


def test_c10_2_a_file_that_names_a_certificate_for_a_host_alone_is_of_an_https_server(
    issuer: Issuer, tmp_path: Path
) -> None:
    shutil.copy(issuer.issue('a.pem', 'a.example'), tmp_path / 'a.pem')
    file = tmp_path / 'site.toml'
    file.write_text(
        'addr = "127.0.0.1"\nport = 0\n[vhosts."a.example".tls]\ncert = "a.pem"\nversions = "1.3"\n'
    )
    with Cli('run', file) as program:
        assert program.url.startswith('https://')
        with program.client(tls=issuer.client(), server_name='a.example') as client:
            assert client.get('/', host='a.example').status == 404
            assert client.socket.version() == 'TLSv1.3'
