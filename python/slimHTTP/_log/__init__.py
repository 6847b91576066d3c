"""Logging: the logger `slimHTTP`, its levels by name, what `SLIMHTTP_LOG` or `log` says.

A library does not configure logging. The one exception is a user who sets `SLIMHTTP_LOG` or the
option `log`: who asks for a log gets to see it.

`logging` takes as long to import as all the rest of a small server. So this module does without
it, and `_log.logger` imports `_records`, and with it `logging`, when it is first used. Every part
of the package logs by `_log.logger`, on whatever thread it runs; the extension hands its records
over on threads that are in `turn()`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from slimHTTP._errors import LoggerError
from slimHTTP._package import is_ours
from slimHTTP._slimhttp import choose_log

if TYPE_CHECKING:
    from slimHTTP._log._records import logger as logger
else:

    def __getattr__(name: str) -> Any:
        """Give `logger`, imported when it is first asked for."""
        if name != 'logger':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        from slimHTTP._log._records import logger

        globals()[name] = logger
        return logger


#: The levels of `logging` by number, which is what they are.
INFO: Final = 20
WARNING: Final = 30

_LEVELS: Final = {
    'trace': 10,
    'debug': 10,
    'info': 20,
    'warn': WARNING,
    'warning': WARNING,
    'error': 40,
    'critical': 50,
    'fatal': 50,
    'off': 51,
}


def level_number(level: int | str) -> int:
    """Give the number of `level`, which is a number already or a name in any case.

    Raises LoggerError for a name that neither slimHTTP nor `logging` knows, and
    for what is neither a number nor a name.
    """
    if isinstance(level, int):
        return level
    if isinstance(level, str):
        known = _LEVELS.get(level.lower())
        if known is not None:
            return known
        import logging

        added = logging.getLevelName(level.upper())
        if isinstance(added, int):
            return added
    raise LoggerError(f'expected a log level such as `info`, found `{level}`')


#: What is printed where nobody says anything; empty for what `logging` does by itself.
_default = ''


def show_by_default() -> None:
    """Have records from INFO on printed, unless somebody says or configures something else.

    For the program `python -m slimHTTP`, which prints what the program `slimhttp` does.
    """
    global _default
    _default = 'info'


def enable() -> None:
    """Let the logger go on where `logging.config` has disabled it, for it was there before.

    Called when an application has been imported. That it did not name this logger is no wish
    that failures are told to nobody.
    """
    records = sys.modules.get('slimHTTP._log._records')
    if records is not None:
        records.logger.disabled = False


def log_record(level: int, message: str, application: str | None = None) -> None:
    """Log a record of the extension; `application` is the one whose own text it is."""
    if level < WARNING and 'logging' not in sys.modules:
        return  # Nobody has configured it, so what is less than a warning goes nowhere.
    from slimHTTP._log._records import logger

    extra = None if application is None else {'application': application}
    logger.log(level, '%s', message, extra=extra)


def configure(configured: str | None = None) -> None:
    """Configure the logger as `SLIMHTTP_LOG` says, or the option `log`: `info`, `debug,json`.

    The extension applies the filter before a record comes here, so the logger
    lets pass whatever the most talkative directive asks for. Where nobody has
    configured logging, the records go to standard error. Called when a server
    starts, when a program has had its chance to configure logging.

    Raises LoggerError for a word of `SLIMHTTP_LOG` that it does not take.
    """
    directives = os.environ.get('SLIMHTTP_LOG', '').strip() or configured or _default
    if not directives:
        if 'logging' in sys.modules:
            import importlib

            # The program may use the logger by itself, and nobody breaks out of it.
            importlib.import_module('slimHTTP._log._records')
        return
    try:
        level, as_json = choose_log(directives)
    except ValueError as error:
        raise LoggerError(f'SLIMHTTP_LOG: {error}') from None
    from slimHTTP._log import _records

    _records.logger.setLevel(level)
    _records.log_to_stderr(as_json)


#: What has been warned of, by file, line and text. A module runs anew for every
#: request, so `warnings`, which notes this in a module's names, would repeat itself.
_warned: Final[set[tuple[str, int, str]]] = set()

#: How many of them are kept.
_MAX_WARNED: Final = 1024


def warn_once(message: str) -> None:
    """Warn of what the nearest line of a program does, once for that line.

    The place goes before the message: `/srv/vhost.py, line 7: …`.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    place = (frame.f_code.co_filename, frame.f_lineno, message)
    if place in _warned:
        return
    if len(_warned) >= _MAX_WARNED:
        _warned.clear()
    _warned.add(place)
    from slimHTTP._log._records import logger

    logger.warning('%s, line %d: %s', *place)
