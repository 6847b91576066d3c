"""C8.7: virtual hosts take turns at Python, and answers are not held back by what comes after."""

from __future__ import annotations

import select
import threading

import pytest
from support import PATIENCE, Client, Serving, serving, wait_until

of = pytest.mark.parametrize

FLOODED, QUIET = 'flooded.example', 'quiet.example'


def _ask(site: Serving, host: str, path: str) -> Client:
    client = site.client(timeout=3 * PATIENCE)
    client.send('GET', path, host=host)
    return client


def _connected(site: Serving) -> Client:
    """A client whose connection is served already."""
    client = site.client(timeout=3 * PATIENCE)
    assert client.get('/none').status == 404
    return client


def _is_answered(client: Client) -> bool:
    return bool(select.select([client.socket], [], [], 0)[0])


class _Held:
    """A server whose only thread is held until `go_on`, and the order of what it does then."""

    def __init__(self, site: Serving) -> None:
        self.site = site
        self.order: list[str] = []
        self._begun, self._go_on = threading.Event(), threading.Event()

        @site.http.route('/hold')
        def hold(request):
            self._begun.set()
            self._go_on.wait(2 * PATIENCE)
            return 'held'

        for host in (FLOODED, QUIET):

            @site.http.route('/', vhost=host)
            def note(request):
                self.order.append(request.vhost)
                return request.vhost

        self._holder = _ask(site, 'localhost', '/hold')
        assert self._begun.wait(PATIENCE)

    def go_on(self) -> None:
        self._go_on.set()
        assert self._holder.read_response().text == 'held'


def _vhosts() -> dict[str, dict[str, str]]:
    return {FLOODED: {'index': 'a.html'}, QUIET: {'index': 'a.html'}}


def test_c8_7_a_flood_for_one_virtual_host_does_not_delay_another() -> None:
    with serving(vhosts=_vhosts(), io_threads=1) as site:
        flood = [_connected(site) for _ in range(60)]
        quiet = [_connected(site) for _ in range(3)]
        last = _connected(site)
        held = _Held(site)
        for clients, host in [(flood, FLOODED), (quiet, QUIET)]:
            for client in clients:
                client.send('GET', '/', host=host)
            # The one I/O thread reads connections that it has in the order in which bytes came,
            # and queues what it has read before it reads again.
            for _ in range(2):
                assert last.get('/none').status == 404
        held.go_on()
        assert [client.read_response().status for client in quiet] == [200] * 3
        assert [client.read_response().status for client in flood] == [200] * 60
        assert held.order.index(QUIET) <= 1
        last_quiet = len(held.order) - 1 - held.order[::-1].index(QUIET)
        assert last_quiet <= 2 * 3, held.order


def test_c8_7_a_flood_for_one_virtual_host_leaves_room_for_another() -> None:
    with serving(vhosts=_vhosts(), max_queue=8, io_threads=1) as site:
        held = _Held(site)
        flood = [_ask(site, FLOODED, '/') for _ in range(20)]
        wait_until(lambda: sum(map(_is_answered, flood)) >= 12, 'refusals')
        quiet = [_ask(site, QUIET, '/') for _ in range(3)]
        # Whoever has the most waiting makes room.
        wait_until(lambda: sum(map(_is_answered, flood)) >= 15, 'further refusals')
        assert not any(map(_is_answered, quiet))
        held.go_on()
        assert [client.read_response().status for client in quiet] == [200] * 3
        statuses = [client.read_response().status for client in flood]
        assert (statuses.count(200), statuses.count(503)) == (5, 15)


@of('asynchronous', [False, True])
def test_c8_7_an_answer_is_sent_while_the_next_handler_blocks(asynchronous: bool) -> None:
    begun, release, go_on = threading.Event(), threading.Event(), threading.Event()
    with serving() as site:

        def hold(request):
            begun.set()
            release.wait(2 * PATIENCE)
            return 'held'

        def slow(request):
            go_on.wait(2 * PATIENCE)
            return 'slow'

        def quick(request):
            return 'quick'

        for handler in (hold, slow, quick):

            async def on_the_loop(request, handler=handler):
                return handler(request)

            site.http.route(f'/{handler.__name__}')(on_the_loop if asynchronous else handler)
        holder = site.client(timeout=3 * PATIENCE)
        holder.send('GET', '/hold')
        assert begun.wait(PATIENCE)
        # All of these wait, and are done without a rest in between.
        clients = []
        for path in ['/quick', '/slow', '/quick', '/slow']:
            client = site.client(timeout=3 * PATIENCE)
            client.send('GET', path)
            clients.append(client)
            assert site.get('/none').status == 404
        release.set()
        assert holder.read_response().text == 'held'
        assert clients[0].read_response().text == 'quick', 'though the next one blocks'
        go_on.set()
        for client, text in zip(clients[1:], ['slow', 'quick', 'slow']):
            assert client.read_response().text == text


def test_c8_7_an_answer_is_sent_though_its_thread_goes_on_while_another_is_idle() -> None:
    """The jobs that come together may all be taken by the thread that is quicker."""
    go_on = threading.Event()
    with serving(python_threads=2) as site:

        @site.http.route('/quick')
        def quick(request):
            return 'quick'

        @site.http.route('/slow')
        def slow(request):
            go_on.wait(2 * PATIENCE)
            return 'slow'

        for _ in range(30):
            go_on.clear()
            clients = []
            for path in ['/quick', '/quick', '/slow', '/quick']:
                client = site.client(timeout=3 * PATIENCE)
                client.send('GET', path)
                clients.append(client)
            for number in (0, 1, 3):
                assert clients[number].read_response().text == 'quick'
            go_on.set()
            assert clients[2].read_response().text == 'slow'


def test_c8_7_the_end_of_a_stream_does_not_wait_for_its_iterator_to_clean_up() -> None:
    go_on = threading.Event()

    class Chunks:
        def __init__(self) -> None:
            self.chunks = iter([b'one', b'two'])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.chunks)

        def close(self) -> None:
            go_on.wait(2 * PATIENCE)

    with serving() as site:
        site.http.route('/')(lambda request: Chunks())
        client = site.client(timeout=PATIENCE)
        client.send('GET', '/')
        try:
            assert client.read_response().text == 'onetwo'
        finally:
            go_on.set()
