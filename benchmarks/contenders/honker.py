"""Honker: a queue as an SQLite extension. Its own worker with 100 loops; results kept."""

import asyncio
import sqlite3
import time
from collections.abc import Callable

import honker
from suite.contender import NOTE, RESULT, Contender
from suite.trace import Trace

FINISHED = "SELECT (SELECT count(*) FROM _honker_results) - (SELECT count(*) FROM _honker_live WHERE state = 'processing')"
"""It stores the result first and acknowledges then."""


class Honker(Contender):
    """Its own worker; each of its loops claims one task at a time."""

    durability = "NORMAL"
    note = "results kept"
    drain_at_most = 3_000

    def database(self) -> "honker.Database":
        """The database of this folder."""
        return honker.open(str(self.folder / "honker.db"))

    def tasks(self, trace: Trace | None = None) -> tuple["honker.Database", Callable[[float, str], object]]:
        """The database and its one task; calling that pushes."""
        database = self.database()

        @database.task("default", name="noop")
        async def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        return database, noop

    def push_one(self, tasks: int) -> float:
        (_, noop), since = self.tasks(), time.perf_counter()
        for _ in range(tasks):
            noop(0.0, NOTE)
        return time.perf_counter() - since

    def push_bulk(self, tasks: int) -> float:
        (database, _), since = self.tasks(), time.perf_counter()
        task = {"__honker_task__": {"task": "noop", "args": [0.0, NOTE], "kwargs": {}}}  # what calling the task stores
        with database.transaction() as transaction:
            for _ in range(tasks):
                database.queue("default").enqueue(task, tx=transaction)
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        connection = sqlite3.connect(self.folder / "honker.db")
        return lambda: connection.execute(FINISHED).fetchone()[0]

    def work(self, trace: Trace) -> None:
        database, _ = self.tasks(trace)
        asyncio.run(database.run_workers(concurrency=100))

    def pusher(self) -> Callable[[float], object]:
        _, noop = self.tasks()
        return lambda sent: noop(sent, NOTE)


CONTENDER = Honker
