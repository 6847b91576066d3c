"""The smallest site: one route, answered by Python.

Start it:  python examples/hello.py
Try it:    curl http://localhost:8080/
           curl http://localhost:8080/greet/Ada
"""

import os

import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))


@http.route('/')
def hello(request: slimHTTP.HTTP_REQUEST) -> str:
    return f'Hello, {request.CLIENT_IDENTITY.address}!\n'


@http.route('/greet/<name>')
def greet(request: slimHTTP.HTTP_REQUEST) -> dict[str, str]:
    return {'hello': request.params['name']}


http.run()
