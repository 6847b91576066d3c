"""An authority of a test, and what it signs."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, Optional, Union

from support.tls import lenient_tls


class Issuer:
    """An authority, and a folder for what it signs: a PEM file with certificate and key each."""

    def __init__(self, folder: Path, name: str = 'Our CA') -> None:
        from slimHTTP import CertManager

        self._make: Any = CertManager.generate_key_and_cert
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.own = self._make(folder / 'ca-both.pem', cn=name, ca=True)
        #: Its certificate, for whoever is to believe it.
        self.authority = folder / 'ca.pem'
        self.authority.write_bytes(self.own[1])

    def issue(self, file: str, *names: str, **options: Any) -> Path:
        """Sign a certificate for these names; the file that holds it with its key."""
        path = self.folder / file
        self._make(path, cn=names[0], names=names[1:], ca=self.own, **options)
        return path

    def client(self, shown: Optional[Path] = None, version: Optional[str] = None) -> ssl.SSLContext:
        """A client that believes this authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=os.fspath(self.authority))
        return _prepared(context, shown, version)


def lenient_client(shown: Optional[Path] = None, version: Optional[str] = None) -> ssl.SSLContext:
    """A client that believes everybody, and shows a certificate if it has one."""
    return _prepared(lenient_tls(), shown, version)


def _prepared(
    context: ssl.SSLContext, shown: Optional[Path], version: Optional[str]
) -> ssl.SSLContext:
    if shown is not None:
        context.load_cert_chain(shown)
    if version is not None:
        only = getattr(ssl.TLSVersion, version.replace('.', '_'))
        context.minimum_version = context.maximum_version = only
    return context


def der(path: Union[str, Path]) -> bytes:
    """The first certificate of a PEM file."""
    text = Path(path).read_text()
    begin = text.index('-----BEGIN CERTIFICATE-----')
    end = text.index('-----END CERTIFICATE-----', begin)
    return ssl.PEM_cert_to_DER_cert(text[begin:end] + '-----END CERTIFICATE-----')
