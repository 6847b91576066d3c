"""C9: what connections may take while Python is blocked, and what the collector meets."""

from __future__ import annotations

import threading

from support import PATIENCE, Log, Program, serving, wait_until


def test_c9_ends_of_connections_take_a_bounded_room_while_python_is_blocked() -> None:
    """Those that Python knows nothing of: sixteen times `max_queue` of them wait."""
    ended: list[int] = []
    begun, go_on = threading.Event(), threading.Event()
    with Log() as log, serving(max_queue=1) as site:

        @site.http.route('/hold')
        def hold(request):
            begun.set()
            go_on.wait(3 * PATIENCE)
            return 'held'

        site.http.on_close(lambda identity: ended.append(identity.source_port))
        with site.client(timeout=3 * PATIENCE) as holder:
            holder.send('GET', '/hold')
            assert begun.wait(PATIENCE)
            try:
                for _ in range(40):
                    with site.client() as client:
                        assert client.get('/none').status == 404
                # The ends that came before this answer have been counted.
                assert site.get('/none').status == 404
            finally:
                go_on.set()
            assert holder.read_response().text == 'held'
        wait_until(lambda: len(ended) >= 16, 'the ends for which there was room')
        log.wait_for('`on_close` is not called for connections that end now')
    assert len(ended) <= 16 + 2, 'and those that ended when there was room again, at most'
    assert log.text.count('`on_close` is not called') == 1


def test_the_collector_may_come_while_an_identity_is_made() -> None:
    """It runs when objects are made, and sees those that are not complete yet."""
    program = """
import gc, urllib.request
import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)

@http.route('/')
def identities(request):
    # Without dicts to use again, each new one makes the collector run.
    spare = [{} for _ in range(200)]
    gc.collect()
    gc.set_threshold(1, 1, 1)
    return str(len([slimHTTP.HTTP_CLIENT_IDENTITY(request) for _ in range(400)]))

with http:
    print(urllib.request.urlopen(f'http://127.0.0.1:{http.port}/').read().decode())
"""
    with Program(program) as making:
        assert making.wait(30) == 0
        assert making.stdout.strip() == '400'
