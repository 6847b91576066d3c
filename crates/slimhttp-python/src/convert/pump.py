"""The two coroutines with which the event loop serves what is none itself, and Ctrl-C for it."""


async def finish(awaitable):
    """Makes a coroutine of anything that can be awaited."""
    return await awaitable


def interrupt():
    """Ends the event loop that calls it."""
    raise KeyboardInterrupt


async def pump(chunks, channel, new_future):
    """Hands each chunk over and then rests until the client takes more.

    Where this is cancelled and the generator gives a chunk for all that, nobody takes it:
    it is the last.
    """
    try:
        async for chunk in chunks:
            asked = new_future()
            if not channel.give(chunk, asked):
                break
            await asked
    finally:
        # Here and not in the garbage collector: a generator's own `finally`
        # blocks may await.
        close = getattr(chunks, 'aclose', None)
        if close is not None:
            await close()
