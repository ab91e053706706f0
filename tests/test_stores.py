"""Each test gets a PostgreSQL store without anything in it, whatever the one before it left."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from queue_core.backends.postgres.address import address_of
from queue_core.conformance.helpers import done, listed, registered
from queue_core.expose import connect
from tests.stores import Schemas


@pytest.fixture
def schemas(pg_url: str) -> Iterator[Schemas]:
    schemas = Schemas(pg_url)
    yield schemas
    schemas.close()


async def use(url: str) -> None:
    """Expect nothing in the store, and leave something."""
    connected = connect(url)
    await connected.backend.open()
    assert await listed(connected) == [] == await connected.expose.list_workers()
    assert await connected.expose.counts() == {} and await connected.expose.list_queues() == []
    await registered(connected)
    await done(connected)
    await connected.backend.close()


def test_nothing_of_one_test_reaches_the_next(schemas: Schemas) -> None:
    first = schemas.empty()
    asyncio.run(use(first))
    second = schemas.empty()
    asyncio.run(use(second))
    assert first == second


def test_a_transaction_that_a_test_left_open_holds_up_nobody(schemas: Schemas) -> None:
    url = schemas.empty()
    asyncio.run(use(url))
    address = address_of(url)
    with asyncio.Runner() as careless:
        connection = careless.run(asyncpg.connect(address.dsn))
        careless.run(connection.execute(f"BEGIN; DELETE FROM {address.schema}.tasks"))
        asyncio.run(use(schemas.empty()))
        careless.run(connection.close())
