"""What `route()` takes, and what it says of what it does not take."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import slimHTTP
from slimHTTP._callables import is_async, name_of
from slimHTTP._routes import host_and_port, same_host


@pytest.fixture
def http() -> Iterator[slimHTTP.HTTP_SERVER]:
    server = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)
    yield server
    server.close()


def test_c8_1_a_decorated_function_is_given_back_so_that_routes_stack(
    http: slimHTTP.HTTP_SERVER,
) -> None:
    def handler(request: Any) -> str:
        return 'x'

    assert http.route('/a')(http.route('/b', methods=['get'])(handler)) is handler
    routes = http.routes[None]
    assert (routes['/a'].parser, routes['/b'].parser) == (handler, handler)
    assert routes['/a'].route == '/a'


def test_c8_1_the_same_path_again_replaces(http: slimHTTP.HTTP_SERVER) -> None:
    for handler in (len, str):
        http.route('/a')(handler)
    assert http.routes[None]['/a'].parser is str


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((print,), {}, TypeError, 'write `@http.route'),
    ((5,), {}, TypeError, 'found `5`'),
    (('hello',), {}, ValueError, 'begins with `/`, found `hello`'),
    (('/', 5), {}, TypeError, 'a host name or None, found `5`'),
    (('/',), {'methods': 'GET'}, TypeError, r"`\['GET'\]`, found `'GET'`"),
    (('/',), {'methods': []}, ValueError, 'at least one'),
    (('/',), {'methods': [5]}, TypeError, 'found `5`'),
]


@pytest.mark.parametrize(('arguments', 'keywords', 'error', 'text'), REFUSED)
def test_c8_1_what_is_no_route_is_refused(
    http: slimHTTP.HTTP_SERVER,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        http.route(*arguments, **keywords)


def test_c8_1_a_handler_that_cannot_be_called_is_refused(http: slimHTTP.HTTP_SERVER) -> None:
    with pytest.raises(TypeError, match='expected a function, found `str`'):
        http.route('/')('text')  # type: ignore[type-var]


class Sync:
    def __call__(self, request: Any) -> None: ...

    def method(self, request: Any) -> None: ...


class Async:
    async def __call__(self, request: Any) -> None: ...

    async def method(self, request: Any) -> None: ...


async def function(request: Any) -> None: ...


async def generator(request: Any) -> Any:
    yield 'x'


@pytest.mark.parametrize(
    ('handler', 'asynchronous'),
    [
        (print, False),
        (function, True),
        (generator, False),
        (functools.partial(function), True),
        (functools.partial(functools.partial(print)), False),
        (Sync(), False),
        (Async(), True),
        (Sync().method, False),
        (Async().method, True),
        (Async, False),
    ],
)
def test_c8_4_which_handlers_are_asynchronous(handler: Any, asynchronous: bool) -> None:
    assert is_async(handler) is asynchronous


def test_names_for_the_log() -> None:
    for handler, name in (
        (function, 'function'),
        (functools.partial(function), 'function'),
        (Sync(), 'Sync'),
        (Sync().method, 'Sync.method'),
    ):
        assert name_of(handler) == f'{__name__}.{name}'


@pytest.mark.parametrize(
    ('name', 'host', 'port'),
    [
        ('A.Example.', 'a.example', ''),
        ('a.example:8443', 'a.example', '8443'),
        ('[::1]:80', '::1', '80'),
        ('[::1]', '::1', ''),
        ('::1', '::1', ''),
        ('*.Example.com', '*.example.com', ''),
        ('bücher.example', 'xn--bcher-kva.example', ''),
        ('', '', ''),
    ],
)
def test_c4_1_spellings_of_a_host(name: str, host: str, port: str) -> None:
    assert host_and_port(name) == (host, port)


@pytest.mark.parametrize(
    ('one', 'other', 'same'),
    [
        (None, None, True),
        (None, 'a', False),
        ('A.example', 'a.example.', True),
        ('a.example:80', 'a.example', True),
        ('a.example:80', 'a.example:81', False),
        ('a.example', 'b.example', False),
    ],
)
def test_c4_1_same_host(one: str | None, other: str | None, same: bool) -> None:
    assert same_host(one, other) is same
    assert same_host(other, one) is same
