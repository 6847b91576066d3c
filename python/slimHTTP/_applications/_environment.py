"""Variables of the environment that applications want (`app_env`): set before they are imported.

The whole process sees them, so two applications that want one otherwise cannot both have it. The
one that is started last has it, and the log names both. Called on the thread that imports the
application; every use of the table is one operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from slimHTTP import _log

#: For which application a variable was set, by its name.
_set_for: Final[dict[str, str]] = {}


def apply(variables: Iterable[tuple[str, str]], label: str) -> list[str]:
    """Set the variables of an application, and give those that were otherwise."""
    changed = []
    for name, value in variables:
        before, other = os.environ.get(name), _set_for.get(name)
        if before != value and other is not None and other != label:
            _log.logger.warning(
                '%s sets the variable `%s` of the environment to another value than %s: it is one'
                ' for the whole process, and is what the last one says',
                label, name, other,
            )  # fmt: skip
        if before != value:
            changed.append(name)
        os.environ[name] = value
        _set_for[name] = label
    return changed


def forget(label: str) -> None:
    """Forget what was set for an application that has ended; the variables stay."""
    for name in [name for name, other in list(_set_for.items()) if other == label]:
        _set_for.pop(name, None)
