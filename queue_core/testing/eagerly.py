"""Letting each push run what it stores."""

from asyncio import CancelledError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from queue_core.app import App
from queue_core.errors import DeferredError, RetryAfterError, TaskKilled, TaskTimeout
from queue_core.ids import TaskId
from queue_core.inject import Ending
from queue_core.middleware import Call, Next
from queue_core.status import Status
from queue_core.task import NewTask, Pushed, Task
from queue_core.testing.draining import drain


@contextmanager
def eager(app: App, *, raising: bool = True) -> Iterator[App]:
    """Within the block a push returns when everything that is due has run: stored, claimed and run by a worker, one task after another.

    Codec, middleware, dependencies, retries and results are those of a worker. What is scheduled for later, or waits for its next attempt,
    is left for ``drain``; so is what joined a transaction that is still open. ``raising``: ``push`` raises what a task raised that failed;
    TaskKilled where there was no exception, as for arguments that do not fit any more. A task that asks to be run later did not fail.

    >>> app = App("memory://")
    >>> @app.task
    ... async def greet(name: str) -> str:
    ...     return f"Hello, {name}."
    >>> async with app:
    ...     with eager(app):
    ...         task = await greet.push("Ada")
    ...     print(await task.status())
    Done
    """
    failures = Failures(app)
    plain = app.push

    async def push(tasks: Sequence[NewTask], connection: Any = None) -> list[Pushed]:
        pushed = await plain(tasks, connection)
        ran = await drain(app, concurrency=1)
        if raising:
            failures.raise_first(ran)
        return pushed

    with patch.object(app, "push", push), patch.object(app, "middleware", (failures, *app.middleware)):
        yield app


class Failures:
    """Middleware that keeps what tasks raised."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._raised: dict[TaskId, Exception] = {}
        self._timed_out: set[TaskId] = set()

    async def __call__(self, call: Call, next: Next) -> Any:
        """Keep what counts as a failure."""
        try:
            return await next(call)
        except (RetryAfterError, DeferredError):
            raise
        except Exception as error:
            self._raised[call.context.task_id] = error
            raise
        except CancelledError:
            if call.ending is Ending.TIMEOUT:
                self._timed_out.add(call.context.task_id)
            raise

    def raise_first(self, tasks: Sequence[Task]) -> None:
        """Raise what the first of ``tasks`` raised that failed."""
        for task in tasks:
            if task.status in {Status.FAILED, Status.KILLED} and (failure := self._failure(task)) is not None:
                raise failure

    def _failure(self, task: Task) -> Exception | None:
        if (raised := self._raised.pop(task.id, None)) is not None:
            return raised
        if task.id in self._timed_out:
            return TaskTimeout(task.timeout or self._app.tasks[task.name].handler.timeout or 0.0)
        return TaskKilled(f"Task {task.id} ({task.name}) was killed ({task.reason}): {task.error}") if task.status is Status.KILLED else None
