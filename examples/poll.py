"""A loop of one's own instead of `run()`: each turn does some work and tells what happened.

Start it:  python examples/poll.py
Try it:    curl http://localhost:8080/
"""

import os

import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))


@http.route('/')
def hello(request: slimHTTP.HTTP_REQUEST) -> str:
    return 'answered between two turns of the loop\n'


while 1:
    for event, *event_data in http.poll():
        print(slimHTTP.Events.convert(event), *event_data, flush=True)
