"""Where this package lies, to tell its own frames from those of a program, and how it was called.

A traceback in the log begins at the first frame that is not ours, and a warning names the
nearest line of the program that has caused it. Both ask this module, which imports nothing
of the package, on whatever thread they run. So does whoever starts the program once more.
"""

from __future__ import annotations

import os
import sys
from typing import Final

#: The folder of the package, with a separator at its end.
FOLDER: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep


def is_ours(filename: str) -> bool:
    """Tell whether the code of `filename` belongs to this package."""
    return filename.startswith(FOLDER)


def interpreter() -> list[str]:
    """Give the command of this program up to its own arguments."""
    # As it was called: `-X dev -m slimHTTP`, or the file that the wheel installs. Python 3.9
    # does not tell.
    called: list[str] = getattr(sys, 'orig_argv', [])
    ours = len(sys.argv) - 1
    if called:
        return [sys.executable, *called[1 : len(called) - ours]]
    return [sys.executable, '-m', 'slimHTTP']
