"""Running what is due."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from queue_core.app import App
from queue_core.errors import InvalidValue, ResultTimeout, several
from queue_core.events import Event, Idle, TaskEnded, TaskStarted
from queue_core.ids import TaskId
from queue_core.task import Task
from queue_core.worker.bell import Bell

FETCHED_AT_ONCE: Final = 1_000


async def drain(
    app: App, *, queues: Sequence[str] | None = None, limit: int | None = None, timeout: float = 60.0, concurrency: int = 10
) -> list[Task]:
    """Run everything that is due, and what becomes due by that. Returns the tasks that ran, as they ended, in that order.

    ``queues``: those to serve; None for all. ``limit``: how many attempts may start, those of tasks that run twice counted twice.
    ``timeout``: seconds that all may take. ``concurrency``: how many tasks run at once; with 1 they run in the order that a queue promises.

    A task that ran more than once is returned once. What is scheduled for later, or waits for its next attempt, is left.
    Raises ResultTimeout when it takes longer than ``timeout``, InvalidValue for a limit below 1.

    >>> app = App("memory://")
    >>> @app.task
    ... async def greet(name: str) -> str:
    ...     return f"Hello, {name}."
    >>> async with app:
    ...     for name in ("Ada", "Grace"):
    ...         task = await greet.push(name)
    ...     first = await drain(app, limit=1)
    ...     rest = await drain(app)
    >>> [task.result for task in first + rest]
    [b'"Hello, Ada."', b'"Hello, Grace."']
    """
    if limit is not None and limit < 1:
        raise InvalidValue(f"limit must be at least 1, got {limit}. Leave it out to run everything that is due.")
    if queues is not None:
        several("queues", queues)
    await app.open()
    drained, deadline = Drained(limit), time.monotonic() + timeout
    served: list[str] = []
    while drained.left != 0 and served != (wanted := list(queues) if queues is not None else await _queues(app)):
        served = wanted  # tasks may push into queues that nobody named before
        await _run_what_is_due(app, served, drained, timeout, deadline, concurrency)
    return await fetched(app, list(drained.ran))


async def run_next(app: App, *, timeout: float = 60.0) -> Task | None:
    """Run exactly one task, the one that a worker would start first, of any queue. Returns it as it is stored then; None when none is due.

    The seeds' TestWorker. Raises ResultTimeout when that takes longer than ``timeout`` seconds; the task is given back then.

    >>> app = App("memory://")
    >>> @app.task
    ... async def step(number: int) -> int:
    ...     return number
    >>> async with app:
    ...     tasks = [await step.push(2), await step.using(priority=1).push(1)]
    ...     ran = await run_next(app)
    >>> ran.result
    b'1'
    """
    ran = await drain(app, limit=1, timeout=timeout, concurrency=1)
    return ran[0] if ran else None


class Drained:
    """What ran so far, and how many attempts may still start."""

    def __init__(self, limit: int | None) -> None:
        self.ran: dict[TaskId, None] = {}
        """In the order of the last end."""
        self.left = limit
        """None for any number."""
        self.idle = Bell()

    def note(self, event: Event) -> None:
        """Follow what the worker does."""
        if isinstance(event, TaskStarted):
            self.left = None if self.left is None else self.left - 1
        elif isinstance(event, TaskEnded):
            self.ran.pop(event.task_id, None)
            self.ran[event.task_id] = None
        elif isinstance(event, Idle):
            self.idle.ring()


async def _run_what_is_due(app: App, queues: list[str], drained: Drained, timeout: float, deadline: float, concurrency: int) -> None:
    worker = app.worker(queues=queues, concurrency=concurrency, max_tasks=drained.left, on_event=drained.note, shutdown_timeout=timeout)
    working = asyncio.ensure_future(worker.run())
    resting = asyncio.ensure_future(drained.idle.wait(max(0.0, deadline - time.monotonic())))
    try:
        await asyncio.wait([working, resting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        timed_out = resting.done() and not resting.result()
        resting.cancel()
        if not working.done():
            worker.stop(at_once=True)
        await working
    if timed_out:
        raise ResultTimeout(f"After {timeout:g} s tasks are still running or due. Do they push one another for ever?")


async def fetched(app: App, ids: Sequence[TaskId]) -> list[Task]:
    """The tasks with these ids that are stored, in this order."""
    found: list[Task] = []
    for start in range(0, len(ids), FETCHED_AT_ONCE):
        found += await app.expose.fetch_many(ids[start : start + FETCHED_AT_ONCE])
    return found


async def _queues(app: App) -> list[str]:
    return list(dict.fromkeys([*app.registry.queues, *(queue.name for queue in await app.expose.list_queues())]))
