"""Work beside the tasks, which a worker waits for when it stops."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable
from typing import Any

from queue_core.errors import InvalidValue, WorkerStateError
from queue_core.worker.bell import Bell

_log = logging.getLogger("prinia.worker")


class SideWork:
    """What was handed to ``track``. What fails is logged; what does not end in time is cancelled, and logged too."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._going_on: set[asyncio.Future[Any]] = set()
        self._ended = Bell()
        self._open = False

    def __len__(self) -> int:
        return len(self._going_on)

    def begin(self) -> None:
        """Take work from now on."""
        self._open = True

    def track(self, work: Awaitable[Any]) -> None:
        """Take care of ``work``. Raises InvalidValue for what cannot be awaited, WorkerStateError when the worker has ended."""
        if not inspect.isawaitable(work):
            raise InvalidValue(f"track takes a coroutine, a task or a future, got {work!r}. Call the async function: track(follow_up(…)).")
        if not self._open:
            _discard(work)
            raise WorkerStateError(f"Worker {self._worker} does not run, so nobody would wait for this work. Track it while the worker runs.")
        future = asyncio.ensure_future(_carried_out(work, self._worker))
        self._going_on.add(future)
        future.add_done_callback(lambda _: self._end(future, work))

    async def finished(self, timeout: float) -> bool:
        """Wait until nothing goes on, at most ``timeout`` seconds. Whether that is so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._going_on and (left := deadline - loop.time()) > 0:
            await self._ended.wait(left)
        return not self._going_on

    def cancel(self) -> None:
        """Cancel what goes on."""
        for future in list(self._going_on):
            future.cancel()

    async def close(self, *, grace: float) -> None:
        """Take no more, cancel what goes on, and give it ``grace`` seconds to end."""
        self._open = False
        if self._going_on:
            _log.warning("Worker %s stops, and cancels side work that goes on: %d of it.", self._worker, len(self))
        self.cancel()
        if not await self.finished(grace):
            _log.error(
                "Side work outlives worker %s, because it did not end within %g s of being cancelled: %d of it.", self._worker, grace, len(self)
            )

    def _end(self, future: "asyncio.Future[Any]", work: Awaitable[Any]) -> None:
        self._going_on.discard(future)
        _discard(work)
        if not self._going_on:
            self._ended.ring()


async def _carried_out(work: Awaitable[Any], worker: str) -> None:
    try:
        await work
    except Exception as error:
        _log.error("Side work of worker %s failed: %s: %s", worker, type(error).__name__, error, exc_info=error)
    except SystemExit as error:  # raised in a task it would end the whole program
        _log.error("Side work of worker %s asked the program to exit with %s, which the worker does not pass on.", worker, error.code)


def _discard(work: Awaitable[Any]) -> None:
    if inspect.iscoroutine(work):
        work.close()  # cancelled before its first step; of no effect on one that has ended
