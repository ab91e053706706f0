"""Procrastinate on psycopg, 20 tasks at a time; more are no faster here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from procrastinate import App, PsycopgConnector
from procrastinate.tasks import Task
from suite.contender import NOTE, RESULT
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

CONCURRENCY = 20


class Procrastinate(OnPostgres):
    """Its own worker; an event for each change of a task is kept."""

    note = "no results; events of each task kept"
    drain_at_most = 1_000
    OPEN = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    FINISHED = Finished("procrastinate_jobs", "status = 'succeeded'")

    def app(self, trace: Trace | None = None) -> tuple[App, Task]:
        """The application and its one task."""
        app = App(connector=PsycopgConnector(conninfo=self.url, min_size=10, max_size=10))

        @app.task(name="noop")
        async def noop(sent: float, note: str) -> str:
            assert trace is not None
            trace.hit(sent)
            return RESULT

        return app, noop

    async def install(self) -> None:
        app, _ = self.app()
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        app, noop = self.app()
        async with app.open_async():
            yield Client(
                lambda sent: noop.defer_async(sent=sent, note=NOTE),
                lambda tasks: noop.batch_defer_async(*({"sent": 0.0, "note": NOTE} for _ in range(tasks))),
            )

    async def serve(self, trace: Trace) -> None:
        app, _ = self.app(trace)
        async with app.open_async():
            await app.run_worker_async(concurrency=CONCURRENCY)


CONTENDER = Procrastinate
