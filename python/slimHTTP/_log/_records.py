"""The logger `slimHTTP` itself: its filter, which escapes every record, and its JSON formatter.

All that needs `logging` stands here, because that module takes long to import: `_log` imports
this one when there is something to log. `logging` calls the filter on whatever thread logs,
and what a filter raises would reach the caller, so it raises nothing.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
from collections.abc import Iterable
from typing import Any, Final

from slimHTTP._log._escape import escaped, escaped_record

logger: Final = logging.getLogger('slimHTTP')


#: Where a record keeps its message, if what is printed of it has been escaped.
_UNESCAPED: Final = '_slimhttp_unescaped'


class _EscapeFilter:
    """Escapes every record of the logger, so that none can be mistaken for two.

    The message as it was stays on the record, for a formatter with escapes of its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite what cannot stand as it is; let everything pass."""
        try:
            message = record.getMessage()
            shown = escaped_record(message)
            if shown != message:
                vars(record)[_UNESCAPED] = message
                record.msg, record.args = shown, ()
            if record.exc_info and not record.exc_text:
                # Formatters take this before they make their own.
                lines = _formatter.formatException(record.exc_info).split('\n')
                record.exc_text = '\n'.join(f'  {escaped(line)}' for line in lines)
        except Exception:
            # Whoever prints it reports what is wrong with it, as ever.
            return True
        return True


_formatter: Final = logging.Formatter()
logger.addFilter(_EscapeFilter())

#: What a record has by itself: `logging` lets nobody else set it.
_RECORD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {'message', 'asctime'}


def log(level: int, args: Iterable[object], fields: dict[str, Any]) -> None:
    """Log what a program says, from the line that called our caller."""
    if not logger.isEnabledFor(level):
        return
    known = {name: fields.pop(name) for name in ('exc_info', 'stack_info') if name in fields}
    words = [*map(str, args), *(f'{name}={_quoted(value)}' for name, value in fields.items())]
    extra = {
        # A formatter may print it as it is.
        name: _on_one_line(str(value)) if isinstance(value, str) else value
        for name, value in fields.items()
        if name not in _RECORD_ATTRIBUTES
    }
    logger.log(level, '%s', ' '.join(words), stacklevel=3, extra=extra, **known)


def _on_one_line(text: str) -> str:
    return escaped(text).replace('\n', '\\n')


#: What would make two words of one.
_NEEDS_QUOTES: Final = re.compile(r'[\s="]')


def _quoted(value: object) -> str:
    """Give the text of `value`, in quotes where it might be taken for more than one."""
    text = str(value)
    if text and text.isprintable() and not _NEEDS_QUOTES.search(text):
        return text
    text = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{_on_one_line(text)}"'


class _UnlessConfigured(logging.StreamHandler):  # type: ignore[type-arg]
    """Prints what nobody else does: an application may configure logging at any time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, where no logger above has a handler that does."""
        above = logger.parent if logger.propagate else None
        if above is None or not above.hasHandlers():
            super().emit(record)


def log_to_stderr(as_json: bool) -> None:
    """Print what is logged on standard error, if nobody has configured logging."""
    if not logger.hasHandlers():
        handler = _UnlessConfigured()
        plain = logging.Formatter('%(asctime)s %(levelname)-7s %(message)s')
        handler.setFormatter(JsonLines() if as_json else plain)
        logger.addHandler(handler)


class JsonLines(logging.Formatter):
    """A record as a JSON object on a line, with the names of the access log.

    Texts stand in it unescaped but for JSON's own escapes, which let nobody break out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        level = 'warn' if record.levelno == logging.WARNING else record.levelname.lower()
        line = {
            'ts': f'{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z',
            'level': level,
            'target': record.name,
            'message': vars(record).get(_UNESCAPED) or record.getMessage(),
        }
        application = vars(record).get('application')
        if isinstance(application, str):
            line['application'] = application
        if record.exc_info:
            line['exception'] = self.formatException(record.exc_info)
        return json.dumps(line)
