"""The time limits of all runs, watched by one timer."""

import asyncio
import time
from typing import Final

from queue_core.inject import Ending
from queue_core.worker.running import Run

INSIST: Final = 5.0
"""Seconds after which a handler that swallowed its cancellation is cancelled again."""


class Deadlines:
    """Ends runs that exceed their limit. There are never more than slots, so the earliest is found by looking at all."""

    def __init__(self) -> None:
        self._due: dict[Run, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed = float("inf")

    def add(self, run: Run, limit: float) -> None:
        """End ``run`` in ``limit`` seconds, unless it is discarded before."""
        due = time.monotonic() + limit
        self._due[run] = due
        if due < self._armed:
            self._arm(due)

    def discard(self, run: Run) -> None:
        """Forget ``run``. The timer stays: an early look costs less than moving it for every task."""
        self._due.pop(run, None)

    def close(self) -> None:
        """Stop watching."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - time.monotonic()), self._look)

    def _look(self) -> None:
        self._armed, self._timer = float("inf"), None
        now = time.monotonic()
        for run, due in self._due.items():
            if due <= now:
                self._due[run] = now + INSIST
                run.end(Ending.TIMEOUT)
        if self._due:
            self._arm(min(self._due.values()))
