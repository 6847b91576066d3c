"""Lazy imports, made at once before the process gives up the rights of root.

What few programs need is imported by the function that needs it. Where root alone may read
the interpreter's files (one in a home folder), nothing can be imported any more once the
process has become another user. So all of it is imported before: where a server with `user`
starts, and in `drop_privileges`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Final

#: What functions of this package and of the extension import. A test compares it with them.
LAZY_IMPORTS: Final = (
    'asyncio', 'builtins', 'concurrent.futures', 'contextvars', 'ctypes', 'dataclasses',
    'datetime', 'decimal', 'difflib', 'hashlib', 'http', 'importlib', 'inspect', 'logging',
    'importlib.util', 'io', 'mimetypes', 'os', 'pathlib', 'pickle', 'shutil',
    'slimHTTP._applications._importing', 'slimHTTP._applications._interface',
    'slimHTTP._applications._lifespan', 'slimHTTP._debug._resolution',
    'slimHTTP._debug._traceback_page', 'slimHTTP._errors', 'slimHTTP._log._escape',
    'slimHTTP._log._records', 'slimHTTP._message._cookies', 'slimHTTP._message._forms',
    'slimHTTP._message._json', 'slimHTTP._reload._supervisor', 'slimHTTP._reload._worker',
    'slimHTTP._state._unpickler', 'socket', 'sqlite3', 'ssl', 'tempfile', 'traceback', 'types',
    'unicodedata', 'uuid', 'uvloop',
)  # fmt: skip
#: What these import late themselves: executors of `asyncio`, tracebacks, `strptime`, and
#: the codecs that the log and the contents of clients ask for.
INDIRECT_IMPORTS: Final = (
    '_strptime', 'ast', 'concurrent.futures.thread', 'encodings.ascii', 'encodings.cp1252',
    'encodings.idna', 'encodings.iso8859_15', 'encodings.latin_1', 'encodings.unicode_escape',
    'encodings.utf_16', 'encodings.utf_16_be', 'encodings.utf_16_le', 'encodings.utf_32',
    'encodings.utf_32_be', 'encodings.utf_32_le', 'encodings.utf_8_sig', 'linecache', 'tokenize',
)  # fmt: skip


def import_all() -> None:
    """Import everything, where this process is root and so may become somebody else."""
    if os.geteuid() != 0:
        return
    for name in (*LAZY_IMPORTS, *INDIRECT_IMPORTS):
        # Some interpreters are built without `sqlite3`, `ssl` or `ctypes`.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
