"""The store is made once, by whoever comes first and may, and in a database that can hold it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from queue_core import App
from queue_core.backends._statements import migrations
from queue_core.backends.postgres import schema
from queue_core.backends.postgres.address import Address
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.expose import connect
from queue_core.task import DEFAULT_QUEUE
from tests.backends.postgres import connected, migrated
from tests.core.steps import PATIENCE, working
from tests.stores import Schemas

pytestmark = pytest.mark.postgres
AT_ONCE = 10
ROUNDS = 20


async def test_of_many_that_start_at_once_on_an_empty_database_one_makes_the_store(pg_schemas: Schemas, pg_url: str) -> None:
    for _ in range(ROUNDS):
        url = pg_schemas.fresh()
        stores = [connect(url) for _ in range(AT_ONCE)]
        await asyncio.gather(*(store.backend.open() for store in stores))
        await asyncio.gather(*(store.backend.close() for store in stores))
        connection = await asyncpg.connect(pg_url)
        name = url.rpartition("=")[2]
        numbers = [row[0] for row in await connection.fetch(f'SELECT number FROM "{name}".migrations ORDER BY number')]
        await connection.execute(f'DROP SCHEMA "{name}" CASCADE')
        await connection.close()
        assert numbers == [number for number, _, _ in migrations("postgres")]


@asynccontextmanager
async def role(pg_url: str, grants: str) -> AsyncIterator[tuple[str, str]]:
    """The URL of a new schema name for a role that is no superuser and has ``grants`` (``{role}``, ``{schema}``, ``{database}``), and the name."""
    name = f"r_{uuid.uuid4().hex[:16]}"
    parts = urlsplit(pg_url)
    caretaker: Any = await asyncpg.connect(pg_url)
    database = await caretaker.fetchval("SELECT current_database()")
    await caretaker.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    try:
        await caretaker.execute(grants.format(role=name, schema=name, database=f'"{database}"'))
        place = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{name}:secret@{place}", query=f"schema={name}").geturl(), name
    finally:
        await caretaker.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
        await caretaker.close()


async def runs_a_task(url: str) -> None:
    async with App(url) as app:

        @app.task
        async def work(number: int) -> int:
            return number

        async with working(app):
            assert await (await work.push(1)).result(timeout=PATIENCE) == 1
        assert (await app.expose.counts())[DEFAULT_QUEUE].done == 1


@pytest.mark.parametrize("grants", ["GRANT CREATE ON DATABASE {database} TO {role}", "CREATE SCHEMA {schema} AUTHORIZATION {role}"])
async def test_a_role_that_may_make_its_schema_or_owns_it_can_do_all(pg_url: str, grants: str) -> None:
    async with role(pg_url, grants) as (url, _):
        await runs_a_task(url)


USE = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}
"""


async def test_a_role_that_may_only_use_a_store_that_others_made_can_do_all(pg_url: str) -> None:
    async with role(pg_url, "SELECT") as (url, name):
        await _made(f"{pg_url}?schema={name}")
        caretaker: Any = await asyncpg.connect(pg_url)
        await caretaker.execute(USE.format(role=name, schema=name))
        await caretaker.close()
        await runs_a_task(url)


async def test_a_role_that_may_not_make_the_store_is_told_who_may(pg_url: str) -> None:
    async with role(pg_url, "SELECT") as (url, name):
        with pytest.raises(InvalidValue, match=f"is not there, and {name} may not make it") as caught:
            await connect(url).backend.open()
    assert "prinia migrate" in str(caught.value)
    assert f'CREATE SCHEMA "{name}" AUTHORIZATION "{name}"' in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_role_that_may_not_bring_the_store_up_to_date_is_told_who_may(pg_url: str) -> None:
    async with role(pg_url, "SELECT") as (url, name):
        await _made(f"{pg_url}?schema={name}")
        caretaker: Any = await asyncpg.connect(pg_url)
        await caretaker.execute(f"{USE.format(role=name, schema=name)}; DELETE FROM {name}.migrations WHERE number > 1")
        owner = await caretaker.fetchval("SELECT current_user")
        await caretaker.close()
        with pytest.raises(InvalidValue, match=f"{owner} owns the schema {name}. Let that role run: prinia migrate") as caught:
            await connect(url).backend.open()
    assert f"{name} may not change that" in str(caught.value)


async def _made(url: str) -> None:
    store = connect(url)
    await store.backend.open()
    await store.backend.close()


class Old:
    """A server of another age, or another encoding."""

    def __init__(self, version: int, encoding: str) -> None:
        self._row = version, encoding

    async def fetchrow(self, _query: str) -> tuple[int, str]:
        return self._row


@pytest.mark.parametrize(
    ("version", "encoding", "words"), [(120_022, "UTF8", "must be at least version 13, and the server of .* is 12"), (160_000, "LATIN1", "in LATIN1")]
)
async def test_a_server_that_cannot_hold_the_store_is_refused(version: int, encoding: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        await schema.migrate(Old(version, encoding), Address("postgresql://host/database"))


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_in_another_encoding_is_refused(pg_url: str, encoding: str) -> None:
    name = f"d_{uuid.uuid4().hex}"
    caretaker: Any = await asyncpg.connect(pg_url)
    await caretaker.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        with pytest.raises(InvalidValue, match=f"must be encoded in UTF8, and it is in {encoding}"):
            await connect(urlsplit(pg_url)._replace(path=f"/{name}").geturl()).backend.open()
    finally:
        await caretaker.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await caretaker.close()


async def test_a_store_whose_schema_was_dropped_says_so(pg_schemas: Schemas) -> None:
    url = pg_schemas.fresh()
    store = connect(url)
    await store.backend.open()
    connection: Any = await asyncpg.connect(url.partition("?")[0])
    await connection.execute(f'DROP SCHEMA "{url.rpartition("=")[2]}" CASCADE')
    await connection.close()
    with pytest.raises(StoreUnavailable, match="Open it again"):
        await store.expose.counts()
    await store.backend.close()


def test_tasks_have_eight_indexes_and_all_but_the_one_of_lists_hold_some_tasks_only(pg_url: str) -> None:
    with migrated(pg_url) as address:
        indexes = asyncio.run(_indexes_of_tasks(address))
    assert len(indexes) == 8
    assert [name for name, sql in indexes.items() if " WHERE " not in sql] == ["tasks_list"]


async def _indexes_of_tasks(address: Address) -> dict[str, str]:
    """Those beside the keys of the table itself."""
    async with connected(address) as connection:
        found = await connection.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = 'tasks'", address.schema)
        kept = await connection.fetch("SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass", f"{address.schema}.tasks")
    return {name: sql for name, sql in found if name not in {row[0] for row in kept}}
