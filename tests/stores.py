"""The kinds of store that tests run on, and an empty PostgreSQL store for each test that wants one."""

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import pytest

from queue_core import register_backend
from tests import deques

T = TypeVar("T")
LOCK_LIMIT: Final = "2s"
"""How long emptying and dropping wait for what an earlier test left open."""
KEPT: Final = {"migrations", "folded", "identity"}
"""Tables whose rows are the schema's own."""


def kinds(*names: str) -> list[Any]:
    """Parameters for a fixture or a test that runs on each of these kinds of store."""
    return [pytest.param(name, marks=pytest.mark.postgres) if name == "postgres" else name for name in names]


def url_of(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store of the kind that a fixture's parameter names. Whoever connects to it again reaches the same tasks."""
    match request.param:
        case "memory":
            return f"memory://{request.getfixturevalue('tmp_path')}"
        case "functions":
            register_backend("functions", deques.connect)
            return f"functions://{request.getfixturevalue('tmp_path')}"
        case "jsonfile":
            return f"jsonfile:///{request.getfixturevalue('tmp_path')}/tasks.jsonl"
        case "sqlite":
            return f"sqlite:///{request.getfixturevalue('tmp_path')}/tasks.db"
        case "postgres":
            return str(request.getfixturevalue("postgres_store"))
        case _:
            raise AssertionError(request.param)


EVERY_STORE: Final = kinds("memory", "functions", "jsonfile", "sqlite", "postgres")
"""Parameters for a fixture of what every store can do. A new backend is one more name here."""

ON_EVERY_SERVED_STORE: Final = pytest.mark.parametrize("store_url", kinds("sqlite", "postgres"), indirect=True)
"""Marks tests that show a board over ``store_url``, on every kind of store that several processes can share."""


class Schemas:
    """Where the tests of this process are in a PostgreSQL server: a schema that is emptied for test after test, and others that serve one test."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(time.time_ns())
        self._loop = asyncio.new_event_loop()
        self._connection = self._run(_connected(url))
        self._shared = self._new()
        self._stuck: list[str] = []

    def empty(self) -> str:
        """The URL of a store without anything in it. Its schema was made for an earlier test, which is far quicker than another migration."""
        import asyncpg

        try:
            self._run(self._sweep(self._shared))
        except asyncpg.LockNotAvailableError:  # an earlier test left a transaction open
            self._stuck.append(self._shared)
            self._shared = self._new()
        return self._at(self._shared)

    def fresh(self) -> str:
        """The URL of a store that nobody has opened yet. Give it to ``drop`` after the test."""
        return self._at(self._new())

    def drop(self, url: str) -> None:
        """Remove the schema that ``url`` names."""
        self._run(self._connection.execute(f'DROP SCHEMA IF EXISTS "{url.rpartition("schema=")[2]}" CASCADE'))

    def close(self) -> None:
        """Remove what is left, and disconnect."""
        for schema in (self._shared, *self._stuck):
            self.drop(self._at(schema))
        self._run(self._connection.close())
        self._loop.close()

    def _new(self) -> str:
        return f"t{os.getpid()}_{next(self._numbers)}"

    def _at(self, schema: str) -> str:
        return f"{self._url}{'&' if '?' in self._url else '?'}schema={schema}"

    async def _sweep(self, schema: str) -> None:
        """Delete all rows: with the few that a test leaves, that is ten times as quick as TRUNCATE. Writers must have gone."""
        found = await self._connection.fetch("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1", schema)
        tables = [f'"{schema}"."{row[0]}"' for row in found if row[0] not in KEPT]
        if tables:
            emptying = [f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE", *(f"DELETE FROM {table}" for table in tables)]
            await self._connection.execute("; ".join(emptying))

    def _run(self, answer: Awaitable[T]) -> T:
        return self._loop.run_until_complete(answer)


async def _connected(url: str) -> Any:
    import asyncpg

    return await asyncpg.connect(url, server_settings={"lock_timeout": LOCK_LIMIT})
