"""What can go wrong, as exceptions.

All of them are `Exception`s, so that a program's `except Exception` catches
them, and `slimHTTP_Error`s, so that one name catches them all. This file
imports nothing: the extension raises these very classes.
"""

from __future__ import annotations


class slimHTTP_Error(Exception):
    """Anything that slimHTTP itself refuses or cannot do.

    Raised as such where a server cannot listen: the text names the address,
    the port and the system's reason.
    """


class ConfError(slimHTTP_Error):
    """A configuration that was not applied; the one in force is unchanged.

    `message` tells every fault at once: its place, what was expected there,
    what was found, and a hint.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ModuleError(slimHTTP_Error):
    """A module that cannot be read.

    `message` says why; `path` is the module's file. A module that raises is no
    `ModuleError`: what it raises stays what it is.
    """

    def __init__(self, message: str, path: str = '') -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __reduce__(self) -> tuple[type[ModuleError], tuple[str, str]]:
        """Pickle both arguments, where `Exception` would keep the message only."""
        return type(self), (self.message, self.path)


class NotYetImplemented(slimHTTP_Error):
    """A part of slimHTTP that this version does not have; `message` says which."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UpgradeIssue(slimHTTP_Error):
    """A connection that could not change its protocol; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidFrame(slimHTTP_Error):
    """A WebSocket frame that breaks its protocol."""


class ContentError(slimHTTP_Error):
    """The content of a request cannot be read, and that is the client's doing.

    Let out of a handler, it is no failure: the client is told so, and the log in
    a line. This is the base of those that are raised.
    """


class MalformedContent(ContentError, ValueError):
    """The content is not what it says to be: no JSON, no form, no such text.

    The client is answered 400, with this text.
    """


class MissingField(MalformedContent, KeyError):
    """A form has no such field, or a query; `name` is the one that was looked for.

    `of` says which of them: `form` or `query`.
    """

    def __init__(self, name: str, of: str = 'form') -> None:
        super().__init__(name)
        self.name = name
        self.of = of

    def __str__(self) -> str:
        return f'the {self.of} has no field `{self.name}`'

    def __reduce__(self) -> tuple[type[MissingField], tuple[str, str]]:
        """Pickle both arguments, where `Exception` would keep the name only."""
        return type(self), (self.name, self.of)


class ContentTooLarge(ContentError):
    """The content is longer than `max_body`, or a form than its own bounds.

    The client is answered 413.
    """


class ContentTimeout(ContentError):
    """The client has paused for longer than `body_timeout`; it is answered 408."""


class ClientDisconnected(ContentError):
    """The client has left before its content was complete, or was answered already."""


class WebSocketClosed(slimHTTP_Error):
    """A WebSocket that takes and gives no more messages.

    `code` and `reason` say how it was closed; 1005 without a code, 1006 where the
    connection broke. A handler that lets it out has not failed: its client is gone.
    """

    def __init__(self, code: int, reason: str = '') -> None:
        super().__init__(f'{code} {reason}'.rstrip())
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[WebSocketClosed], tuple[int, str]]:
        """Pickle both arguments, where `Exception` would keep the text only."""
        return type(self), (self.code, self.reason)


class LoggerError(slimHTTP_Error):
    """A log level that does not exist."""
