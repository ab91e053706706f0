"""Pushing inside the transaction of a caller's own connection."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from queue_core.backends.sqlite.failures import explain
from queue_core.backends.sqlite.producing import prepare
from queue_core.backends.sqlite.store import Store
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.clock import to_us
from queue_core.errors import InvalidValue
from queue_core.task import NewTask, Pushed

T = TypeVar("T")


async def push_in(store: Store, connection: Any, tasks: Sequence[NewTask]) -> list[Pushed]:
    """Store ``tasks`` in the transaction that is open on ``connection``."""
    push = prepare(tasks)

    def join(own: sqlite3.Connection) -> list[Pushed]:
        with _Plain(own):
            _check(own, store.path)
            return _push(store, own, push, {task.queue for task in tasks})

    pushed = await _on_its_thread(connection, join)
    store.signals.expect_commit()
    return pushed


async def _on_its_thread(connection: Any, call: Callable[[sqlite3.Connection], T]) -> T:
    if isinstance(connection, sqlite3.Connection):
        return call(connection)
    if isinstance(connection, aiosqlite.Connection):
        # aiosqlite has no public way to run one function in its thread; many awaits would let others come between
        found: T = await connection._execute(lambda: call(connection._conn))  # type: ignore[no-untyped-call]
        return found
    kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
    raise InvalidValue(f"connection= takes an open connection of sqlite3 or aiosqlite to this file, got {kind}. {_cure(kind)}")


def _cure(kind: str) -> str:
    if kind.startswith("sqlalchemy."):
        return "Take the driver's own from it: (await connection.get_raw_connection()).driver_connection."
    return "Pass the driver's own connection."


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise InvalidValue unless ``connection`` has a transaction open on the file ``path``."""
    try:
        files = {name: file for _, name, file in connection.execute("PRAGMA database_list")}
    except sqlite3.ProgrammingError as error:
        raise InvalidValue(f"The connection cannot be used here: {error} Pass one that is open, from the thread that made it.") from error
    main = files.get("main", "")
    if not main or not os.path.samefile(main, path):
        raise InvalidValue(
            f"The connection must be to the store's own file {path}, and it is to {main or 'a database in memory'}. Connect it to that file."
        )
    if not connection.in_transaction:
        raise InvalidValue(
            "The connection has no transaction open, so there is none to join. Execute BEGIN IMMEDIATE first, or leave connection= out."
        )


class _Plain:
    """Lets a connection return plain tuples and text for a while, whatever its owner has set."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept = connection.row_factory, connection.text_factory

    def __enter__(self) -> None:
        self._connection.row_factory, self._connection.text_factory = None, str

    def __exit__(self, *exc: object) -> None:
        self._connection.row_factory, self._connection.text_factory = self._kept


def _push(store: Store, connection: sqlite3.Connection, push: Callable[[Transaction], list[Pushed]], queues: set[str]) -> list[Pushed]:
    """All of the push or nothing of it; the caller's own changes stay either way."""
    tx = Transaction(connection, to_us(store.clock.now()))
    connection.execute("SAVEPOINT prinia_push")
    try:
        for queue in queues:  # a write comes first, so that the lock is taken before anything is read
            tx.run("name_queue", queue=queue, now=tx.now)
        pushed = push(tx)
        tx.flush()
    except BaseException as error:
        connection.execute("ROLLBACK TO prinia_push")
        connection.execute("RELEASE prinia_push")
        if isinstance(error, sqlite3.Error):
            raise explain(error, store.path) from error
        raise
    connection.execute("RELEASE prinia_push")
    return pushed
