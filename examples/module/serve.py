"""A virtual host that a Python module answers. The module: counter.py, beside this file.

The module is run afresh for every request. Edit it while the server runs, and ask again.

Start it:  python examples/module/serve.py
Try it:    curl -H 'Host: counter.localhost' http://localhost:8080/
           curl -H 'Host: counter.localhost' http://localhost:8080/anything/else
"""

import os

import slimHTTP

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

http = slimHTTP.server(
    slimHTTP.HTTP,
    addr='',
    port=int(os.environ.get('PORT', '8080')),
    vhosts={'counter.localhost': {'module': './counter.py'}},
)
http.run()
