"""Requests for hosts for which their connection was not made: 421, over both protocols."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import slimHTTP
from support import Serving, serving, settle, tree, wait_until
from support.http2_client import Http2
from support.issuing import Issuer, lenient_client

BOTH = ['HTTP/1.1', 'HTTP/2']


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / 'issued')


class Connection:
    """A connection of either protocol, made for a host."""

    def __init__(
        self, served: Serving, protocol: str, name: Optional[str], shown: Optional[Path] = None
    ) -> None:
        self.protocol = protocol
        context = lenient_client(shown)
        self.client: Any
        if protocol == 'HTTP/2':
            self.client = Http2(served.http.port, server_name=name, context=context)
        else:
            self.client = served.client(tls=context, server_name=name)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.__exit__(*exception)

    def get(self, host: str, path: str = '/a.txt') -> tuple[int, bytes]:
        """The status and the content for a host."""
        if self.protocol == 'HTTP/2':
            answer = self.client.get(path, authority=host)
            return answer.status, answer.body
        answer = self.client.get(path, host=host)
        return answer.status, answer.body

    def status(self, host: str, path: str = '/a.txt') -> int:
        return self.get(host, path)[0]


@contextlib.contextmanager
def hosts(folder: Path, issuer: Issuer) -> Iterator[Serving]:
    """Hosts with certificates of their own, with one for two of them, and with other demands."""
    names = ['a', 'b', 'one', 'other', 'asks', 'global', 'versions']
    tree(folder / 'www', {f'{name}/a.txt': name for name in names})
    pem = {name: str(issuer.issue(f'{name}.pem', f'{name}.example')) for name in ('a', 'b')}
    both = str(issuer.issue('both.pem', 'one.example', 'other.example'))
    whole = str(issuer.issue('whole.pem', '*.example'))
    ca = {'ca': str(issuer.authority), 'mode': 'optional'}
    own: dict[str, Any] = {
        'a': {'cert': pem['a']},
        'b': {'cert': pem['b']},
        'one': {'cert': both},
        'other': [{'cert': both}],
        'asks': {'cert': pem['a'], 'client_auth': ca},
        'versions': {'versions': '1.3'},
    }
    vhosts = {
        f'{name}.example': {'web_root': str(folder / 'www' / name), 'tls': tls}
        for name, tls in own.items()
    }
    root = str(folder / 'www' / 'global')
    with serving(mode=slimHTTP.HTTPS, cert=whole, web_root=root, vhosts=vhosts) as served:
        yield served


@pytest.fixture(scope='module')
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Those hosts, which no test changes, and whose files are kept in memory."""
    folder = tmp_path_factory.mktemp('hosts')
    with hosts(folder, Issuer(folder / 'issued')) as served:
        settle(folder / 'www')
        yield served


@pytest.fixture
def changing(tmp_path: Path, issuer: Issuer) -> Iterator[Serving]:
    """Those hosts, for one test that changes them."""
    with hosts(tmp_path, issuer) as served:
        yield served


@pytest.mark.parametrize('protocol', BOTH)
@pytest.mark.parametrize(
    ('connected', 'asked', 'status'),
    [
        ('a.example', 'a.example', 200),
        ('a.example', 'A.Example.', 200),
        # Another certificate, and this one is not for that host.
        ('a.example', 'b.example', 421),
        ('a.example', 'none.example', 421),
        ('a.example', '127.0.0.1', 421),
        # The same files.
        ('one.example', 'other.example', 200),
        ('other.example', 'one.example', 200),
        # Another certificate, which is for that host all the same.
        ('none.example', 'a.example', 200),
        (None, 'b.example', 200),
        (None, '127.0.0.1', 200),
        ('none.example', 'none.example.', 200),
        # The host itself, and what it demands of clients, whatever certificate it has.
        ('asks.example', 'asks.example', 200),
        ('asks.example', 'a.example', 421),
        ('a.example', 'asks.example', 421),
        ('none.example', 'asks.example', 421),
        (None, 'asks.example', 421),
        ('versions.example', 'none.example', 421),
    ],
)
def test_c10_2_a_request_belongs_on_a_connection_of_its_host(
    connected: Optional[str], asked: str, status: int, protocol: str, served: Serving
) -> None:
    port = served.http.port
    with Connection(served, protocol, connected) as connection:
        for host in (asked, f'{asked}:{port}', asked):
            got, content = connection.get(host)
            assert got == status, host
            assert (b'made for another host' in content) == (status == 421)
        # The connection is as good as before for what belongs on it.
        if connected is not None:
            assert connection.status(connected) == 200


def test_c10_2_a_file_that_is_in_memory_is_no_way_around(served: Serving) -> None:
    with Connection(served, 'HTTP/1.1', 'asks.example') as right:
        for _ in range(3):
            assert right.get('asks.example') == (200, b'asks')
        for name in ('a.example', 'none.example', None):
            with Connection(served, 'HTTP/1.1', name) as wrong:
                for _ in range(3):
                    assert wrong.status('asks.example') == 421
                # By a target that names the host itself.
                target = 'https://asks.example/a.txt'
                answer = wrong.client.request('GET', target, host='asks.example')
                assert answer.status == 421
            assert right.get('asks.example') == (200, b'asks')


def test_c10_2_a_request_that_names_no_host_belongs_where_the_global_level_demands_the_same(
    served: Serving,
) -> None:
    for name, status in [('a.example', b'200'), ('asks.example', b'421'), (None, b'200')]:
        with served.client(tls=lenient_client(), server_name=name) as client:
            client.send_raw(b'GET /a.txt HTTP/1.0\r\n\r\n')
            assert client.read_rest().startswith(b'HTTP/1.1 ' + status)


@pytest.mark.parametrize('protocol', BOTH)
def test_c10_2_a_proxy_that_is_trusted_may_ask_for_any_host_that_demands_the_same(
    protocol: str, changing: Serving
) -> None:
    with Connection(changing, protocol, 'a.example') as connection:
        assert connection.status('b.example') == 421
        changing.http.config['vhosts']['b.example']['trusted_proxies'] = '127.0.0.1'
        assert connection.status('b.example') == 200
        changing.http.config['trusted_proxies'] = '127.0.0.1'
        assert connection.status('none.example') == 200
        assert connection.status('asks.example') == 421


@pytest.mark.parametrize('protocol', BOTH)
def test_c10_2_what_a_host_demands_anew_holds_for_connections_that_are_open(
    protocol: str, issuer: Issuer, changing: Serving
) -> None:
    with Connection(changing, protocol, 'a.example') as connection:
        assert connection.status('a.example') == 200
        a = changing.http.config['vhosts']['a.example']
        a['tls'] = {'cert': a['tls']['cert'], 'client_auth': str(issuer.authority)}
        assert connection.status('a.example') == 421
        # No request of this host belongs there any more, so that it ends.
        if protocol == 'HTTP/2':
            connection.client.until_closed()
        else:
            connection.client.expect_close()
    ada = issuer.issue('ada.pem', 'ada')
    with Connection(changing, protocol, 'a.example', ada) as connection:
        assert connection.get('a.example') == (200, b'a')


@pytest.mark.parametrize('protocol', BOTH)
def test_c10_2_a_host_that_goes_leads_no_open_connection_behind_what_its_wildcard_demands(
    protocol: str, issuer: Issuer, changing: Serving
) -> None:
    pem = changing.http.config['vhosts']['a.example']['tls']['cert']
    demands = {
        'cert': str(issuer.issue('w.pem', '*.w.example')),
        'client_auth': str(issuer.authority),
    }
    changing.http.config['vhosts'].update(
        {'*.w.example': {'tls': demands}, 'open.w.example': {'tls': {'cert': pem}}}
    )
    with Connection(changing, protocol, 'open.w.example') as connection:
        assert connection.status('open.w.example') == 200
        del changing.http.config['vhosts']['open.w.example']
        assert connection.status('open.w.example') == 421


@pytest.mark.parametrize('protocol', BOTH)
def test_c10_2_another_certificate_for_all_hosts_disturbs_no_connection(
    protocol: str, issuer: Issuer, tmp_path: Path
) -> None:
    tree(tmp_path, {'www/a.txt': 'a'})
    one, two = (issuer.issue(f'{name}.pem', 'only.example') for name in ('one', 'two'))
    hosts = {'a.example': {}, 'b.example': {'tls': {'cert': str(one)}}}
    options = {'cert': str(one), 'web_root': str(tmp_path / 'www'), 'vhosts': hosts}
    with serving(mode=slimHTTP.HTTPS, **options) as served:
        with Connection(served, protocol, 'x.example') as connection:
            assert connection.status('x.example') == 200
            assert connection.status('a.example') == 200
            served.http.config['cert'] = str(two)
            assert connection.status('x.example') == 200
            assert connection.status('a.example') == 200
            issuer.issue('two.pem', 'renewed.example')
            wait_until(
                lambda: served.http.certificates()[0]['names'] == ['renewed.example'], 'the renewal'
            )
            assert connection.status('a.example') == 200
