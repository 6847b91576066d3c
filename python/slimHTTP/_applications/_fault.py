"""What is wrong with an application, in the words of a configuration's faults.

Raised where an application is looked for, told apart and started; `_hosting` catches it, logs
it, and lets the application's scope answer 503. No program ever sees one.
"""

from __future__ import annotations

from slimHTTP._errors import slimHTTP_Error


class ApplicationFault(slimHTTP_Error):
    """An application cannot be had: what was expected, what was found, and what may help."""

    def __init__(self, expected: str, found: str | None = None, hint: str | None = None) -> None:
        text = f'expected {expected}'
        if found is not None:
            text += f', found {found}'
        if hint is not None:
            text += f'\n  hint: {hint}'
        super().__init__(text)
