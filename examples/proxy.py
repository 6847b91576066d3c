"""A reverse proxy, and the server behind it: two instances in one process.

Start it:  python examples/proxy.py
Try it:    curl -H 'Host: proxy.localhost' http://localhost:8080/any/path
"""

import os
from typing import Any

import slimHTTP

upstream = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0, quiet=True)


@upstream.route('/', prefix=True)
def seen(request: slimHTTP.HTTP_REQUEST) -> dict[str, Any]:
    fields = {name.decode(): str(value) for name, value in request.headers.items()}
    return {'url': request.url, 'headers': fields}


with upstream:  # serves in the background until the block ends
    http = slimHTTP.server(
        slimHTTP.HTTP,
        addr='',
        port=int(os.environ.get('PORT', '8080')),
        vhosts={'proxy.localhost': {'proxy': f'127.0.0.1:{upstream.port}', 'ssl': False}},
    )
    http.run()
