"""Carries what waits in batches: while one is under way the next one gathers, so that many callers share one round trip and one commit."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Courier(Generic[T]):
    """Calls ``carry`` with what was posted, one batch at a time.

    ``carry`` takes what it wants from the left of the queue, at least one, and raises nothing.
    """

    def __init__(self, carry: "Callable[[deque[T]], Awaitable[None]]") -> None:
        self._carry = carry
        self._waiting: deque[T] = deque()
        self._walking: asyncio.Task[None] | None = None

    def post(self, item: T) -> None:
        """Carry ``item`` with the next batch."""
        self._waiting.append(item)
        if self._walking is None:
            self._walking = asyncio.get_running_loop().create_task(self._walk())

    async def close(self) -> None:
        """Wait until everything is carried."""
        while self._walking is not None:
            await asyncio.wait([self._walking])

    async def _walk(self) -> None:
        try:
            while self._waiting:
                await self._carry(self._waiting)
        finally:
            self._walking = None
