"""A handler's failure for the log: its line, and the traceback from the program's frames on.

`_callbacks.failed` calls it on the thread on which the handler has raised. Nothing here raises,
whatever the exception and the request are made of: a program may derive from both.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from slimHTTP._package import is_ours


def exc_info(
    error: BaseException,
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    """Give what `logging` makes a traceback of, None where that would raise."""
    try:
        for name in ('__cause__', '__context__', '__suppress_context__', '__class__', '__notes__'):
            getattr(error, name, None)
        return type(error), error, trim(error)
    except Exception:
        return None


def trim(error: BaseException) -> TracebackType | None:
    """Give the traceback of `error` from the first frame on that is not ours."""
    frames = error.__traceback__
    while frames is not None and is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def headline(error: BaseException, request: Any, what: str) -> str:
    """Give the log's line: the request, what failed, for whom, and how."""
    method, url = safe_getattr(request, 'method') or '?', safe_getattr(request, 'url') or '?'
    vhost = safe_getattr(request, 'vhost')
    client = safe_getattr(safe_getattr(request, 'CLIENT_IDENTITY'), 'address') or '?'
    place = f'vhost {vhost}' if vhost is not None else 'global level'
    return _one_line(
        f'{method} {url} failed in {what} ({place}, client {client}): {summary(error)}'
    )


def summary(error: BaseException) -> str:
    """Give the exception as one line: `ZeroDivisionError: division by zero`."""
    try:
        if isinstance(error, SyntaxError) and error.filename:
            where = f' ({error.filename}, line {error.lineno})'
            return _one_line(f'{type(error).__name__}: {error.msg}{where}')
        import traceback  # Here, for it imports what reads sources.

        lines = traceback.format_exception_only(type(error), error)
        return _one_line(lines[-1].strip())
    except Exception:
        return type(error).__name__


def traceback_text(error: BaseException) -> str:
    """Give the traceback as Python prints it."""
    try:
        import traceback

        report = traceback.TracebackException(type(error), error, trim(error))
        return ''.join(report.format())
    except Exception as another:
        return f'{type(error).__name__} (and telling it raised {type(another).__name__})'


def safe_getattr(thing: Any, name: str) -> Any:
    """Give an attribute, None where there is none or reading it raises."""
    try:
        return getattr(thing, name, None)
    except Exception:
        return None


def _one_line(text: str) -> str:
    """Escape what is not only shown: nobody writes lines of his own into the log."""
    if text.isprintable():
        return text
    from slimHTTP._log._escape import escaped  # Here, for few failures need it.

    return escaped(text).replace('\n', '\\n')
