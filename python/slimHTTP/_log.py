"""The logger `slimHTTP`: levels by name, and what `SLIMHTTP_LOG` says.

A library does not configure logging. The one exception is a user who sets
`SLIMHTTP_LOG`: who asks for a log gets to see it.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

from slimHTTP._errors import LoggerError

logger: Final = logging.getLogger('slimHTTP')

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


def follow_environment() -> None:
    """Do what `SLIMHTTP_LOG` says: `info`, `debug`, or `slimhttp_server=debug,warn`.

    The extension has applied the filter before a record comes here, so the
    logger lets pass whatever the most talkative directive asks for. Where
    nobody has configured logging, the records go to standard error. Called when
    a server starts, when a program has had its chance to configure logging.
    """
    wish = os.environ.get('SLIMHTTP_LOG', '')
    if not wish:
        return
    words = [directive.rpartition('=')[2].strip().lower() for directive in wish.split(',')]
    logger.setLevel(min(_LEVELS.get(word, logging.DEBUG) for word in words))
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)-7s %(message)s'))
        logger.addHandler(handler)


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
