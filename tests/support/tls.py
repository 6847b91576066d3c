"""The certificate of the tests, and what a client of theirs trusts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

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
