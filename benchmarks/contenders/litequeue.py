"""litequeue: a queue in one SQLite file. No handlers, retries or results: its worker here is a loop of pop and done."""

import json
import sqlite3
import time
from collections.abc import Callable

from litequeue import LiteQueue, MessageStatus
from suite.contender import Contender, payload
from suite.trace import Trace

POLL = 0.005


class Litequeue(Contender):
    """Its own calls; the waiting between two looks is ours, because it has none."""

    durability = "NORMAL"
    note = "no handlers, retries, results or wake-up: a loop that pops, marks done, and looks again after 5 ms"

    def queue(self) -> LiteQueue:
        """The queue of this folder."""
        return LiteQueue(self.folder / "litequeue.db")

    def push_one(self, tasks: int) -> float:
        queue, since = self.queue(), time.perf_counter()
        for _ in range(tasks):
            queue.put(payload(0.0))
        return time.perf_counter() - since

    def push_bulk(self, tasks: int) -> float:
        queue, since = self.queue(), time.perf_counter()
        with queue.transaction(mode="IMMEDIATE"):
            for _ in range(tasks):
                queue.put(payload(0.0))
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        connection = sqlite3.connect(self.folder / "litequeue.db")
        done = int(MessageStatus.DONE.value)
        return lambda: connection.execute("SELECT count(*) FROM Queue WHERE status = ?", (done,)).fetchone()[0]

    def work(self, trace: Trace) -> None:
        queue = self.queue()
        while True:
            message = queue.pop()
            if message is None:
                time.sleep(POLL)
                continue
            trace.hit(json.loads(message.data)["sent"])
            queue.done(message.message_id, claim_id=message.claim_id)

    def pusher(self) -> Callable[[float], object]:
        queue = self.queue()
        return lambda sent: queue.put(payload(sent))


CONTENDER = Litequeue
