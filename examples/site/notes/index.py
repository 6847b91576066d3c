"""The index of a folder, written in Python: run for each request, never sent."""

import html
import pathlib
import urllib.parse

import slimHTTP


def on_request(request: slimHTTP.HTTP_REQUEST) -> str:
    names = sorted(path.name for path in pathlib.Path(__file__).parent.glob('*.txt'))
    items = ''.join(
        f'<li><a href="{urllib.parse.quote(name)}">{html.escape(name)}</a>' for name in names
    )
    return f'<!doctype html><meta charset="utf-8"><title>Notes</title><ul>{items}</ul>\n'
