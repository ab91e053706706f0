"""qler: an asynchronous queue on SQLite. 50 tasks at a time; it looks for new ones once a second by default."""

import asyncio
import sqlite3
import time
from collections.abc import Callable

import qler
from suite.contender import NOTE, RESULT, Contender
from suite.trace import Trace


class Qler(Contender):
    """Its own worker; results and attempts kept."""

    durability = "NORMAL"
    note = "results and attempts kept"
    drain_at_most = 1_000

    def queue(self, trace: Trace | None = None) -> tuple[qler.Queue, "qler.task.TaskWrapper"]:
        """The queue of this folder and its one task."""
        queue = qler.Queue(str(self.folder / "qler.db"))

        async def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        noop.__qualname__ = "noop"  # it refuses functions that were made inside others
        return queue, qler.task(queue)(noop)

    def push_one(self, tasks: int) -> float:
        return asyncio.run(self._push(tasks, 1))

    def push_callers(self, tasks: int, callers: int) -> float:
        return asyncio.run(self._push(tasks, callers))

    def push_bulk(self, tasks: int) -> float:
        return asyncio.run(self._push_bulk(tasks))

    def finished(self) -> Callable[[], int]:
        connection = sqlite3.connect(self.folder / "qler.db")
        return lambda: connection.execute("SELECT count(*) FROM qler_jobs WHERE status = 'completed'").fetchone()[0]

    def work(self, trace: Trace) -> None:
        queue, _ = self.queue(trace)
        asyncio.run(qler.Worker(queue, concurrency=50).run())

    def pusher(self) -> Callable[[float], object]:
        loop = asyncio.new_event_loop()
        queue, noop = self.queue()
        loop.run_until_complete(queue.init_db())
        return lambda sent: loop.run_until_complete(noop.enqueue(sent, NOTE))

    async def _push(self, tasks: int, callers: int) -> float:
        queue, noop = self.queue()
        await queue.init_db()

        async def caller() -> None:
            for _ in range(tasks // callers):
                await noop.enqueue(0.0, NOTE)

        since = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        elapsed = time.perf_counter() - since
        await queue.close()
        return elapsed

    async def _push_bulk(self, tasks: int) -> float:
        queue, noop = self.queue()
        await queue.init_db()
        since = time.perf_counter()
        await noop.enqueue_many([(0.0, NOTE)] * tasks)
        elapsed = time.perf_counter() - since
        await queue.close()
        return elapsed


CONTENDER = Qler
