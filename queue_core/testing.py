"""For the tests of your own app: run what is due, or run one task without a store.

With ``App("memory://", clock=HandWoundClock())`` the time moves only when the test says so.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, TypeVar, cast

from queue_core.app import App
from queue_core.codec import Codec
from queue_core.definition import TaskDefinition
from queue_core.errors import ResultTimeout
from queue_core.events import Event, Idle, TaskEnded
from queue_core.ids import TaskId, new_task_id
from queue_core.inject import AttemptNumber, Verb, WorkerContext
from queue_core.middleware import Call, compose, entered, provided
from queue_core.task import Task, check_checkpoint
from queue_core.worker.bell import Bell
from queue_core.worker.executor import Known
from queue_core.worker.recipes import prepare
from queue_core.worker.results import stored_result
from queue_core.worker.supplies import Supplies

P = ParamSpec("P")
R = TypeVar("R")
FETCHED_AT_ONCE: Final = 1_000


async def drain(app: App, *, timeout: float = 60.0, concurrency: int = 10) -> list[Task]:
    """Run everything that is due, and what becomes due by that, in every queue. Returns the tasks that ran, as they ended, in that order.

    A task that ran more than once is there once. What is scheduled for later, or waits for its next attempt, is left.
    Raises ResultTimeout when that takes longer than ``timeout`` seconds.
    """
    await app.open()
    ran: dict[TaskId, None] = {}
    served: list[str] = []
    while served != (queues := await _queues(app)):  # tasks may push into queues that nobody named before
        served = queues
        await _run_what_is_due(app, queues, ran, timeout, concurrency)
    return [task for some in _batched(list(ran), FETCHED_AT_ONCE) for task in await app.expose.fetch_many(some)]


async def _run_what_is_due(app: App, queues: list[str], ran: dict[TaskId, None], timeout: float, concurrency: int) -> None:
    idle = Bell()

    def note(event: Event) -> None:
        if isinstance(event, TaskEnded):
            ran.pop(event.task_id, None)
            ran[event.task_id] = None
        elif isinstance(event, Idle):
            idle.ring()

    worker = app.worker(queues=queues, concurrency=concurrency, on_event=note, shutdown_timeout=0.0)
    if not await worker.run_until(idle.wait(timeout)):
        raise ResultTimeout(f"After {timeout:g} s tasks are still running or due. Do they push one another for ever?")


async def run_next(app: App, *, timeout: float = 60.0) -> Task | None:
    """Run exactly one task, the one that a worker would start first, of any queue. Returns it as it is stored then; None when none is due.

    The seeds' TestWorker. Raises ResultTimeout when that takes longer than ``timeout`` seconds; the task is given back then.

    >>> task = await run_next(app)  # doctest: +SKIP
    """
    await app.open()
    ended: list[TaskId] = []
    idle = Bell()

    def note(event: Event) -> None:
        if isinstance(event, TaskEnded):
            ended.append(event.task_id)
        elif isinstance(event, Idle):
            idle.ring()

    worker = app.worker(queues=await _queues(app), concurrency=1, max_tasks=1, on_event=note, shutdown_timeout=timeout)
    working = asyncio.ensure_future(worker.run())
    resting = asyncio.ensure_future(idle.wait(timeout))
    try:
        await asyncio.wait([working, resting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        timed_out = resting.done() and not resting.result()
        resting.cancel()
        if not working.done():
            worker.stop(at_once=True)
        await working
    if timed_out:
        raise ResultTimeout(f"After {timeout:g} s the task is still running. It was given back.")
    return await app.expose.fetch(ended[0]) if ended else None


async def run_inline(task: TaskDefinition[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a task here and now, without a store: its arguments make the trip through the codec, injected ones are filled in, and the app's
    middleware is around it. What it tracks is awaited at the end.

    Returns what comes out and raises what is raised: HandlerReturnedFalse and UnstorableResult too, as in a worker. InvalidValue for
    arguments that do not fit, MissingData.
    """
    handler, app = task.handler, cast("App", task.app)
    parameters = handler.parameters
    stored = parameters.decode(parameters.encode(parameters.bind(args, kwargs), task.codec), task.codec)
    recipe = prepare([handler], Supplies(app.data, provided(app.middleware), app.overrides))[handler.name]

    def judge(value: Any) -> None:
        stored_result(value, handler, task.codec.name, app.codecs)

    async def innermost(call: Call) -> Any:
        arguments = recipe.complete(call.arguments, lambda: call.context)
        if recipe.plan is not None:
            return await recipe.plan.around(call.context, arguments, handler.function, _call, judge)
        value = await _call(handler.function, arguments)
        judge(value)
        return value

    hooks = Inline(app.codec)
    try:
        async with entered(app.middleware):
            value = await compose(app.middleware, innermost)(Call(_context(task, hooks), stored))
            judge(value)
    finally:
        await asyncio.gather(*hooks.tracked)
    return cast("R", value)


async def _call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    value = function(**arguments)
    return await value if inspect.isawaitable(value) else value


class Inline:
    """The hooks of a context without a worker."""

    ending = None
    remaining = None
    repeatable = True

    def __init__(self, codec: Codec) -> None:
        self.extensions: dict[type, Any] = {}
        self.tracked: list[Awaitable[Any]] = []
        self._codec = codec
        self._checkpoint: bytes | None = None

    def progress(self, fraction: float, note: str | None) -> Awaitable[bool]:
        """Told to nobody."""
        return Known(True)

    def checkpoint(self, value: Any) -> Awaitable[bool]:
        """Kept until the end of the run."""
        self._checkpoint = None if value is None else self._codec.encode(value)
        check_checkpoint(self._checkpoint)
        return Known(True)

    def last_checkpoint(self) -> Any:
        """What was kept last in this run."""
        return None if self._checkpoint is None else self._codec.decode(self._checkpoint)

    def steer(self, verb: Verb) -> None:
        """There is no worker to steer."""

    def track(self, work: Awaitable[Any]) -> None:
        """Awaited at the end of the run."""
        self.tracked.append(work)

    def emit(self, name: str, payload: Any) -> None:
        """There is nobody to tell."""


def _context(task: TaskDefinition[Any, Any], hooks: Inline) -> WorkerContext:
    handler, now = task.handler, datetime.now(UTC)
    return WorkerContext(
        task_id=new_task_id(),
        name=handler.name,
        queue=handler.queue,
        attempt=AttemptNumber(1),
        max_attempts=handler.max_attempts,
        metadata={},
        priority=handler.priority,
        run_at=now,
        created_at=now,
        crashes=0,
        worker="inline",
        hooks=hooks,
    )


def _batched(ids: list[TaskId], size: int) -> Iterator[list[TaskId]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


async def _queues(app: App) -> list[str]:
    return list(dict.fromkeys([*app.registry.queues, *(queue.name for queue in await app.expose.list_queues())]))
