"""Tasks in threads beside the test; every wait for them is bounded."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from support.waiting import PATIENCE


def at_once(tasks: Iterable[Callable[[], Any]], patience: float = 4 * PATIENCE) -> list[Any]:
    """Run every task in a thread of its own, all at once; give their results in order.

    Raises what the first of them raised.
    """
    results: list[Any] = []
    errors: list[BaseException] = []

    def run(position: int, task: Callable[[], Any]) -> None:
        try:
            results[position] = task()
        except BaseException as error:
            errors.append(error)

    threads = []
    for position, task in enumerate(tasks):
        results.append(None)
        threads.append(threading.Thread(target=run, args=(position, task), daemon=True))
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f'a task did not end within {patience} s'
    if errors:
        raise errors[0]
    return results


def in_threads(count: int, task: Callable[[int], Any], patience: float = 4 * PATIENCE) -> list[Any]:
    """Call `task(number)` in `count` threads that begin together; as `at_once` else."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait(PATIENCE)
        return task(number)

    return at_once([functools.partial(run, number) for number in range(count)], patience)


@contextlib.contextmanager
def in_background(task: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Run `task` in a thread beside the block; the function given waits for its result."""
    outcome: list[Any] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(task())
        except BaseException as raised:
            error.append(raised)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), 'the task beside did not end'
        if error:
            raise error[0]
        return outcome[0]

    yield result
    thread.join(2 * PATIENCE)
    assert not thread.is_alive(), 'the task beside did not end'
