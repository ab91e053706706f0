"""SAQ on PostgreSQL, 100 tasks at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Worker
from saq.queue.postgres import PostgresQueue
from suite.contender import NOTE, RESULT
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

CONCURRENCY = 100


class Saq(OnPostgres):
    """Its own worker; results kept for ten minutes, which is its default."""

    note = "results kept"
    drain_at_most = 1_000
    OPEN = "SELECT count(*) FROM saq_jobs WHERE status IN ('new', 'queued', 'active')"
    FINISHED = Finished("saq_jobs", "status = 'complete'", {"key": "key || '-' || copy"})

    async def install(self) -> None:
        async with self.client():
            pass

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        queue = PostgresQueue.from_url(self.url, min_size=10)
        await queue.connect()
        try:
            yield Client(lambda sent: queue.enqueue("noop", sent=sent, note=NOTE))
        finally:
            await queue.disconnect()

    async def serve(self, trace: Trace) -> None:
        async def noop(context: dict[str, Any], *, sent: float, note: str) -> str:
            trace.hit(sent)
            return RESULT

        queue = PostgresQueue.from_url(self.url)
        await queue.connect()
        await Worker(queue, functions=[("noop", noop)], concurrency=CONCURRENCY).start()


CONTENDER = Saq
