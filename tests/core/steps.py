"""Small steps that the tests are told in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from queue_core import App, Status, Task, TaskHandle, Worker
from queue_core.task import Attempt

PATIENCE = 20.0
"""Seconds after which a test gives up on something that must happen."""


async def eventually(condition: Callable[[], bool | Awaitable[bool]], *, what: str = "the condition") -> None:
    """Wait until ``condition`` holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come true within {PATIENCE:g} s"
        await asyncio.sleep(0.005)


async def becomes(handle: TaskHandle[Any], *statuses: Status) -> Task:
    """Wait until the task is in one of ``statuses``."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (task := await handle.fetch()).status not in statuses:
        assert asyncio.get_running_loop().time() < deadline, f"the task is still {task.status}, not {statuses} ({task.error})"
        await asyncio.sleep(0.005)
    return task


async def attempts(app: App, handle: TaskHandle[Any]) -> list[Attempt]:
    return await app.expose.attempts(handle.id)


@asynccontextmanager
async def working(app: App, **options: Any) -> AsyncIterator[Worker]:
    """A worker that is quick to notice things."""
    quick: dict[str, Any] = {"stop_grace": 0.5, "shutdown_timeout": 5.0} | options
    async with app.running(**quick) as worker:
        yield worker
