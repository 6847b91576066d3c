"""What is told of an application that has not started: in the log once, and on the page of debug.

Called by `_hosting`, on the thread that has imported it or on the event loop.
"""

from __future__ import annotations

import importlib
from types import TracebackType

from slimHTTP import _log
from slimHTTP._applications._fault import ApplicationFault
from slimHTTP._debug import _failure
from slimHTTP._package import is_ours


def tell(label: str, error: BaseException, *, debug: bool) -> tuple[str, str, list[str]] | None:
    """Log once that an application has failed to start; gives the page that shows it."""
    what = f'{label} has not started'
    error.__traceback__ = _its_own(error)
    if isinstance(error, ApplicationFault):
        _log.logger.error('%s: %s', what, error)
    else:
        _log.logger.error(
            '%s: %s', what, _failure.summary(error), exc_info=_failure.exc_info(error)
        )
    if not debug:
        return None
    # Much is imported for a page, and few programs ever show one.
    from slimHTTP._debug import _traceback_page

    return _traceback_page.page(error, None, label, ())


def _its_own(error: BaseException) -> TracebackType | None:
    """Give the traceback from the first frame on that is the application's: no import of it."""
    frames = error.__traceback__
    while frames is not None:
        filename = frames.tb_frame.f_code.co_filename
        importing = filename == importlib.__file__ or filename.startswith('<frozen importlib')
        if not importing and not is_ours(filename):
            return frames
        frames = frames.tb_next
    return None
