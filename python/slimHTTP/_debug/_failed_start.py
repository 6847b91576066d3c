"""Why a program has not started, as the page and as the text that others are to show.

The process that has failed makes it, while it still has the exception, and the supervisor of
`--reload` hands it on; or the supervisor makes it, of what it knows of a process that is gone.
"""

from __future__ import annotations

import contextlib
import signal
from typing import Any, Final

from slimHTTP._debug import _failure, _redact, _traceback_page
from slimHTTP._debug._frames import chain_of, sources

#: How long a text may be, and a page: longer ones are shown without sources and variables.
_MAX_TEXT: Final = 64 * 1024
_MAX_PAGE: Final = 1024 * 1024

#: `summary` is a line for the log, `text` is for terminals, `page` and `policy` for browsers,
#: `sources` are the files of which an edit may mend it.
Failure = dict[str, Any]


def of_error(error: BaseException, what: str) -> Failure:
    """Tell of an exception; `what` has raised it."""
    text = _cut(_redact.redact(_failure.traceback_text(error)))
    failure = {'summary': _redact.redact(_failure.summary(error)), 'text': text}
    chain = chain_of(error)
    page = _traceback_page.page_of_start(error, what)
    if len(page) > _MAX_PAGE:
        page = _traceback_page.page_of_text(failure['summary'], text)
    named = sources(chain)
    if isinstance(error, SyntaxError) and isinstance(error.filename, str):
        named.append(error.filename)
    return {**failure, 'page': page, 'policy': _traceback_page.POLICY, 'sources': named}


def of_text(text: str) -> Failure:
    """Tell of what is wrong with arguments or a file, which says so itself."""
    text = _cut(text)
    lines = [line for line in text.splitlines() if line.strip()]
    summary = lines[0] if lines else 'it does not say why'
    page = _traceback_page.page_of_text(summary, text)
    return {'summary': summary, 'text': text, 'page': page, 'policy': _traceback_page.POLICY}


def of_exit(status: int, when: str) -> Failure:
    """Tell of a process that has ended with `status`."""
    how = f'status {status}'
    if status > 128:
        with contextlib.suppress(ValueError):
            how = signal.Signals(status - 128).name
    return of_text(f'the process ended with {how} {when}\n')


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f'{text[:_MAX_TEXT]} …\n'
