"""Run for every request to counter.localhost: what it keeps, it keeps elsewhere.

The instance is found by the address and port that it was given: ':8080' is every
interface, port 8080.
"""

# A name among builtins is none that mypy could know.
# mypy: disable-error-code="name-defined, operator, index"

import html
import os

import slimHTTP

# As the configuration guide does it: builtins outlive the module.
if 'MyMemStorage' not in __builtins__:
    __builtins__['MyMemStorage'] = {}
if 'counter' not in MyMemStorage:
    MyMemStorage['counter'] = 0

print(f'The module ran with counter value {MyMemStorage["counter"]}.')
MyMemStorage['counter'] += 1

http = slimHTTP.instances[f':{os.environ.get("PORT", "8080")}']


@http.route('/', vhost='counter.localhost')
def front_page(request: slimHTTP.HTTP_REQUEST) -> dict[str, int]:
    # Better: safe with several threads, and gone from nobody else's names.
    visits = slimHTTP.memory.increment('visits')
    return {'runs': MyMemStorage['counter'], 'visits': visits}


def on_request(request: slimHTTP.HTTP_REQUEST) -> str:
    return f'No route is named {html.escape(request.url)}, so on_request answers.\n'
