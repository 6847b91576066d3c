"""Files: a folder, and what answers for a folder in it.

`index` is tried in the order given. An index that is a Python file is run, not sent.

Start it:  python examples/static.py
Try it:    curl http://localhost:8080/
           curl --location http://localhost:8080/notes
           curl --range 0-9 http://localhost:8080/index.html
"""

import os

import slimHTTP

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

http = slimHTTP.server(
    slimHTTP.HTTP,
    addr='',
    port=int(os.environ.get('PORT', '8080')),
    web_root='./site',
    index=['index.html', 'index.py'],
)
http.run()
