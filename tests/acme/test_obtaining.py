"""Certificates that a server obtains by itself, from an authority that looks over real sockets."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from support import Cli, Upstream, get, says, tree, unused_port, wait_until
from support.pebble import (
    Authority,
    needs_pebble,
    secure,
    serial,
    wait_for_certificate,
)
from support.tls import lenient_tls

pytestmark = needs_pebble


def status_of(http: Any, name: str) -> dict[str, Any]:
    [found] = [known for known in http.certificates() if name in known['names']]
    return dict(found)


def test_c10_4_an_authority_is_answered_before_redirects_and_a_proxy(
    authority: Authority, tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(exchange: Any) -> None:
        asked.append(exchange.target)
        says('behind')(exchange)

    with Upstream(answer) as upstream:
        config = {
            'redirect_https': authority.tls,
            'allow': ['127.0.0.1'],
            'acme': {'challenge': 'http-01'},
            'vhosts': {'shop.example': {'proxy': upstream.name, 'tls': 'auto'}},
        }
        with authority.site(tmp_path, **config) as site:
            client = authority.client()
            wait_for_certificate(authority.tls, 'shop.example', client)
            with secure(authority.tls, 'shop.example', client) as browser:
                assert browser.get('/', host='shop.example').text == 'behind'
            plain = ('127.0.0.1', authority.http)
            redirect = get(plain, '/a', host='shop.example')
            assert redirect.status == 301
            assert redirect.headers['location'] == f'https://shop.example:{authority.tls}/a'
            # A token that nobody has presented is a target as any other.
            token = f'/.well-known/acme-challenge/{"t" * 43}'
            assert get(plain, token, host='shop.example').status == 301
            assert asked == ['/']
            known = status_of(site.http, 'shop.example')
            assert (known['state'], known['source'], known['fault']) == ('valid', 'automatic', None)
            assert known['attempts'] == 0
            assert known['next_attempt'] < known['not_after']
            assert 'Pebble' in known['issuer']


def test_c10_4_a_site_without_a_plain_listener_is_proven_over_tls(
    authority: Authority, tmp_path: Path
) -> None:
    tree(tmp_path / 'www', {'index.html': 'a page'})
    names = ['a.example', 'b.example', 'c.example']
    hosts = {
        'a.example': {'tls': {'cert': 'auto', 'names': names[1:]}},
        'd.example': {'tls': 'auto'},
    }
    config = {'web_root': str(tmp_path / 'www'), 'listen': [], 'vhosts': hosts}
    acme = {'challenge': 'tls-alpn-01', 'key_type': 'rsa2048'}
    orders = authority.orders
    with authority.site(tmp_path, acme=acme, **config) as site:
        client = authority.client()
        found = {
            name: wait_for_certificate(authority.tls, name, client)
            for name in [*names, 'd.example']
        }
        assert len(set(found.values())) == 2, 'one for three names, and one for the fourth'
        assert authority.orders - orders == 2
        with secure(authority.tls, 'b.example', client) as browser:
            assert browser.get('/', host='b.example').text == 'a page'
        assert 'RSA' in status_of(site.http, 'd.example')['key_type']


@pytest.mark.parametrize('until_issued', ['self-signed', 'refuse'])
def test_c10_4_the_site_serves_before_there_is_a_certificate(
    until_issued: str, tmp_path: Path
) -> None:
    tree(tmp_path / 'www', {'index.html': 'a page'})
    tls = {'cert': 'auto', 'until_issued': until_issued}
    config = {'web_root': str(tmp_path / 'www'), 'vhosts': {'a.example': {'tls': tls}}}
    with Authority(tmp_path / 'authority') as authority:
        client = authority.client()
        authority.stop()
        with authority.site(tmp_path, **config) as site:
            assert get(('127.0.0.1', authority.http), '/', host='a.example').text == 'a page'
            with secure(authority.tls, 'a.example', lenient_tls()) as browser:
                if until_issued == 'self-signed':
                    assert browser.get('/', host='a.example').text == 'a page'
                else:
                    with pytest.raises((ssl.SSLError, ConnectionError)):
                        browser.get('/', host='a.example')
            assert serial(authority.tls, 'a.example', client) is None
            why = wait_until(lambda: status_of(site.http, 'a.example')['fault'], 'a failure')
            assert why.startswith('the authority cannot be reached: ')
            assert status_of(site.http, 'a.example')['state'] == 'missing'


def test_c10_4_a_failure_is_told_in_one_line_as_the_authority_has_said_it(
    authority: Authority, tmp_path: Path
) -> None:
    # Nobody is where the authority looks.
    config = {
        'listen': [f'http://127.0.0.1:{unused_port()}'],
        'acme': {'challenge': 'http-01'},
        'vhosts': {'gone.example': {'tls': 'auto'}},
    }
    with authority.site(tmp_path, **config) as site:
        why = wait_until(lambda: status_of(site.http, 'gone.example')['fault'], 'a failure')
        assert why.startswith('http-01 of gone.example failed: connection: '), why
        assert '\n' not in why
        known = status_of(site.http, 'gone.example')
        assert (known['state'], known['attempts']) == ('missing', 1)
        assert known['next_attempt'] is not None


def test_c10_4_a_restart_asks_for_nothing_again(authority: Authority, tmp_path: Path) -> None:
    config = {'vhosts': {'again.example': {'tls': 'auto'}}}
    client = authority.client()
    with authority.site(tmp_path, **config):
        first = wait_for_certificate(authority.tls, 'again.example', client)
        orders = authority.orders
    for _ in range(2):
        with authority.site(tmp_path, **config) as site:
            # At once, and not after a while.
            assert serial(authority.tls, 'again.example', client) == first
            assert status_of(site.http, 'again.example')['state'] == 'valid'
            # A name that comes is asked for, and that alone.
            site.http.config['vhosts']['new.example'] = {'tls': 'auto'}
            wait_for_certificate(authority.tls, 'new.example', client)
            assert serial(authority.tls, 'again.example', client) == first
        assert authority.orders == orders + 1


def test_c10_4_two_processes_with_one_storage_ask_once(
    authority: Authority, tmp_path: Path
) -> None:
    def site(name: str, tls: int, plain: int) -> Path:
        config = {
            'listen': [f'https://127.0.0.1:{tls}', f'http://127.0.0.1:{plain}'],
            'acme': authority.options(storage=str(tmp_path / 'acme')),
            'vhosts': {'both.example': {'tls': 'auto'}},
        }
        file = tmp_path / name
        file.write_text(json.dumps(config))
        return file

    # The authority reaches one of them alone, whoever of them has ordered.
    reached = site('reached.json', authority.tls, authority.http)
    beside_tls = unused_port()
    beside = site('beside.json', beside_tls, unused_port())
    orders, client = authority.orders, authority.client()
    with Cli('run', beside) as one, Cli('run', reached) as other:
        found = {
            wait_for_certificate(port, 'both.example', client)
            for port in (beside_tls, authority.tls)
        }
        assert len(found) == 1
        assert authority.orders == orders + 1
        assert (one.stop(), other.stop()) == (0, 0)
