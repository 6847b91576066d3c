"""Virtual hosts: the example configuration of the guide, given while the server runs.

What a virtual host leaves out it takes from the global level.

Start it:  python examples/vhosts.py
Try it:    curl http://localhost:8080/
           curl -H 'Host: files.localhost' http://localhost:8080/
           curl -H 'Host: internal.localhost' http://localhost:8080/any/path
"""

import os

import slimHTTP

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

http = slimHTTP.server(slimHTTP.HTTP, addr='', port=int(os.environ.get('PORT', '8080')))


@http.configuration
def config(instance):
    return {
        'web_root': './vhosts/default',
        'index': 'index.html',
        'vhosts': {
            'files.localhost': {
                'web_root': './vhosts/files',
                'index': ['index.html', 'index.txt'],
            },
            'internal.localhost': {
                'module': './vhosts/internal_tests/vhost.py',
            },
        },
    }


http.run()
