"""C8.2: the request that a handler gets, attribute by attribute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from support import Serving
from support.sites import ask_handler as ask
from support.sites import site_of_hosts

of = pytest.mark.parametrize


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with site_of_hosts(tmp_path_factory.mktemp('root')) as site:
        yield site


def see(site: Serving, look: Callable[[Any], Any], *args: Any, **more: Any) -> Any:
    """What `look` says of the request that `ask` makes."""
    seen: list[Any] = []

    def handler(request):
        seen.append(look(request))
        return 'seen'

    assert ask(site, handler, *args, **more).text == 'seen'
    return seen[0]


def test_c8_2_method_and_url(site: Serving) -> None:
    assert see(site, lambda request: request.method, 'DELETE') == 'DELETE'
    assert see(site, lambda request: request.url, target='/test') == '/test'
    assert see(site, lambda request: request.url, target='/test?x=y') == '/test'
    assert see(site, lambda request: request.url, target='/test/a%20b/%C3%A9') == '/test/a b/\u00e9'
    assert see(site, lambda request: type(request.url)) is str


@of(
    ('query', 'expected'),
    [
        ('', {}),
        ('?', {}),
        ('?a=b', {'a': 'b'}),
        ('?a=b&c=d', {'a': 'b', 'c': 'd'}),
        ('?Name=Ada', {'name': 'Ada'}),
        ('?a=', {'a': ''}),
        ('?a', {'a': ''}),
        ('?a=b%20c+d', {'a': 'b c d'}),
        ('?%C3%A9=%C3%A9', {'\u00e9': '\u00e9'}),
        ('?a=b=c', {'a': 'b=c'}),
        ('?a=%26&b=%3D', {'a': '&', 'b': '='}),
    ],
)
def test_c8_2_query(site: Serving, query: str, expected: dict[str, str]) -> None:
    assert see(site, lambda request: dict(request.query), target='/test' + query) == expected


@of(
    ('query', 'expected'),
    [
        ('', []),
        ('?tag=a&tag=b', [('tag', 'a'), ('tag', 'b')]),
        ('?Tag=a&n=1&tag=b&Tag=c', [('Tag', 'a'), ('Tag', 'c'), ('n', '1'), ('tag', 'b')]),
        ('?a=b%20c+d&%C3%89=%C3%A9&=x', [('a', 'b c d'), ('\u00c9', '\u00e9'), ('', 'x')]),
        ('?a=%FF', [('a', '\ufffd')]),
    ],
)
def test_c8_2_args_are_the_query_as_it_was_sent(
    site: Serving, query: str, expected: list[tuple[str, str]]
) -> None:
    assert see(site, lambda request: list(request.args.pairs()), target='/test' + query) == expected


def test_c8_2_args_are_a_mapping_of_first_values_beside_the_query(site: Serving) -> None:
    def look(request):
        args = request.args
        assert args is request.args
        assert request.query == {'tag': 'c', 'n': '7'}
        assert request.headers[b'URI_QUERY'] == {b'tag': b'c', b'n': b'7'}
        return [args['tag'], args.getlist('tag'), args.get('n', type=int), dict(args), list(args)]

    assert see(site, look, target='/test?tag=a&tag=b&n=7&Tag=c') == [
        'a', ['a', 'b'], 7, {'tag': 'a', 'n': '7', 'Tag': 'c'}, ['tag', 'n', 'Tag'],
    ]  # fmt: skip


def test_c8_2_a_missing_argument_is_the_clients_fault(site: Serving) -> None:
    response = ask(site, lambda request: request.args['b'], target='/test?B=1')
    assert response.status == 400
    assert 'the query has no field `b`' in response.text


def test_c8_2_headers_are_lower_case_bytes_with_the_three_of_old(site: Serving) -> None:
    headers = see(
        site,
        lambda request: dict(request.headers),
        'GET',
        '/test?A=b%20c',
        {'X-Mixed-Case': 'Value', 'X-Byte': '\xe9'},
    )
    assert headers[b'host'] == b'other.example'
    assert headers[b'x-mixed-case'] == b'Value'
    assert headers[b'x-byte'] == b'\xe9'
    assert headers[b'METHOD'] == b'GET'
    assert headers[b'URL'] == '/test'
    assert headers[b'URI_QUERY'] in ({b'a': b'b c'}, {b'A': b'b c'})
    assert all(
        name == name.lower() for name in headers if name not in (b'METHOD', b'URL', b'URI_QUERY')
    )


def test_c8_2_a_repeated_field_is_one_list(site: Serving) -> None:
    fields = [('X-Twice', 'one'), ('x-twice', 'two'), ('Cookie', 'a=b')]
    headers = see(site, lambda request: dict(request.headers), fields=fields)
    assert headers[b'x-twice'] == b'one, two'
    assert headers[b'cookie'] == b'a=b'


def test_c8_2_payload_and_its_older_name(site: Serving) -> None:
    data = bytes(range(256))
    assert see(site, lambda request: request.payload, 'POST', body=data) == data
    assert see(site, lambda request: request.request_payload, 'POST', body=data) == data
    assert see(site, lambda request: request.payload) == b''


def test_c8_2_data_is_parsed_when_it_is_json(site: Serving) -> None:
    body = json.dumps({'a': [1, '\u00e9', None]}).encode()
    for kind in ('application/json', 'application/json; charset=utf-8', 'Application/JSON'):
        assert see(
            site, lambda request: request.data, 'POST', fields={'Content-Type': kind}, body=body
        ) == {'a': [1, '\u00e9', None]}
    assert (
        see(
            site,
            lambda request: request.data,
            'POST',
            fields={'Content-Type': 'text/plain'},
            body=body,
        )
        == body
    )
    assert see(site, lambda request: request.data, 'POST', body=body) == body


def test_c8_2_json_that_is_none_is_no_crash_of_who_does_not_look(site: Serving) -> None:
    fields = {'Content-Type': 'application/json'}
    assert see(site, lambda request: request.payload, 'POST', fields=fields, body=b'{') == b'{'

    def handler(request):
        try:
            return f'{request.data!r}'
        except ValueError:
            return 'ValueError'

    assert ask(site, handler, 'POST', fields=fields, body=b'{').text == 'ValueError'


def test_c8_2_vhost_is_the_key_that_matched(site: Serving) -> None:
    site.http.route('/vhost', vhost='a.example')(lambda request: repr(request.vhost))
    site.http.route('/vhost', vhost='*.b.example')(lambda request: repr(request.vhost))
    site.http.route('/vhost')(lambda request: repr(request.vhost))
    assert site.get('/vhost', host='A.example:80').text == "'a.example'"
    assert site.get('/vhost', host='x.b.example').text == "'*.b.example'"
    assert site.get('/vhost', host='other.example').text == 'None'


def test_c8_2_web_root(site: Serving) -> None:
    assert see(site, lambda request: os.fspath(request.web_root)) == site.http.config['web_root']


def test_c8_2_session_storage_and_response_headers_are_dicts_of_the_request(site: Serving) -> None:
    def look(request):
        before = (dict(request.session_storage), dict(request.response_headers))
        request.session_storage['a'] = 1
        request.response_headers['X-Mine'] = 'yes'
        return before

    assert see(site, look) == ({}, {})
    assert see(site, look) == ({}, {}), 'a fresh pair for each request'


def test_c8_2_response_headers_and_ret_code_shape_the_answer(site: Serving) -> None:
    def handler(request):
        request.response_headers['X-Mine'] = 'yes'
        request.ret_code = 418
        return 'tea'

    response = ask(site, handler)
    assert (response.status, response.headers['X-Mine'], response.text) == (418, 'yes', 'tea')


def test_c8_2_ret_code_begins_at_200(site: Serving) -> None:
    assert see(site, lambda request: request.ret_code) == 200


def test_c8_2_params(site: Serving) -> None:
    site.http.route('/p/<name>/<int:n>/<path:rest>')(
        lambda request: repr(sorted(request.params.items()))
    )
    assert site.get('/p/A%20b/7/x/y').text == "[('n', 7), ('name', 'A b'), ('rest', 'x/y')]"
    assert see(site, lambda request: dict(request.params)) == {}


def test_c8_2_client_identity(site: Serving) -> None:
    def look(request):
        client = request.CLIENT_IDENTITY
        return client.address, client.source_port, client.server

    site.http.route('/test', prefix=True)(lambda request: None)
    seen: list[Any] = []
    site.http.route('/who')(lambda request: seen.append(look(request)) or 'who')
    with site.client() as client:
        assert client.get('/who').text == 'who'
        port = client.socket.getsockname()[1]
    assert seen == [('127.0.0.1', port, site.http)]


@of(
    ('additional', 'lines'),
    [
        ({}, []),
        ({'Content-Type': 'application/json'}, [b'Content-Type: application/json']),
        ({b'X-Bytes': b'value', 'X-Number': 3}, [b'X-Bytes: value', b'X-Number: 3']),
    ],
)
def test_c8_2_build_headers(site: Serving, additional: dict, lines: list[bytes]) -> None:
    def look(request):
        request.ret_code = 201
        request.response_headers['X-Own'] = 'own'
        return request.build_headers(additional)

    head = see(site, look)
    status, *fields = head.split(b'\r\n')
    assert status.startswith(b'HTTP/1.1 201 ')
    assert head.endswith(b'\r\n\r\n')
    assert b'X-Own: own' in fields
    for line in lines:
        assert line in fields


def test_c8_2_build_headers_without_arguments(site: Serving) -> None:
    assert see(site, lambda request: request.build_headers()).startswith(b'HTTP/1.1 200 OK\r\n')


def test_c8_2_ret_code_mapper_knows_the_names_of_statuses(site: Serving) -> None:
    mapper = see(site, lambda request: dict(request.ret_code_mapper))
    assert 'OK' in mapper[200]
    assert 'Not Found' in mapper[404]


def test_c8_2_locate_index_file(site: Serving) -> None:
    found = see(
        site,
        lambda request: request.locate_index_file('index.html', return_any=False),
        target='/test',
    )
    assert found == 'index.html'


def test_c8_2_a_request_is_a_slimhttp_http_request(site: Serving) -> None:
    import slimHTTP

    assert see(site, lambda request: isinstance(request, slimHTTP.HTTP_REQUEST)) is True
    assert (
        see(
            site, lambda request: isinstance(request.CLIENT_IDENTITY, slimHTTP.HTTP_CLIENT_IDENTITY)
        )
        is True
    )


def test_c8_2_programs_may_keep_things_on_a_request(site: Serving) -> None:
    def look(request):
        request.my_own = 'kept'
        return request.my_own

    assert see(site, look) == 'kept'
