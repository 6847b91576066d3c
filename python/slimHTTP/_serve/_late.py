"""What is imported when it is first needed, and all of it at once for who cannot do so later.

An interpreter of which root alone may read the files (one in a home folder) imports nothing
once the process has become another user. So everything is imported before that.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Final

#: What functions of this package and the extension import. A test compares it with them.
OURS: Final = (
    'asyncio', 'builtins', 'concurrent.futures', 'contextvars', 'ctypes', 'dataclasses',
    'datetime', 'decimal', 'difflib', 'hashlib', 'http', 'importlib', 'inspect', 'logging',
    'mimetypes', 'os', 'pathlib', 'pickle', 'shutil', 'slimHTTP._debug._resolution',
    'slimHTTP._debug._traceback_page', 'slimHTTP._errors', 'slimHTTP._log._escape',
    'slimHTTP._log._records', 'slimHTTP._message._cookies', 'slimHTTP._message._forms',
    'slimHTTP._message._json', 'socket', 'sqlite3', 'ssl', 'tempfile', 'traceback', 'types',
    'unicodedata', 'uuid',
)  # fmt: skip
#: What these import late themselves: executors of `asyncio`, tracebacks, `strptime`, and
#: the codecs that the log and the contents of clients ask for.
THEIRS: Final = (
    '_strptime', 'ast', 'concurrent.futures.thread', 'encodings.ascii', 'encodings.cp1252',
    'encodings.idna', 'encodings.iso8859_15', 'encodings.latin_1', 'encodings.unicode_escape',
    'encodings.utf_16', 'encodings.utf_16_be', 'encodings.utf_16_le', 'encodings.utf_32',
    'encodings.utf_32_be', 'encodings.utf_32_le', 'encodings.utf_8_sig', 'linecache', 'tokenize',
)  # fmt: skip


def import_all() -> None:
    """Import everything, where this process is root and so may become somebody else."""
    if os.geteuid() != 0:
        return
    for name in (*OURS, *THEIRS):
        # Some interpreters are built without `sqlite3`, `ssl` or `ctypes`.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
