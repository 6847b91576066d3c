"""C8.3: dicts and lists become JSON, byte for byte as Python's own encoder writes it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import random
import types
import uuid
from typing import Any

import pytest
from slimHTTP import HTTP_RESPONSE, MultiDict
from support import serving

of = pytest.mark.parametrize


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Table(dict):  # type: ignore[type-arg]
    pass


Point = collections.namedtuple('Point', 'x y')

OBJECTS: list[Any] = [
    {},
    [],
    {'message': 'Hello, World!', 'id': 42, 'ok': True},
    {'nothing': None, 'yes': True, 'no': False},
    [0, -1, 2**31, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 10**40],
    [
        0.0,
        -0.0,
        0.1,
        1.0,
        1e16,
        1e15,
        123456789012345680.0,
        1e-5,
        1e-4,
        5e-324,
        1.7976931348623157e308,
    ],
    ['', 'äöü', '日本', '\U0001f600', '"quoted"', 'back\\slash', '/slash/', '</script>'],
    [''.join(map(chr, range(0x20))), '\x7f\x80\u2028\u2029\ufeff', '\x00'],
    {'': 0, 'ä': 1, '\n': 2, '"': 3},
    {2: 'int', 2.5: 'float', True: 'bool', None: 'none'},
    {Level.HIGH: Level.HIGH, Text('key'): Text('value')},
    [(), (1, (2, [3])), Point(1, 2), Table(a=1), collections.OrderedDict(b=2)],
    {'deep': [[[[[{'a': [{'b': {}}]}]]]]]},
    ['one', ['two', {'three': [4, 5.5, None, [True]]}]],
]

INVALID: list[Any] = [
    [float('nan')],
    {'a': float('inf')},
    {'a': object()},
    {(1, 2): 'tuple as key'},
    [b'bytes'],
    {'a': {1, 2}},
    {object(): 1},
    [Level],
]

DAY = datetime.date(2026, 1, 2)
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 600, datetime.timezone.utc)
ID = uuid.UUID('12345678-1234-5678-1234-567812345678')


class Colour(enum.Enum):
    RED = 'red'
    DATED = DAY


class Word(str, enum.Enum):
    YES = 'yes'


@dataclasses.dataclass
class Item:
    name: str
    price: decimal.Decimal
    made: datetime.date
    parts: list[Any]


#: What has no type in JSON, and how it is written.
WRITTEN: list[tuple[Any, str]] = [
    ([DAY, MOMENT, MOMENT.time()], '["2026-01-02","2026-01-02T03:04:05.000600+00:00","03:04:05.000600"]'),
    ([ID], '["12345678-1234-5678-1234-567812345678"]'),
    ([decimal.Decimal('1.10'), decimal.Decimal('NaN')], '["1.10","NaN"]'),
    ([Colour.RED, Colour.DATED, Word.YES, Level.HIGH], '["red","2026-01-02","yes",3]'),
    (
        {'item': Item('a', decimal.Decimal('2.50'), DAY, [Item('b', decimal.Decimal(1), DAY, [])])},
        '{"item":{"name":"a","price":"2.50","made":"2026-01-02","parts":'
        '[{"name":"b","price":"1","made":"2026-01-02","parts":[]}]}}',
    ),
    ([pathlib.PurePosixPath('/a/b')], '["/a/b"]'),
    ([types.MappingProxyType({'a': DAY})], '[{"a":"2026-01-02"}]'),
    ([MultiDict([('a', '1'), ('a', '2')])], '[{"a":"1"}]'),
    ({ID: 1, DAY: (2, [Colour.RED]), Colour.RED: {Word.YES: 3}},
     '{"12345678-1234-5678-1234-567812345678":1,"2026-01-02":[2,["red"]],"red":{"yes":3}}'),
    # Half a surrogate pair is the escape that JSON has for it.
    (['\ud800', {'a\udfff': '"\udc00\\'}], '["\\ud800",{"a\\udfff":"\\"\\udc00\\\\"}]'),
    (['\ud83d\ude00', '\U0001f600', '\ud800\u00e4'], '["\\ud83d\\ude00","\U0001f600","\\ud800\u00e4"]'),
]  # fmt: skip


def written(value: Any) -> bytes:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False).encode()


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def random_object(chance: random.Random, depth: int = 4) -> Any:
    kinds = 'text int float other' if depth == 0 else 'text int float other list dict'
    kind = chance.choice(kinds.split())
    if kind == 'text':
        return ''.join(chr(chance.choice([9, 10, 34, 65, 92, 228, 8364, 128512])) for _ in range(3))
    if kind == 'int':
        return chance.randrange(-(10 ** chance.randrange(1, 25)), 10**20)
    if kind == 'float':
        return chance.uniform(-1, 1) * 10 ** chance.randrange(-20, 20)
    if kind == 'other':
        return chance.choice([None, True, False])
    items = [random_object(chance, depth - 1) for _ in range(chance.randrange(4))]
    return items if kind == 'list' else {f'k{n}': item for n, item in enumerate(items)}


def test_c8_3_json_is_written_as_python_writes_it() -> None:
    chance = random.Random(7)
    objects = [*OBJECTS, nested(63), nested(64), nested(200)]
    objects += [[random_object(chance)] for _ in range(300)]
    with serving() as site, site.client() as client:
        site.http.route('/<int:number>')(lambda request: objects[request.params['number']])
        for number, value in enumerate(objects):
            response = client.get(f'/{number}')
            assert (response.status, response.body) == (200, written(value)), value
            assert response.headers['Content-Type'] == 'application/json'


def test_c8_3_what_json_has_no_type_for_is_written_all_the_same() -> None:
    with serving() as site, site.client() as client:
        site.http.route('/<int:number>')(lambda request: WRITTEN[request.params['number']][0])
        site.http.route('/payload/<int:number>')(
            lambda request: HTTP_RESPONSE(payload=WRITTEN[request.params['number']][0])
        )
        for number, (value, expected) in enumerate(WRITTEN):
            for path in (f'/{number}', f'/payload/{number}'):
                response = client.get(path)
                assert (response.status, response.text) == (200, expected), value
            assert HTTP_RESPONSE(payload=value).build().endswith(b'\r\n\r\n' + expected.encode())


def test_c8_3_what_is_no_json_is_500() -> None:
    circle: list[Any] = []
    circle.append(circle)
    objects = [*INVALID, circle, nested(100_000)]
    with serving() as site, site.client() as client:
        site.http.route('/<int:number>')(lambda request: objects[request.params['number']])
        for number, value in enumerate(objects):
            assert client.get(f'/{number}').status == 500, repr(value)[:100]
        site.http.route('/well')(lambda request: [1])
        assert client.get('/well').body == b'[1]'
