"""The site of `make run`: every way of answering, and a change while it serves.

    files            http://localhost:8080/           the folder start/
    a virtual host   http://files.localhost:8080/     the folder files/
    a module         http://module.localhost:8080/    module.py, run afresh each time
    a reverse proxy  http://proxy.localhost:8080/     a second instance, on a free port

Browsers find *.localhost on this machine by themselves. Where a program does not:

    curl -H 'Host: module.localhost' http://localhost:8080/

Start it:  make run   or   PORT=9000 python examples/demo/serve.py
"""

import html
import os
from typing import Any

import slimHTTP

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

http = slimHTTP.server(slimHTTP.HTTP, addr='', port=int(os.environ.get('PORT', '8080')))
upstream = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)


@http.configuration
def site(instance: slimHTTP.HTTP_SERVER) -> dict[str, Any]:
    return {
        'web_root': './start',
        # The page's style is the index of /theme/: one of the two style sheets there.
        'index': ['index.html', 'day.css'],
        'access_log': 'common',
        'vhosts': {
            'files.localhost': {'web_root': './files'},
            'module.localhost': {'module': './module.py'},
            'proxy.localhost': {'proxy': f'127.0.0.1:{upstream.port}', 'ssl': False},
        },
    }


@http.route('/change', methods=['POST'])
def change(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.HTTP_RESPONSE:
    """The button on the start page: one key, edited in place."""
    day = 'day.css' in http.config['index']
    http.config['index'] = ['index.html', 'night.css' if day else 'day.css']
    return slimHTTP.HTTP_RESPONSE(ret_code=303, headers={'Location': '/'})


@upstream.route('/', prefix=True)
def upstream_page(request: slimHTTP.HTTP_REQUEST) -> str:
    """What reached the server behind the proxy."""
    rows = ''.join(
        f'<tr><th>{html.escape(name.decode())}<td>{html.escape(value.decode("latin-1"))}'
        for name, value in sorted(request.headers.items())
        if isinstance(value, bytes) and not name.isupper()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A reverse proxy</title>
<style>
  body {{ max-width: 44rem; margin: 3rem auto; padding: 0 1rem }}
  body {{ font: 1rem/1.6 system-ui, sans-serif }}
  th {{ text-align: left; font-weight: 500; padding-right: 1.5rem; vertical-align: top }}
  td {{ font-family: ui-monospace, monospace; overflow-wrap: anywhere }}
</style>
<h1>A reverse proxy</h1>
<p>Answered by another server, on port {upstream.port} of this machine.
It was asked for <code>{html.escape(request.url)}</code>, with these fields:
<table>{rows}</table>
"""


with upstream:  # serves in the background until the block ends
    http.run()
