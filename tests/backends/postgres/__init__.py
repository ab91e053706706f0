"""A schema of its own in the test's server, for tests that speak to PostgreSQL below the store."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.schema import migrate

STEERING = {"enable_seqscan": "off", "jit": "off"}
"""What the store sets on its connections."""


@contextmanager
def migrated(url: str) -> Iterator[Address]:
    """The address of a fresh store without tasks."""
    address = Address(url, f"t_{uuid.uuid4().hex}")
    asyncio.run(_prepare(address))
    yield address
    asyncio.run(_drop(address))


async def _prepare(address: Address) -> None:
    async with connected(address) as connection:
        await migrate(connection, address)


async def _drop(address: Address) -> None:
    async with connected(address) as connection:
        await connection.execute(f'DROP SCHEMA "{address.schema}" CASCADE')


@asynccontextmanager
async def connected(address: Address, **settings: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A connection as the store has them, with more ``settings`` of the server's."""
    connection = await asyncpg.connect(address.dsn, server_settings={**STEERING, **settings})
    try:
        yield connection
    finally:
        await connection.close()
