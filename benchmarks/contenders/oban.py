"""Oban for Python: psycopg and uvloop, up to 1,000 tasks at a time, which is its fastest setting here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from oban import Job, Oban, Record
from oban.decorators import worker
from oban.schema import install
from suite.contender import NOTE, RESULT
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

LIMIT = 1_000


class ObanContender(OnPostgres):
    """Its own worker; results recorded."""

    note = "attempts counted, results kept; uvloop"
    drain_at_most = 5_000
    UVLOOP = True
    OPEN = "SELECT count(*) FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing', 'retryable')"
    FINISHED = Finished("oban_jobs", "state = 'completed'")

    async def install(self) -> None:
        async with await Oban.create_pool(self.url) as pool:
            await install(pool)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with await Oban.create_pool(self.url, min_size=10, max_size=10) as pool, Oban(pool=pool) as oban:
            noop = _noop(None)
            yield Client(
                lambda sent: oban.enqueue(noop.new({"sent": sent, "note": NOTE})),
                lambda tasks: oban.enqueue_many(noop.new({"sent": 0.0, "note": NOTE}) for _ in range(tasks)),
            )

    async def serve(self, trace: Trace) -> None:
        _noop(trace)
        async with await Oban.create_pool(self.url) as pool, Oban(pool=pool, queues={"default": LIMIT}):
            await asyncio.Event().wait()


def _noop(trace: Trace | None) -> Any:
    @worker(queue="default")
    class Noop:
        async def process(self, job: Job) -> Record:
            assert trace is not None
            trace.hit(job.args["sent"])
            return Record(RESULT)

    return Noop


CONTENDER = ObanContender
