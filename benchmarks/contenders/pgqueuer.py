"""PgQueuer on asyncpg and uvloop, 500 tasks to a batch, which is its fastest setting here."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import AsyncpgPoolDriver, PgQueuer, Queries
from pgqueuer.models import Job
from suite.contender import payload
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

BATCH = 500


class PgQueuerContender(OnPostgres):
    """Moves a finished task's row from its queue to its log."""

    note = "no results; finished tasks are moved to a log, their arguments dropped; uvloop"
    UVLOOP = True
    OPEN = "SELECT count(*) FROM pgqueuer"
    FINISHED = Finished("pgqueuer_log", "status = 'successful'", {"aggregated": "true"})

    async def install(self) -> None:
        async with asyncpg.create_pool(self.url) as pool:
            await Queries(AsyncpgPoolDriver(pool)).install()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with asyncpg.create_pool(self.url, min_size=10, max_size=10) as pool:
            queries = Queries(AsyncpgPoolDriver(pool))
            body = payload(0.0).encode()
            yield Client(
                lambda sent: queries.enqueue("noop", payload(sent).encode()),
                lambda tasks: queries.enqueue(["noop"] * tasks, [body] * tasks, [0] * tasks),
            )

    async def serve(self, trace: Trace) -> None:
        async with asyncpg.create_pool(self.url) as pool:
            queue = PgQueuer.from_asyncpg_pool(pool)

            @queue.entrypoint("noop")
            async def noop(job: Job) -> None:
                trace.hit(json.loads(job.payload or b"")["sent"])

            await queue.run(batch_size=BATCH)


CONTENDER = PgQueuerContender
