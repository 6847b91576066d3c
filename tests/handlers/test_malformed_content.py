"""C8.2: content that is not what it says to be is the client's fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from support import Log, Serving, serving
from support.sites import ask_handler

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site() -> Iterator[Serving]:
    with serving() as site:
        yield site


JSON = 'application/json'


@of(
    ('look', 'kind', 'body', 'expected'),
    [
        ('data', JSON, b'{"a": [1, null]}', {'a': [1, None]}),
        ('data', JSON, b'{"a": ', 400),
        ('data', JSON, b'', 400),
        ('data', JSON, b'"\xff"', 400),
        ('data', JSON, b'[' * 200_000, 400),
        ('data', 'application/problem+json', b'{', 400),
        # Numbers and characters that JSON has not.
        ('data', JSON, b'[NaN]', 400),
        ('data', JSON, b'{"a": -Infinity}', 400),
        ('json', '', b'Infinity', 400),
        ('data', JSON, b'["\\ud800"]', 400),
        ('data', JSON, b'[{"\\uDC00": 1}]', 400),
        ('data', JSON, b'"\\ude00\\ud83d"', 400),
        ('json', '', b'"\xed\xa0\x80"', 400),
        ('json', '', b'"\\ud83d\\ude00 \\\\ud800"', '\U0001f600 \\ud800'),
        ('json', '', b'[1e999]', 400),
        ('json', '', b'{"a": -' + b'9' * 400 + b'.0}', 400),
        ('json', '', b'\xef\xbb\xbf[1e300, -0.0]', [1e300, -0.0]),
        ('json', '', '["\u00e4"]'.encode('utf-16'), ['\u00e4']),
        ('data', 'text/plain', b'{"a": 1}', '{"a": 1}'),
        ('json', 'text/plain', b'{"a": 1}', {'a': 1}),
        ('json', '', b'not JSON', 400),
        ('text', '', '\u00e4\u20ac'.encode(), '\u00e4\u20ac'),
        ('text', 'text/plain; charset=iso-8859-1', b'\xe4', '\u00e4'),
        ('text', 'text/plain; charset="UTF-8"', b'\xe4', 400),
        ('text', 'text/plain; charset=martian', b'x', 400),
        ('text', '', b'\xff', 400),
    ],
)
def test_c8_2_malformed_content_is_the_clients_fault(
    site: Serving, look: str, kind: str, body: bytes, expected: Any
) -> None:
    def handler(request):
        found = getattr(request, look)
        return {'is': found.decode() if isinstance(found, bytes) else found}

    headers = {'Content-Type': kind} if kind else {}
    with Log() as log:
        response = ask_handler(site, handler, 'POST', fields=headers, body=body)
    if expected == 400:
        assert response.status == 400
        assert 'the body is not' in response.text, 'it says why'
        assert 'Traceback' not in log.text
        assert [record.levelname for record in log.records].count('INFO') == 1
    else:
        assert response.json() == {'is': expected}


def test_c8_2_a_handler_may_catch_what_is_malformed(site: Serving) -> None:
    def handler(request):
        try:
            return request.data
        except ValueError as error:
            return {'wrong': str(error), 'ours': isinstance(error, slimHTTP.slimHTTP_Error)}

    response = ask_handler(site, handler, 'POST', fields={'Content-Type': JSON}, body=b'{')
    assert response.json()['wrong'].startswith('the body is not JSON: Expecting')
    assert response.json()['ours']
