"""What the tests that break PostgreSQL share: a database of their own, and somebody who looks on from outside."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from queue_core.backends.postgres.schema import qualified
from tests.core.steps import eventually

Connection = Any
"""An ``asyncpg.Connection``."""


class Outsider:
    """A connection of a superuser, that the store does not know of, to the database that holds the store at ``url``."""

    def __init__(self, connection: Connection, url: str, schema: str = "prinia") -> None:
        self.connection = connection
        self.url = url
        self.schema = schema
        self.database = urlsplit(url).path.strip("/")

    async def terminate(self, purpose: str = "%") -> int:
        """End the store's connections for a purpose, or all of them; how many there were."""
        ended = await self.connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE $1",
            f"prinia {purpose}",
        )
        return len(ended)

    async def count(self, purpose: str = "%") -> int:
        """How many connections the store has for a purpose, or at all."""
        return int(
            await self.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE $1", f"prinia {purpose}"
            )
        )

    async def is_blocked(self, purpose: str) -> bool:
        """Whether a statement of the store waits for a lock."""
        return bool(
            await self.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'",
                f"prinia {purpose}",
            )
        )

    @asynccontextmanager
    async def blocking(self, statement: str, *arguments: Any) -> AsyncIterator[None]:
        """Hold what ``statement`` locks; ``prinia_x`` is a table of the store."""
        async with self.connection.transaction():
            await self.execute(statement, *arguments)
            yield

    async def see_blocked(self, purpose: str) -> None:
        """Wait until a statement of the store waits for a lock."""
        await eventually(lambda: self.is_blocked(purpose), what=f"a blocked statement for {purpose}")

    async def execute(self, statement: str, *arguments: Any) -> None:
        """Do ``statement``; ``prinia_x`` is a table of the store."""
        await self.connection.execute(qualified(statement, self.schema), *arguments)

    async def value(self, query: str, *arguments: Any) -> Any:
        """What ``query`` returns; ``prinia_x`` is a table of the store."""
        return await self.connection.fetchval(qualified(query, self.schema), *arguments)

    async def is_in(self, id: str, status: str | None) -> bool:
        """Whether a task is in a state; None for one that is not stored."""
        return bool(await self.value("SELECT status FROM prinia_tasks WHERE id = $1", id) == status)


@asynccontextmanager
async def own_database(server: str, name: str = "") -> AsyncIterator[Outsider]:
    """A new database on the server at the URL ``server``, and somebody who looks on. All that happens to its connections concerns no other test."""
    name = name or f"d_{uuid.uuid4().hex}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    caretaker = await asyncpg.connect(server)
    try:
        await caretaker.execute(f'CREATE DATABASE "{name}"')
        connection = await asyncpg.connect(url)
        try:
            yield Outsider(connection, url)
        finally:
            connection.terminate()
            await caretaker.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await caretaker.close()
