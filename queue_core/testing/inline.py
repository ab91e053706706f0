"""Running one task here and now, without a store."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar, cast

from queue_core.app import App
from queue_core.codec import Codec
from queue_core.definition import TaskDefinition
from queue_core.ids import new_task_id
from queue_core.inject import AttemptNumber, Verb, WorkerContext
from queue_core.middleware import Call, compose, entered, provided
from queue_core.task import check_checkpoint
from queue_core.testing.pushes import check_definition
from queue_core.worker.executor import Known
from queue_core.worker.recipes import prepare
from queue_core.worker.results import stored_result
from queue_core.worker.supplies import Supplies

P = ParamSpec("P")
R = TypeVar("R")


async def run_inline(task: TaskDefinition[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a task here and now, without a store: its arguments make the trip through the codec, injected ones are filled in, and the app's
    middleware is around it. What it tracks is awaited at the end.

    Returns what comes out and raises what is raised: HandlerReturnedFalse and UnstorableResult too, as in a worker. InvalidValue for
    arguments that do not fit, MissingData.

    >>> app = App("memory://")
    >>> @app.task
    ... async def double(number: int) -> int:
    ...     return 2 * number
    >>> await run_inline(double, number=21)
    42
    """
    check_definition("run_inline", task)
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

    hooks = Inline(task.codec)
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
