"""C7.2, C7.5: long answers of upstreams that the system moves from socket to socket.

What is left of a content of a known length goes through a pipe where neither end has TLS, and is copied
elsewhere. Nobody can tell by what arrives.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slimHTTP
from support import (
    Client,
    Exchange,
    Log,
    Process,
    Serving,
    Upstream,
    by_target,
    launch,
    lenient_tls,
    narrow_client,
    says,
    serving,
    stall,
    wait_until,
)
from support.http2_client import Http2
from support.waiting import tick

of = pytest.mark.parametrize

#: No part of it is as another, and its length is no round number.
LARGE = os.urandom((6 << 20) + 4321)
HEAD = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(LARGE)
#: What comes of it where it ends early.
PART = (4 << 20) + 77
#: How many pipes there are at once.
MOST = 64


def ends_early(exchange: Exchange) -> bool:
    exchange.send(HEAD + LARGE[:PART])
    return False


def falls_silent(exchange: Exchange) -> Any:
    exchange.send(HEAD + LARGE[:PART])
    return stall(exchange)


def until_gone(exchange: Exchange) -> bool:
    exchange.send(HEAD + LARGE[:PART])
    exchange.wait_until_gone()
    return False


BEHAVIOUR = by_target(
    {
        '/large': says(LARGE),
        '/early': ends_early,
        '/silent': falls_silent,
        '/until-gone': until_gone,
    }
)


@contextlib.contextmanager
def proxying(**config: Any) -> Iterator[tuple[Upstream, Serving]]:
    with Upstream(BEHAVIOUR) as upstream:
        with serving(proxy=upstream.name, io_threads=1, **config) as site:
            yield upstream, site


@contextlib.contextmanager
def cli_proxying(folder: Path) -> Iterator[tuple[Upstream, Process]]:
    with Upstream(BEHAVIOUR) as upstream:
        server = launch('cli', folder, {'proxy': upstream.name, 'io_threads': 1})
        try:
            assert server.get('/small').status == 200
            yield upstream, server
        finally:
            server.kill()


def pipes(server: Process) -> int:
    """How many ends of pipes a process has."""
    count = 0
    for entry in Path(f'/proc/{server.pid}/fd').iterdir():
        with contextlib.suppress(OSError):
            count += os.readlink(entry).startswith('pipe:')
    return count


def read_slowly(client: Client) -> bytes:
    head = client.read_head()
    assert head.status == 200
    parts, left = [], int(head.headers['Content-Length'])
    while left:
        parts.append(client.read_exactly(min(left, 500_000)))
        left -= len(parts[-1])
        tick(0.02)
    return b''.join(parts)


def test_c7_2_a_long_answer_arrives_byte_for_byte_and_its_connection_is_used_again() -> None:
    with proxying() as (upstream, site), site.client() as client:
        for _ in range(5):
            assert client.get('/large').body == LARGE
            assert client.request('POST', '/small', body=b'hello').json()['body'] == 'hello'
        assert (client.connections, upstream.connections) == (1, 1)


def test_c7_2_a_slow_reader_gets_the_same_through_a_pipe_that_ends_with_it(tmp_path: Path) -> None:
    with cli_proxying(tmp_path) as (upstream, server):
        before = pipes(server)
        with narrow_client(server.address) as client:
            for _ in range(2):
                client.send('GET', '/large')
                wait_until(lambda: pipes(server) == before + 2, 'a pipe')
                assert read_slowly(client) == LARGE
                wait_until(lambda: pipes(server) == before, 'the end of the pipe')
            assert client.connections == 1
        assert server.get('/small').status == 200
        assert upstream.connections == 1


def test_c7_2_who_finds_no_pipe_gets_the_same(tmp_path: Path) -> None:
    with cli_proxying(tmp_path) as (_upstream, server), contextlib.ExitStack() as stack:
        before = pipes(server)
        for _ in range(MOST):
            stack.enter_context(narrow_client(server.address)).send('GET', '/large')
        wait_until(lambda: pipes(server) == before + 2 * MOST, 'all pipes')
        with narrow_client(server.address) as client:
            client.send('GET', '/large')
            assert read_slowly(client) == LARGE
        assert pipes(server) == before + 2 * MOST
        stack.close()
        wait_until(lambda: pipes(server) == before, 'the end of the pipes')


def test_c7_2_clients_of_tls_get_the_same() -> None:
    with proxying(mode=slimHTTP.HTTPS) as (upstream, site):
        with site.client(tls=lenient_tls()) as client:
            for _ in range(2):
                assert client.get('/large').body == LARGE
            assert client.connections == 1
        with Http2(site.address[1]) as connection:
            for _ in range(2):
                assert connection.get('/large').body == LARGE
        assert upstream.connections == 1


@of(
    ('target', 'why'),
    [
        ('/early', 'it closed the connection within its answer'),
        ('/silent', 'nothing came for 700ms: see `proxy_read_timeout`'),
    ],
)
def test_c7_5_an_answer_that_ends_early_breaks_off_for_the_client(target: str, why: str) -> None:
    with Log() as log, proxying(proxy_read_timeout=0.7) as (upstream, site):
        with site.client() as client:
            client.send('GET', target)
            assert client.read_head().headers['Content-Length'] == str(len(LARGE))
            assert client.expect_close() == LARGE[:PART]
        log.wait_for(re.escape(f'upstream {upstream.name}: {why}'))
        assert site.get('/small').status == 200


@of('how', ['close', 'reset'])
@of('target', ['/large', '/until-gone'])
def test_c7_3_a_client_that_leaves_gives_back_the_place_that_it_had(target: str, how: str) -> None:
    """With an answer that it has not taken, so that its system refuses the rest."""
    with proxying(proxy_max_requests=1) as (upstream, site):
        client = narrow_client(site.address)
        client.send('GET', target)
        assert client.read_head().status == 200
        getattr(client, how)()
        wait_until(lambda: upstream.open_connections == 0, 'the end of the connection')
        assert site.get('/small').status == 200


def test_c7_3_a_client_that_resets_while_the_upstream_is_silent_ends_the_exchange() -> None:
    with proxying(proxy_max_requests=1) as (upstream, site):
        client = site.client()
        client.send('GET', '/until-gone')
        assert client.read_head().status == 200
        assert client.read_exactly(PART) == LARGE[:PART]
        client.reset()
        wait_until(lambda: upstream.open_connections == 0, 'the end of the connection')
        assert site.get('/small').status == 200


@of(('target', 'size'), [('/large', len(LARGE)), ('/early', PART)])
def test_the_access_log_counts_what_was_sent(tmp_path: Path, target: str, size: int) -> None:
    log = tmp_path / 'access.log'
    with proxying(access_log={'format': 'json', 'file': os.fspath(log)}) as (_upstream, site):
        with site.client() as client:
            client.send('GET', target)
            client.read_head()
            assert client.read_exactly(size) == LARGE[:size]
        line = wait_until(lambda: log.exists() and log.read_text(), 'a line')
    assert json.loads(line)['bytes'] == size
