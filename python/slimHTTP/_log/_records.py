"""The records of the logger `slimHTTP`: nobody breaks out of them, and some are JSON.

Imported by the first who has something to log, see `_log`: so all that needs `logging`
stands here.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
from collections.abc import Iterable
from typing import Any, Final

from slimHTTP._log._escape import contained, escaped

logger: Final = logging.getLogger('slimHTTP')


#: Where a record keeps what was said, if that is not how its message reads.
_AS_SAID: Final = '_slimhttp_as_said'


class _Containing:
    """Makes every record of the logger one of which nobody can break out.

    What was said stays on the record, for who contains it by escapes of his own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite what cannot stand as it is; let everything pass."""
        try:
            message = record.getMessage()
            shown = contained(message)
            if shown != message:
                vars(record)[_AS_SAID] = message
                record.msg, record.args = shown, ()
            if record.exc_info and not record.exc_text:
                # Formatters take this before they make their own.
                lines = _plain.formatException(record.exc_info).split('\n')
                record.exc_text = '\n'.join(f'  {escaped(line)}' for line in lines)
        except Exception:
            # Whoever prints it reports what is wrong with it, as ever.
            return True
        return True


_plain: Final = logging.Formatter()
logger.addFilter(_Containing())

#: What a record has by itself: `logging` lets nobody else set it.
_OF_RECORDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {'message', 'asctime'}


def log(level: int, args: Iterable[object], fields: dict[str, Any]) -> None:
    """Log what a program says, from the line that called our caller."""
    if not logger.isEnabledFor(level):
        return
    known = {name: fields.pop(name) for name in ('exc_info', 'stack_info') if name in fields}
    words = [*map(str, args), *(f'{name}={_word(value)}' for name, value in fields.items())]
    extra = {
        # A formatter may print it as it is.
        name: _on_one_line(str(value)) if isinstance(value, str) else value
        for name, value in fields.items()
        if name not in _OF_RECORDS
    }
    logger.log(level, '%s', ' '.join(words), stacklevel=3, extra=extra, **known)


def _on_one_line(text: str) -> str:
    return escaped(text).replace('\n', '\\n')


#: What ends a word, or makes two of one.
_PARTING: Final = re.compile(r'[\s="]')


def _word(value: object) -> str:
    """Give the text of `value`, in quotes where it might be taken for more than one."""
    text = str(value)
    if text and text.isprintable() and not _PARTING.search(text):
        return text
    text = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{_on_one_line(text)}"'


def print_records(as_json: bool) -> None:
    """Print what is logged on standard error, if nobody has configured logging."""
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        plain = logging.Formatter('%(asctime)s %(levelname)-7s %(message)s')
        handler.setFormatter(JsonLines() if as_json else plain)
        logger.addHandler(handler)


class JsonLines(logging.Formatter):
    """A record as a JSON object on a line, with the names of the access log.

    Texts stand in it as they were said: JSON's own escapes let nobody break out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        level = 'warn' if record.levelno == logging.WARNING else record.levelname.lower()
        line = {
            'ts': f'{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z',
            'level': level,
            'target': record.name,
            'message': vars(record).get(_AS_SAID) or record.getMessage(),
        }
        if record.exc_info:
            line['exception'] = self.formatException(record.exc_info)
        return json.dumps(line)
