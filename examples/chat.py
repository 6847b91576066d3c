"""A chat with rooms, over WebSockets, and the page that uses it.

Start it:  python examples/chat.py
Try it:    http://localhost:8080/ in two windows of a browser
           curl -d 'said by a program' http://localhost:8080/say/lobby
"""

import os

import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))
rooms: dict[str, set[slimHTTP.WEBSOCKET]] = {}  # by name, who is there

PAGE = """<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>Chat</title>
<h1>Chat</h1>
<form><input name="text" autofocus autocomplete="off"> <button>Say</button></form>
<pre></pre>
<script>
  const ws = new WebSocket(`${location.origin.replace('http', 'ws')}/chat/lobby`)
  const form = document.querySelector('form')
  form.onsubmit = () => { ws.send(form.text.value); form.reset(); return false }
  ws.onmessage = (event) => { document.querySelector('pre').append(event.data, '\\n') }
  ws.onclose = (event) => { document.querySelector('pre').append(`closed: ${event.code}\\n`) }
</script>
"""


@http.route('/')
def page(request: slimHTTP.HTTP_REQUEST) -> str:
    return PAGE


@http.websocket('/chat/<room>')
async def chat(ws: slimHTTP.WEBSOCKET) -> None:
    name = ws.request.CLIENT_IDENTITY.source_port
    room = rooms.setdefault(ws.params['room'], set())
    room.add(ws)
    tell(room, f'{name} has come, {len(room)} are here')
    try:
        async for message in ws:
            if isinstance(message, str):  # bytes are for other programs
                tell(room, f'{name}: {message}')
    finally:
        room.discard(ws)
        tell(room, f'{name} has gone')


@http.route('/say/<room>', methods=['POST'])
def say(request: slimHTTP.HTTP_REQUEST) -> str:
    room = rooms.get(request.params['room'], set())
    tell(room, f'a program: {request.payload.decode()}')
    return f'told {len(room)}\n'


def tell(room: set[slimHTTP.WEBSOCKET], message: str) -> None:
    # Who does not take it has gone, or reads too slowly to be told everything.
    slimHTTP.broadcast(room.copy(), message)


http.run()
