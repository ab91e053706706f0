"""A PostgreSQL store as commands meet it before it is opened, because opening makes what is not there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.failures import DRIVER_ERRORS
from queue_core.backends.postgres.line import Connection, connect, end
from queue_core.backends.postgres.schema import is_made


def is_absent(address: Address) -> bool:
    """Whether the server answers that the schema has no tables of Prinia. What it does not answer is for opening to say."""
    try:
        return asyncio.run(_is_absent(address))
    except DRIVER_ERRORS:
        return False


async def _is_absent(address: Address) -> bool:
    async with reading(address) as connection:
        return not await is_made(connection, address.schema)


@asynccontextmanager
async def reading(address: Address) -> AsyncIterator[Connection]:
    """A connection in a transaction that cannot write, as poolers want it. Raises asyncpg's errors."""
    connection = await reached(address)
    try:
        async with connection.transaction(readonly=True):
            yield connection
    finally:
        await end(connection)


async def reached(address: Address) -> Connection:
    """A connection to the host that takes writes, or, where none does, to any. Raises asyncpg's errors."""
    try:
        return await connect(address, "looks")
    except asyncpg.TargetServerAttributeNotMatched:
        return await connect(address, "looks", writing=False)
