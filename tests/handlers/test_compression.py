"""What handlers answer in a content coding: what is compressed, and that nothing is held back."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
import zlib
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import slimHTTP
from support import (
    PATIENCE,
    Client,
    Closed,
    Serving,
    Upstream,
    narrow_client,
    replies,
    serving,
    settles,
    tick_async,
    tree,
    wait_until,
)
from support.http2_client import Http2
from support.sites import site_fixture
from support.watched import WatchedStream

TEXT = ''.join(f'line {number} of a text that compresses well\n' for number in range(400))
LONG = TEXT * 50
HTML = {'Content-Type': 'text/html; charset=utf-8'}
of = pytest.mark.parametrize
site = site_fixture(grace_period=1)


def answers(site: Serving, body: Any, status: int = 200, **fields: str) -> None:
    """Let the site answer everything so, over whatever it has answered before."""
    headers = {**HTML, **{name.replace('_', '-'): value for name, value in fields.items()}}

    @site.http.route('/')
    def answer(request: Any) -> slimHTTP.HTTP_RESPONSE:
        return slimHTTP.HTTP_RESPONSE(ret_code=status, headers=headers, payload=body)


def coding_of(response: Any) -> Optional[str]:
    return response.headers.get('Content-Encoding')


class Unpacking:
    """A content in gzip, read as it comes."""

    def __init__(self) -> None:
        self.stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.text = b''

    def add(self, data: bytes) -> bytes:
        self.text += self.stream.decompress(data)
        return self.text

    def read(self, client: Client, wanted: bytes) -> None:
        """Read chunks until this is there to be read."""
        while self.text != wanted:
            assert wanted.startswith(self.text)
            self.add(client.read_chunk()[0])


# What is compressed


@of('length', [1024, 5000, 32_768, 32_769, 1_000_000])
def test_a_whole_answer_is_compressed(site: Serving, length: int) -> None:
    text = (LONG * 2)[:length]
    answers(site, text)
    with site.client() as client:
        response = client.get('/', Accept_Encoding='gzip')
        assert coding_of(response) == 'gzip'
        assert gzip.decompress(response.body) == text.encode()
        assert response.headers['Vary'] == 'Accept-Encoding'
        assert len(response.body) < length / 2
        # What is in memory as a whole has a length.
        assert ('Content-Length' in response.headers) == (length <= 32_768)
        plain = client.get('/')
        assert coding_of(plain) is None
        assert plain.text == text
        assert client.connections == 1


@of(
    ('accepted', 'coding'),
    [
        ('gzip', 'gzip'),
        ('gzip, deflate, br, zstd', 'br'),
        ('gzip, zstd;q=0.9', 'gzip'),
        ('zstd, br;q=0', 'zstd'),
        ('gzip;q=0', None),
        ('*;q=0', None),
        ('identity', None),
        ('deflate', None),
    ],
)
def test_the_client_chooses_the_coding(site: Serving, accepted: str, coding: Optional[str]) -> None:
    answers(site, TEXT)
    response = site.get('/', Accept_Encoding=accepted)
    assert coding_of(response) == coding
    assert response.headers['Vary'] == 'Accept-Encoding'
    assert (len(response.body) < len(TEXT)) == (coding is not None)


@of(
    ('body', 'status', 'fields'),
    [
        ('x' * 1023, 200, {}),
        (os.urandom(5000), 200, {}),
        (TEXT, 206, {'Content_Range': 'bytes 0-9/10'}),
        (TEXT, 200, {'Content_Type': 'image/png'}),
        (TEXT, 200, {'Content_Type': 'application/octet-stream'}),
        (TEXT, 200, {'Content_Encoding': 'identity'}),
        (gzip.compress(os.urandom(5000)), 200, {'Content_Encoding': 'gzip'}),
        (TEXT, 200, {'Cache_Control': 'private, no-transform'}),
        (TEXT, 200, {'Content_Digest': 'sha-256=:aa=:'}),
        (TEXT, 200, {'Content_MD5': 'aa'}),
    ],
)
def test_what_is_not_to_be_compressed_is_sent_as_it_is(
    site: Serving, body: Any, status: int, fields: dict[str, str]
) -> None:
    answers(site, body, status, **fields, ETag='"tag"', Accept_Ranges='bytes')
    response = site.get('/', Accept_Encoding='gzip')
    assert response.status == status
    assert coding_of(response) == fields.get('Content_Encoding')
    assert response.body == (body.encode() if isinstance(body, str) else body)
    assert response.headers['ETag'] == '"tag"'
    assert response.headers['Accept-Ranges'] == 'bytes'


def test_the_head_says_what_the_coding_changes(site: Serving) -> None:
    answers(site, TEXT, ETag='"tag"', Accept_Ranges='bytes', Vary='Cookie')
    response = site.get('/', Accept_Encoding='gzip', Range='bytes=0-9')
    assert response.status == 200
    assert response.headers['ETag'] == 'W/"tag"'
    assert response.headers['Vary'] == 'Cookie, Accept-Encoding'
    assert 'Accept-Ranges' not in response.headers
    assert gzip.decompress(response.body) == TEXT.encode()


@of('status', [201, 404, 500])
def test_failures_are_compressed_as_any_answer(site: Serving, status: int) -> None:
    answers(site, TEXT, status)
    response = site.get('/', Accept_Encoding='gzip')
    assert (response.status, coding_of(response)) == (status, 'gzip')
    assert gzip.decompress(response.body) == TEXT.encode()


@of('text', [TEXT, LONG, 'short'], ids=['at once', 'as it is sent', 'short'])
def test_head_says_what_get_says(site: Serving, text: str) -> None:
    answers(site, text, ETag='"tag"')
    with site.client() as client:
        get = client.get('/', Accept_Encoding='gzip')
        head = client.request('HEAD', '/', {'Accept-Encoding': 'gzip'})
        assert head.body == b''

        def said(response: Any) -> list[tuple[str, str]]:
            fields = response.headers.fields
            framing = {'date', 'transfer-encoding'}
            return [(name, value) for name, value in fields if name.lower() not in framing]

        assert said(head) == said(get)
        assert client.connections == 1


# Where it is


def test_modules_scripts_and_coroutines_too(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(
        tree(
            tmp_path,
            {
                'module.py': f'def on_request(request):\n    return {TEXT!r}\n',
                'root': {'script.py': f'def on_request(request):\n    return {TEXT!r}\n'},
            },
        )
    )
    vhosts = {
        'a.example': {'module': 'module.py'},
        'b.example': {'web_root': 'root'},
        'c.example': {'module': 'module.py', 'compress': False},
        'd.example': {'module': 'module.py', 'compress': {'dynamic': False}},
    }
    with serving(vhosts=vhosts, response_headers={'X-Of': 'all'}) as site:

        @site.http.route('/late')
        async def late(request: Any) -> str:
            return TEXT

        @site.http.route('/stream')
        def stream(request: Any) -> Iterator[str]:
            yield TEXT

        for target, host, coding in [
            ('/', 'a.example', 'gzip'),
            ('/script.py', 'b.example', 'gzip'),
            ('/late', 'e.example', 'gzip'),
            ('/stream', 'e.example', 'gzip'),
            ('/', 'c.example', None),
            ('/', 'd.example', None),
        ]:
            response = site.get(target, host=host, Accept_Encoding='gzip')
            assert coding_of(response) == coding, host
            text = gzip.decompress(response.body) if coding else response.body
            assert text == TEXT.encode(), host
            assert response.headers['X-Of'] == 'all', host


def test_what_an_upstream_answers_is_sent_on_as_it_is() -> None:
    raw = f'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(TEXT)}\r\n\r\n{TEXT}'
    with Upstream(replies(raw.encode())) as upstream, serving(proxy=upstream.name) as site:
        response = site.get('/', Accept_Encoding='gzip')
        assert coding_of(response) is None
        assert response.text == TEXT


# Streams


def test_what_a_stream_gives_is_sent_before_it_waits(site: Serving) -> None:
    go_on = threading.Event()

    @site.http.route('/')
    def stream(request: Any) -> Iterator[str]:
        for text in ['first', ' second', ' third']:
            yield text
            assert go_on.wait(PATIENCE)
            go_on.clear()

    with site.client() as client:
        client.send('GET', '/', {'Accept-Encoding': 'gzip'})
        head = client.read_head()
        assert coding_of(head) == 'gzip'
        assert head.headers['Transfer-Encoding'] == 'chunked'
        unpacking = Unpacking()
        for text in [b'first', b'first second', b'first second third']:
            unpacking.read(client, text)
            assert not unpacking.stream.eof
            go_on.set()
        while not unpacking.stream.eof:
            unpacking.add(client.read_chunk()[0])
        assert client.read_chunk()[0] == b''


def test_events_arrive_as_they_are_sent_and_end_well_with_the_server() -> None:
    with serving() as site:
        sent: list[threading.Event] = [threading.Event() for _ in range(3)]

        @site.http.route('/')
        async def events(request: Any) -> Any:
            request.response_headers['Content-Type'] = 'text/event-stream'
            for number, event in enumerate(sent):
                while not event.is_set():
                    await tick_async()
                yield f'data: {number}\n\n'
            await asyncio.sleep(60)

        with site.client() as client:
            client.send('GET', '/', {'Accept-Encoding': 'gzip'})
            # The head goes out with the first chunk.
            sent[0].set()
            assert coding_of(client.read_head()) == 'gzip'
            unpacking, text = Unpacking(), b''
            for number, event in enumerate(sent):
                event.set()
                text += f'data: {number}\n\n'.encode()
                unpacking.read(client, text)
            site.http.stop()
            while not unpacking.stream.eof:
                unpacking.add(client.read_chunk()[0])
            assert unpacking.text == text


@of('version', ['1.0', '1.1'])
def test_a_stream_ends_with_its_coding(site: Serving, version: str) -> None:
    @site.http.route('/')
    def stream(request: Any) -> Iterator[str]:
        for _ in range(20):
            yield TEXT

    with site.client() as client:
        client.send_raw(
            f'GET / HTTP/{version}\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n'.encode()
        )
        response = client.read_response()
        assert gzip.decompress(response.body) == TEXT.encode() * 20
        assert response.headers.get('Transfer-Encoding') == (
            'chunked' if version == '1.1' else None
        )


def test_a_stream_that_fails_has_no_end(site: Serving) -> None:
    @site.http.route('/')
    def stream(request: Any) -> Iterator[str]:
        yield 'some of it'
        raise RuntimeError('on purpose')

    with site.client() as client:
        client.send('GET', '/', {'Accept-Encoding': 'gzip'})
        client.read_head()
        unpacking = Unpacking()
        unpacking.read(client, b'some of it')
        with pytest.raises(Closed):
            client.read_chunk()
        assert not unpacking.stream.eof


@of('asynchronous', [False, True])
def test_a_slow_client_stops_the_generator(site: Serving, asynchronous: bool) -> None:
    # Of which a coding makes nothing shorter.
    stream = WatchedStream(os.urandom(65_536), asynchronous=asynchronous)

    site.http.route('/')(lambda request: stream(request))
    with narrow_client(site.address) as client:
        client.send('GET', '/', {'Accept-Encoding': 'gzip'})
        assert coding_of(client.read_head()) == 'gzip'
        assert settles(lambda: stream.pulled) < 500


def test_a_client_that_leaves_in_the_middle_frees_its_encoder() -> None:
    with serving(compress={'max_encoders': 1}, grace_period=1) as site:
        stream = WatchedStream(os.urandom(65_536), asynchronous=False)

        site.http.route('/')(lambda request: stream(request))

        @site.http.route('/page')
        def page(request: Any) -> str:
            return LONG

        def coding() -> Optional[str]:
            return coding_of(site.get('/page', Accept_Encoding='gzip'))

        with narrow_client(site.address) as client:
            client.send('GET', '/', {'Accept-Encoding': 'gzip'})
            assert coding_of(client.read_head()) == 'gzip'
            assert coding() is None
            client.reset()
        assert stream.closed.wait(PATIENCE)
        wait_until(lambda: coding() == 'gzip')


def test_over_http2_too() -> None:
    with serving(mode=slimHTTP.HTTPS) as site:
        answers(site, LONG)

        @site.http.route('/stream')
        def stream(request: Any) -> Iterator[str]:
            for _ in range(20):
                yield TEXT

        with Http2(site.address[1]) as connection:
            for path, text in [('/', LONG), ('/stream', TEXT * 20)]:
                answer = connection.get(path, ('accept-encoding', 'gzip'))
                assert answer.headers['content-encoding'] == 'gzip'
                assert gzip.decompress(answer.body) == text.encode()
                plain = connection.get(path)
                assert 'content-encoding' not in plain.headers
                assert plain.body == text.encode()
