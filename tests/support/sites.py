"""The site that the tests of changes change."""

from __future__ import annotations

#: Three folders to choose from, and a module.
FILES = {
    'a/index.html': 'a',
    'a/home.html': 'a home',
    'b/index.html': 'b',
    'b/home.html': 'b home',
    'c/index.html': 'c',
    'vhost.py': "def on_request(request): return 'module'",
}
