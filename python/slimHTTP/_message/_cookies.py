"""`Set-Cookie` fields (RFC 6265 section 4.1), made so that nothing can break out of them.

Behind `set_cookie` and `delete_cookie` of requests, where the extension calls it, and of
responses. Pure functions: what browsers would refuse or misread is a ValueError here.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, Optional, TypedDict, Union

#: RFC 9110 section 5.6.2.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What ends a value or a field early, in browsers as in the grammar.
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f;]')
_SAME_SITE: Final = ('Strict', 'Lax', 'None')

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import Unpack

MaxAge = Union[int, 'timedelta', None]


class CookieOptions(TypedDict, total=False):
    """What may be said of a cookie, beside its name and value; see `cookie`."""

    max_age: MaxAge
    path: Optional[str]
    domain: Optional[str]
    secure: bool
    httponly: bool
    samesite: Optional[str]


def cookie(
    name: str,
    value: str = '',
    *,
    max_age: MaxAge = None,
    path: Optional[str] = '/',
    domain: Optional[str] = None,
    secure: bool = False,
    httponly: bool = True,
    samesite: Optional[str] = 'Lax',
) -> str:
    """Give the value of a `Set-Cookie` field.

    `max_age` is in seconds or a timedelta; without it the cookie ends with the
    browser, and 0 ends it now. A script in the page does not see it unless
    `httponly=False`; other sites' requests carry it as `samesite` says.

    Raises TypeError where a part is no str, ValueError where it would break the
    field or where browsers would not take the cookie.

    >>> cookie('seen', 'yes', max_age=60)
    'seen=yes; Max-Age=60; Path=/; HttpOnly; SameSite=Lax'
    """
    if not _NAME.fullmatch(_text('name', name)):
        raise ValueError(f'name: expected letters, digits, `-`, `_` and the like, found {name!r}')
    if _text('value', value) != value.strip(' '):
        raise ValueError(f'value: expected no blanks at its ends, found {value!r}')
    parts = [f'{name}={value}']
    if max_age is not None:
        from datetime import timedelta  # Here, for it is a large module.

        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        parts.append(f'Max-Age={int(seconds)}')
        if seconds <= 0:
            parts.append('Expires=Thu, 01 Jan 1970 00:00:00 GMT')
    if domain is not None:
        parts.append(f'Domain={_text("domain", domain)}')
    if path is not None:
        parts.append(f'Path={_text("path", path)}')
    if secure:
        parts.append('Secure')
    if httponly:
        parts.append('HttpOnly')
    if samesite is not None:
        known = _text('samesite', samesite).capitalize()
        if known not in _SAME_SITE:
            raise ValueError(f'samesite: expected {", ".join(_SAME_SITE)}, found {samesite!r}')
        parts.append(f'SameSite={known}')
    _check_rules(name, path, domain, secure, samesite)
    return '; '.join(parts)


def set_on(
    headers: MutableMapping[Any, Any], name: str, value: str, **options: Unpack[CookieOptions]
) -> None:
    """Add a cookie to header fields; those that set others stay."""
    line = cookie(name, value, **options)
    for key, held in headers.items():
        known = key if isinstance(key, bytes) else str(key).encode()
        if known.lower() == b'set-cookie':
            headers[key] = [*held, line] if isinstance(held, (list, tuple)) else [held, line]
            return
    headers['Set-Cookie'] = [line]


def _check_rules(
    name: str, path: Optional[str], domain: Optional[str], secure: bool, samesite: Optional[str]
) -> None:
    """Raise ValueError where browsers throw the cookie away without a word."""
    elsewhere = samesite is not None and samesite.lower() == 'none'
    if not secure and (elsewhere or name.startswith(('__Secure-', '__Host-'))):
        why = "samesite 'None'" if elsewhere else repr(name)
        raise ValueError(f'secure: expected True for {why}, found False')
    if name.startswith('__Host-') and (domain is not None or path != '/'):
        raise ValueError(f"path, domain: expected '/' and None for {name!r}")


def _text(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f'{what}: expected str, found `{type(text).__name__}`')
    if _FORBIDDEN.search(text):
        raise ValueError(f'{what}: expected no `;` and no control character, found {text!r}')
    return text
