"""`safe_repr`: a value as text for the debug page, short, and with secrets masked.

No code of a program runs here: a `__repr__` may raise, never return, or show what it should
not. Values of known types are written out; of any other object its type and its attributes are
shown, as they lie in its `__dict__`. Another thread may change a value meanwhile.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import pathlib
import re
import types
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from slimHTTP._debug._redact import MASK, is_secret, is_secret_of_client, redact
from slimHTTP._message._forms import MultiDict
from slimHTTP._slimhttp import HTTP_REQUEST

#: The most characters of one text, and of one value in all.
_MAX_TEXT: Final = 200
_MAX_LENGTH: Final = 1000
#: The most members of a collection that are shown, and how deep.
_MAX_MEMBERS: Final = 20
_MAX_DEPTH: Final = 3
#: Numbers of more bits are shown by their size: writing them out takes long.
_MAX_BITS: Final = 512

#: Types whose own `repr` is short, quick and harmless.
_PLAIN: Final = frozenset((
    type(None), type(...), type(NotImplemented), bool, float, complex, range, uuid.UUID,
    datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone,
    fractions.Fraction, pathlib.PosixPath, pathlib.PurePosixPath,
))  # fmt: skip
_FUNCTIONS: Final[tuple[type, ...]] = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
)


def safe_repr(value: object, name: object = '') -> str:
    """Give `value` as text, masked where `name` is that of a secret."""
    if is_secret(name, value) and value is not None:
        return MASK
    try:
        text = _repr_of(value, 0)
    except Exception:
        # Another thread may be changing it, or its type is a strange one.
        return '<cannot be shown>'
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + ' …'


def _repr_of(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    mro: list[type] = list(kind.__mro__)
    if int in mro:
        return _number(value, kind)
    for text, length in (
        (str, str.__len__),
        (bytes, bytes.__len__),
        (bytearray, bytearray.__len__),
    ):
        if text in mro:
            return _text(text, value, length(value))
    if kind is HTTP_REQUEST:
        return f'<HTTP_REQUEST {_plainly(value.method)} {_plainly(path_of(value))}>'
    if kind is MultiDict:
        return f'MultiDict({_mapping(value._lists, depth, is_secret_of_client)})'
    if kind is decimal.Decimal:
        return _short(str(value))
    if kind is re.Pattern:
        return f're.compile({_repr_of(value.pattern, depth)})'
    if type in mro:
        return f'<class {_name(value)}>'
    if kind in _FUNCTIONS:
        return f'<function {value.__qualname__}>'
    if kind is types.ModuleType:
        return f'<module {_short(str(types.ModuleType.__getattribute__(value, "__name__")))}>'
    if depth >= _MAX_DEPTH:
        return '…' if _is_collection(mro) else f'<{_name(kind)}>'
    for collection, (opening, closing) in _BRACKETS.items():
        if collection in mro:
            members = list(islice(collection.__iter__(value), _MAX_MEMBERS))
            length = collection.__len__(value)
            if collection is tuple and (fields := _fields(mro, length)):
                named = (
                    f'{name}={_member(name, one, depth)}' for name, one in zip(fields, members)
                )
                return _enclosed(f'{_name(kind)}(', named, ')', length)
            texts = (
                MASK if collection in (list, tuple) and _is_named_secret(members, place, length)
                else _repr_of(member, depth + 1)
                for place, member in enumerate(members)
            )  # fmt: skip
            return _enclosed(opening, texts, closing, length)
    if dict in mro:
        return _mapping(value, depth, is_secret)
    return _object(value, kind, depth)


def path_of(request: Any) -> Any:
    """Give the path of a request, without the secrets that a route's pattern took from it."""
    path, params = request.url, request.params
    if type(path) is not str or type(params) is not dict:
        return path
    for name, value in params.items():
        if type(value) in (str, int) and str(value) and is_secret_of_client(name):
            path = path.replace(str(value), MASK)
    return path


_BRACKETS: Final[dict[Any, tuple[str, str]]] = {
    list: ('[', ']'),
    tuple: ('(', ')'),
    set: ('{', '}'),
    frozenset: ('frozenset({', '})'),
    collections.deque: ('deque([', '])'),
}


def _is_collection(mro: list[type]) -> bool:
    return dict in mro or any(kind in mro for kind in _BRACKETS)


def _member(name: object, value: Any, depth: int) -> str:
    return MASK if is_secret(name, value) and value is not None else _repr_of(value, depth + 1)


def _mapping(value: Any, depth: int, is_masked: Callable[..., bool]) -> str:
    pairs = islice(dict.items(value), _MAX_MEMBERS)
    texts = (
        f'{_repr_of(key, depth + 1)}: '
        f'{MASK if is_masked(key) and one is not None else _member(key, one, depth)}'
        for key, one in pairs
    )
    return _enclosed('{', texts, '}', dict.__len__(value))


def _fields(mro: list[type], length: int) -> tuple[str, ...]:
    """Give the names of the members of a `namedtuple`, nothing for any other tuple."""
    for kind in mro:
        fields = type.__dict__['__dict__'].__get__(kind).get('_fields')
        if type(fields) is tuple and len(fields) == length:
            return fields if all(type(name) is str for name in fields) else ()
    return ()


def _is_named_secret(members: list[Any], place: int, length: int) -> bool:
    """Tell whether the member before says that this one is a secret.

    `('password', 'x')` does, and `['--password', 'x']`; of more names in a row none
    is the value of another.
    """
    if place == 0:
        return False
    name = members[place - 1]
    is_option = type(name) is str and name.startswith('-')
    return (length == 2 or is_option) and is_secret(name, members[place])


def _enclosed(opening: str, texts: Iterator[str], closing: str, length: int) -> str:
    listed = list(texts)
    if length > len(listed):
        listed.append(f'… {length - len(listed)} more')
    return opening + ', '.join(listed) + closing


def _number(value: Any, kind: type) -> str:
    bits = int.bit_length(value)
    if bits > _MAX_BITS:
        return f'<{_name(kind)} of {bits} bits>'
    return int.__repr__(value)


def _text(kind: Any, value: Any, length: int) -> str:
    shortened = kind.__getitem__(value, slice(_MAX_TEXT))
    # A str before it is escaped: what stands in it may be so already.
    is_str = kind is str
    text = repr(redact(str.__str__(shortened))) if is_str else redact(kind.__repr__(shortened))
    return text if length <= _MAX_TEXT else f'{text} … ({length} in all)'


def _plainly(text: object) -> str:
    return _short(text) if type(text) is str else '…'


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + '…'


def _name(kind: type) -> str:
    name = type.__dict__['__qualname__'].__get__(kind)
    module = type.__getattribute__(kind, '__module__')
    if type(module) is str and module not in ('builtins', '__main__'):
        name = f'{module}.{name}'
    return _short(str(name))


def _object(value: Any, kind: type, depth: int) -> str:
    try:
        attributes = object.__getattribute__(value, '__dict__')
    except AttributeError:
        attributes = {}
    if type(attributes) is not dict:
        attributes = {}
    pairs = [
        f'{_short(key)}={_member(key, one, depth)}'
        for key, one in islice(dict.items(attributes), _MAX_MEMBERS)
        if type(key) is str
    ]
    return f'<{" ".join([_name(kind), *pairs])}>'
