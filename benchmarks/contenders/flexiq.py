"""FlexiQ on SQLite. The variant ``tuned`` lets its scheduler look every 5 ms and take 100 tasks a round instead of one every 50 ms."""

import time
from collections.abc import Callable

from flexiq import Queue
from flexiq.task import TaskWrapper
from suite.contender import NOTE, RESULT, Contender
from suite.trace import Trace


class Flexiq(Contender):
    """Its own worker, asynchronous handler, up to 100 at a time."""

    durability = "NORMAL"
    note = "retries, results and attempts kept"
    drain_at_most = 2_000

    def queue(self, trace: Trace | None = None) -> tuple[Queue, TaskWrapper]:
        """The queue of this folder and its one task."""
        tuned = {"scheduler_poll_interval_ms": 5, "scheduler_batch_size": 100} if self.variant == "tuned" else {}
        queue = Queue(db_path=str(self.folder / "flexiq.db"), **tuned)

        @queue.task(name="noop")
        async def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        return queue, noop

    def push_one(self, tasks: int) -> float:
        (_, noop), since = self.queue(), time.perf_counter()
        for _ in range(tasks):
            noop.delay(0.0, NOTE)
        return time.perf_counter() - since

    def push_bulk(self, tasks: int) -> float:
        (queue, _), since = self.queue(), time.perf_counter()
        queue.enqueue_many("noop", [(0.0, NOTE)] * tasks)
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        queue, _ = self.queue()
        return lambda: queue.stats()["completed"]

    def work(self, trace: Trace) -> None:
        queue, _ = self.queue(trace)
        queue.run_worker()

    def pusher(self) -> Callable[[float], object]:
        _, noop = self.queue()
        return lambda sent: noop.delay(sent, NOTE)


CONTENDER = Flexiq
