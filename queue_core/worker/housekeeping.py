"""What every worker does for the store in passing: rescue, expire, prune."""

import logging
import random
from typing import Final

from queue_core.backend import Backend, Retention
from queue_core.worker.loop import Loop, Report

BETWEEN_BATCHES: Final = 0.05
"""Seconds between two batches of pruning, so that claims pass in between."""
_log = logging.getLogger("prinia.worker")


class Housekeeping:
    """The loops that need no task of their own."""

    def __init__(self, backend: Backend, *, rescue_every: float, every: float, retention: Retention, report: Report) -> None:
        self._backend = backend
        self._rescue_every, self._every = rescue_every, every
        self._retention = retention
        self._loops = [
            Loop("rescuer", self._rescue, report=report),
            Loop("expirer", self._expire, report=report),
            Loop("pruner", self._prune, report=report),
        ]

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.start()

    async def stop(self) -> None:
        """End; a round under way is finished first, if that takes no longer than a second."""
        for loop in self._loops:
            await loop.stop(grace=1.0)

    async def _rescue(self) -> float:
        rescued = await self._backend.rescue()
        if rescued.workers:
            _log.warning(
                "Took back the tasks of %s: %d wait again, %d are Killed.", ", ".join(rescued.workers), rescued.pending, rescued.killed
            )  # fmt: skip
        return _about(self._rescue_every)

    async def _expire(self) -> float:
        return BETWEEN_BATCHES if await self._backend.expire() else _about(self._every)

    async def _prune(self) -> float:
        return BETWEEN_BATCHES if await self._backend.prune(self._retention) else _about(self._every)


def _about(seconds: float) -> float:
    """Not all workers at once."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
