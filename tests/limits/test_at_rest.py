"""Connections at rest: idle ones that have no task are idle connections like all others."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from support import (
    PATIENCE,
    Client,
    Serving,
    connections_at_rest,
    serving,
    tick,
    wait_until,
)


def at_rest(count: int) -> None:
    """Wait until so many connections rest."""
    wait_until(lambda: connections_at_rest() == count, f'{count} connections at rest')


def opened(site: Serving, stack: contextlib.ExitStack, count: int) -> list[Client]:
    """Clients that have been answered, and whose connections rest by now."""
    before = connections_at_rest()
    clients = [stack.enter_context(site.client()) for _ in range(count)]
    for client in clients:
        assert client.get('/').text == 'answered'
    at_rest(before + count)
    return clients


def answering(site: Serving) -> None:
    site.http.route('/')(lambda request: 'answered')


def test_a_connection_that_rested_answers_and_rests_again() -> None:
    with serving() as site, contextlib.ExitStack() as stack:
        answering(site)
        (client,) = opened(site, stack, 1)
        for _ in range(2):
            assert client.get('/').text == 'answered'
            at_rest(1)
        client.send_raw(2 * b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert [client.read_response().text for _ in range(2)] == 2 * ['answered']
        at_rest(1)
        assert client.request('POST', '/', body='with content').status == 200
        at_rest(1)
        assert client.connections == 1
    at_rest(0)


def test_a_connection_on_which_nothing_has_come_yet_rests() -> None:
    with serving() as site, site.client() as client:
        answering(site)
        assert client.socket
        at_rest(1)
        assert client.get('/').text == 'answered'


def test_a_part_of_a_head_keeps_a_connection_from_resting() -> None:
    with serving(header_timeout=1) as site, contextlib.ExitStack() as stack:
        answering(site)
        (client,) = opened(site, stack, 1)
        client.send_raw(b'GET / HTTP/1.1\r\nHo')
        at_rest(0)
        client.send_raw(b'st: a\r\n\r\n')
        assert client.read_response().text == 'answered'
        at_rest(1)
        client.send_raw(b'G')
        response = client.read_response()
        assert (response.status, response.closes) == (408, True), 'it has its time, and no more'
        assert client.expect_close() == b''


def test_a_connection_at_rest_ends_by_idle_timeout() -> None:
    with serving(idle_timeout=2) as site, contextlib.ExitStack() as stack:
        answering(site)
        begin = time.monotonic()
        (client,) = opened(site, stack, 1)
        assert client.read_rest() == b'', 'without a word'
        assert 1.9 <= time.monotonic() - begin < PATIENCE, 'counted from its last answer'
        at_rest(0)


def test_connections_at_rest_count_and_make_room() -> None:
    with serving(max_connections=3) as site, contextlib.ExitStack() as stack:
        answering(site)
        rested = []
        for _ in range(3):
            rested += opened(site, stack, 1)
            # The order in which they became idle, for a clock that ticks.
            tick()
        # The first ones to be idle are the first to go, once they have been so for a second.
        with site.client() as fourth, site.client() as fifth:
            assert fourth.get('/').text == 'answered'
            assert fifth.get('/').text == 'answered'
            assert [client.is_open() for client in rested] == [False, False, True]
            assert rested[2].get('/').text == 'answered'


def test_a_client_has_as_many_connections_at_rest_as_others() -> None:
    with serving(max_connections_per_address=2) as site, contextlib.ExitStack() as stack:
        answering(site)
        first, _second = opened(site, stack, 2)
        with site.client() as third, contextlib.suppress(ConnectionError):
            assert third.expect_close() == b'', 'one too many'
        first.close()
        at_rest(1)

        def is_served() -> bool:
            try:
                with site.client() as again:
                    return again.get('/').text == 'answered'
            except (AssertionError, ConnectionError):
                return False

        assert wait_until(is_served, 'the place of one that has left')


def test_a_stop_ends_connections_at_rest_at_once() -> None:
    with serving(grace_period=PATIENCE, io_threads=2) as site, contextlib.ExitStack() as stack:
        answering(site)
        rested = opened(site, stack, 300)
        begin = time.monotonic()
        site.http.stop()
        for client in rested:
            assert client.read_rest() == b''
        assert time.monotonic() - begin < PATIENCE / 2
    at_rest(0)


def test_many_connections_at_rest_that_wake_at_once_are_answered() -> None:
    with serving(io_threads=2) as site, contextlib.ExitStack() as stack:
        answering(site)
        rested = opened(site, stack, 300)
        for client in rested:
            client.send('GET', '/')
        for client in rested:
            assert client.read_response().text == 'answered'
        at_rest(300)


@pytest.mark.parametrize('leaving', ['close', 'reset', 'half-close'])
def test_c9_on_close_hears_of_a_client_that_leaves_at_rest(leaving: str) -> None:
    begun: list[int] = []
    ended: list[int] = []
    with serving() as site, contextlib.ExitStack() as stack:
        answering(site)
        site.http.on_accept(lambda socket, ip, port: begun.append(port))
        site.http.on_close(lambda identity: ended.append(identity.source_port))
        (client,) = opened(site, stack, 1)
        port = client.socket.getsockname()[1]
        assert client.get('/').text == 'answered'
        at_rest(1)
        assert (begun, ended) == ([port], []), 'to rest and to wake is no end and no beginning'
        if leaving == 'half-close':
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_rest() == b''
        elif leaving == 'reset':
            client.reset()
        else:
            client.close()
        wait_until(lambda: ended, 'the end of the connection')
        at_rest(0)
    assert (begun, ended) == ([port], [port])


def test_c9_a_program_closes_a_connection_at_rest() -> None:
    kept: list[Any] = []
    with serving() as site, contextlib.ExitStack() as stack:
        answering(site)
        site.http.on_accept(lambda socket, ip, port: None)
        site.http.route('/keep')(lambda request: kept.append(request.CLIENT_IDENTITY) or 'kept')
        closed, stays = opened(site, stack, 2)
        assert closed.get('/keep').text == 'kept'
        at_rest(2)
        kept[0].close()
        assert closed.read_rest() == b''
        at_rest(1)
        assert stays.get('/').text == 'answered'


def test_an_address_that_is_allowed_no_longer_is_refused_where_it_rested(tmp_path: Path) -> None:
    (tmp_path / 'file.txt').write_text('file')
    with serving(web_root=str(tmp_path)) as site, site.client() as client:
        assert client.get('/file.txt').text == 'file'
        at_rest(1)
        site.http.config['allow'] = ['192.0.2.0/24']
        response = client.get('/file.txt')
        assert (response.status, response.closes) == (403, True)
