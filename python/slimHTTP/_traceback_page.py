"""A handler's failure, told to the log in text and, with `debug`, to the browser.

Neither ever raises, whatever the exception and the request are made of. All
that comes from outside is escaped: for HTML on the page, for lines in the log.
"""

from __future__ import annotations

import linecache
import os
import traceback
from collections.abc import Iterator
from html import escape
from types import TracebackType
from typing import Any, Final

_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep

#: How many source lines are shown on each side of the one that failed.
_AROUND: Final = 4

#: How many frames of one traceback are shown: the outermost and the innermost.
_OUTER, _INNER = 10, 40

_STYLE: Final = """
:root { color-scheme: light dark; --soft: #8884; --mark: #e5484d33; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere } h2 { font-size: 1rem }
pre, code, td { font-family: ui-monospace, monospace; font-size: .875rem }
pre { overflow-x: auto; background: #8881; padding: .5rem 0; border-radius: .4rem; margin: .5rem 0 }
pre.text { padding: .5rem 1rem }
pre span { display: block; padding: 0 1rem; min-width: max-content; white-space: pre }
pre span.here { background: var(--mark); font-weight: 600 }
summary { cursor: pointer; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--soft); padding: .2rem .6rem .2rem 0; vertical-align: top;
overflow-wrap: anywhere }
p.soft { opacity: .75 }
"""


def trim(error: BaseException) -> TracebackType | None:
    """Give the traceback of `error` from the first frame on that is not ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frames = frames.tb_next
    return frames


def headline(error: BaseException, request: Any, what: str) -> str:
    """Give the log's line: the request, what failed, for whom, and how."""
    method, url = _read(request, 'method') or '?', _read(request, 'url') or '?'
    vhost = _read(request, 'vhost')
    client = _read(_read(request, 'CLIENT_IDENTITY'), 'address') or '?'
    place = f'vhost {vhost}' if vhost is not None else 'global level'
    return _one_line(f'{method} {url} failed in {what} ({place}, client {client}): {_last(error)}')


def page(error: BaseException, request: Any, what: str) -> str:
    """Give the whole HTML page that tells everything."""
    try:
        told = traceback.TracebackException(type(error), error, trim(error))
        chain = ''.join(_chain(told))
        text = ''.join(told.format())
    except Exception as another:  # An exception that cannot be looked at.
        chain, text = '', f'{type(error).__name__} (and telling it raised {another!r})'
    title = escape(_last(error))
    return (
        '<!DOCTYPE html>\n'
        '<html lang="en"><head><meta charset="utf-8"><title>'
        f'{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<style>{_STYLE}</style></head><body>\n'
        f'<h1>{title}</h1>\n'
        f'<p class="soft">in <code>{escape(what)}</code></p>\n'
        f'{chain}'
        f'<h2>The request</h2>\n{_request(request)}'
        f'<details><summary>As text</summary><pre class="text">{escape(text)}</pre></details>\n'
        '<p class="soft">You see this page because <code>debug</code> is on;'
        ' without it, a client gets a plain 500.</p>\n'
        '</body></html>\n'
    )


def _chain(told: traceback.TracebackException) -> Iterator[str]:
    """Tell an exception and what led to it, the first one first, as Python does."""
    seen: list[tuple[str, traceback.TracebackException]] = [('', told)]
    while True:
        latest = seen[-1][1]
        if latest.__cause__ is not None:
            seen.append(('which was the direct cause of', latest.__cause__))
        elif latest.__context__ is not None and not latest.__suppress_context__:
            seen.append(('and while that was handled,', latest.__context__))
        else:
            break
    for relation, one in reversed(seen):
        last = ''.join(one.format_exception_only())
        if len(seen) > 1 or '\n' in last.strip():
            yield f'<pre class="text">{escape(last)}</pre>\n'
        yield from _frames(one.stack)
        yield from _unparsed(one)
        if relation:
            yield f'<p>{relation}</p>\n'


def _frames(stack: traceback.StackSummary) -> Iterator[str]:
    left_out = len(stack) - _OUTER - _INNER
    for position, frame in enumerate(stack):
        if left_out > 0 and _OUTER <= position < _OUTER + left_out:
            if position == _OUTER:
                yield f'<p class="soft">… {left_out} more frames …</p>\n'
            continue
        opened = ' open' if position == len(stack) - 1 else ''
        yield (
            f'<details{opened}><summary><code>{escape(frame.name)}</code> in '
            f'<code>{escape(frame.filename)}</code>, line {frame.lineno}</summary>\n'
            f'<pre>{_source(frame.filename, frame.lineno or 0)}</pre></details>\n'
        )


def _unparsed(told: traceback.TracebackException) -> Iterator[str]:
    """Tell the place of a `SyntaxError`, which no frame has: nothing ran."""
    filename, line = getattr(told, 'filename', None), getattr(told, 'lineno', None)
    if filename and line:
        yield (
            f'<details open><summary><code>{escape(filename)}</code>, line {line}</summary>\n'
            f'<pre>{_source(filename, int(line))}</pre></details>\n'
        )


def _source(filename: str, failed: int) -> str:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    first = max(failed - _AROUND, 1)
    shown = lines[first - 1 : failed + _AROUND]
    if not shown:
        return '<span>(the source is not there)</span>'
    width = len(str(first + len(shown)))
    return ''.join(
        f'<span{" class=here" if number == failed else ""}>'
        f'{number:>{width}}  {escape(line.rstrip()) or " "}</span>'
        for number, line in enumerate(shown, first)
    )


def _request(request: Any) -> str:
    rows: list[tuple[str, Any]] = [
        (name, _read(request, name)) for name in ('method', 'url', 'query', 'vhost', 'web_root')
    ]
    client = _read(request, 'CLIENT_IDENTITY')
    rows.append(('client', _read(client, 'address')))
    headers = _read(request, 'headers')
    if isinstance(headers, dict):
        rows.extend(
            (name.decode('latin-1'), value)
            for name, value in headers.items()
            # `METHOD`, `URL` and `URI_QUERY` stand above already.
            if isinstance(name, bytes) and name.islower()
        )
    told = ''.join(
        f'<tr><td>{escape(name)}</td><td>{escape(_text(value))}</td></tr>\n' for name, value in rows
    )
    return f'<table>{told}</table>\n'


def _last(error: BaseException) -> str:
    """Give the exception as one line: `ZeroDivisionError: division by zero`."""
    try:
        if isinstance(error, SyntaxError) and error.filename:
            where = f' ({error.filename}, line {error.lineno})'
            return _one_line(f'{type(error).__name__}: {error.msg}{where}')
        lines = traceback.format_exception_only(type(error), error)
        return _one_line(lines[-1].strip())
    except Exception:
        return type(error).__name__


def _read(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:
        return None


def _text(value: Any) -> str:
    try:
        if isinstance(value, bytes):
            return value.decode('utf-8', 'backslashreplace')
        return '' if value is None else str(value)
    except Exception:
        return f'<{type(value).__name__}>'


def _one_line(text: str) -> str:
    """Escape what is not printable: nobody writes lines of his own into the log."""
    if text.isprintable():
        return text
    return ''.join(
        char if char.isprintable() else char.encode('unicode_escape').decode('ascii')
        for char in text
    )
