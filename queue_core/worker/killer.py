"""Ends runs whose task somebody asked to kill."""

import asyncio
from typing import Final

from queue_core.backend import Backend
from queue_core.ids import BootId
from queue_core.inject import Ending
from queue_core.worker.loop import Loop, Report
from queue_core.worker.running import Running

APART: Final = 0.1
"""Seconds between two looks, because every push rings for one."""


class Killer:
    """Asks the store for kill requests when something rang, and cancels their handlers."""

    def __init__(self, backend: Backend, boot: BootId, running: Running, *, report: Report) -> None:
        self._backend, self._boot, self._running = backend, boot, running
        self._loop = Loop("killer", self._round, report=report)
        self.start = self._loop.start
        self.stop = self._loop.stop

    def look(self) -> None:
        """There may be a kill request."""
        if len(self._running):
            self._loop.wake()

    async def _round(self) -> float | None:
        if not len(self._running):
            return None
        for lease in await self._backend.kill_requests(self._boot):
            if run := self._running.find(lease):
                run.end(Ending.KILLED)
        await asyncio.sleep(APART)
        return None
