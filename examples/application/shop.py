"""A WSGI application (PEP 3333) without a framework: a page, and what it is asked for."""

import html
from collections.abc import Iterable
from typing import Any, Callable


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ['SCRIPT_NAME'] + environ['PATH_INFO']  # bytes, each as a character
    path = path.encode('latin-1').decode('utf-8', 'replace')
    page = f'<link rel="stylesheet" href="/static/page.css">The shop answers {html.escape(path)}\n'
    start_response('200 OK', [('Content-Type', 'text/html; charset=utf-8')])
    return [page.encode()]
