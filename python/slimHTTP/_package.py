"""Where this package lies, to tell its own frames from those of a program.

A traceback in the log begins at the first frame that is not ours, and a warning names the
nearest line of the program that has caused it. Both ask this module, which imports nothing
of the package, on whatever thread they run.
"""

from __future__ import annotations

import os
from typing import Final

#: The folder of the package, with a separator at its end.
FOLDER: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep


def is_ours(filename: str) -> bool:
    """Tell whether the code of `filename` belongs to this package."""
    return filename.startswith(FOLDER)
