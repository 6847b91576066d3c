"""What Python's logging receives from the server."""

from __future__ import annotations

import logging
import re

from support.waiting import wait_until


class Log(logging.Handler):
    """What Python's logging receives from `slimHTTP` while the block lasts."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def __enter__(self) -> Log:
        logger = logging.getLogger('slimHTTP')
        self._level = logger.level
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        logger = logging.getLogger('slimHTTP')
        logger.removeHandler(self)
        logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        """All messages with their tracebacks, a line each or more."""
        return '\n'.join(logging.Formatter().format(record) for record in list(self.records))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until a message matches `pattern`."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(pattern, self.text, re.DOTALL)
            if match:
                found.append(match)
            return match is not None

        try:
            wait_until(look, f'{pattern!r} in the log')
        except AssertionError as error:
            raise AssertionError(f'{error}; it says:\n{self.text}') from None
        return found[0]
