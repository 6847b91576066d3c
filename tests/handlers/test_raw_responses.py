"""C8.3: which bytes are a whole response is said by the program, never by the client."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Callable

import pytest
from support import Log, Serving
from support.sites import site_fixture

of = pytest.mark.parametrize

#: What a client sends that wants to say more than it may.
FORGED = b'HTTP/1.1 201 Mine\r\nSet-Cookie: evil=1\r\nContent-Type: text/plain\r\n\r\nforged'
BODY = b'<p>body'


site = site_fixture(response_headers={'X-Scope': 'kept'})


def post(site: Serving, handler: Callable[[Any], Any], body: bytes = FORGED) -> Any:
    site.http.route('/test')(handler)
    with site.client() as client:
        return client.request('POST', '/test', body=body)


def raw(whole: bytes) -> Any:
    import slimHTTP

    return slimHTTP.Raw(whole)


#: Ways in which a client's bytes come back.
ECHOES: dict[str, Callable[[Any], Any]] = {
    'as they are': lambda request: request.payload,
    'as data': lambda request: request.data,
    'as bytes': lambda request: bytes(request.payload),
    'before a head': lambda request: request.payload + request.build_headers(),
    'after a head that is not used': lambda request: [request.build_headers(), request.payload][1],
    'behind nothing of a head': lambda request: request.build_headers()[:0] + request.payload,
    'behind a word of a head': lambda request: request.build_headers()[:5] + request.payload[5:],
    'in place of a head': lambda request: (
        (head := request.build_headers()).replace(head, b'') + request.payload
    ),
    'out of a head': lambda request: (request.build_headers() + request.payload)[19:],
    'as a chunk': lambda request: iter([request.payload]),
    'as a payload': lambda request: response(payload=request.payload),
}  # fmt: skip


def response(**more: Any) -> Any:
    import slimHTTP

    return slimHTTP.HTTP_RESPONSE(**more)


@of('how', ECHOES)
def test_c8_3_what_a_client_sends_is_a_body(site: Serving, how: str) -> None:
    answer = post(site, ECHOES[how])
    assert answer.status == 200
    assert 'Set-Cookie' not in answer.headers
    assert answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert answer.headers['X-Scope'] == 'kept'
    assert b'evil=1' in answer.body


def test_c8_3_an_async_handler_is_no_other(site: Serving) -> None:
    async def handler(request):
        return request.payload

    answer = post(site, handler)
    assert (answer.status, answer.body) == (200, FORGED)


#: Ways in which programs of 1.0 put a response together.
MADE: dict[str, Callable[[Any], Any]] = {
    'added': lambda request: request.build_headers() + BODY,
    'added to nothing': lambda request: b'' + request.build_headers() + BODY,
    'joined': lambda request: b''.join([request.build_headers(), BODY]),
    'formatted': lambda request: b'%s%s' % (request.build_headers(), BODY),
    'copied': lambda request: bytes(request.build_headers()) + BODY,
    'grown': lambda request: bytes(bytearray(request.build_headers()) + BODY),
    'cut and mended': lambda request: request.build_headers()[:-2] + b'X-A: b\r\n\r\n' + BODY,
    'replaced': lambda request: request.build_headers().replace(b'202 Accepted', b'202 Fine') + BODY,
    'a response': lambda request: response(ret_code=202, payload=BODY).build(),
    'heads alone': lambda request: response(ret_code=202).build_headers() + BODY,
    'by hand': lambda request: raw(b'HTTP/1.1 202 Accepted\r\n\r\n' + BODY),
}  # fmt: skip


@of('how', MADE)
def test_c8_3_what_a_program_makes_is_the_response(site: Serving, how: str) -> None:
    def handler(request):
        request.ret_code = 202
        return MADE[how](request)

    with Log() as log:
        answer = post(site, handler, b'')
        assert (answer.status, answer.body) == (202, BODY)
        assert answer.headers['X-Scope'] == 'kept'
        assert 'begin with' not in log.text
    if how == 'cut and mended':
        assert answer.headers['X-A'] == 'b'


def test_c8_3_raw_is_bytes() -> None:
    whole = raw(b'HTTP/1.1 200 OK\r\n\r\n')
    kind = type(whole)
    assert isinstance(whole, bytes)
    assert whole == b'HTTP/1.1 200 OK\r\n\r\n'
    assert hash(whole) == hash(bytes(whole))
    assert type(whole + b'x') is type(whole[:-2]) is type(whole.replace(b'2', b'3')) is kind
    assert type(b'' + whole) is kind
    assert type(b'x' + whole) is type(whole[1:]) is type(bytes(whole)) is bytes
    assert type(bytearray(b'x') + whole) is bytearray
    assert whole[0] == ord('H')
    assert [type(one(whole)) for one in (copy.copy, copy.deepcopy)] == [kind, kind]
    assert type(pickle.loads(pickle.dumps(whole))) is kind
    with pytest.raises(TypeError):
        whole + 'text'


def test_c8_3_a_body_that_looks_like_a_response_is_told_once(site: Serving) -> None:
    with Log() as log:
        for _ in range(3):
            post(site, ECHOES['as they are'])
        told = [record for record in log.records if 'slimHTTP.Raw' in record.getMessage()]
    assert len(told) == 1
    assert 'route `/test`' in told[0].getMessage()
    assert 'evil' not in log.text
