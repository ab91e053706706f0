"""Prinia on PostgreSQL, as on SQLite but for the address. The variant ``uvloop`` runs the worker on uvloop, as the command ``prinia worker`` does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from suite.contender import NOTE
from suite.on_postgres import Client, Pusher, run
from suite.trace import Trace

from contenders.prinia import Prinia
from queue_core import App


class PriniaOnPostgres(Prinia):
    """Attempts, retries, results, leases and counters all recorded: nothing is turned off."""

    def __init__(self, folder: Path, variant: str = "") -> None:
        super().__init__(folder, variant)
        self.durability = ""

    def store(self) -> App:
        assert self.postgres is not None
        return App(self.postgres.url)

    def left(self, tasks: int) -> Callable[[], int]:
        loop = asyncio.new_event_loop()
        app, _ = self.app()
        loop.run_until_complete(app.open())

        def count() -> int:
            return sum(each.pending + each.queued + each.running for each in loop.run_until_complete(app.expose.counts()).values())

        return count

    def pusher(self) -> Callable[[float], object]:
        return Pusher(self.client())

    def work(self, trace: Trace) -> None:
        run(self._work(trace), uvloop=self.variant == "uvloop")

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open it for pushing."""
        app, noop = self.app()
        async with app:
            yield Client(lambda sent: noop.push(sent, NOTE))


CONTENDER = PriniaOnPostgres
