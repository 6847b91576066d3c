"""C11.2: what an application speaks is found out, or said."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

import pytest
import slimHTTP
from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._applications._interface import check, interface_of


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


class Asgi:
    """As Starlette, FastAPI, Quart, Litestar, Django and falcon.asgi have it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wsgi:
    """As Flask, Django, Falcon, Bottle and Pyramid have it."""

    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any) -> Any: ...


class Endpoint:
    """A class that is an application: each call makes an instance that is awaited."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any: ...


class Iterated:
    """A class that is an application, as PEP 3333 shows one."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


class Asgi2:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


class Aio:
    def __call__(self) -> Any: ...


Aio.__module__ = 'aiohttp.web_app'


def passed_on(scope: Any, receive: Any, send: Any) -> Any:
    return asgi(scope, receive, send)


def bare(application: Any) -> Any:
    return lambda *arguments: application(*arguments)


def kept(application: Any) -> Any:
    @functools.wraps(application)
    def wrapper(*arguments: Any) -> Any:
        return application(*arguments)

    return wrapper


def configured(config: Any, environ: Any, start_response: Any) -> Any: ...


async def configured_async(config: Any, scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    ('application', 'interface'),
    [
        (asgi, 'asgi'),
        (wsgi, 'wsgi'),
        (Asgi(), 'asgi'),
        (Asgi().method, 'asgi'),
        (Wsgi(), 'wsgi'),
        (Wsgi().method, 'wsgi'),
        (Endpoint, 'asgi'),
        (Iterated, 'wsgi'),
        (passed_on, 'asgi'),
        (lambda environ, start_response: [], 'wsgi'),
        (lambda environ, start_response, name='x': [], 'wsgi'),
        (lambda environ=None, start_response=None: [], None),
        (kept(asgi), 'asgi'),
        (kept(wsgi), 'wsgi'),
        (kept(Asgi().method), 'asgi'),
        (functools.partial(configured, 1), 'wsgi'),
        (functools.partial(configured_async, 1), 'asgi'),
        (functools.partial(asgi), 'asgi'),
        (slimHTTP.asgi(bare(asgi)), 'asgi'),
        (slimHTTP.wsgi(bare(wsgi)), 'wsgi'),
        (bare(asgi), None),
    ],
)  # fmt: skip
def test_c11_2_an_interface_is_found_out(application: Any, interface: Any) -> None:
    if interface is None:
        with pytest.raises(
            ApplicationFault, match=r'does not tell how it wants to be called\n.*`interface`'
        ):
            interface_of(application)
    else:
        assert interface_of(application) == interface


async def handler(request: Any) -> None: ...


async def generator(scope: Any, receive: Any, send: Any) -> Any:
    yield


@pytest.mark.parametrize(
    ('application', 'found'),
    [
        (Asgi2, 'the class `.*Asgi2`\n  hint: it is one of ASGI 2, and becomes one of ASGI 3 by'),
        (Asgi2(None), '`.*Asgi2`, which is `async` and takes two arguments\n  hint: an ASGI 2'),
        (Asgi, r'the class `.*Asgi`\n  hint: is an instance of it meant.*`Asgi\(\)`'),
        (Wsgi, r'the class `.*Wsgi`\n  hint: is an instance of it meant.*`Wsgi\(\)`'),
        (handler, '`.*handler`, which takes one argument\n  hint: a handler of requests'),
        (
            lambda: None,
            r'`.*<lambda>`, which takes no argument\n  hint: is it a factory\? Then write `name\(\)`',
        ),
        (generator, '`.*generator`, an async generator'),
        (Aio(), '`.*Aio`, an application of aiohttp\n  hint: aiohttp is its own server'),
        (lambda a, b, c, d: None, '`.*<lambda>`, which takes 4 arguments'),
        (7, '`int`, which is not callable'),
    ],
)
def test_c11_2_what_is_no_application_is_told(
    application: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'aiohttp.web_app', types.ModuleType('aiohttp.web_app'))
    with pytest.raises(ApplicationFault, match=f'expected an ASGI 3 application.*found {found}'):
        interface_of(application)


def test_a_wrapper_is_called_as_what_it_wraps() -> None:
    def application(environ: Any, start_response: Any) -> Any:
        return [environ, start_response]

    wrapped = slimHTTP.wsgi(slimHTTP.wsgi(application))
    assert wrapped.app is application
    assert wrapped(1, 2) == [1, 2]
    assert repr(wrapped) == f'slimHTTP.wsgi({application!r})'
    with pytest.raises(TypeError, match='asgi: expected an application, found `int`'):
        slimHTTP.asgi(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('application', 'said', 'expected'),
    [
        (asgi, 'wsgi', r'^expected a WSGI application, found `.*asgi`, which is `async`'),
        (Asgi(), 'wsgi', r'^expected a WSGI application, found `.*Asgi`, which is `async`'),
        (
            wsgi,
            'asgi',
            r'^expected an ASGI 3 application, found `.*wsgi`, which takes two arguments',
        ),
        (Wsgi(), 'asgi', r'^expected an ASGI 3 application, found `.*Wsgi`, which takes two'),
    ],
)
def test_c11_2_what_is_said_and_certainly_wrong_is_a_fault(
    application: Any, said: Any, expected: str
) -> None:
    with pytest.raises(ApplicationFault, match=expected):
        check(application, said)


@pytest.mark.parametrize('application', [asgi, Asgi(), Endpoint, lambda *arguments: None])
def test_c11_2_what_may_be_asgi_is_believed(application: Any) -> None:
    check(application, 'asgi')


@pytest.mark.parametrize('application', [wsgi, Wsgi(), Iterated, lambda *arguments: None])
def test_c11_2_what_may_be_wsgi_is_believed(application: Any) -> None:
    check(application, 'wsgi')
