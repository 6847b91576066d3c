"""C8.3 (streams), C8.4 and C8.5: generators, coroutines, handlers that fail, clients that leave."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from support import (
    PATIENCE,
    Log,
    Serving,
    at_once,
    check_not_whole,
    in_background,
    narrow_client,
    serving,
    settles,
    tick_async,
    wait_until,
)
from support.sites import site_fixture
from support.watched import WatchedCall, WatchedStream

of = pytest.mark.parametrize
site = site_fixture(grace_period=1)


# C8.3, streams


def test_c8_3_a_generator_streams_as_it_yields(site: Serving) -> None:
    go_on = threading.Event()

    @site.http.route('/')
    def stream(request):
        yield b'first'
        go_on.wait(PATIENCE)
        yield 'second'

    with site.client() as client:
        client.send('GET', '/')
        head = client.read_head()
        assert head.status == 200
        assert head.headers['Transfer-Encoding'] == 'chunked'
        assert client.read_chunk()[0] == b'first'
        go_on.set()
        assert client.read_chunk()[0] == b'second'
        assert client.read_chunk()[0] == b''
        client.read_until(b'\r\n')
        assert client.get('/').body == b'firstsecond'


@of('asynchronous', [False, True])
def test_c8_3_a_slow_client_stops_the_generator(site: Serving, asynchronous: bool) -> None:
    stream = WatchedStream(b'x' * 65536, asynchronous=asynchronous)
    site.http.route('/')(lambda request: stream(request))
    with narrow_client(site.address) as client:
        client.send('GET', '/')
        assert client.read_head().status == 200
        assert settles(lambda: stream.pulled) < 1000, 'bounded by what sockets hold'
        before = stream.pulled
        for _ in range(before + 50):
            client.read_chunk()
        assert stream.pulled > before, 'and it goes on when the client does'
    assert stream.closed.wait(PATIENCE), 'and it is closed when the client leaves'


def test_c8_3_a_slow_client_holds_no_thread(site: Serving) -> None:
    site.http.route('/endless')(lambda request: iter(lambda: b'x' * 65536, None))
    site.http.route('/other')(lambda request: 'other')
    slow = [narrow_client(site.address) for _ in range(5)]
    for client in slow:
        client.send('GET', '/endless')
        assert client.read_head().status == 200
    with site.client() as client:
        assert [client.get('/other').text for _ in range(20)] == ['other'] * 20
    for client in slow:
        client.close()


def test_c8_3_two_generators_take_turns(site: Serving) -> None:
    """On one Python thread: each chunk is a turn, so neither waits for the other's end."""
    turn = threading.Semaphore(0)

    @site.http.route('/a')
    def first(request):
        yield b'1'
        while not turn.acquire(timeout=0.01):
            yield b'.'
        yield b'2'

    @site.http.route('/b')
    def second(request):
        yield b'x'
        turn.release()

    with in_background(lambda: site.get('/a').body) as body:
        assert site.get('/b').body == b'x'
        assert body().startswith(b'1')
        assert body().endswith(b'2')


@of('asynchronous', [False, True])
def test_c8_3_a_generator_that_raises_half_way_is_never_passed_off_as_whole(
    site: Serving, asynchronous: bool
) -> None:
    def chunks():
        yield b'half'
        raise RuntimeError('secret_word')

    async def chunks_later():
        yield b'half'
        raise RuntimeError('secret_word')

    site.http.route('/')(lambda request: chunks_later() if asynchronous else chunks())
    site.http.route('/well')(lambda request: 'well')
    with Log() as log, site.client() as client:
        client.send('GET', '/')
        check_not_whole(client)
        log.wait_for('RuntimeError: secret_word')
    assert site.get('/well').text == 'well'


def test_c8_3_what_a_generator_yielded_before_it_raised_is_sent(site: Serving) -> None:
    @site.http.route('/')
    def stream(request):
        yield b'half'
        raise RuntimeError

    for _ in range(5):
        # Who gets nothing at all may ask once more, and the handler would run again.
        with Log(), site.client() as client:
            client.send('GET', '/')
            assert client.read_head().status == 200
            assert client.read_until(b'half')
            assert client.expect_close() == b'\r\n'


@of('chunk', [3, None, {'a': 1}, [b'x']], ids=repr)
def test_c8_3_a_chunk_that_is_none_ends_the_stream_with_a_fault(site: Serving, chunk) -> None:
    site.http.route('/')(lambda request: iter([b'half', chunk, b'rest']))
    with Log() as log, site.client() as client:
        client.send('GET', '/')
        check_not_whole(client)
        log.wait_for(type(chunk).__name__)


def test_c8_3_head_does_not_run_a_generator_dry(site: Serving) -> None:
    closed = threading.Event()

    @site.http.route('/')
    def endless(request):
        try:
            while True:
                yield b'x'
        finally:
            closed.set()

    with site.client() as client:
        assert client.request('HEAD', '/').status == 200
        assert client.request('HEAD', '/').status == 200


# C8.4


def test_c8_4_async_handlers_overlap(site: Serving) -> None:
    """Each waits for the other: one at a time, neither would end."""
    state: dict[str, asyncio.Event] = {}

    def event(name: str) -> asyncio.Event:
        return state.setdefault(name, asyncio.Event())

    @site.http.route('/<me>/<other>')
    async def meet(request):
        event(request.params['me']).set()
        await asyncio.wait_for(event(request.params['other']).wait(), PATIENCE)
        return request.params['me']

    assert at_once([lambda: site.get('/a/b').text, lambda: site.get('/b/a').text]) == ['a', 'b']


def test_c8_4_a_hundred_async_handlers_overlap(site: Serving) -> None:
    inside = [0]
    everybody = []

    @site.http.route('/')
    async def meet(request):
        if not everybody:
            everybody.append(asyncio.Event())
        inside[0] += 1
        if inside[0] == 100:
            everybody[0].set()
        await asyncio.wait_for(everybody[0].wait(), 2 * PATIENCE)
        return 'met'

    assert at_once([lambda: site.get('/').text] * 100) == ['met'] * 100


def test_c8_4_async_handlers_run_on_one_loop(site: Serving) -> None:
    seen = set()

    @site.http.route('/')
    async def look(request):
        seen.add((id(asyncio.get_running_loop()), threading.get_ident()))
        return 'seen'

    at_once([lambda: site.get('/')] * 10)
    assert len(seen) == 1


def test_c8_4_sync_handlers_go_on_beside_async_ones(site: Serving) -> None:
    release: list[asyncio.Event] = []

    @site.http.route('/later')
    async def later(request):
        release.append(asyncio.Event())
        await asyncio.wait_for(release[0].wait(), PATIENCE)
        return 'later'

    @site.http.route('/release')
    async def let_go(request):
        release[0].set()
        return 'released'

    site.http.route('/sync')(lambda request: 'sync')
    with in_background(lambda: site.get('/later').text) as waiting:
        wait_until(lambda: release)
        assert site.get('/sync').text == 'sync'
        assert site.get('/release').text == 'released'
        assert waiting() == 'later'


def test_c8_4_an_async_iterator_streams(site: Serving) -> None:
    queue: list[asyncio.Queue] = []

    @site.http.route('/')
    async def stream(request):
        queue.append(asyncio.Queue())
        yield b'first'
        yield await asyncio.wait_for(queue[0].get(), PATIENCE)

    @site.http.route('/put')
    async def put(request):
        queue[0].put_nowait('second')
        return 'put'

    with site.client() as client:
        client.send('GET', '/')
        assert client.read_head().status == 200
        assert client.read_chunk()[0] == b'first'
        assert site.get('/put').text == 'put'
        assert client.read_chunk()[0] == b'second'
        assert client.read_chunk()[0] == b''


@of('result', [b'bytes', 'str', {'a': 1}, [1]], ids=repr)
def test_c8_4_async_handlers_may_return_what_others_may(site: Serving, result) -> None:
    async def handler(request):
        await asyncio.sleep(0)
        return result

    site.http.route('/')(handler)
    response = site.get('/')
    assert response.status == 200
    assert response.body if isinstance(result, (str, bytes)) else response.json() == result


@of('how', ['refuses', 'fails', 'blocks', 'ends'])
def test_c8_3_what_an_async_handler_returns_is_pulled_before_the_head(
    site: Serving, how: str
) -> None:
    release = threading.Event()

    def pieces(request):
        import slimHTTP

        request.ret_code = 203
        if how == 'refuses':
            raise slimHTTP.HTTPError(404, 'no such list')
        if how == 'fails':
            raise ValueError('on purpose')
        if how == 'blocks':
            assert release.wait(PATIENCE)
            yield 'late'

    @site.http.route('/list')
    async def listed(request):
        return pieces(request)

    @site.http.route('/loop')
    async def loop(request):
        return 'free'

    with in_background(lambda: site.get('/list')) as answered:
        if how == 'blocks':
            # It waits on a thread and not on the event loop.
            assert site.get('/loop').text == 'free'
            release.set()
        answer = answered()
    assert answer.status == {'refuses': 404, 'fails': 500, 'blocks': 203, 'ends': 203}[how]
    assert ('late' in answer.text) == (how == 'blocks')


def test_c8_4_an_async_handler_that_returns_nothing_passes_on(site: Serving) -> None:
    async def handler(request):
        return None

    site.http.route('/')(handler)
    assert site.get('/').status == 404


def test_c8_4_a_callable_object_may_be_async(site: Serving) -> None:
    class Object:
        async def __call__(self, request):
            return 'called'

    site.http.route('/')(Object())
    assert site.get('/').text == 'called'


def test_c8_4_a_sync_handler_may_return_a_coroutine(site: Serving) -> None:
    async def later():
        await asyncio.sleep(0)
        return 'later'

    site.http.route('/')(lambda request: later())
    assert site.get('/').text == 'later'


# C8.5


def raise_(error: BaseException):
    raise error


def recurse(request):
    return recurse(request)


FAILURES = {
    'raises': lambda request: raise_(RuntimeError('secret_word')),
    'raises an error of its own': lambda request: raise_(type('Mine', (Exception,), {})('secret_word')),
    'raises a base exception': lambda request: raise_(type('Base', (BaseException,), {})('secret_word')),
    'exits': lambda request: sys.exit('secret_word'),
    'exits with 0': lambda request: sys.exit(0),
    'raises GeneratorExit': lambda request: raise_(GeneratorExit('secret_word')),
    'raises StopIteration': lambda request: raise_(StopIteration('secret_word')),
    'recurses': recurse,
    'has an error that cannot be shown': lambda request: raise_(type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()),
    'takes no argument': lambda: 'x',
}  # fmt: skip


@of('failure', FAILURES)
def test_c8_5_a_handler_that_fails_is_500_and_nothing_else_notices(
    site: Serving, failure: str
) -> None:
    site.http.route('/bad')(FAILURES[failure])
    site.http.route('/well')(lambda request: 'well')
    with Log() as log, site.client() as client:
        for _ in range(3):
            response = client.get('/bad')
            assert response.status == 500
            assert b'secret_word' not in response.body
            assert b'Traceback' not in response.body
        log.wait_for('/bad')
        assert client.get('/well').text == 'well'
        assert client.connections == 1


@of('error', [RuntimeError, SystemExit, asyncio.CancelledError, StopAsyncIteration])
def test_c8_5_an_async_handler_that_fails_is_500(site: Serving, error: type) -> None:
    @site.http.route('/bad')
    async def bad(request):
        raise error('secret_word')

    @site.http.route('/well')
    async def well(request):
        return 'well'

    for _ in range(3):
        response = site.get('/bad')
        assert response.status == 500
        assert b'secret_word' not in response.body
    assert site.get('/well').text == 'well'


def test_c8_5_with_debug_the_browser_gets_the_traceback() -> None:
    with serving(debug=True) as site:
        site.http.route('/')(lambda request: raise_(RuntimeError('<b>the word</b> & more')))
        response = site.get('/')
        assert response.status == 500
        assert 'RuntimeError' in response.text
        assert '&lt;b&gt;the word' in response.text
        assert '<b>the word' not in response.text
        assert __file__ in response.text


def test_c8_5_a_client_that_leaves_has_its_waiting_call_skipped(site: Serving) -> None:
    called: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    @site.http.route('/held')
    def held(request):
        begun.set()
        go_on.wait(PATIENCE)
        return 'held'

    site.http.route('/note/<name>')(
        lambda request: called.append(request.params['name']) or 'noted'
    )
    with in_background(lambda: site.get('/held').text) as result:
        assert begun.wait(PATIENCE)
        leaving = [site.client() for _ in range(5)]
        for client in leaving:
            client.send('GET', '/note/left')
        staying = site.client()
        staying.send('GET', '/note/stayed')
        assert staying.is_open(0.3)
        for client in leaving:
            client.close()
        assert staying.is_open(0.5)
        go_on.set()
        assert result() == 'held'
        assert staying.read_response().text == 'noted'
        staying.close()
    assert called == ['stayed']


@of('way', ['close', 'reset'])
def test_c8_5_a_client_that_leaves_has_its_async_call_cancelled(site: Serving, way: str) -> None:
    call = WatchedCall()
    site.http.route('/')(call.handler)
    with Log() as log:
        client = site.client()
        client.send('GET', '/')
        assert call.begun.wait(PATIENCE)
        getattr(client, way)()
        assert call.cancelled.wait(PATIENCE)
        site.http.route('/well')(lambda request: 'well')
        assert site.get('/well').text == 'well'
        assert 'Traceback' not in log.text, 'that a client left is no fault'


def test_c8_5_a_client_that_leaves_ends_an_async_stream(site: Serving) -> None:
    begun, ended = threading.Event(), threading.Event()

    @site.http.route('/')
    async def stream(request):
        try:
            while True:
                yield b'tick'
                begun.set()
                await tick_async(0.01)
        finally:
            ended.set()

    client = site.client()
    client.send('GET', '/')
    assert client.read_head().status == 200
    assert begun.wait(PATIENCE)
    client.reset()
    assert ended.wait(PATIENCE)
