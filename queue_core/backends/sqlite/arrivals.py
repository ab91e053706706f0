"""Rows of new tasks on their way into the store: gathered over all pushes of a transaction, stored by one statement."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from queue_core.backends._statements import numbered, repeated, statement
from queue_core.errors import InvalidValue

TOGETHER: Final = 20
"""How many rows one statement stores: preparing it to change every index costs as much as the change for one row."""


class Arrival(NamedTuple):
    """The parameters of ``push.sql``."""

    seq: int
    id: str
    queue: str
    name: str
    stage: int
    priority: int
    created_at: int
    run_at: int
    max_attempts: int
    timeout: float | None
    retry: str | None
    key: str | None
    group_name: str | None
    expires_at: int | None
    parent: str | None
    codec: str
    tags: str | None
    metadata: str | None
    args: bytes


class Arrivals:
    """The new rows of one transaction. Whoever reads tasks calls ``store`` first."""

    __slots__ = ("_connection", "_newest", "_rows")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: list[Arrival] = []
        self._newest: int | None = None

    def next_seq(self) -> int:
        """The next place in the order of pushing; safe to count on, because SQLite serialises writers."""
        if self._newest is None:
            self._newest = int(self._connection.execute(statement("newest_seq", "sqlite")).fetchone()[0])
        self._newest += 1
        return self._newest

    def add(self, row: Arrival) -> None:
        """Store ``row`` with the others."""
        self._rows.append(row)

    def store(self) -> None:
        """Store what was gathered. Raises InvalidValue for an id that is taken."""
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        try:
            self._insert(rows)
        except sqlite3.IntegrityError as error:
            taken = self._taken(rows)
            raise InvalidValue(
                f"id must be new, but a task has the id {taken} already. Leave the id out, or use key= to push a task only once."
            ) from error

    def _insert(self, rows: Sequence[Arrival]) -> None:
        alone = len(rows) % TOGETHER
        self._connection.executemany(numbered("push", "sqlite", Arrival._fields), rows[:alone])
        together = repeated("push", "sqlite", Arrival._fields, TOGETHER)
        for begin in range(alone, len(rows), TOGETHER):
            self._connection.execute(together, tuple(chain.from_iterable(rows[begin : begin + TOGETHER])))

    def _taken(self, rows: list[Arrival]) -> str:
        """The id that stood in the way: one of an earlier task, or the second of two among ``rows``."""
        seen: set[str] = set()
        for row in rows:
            id = row.id
            stored = self._connection.execute(statement("find_id", "sqlite"), {"id": id}).fetchone()
            if id in seen or (stored and stored[0] < rows[0].seq):
                return id
            seen.add(id)
        return "of another"
