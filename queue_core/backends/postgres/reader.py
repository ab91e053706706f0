"""Reading connections: a few, read-only, each query alone in its snapshot and limited in time."""

import asyncio
import contextlib
from typing import Any, Final

import asyncpg

from queue_core.backends._rows import Row
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.failures import DRIVER_ERRORS, LOST_IN_BETWEEN, explain
from queue_core.backends.postgres.line import Connection, connect, limited, not_open
from queue_core.errors import PriniaError, StoreUnavailable

QUERY_LIMIT: Final = 2.0
"""Seconds that one read may take."""
READERS: Final = 3
"""How many reads run at once."""
WAIT_LIMIT: Final = 5.0
"""Seconds that a read waits for a connection."""
ANSWER_LIMIT: Final = QUERY_LIMIT + 1.0
"""Seconds after which a connection that does not answer a read is taken for lost, however long the read waited for it."""
IDLE: Final = 150.0
"""Seconds for which a connection is kept that nobody uses: a worker's housekeeping comes round sooner, so it has one when others are scarce."""
_IN_A_TRANSACTION: Final = (
    "SET LOCAL transaction_read_only = on; SET LOCAL enable_seqscan = off; SET LOCAL jit = off; "
    f"SET LOCAL statement_timeout = {int(QUERY_LIMIT * 1_000)}"
)


class Reader:
    """Runs named statements."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pool: Any = None  # an asyncpg.Pool; the driver carries no types

    async def open(self) -> None:
        """Be ready; connections are made when they are needed."""
        settings = {"statement_timeout": str(int(QUERY_LIMIT * 1_000))}

        async def connect_reader(*_: Any, **__: Any) -> Connection:
            return await connect(self._address, "reads", settings)

        self._pool = await asyncpg.create_pool(
            min_size=0,
            max_size=READERS,
            max_inactive_connection_lifetime=IDLE,
            connect=connect_reader,
            init=_write_nothing if self._address.mode == "listen" else None,
            reset=_as_it_is,
        )

    async def close(self) -> None:
        """Disconnect; what runs is finished first."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(QUERY_LIMIT):
                await pool.close()
        except DRIVER_ERRORS:
            pool.terminate()

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns. Raises StoreUnavailable, also for a query that takes too long."""
        sql, parameters = compiled(name, self._address.schema)
        bound = arguments(parameters, values)
        for remaining in reversed(range(READERS + 1)):
            try:
                return await self._fetch(sql, bound)
            except DRIVER_ERRORS as error:
                if not remaining or not isinstance(error, LOST_IN_BETWEEN):  # broken since the last read; another connection may do
                    raise self._explained(error) from error
        raise AssertionError

    async def _fetch(self, sql: str, bound: list[Any]) -> list[Row]:
        if self._pool is None:
            raise not_open(self._address)
        async with self._pool.acquire(timeout=WAIT_LIMIT) as connection:
            with limited(connection, ANSWER_LIMIT):
                try:
                    return await self._read(connection, sql, bound)
                except LOST_IN_BETWEEN:
                    with contextlib.suppress(asyncpg.InterfaceError):  # the driver may know that it is closed, or not yet
                        connection.terminate()
                    raise

    async def _read(self, connection: Connection, sql: str, bound: list[Any]) -> list[Row]:
        if self._address.mode == "listen":
            found: list[Row] = await connection.fetch(sql, *bound)
            return found
        async with connection.transaction():
            await connection.execute(_IN_A_TRANSACTION)
            found = await connection.fetch(sql, *bound)
            return found

    def _explained(self, error: BaseException) -> PriniaError:
        if isinstance(error, asyncpg.QueryCanceledError):
            return StoreUnavailable(
                f"The store {self._address.shown} did not finish a query within its time limit of {QUERY_LIMIT:g} s. "
                "Narrow the search, for example by queue or state."
            )
        return explain(error, self._address)


async def _write_nothing(connection: Connection) -> None:
    """Only once it is made: of several hosts, that which takes writes is the one to read from too, and any other may be behind."""
    await connection.execute("SET default_transaction_read_only = on")


async def _as_it_is(_connection: object) -> None:
    """Reads change nothing in a session, so nothing needs to be reset."""
