"""`python -m slimHTTP serve|run|check …`: the command line, with Python in it.

The flags, the files and every message are the extension's, the same as those
of the program `slimhttp`; only modules and scripts are added.
"""

from __future__ import annotations

import os
import sys

from slimHTTP._run import command_line


def main() -> None:
    """Do what the arguments say, then leave with the status that tells how it went."""
    as_module = os.path.basename(sys.argv[0]) == '__main__.py'
    sys.exit(command_line(sys.argv[1:], as_module=as_module))


if __name__ == '__main__':
    main()
