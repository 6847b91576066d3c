"""The page that a browser is shown with `debug` when a handler has failed.

It needs nothing but itself: its style and its script stand in it, and its policy names them by
their digests, so that nothing else runs on it, whatever the exception, the request and the
sources hold. All of that is escaped besides. `_callbacks.failed` imports this module when the
first page is made, and calls `page` on the thread of the handler; the extension sends it.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from slimHTTP._debug import _failure, _redact, _safe_repr
from slimHTTP._debug._failure import safe_getattr
from slimHTTP._debug._frames import Frame, Line, Raised, chain_of, sources
from slimHTTP._debug._redact import MASK
from slimHTTP._slimhttp import version

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2024; --soft: #60646c; --line: #d9d9e0;
  --back: #fcfcfd; --box: #f0f0f3; --bad: #ce2c31; --mark: #fdbdbe; --row: #feebec; --own: #0d74ce }
@media (prefers-color-scheme: dark) { :root { --text: #edeef0; --soft: #b0b4ba; --line: #43484e;
  --back: #111113; --box: #1d1f22; --bad: #ff9592; --mark: #8c333a; --row: #3b1219;
  --own: #70b8ff } }
* { box-sizing: border-box }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
header { border-left: .3rem solid var(--bad); padding-left: 1rem; margin-bottom: 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere;
  white-space: pre-wrap }
h1 em { color: var(--bad); font-style: normal }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0; overflow-wrap: anywhere }
.soft { color: var(--soft) }
code, pre, td { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .875rem }
code { overflow-wrap: anywhere }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; overflow: hidden }
summary { cursor: pointer; padding: .4rem .8rem; overflow-wrap: anywhere }
summary:hover { background: var(--box) }
.own > summary code:first-of-type { color: var(--own); font-weight: 600 }
.lib > summary { color: var(--soft) }
pre { margin: 0; overflow-x: auto; tab-size: 4 }
pre.source { background: var(--box); padding: .4rem 0 }
pre.source span { display: block; padding: 0 .8rem; min-width: max-content }
pre.source small { font-size: inherit; color: var(--soft); user-select: none }
pre.source .here { background: var(--row) }
pre.source mark { background: var(--mark); color: inherit; border-radius: .15rem }
pre.text { padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
details details { border-width: 1px 0 0; border-radius: 0; margin: 0 }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .25rem .8rem .25rem 0; vertical-align: top;
  overflow-wrap: anywhere; white-space: pre-wrap }
td:first-child { color: var(--soft); width: 12rem; white-space: normal }
details td:first-child { padding-left: .8rem }
section { border-left: 2px solid var(--line); padding-left: .8rem; margin: .6rem 0 }
button { font: inherit; font-size: .875rem; color: inherit; background: var(--box); cursor: pointer;
  border: 1px solid var(--line); border-radius: .4rem; padding: .2rem .8rem; margin-top: .8rem }
@media (max-width: 36rem) { body { padding-top: 1rem } h1 { font-size: 1.2rem }
  td:first-child { width: 7rem } }
@media print { button { display: none } }
"""

_SCRIPT: Final = """
document.querySelector('button').addEventListener('click', async event => {
  const text = document.querySelector('#text');
  try {
    await navigator.clipboard.writeText(text.textContent);
    event.target.textContent = 'Copied';
  } catch {
    text.closest('details').open = true;
    getSelection().selectAllChildren(text);
    event.target.textContent = 'Selected: copy it';
  }
});
"""


#: How many places of one exception are shown at once.
_MAX_OPEN: Final = 6


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


#: The policy of the page.
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    f"style-src 'sha256-{_digest(_STYLE)}'; script-src 'sha256-{_digest(_SCRIPT)}'"
)


def page(
    error: BaseException, request: Any, what: str, resolution: Iterable[str]
) -> tuple[str, str, list[str]]:
    """Give the page, its policy, and the files that a person may edit to mend it.

    `what` failed on `request`, or with None in place of one before any: an application that
    does not start. `resolution` says, line by line, by which part of the configuration or by
    which registration it was asked.
    """
    asked, facts, otherwise = '', '', '503'
    if request is not None:
        asked = f'{_text(safe_getattr(request, "method"))} {_target(request)}'
        facts, otherwise = f'<h2>The request</h2>\n{_request(request)}', '500'
    steps = ''.join(f'<p class="soft">{_with_code(step)}</p>\n' for step in resolution)
    head = (
        f'<p><code>{escape(asked or "at the start")}</code></p>\n'
        f'<p class="soft">in {_with_code(what)}</p>\n{steps}'
    )
    traceback = _redact.redact(_failure.traceback_text(error))
    chain = chain_of(error)
    html = _document(
        _redact.redact(_failure.summary(error)),
        chain[-1].message,
        head,
        f'{"".join(_chain(chain))}{facts}',
        f'{asked}\n{what}\n{_versions()}\n\n{traceback}'.lstrip('\n'),
        'You see this page because <code>debug</code> is on; without it, a client gets a plain'
        f' {otherwise}. What is called a secret is masked.',
    )
    return html, POLICY, sources(chain)


#: What stands at the end of the page of a program that has not started.
_ON_EDIT: Final = 'An edit that mends it starts the program, and loads this page anew.'


def page_of_start(error: BaseException, what: str) -> str:
    """Give the page of a program that has not started, for `what` has raised `error`."""
    chain = chain_of(error)
    return _document(
        _redact.redact(_failure.summary(error)),
        chain[-1].message,
        f'<p class="soft">in {_with_code(what)}: the program has not started</p>\n',
        ''.join(_chain(chain)),
        f'{what}\n{_versions()}\n\n{_redact.redact(_failure.traceback_text(error))}',
        f'{_ON_EDIT} What is called a secret is masked.',
    )


def page_of_text(summary: str, text: str) -> str:
    """Give the page of a program that has not started, and has said `text` about it."""
    return _document(
        summary,
        summary,
        '<p class="soft">the program does not run</p>\n',
        f'<pre class="text">{escape(text)}</pre>\n',
        f'{_versions()}\n\n{text}',
        _ON_EDIT,
    )


def _document(title: str, message: str, head: str, body: str, as_text: str, note: str) -> str:
    """Give a page. `head`, `body` and `note` are HTML, all else is text."""
    name, colon, rest = message.partition(':')
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title[:200])}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<style>{_STYLE}</style></head><body>\n'
        f'<header><h1><em>{escape(name)}</em>{colon}{escape(rest)}</h1>\n{head}'
        '<button type="button">Copy as text</button></header>\n'
        f'{body}<h2>Versions</h2>\n<p class="soft">{escape(_versions())}</p>\n'
        f'<details><summary>As text</summary><pre class="text" id="text">{escape(as_text)}</pre>'
        '</details>\n'
        f'<p class="soft">{note}</p>\n'
        f'<script>{_SCRIPT}</script></body></html>\n'
    )
    # A name of a file may hold what no text may.
    return html.encode('utf-8', 'replace').decode()


def _chain(chain: list[Raised]) -> Iterator[str]:
    """Give a chain as HTML, the first exception first, as Python prints it."""
    for raised in chain:
        if len(chain) > 1:
            yield f'<h2>{escape(raised.message)}</h2>\n'
        frames = raised.frames
        # The places of the program's own; of many, the innermost.
        own = [position for position, frame in enumerate(frames) if frame.own]
        opened = {*own[-_MAX_OPEN:]} or {len(frames) - 1}
        for position, frame in enumerate(frames):
            if raised.left_out and position == raised.outer:
                yield f'<p class="soft">… {raised.left_out} more frames …</p>\n'
            yield _frame(frame, ' open' if position in opened else '')
        for member in raised.members:
            yield f'<section>{"".join(_member(member))}</section>\n'
        if raised.relation:
            yield f'<p>{escape(raised.relation)}</p>\n'


def _member(chain: list[Raised]) -> Iterator[str]:
    """Give a member of an exception group as HTML."""
    if len(chain) == 1:
        yield f'<h2>{escape(chain[0].message)}</h2>\n'
    yield from _chain(chain)


def _frame(frame: Frame, opened: str) -> str:
    named = f'<code>{escape(frame.function)}</code> in ' if frame.function else ''
    names = ''
    if frame.names:
        rows = _rows(frame.names)
        names = f'<details><summary>Variables ({len(frame.names)})</summary>{rows}</details>'
    return (
        f'<details class="{"own" if frame.own else "lib"}"{opened}><summary>{named}'
        f'<code>{escape(frame.filename)}</code>, line {frame.line}</summary>\n'
        f'<pre class="source">{"".join(_lines(frame.source))}</pre>{names}</details>\n'
    )


def _lines(lines: list[Line]) -> Iterator[str]:
    if not lines:
        yield '<span>(the source is not there)</span>'
        return
    width = len(str(lines[-1].number))
    for line in lines:
        text = escape(line.text)
        if line.marked is not None:
            first, behind = line.marked
            parts = line.text[:first], line.text[first:behind], line.text[behind:]
            before, marked, after = map(escape, parts)
            text = f'{before}<mark>{marked}</mark>{after}'
        here = ' class="here"' if line.here else ''
        yield f'<span{here}><small>{line.number:>{width}}  </small>{text or " "}</span>'


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    body = ''.join(
        f'<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>\n' for name, value in rows
    )
    return f'<table>{body}</table>\n'


def _request(request: Any) -> str:
    headers = safe_getattr(request, 'headers')
    fields = headers.items() if type(headers) is dict else ()
    # `METHOD`, `URL` and `URI_QUERY` are no fields.
    listed = [(name, value) for name, value in fields if type(name) is bytes and name.islower()]
    query, params = safe_getattr(request, 'query'), safe_getattr(request, 'params')
    rows = [('url', f'{_text(safe_getattr(request, "method"))} {_target(request)}')]
    for title, pairs in (('query', query), ('params', params)):
        if type(pairs) is dict:
            rows.extend(
                (f'{title} {_text(name)}', _masked(name, one)) for name, one in pairs.items()
            )
    payload = safe_getattr(request, 'payload')
    if type(payload) is bytes and payload:
        rows.append(('content', f'{len(payload)} bytes'))
    for name in ('vhost', 'web_root'):
        rows.append((name, _text(safe_getattr(request, name))))
    rows.append(
        ('client', _text(safe_getattr(safe_getattr(request, 'CLIENT_IDENTITY'), 'address')))
    )
    facts = _rows((name, value) for name, value in rows if value)
    pairs = [(name.decode('latin-1'), _masked(name, value)) for name, value in listed]
    return (
        f'{facts}<details><summary>Header fields ({len(pairs)})</summary>{_rows(pairs)}</details>\n'
    )


def _target(request: Any) -> str:
    """Give the path and the query, as they were asked for, secrets masked."""
    path, query = _path(request), safe_getattr(request, 'query')
    if type(query) is not dict or not query:
        return path
    quote = urllib.parse.quote
    pairs = (
        f'{quote(_text(name))}={value if (value := _masked(name, one)) == MASK else quote(value)}'
        for name, one in query.items()
    )
    return f'{path}?{"&".join(pairs)}'


def _masked(name: object, value: object) -> str:
    return MASK if _redact.is_secret_of_client(name) else _redact.redact(_text(value))


def _path(request: Any) -> str:
    try:
        return _text(_safe_repr.path_of(request))
    except Exception:  # A request may be anything that a program makes of it.
        return _text(safe_getattr(request, 'url'))


def _text(value: object) -> str:
    if type(value) is bytes:
        value = value.decode('utf-8', 'backslashreplace')
    if value is None:
        return ''
    text = value if type(value) is str else _safe_repr.safe_repr(value)
    return text if len(text) <= 2000 else text[:2000] + ' …'


def _with_code(text: str) -> str:
    """Give text as HTML; what stands between backticks is code."""
    parts = escape(text).split('`')
    if len(parts) % 2 == 0:
        return '`'.join(parts)
    return ''.join(f'<code>{part}</code>' if odd % 2 else part for odd, part in enumerate(parts))


def _versions() -> str:
    return (
        f'slimHTTP {version()}, {platform.python_implementation()} {platform.python_version()}'
        f' on {platform.system()} {platform.machine()}, {sys.executable or "embedded"}'
    )
