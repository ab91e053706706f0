"""Prinia, through its public interface: ``App``, ``@app.task``, ``push``. The variant ``NORMAL`` is its option of that name."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from suite.contender import NOTE, RESULT, Contender
from suite.trace import Trace

from queue_core import App, TaskDefinition

CONCURRENCY = 100
FILE = "prinia.db"


class Prinia(Contender):
    """Attempts, retries, results, leases and counters all recorded: nothing is turned off."""

    note = "everything recorded: attempts, results, leases, counters, rollups; one worker process, 100 at a time"

    def __init__(self, folder: Path, variant: str = "") -> None:
        super().__init__(folder, variant)
        self.durability = variant or "FULL"

    def store(self) -> App:
        """An app on the store of this folder."""
        return App(f"sqlite:///{self.folder / FILE}", synchronous=self.durability.lower())

    def app(self, trace: Trace | None = None) -> tuple[App, TaskDefinition[[float, str], str]]:
        """That app and its one task."""
        app = self.store()

        @app.task(name="noop")
        async def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        return app, noop

    def push_one(self, tasks: int) -> float:
        return asyncio.run(self._push(tasks, 1))

    def push_callers(self, tasks: int, callers: int) -> float:
        return asyncio.run(self._push(tasks, callers))

    def push_bulk(self, tasks: int) -> float:
        return asyncio.run(self._push_bulk(tasks))

    def fill(self, tasks: int) -> None:
        for start in range(0, tasks, 10_000):
            self.push_bulk(min(10_000, tasks - start))

    def finished(self) -> Callable[[], int]:
        loop = asyncio.new_event_loop()
        app, _ = self.app()
        loop.run_until_complete(app.open())
        return lambda: sum(counts.done for counts in loop.run_until_complete(app.expose.counts()).values())

    def work(self, trace: Trace) -> None:
        asyncio.run(self._work(trace))

    def pusher(self) -> Callable[[float], object]:
        loop = asyncio.new_event_loop()
        app, noop = self.app()
        loop.run_until_complete(app.open())
        return lambda sent: loop.run_until_complete(noop.push(sent, NOTE))

    async def _push(self, tasks: int, callers: int) -> float:
        app, noop = self.app()

        async def caller() -> None:
            for _ in range(tasks // callers):
                await noop.push(0.0, NOTE)

        async with app:
            since = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(callers)))
            return time.perf_counter() - since

    async def _push_bulk(self, tasks: int) -> float:
        app, noop = self.app()
        async with app:
            since = time.perf_counter()
            await noop.push_many({"sent": 0.0, "note": NOTE} for _ in range(tasks))
            return time.perf_counter() - since

    async def _work(self, trace: Trace) -> None:
        app, _ = self.app(trace)
        async with app:
            await app.work(concurrency=CONCURRENCY)


CONTENDER = Prinia
