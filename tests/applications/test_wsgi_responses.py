"""C11.4: what a WSGI application answers, and what is made of one that breaks PEP 3333."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import slimHTTP
from support import Closed, Log, narrow_client, wait_until
from support.waiting import settles
from support.wsgi import PLAIN, Closable, WsgiSite, returns, says, wsgi_site

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site() -> Iterator[WsgiSite]:
    with wsgi_site() as site:
        yield site


def length(count: int) -> list[tuple[str, str]]:
    return [*PLAIN, ('Content-Length', str(count))]


def test_c11_4_status_and_headers_are_sent_as_given(site: WsgiSite) -> None:
    headers = [*PLAIN, ('Set-Cookie', 'a=1'), ('X-Latin', 'caf\xe9'), ('Set-Cookie', 'b=2')]
    answer = site.ask(says(b'found', status='418 Short And Stout', headers=headers))
    assert (answer.status, answer.text) == (418, 'found')
    assert answer.headers.all('set-cookie') == ['a=1', 'b=2']
    assert answer.headers['x-latin'] == 'caf\xe9'
    assert answer.headers['server'] == 'slimHTTP'
    # The reason of an application is not kept: HTTP/2 has none.
    assert answer.reason == "I'm a teapot"


class Own:
    """An iterable of a program."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)


class Sized(Own):
    """One that says how many chunks it has."""

    def __len__(self) -> int:
        return len(self.chunks)


#: What is returned, and whether its length is known.
WHOLE: dict[str, tuple[Callable[[], Any], bool]] = {
    'a list of one': (lambda: [b'abc'], True),
    'a list of several': (lambda: [b'a', b'', b'bc'], True),
    'a tuple': (lambda: (b'ab', b'c'), True),
    'an empty list': (lambda: [], True),
    'a generator': (lambda: (chunk for chunk in (b'', b'ab', b'c')), False),
    'an iterator of nothing': (lambda: iter(()), True),
    'an iterator of empty chunks': (lambda: iter((b'', b'')), True),
    'an object with iter': (lambda: Own([b'ab', b'c']), False),
    'an object of one element': (lambda: Sized([b'abc']), True),
    'an object of two elements': (lambda: Sized([b'ab', b'c']), False),
}


@of('kind', WHOLE)
def test_c11_4_every_iterable_is_sent(site: WsgiSite, kind: str) -> None:
    make, is_measured = WHOLE[kind]
    answer = site.ask(returns(make), valid=False)
    text = b'' if 'empty' in kind or 'nothing' in kind else b'abc'
    assert (answer.status, answer.body) == (200, text)
    framing = ('content-length' in answer.headers, 'transfer-encoding' in answer.headers)
    assert framing == (is_measured, not is_measured)


def test_c11_4_a_length_that_is_given_is_kept(site: WsgiSite) -> None:
    answer = site.ask(returns(lambda: iter([b'a', b'bc']), headers=length(3)))
    assert (answer.headers['content-length'], answer.body) == ('3', b'abc')


@of('late', ['in the first step', 'in the second step'])
def test_c11_4_start_response_may_be_called_by_the_iterable(site: WsgiSite, late: str) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        if 'second' in late:
            yield b''
        start_response('201 Created', list(PLAIN))
        yield b'made'

    answer = site.ask(application, valid=False)
    assert (answer.status, answer.text) == (201, 'made')


# start_response and write.


def test_c11_4_exc_info_replaces_what_was_said_before(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', [*PLAIN, ('X-Old', '1')])
        try:
            raise ValueError('too late')
        except ValueError:
            start_response('503 Busy', list(PLAIN), sys.exc_info())
        return [b'busy']

    answer = site.ask(application)
    assert (answer.status, answer.text, 'x-old' in answer.headers) == (503, 'busy', False)


def test_c11_4_exc_info_is_raised_again_once_the_head_is_sent(site: WsgiSite) -> None:
    raised: list[BaseException] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))
        yield b'begun'
        try:
            raise ValueError('too late')
        except ValueError:
            try:
                start_response('500 Oops', list(PLAIN), sys.exc_info())
            except ValueError as error:
                raised.append(error)
                raise

    with Log() as log:
        with pytest.raises(Closed):
            site.ask(application, valid=False)
        log.wait_for('ValueError: too late')
    assert str(raised[0]) == 'too late'


@of('given', [(), (None, None, None), 'nothing', (1, 2)])
def test_c11_4_exc_info_without_an_exception_is_told(site: WsgiSite, given: Any) -> None:
    raised: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))
        yield b'a'
        try:
            start_response('500 Oops', list(PLAIN), given)
        except (AssertionError, TypeError) as error:
            raised.append(type(error).__name__)
        yield b'b'

    assert site.ask(application, valid=False).body == b'ab'
    is_none = given in ((), (None, None, None))
    assert raised == ['AssertionError' if is_none else 'TypeError']


def test_c11_4_write_sends_at_once_and_before_the_iterable(site: WsgiSite) -> None:
    goes_on = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', list(PLAIN))
        write(b'')
        write(b'first ')
        assert goes_on.wait(10)
        write(b'second ')
        return [b'third ', b'', b'last']

    name = site.name(application)
    with site.serving.client() as client:
        client.send('GET', '/', [('X-App', name)])
        head = client.read_head()
        assert head.status == 200
        assert client.read_chunk()[0] == b'first '
        goes_on.set()
        client._read_body(head, 'GET')
    assert head.text == 'second third last'


def test_c11_4_write_waits_for_a_slow_client(site: WsgiSite) -> None:
    written = [0]
    block = b'x' * 65536

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', length(len(block) * 160))
        for _ in range(160):
            write(block)
            written[0] += 1
        return []

    name = site.name(application)
    with narrow_client(site.address) as client:
        client.send('GET', '/', [('X-App', name)])
        wait_until(lambda: written[0], 'the first')
        assert settles(lambda: written[0]) < 120
        answer = client.read_response()
    assert (len(answer.body), written[0]) == (len(block) * 160, 160)


@of('how', ['HEAD', '204 No Content', '304 Not Modified'])
def test_c11_4_what_is_written_to_a_response_without_content_is_dropped(
    site: WsgiSite, how: str
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK' if how == 'HEAD' else how, [])
        write(b'dropped')
        return [b'too']

    answer = site.ask(application, method='HEAD' if how == 'HEAD' else 'GET', valid=False)
    assert (answer.status, answer.body) == (200 if how == 'HEAD' else int(how[:3]), b'')


# Lengths.


@of('how', ['list', 'one chunk', 'chunks', 'write'])
def test_c11_4_a_body_is_cut_at_its_length(site: WsgiSite, how: str) -> None:

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response('200 OK', length(4))
        if how == 'list':
            return [b'abcdef', b'g']
        if how == 'write':
            write(b'abc')
            write(b'defg')
            return [b'h']
        return Closable(iter([b'abcdef'] if how == 'one chunk' else [b'abc', b'def', b'g']))

    with Log() as log, site.serving.client() as client:
        answer = site.ask(application, client=client, valid=False)
        assert answer.body == b'abcd'
        log.wait_for('GET /: the body is longer than its Content-Length of 4')
        assert site.ask(says(b'next'), client=client).text == 'next'
        assert client.connections == 1


#: What is too short, and whether it is known before the head is sent.
SHORT: dict[str, tuple[Callable[[], Any], bool]] = {
    'a list': (lambda: [b'abc'], True),
    'an empty list': (lambda: [], True),
    'an empty iterator': (lambda: iter(()), True),
    'an iterator': (lambda: iter([b'a', b'bc']), False),
}


@of('kind', SHORT)
def test_c11_4_a_body_that_is_too_short_is_never_taken_as_whole(site: WsgiSite, kind: str) -> None:
    make, is_known = SHORT[kind]
    with Log() as log:
        if is_known:
            assert site.ask(returns(make, headers=length(5)), valid=False).status == 500
            log.wait_for('ValueError: the body has [03] bytes, its Content-Length is 5')
        else:
            with pytest.raises(Closed):
                site.ask(returns(make, headers=length(5)))
            log.wait_for('the body is shorter than its Content-Length of 5')


def test_c11_4_what_is_written_too_short_breaks_off(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', length(5))(b'abc')
        return []

    with Log() as log:
        with pytest.raises(Closed):
            site.ask(application)
        log.wait_for('the body is shorter than its Content-Length of 5')


# Responses without content.


@of('kind', ['list', 'iterator', 'nothing'])
def test_c11_4_head_has_the_fields_of_get(site: WsgiSite, kind: str) -> None:
    def make() -> Any:
        return {'list': [b'abc'], 'iterator': iter([b'a', b'bc']), 'nothing': []}[kind]

    answer = site.ask(returns(make), method='HEAD', valid=False)
    known = '3' if kind == 'list' else None
    assert (answer.status, answer.body, answer.headers.get('content-length')) == (200, b'', known)
    said = site.ask(returns(make, headers=length(3)), method='HEAD', valid=False)
    assert said.headers['content-length'] == '3'


@of(
    ('status', 'given', 'sent'),
    [
        ('204 No Content', None, None),
        ('204 No Content', '3', None),
        ('304 Not Modified', None, None),
        ('304 Not Modified', '3', '3'),
        ('205 Reset Content', '3', '0'),
    ],
)
@of('kind', ['list', 'iterator', 'nothing'])
def test_c11_4_some_statuses_have_no_content(
    site: WsgiSite, status: str, given: Any, sent: Any, kind: str
) -> None:
    def make() -> Any:
        return {'list': [b'abc'], 'iterator': iter([b'a', b'bc']), 'nothing': []}[kind]

    headers = [] if given is None else [('Content-Length', given)]
    with site.serving.client() as client:
        answer = site.ask(returns(make, status, headers), client=client, valid=False)
        assert (answer.status, answer.body) == (int(status[:3]), b'')
        assert answer.headers.get('content-length') == sent
        assert site.ask(says(b'next'), client=client).text == 'next'


# Applications that break the protocol.


def starts(*arguments: Any) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(*arguments)
        return [b'never']

    return application


def twice(environ: dict[str, Any], start_response: Any) -> Any:
    start_response('200 OK', [])
    start_response('200 OK', [])
    return [b'never']


def writes(data: Any) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', [])(data)
        return [b'never']

    return application


def raises(error: BaseException) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        raise error

    return application


#: What an application does, and what the log says of it.
WRONG: dict[str, tuple[Any, str]] = {
    'no start_response': (
        lambda environ, start: [b'x'],
        'AssertionError: the application has not called `start_response`',
    ),
    'no start_response, a generator': (
        lambda environ, start: iter([b'x']),
        'AssertionError: the application has not called `start_response`',
    ),
    'no start_response, nothing': (
        lambda environ, start: iter([]),
        'AssertionError: the application has not called `start_response`',
    ),
    'start_response twice': (twice, 'AssertionError: .*a second time without `exc_info`'),
    'a status of bytes': (starts(b'200 OK', []), 'TypeError: a status is str, not `bytes`'),
    'a status without a number': (starts('OK', []), 'ValueError: a status is a number'),
    'a status that is none': (starts('2000 OK', []), 'ValueError: a status is a number'),
    'an interim status': (starts('103 Early Hints', []), 'ValueError: a status is a number'),
    'a status beyond': (starts('600 No', []), 'ValueError: a status is a number'),
    'a status of two lines': (starts('200 OK\r\nX: y', []), 'ValueError: a status is a number'),
    'headers in a dict': (starts('200 OK', {}), 'TypeError: the headers .* not `dict`'),
    'a header in a list': (starts('200 OK', [['a', 'b']]), 'TypeError: a header is a tuple'),
    'a header of three': (starts('200 OK', [('a', 'b', 'c')]), 'TypeError: a header is a tuple'),
    'a name of bytes': (starts('200 OK', [(b'a', 'b')]), 'TypeError: the name .* not `bytes`'),
    'a name with a space': (starts('200 OK', [('a b', 'c')]), "ValueError: 'a b' is no name"),
    'a value of int': (starts('200 OK', [('a', 1)]), 'TypeError: the value .* not `int`'),
    'a value of two lines': (starts('200 OK', [('a', 'b\r\nc: d')]), 'ValueError: the header `a`'),
    'a value that ends a line': (starts('200 OK', [('a', 'b\r\n')]), 'ValueError: the header `a`'),
    'a value behind a line': (starts('200 OK', [('a', '\nb')]), 'ValueError: the header `a`'),
    'a value beyond latin-1': (starts('200 OK', [('a', '\u20ac')]), 'ValueError: the header `a`'),
    'a surrogate': (starts('200 OK', [('a', '\udcff')]), 'ValueError: the header `a`'),
    'a length that is none': (
        starts('200 OK', [('Content-Length', '+3')]),
        'ValueError: a Content-Length is one number',
    ),
    'two lengths': (
        starts('200 OK', [('Content-Length', '5')] * 2),
        'ValueError: there is more than one Content-Length',
    ),
    'a chunk of str': (returns(['x']), 'TypeError: application .* gave `str`, expected bytes'),
    'a chunk of str, a generator': (returns(lambda: iter(['x'])), 'gave `str`, expected bytes'),
    'str': (returns('x'), 'gave `str`, expected bytes'),
    'None': (returns(None), "TypeError: 'NoneType' object is not iterable"),
    'str to write': (writes('x'), 'TypeError: `write` takes bytes, not `str`'),
    'an exception': (raises(ZeroDivisionError('of an application')), 'ZeroDivisionError: of an'),
    'SystemExit': (raises(SystemExit(3)), 'SystemExit: 3'),
    'GeneratorExit': (raises(GeneratorExit()), 'GeneratorExit'),
    'many headers': (starts('200 OK', [('a', 'b')] * 1025), 'ValueError: .* at most 1024'),
    **{
        f'the header {name}': (
            starts('200 OK', [(name, 'x')]),
            f'AssertionError: the header `{name.lower()}` is about the connection',
        )
        for name in (
            'Connection',
            'Keep-Alive',
            'Proxy-Authenticate',
            'Proxy-Authorization',
            'TE',
            'Trailer',
            'Transfer-Encoding',
            'Upgrade',
        )
    },
}


@of('what', WRONG)
def test_c11_4_an_application_that_breaks_the_protocol_is_a_500(site: WsgiSite, what: str) -> None:
    application, said = WRONG[what]
    with Log() as log:
        answer = site.ask(application, valid=False)
        assert (answer.status, answer.headers['content-type']) == (500, 'text/html; charset=utf-8')
        log.wait_for(said)
        errors = [record for record in log.records if record.levelname == 'ERROR']
    assert len(errors) == 1
    assert errors[0].getMessage().startswith('GET / failed in application ')


@of('what', ['a chunk of str', 'an exception', 'SystemExit'])
def test_c11_4_what_goes_wrong_behind_the_head_breaks_the_response_off(
    site: WsgiSite, what: str
) -> None:
    def chunks() -> Any:
        yield b'begun'
        if what == 'a chunk of str':
            yield 'text'
        raise SystemExit(3) if what == 'SystemExit' else ValueError('in the middle')

    result = Closable(chunks())
    said = {
        'a chunk of str': 'gave `str`, expected bytes',
        'an exception': 'ValueError: in the middle',
        'SystemExit': 'SystemExit: 3',
    }
    with Log() as log:
        with pytest.raises(Closed):
            site.ask(returns(result), valid=False)
        log.wait_for(said[what])
        errors = [record for record in log.records if record.levelname == 'ERROR']
    assert (result.closed, len(errors)) == (1, 1)


def test_c11_4_an_exception_behind_write_breaks_the_response_off(site: WsgiSite) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', list(PLAIN))(b'begun')
        raise ValueError('in the middle')

    with Log() as log:
        with pytest.raises(Closed):
            site.ask(application)
        log.wait_for('ValueError: in the middle')


def test_c11_4_debug_shows_the_traceback() -> None:
    with wsgi_site(debug=True) as site:
        answer = site.ask(raises(ZeroDivisionError('of an application')), valid=False)
    assert answer.status == 500
    assert 'ZeroDivisionError' in answer.text
    assert 'of an application' in answer.text


def test_c11_4_an_http_error_of_ours_is_an_answer(site: WsgiSite) -> None:
    with Log() as log:
        assert site.ask(raises(slimHTTP.HTTPError(404, 'nowhere'))).status == 404
    assert 'Traceback' not in log.text
