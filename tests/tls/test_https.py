"""HTTPS: certificates as they are configured, at fault, changed, and renewed on disk."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from slimHTTP import CertManager
from support import DATA, PATIENCE, Client, Log, Serving, lenient_tls, serving, wait_until

TLS = DATA / 'tls'
make = CertManager.generate_key_and_cert


def https(**config: Any) -> Any:
    return serving(mode=slimHTTP.HTTPS, **config)


def presented(served: Serving) -> bytes:
    """The certificate that a new connection gets, DER."""
    with Client(served.address, tls=lenient_tls()) as client:
        assert client.get('/').status == 404
        certificate = client.socket.getpeercert(binary_form=True)
    assert certificate
    return certificate


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def trusting(*certificates: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=b''.join(certificates).decode())


@pytest.mark.parametrize('version', ['TLSv1_2', 'TLSv1_3'])
@pytest.mark.parametrize(
    'options',
    [
        {'ssl': {'cert': 'cert.pem', 'key': 'key.pem'}},
        {'cert': './cert.pem', 'key': 'key.pem'},
        {'cert': 'both.pem'},
        {'ssl': {'cert': 'both.pem'}},
        {'ssl': {'cert': 'both.pem', 'key': 'both.pem'}},
        {},  # `cert.pem` and `key.pem`, as `default_config()` says
    ],
)
def test_c1_1_where_a_certificate_is_named(options: dict, version: str, in_folder: Any) -> None:
    in_folder({'a.txt': 'a'})
    _, certificate = make('key.pem', cert_file='cert.pem', cn='127.0.0.1')
    Path('both.pem').write_bytes(Path('key.pem').read_bytes() + certificate)
    context = trusting(certificate)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with https(web_root='.', **options) as served, served.client(tls=context) as client:
        assert client.get('/a.txt', host='127.0.0.1').text == 'a'
        assert client.socket.version() == version.replace('_', '.')


def test_c1_1_the_defaults_of_an_https_server_are_as_documented() -> None:
    with https() as served:
        assert served.http.default_config() == {
            'web_root': '/srv/http',
            'index': 'index.html',
            'vhosts': {},
            'port': 443,
            'ssl': {'cert': 'cert.pem', 'key': 'key.pem'},
        }


def test_c1_1_a_missing_certificate_is_made_and_told(
    in_folder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    in_folder()
    with https(ssl={'cert': 'cert.pem', 'key': 'key.pem'}) as served:
        certificate = presented(served)
        wait_until(lambda: 'self-signed' in caplog.text, 'the line in the log')
        context = trusting(ssl.DER_cert_to_PEM_cert(certificate).encode())
        with Client(served.address, tls=context) as client:
            assert client.get('/', host='localhost').status == 404
    assert 'cert.pem' in caplog.text
    assert not Path('cert.pem').exists()


def test_c1_1_a_certificate_of_the_configuration_function_is_not_missed(in_folder: Any) -> None:
    in_folder()
    make('our-key.pem', cert_file='our-cert.pem')
    with Log() as log:
        http = slimHTTP.server(slimHTTP.HTTPS, '127.0.0.1', 0, quiet=True)

        @http.configuration
        def configure():
            return {'cert': 'our-cert.pem', 'key': 'our-key.pem'}

        with http:
            shown = ssl.DER_cert_to_PEM_cert(presented(Serving(http)))
            assert shown == Path('our-cert.pem').read_text()
            # A change that leaves it without one is told at once, and behind it all else.
            http.configuration({})
            log.wait_for('no certificate is configured')
    assert log.text.count('self-signed') == 1


def test_c1_1_a_certificate_that_comes_later_to_the_usual_place_is_taken_up(
    in_folder: Any,
) -> None:
    in_folder()
    with Log() as log, https() as served:
        log.wait_for('no certificate is configured')
        made = presented(served)
        make('key.pem', cert_file='cert.pem')
        wait_until(lambda: presented(served) != made, 'the new certificate', 2 * PATIENCE)
        assert ssl.DER_cert_to_PEM_cert(presented(served)) == Path('cert.pem').read_text()
        log.wait_for('cert.pem is there: it is presented now')


def secp256k1() -> None:
    certificate_of('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1')


def rsa_of_1024_bits() -> None:
    certificate_of('-newkey', 'rsa:1024')


def certificate_of(*key: str) -> None:
    where = ['-keyout', 'bad.pem', '-out', 'bad-cert.pem']
    openssl('req', '-x509', '-nodes', '-subj', '/CN=localhost', *key, *where)


def encrypted() -> None:
    openssl('pkey', '-in', 'key.pem', '-aes128', '-passout', 'pass:x', '-out', 'bad.pem')


def encrypted_traditionally() -> None:
    openssl('ec', '-in', 'key.pem', '-aes128', '-passout', 'pass:x', '-out', 'bad.pem')


def as_der() -> None:
    openssl('x509', '-in', 'cert.pem', '-outform', 'der', '-out', 'bad.pem')


def openssl(*arguments: str) -> str:
    return subprocess.run(
        ['openssl', *arguments], check=True, capture_output=True, text=True, timeout=20
    ).stdout


BAD = {'cert': 'bad-cert.pem', 'key': 'bad.pem'}
KEY = (
    'key: expected a private key on the curve P-256, P-384 or P-521, of Ed25519, or of RSA with'
    ' 2048 to 8192 bits, found `{}/bad.pem`, one of '
)


@pytest.mark.parametrize(
    ('options', 'prepare', 'fault'),
    [
        ({'cert': 'cert.pem', 'key': 'bad.pem'}, encrypted, 'key: expected a private key without a passphrase, found `{}/bad.pem`, which is encrypted\n  hint: decrypt it'),
        ({'ssl': {'cert': 'cert.pem', 'key': 'bad.pem'}}, encrypted_traditionally, 'ssl.key: expected a private key without a passphrase'),
        ({'cert': 'bad.pem', 'key': 'key.pem'}, as_der, 'cert: expected a certificate in PEM form, found `{}/bad.pem`, which has none\n  hint: this looks like DER'),
        (BAD, secp256k1, KEY + 'ECDSA on the curve secp256k1\n  hint: make another one'),
        (BAD, rsa_of_1024_bits, KEY + 'RSA with 1024 bits\n'),
        ({'cert': 'cert.pem', 'key': 'other.pem'}, None, 'key: expected the private key of the certificate in `{}/cert.pem`, found `{}/other.pem`, the key of another one'),
        ({'cert': 'cert.pem'}, None, 'key: expected a private key in PEM form, found `{}/cert.pem`, which has a certificate only\n  hint: name the file of the key by `key`'),
        ({'cert': 'key.pem'}, None, 'cert: expected a certificate in PEM form, found `{}/key.pem`, which has none'),
        ({'cert': 'cert.pem', 'key': 'cert.pem'}, None, 'key: expected a private key in PEM form'),
        ({'ssl': {'cert': 'empty.pem', 'key': 'empty.pem'}}, None, 'ssl.cert: expected a certificate in PEM form, found `{}/empty.pem`, which has none\nssl.key: expected a private key'),
        ({'cert': 'cert.pem', 'key': 'none.pem'}, None, 'key: expected a PEM file that exists, found `{}/none.pem`'),
        ({'cert': 'folder'}, None, 'cert: expected a PEM file, found `{}/folder`, a folder'),
    ],
)  # fmt: skip
def test_c2_6_a_certificate_that_cannot_be_used(
    options: dict, prepare: Any, fault: str, in_folder: Any
) -> None:
    folder = in_folder({'empty.pem': '', 'folder/x': ''})
    make('key.pem', cert_file='cert.pem')
    make('other.pem', cert_file='another.pem')
    if prepare:
        prepare()
    with pytest.raises(slimHTTP.ConfError) as refused:
        slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0, **options)
    assert fault.replace('{}', str(folder)) in refused.value.message


@pytest.mark.parametrize('kind', ['P-521', 'Ed25519', 'RSA with 4608 bits', 'RSA with 2048 bits'])
def test_c10_2_every_kind_of_key_is_presented(kind: str, in_folder: Any) -> None:
    in_folder()
    if kind == 'RSA with 4608 bits':
        # Making such a key takes half a minute on a slow machine.
        shutil.copy(TLS / 'rsa4608.key', 'key.pem')
        shutil.copy(TLS / 'rsa4608.pem', 'cert.pem')
    else:
        key = {
            'P-521': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
            'Ed25519': ['-newkey', 'ed25519'],
            'RSA with 2048 bits': ['-newkey', 'rsa:2048'],
        }[kind]
        where = ['-keyout', 'key.pem', '-out', 'cert.pem']
        openssl('req', '-x509', '-nodes', '-subj', '/CN=localhost', *key, *where)
    with https(cert='cert.pem', key='key.pem') as served:
        assert presented(served) == der(Path('cert.pem').read_bytes())
        assert kind in served.http.certificates()[0]['key_type']


def test_c10_2_a_certificate_that_has_ended_is_presented_and_told() -> None:
    options = {'cert': str(TLS / 'expired.pem'), 'key': str(TLS / 'expired.key')}
    with Log() as log, https(**options) as served:
        log.wait_for(r'expired\.pem ended on .*: renew it')
        assert presented(served) == der((TLS / 'expired.pem').read_bytes())


def test_c3_3_another_certificate_is_presented_to_new_connections(in_folder: Any) -> None:
    in_folder()
    certificates = [
        der(make(f'{n}.key', cert_file=f'{n}.pem', cn='127.0.0.1')[1]) for n in range(3)
    ]
    with https(cert='0.pem', key='0.key') as served:
        assert presented(served) == certificates[0]
        with Client(served.address, tls=lenient_tls()) as before:
            before.get('/')
            served.http.configuration({'ssl': {'cert': '1.pem', 'key': '1.key'}})
            assert presented(served) == certificates[1]
            assert before.get('/').status == 404, 'a connection goes on with the one it has'
        with pytest.raises(slimHTTP.ConfError, match='the key of another one'):
            served.http.config['ssl'] = {'cert': '1.pem', 'key': '2.key'}
        assert presented(served) == certificates[1]
        served.http.config['ssl'] = {'cert': '2.pem', 'key': '2.key'}
        assert presented(served) == certificates[2]


@pytest.mark.parametrize('how', ['by itself', 'by a change of something else'])
def test_c10_2_a_certificate_that_is_renewed_on_disk_is_presented(how: str, in_folder: Any) -> None:
    in_folder()
    make('both.pem')
    with https(cert='both.pem') as served:
        before = presented(served)
        _, renewed = make('both.pem')
        if how == 'by itself':
            wait_until(lambda: presented(served) == der(renewed), 'the renewed certificate')
        else:
            served.http.config['index'] = 'other.html'
            assert presented(served) == der(renewed)
        assert before != der(renewed)


def test_c10_2_a_renewal_that_went_wrong_changes_nothing_and_is_told(
    in_folder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    in_folder()
    make('key.pem', cert_file='cert.pem')
    with https() as served:
        before = presented(served)
        make('other.pem', cert_file='cert.pem')
        served.http.config['index'] = 'other.html'
        assert presented(served) == before
        wait_until(lambda: 'the certificate read before stays in use' in caplog.text, 'the line')
        os.unlink('cert.pem')
        os.unlink('key.pem')
        served.http.config['index'] = 'another.html'
        assert presented(served) == before
        _, renewed = make('key.pem', cert_file='cert.pem')
        served.http.config['index'] = 'one_more.html'
        assert presented(served) == der(renewed)


def test_an_authority_of_our_own_is_believed_by_curl(in_folder: Any) -> None:
    in_folder({'a.txt': 'over TLS'})
    make('ca.pem', cn='Our CA', ca=True)
    make('key.pem', cert_file='cert.pem', cn='a.example', ca='ca.pem')
    with https(web_root='.') as served:
        port = served.address[1]
        for version in ('--tls-max=1.2', '--tlsv1.3'):
            said = subprocess.run(
                ['curl', '-sS', *version.split('='), '--cacert', 'ca.pem', '--resolve',
                 f'a.example:{port}:127.0.0.1', f'https://a.example:{port}/a.txt'],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            assert (said.stdout, said.stderr) == ('over TLS', '')


def test_c1_1_every_entry_point_leads_to_https(site: Any, tmp_path: Path) -> None:
    key, certificate = make(tmp_path / 'both.pem', cn='127.0.0.1')
    files = {'both.pem': key + certificate, 'www/a.txt': 'a'}
    running = site({'cert': 'both.pem', 'web_root': 'www'}, files, fresh=True)
    assert running.url.startswith('https://')
    with running.client(tls=trusting(certificate)) as client:
        assert client.get('/a.txt', host='127.0.0.1').text == 'a'
