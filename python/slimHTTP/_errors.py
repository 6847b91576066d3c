"""What can go wrong, as exceptions.

All of them are `Exception`s, so that a program's `except Exception` catches
them, and `slimHTTP_Error`s, so that one name catches them all. This file
imports nothing: the extension raises these very classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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


class ClientDisconnected(ContentError, OSError):
    """The client has left before its content was complete, or was answered already.

    It is what `send` of an ASGI application raises behind that, and an `OSError` as ASGI
    demands.
    """


class HTTPError(slimHTTP_Error):
    """An answer that is raised: `raise slimHTTP.HTTPError(404, 'no such user')`.

    From however deep, out of any handler. `status` is from 300 to 599. `detail` is
    what the client is told: a text becomes a page, and so does None, which are the
    scope's own where `error_pages` has one; a dict or a list becomes JSON; bytes are
    sent as they are. `headers` are the fields of the answer; those that the handler
    has put into `response_headers` are not in it.

    It is no failure: the log tells nothing of it but at `debug`.
    """

    #: For a class derived from it that says them by itself.
    status: int = 500
    detail: Any = None
    headers: Mapping[Any, Any] | None = None

    def __init__(
        self, status: int, detail: Any = None, headers: Mapping[Any, Any] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f'status: expected a number from 300 to 599, found `{status!r}`')
        if not 300 <= status <= 599:
            raise ValueError(f'status: expected a number from 300 to 599, found {status}')
        if detail is not None and not isinstance(detail, (str, bytes, dict, list)):
            raise TypeError(
                f'detail: expected str, bytes, dict, list or None, found `{type(detail).__name__}`'
            )
        # `HTTPStatus.NOT_FOUND` is a number too, and a plain one is what is compared.
        self.status = int(status)
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        from http import HTTPStatus  # Here, for few programs ever print one.

        try:
            said = f'{self.status} {HTTPStatus(self.status).phrase}'
        except ValueError:
            said = str(self.status)
        return f'{said}: {self.detail}' if isinstance(self.detail, str) else said

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without calling the constructor, whose arguments are the subclass's own."""
        return _unpickle, (type(self), self.args), self.__dict__


def _unpickle(kind: type[HTTPError], args: tuple[Any, ...]) -> HTTPError:
    return kind.__new__(kind, *args)


#: What pickles that were written before it had that name call it.
_remade = _unpickle


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
