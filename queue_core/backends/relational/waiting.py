"""Waiting for tasks to finish."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from queue_core.backends import _rows
from queue_core.backends.relational.hub import Waiter
from queue_core.backends.relational.transaction import Store
from queue_core.errors import ResultTimeout, StoreUnavailable, UnknownTask
from queue_core.ids import TaskId
from queue_core.task import Task

LOOK_AGAIN: Final = 1.0
"""Seconds after which to look without having been told of a change."""


async def wait_for(store: Store, ids: Sequence[TaskId], timeout: float | None) -> AsyncIterator[Task]:
    """Yield each task once, as it reaches a final state."""
    waiting = dict.fromkeys(ids)
    deadline = _Deadline(timeout)
    with Waiter(store.hub, ids) as waiter:
        told: set[str] = set()
        while waiting:
            for task in await _finished(store, list(waiting), told):
                if task.id in waiting:
                    del waiting[task.id]
                    yield task
            if not waiting:
                return
            if waiter.closed:
                store.check_open()
            deadline.check(waiting)
            told = await waiter.wait(deadline.left(LOOK_AGAIN))


class _Deadline:
    """When the caller's patience ends."""

    def __init__(self, timeout: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = None if timeout is None else self._loop.time() + timeout

    def left(self, most: float) -> float:
        """Seconds until then, at most ``most``."""
        return most if self._end is None else min(most, max(0.0, self._end - self._loop.time()))

    def check(self, waiting: Iterable[TaskId]) -> None:
        """Raise ResultTimeout when it has passed."""
        if self._end is not None and self._loop.time() >= self._end:
            ids = list(waiting)
            raise ResultTimeout(f"{len(ids)} of the awaited tasks did not finish in time, the first is {ids[0]}. They go on; wait again.")


async def _finished(store: Store, ids: Sequence[TaskId], told: set[str]) -> list[Task]:
    """Those that are final, in the order in which they became so, looking at those that are ``told`` to be, or else at all.

    None while the store cannot be read. Raises UnknownTask.
    """
    try:
        if not told:
            await _check_stored(store, ids)
        return [_rows.task(row) for row in await store.rows("fetch_final", ids=list(told or ids))]
    except StoreUnavailable:
        return []


async def _check_stored(store: Store, ids: Sequence[TaskId]) -> None:
    stored = {id for (id,) in await store.rows("stored_ids", ids=ids)}
    unknown = [id for id in ids if id not in stored]
    if unknown:
        raise UnknownTask(unknown)
