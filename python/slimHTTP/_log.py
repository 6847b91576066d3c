"""The logger `slimHTTP`: levels by name, and what `SLIMHTTP_LOG` or `log` says.

A library does not configure logging. The one exception is a user who sets
`SLIMHTTP_LOG` or the option `log`: who asks for a log gets to see it.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any, Final

from slimHTTP._errors import LoggerError
from slimHTTP._slimhttp import choose_log

logger: Final = logging.getLogger('slimHTTP')


def contained(text: str) -> str:
    """Give text of which nobody can break out, whatever a client has put into it.

    What is not printable is escaped: a terminal takes no orders from a log. Lines after
    the first one are indented, so that none of them begins a record.
    """
    if text.isprintable():
        return text
    head, *rest = map(_escaped, text.split('\n'))
    return '\n'.join([head, *(line if line.startswith('  ') else f'  {line}' for line in rest)])


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return ''.join(
        char
        if char.isprintable() or char == '\t'
        else char.encode('unicode_escape').decode('ascii')
        for char in line
    )


class _Containing:
    """Makes every record of the logger one of which nobody can break out."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite what cannot stand as it is; let everything pass."""
        try:
            message = record.getMessage()
            if not message.isprintable():
                record.msg, record.args = contained(message), ()
            if record.exc_info and not record.exc_text:
                # Formatters take this before they make their own.
                lines = _plain.formatException(record.exc_info).split('\n')
                record.exc_text = '\n'.join(f'  {_escaped(line)}' for line in lines)
        except Exception:
            # Whoever prints it reports what is wrong with it, as ever.
            return True
        return True


_plain: Final = logging.Formatter()
logger.addFilter(_Containing())

_LEVELS: Final = {
    'trace': logging.DEBUG,
    'debug': logging.DEBUG,
    'info': logging.INFO,
    'warn': logging.WARNING,
    'warning': logging.WARNING,
    'error': logging.ERROR,
    'critical': logging.CRITICAL,
    'fatal': logging.CRITICAL,
    'off': logging.CRITICAL + 1,
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
        added = logging.getLevelName(level.upper())
        if isinstance(added, int):
            return added
    raise LoggerError(f'expected a log level such as `info`, found `{level}`')


#: What a record has by itself: `logging` lets nobody else set it.
_OF_RECORDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {'message', 'asctime'}


def log(level: int, args: Iterable[object], fields: dict[str, Any]) -> None:
    """Log what a program says, from the line that called our caller."""
    if not logger.isEnabledFor(level):
        return
    known = {name: fields.pop(name) for name in ('exc_info', 'stack_info') if name in fields}
    words = [*map(str, args), *(f'{name}={value}' for name, value in fields.items())]
    extra = {name: value for name, value in fields.items() if name not in _OF_RECORDS}
    logger.log(level, '%s', ' '.join(words), stacklevel=3, extra=extra, **known)


def follow_wish(configured: str | None = None) -> None:
    """Do what `SLIMHTTP_LOG` says, or else the option `log`: `info`, `json`, `debug,json`.

    The extension applies the filter before a record comes here, so the logger
    lets pass whatever the most talkative directive asks for. Where nobody has
    configured logging, the records go to standard error. Called when a server
    starts, when a program has had its chance to configure logging.

    Raises LoggerError for a word of `SLIMHTTP_LOG` that it does not take.
    """
    wish = os.environ.get('SLIMHTTP_LOG', '').strip() or configured
    if not wish:
        return
    try:
        level, as_json = choose_log(wish)
    except ValueError as error:
        raise LoggerError(f'SLIMHTTP_LOG: {error}') from None
    logger.setLevel(level)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        plain = logging.Formatter('%(asctime)s %(levelname)-7s %(message)s')
        handler.setFormatter(JsonLines() if as_json else plain)
        logger.addHandler(handler)


class JsonLines(logging.Formatter):
    """A record as a JSON object on a line, with the names of the access log."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        level = 'warn' if record.levelno == logging.WARNING else record.levelname.lower()
        line = {
            'ts': f'{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z',
            'level': level,
            'target': record.name,
            'message': record.getMessage(),
        }
        if record.exc_info:
            line['exception'] = self.formatException(record.exc_info)
        return json.dumps(line)


#: Our files, whose frames are nobody's place.
_PACKAGE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep

#: What has been warned of, by file, line and text. A module runs anew for every
#: request, so `warnings`, which notes this in a module's names, would repeat itself.
_warned: Final[set[tuple[str, int, str]]] = set()

#: How many of them are kept.
_MOST_WARNED: Final = 1024


def warn_once(message: str) -> None:
    """Warn of what the nearest line of a program does, once for that line.

    The place goes before the message: `/srv/vhost.py, line 7: …`.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    place = (frame.f_code.co_filename, frame.f_lineno, message)
    if place in _warned:
        return
    if len(_warned) >= _MOST_WARNED:
        _warned.clear()
    _warned.add(place)
    logger.warning('%s, line %d: %s', *place)
