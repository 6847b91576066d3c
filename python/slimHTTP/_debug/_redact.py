"""Masking secrets on the debug page: values by their names, and texts by their patterns.

The page is seen by whoever looks over a shoulder, and is copied into reports. What is masked is
masked whole, never in part. Texts may be long and a client's, so every pattern takes time in
proportion to the length. Rust has the same rule for the names that clients use,
`slimhttp_site::secrets`, and tests/data/secret_names.toml holds both against it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

#: What stands in place of a secret.
MASK: Final = '••••••'

#: A name with one of these words bears a secret: `api_key`, `X-Auth-Token`, `dbPassword`.
_WORDS: Final = frozenset((
    'auth', 'authentication', 'authorization', 'bearer', 'cookie', 'cookies', 'credential',
    'credentials', 'creds', 'csrf', 'cvc', 'cvv', 'dsn', 'hmac', 'iban', 'jwt', 'key', 'keys',
    'mfa', 'mnemonic', 'nonce', 'otp', 'otps', 'pass', 'passcode', 'passphrase', 'passwd',
    'password', 'passwords', 'passwort', 'pin', 'pw', 'pwd', 'salt', 'saml', 'secret', 'secrets',
    'sessid', 'sessionid', 'sid', 'sig', 'signature', 'ssn', 'token', 'tokens', 'totp', 'verifier',
    'webhook', 'xsrf',
))  # fmt: skip
#: A name that holds one of these, letters and digits alone, bears one too.
_PARTS: Final = (
    'accesskey', 'apikey', 'authcode', 'cardnumber', 'connectionstring', 'connstr', 'creditcard',
    'credential', 'csrf', 'passcode', 'passphrase', 'passwd', 'password', 'privatekey', 'secret',
    'sessid', 'sessionid', 'sessionkey', 'token', 'xsrf',
)  # fmt: skip
#: And one that ends so: `dbpw`, `smsotp`, `connect.sid`.
_ENDS: Final = ('dsn', 'otp', 'pw', 'pwd', 'sid')
#: With one of these a `code` is a secret, and not what an answer or a program ends with.
_CODE_WORDS: Final = frozenset((
    'access', 'activation', 'backup', 'confirm', 'confirmation', 'device', 'email', 'grant',
    'invite', 'invitation', 'login', 'oauth', 'pairing', 'phone', 'recovery', 'reset',
    'security', 'sms', 'unlock', 'user', 'verification', 'verify',
))  # fmt: skip
#: Texts that are secrets where they bear just this name; anything else of it is none: a
#: `session` may be one of a database, a `code` a number.
_TEXT_NAMES: Final = frozenset(('code', 'codes', 'session'))
#: What clients send under such a name lets somebody in, or is worth as much.
_CLIENT_NAMES: Final = frozenset((
    'assertion', 'code', 'codes', 'hash', 'relaystate', 'samlrequest', 'samlresponse', 'session',
    'state', 'ticket',
))  # fmt: skip

_WORD: Final = re.compile(r'[A-Z]?[a-z]+|[A-Z]+')
_MAX_NAME: Final = 100


def _name_text(name: object) -> str | None:
    if type(name) is bytes:
        name = name.decode('latin-1')
    return name[:_MAX_NAME] if type(name) is str else None


_ROWS: Final[tuple[Any, ...]] = (list, tuple)


def _is_text(value: object) -> bool:
    return type(value) in (str, bytes, bytearray)


def is_secret(name: object, value: Any = None) -> bool:
    """Tell whether what bears this name is masked; some names only where `value` is a text."""
    plain = _name_text(name)
    if plain is None:
        return False
    joined = ''.join(filter(str.isalnum, plain.lower()))
    if joined in _TEXT_NAMES:
        return _is_text(value) or (type(value) in _ROWS and any(map(_is_text, value[:20])))
    if any(part in joined for part in _PARTS) or joined.endswith(_ENDS):
        return True
    words = {word.lower() for word in _WORD.findall(plain)}
    if 'code' in words or 'codes' in words:
        return not words.isdisjoint(_CODE_WORDS) or not words.isdisjoint(_WORDS)
    return not words.isdisjoint(_WORDS)


def is_secret_of_client(name: object) -> bool:
    """Tell whether a client's field, cookie or parameter of this name is masked."""
    plain = _name_text(name)
    return plain is not None and (
        is_secret(plain, '') or ''.join(filter(str.isalnum, plain.lower())) in _CLIENT_NAMES
    )


#: A JSON web token, with what of the same run stands before it. The whole run is looked at
#: once, from its beginning: from every `eyJ` on, a long one without an end takes minutes.
_WEB_TOKEN: Final = re.compile(r'(?<![\w-])((?:(?!eyJ)[\w-])*)eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?')
#: What is a secret wherever it stands.
_TOKENS: Final = re.compile(
    r"""
    -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----.*?(?:PRIVATE\ KEY-----|\Z)
    | \b(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|[rs]k_(?:live|test)_)[\w-]{8,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bAIza[\w-]{30,}
    """,
    re.VERBOSE | re.DOTALL,
)
#: `postgres://user:password@host`.
_USERINFO: Final = re.compile(r'(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/:@\'"]{0,200}:)[^\s/@\'"]+@')
#: `Authorization: Bearer …`, and the credentials alone.
_SCHEME: Final = re.compile(r'\b(Bearer|Basic|Digest|Token) +(?=\S*[\d=])[^\s\'",;]{6,}', re.I)
# What names a value, up to where that begins; the value is looked at only where the name is
# a secret's: so no text is read more often than its names are. Where it is none the next name
# may begin at the place `again`.

#: `?code=…`, `&token=…`, and `password=…` in a text such as a database is named by.
_PAIR: Final = re.compile(r'([?&;]|(?<![\w.?&;-]))([\w.%-]{1,100})=(?P<again>)')
_VALUE: Final = re.compile(r'[^\s&;,\'"<>]+')
#: The longest value that is looked at before anybody knows whether it is a secret.
_COOKIE_VALUE: Final = re.compile(r'[^\s&;,\'"<>]{1,200}')
#: `"password": "…"`, `\"password\": \"…\"`, `('password', '…')`, `'--password', '…'`.
_QUOTED: Final = re.compile(r'(\\{0,8}["\'])([\w.-]{1,100})\1(\s*[:,]\s*)(?P<again>)(\\{0,8}["\'])')
#: `password: …`, `--password …`.
_PLAIN_PAIR: Final = re.compile(
    r'(?:(?<![\w.-])([\w.-]{1,100})(?:\\{0,8}["\'])?[ \t]{0,20}:[ \t]{0,20}'
    r'|(?<![\w-])(--[\w-]{1,100})[ \t]{1,20})(?P<again>)'
)
_WORD_OF_VALUE: Final = re.compile(r'[^\s,;\'"<>(){}\[\]\\]+')
#: What stands behind a colon in source code, and is no value of a secret.
_NO_VALUES: Final = frozenset((
    'any', 'bool', 'bytes', 'dict', 'false', 'float', 'int', 'list', 'none', 'null', 'object',
    'str', 'true', MASK,
))  # fmt: skip


def redact(text: str) -> str:
    """Give text in which what looks like a secret is masked; takes time as it is long."""
    text = _WEB_TOKEN.sub(rf'\1{MASK}', text)
    text = _TOKENS.sub(MASK, text)
    text = _USERINFO.sub(rf'\1{MASK}@', text)
    text = _SCHEME.sub(rf'\1 {MASK}', text)
    for names, end_of_secret in (
        (_PAIR, _in_pair),
        (_QUOTED, _in_quotes),
        (_PLAIN_PAIR, _in_plain_text),
    ):
        text = _masked(names, end_of_secret, text)
    return text


def _masked(
    names: re.Pattern[str], end_of_secret: Callable[[re.Match[str]], int | None], text: str
) -> str:
    """Mask every value that is a secret; in one that is none another may stand."""
    parts, done, place = [], 0, 0
    while (found := names.search(text, place)) is not None:
        place = found.start('again')
        end = end_of_secret(found)
        if end is not None:
            parts += [text[done : found.end()], MASK]
            done = place = end
    return ''.join([*parts, text[done:]])


def _end(value: re.Pattern[str], found: re.Match[str]) -> int | None:
    held = value.match(found.string, found.end())
    return held and held.end()


def _in_pair(found: re.Match[str]) -> int | None:
    before, name = found[1], found[2]
    # In a query it is a client's; elsewhere `key=` is more often an argument.
    if is_secret_of_client(name) if before else name != 'key' and is_secret(name):
        return _end(_VALUE, found)
    text, begin = found.string, found.start()
    end = _end(_COOKIE_VALUE, found) if name.lower() in _TEXT_NAMES else None
    if end is None:
        return None
    # As cookies are written, `session=…; a=b`; and a long text is no argument.
    among_cookies = text[end : end + 1] == ';' or text[max(0, begin - 2) : begin] == '; '
    return _end(_VALUE, found) if among_cookies or end - found.end() == 200 else None


def _in_quotes(found: re.Match[str]) -> int | None:
    name, between, quote = found[2], found[3], found[5]
    text, begin = found.string, found.start()
    # Of names that stand in a row none is the value of another.
    is_pair = ':' in between or name.startswith('-')
    if not is_secret(name, '') or not (is_pair or (begin > 0 and text[begin - 1] in '([')):
        return None
    # What a backslash stands before ends no value, for texts within texts escape more than
    # once; where its quote is missing the line ends it.
    end = _end(_until(quote), found)
    behind = None if end is None else text[end + len(quote) : end + len(quote) + 1]
    return end if is_pair or behind in (')', ']', '') else None


@functools.lru_cache(maxsize=32)
def _until(quote: str) -> re.Pattern[str]:
    return re.compile(rf'(?:(?!{re.escape(quote)})(?:\\+[^\\\n]?|[^\\\n]))+')


def _in_plain_text(found: re.Match[str]) -> int | None:
    name = found[1] or found[2]
    # `missing key: name` tells of none, nor does `KeyError: …`.
    if name == 'key' or name.endswith(('Error', 'Exception', 'Warning')) or not is_secret(name):
        return None
    end = _end(_WORD_OF_VALUE, found)
    if end is None or found.string[found.end() : end].lower() in _NO_VALUES:
        return None
    return end
