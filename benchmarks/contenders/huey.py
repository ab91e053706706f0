"""Huey on SQLite, with results, made durable by ``fsync=True``. One worker thread, which is its fastest setting here.

The variant ``fast`` looks for tasks every 5 ms, where Huey by default waits 0.1 s and then longer and longer, up to 10 s.
"""

import sqlite3
import time
from collections.abc import Callable

from huey import SqliteHuey
from huey.api import TaskWrapper
from suite.contender import NOTE, RESULT, Contender
from suite.trace import Trace


class Huey(Contender):
    """Deletes a task when it hands it out: a crash loses it, which none of the others do."""

    durability = "FULL"
    note = "at most once: the row is deleted when a task is handed out; keeps results"

    def queue(self, trace: Trace | None = None) -> tuple[SqliteHuey, TaskWrapper]:
        """The queue of this folder and its one task."""
        huey = SqliteHuey("bench", filename=str(self.folder / "huey.db"), fsync=True, results=True)

        @huey.task()
        def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        return huey, noop

    def push_one(self, tasks: int) -> float:
        (_, noop), since = self.queue(), time.perf_counter()
        for _ in range(tasks):
            noop(0.0, NOTE)
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        connection = sqlite3.connect(self.folder / "huey.db")
        return lambda: connection.execute("SELECT count(*) FROM kv").fetchone()[0]

    def work(self, trace: Trace) -> None:
        huey, _ = self.queue(trace)
        waits = {"initial_delay": 0.005, "max_delay": 0.005} if self.variant == "fast" else {}
        huey.create_consumer(workers=1, worker_type="thread", periodic=False, **waits).run()

    def pusher(self) -> Callable[[float], object]:
        _, noop = self.queue()
        return lambda sent: noop(sent, NOTE)


CONTENDER = Huey
