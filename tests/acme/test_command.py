"""`slimhttp certificates`: how certificates stand, without a server and without the network."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import DATA, Cli, is_refused, serving, tree, unused_port, wait_until
from support.issuing import Issuer
from support.pebble import Authority, needs_pebble, serial, wait_for_certificate

DAY = 86_400


def ask(folder: Path, *flags: str, python: bool = False) -> tuple[int, str, str]:
    """The status, and what is written."""
    with Cli('certificates', 'site.json', *flags, python=python, cwd=folder) as program:
        return program.wait(), program.stdout, program.stderr


def ask_json(folder: Path) -> tuple[int, list[dict[str, Any]]]:
    status, stdout, stderr = ask(folder, '--json')
    assert stderr == ''
    return status, json.loads(stdout)


def write(folder: Path, config: dict[str, Any]) -> None:
    tree(folder, {'site.json': json.dumps(config)})


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / 'issued')


@pytest.mark.parametrize('python', [False, True])
def test_certificates_in_files_are_told(python: bool, issuer: Issuer, tmp_path: Path) -> None:
    for name, seconds in [('far', 90 * DAY), ('near', 30 * DAY - 60), ('short', 6 * DAY)]:
        issuer.issue(f'{name}.pem', f'{name}.example', f'www.{name}.example', expires=seconds)
    hosts = {
        f'{name}.example': {'tls': {'cert': f'issued/{name}.pem'}}
        for name in ('far', 'near', 'short')
    }
    # A server without a certificate for others is nobody's fault.
    write(tmp_path, {'listen': ['https://127.0.0.1:8443'], 'vhosts': hosts})
    status, stdout, stderr = ask(tmp_path, python=python)
    assert (status, stderr) == (0, '')
    first, far, near, short = stdout.split('\n\n')
    assert first == 'all other hosts: no certificate, but what the server makes itself'
    when = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC'
    assert re.fullmatch(
        rf'far\.example, www\.far\.example: valid, until {when}, in 89 days\n'
        rf'  in {re.escape(str(issuer.folder))}/far\.pem\n'
        r'  issued by CN=Our CA',
        far,
    )
    assert re.match(rf'near\.example, www\.near\.example: valid, until {when}, in 29 days\n', near)
    assert re.match(rf'short\.example, www\.short\.example: valid, until {when}, in 5 days', short)


def test_a_certificate_that_ends_or_has_ended_is_a_status(issuer: Issuer, tmp_path: Path) -> None:
    soon = issuer.issue('soon.pem', 'soon.example', expires=DAY // 2)
    over = DATA / 'tls' / 'expired.pem'
    for pem, key, told in [
        (soon, soon, r'soon\.example: valid, until .* UTC, in 11 hours\n'),
        (over, over.with_suffix('.key'), r'.+: expired at .* UTC, \d+ days ago\n'),
    ]:
        write(tmp_path, {'cert': str(pem), 'key': str(key), 'port': 8443})
        status, stdout, stderr = ask(tmp_path)
        assert re.match(told, stdout), stdout
        assert (status, stderr) == (1, '')


def test_programs_are_told_in_json(issuer: Issuer, tmp_path: Path) -> None:
    pem = issuer.issue('own.pem', 'own.example', expires=90 * DAY)
    config = {
        'cert': str(pem),
        'port': 8443,
        'vhosts': {'b.example': {'tls': {'cert': str(pem)}}},
    }
    write(tmp_path, config)
    status, all_known = ask_json(tmp_path)
    assert (status, len(all_known)) == (0, 1)
    with serving(mode=2, **{**config, 'port': 0}) as served:
        [running] = served.http.certificates()
    known = all_known[0]
    assert (known.pop('days_left'), known.pop('on_demand')) == (89, False)
    for key in ('not_before', 'not_after'):
        known[key] = datetime.datetime.fromisoformat(known[key].replace('Z', '+00:00'))
    assert known == running
    assert known['vhosts'] == [None, 'b.example']


def test_a_site_without_tls_has_none(tmp_path: Path) -> None:
    write(tmp_path, {'port': 8080})
    assert ask(tmp_path) == (0, 'site.json: no TLS, so no certificates\n', '')
    assert ask_json(tmp_path) == (0, [])


def test_what_cannot_be_used_is_told_as_check_tells_it(tmp_path: Path) -> None:
    tree(tmp_path, {'own.pem': 'nothing'})
    write(tmp_path, {'cert': 'own.pem', 'port': 'none'})
    for flags in [(), ('--json',), ('--roll-over-account-key',)]:
        status, stdout, stderr = ask(tmp_path, *flags)
        assert (status, stdout) == (1, '')
        assert 'site.json:1:29: port: expected a whole number' in stderr
    write(tmp_path, {'cert': 'own.pem', 'port': 8443})
    status, stdout, stderr = ask(tmp_path)
    assert (status, stdout) == (1, '')
    assert 'site.json:1:10: cert: expected a certificate in PEM form' in stderr
    with Cli('certificates', cwd=tmp_path) as program:
        assert program.wait() == 1
        assert 'site.toml' in program.stderr


def test_an_account_that_nobody_has_keeps_its_key(issuer: Issuer, tmp_path: Path) -> None:
    pem = issuer.issue('own.pem', 'own.example')
    write(tmp_path, {'cert': str(pem), 'port': 8443})
    why = 'site.json: no certificate is obtained by the server, so there is no account\n'
    assert ask(tmp_path, '--roll-over-account-key') == (1, '', why)
    with Cli('certificates', '--json', '--roll-over-account-key', cwd=tmp_path) as program:
        assert program.wait() == 2


def site(authority: Authority, folder: Path, secure: int, plain: int, **config: Any) -> None:
    options = authority.options(**config.pop('acme', {}))
    listen = [f'https://127.0.0.1:{secure}', f'http://127.0.0.1:{plain}']
    write(folder, {'listen': listen, 'acme': options, **config})


@needs_pebble
@pytest.mark.parametrize('python', [False, True])
def test_c10_4_what_was_obtained_is_told_and_an_account_gets_another_key(
    python: bool, authority: Authority, tmp_path: Path
) -> None:
    hosts = {'told.example': {'tls': {'cert': 'auto', 'names': 'www.told.example'}}}
    site(authority, tmp_path, authority.tls, authority.http, vhosts=hosts)
    status, [_, before] = ask_json(tmp_path)
    assert (status, before['state'], before['names']) == (
        1,
        'missing',
        ['told.example', 'www.told.example'],
    )
    with Cli('run', 'site.json', cwd=tmp_path) as server:
        client = authority.client()
        number = wait_for_certificate(authority.tls, 'told.example', client)
        for _ in range(2):
            status, stdout, stderr = ask(tmp_path, python=python)
            _, told = stdout.split('\n\n')
            assert (status, stderr) == (0, '')
            assert re.fullmatch(
                r'told\.example, www\.told\.example: valid, until \S+ \S+ UTC, in \d+ days\n'
                r'  obtained by the server\n'
                r'  issued by CN=Pebble Intermediate CA \w+\n'
                r'  next attempt at \S+ \S+ UTC, in \d+ days\n',
                told,
            )
            _, [_, known] = ask_json(tmp_path)
            assert int(known['serial'], 16) == int(number, 16)
            # Whether a server runs or not.
            if server.running:
                assert server.stop() == 0
    [account] = (tmp_path / 'acme').glob('*/account/key.pem')
    key = account.read_bytes()
    said = 'site.json: the account has another key\n'
    assert ask(tmp_path, '--roll-over-account-key', python=python) == (0, said, '')
    assert account.read_bytes() != key
    # The authority knows the new one.
    hosts['more.example'] = {'tls': 'auto'}  # type: ignore[dict-item]
    site(authority, tmp_path, authority.tls, authority.http, vhosts=hosts)
    with Cli('run', 'site.json', cwd=tmp_path):
        wait_for_certificate(authority.tls, 'more.example', client)


@needs_pebble
def test_c10_4_a_failure_of_the_authority_is_told_in_one_line(
    authority: Authority, tmp_path: Path
) -> None:
    # Nobody is where the authority looks.
    config = {'acme': {'challenge': 'http-01'}, 'vhosts': {'gone.example': {'tls': 'auto'}}}
    site(authority, tmp_path, unused_port(), unused_port(), **config)
    with Cli('run', 'site.json', cwd=tmp_path) as server:
        server.wait_for('no certificate for gone.example: ')
        for _ in range(2):
            status, stdout, _ = ask(tmp_path)
            _, told = stdout.split('\n\n')
            assert status == 1
            assert re.fullmatch(
                r'gone\.example: missing\n'
                r'  to be obtained by the server\n'
                r'  1 attempt has failed: http-01 of gone\.example failed: connection: .*\n'
                r'  next attempt at \S+ \S+ UTC, in [12] minutes?\n',
                told,
            )
            _, [_, known] = ask_json(tmp_path)
            assert (known['attempts'], known['days_left']) == (1, None)
            assert known['fault'].startswith('http-01 of gone.example failed: ')
            server.kill()


@needs_pebble
def test_c10_4_what_was_obtained_on_demand_is_told_and_counts_for_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    config = {'tls': 'auto', 'acme': {'on_demand': 'shop.example'}}
    site(authority, tmp_path, authority.tls, authority.http, **config)
    with Cli('run', 'site.json', cwd=tmp_path) as server:
        wait_until(lambda: not is_refused(('127.0.0.1', authority.tls)), 'the listener')
        assert serial(authority.tls, 'shop.example', authority.client())
        assert server.stop() == 0
    status, all_known = ask_json(tmp_path)
    [known] = [known for known in all_known if known['names'] == ['shop.example']]
    assert (known['on_demand'], known['state'], known['vhosts']) == (True, 'valid', [])
    _, stdout, _ = ask(tmp_path)
    assert '\n  obtained on demand\n' in stdout
    [stored] = (tmp_path / 'acme').glob('*/certificates/shop.example')
    (stored / 'cert.pem').unlink()
    assert ask_json(tmp_path)[0] == status == 0


def test_a_storage_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    vhosts = {'a.example': {'tls': 'auto'}}
    write(tmp_path, {'listen': ['https://127.0.0.1:8443'], 'vhosts': vhosts})
    (tmp_path / 'acme').write_text('no folder')
    status, stdout, stderr = ask(tmp_path)
    assert (status, stdout) == (1, '')
    storage = re.escape(str(tmp_path / 'acme'))
    expected = rf'site\.json: the storage of `acme`, `{storage}`, cannot be read: .*\n'
    assert re.fullmatch(expected, stderr), stderr
