"""Upgrades while clients ask: none of them notices."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from support import (
    CERTIFICATE,
    CERTIFICATE_KEY,
    UnixClient,
    lenient_tls,
    tick,
)
from support.handover import (
    Load,
    anew,
    connects_anew,
    keeps,
    keeps_connections,
    pauses,
    speaks_http2,
)
from support.upgraded_sites import (
    both_programs,
    run,
    site,
)

#: How many upgrades there are under load.
UPGRADES = int(os.environ.get('SLIMHTTP_TEST_UPGRADES', '3'))


@both_programs
def test_no_request_is_lost_and_no_connection_refused(
    python: bool, tmp_path: Path, socket_path: Path
) -> None:
    file = site(tmp_path, f"grace_period = 30\nlisten = ['unix:{socket_path}']")
    with run(file, python) as running, Load() as load:
        address = running.address
        for number in range(3):
            load.add(f'kept {number}', functools.partial(keeps_connections, address, '/a.txt'))
            load.add(f'new {number}', functools.partial(connects_anew, address, '/a.txt'))
        # Who pauses may send a request in the moment in which the server would close.
        for number, pause in enumerate((0.001, 0.01, 0.03)):
            kept = functools.partial(keeps_connections, address, '/a.txt')
            paused = functools.partial(tick, pause)
            load.add(f'pauses {number}', lambda kept=kept, paused=paused: pauses(kept(), paused))
        unix = functools.partial(UnixClient, socket_path)
        load.add('unix, kept', lambda: keeps(unix(), '/a.txt'))
        load.add('unix, new', lambda: anew(unix, '/a.txt'))
        load.wait_for_answers()
        for _ in range(UPGRADES):
            before = running.upgrade()
            load.wait_for_answers()
            assert running.status(before) == 0
        load.wait_for_answers(3)
        assert load.moved['kept 0'] > 0, 'it has been told'
        print(f'{UPGRADES} upgrades: {load.answered} answered, {load.moved} moved')
        load.end()
        assert running.stop() == 0
    assert len(running.pids) == UPGRADES + 1


@both_programs
def test_no_request_is_lost_over_tls_and_http2(python: bool, tmp_path: Path) -> None:
    pair = f"cert = '{CERTIFICATE}'\nkey = '{CERTIFICATE_KEY}'\n"
    with run(site(tmp_path, pair + 'grace_period = 30'), python) as running, Load() as load:
        address, port = running.address, running.address[1]
        tls = lenient_tls()
        for number in range(2):
            load.add(f'http2 {number}', functools.partial(speaks_http2, port, '/a.txt'))
            kept = functools.partial(keeps_connections, address, '/a.txt', tls=tls)
            load.add(f'kept {number}', kept)
        load.add('new', functools.partial(connects_anew, address, '/a.txt', tls=tls))
        paused = functools.partial(tick, 0.01)
        load.add('pauses', lambda: pauses(speaks_http2(port, '/a.txt'), paused))
        load.wait_for_answers()
        for _ in range(UPGRADES):
            before = running.upgrade()
            load.wait_for_answers()
            assert running.status(before) == 0
        load.wait_for_answers(3)
        assert load.moved['http2 0'] > 0, 'it has been told'
        print(f'{UPGRADES} upgrades: {load.answered} answered, {load.moved} moved')
