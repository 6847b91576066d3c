"""The limits of docs/limits-and-timeouts.md over every protocol: the same request, the same bound."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import slimHTTP
from support import PATIENCE
from support.http2_client import Http2
from support.limits import (
    HOW_MUCH,
    HOW_SLOW,
    LARGE,
    LIMIT,
    PROTOCOLS,
    Asked,
    Limit,
    client_of,
    site_for,
    status_of,
)


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('limit', HOW_MUCH.values(), ids=HOW_MUCH)
def test_what_is_too_much_is_refused(limit: Limit, protocol: str) -> None:
    with site_for(protocol, **limit.config) as site:
        assert status_of(site, protocol, limit.within) == 200
        assert status_of(site, protocol, limit.beyond) == limit.status
        assert status_of(site, protocol, Asked()) == 200


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_c3_3_a_limit_is_changed_while_a_connection_is_open(protocol: str) -> None:
    with site_for(protocol, max_uri=100) as site:
        site.http.config['max_uri'] = 64
        if protocol == 'HTTP/2':
            with Http2(site.address[1]) as connection:
                assert connection.get('/' + 'a' * 63).status == 200
                site.http.config['max_uri'] = 100
                assert connection.get('/' + 'a' * 99).status == 200
        else:
            with client_of(site, protocol) as client:
                assert client.get('/' + 'a' * 63).status == 200
                site.http.config['max_uri'] = 100
                assert client.get('/' + 'a' * 99).status == 200


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('option', HOW_SLOW)
def test_who_is_too_slow_is_cut(option: str, protocol: str, tmp_path: Path) -> None:
    with open(tmp_path / 'large.bin', 'wb') as file:
        file.truncate(LARGE)
    key = option.partition(',')[0]
    began = time.monotonic()
    # What a late head finds in work has the grace period.
    config = {'web_root': str(tmp_path), 'grace_period': LIMIT, key: LIMIT}
    with site_for(protocol, **config) as site:
        # The file answers, not the route for everything.
        site.http.route('/large.bin')(lambda request: slimHTTP.FILE(request, 'large.bin'))
        HOW_SLOW[option](site, protocol)
    assert LIMIT <= time.monotonic() - began < 2 * PATIENCE
