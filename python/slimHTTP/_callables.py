"""What is known of a handler before it is called: whether it is async, its name, its place.

Asked where a function is registered, and once more where one has failed, on whatever thread
that is. Nothing here calls the function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, WrapperDescriptorType
from typing import Any, Final

#: The flag of a function's code: a call of it gives a coroutine.
_COROUTINE: Final = 0x80

#: How many decorators and partials are looked through: they may go in a circle.
_MAX_WRAPPED: Final = 32


def is_async(handler: Callable[..., Any]) -> bool:
    """Tell whether a call of `handler` gives a coroutine.

    An async generator is not meant: calling it does nothing yet.
    """
    while isinstance(handler, functools.partial):
        handler = handler.func
    return _is_coroutine_function(handler) or _is_coroutine_function(
        getattr(type(handler), '__call__', None)  # noqa: B004 - not whether, but which
    )


def _is_coroutine_function(function: Any) -> bool:
    """As `inspect.iscoroutinefunction`, which is asked about what is none of Python's own.

    To import it takes longer than all else that a small server does at its start.
    """
    if isinstance(function, MethodType):
        function = function.__func__
    if isinstance(function, FunctionType) and not hasattr(function, '_is_coroutine_marker'):
        return bool(function.__code__.co_flags & _COROUTINE)
    if function is None or isinstance(function, (type, WrapperDescriptorType, BuiltinFunctionType)):
        return False
    import inspect

    return inspect.iscoroutinefunction(function)


def name_of(handler: Callable[..., Any]) -> str:
    """Give the name by which logs call `handler`: `module.function`."""
    inner = handler
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, '__qualname__', None)
    if name is None:  # An object with `__call__`.
        inner = type(inner)
        name = inner.__qualname__
    module = getattr(inner, '__module__', None)
    return f'{module}.{name}' if module else str(name)


def code_of(handler: object) -> CodeType | None:
    """Give the code that a call of `handler` runs in the end, beneath decorators and partials."""
    for _ in range(_MAX_WRAPPED):
        if isinstance(handler, functools.partial):
            handler = handler.func
        elif (wrapped := getattr(handler, '__wrapped__', None)) is not None:
            handler = wrapped
        else:
            break
    code = getattr(handler, '__code__', None)
    if code is None:  # An object with `__call__`.
        code = getattr(getattr(type(handler), '__call__', None), '__code__', None)  # noqa: B004
    return code if isinstance(code, CodeType) else None


def place_of(handler: object) -> str:
    """Give where `handler` is written, `FILE:LINE`; '' where Python does not know."""
    code = code_of(handler)
    return '' if code is None else f'{code.co_filename}:{code.co_firstlineno}'
