"""JSON as it is sent, and as it is read.

RFC 8259 has no `NaN` and no infinities, and half a surrogate pair is no character.
Read, they are ValueErrors; so is a text that is no Unicode. Written, a number that
JSON has not is a ValueError, and half a pair is written as the escape that it has in
JSON, because a text of a program may hold one that it was given.

The extension writes what is made of plain types in the same way by itself, and calls
`json_bytes` for the rest, `json_loads` for `request.json`; both on the handler's thread.
"""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import json
import math
import re
from typing import Any, Final

#: An escape that may be half of a pair.
_SURROGATE: Final = re.compile(r'\\u[dD][89a-fA-F]')

#: Types that JSON has, and so has the encoder.
_PLAIN: Final = (str, int, float, type(None))


def _default(value: object) -> Any:
    """Give what stands in JSON for a value that it has not."""
    if isinstance(value, enum.Enum):
        return value.value
    # Here, for a program that has such a value has imported its module by itself.
    import datetime
    import decimal
    import pathlib
    import uuid

    if isinstance(value, (datetime.date, datetime.time)):  # A datetime is a date.
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal, pathlib.PurePath)):
        return str(value)
    if hasattr(type(value), '__dataclass_fields__'):
        import dataclasses

        fields = dataclasses.fields(type(value))  # type: ignore[arg-type]
        return {field.name: getattr(value, field.name) for field in fields}
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    raise TypeError(f'a `{type(value).__name__}` cannot be written as JSON')


def _with_plain_keys(value: Any) -> Any:
    """Give the same of plain types alone: the encoder asks nobody about keys."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {
            key if isinstance(key, _PLAIN) else _default(key): _with_plain_keys(member)
            for key, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_with_plain_keys(member) for member in value]
    return _with_plain_keys(_default(value))


_encode: Final = json.JSONEncoder(
    # Without spaces, and in UTF-8 rather than in escapes.
    separators=(',', ':'),
    ensure_ascii=False,
    allow_nan=False,
    default=_default,
).encode


def json_bytes(value: Any) -> bytes:
    """Give `value` as JSON in UTF-8.

    Raises TypeError for a type that is not written, ValueError for a number that
    JSON has not and for what contains itself.
    """
    text = None
    with contextlib.suppress(TypeError):
        text = _encode(value)
    if text is None:
        # Perhaps for a key: `{uuid.UUID(…): 1}`. If not, the same is raised again.
        text = _encode(_with_plain_keys(value))
    # Half a pair stands within a string, where its escape is what it is in Python.
    return text.encode('utf-8', 'backslashreplace')


def json_dumps(value: Any) -> str:
    """Give `value` as JSON; raises as `json_bytes`."""
    return json_bytes(value).decode()


def _no_number(name: str) -> Any:
    raise ValueError(f'JSON has no number `{name}`')


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        # RFC 8259 section 6 leaves the range to who reads.
        raise ValueError('a number is larger than any that is taken')
    return number


_decode: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number).decode


def json_loads(text: str | bytes | bytearray) -> Any:
    """Give what a JSON text says.

    Bytes are UTF-8, or one of the encodings that `json.loads` knows by their
    beginning. Raises ValueError where the text is no JSON.
    """
    if not isinstance(text, str):
        text = text.decode(json.detect_encoding(text))
    value = _decode(text)
    if _SURROGATE.search(text):
        # Most are whole pairs.
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError('half a surrogate pair is no character') from None
    return value
