"""One connection for one purpose: made when it is first needed, and anew after it broke."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.failures import DRIVER_ERRORS, LOST, REPEATABLE, explained
from queue_core.errors import NotConnected

T = TypeVar("T")
Connection: TypeAlias = Any
"""An ``asyncpg.Connection``; the driver carries no types."""

CONNECT_LIMIT: Final = 5.0
"""Seconds that connecting may take."""
STATEMENT_LIMIT: Final = 15.0
"""Seconds after which a server that does not answer is taken for lost."""
TRIES: Final = 3
"""How often a statement or transaction is tried that gets into the way of others."""
_STEERING: Final = {"enable_seqscan": "off", "jit": "off"}
"""Every statement has an index made for it, whatever the statistics of a young table say."""


async def connect(address: Address, purpose: str, settings: Mapping[str, str] | None = None, *, writing: bool = True) -> Connection:
    """A new connection. In poll mode it carries no session state. ``writing``: of several hosts, to the one that takes writes.

    Raises asyncpg's errors.
    """
    session = {} if address.mode == "poll" else {**_STEERING, **(settings or {})}
    options: dict[str, Any] = {"statement_cache_size": 0} if address.mode == "poll" else {}
    if writing and address.has_several_hosts:
        options["target_session_attrs"] = "read-write"
    return await asyncpg.connect(
        address.dsn,
        timeout=CONNECT_LIMIT,  # pyright: ignore[reportArgumentType]  # asyncpg waits for parts of seconds too
        server_settings={"application_name": f"prinia {purpose}", **session},
        **options,
    )


class Line:
    """One user at a time. While the connection is broken each use tries to make it anew.

    ``limit``: seconds after which a server that does not answer is taken for lost; ``lock_limit``: those that a statement may wait for a lock.
    """

    def __init__(self, address: Address, purpose: str, *, limit: float = STATEMENT_LIMIT, lock_limit: float | None = None) -> None:
        self._address = address
        self._purpose = purpose
        self._limit = limit
        self._lock_timeout = None if lock_limit is None else f"{lock_limit * 1_000:.0f}ms"
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    @property
    def schema(self) -> str:
        """Prinia's own schema there."""
        return self._address.schema

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """What a statement returns, tried again where it was in the way of another. Raises StoreUnavailable."""

        async def attempt() -> list[Any]:
            async with self.raw() as connection:
                rows: list[Any] = await connection.fetch(sql, *arguments)
                return rows

        return await self.repeat(attempt)

    async def repeat(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What ``attempt`` returns, tried again where it was in the way of another. Raises StoreUnavailable in place of the driver's errors."""
        with explained(self._address):
            for _ in range(TRIES - 1):
                with contextlib.suppress(*REPEATABLE):
                    return await attempt()
            return await attempt()

    async def open(self) -> None:
        """Connect now, so that the connection is there when others are scarce. Raises StoreUnavailable."""
        async with self.hold():
            pass

    async def close(self) -> None:
        """Disconnect; what runs is finished first, within a few seconds."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                await end(connection)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Connection]:
        """The connection, for one user. Raises StoreUnavailable in place of the driver's errors when it is lost, does not answer, or refuses."""
        with explained(self._address):
            async with self.raw() as connection:
                yield connection

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        """As ``hold``, with the driver's own errors once connected. In poll mode it comes with a transaction."""
        async with self._lock:
            connection = await self._connected()
            try:
                with limited(connection, self._limit):
                    if self._address.mode == "poll":
                        async with connection.transaction():
                            if self._lock_timeout is not None:
                                await connection.execute(f"SET LOCAL lock_timeout = '{self._lock_timeout}'")
                            yield connection
                    else:
                        yield connection
            except BaseException as error:
                if isinstance(error, (*LOST, asyncio.CancelledError, GeneratorExit)) or connection.is_in_transaction():
                    self._drop(connection)
                raise

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is not None and not connection.is_closed():
            return connection
        with explained(self._address):
            settings = None if self._lock_timeout is None else {"lock_timeout": self._lock_timeout}
            self._connection = connection = await connect(self._address, self._purpose, settings)
        return connection

    def _drop(self, connection: Connection) -> None:
        connection.terminate()
        if self._connection is connection:
            self._connection = None


@contextmanager
def limited(connection: Connection, seconds: float) -> Iterator[None]:
    """End ``connection`` when this takes longer, so that whatever waits for it fails: the end of a transaction and the driver's tidying up too,
    which on a half-open line would last for ever after a mere cancellation. Raises TimeoutError then.
    """
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        connection.terminate()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        yield
    except Exception as error:
        if expired:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


async def end(connection: Connection) -> None:
    """Close ``connection`` politely, or else at once."""
    try:
        await connection.close(timeout=2.0)
    except (*DRIVER_ERRORS, asyncio.CancelledError):
        with contextlib.suppress(Exception):
            connection.terminate()


def not_open(address: Address) -> NotConnected:
    """What is said of a store that is not open."""
    return NotConnected(f"The store {address.shown} is not open. Open it first: async with app, or await store.open().")
