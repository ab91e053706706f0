"""Waiting for tasks to finish."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from queue_core.backends.memory.bells import Bell
from queue_core.backends.memory.session import Session
from queue_core.errors import ResultTimeout, UnknownTask
from queue_core.ids import TaskId
from queue_core.task import Task


async def wait_for(session: Session, ids: Sequence[TaskId], timeout: float | None) -> AsyncIterator[Task]:
    """Yield each task once, as it reaches a final state."""
    waiting = dict.fromkeys(ids)
    bell = Bell()
    with session.listening(bell, list(waiting)):
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while True:
            for task in _finished(session, list(waiting)):
                del waiting[task.id]
                yield task
            if not waiting:
                return
            await _ring(bell, deadline, waiting)


def _finished(session: Session, ids: Sequence[TaskId]) -> list[Task]:
    """Those that are final, in the order in which they became so. Raises UnknownTask for those that are not stored."""
    with session.transaction() as state:
        rows = {id: state.tasks.get(id) for id in ids}
    unknown = [id for id, row in rows.items() if row is None]
    if unknown:
        raise UnknownTask(unknown)
    found = [row.task for row in rows.values() if row is not None and row.task.status.is_final]
    return sorted(found, key=lambda task: (task.done_at or task.created_at, task.seq))


async def _ring(bell: Bell, deadline: float | None, waiting: dict[TaskId, None]) -> None:
    left = None if deadline is None else deadline - asyncio.get_running_loop().time()
    if (left is not None and left <= 0) or (not await bell.wait(left) and not bell.closed):
        raise ResultTimeout(
            f"{len(waiting)} of the awaited tasks did not finish in time, the first is {next(iter(waiting))}. They go on; wait again."
        )
