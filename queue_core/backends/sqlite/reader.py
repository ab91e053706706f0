"""Reading connections: asynchronous, read-only, each query alone in its snapshot and limited in time."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import aiosqlite

from queue_core.backends._rows import Row
from queue_core.backends.sqlite.binding import bindable
from queue_core.backends.sqlite.failures import explain
from queue_core.backends.sqlite.location import read_only_uri
from queue_core.backends.sqlite.transaction import sql
from queue_core.errors import NotConnected, PriniaError, StoreUnavailable
from queue_core.task import ARGS_HEAD

QUERY_LIMIT: Final = 2.0
"""Seconds that one read may take."""
_READERS: Final = 3
_STEPS_BETWEEN_LOOKS: Final = 20_000


class _ReadingConnection(sqlite3.Connection):
    """Ends a statement that takes longer than ``limit`` seconds, and knows the functions that statements call."""

    limit = QUERY_LIMIT

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.create_function("prinia_contains", -1, contains, deterministic=True)
        self.create_function("prinia_head", 1, self.head)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        deadline = time.monotonic() + self.limit
        self.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
        return super().execute(*arguments)

    def head(self, seq: int) -> bytes:
        """The beginning of a task's arguments, read without the rest of them."""
        with self.blobopen("prinia_tasks", "args", seq, readonly=True) as args:
            return args.read(ARGS_HEAD)


class _Connection:
    """One reading connection, and how many queries wait for it."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.waiting = 0


class Reader:
    """Runs named statements on a few read-only connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: list[_Connection] = []
        self._pid = os.getpid()

    async def open(self) -> None:
        """Connect. The store must exist."""
        try:
            for _ in range(_READERS):
                self._connections.append(_Connection(await self._connect()))
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    async def _connect(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(read_only_uri(self._path), uri=True, isolation_level=None, timeout=2.0, factory=_ReadingConnection)
        thread: Any = getattr(connection, "_thread", connection)
        thread.daemon = True  # else a program that forgets to close the store would never end
        await connection
        await connection.execute_fetchall("PRAGMA query_only = ON")
        await connection.execute_fetchall("PRAGMA cache_size = -8000")
        return connection

    async def close(self) -> None:
        """Disconnect; what runs is finished first."""
        connections, self._connections = self._connections, []
        for reader in connections:
            await reader.connection.close()

    def abandon(self) -> None:
        """Disconnect where the event loop is gone that used it; waits for nothing."""
        connections, self._connections = self._connections, []
        for reader in connections:
            stop: Any = getattr(reader.connection, "stop", None)  # aiosqlite has it since 0.22; before, the idle thread stays
            if stop is not None:
                stop()

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns. Raises StoreUnavailable, also for a query that takes too long."""
        reader = self._least_busy()
        reader.waiting += 1
        try:
            return list(await reader.connection.execute_fetchall(sql(name), bindable(values)))
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except ValueError as error:  # aiosqlite's word for a connection that was closed meanwhile
            raise NotConnected(f"The store {self._path.name} is closed. Open it first: async with app, or await store.open().") from error
        finally:
            reader.waiting -= 1

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the statement ``name`` returns."""
        found = await self.rows(name, **values)
        return found[0] if found else None

    def _least_busy(self) -> _Connection:
        if not self._connections:
            raise NotConnected(f"The store {self._path.name} is closed. Open it first: async with app, or await store.open().")
        if self._pid != os.getpid():
            raise NotConnected(
                f"The store {self._path.name} was opened before this process was forked from process {self._pid}. Connect anew in the child."
            )
        return min(self._connections, key=_load)

    def _explained(self, error: sqlite3.Error) -> PriniaError:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return StoreUnavailable(
                f"The store {self._path.name} did not finish a query within its time limit of {QUERY_LIMIT:g} s. "
                "Narrow the search, for example by queue or state."
            )
        return explain(error, self._path)


def _load(reader: _Connection) -> int:
    return reader.waiting


def contains(needle: str, *haystacks: str | bytes | None) -> bool:
    """Whether ``needle``, case-folded, is in one of ``haystacks``, without regard to case."""
    return any(needle in _folded(hay) for hay in haystacks if hay)


def _folded(hay: str | bytes) -> str:
    return (hay.decode("utf-8", "replace") if isinstance(hay, bytes) else hay).casefold()
