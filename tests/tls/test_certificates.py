"""`CertManager`: what it writes, what the certificates say, and who believes them."""

from __future__ import annotations

import os
import re
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from slimHTTP import CertManager

make = CertManager.generate_key_and_cert


def openssl(*arguments: str) -> str:
    said = subprocess.run(
        ['openssl', *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_c9_both_go_into_the_key_file(tmp_path: Path) -> None:
    path = tmp_path / 'both.pem'
    key, certificate = make(str(path))
    assert path.read_bytes() == key + certificate
    assert mode(path) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    assert os.listdir(tmp_path) == ['both.pem']


def test_c9_key_and_certificate_go_to_two_files(tmp_path: Path) -> None:
    key_file, cert_file = tmp_path / 'key.pem', tmp_path / 'cert.pem'
    key_file.write_text('what stood there before')
    key_file.chmod(0o644)
    key, certificate = make(key_file, cert_file=cert_file)
    assert (key_file.read_bytes(), cert_file.read_bytes()) == (key, certificate)
    assert (mode(key_file), mode(cert_file)) == (0o600, 0o644)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file)
    openssl('pkey', '-in', str(key_file), '-check', '-noout')


def test_c9_the_certificate_says_what_was_asked(tmp_path: Path) -> None:
    make(
        tmp_path / 'a.pem', country='SE', state='Skåne', city='Lund', organization='Us & Co',
        unit='Web', cn='shop.example', email='web@shop.example', expires=90 * 86400,
        names=['www.shop.example', '192.0.2.1', '::1'],
    )  # fmt: skip
    text = openssl(
        'x509', '-in', str(tmp_path / 'a.pem'), '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus'
    )
    subject = re.search(r'Subject: ?(.*)', text)[1].replace(' = ', '=')
    for part in ('C=SE', 'ST=Skåne', 'L=Lund', 'O=Us & Co', 'OU=Web', 'CN=shop.example'):
        assert part in subject
    assert 'emailAddress=web@shop.example' in subject
    for part in ('DNS:shop.example', 'DNS:www.shop.example', 'IP Address:192.0.2.1', 'CA:FALSE'):
        assert part in text
    assert 'Public-Key: (256 bit)' in text
    openssl('x509', '-in', str(tmp_path / 'a.pem'), '-noout', '-checkend', str(89 * 86400))


@pytest.mark.parametrize(
    ('key_size', 'bits'),
    [(256, 256), (384, 384), (521, 521), (1024, 256), (2500, 256), (3500, 384), (8192, 384)],
)
def test_c9_a_key_is_as_strong_as_the_size_that_was_asked(
    key_size: int, bits: int, tmp_path: Path
) -> None:
    make(tmp_path / 'a.pem', key_size=key_size)
    text = openssl('pkey', '-in', str(tmp_path / 'a.pem'), '-noout', '-text')
    assert f'({bits} bit)' in text
    assert 'NIST CURVE' in text


@pytest.mark.parametrize('key_size', [2048, 3072, 4096])
def test_c9_a_usual_size_of_an_rsa_key_makes_one(key_size: int, tmp_path: Path) -> None:
    key, _ = make(tmp_path / 'key.pem', cert_file=tmp_path / 'a.pem', key_size=key_size)
    text = openssl('x509', '-in', str(tmp_path / 'a.pem'), '-noout', '-text')
    assert f'Public-Key: ({key_size} bit)' in text
    assert 'rsaEncryption' in text
    # It signs others as every other key does.
    make(tmp_path / 'b.pem', cn='b.example', ca=(key, (tmp_path / 'a.pem').read_bytes()))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / 'b.pem')


def test_c9_an_authority_signs(tmp_path: Path) -> None:
    ca_file = tmp_path / 'ca.pem'
    ca = make(ca_file, cn='Our CA', ca=True, key_size=384)
    (tmp_path / 'ca.key').write_bytes(ca[0])
    (tmp_path / 'ca.crt').write_bytes(ca[1])
    ways: list[Any] = [
        ca,
        ca_file,
        str(ca_file),
        ca_file.read_bytes(),
        (tmp_path / 'ca.key', str(tmp_path / 'ca.crt')),
        (ca[0].decode(), ca[1].decode()),
    ]
    for number, way in enumerate(ways):
        signed = tmp_path / f'{number}.crt'
        make(tmp_path / f'{number}.key', cert_file=signed, cn='a.example', ca=way)
        openssl('verify', '-x509_strict', '-CAfile', str(tmp_path / 'ca.crt'), str(signed))
        assert 'CN=Our CA' in openssl('x509', '-in', str(signed), '-noout', '-issuer').replace(
            ' = ', '='
        )


def test_c9_a_signer_that_is_no_authority_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = make(tmp_path / 'plain.pem', cn='plain')
    make(tmp_path / 'a.pem', cn='a.example', ca=plain)
    assert 'is not the certificate of an authority' in caplog.text


@pytest.mark.parametrize(
    ('given', 'kind', 'message'),
    [
        ({'country': 'Sweden'}, ValueError, 'country: expected two letters such as `SE`'),
        ({'cn': 5}, TypeError, 'cn: expected a text, found `5`'),
        ({'names': ['a b']}, ValueError, 'expected a host name or an address, found `a b`'),
        ({'expires': 0}, ValueError, 'expires: expected seconds from 1 to'),
        ({'expires': '1y'}, TypeError, 'expires: expected a number of seconds'),
        ({'key_size': 100}, ValueError, 'key_size: expected 256, 384 or 521'),
        ({'key_size': 'big'}, TypeError, 'key_size: expected a number of bits'),
        ({'ca': ('a', 'b', 'c')}, ValueError, 'ca: expected a key and a certificate, found 3'),
        ({'ca': 5}, TypeError, 'ca: expected PEM or a path, found `int`'),
        ({'ca': b'nonsense'}, ValueError, 'ca: no private key in it is usable'),
        ({'ca': 'no/such/file'}, FileNotFoundError, 'no/such/file'),
    ],
)
def test_c9_what_cannot_be_made_is_said_and_writes_nothing(
    given: dict, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        make(tmp_path / 'a.pem', **given)
    assert os.listdir(tmp_path) == []


def test_c9_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='folder'):
        make(tmp_path / 'no folder' / 'a.pem')
    (tmp_path / 'taken').mkdir()
    with pytest.raises(OSError, match='taken'):
        make(tmp_path / 'taken')
    assert os.listdir(tmp_path) == ['taken']
