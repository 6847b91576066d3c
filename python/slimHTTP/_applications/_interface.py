"""What an application speaks, found out by how it wants to be called. Nothing here calls it.

ASGI 3 is called with three arguments and awaited, WSGI with two and not. Decorators, partials,
methods and objects are looked through; what tells nothing about itself is a fault that asks for
`interface`.
"""

from __future__ import annotations

import functools
import sys
from types import FunctionType, MethodType
from typing import Any, Final, Literal, Union

from slimHTTP import _callables
from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._applications._wrappers import Wrapper

Interface = Literal['asgi', 'wsgi']

#: How many arguments an application may be given by position: at least, and at most.
_Arity = tuple[int, Union[int, None]]

_EXPECTED: Final = 'an ASGI 3 application, called with `(scope, receive, send)`, or a WSGI one'
_SAY: Final = (
    "say what it speaks, by `interface` beside `app` ('asgi' or 'wsgi'), or by"
    ' `slimHTTP.asgi(…)` or `slimHTTP.wsgi(…)` around it'
)


def interface_of(application: Any) -> Interface:
    """Tell what `application` speaks.

    Raises ApplicationFault where that is neither, or cannot be told.
    """
    if isinstance(application, Wrapper):
        return application.interface
    if not callable(application):
        raise ApplicationFault(_EXPECTED, f'`{type(application).__name__}`, which is not callable')
    if isinstance(application, type):
        return _of_class(application)
    arity = _arity(application)
    if _is_coroutine_function(application):
        return _of_coroutine_function(application, arity)
    if _is_async_generator(application):
        raise ApplicationFault(
            _EXPECTED,
            f'`{_callables.name_of(application)}`, an async generator',
            'an ASGI application sends by `await send(…)`, it does not `yield`',
        )
    return _of_function(application, arity)


def check(application: Any, interface: Interface) -> None:
    """Raise ApplicationFault where `application` is certain to speak the other one.

    For what the user has said; what does not tell is believed.
    """
    if isinstance(application, type) or not callable(application):
        return
    name = _callables.name_of(application)
    is_async = _is_coroutine_function(application)
    if interface == 'wsgi' and is_async:
        found = f'`{name}`, which is `async`, as one of ASGI is'
        raise ApplicationFault('a WSGI application', found, 'is `interface` right?')
    if interface == 'asgi' and not is_async and _arity(application) == (2, 2):
        found = f'`{name}`, which takes two arguments, as one of WSGI does'
        raise ApplicationFault('an ASGI 3 application', found, 'is `interface` right?')


def _of_coroutine_function(application: Any, arity: _Arity | None) -> Interface:
    name = _callables.name_of(application)
    if arity is None or _takes(arity, 3):
        return 'asgi'
    if arity == (2, 2):
        raise ApplicationFault(
            _EXPECTED,
            f'`{name}`, which is `async` and takes two arguments',
            'an ASGI 2 application becomes one of ASGI 3 by'
            ' `asgiref.compatibility.guarantee_single_callable`; a WSGI application is not `async`',
        )
    raise ApplicationFault(_EXPECTED, *_is_handler(name, arity))


def _of_function(application: Any, arity: _Arity | None) -> Interface:
    name = _callables.name_of(application)
    # What may be left out, both leave out.
    if arity is not None and arity[0] in (2, 3):
        return 'wsgi' if arity[0] == 2 else 'asgi'
    if arity is None or _takes(arity, 2) or _takes(arity, 3):
        raise ApplicationFault(
            _EXPECTED, f'`{name}`, which does not tell how it wants to be called', _SAY
        )
    if arity[1] == 0 and _package_of(application) == 'aiohttp':
        raise ApplicationFault(
            _EXPECTED,
            f'`{name}`, an application of aiohttp',
            'aiohttp is its own server: run it beside, and name it by `proxy`',
        )
    raise ApplicationFault(_EXPECTED, *_is_handler(name, arity))


def _of_class(application: type) -> Interface:
    """Tell what a class speaks: each call makes an instance, which is the answer."""
    name = _callables.name_of(application)
    arity = _arity(application)
    if arity == (3, 3) and hasattr(application, '__await__'):
        return 'asgi'
    if arity == (2, 2) and hasattr(application, '__iter__'):
        return 'wsgi'
    if arity == (1, 1) and _is_coroutine_function(getattr(application, '__call__', None)):  # noqa: B004
        hint = (
            'it is one of ASGI 2, and becomes one of ASGI 3 by'
            ' `asgiref.compatibility.guarantee_single_callable`'
        )
    else:
        hint = f'is an instance of it meant, as a factory makes one: `{application.__name__}()`?'
    raise ApplicationFault(_EXPECTED, f'the class `{name}`', hint)


def _is_handler(name: str, arity: _Arity) -> tuple[str, str | None]:
    """Give what was found, and a hint, where something takes another number of arguments."""
    least, most = arity
    count = {0: 'no argument', 1: 'one argument'}.get(least, f'{least} arguments')
    found = f'`{name}`, which takes {count}'
    if most == 0:
        return found, 'is it a factory? Then write `name()`'
    if least == 1:
        return found, 'a handler of requests is registered by `http.route(…)`'
    return found, None


def _takes(arity: _Arity, count: int) -> bool:
    least, most = arity
    return least <= count and (most is None or count <= most)


def _arity(application: Any) -> _Arity | None:
    """Tell how many arguments a call takes by position; None where nothing is known of it.

    A decorator that has kept what it wraps (`functools.wraps`) is looked through.
    """
    import inspect

    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return None
    least = most = 0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return least, None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
    return least, most


def _is_coroutine_function(application: Any) -> bool:
    """Tell whether a call gives a coroutine, as far as the object itself says so."""
    if _callables.is_async(application):
        return True
    # What `functools.wraps` has wrapped: a plain function that gives the coroutine on.
    wrapped = getattr(application, '__wrapped__', None)
    return wrapped is not None and callable(wrapped) and _callables.is_async(wrapped)


def _is_async_generator(application: Any) -> bool:
    while isinstance(application, functools.partial):
        application = application.func
    if not isinstance(application, (FunctionType, MethodType)):
        application = getattr(type(application), '__call__', None)  # noqa: B004
    import inspect

    return inspect.isasyncgenfunction(application)


def _package_of(application: Any) -> str:
    module = sys.modules.get(type(application).__module__)
    return '' if module is None else module.__name__.partition('.')[0]
