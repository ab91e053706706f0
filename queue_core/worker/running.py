"""The runs of a worker: who occupies its slots."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from queue_core.inject import Ending
from queue_core.task import Claim, Lease
from queue_core.worker.bell import Bell
from queue_core.worker.recipes import Recipe
from queue_core.worker.scribe import Journal, Scribe


class Run:
    """One attempt that this worker makes."""

    __slots__ = ("began", "begun", "claim", "ending", "extensions", "handled", "journal", "limit", "recipe", "scribe", "stuck", "task")

    def __init__(self, claim: Claim, recipe: Recipe, began: float) -> None:
        self.claim = claim
        self.recipe = recipe
        self.limit = claim.timeout or recipe.handler.timeout
        self.began = began
        self.begun = False
        """Whether its task has taken its first step. Cancelling it earlier would skip the step, and with it the ack."""
        self.ending: Ending | None = None
        self.handled = False
        """Whether its handler has returned. Known only of runs that go through middleware."""
        self.extensions: dict[type, Any] | None = None
        """What middleware adds to it; made when first asked for."""
        self.stuck = False
        """Whether it was given up while its thread went on."""
        self.task: asyncio.Task[None] | None = None
        self.scribe: Scribe | None = None
        """Who stores what it logs."""
        self.journal: Journal | None = None
        """What it logged; made with the first line."""

    @property
    def remaining(self) -> float | None:
        """Seconds until its time limit."""
        return None if self.limit is None else max(0.0, self.began + self.limit - perf_counter())

    def end(self, ending: Ending) -> None:
        """Cancel the handler. The first reason counts, except that a lost lease overrides all. Asking again cancels again."""
        if self.ending is None or ending is Ending.LOST:
            self.ending = ending
        if self.task is not None and self.begun:
            self.task.cancel()


class Running:
    """The runs of a worker by task id, and the count of its free slots."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._runs: dict[str, Run] = {}
        self._stuck = 0
        self._emptied = Bell()
        self._freed: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(list(self._runs.values()))

    @property
    def free(self) -> int:
        """How many more tasks can run now."""
        return self.capacity - len(self._runs) - self._stuck

    @property
    def occupied(self) -> int:
        """Slots in use: runs, and threads that could not be stopped."""
        return len(self._runs) + self._stuck

    def on_freed(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever a slot becomes free."""
        self._freed = listener

    def add(self, run: Run) -> None:
        """Take a slot."""
        self._runs[run.claim.lease.id] = run

    def remove(self, run: Run) -> None:
        """Free the slot of ``run``; if its thread goes on, it stays occupied until ``unstick``."""
        lease = run.claim.lease
        if self._runs.get(lease.id) is run:
            del self._runs[lease.id]
        if run.stuck:
            self._stuck += 1
        if not self._runs:
            self._emptied.ring()
        self._freed()

    def unstick(self) -> None:
        """A thread that had been given up has ended after all."""
        self._stuck -= 1
        self._freed()

    def find(self, lease: Lease) -> Run | None:
        """The run under ``lease``, if it is still going on."""
        run = self._runs.get(lease.id)
        return run if run is not None and run.claim.lease == lease else None

    def end_all(self, ending: Ending) -> None:
        """Cancel every run."""
        for run in list(self._runs.values()):
            run.end(ending)

    async def emptied(self, timeout: float | None) -> bool:
        """Wait until nothing runs, at most ``timeout`` seconds. Whether that is so."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while self._runs:
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return False
            await self._emptied.wait(left)
        return True
