"""slimHTTP as one task of an asyncio program, beside others.

The route runs on the loop's own thread, so it may start tasks there.

Start it:  python examples/asyncio_bridge.py
Try it:    curl -X POST http://localhost:8080/job
           curl http://localhost:8080/job
"""

import asyncio
import os

import slimHTTP

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))
jobs = {'started': 0, 'done': 0}
running: set['asyncio.Task[None]'] = set()  # asyncio itself keeps only weak references to tasks


async def work() -> None:
    await asyncio.sleep(0.1)  # some other client library at work
    jobs['done'] += 1


@http.route('/job')
def job(request: slimHTTP.HTTP_REQUEST) -> dict[str, int]:
    if request.method == 'POST':
        jobs['started'] += 1
        task = asyncio.get_running_loop().create_task(work())
        running.add(task)
        task.add_done_callback(running.discard)
    return jobs


async def serve() -> None:
    while 1:
        for _event, *_data in http.poll():
            pass
        await asyncio.sleep(0.25)


asyncio.run(serve())
