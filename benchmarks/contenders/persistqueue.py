"""persist-queue: SQLiteAckQueue. No handlers, retries or results: its worker here is a loop of get and ack."""

import sqlite3
import time
from collections.abc import Callable

from persistqueue import SQLiteAckQueue
from persistqueue.exceptions import Empty
from suite.contender import NOTE, Contender
from suite.trace import Trace

POLL = 0.005


class PersistQueue(Contender):
    """Its own calls; it hears of other processes' tasks only by asking, so the waiting between two looks is ours."""

    durability = "FULL"
    note = "no handlers, retries, results or wake-up across processes: a loop that gets, acks, and looks again after 5 ms"
    drain_at_most = 5_000

    def queue(self) -> SQLiteAckQueue:
        """The queue of this folder."""
        return SQLiteAckQueue(str(self.folder / "persist"), multithreading=True)

    def push_one(self, tasks: int) -> float:
        queue, since = self.queue(), time.perf_counter()
        for _ in range(tasks):
            queue.put({"sent": 0.0, "note": NOTE})
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        connection = sqlite3.connect(self.folder / "persist" / "data.db")
        return lambda: connection.execute("SELECT count(*) FROM ack_queue_default WHERE status = 5").fetchone()[0]

    def work(self, trace: Trace) -> None:
        queue = self.queue()
        while True:
            try:
                item = queue.get(block=False, raw=True)
            except Empty:
                time.sleep(POLL)
                continue
            trace.hit(item["data"]["sent"])
            queue.ack(id=item["pqid"])

    def pusher(self) -> Callable[[float], object]:
        queue = self.queue()
        return lambda sent: queue.put({"sent": sent, "note": NOTE})


CONTENDER = PersistQueue
