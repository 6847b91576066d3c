"""C9: the interface of slimHTTP 1.0, name by name, as a program meets it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import slimHTTP
from support import REPOSITORY, Log, Serving, serving, tree

of = pytest.mark.parametrize
DOCUMENT = REPOSITORY / 'docs' / 'compatibility.md'

MODULE = re.findall(r'\w+', """
HTTP HTTPS server host instances HTTP_SERVER HTTPS_SERVER HTTP_RESPONSE HTTP_REQUEST
HTTP_PROXY_REQUEST HTTP_CLIENT_IDENTITY ROUTE_HANDLER FILE STREAM_CHUNKED Imported VirtualStorage
CertManager Events drop_privileges slimHTTP_Error ConfError ModuleError NotYetImplemented
UpgradeIssue InvalidFrame LoggerError
""")  # fmt: skip
INSTANCE = re.findall(r'\w+', """
config sockets routes methods configuration route GET REQUESTED_METHOD allow on_accept
on_accept_func on_close on_close_func on_upgrade on_upgrade_func process_new_client unregister poll
run log debug is_debuggable check_config default_config
""")  # fmt: skip

#: What a request to `/page?Name=A%20b&raw=%ff` with this content says, by name.
BODY = b'{"a": [1, null]}'
REQUEST: dict[str, Callable[[Any], bool]] = {
    'method': lambda it: it == 'PUT',
    'url': lambda it: it == '/page',
    'headers': lambda it: it[b'x-mixed'] == b'Value' and it[b'METHOD'] == b'PUT',
    'query': lambda it: it == {'name': 'A b', 'raw': '\ufffd'},
    'payload': lambda it: it == BODY,
    'request_payload': lambda it: it == BODY,
    'data': lambda it: it == {'a': [1, None]},
    'vhost': lambda it: it == 'a.example',
    'web_root': lambda it: it.endswith('/public'),
    'ret_code': lambda it: it == 200,
    'ret_code_mapper': lambda it: it[307].startswith('HTTP/1.1 307 Temporary Redirect'),
    'response_headers': lambda it: it == {},
    'session_storage': lambda it: it == {},
    'build_headers': lambda it: it({'A': 'b'}) == b'HTTP/1.1 200 OK\r\nA: b\r\n\r\n',
}
IDENTITY: dict[str, Callable[[Any], bool]] = {
    'server': lambda it: isinstance(it, slimHTTP.HTTP_SERVER),
    'socket': lambda it: isinstance(it, slimHTTP.CLIENT_SOCKET),
    'fileno': lambda it: isinstance(it, int) and it >= 0,
    'address': lambda it: it == '127.0.0.1',
    'source_port': lambda it: 0 < it < 65536,
    'keep_alive': lambda it: it is True,
    'closing': lambda it: it is False,
    'buffer': lambda it: it == b'',
    'buffer_size': lambda it: it == 8192,
    'request': lambda it: it.url == '/page',
    'poll': lambda it: it() == it(timeout=0.2) == it(0.2, force_recieve=False) == [],
    'has_data': lambda it: it() is False,
    'on_close': lambda it: it is None,
}


def test_what_is_public_is_of_the_package_wherever_it_stands() -> None:
    # By this name it is pickled, and shown.
    elsewhere = {
        name: thing.__module__
        for name in slimHTTP.__all__
        if callable(thing := getattr(slimHTTP, name)) and thing.__module__ != 'slimHTTP'
    }
    assert elsewhere == {}
    assert repr(slimHTTP.HTTP_RESPONSE) == "<class 'slimHTTP.HTTP_RESPONSE'>"


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tree(tmp_path_factory.mktemp('site'), {'public': {'index.html': 'i', 'b.html': 'b'}})
    with serving(web_root=str(folder / 'public'), vhosts={'a.example': {}}) as site:
        yield site


def see(site: Serving, look: Callable[[Any], Any]) -> Any:
    """What `look` says of the request that is described above."""
    seen: list[Any] = []
    site.http.route('/page', vhost='a.example')(
        lambda request: seen.append(look(request)) or 'seen'
    )
    fields = {'Content-Type': 'application/json', 'X-Mixed': 'Value'}
    with site.client() as client:
        target = '/page?Name=A%20b&raw=%ff'
        assert client.request('PUT', target, fields, BODY, 'a.example').text == 'seen'
    return seen[0]


def test_c9_every_name_of_the_module_is_there_and_documented() -> None:
    document = DOCUMENT.read_text()
    for name in MODULE:
        thing = getattr(slimHTTP, name)
        assert isinstance(thing, int) or inspect.getdoc(thing), name
        assert re.search(rf'\b{name}\b', document), name


def test_c9_every_name_of_an_instance_is_there_and_documented(site: Serving) -> None:
    document = DOCUMENT.read_text()
    for name in INSTANCE:
        assert hasattr(site.http, name), name
        assert inspect.getdoc(getattr(slimHTTP.HTTP_SERVER, name)), name
        assert re.search(rf'\b{name}\b', document), name


@of('name', REQUEST)
def test_c9_what_a_request_says(site: Serving, name: str) -> None:
    assert see(site, lambda request: REQUEST[name](getattr(request, name))) is True


def test_c9_the_url_and_the_query_among_the_headers(site: Serving) -> None:
    headers = see(site, lambda request: request.headers)
    assert headers[b'URL'] == '/page'
    assert headers[b'URI_QUERY'] == {b'name': b'A b', b'raw': b'\xff'}


@of('name', IDENTITY)
def test_c9_what_an_identity_says(site: Serving, name: str) -> None:
    site.http.on_close_func = lambda identity: None  # So connections have to do with hooks.
    try:
        look = lambda request: IDENTITY[name](getattr(request.CLIENT_IDENTITY, name))  # noqa: E731
        assert see(site, look) is True
    finally:
        site.http.on_close_func = None


@of(
    ('asked', 'given'),
    [
        (('index.html',), 'index.html'),
        ((['none.html', 'b.html', 'index.html'],), 'b.html'),
        ((('none.html', 'nor.html'),), 'none.html'),
        (('none.html', False), None),
        ((['none.html', 'index.html'], False), 'index.html'),
    ],
)
def test_c9_an_index_is_found_under_web_root(site: Serving, asked: Any, given: Any) -> None:
    assert see(site, lambda request: request.locate_index_file(*asked)) == given


def test_c9_exceptions_are_no_more_than_exceptions() -> None:
    assert slimHTTP.slimHTTP_Error.__mro__[1] is Exception


def test_c9_routes_are_a_copy(site: Serving) -> None:
    site.http.route('/kept')(lambda request: 'kept')
    routes = site.http.routes[None]
    route = routes.pop('/kept')
    assert (route.route, callable(route.parser)) == ('/kept', True)
    assert site.get('/kept').text == 'kept'


@of('status', [100, 101, 199, 600, 999])
def test_c8_3_a_status_that_is_no_last_answer_is_500(site: Serving, status: int) -> None:
    site.http.route('/status')(lambda request: slimHTTP.HTTP_RESPONSE(ret_code=status))
    with Log() as log:
        assert site.get('/status').status == 500
        log.wait_for(f'{status}')
