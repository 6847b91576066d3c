"""Reading pickles that the memory's file holds, of this version and of those before.

Imported by `_persist` with the first pickled value, for few programs keep any; called on the
thread that opens the file. Who may have written it `_persist` has checked.
"""

from __future__ import annotations

import contextlib
import io
import pickle
from typing import Any


class Unpickler(pickle.Unpickler):
    """Finds a public name in `slimHTTP`, wherever it stood when the value was written.

    Once classes were pickled by the module in which they were defined, as `slimHTTP._forms`.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Give the class or function that a pickle names."""
        if module.startswith('slimHTTP._'):
            with contextlib.suppress(AttributeError):  # Not public.
                return super().find_class('slimHTTP', name)
        return super().find_class(module, name)


def loads(encoded: bytes) -> Any:
    """Give the value of a pickle, as `pickle.loads`."""
    return Unpickler(io.BytesIO(encoded)).load()
