"""REST-like endpoints: raw answers, methods, JSON both ways, a redirect.

Start it:  python examples/rest.py
Try it:    curl http://localhost:8080/
           curl -X PUT --data hello http://localhost:8080/note
           curl --json '{"add": [1, 2]}' http://localhost:8080/sum
           curl http://localhost:8080/me
           curl --location http://localhost:8080/old
"""

import json
import os

import slimHTTP
from slimHTTP import HTTP_REQUEST, HTTP_RESPONSE

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))
notes: list[str] = []


@http.route('/')
def main(request: HTTP_REQUEST) -> bytes:
    return request.build_headers() + b'<html><body>Welcome</body></html>'


@http.route('/note')
def note(request: HTTP_REQUEST) -> list[str]:
    if request.method == 'PUT':
        notes.append(request.payload.decode())
    return notes


@http.route('/sum', methods=['POST'])
def add(request: HTTP_REQUEST) -> bytes:
    data = json.loads(request.payload)  # or request.data, parsed already
    answer = json.dumps({'sum': sum(data['add'])})
    return request.build_headers({'Content-Type': 'application/json'}) + bytes(answer, 'UTF-8')


@http.route('/me')
def me(request: HTTP_REQUEST) -> HTTP_RESPONSE:
    address = request.CLIENT_IDENTITY.address
    return HTTP_RESPONSE(ret_code=200, headers={'X-Hello': 'there'}, payload={'address': address})


@http.route('/old')
def old(request: HTTP_REQUEST) -> HTTP_RESPONSE:
    return HTTP_RESPONSE(ret_code=307, headers={'Location': '/'}, payload=b'')


http.run()
