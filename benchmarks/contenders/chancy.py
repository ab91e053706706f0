"""Chancy with its executor for coroutines, up to 1,000 tasks at a time, looking for more as soon as one ends."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chancy import Chancy, Job, Queue, Worker
from suite.contender import NOTE, RESULT
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

LIMIT = 1_000
NOOP = "contenders.chancy.noop"

_trace: Trace | None = None


async def noop(sent: float, note: str) -> str:
    """The task; Chancy imports it by its name."""
    assert _trace is not None
    _trace.hit(sent)
    return RESULT


class ChancyContender(OnPostgres):
    """Its own worker; it stores what has finished once a second."""

    note = "no results; stores what has finished once a second, so a crash runs up to a second's tasks again"
    drain_at_most = 4_000
    OPEN = "SELECT count(*) FROM chancy_jobs WHERE state NOT IN ('succeeded', 'failed')"
    FINISHED = Finished("chancy_jobs", "state = 'succeeded'", {"id": "gen_random_uuid()"})

    def chancy(self) -> Chancy:
        """The application."""
        return Chancy(self.url, min_connection_pool_size=10, log=logging.getLogger("chancy"))

    async def install(self) -> None:
        async with self.chancy() as chancy:
            await chancy.migrate()
            await chancy.declare(Queue("default", concurrency=LIMIT, executor=Chancy.Executor.Async, eager_polling=True))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with self.chancy() as chancy:

            async def push_many(tasks: int) -> None:
                async for _ in chancy.push_many([_job(0.0)] * tasks):
                    pass

            yield Client(lambda sent: chancy.push(_job(sent)), push_many)

    async def serve(self, trace: Trace) -> None:
        global _trace
        _trace = trace
        async with self.chancy() as chancy, Worker(chancy) as worker:
            await worker.wait_for_shutdown()


def _job(sent: float) -> Job:
    return Job(func=NOOP, kwargs={"sent": sent, "note": NOTE})


CONTENDER = ChancyContender
