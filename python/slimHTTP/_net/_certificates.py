"""`CertManager`: keys and certificates for HTTPS, made without openssl.

Called by programs, on whatever thread. The extension makes keys and certificates; here
arguments are checked and files are written, each in one step. A key is readable by its owner
only, from the moment that its file exists.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final, Union

from slimHTTP import _log
from slimHTTP._slimhttp import make_certificate

_Path = Union[str, 'os.PathLike[str]']
#: A key and a certificate, each PEM (bytes or text) or the path of a PEM file.
_Signer = tuple[Union[_Path, bytes], Union[_Path, bytes]]

_DAY: Final = 24 * 60 * 60
#: The longest that browsers take a certificate of an authority for is less; what
#: a certificate can say is more.
_MAX_LIFETIME: Final = 100 * 366 * _DAY
#: The curves of ECDSA keys, and the sizes of RSA keys that are made.
_CURVES: Final = (256, 384, 521)
_RSA_SIZES: Final = (2048, 3072, 4096)
#: RSA keys of up to this size are no stronger than a key on the curve P-256
#: (NIST SP 800-57).
_AS_STRONG_AS_P256: Final = 3072


class CertManager:
    """Makes certificates; nothing but a place for the function."""

    @staticmethod
    def generate_key_and_cert(
        key_file: _Path,
        *,
        cert_file: _Path | None = None,
        country: str = '',
        state: str = '',
        city: str = '',
        organization: str = '',
        unit: str = '',
        cn: str = 'localhost',
        email: str = '',
        expires: float = 365 * _DAY,
        key_size: int = 256,
        ca: bool | _Path | bytes | _Signer | None = None,
        names: list[str] | tuple[str, ...] = (),
    ) -> tuple[bytes, bytes]:
        """Make a private key and a certificate, write both, and give both as PEM bytes.

        With `cert_file` the key goes to `key_file` and the certificate to
        `cert_file`; without it `key_file` holds both, and is what an HTTPS
        server takes as `cert`. A file that exists is replaced, in one step. Key
        files are for their owner only (mode 0600).

        `cn` is the name of the host or its address; `names` are further ones.
        Both are what clients look at (subject alternative names). `country` has
        two letters. `expires` is for how many seconds it is valid, a year
        unless given.

        `key_size` is 256, 384 or 521, the curve of an ECDSA key, which is what
        to take; or 2048, 3072 or 4096, the size of an RSA key, for clients that
        know no other. Another size of an RSA key asks for a curve that is at
        least as strong: 256 up to 3072, else 384.

        `ca` is who signs: an authority's key and certificate, as this function
        gives them, or the paths of their files, or the one file (or bytes) with
        both. `ca=True` makes an authority, which signs itself and may sign
        others. Without `ca` the certificate signs itself.

        Raises ValueError for what no certificate can say, OSError for files
        that cannot be read or written.

        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> ca = CertManager.generate_key_and_cert(folder / 'ca.pem', cn='Our CA', ca=True)
        >>> key, certificate = CertManager.generate_key_and_cert(
        ...     folder / 'key.pem', cert_file=folder / 'cert.pem', cn='shop.example', ca=ca)
        >>> (folder / 'cert.pem').read_bytes() == certificate
        True
        """
        subject = (country, state, city, organization, unit, cn, email)
        words = ('country', 'state', 'city', 'organization', 'unit', 'cn', 'email')
        for word, text in zip(words, subject):
            if not isinstance(text, str):
                raise TypeError(f'{word}: expected a text, found `{text!r}`')
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise ValueError(f'country: expected two letters such as `SE`, found `{country}`')
        key, certificate, warning = make_certificate(
            subject,
            list(names),
            _lifetime(expires),
            _key_type(key_size),
            ca is True,
            _signer(ca),
        )
        if warning is not None:
            _log.logger.warning('%s', warning)
        made = (key.encode(), certificate.encode())
        if cert_file is None:
            _write(key_file, b''.join(made), 0o600)
        else:
            # The certificate last: who waits for it finds its key.
            _write(key_file, made[0], 0o600)
            _write(cert_file, made[1], 0o644)
        return made


def _lifetime(expires: float) -> int:
    if isinstance(expires, bool) or not isinstance(expires, (int, float)):
        raise TypeError(f'expires: expected a number of seconds, found `{expires!r}`')
    if not 1 <= expires <= _MAX_LIFETIME:
        raise ValueError(
            f'expires: expected seconds from 1 to {_MAX_LIFETIME}, found `{expires!r}`'
        )
    return int(expires)


def _key_type(key_size: int) -> str:
    """Give the kind of key that a size stands for, by the name that the extension has for it."""
    if isinstance(key_size, bool) or not isinstance(key_size, int):
        raise TypeError(f'key_size: expected a number of bits, found `{key_size!r}`')
    if key_size in _CURVES:
        return f'p{key_size}'
    if key_size in _RSA_SIZES:
        return f'rsa{key_size}'
    if not 1024 <= key_size <= 16384:
        raise ValueError(
            'key_size: expected 256, 384 or 521, or the size of an RSA key from 1024 to 16384,'
            f' found `{key_size}`'
        )
    return 'p384' if key_size > _AS_STRONG_AS_P256 else 'p256'


def _signer(ca: Any) -> tuple[str, str] | None:
    """Give the PEM of an authority's key and certificate."""
    if ca is None or isinstance(ca, bool):
        return None
    if isinstance(ca, (tuple, list)):
        if len(ca) != 2:
            raise ValueError(f'ca: expected a key and a certificate, found {len(ca)} values')
        return _pem(ca[0]), _pem(ca[1])
    both = _pem(ca)
    return both, both


def _pem(given: Any) -> str:
    """Read what is PEM already, or the path of a file with it."""
    if isinstance(given, bytes):
        content = given
    elif isinstance(given, str) and '-----BEGIN' in given:
        return given
    elif isinstance(given, (str, os.PathLike)):
        with open(given, 'rb') as file:
            content = file.read()
    else:
        raise TypeError(f'ca: expected PEM or a path, found `{type(given).__name__}`')
    return content.decode('utf-8', 'replace')


def _write(path: _Path, content: bytes, mode: int) -> None:
    """Put a whole file in the place of another; nobody ever sees half of it."""
    # Made with mode 0600 by `mkstemp`, in the folder where it will stay.
    import tempfile  # Here, for few servers make certificates.

    folder, own = os.path.split(os.fspath(path))
    descriptor, name = tempfile.mkstemp(prefix=f'.{own}.', dir=folder or os.curdir)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
