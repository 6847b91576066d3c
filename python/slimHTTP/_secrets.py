"""What is a secret: by its name, and by what it looks like. For what a person is shown who
debugs: the page is seen by whoever looks over a shoulder, and copied into reports.

Nothing is ever shown in part: what is masked is masked whole.
"""

from __future__ import annotations

import re
from typing import Final

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
_OF_CODES: Final = frozenset((
    'access', 'activation', 'backup', 'confirm', 'confirmation', 'device', 'email', 'grant',
    'invite', 'invitation', 'login', 'oauth', 'pairing', 'phone', 'recovery', 'reset',
    'security', 'sms', 'unlock', 'user', 'verification', 'verify',
))  # fmt: skip
#: Texts that are secrets where they bear just this name; anything else of it is none: a
#: `session` may be one of a database, a `code` a number.
_TEXTS: Final = frozenset(('code', 'codes', 'session'))
#: What clients send under such a name lets somebody in, or is worth as much.
_OF_CLIENTS: Final = frozenset((
    'assertion', 'code', 'codes', 'hash', 'relaystate', 'samlrequest', 'samlresponse', 'session',
    'state', 'ticket',
))  # fmt: skip

_WORD: Final = re.compile(r'[A-Z]?[a-z]+|[A-Z]+')
_LONGEST_NAME: Final = 100


def _read(name: object) -> str | None:
    if type(name) is bytes:
        name = name.decode('latin-1')
    return name[:_LONGEST_NAME] if type(name) is str else None


def is_secret(name: object, value: object = None) -> bool:
    """Tell whether what bears this name is masked; `value` where a text alone would be."""
    plain = _read(name)
    if plain is None:
        return False
    joined = ''.join(filter(str.isalnum, plain.lower()))
    if joined in _TEXTS:
        return type(value) in (str, bytes, bytearray)
    if any(part in joined for part in _PARTS) or joined.endswith(_ENDS):
        return True
    words = {word.lower() for word in _WORD.findall(plain)}
    if 'code' in words or 'codes' in words:
        return not words.isdisjoint(_OF_CODES) or not words.isdisjoint(_WORDS)
    return not words.isdisjoint(_WORDS)


def is_secret_of_client(name: object) -> bool:
    """Tell whether a client's field, cookie or parameter of this name is masked."""
    plain = _read(name)
    return plain is not None and (
        is_secret(plain, '') or ''.join(filter(str.isalnum, plain.lower())) in _OF_CLIENTS
    )


#: What is a secret wherever it stands.
_LOOKS: Final = re.compile(
    r"""
    eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?                             # A JSON web token.
    | -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----.*?(?:PRIVATE\ KEY-----|\Z)
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
#: `?code=…`, `&token=…`, and `password=…` in a text such as a database is named by.
_PAIR: Final = re.compile(r'([?&;]|(?<![\w.?&;-]))([\w.%-]{1,100})=([^\s&;,\'"<>]+)')
#: `"password": "…"`.
_JSON: Final = re.compile(r'(["\'])([\w.-]{1,100})\1(\s*:\s*)(["\'])(?:(?!\4).)+\4')


def without_secrets(text: str) -> str:
    """Give text in which what looks like a secret is masked."""
    text = _LOOKS.sub(MASK, text)
    text = _USERINFO.sub(rf'\1{MASK}@', text)
    text = _SCHEME.sub(rf'\1 {MASK}', text)
    text = _PAIR.sub(_pair, text)
    return _JSON.sub(_member, text)


def _pair(found: re.Match[str]) -> str:
    before, name, value = found.groups()
    # In a query it is a client's; elsewhere `key=` is more often an argument.
    of_client = is_secret_of_client(name) if before else name != 'key' and is_secret(name)
    return f'{before}{name}={MASK if of_client else value}'


def _member(found: re.Match[str]) -> str:
    quote, name, colon, value_quote = found.groups()
    if not is_secret(name, ''):
        return found[0]
    return f'{quote}{name}{quote}{colon}{value_quote}{MASK}{value_quote}'
