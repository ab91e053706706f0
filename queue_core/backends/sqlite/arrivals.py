"""Rows of new tasks on their way into the store: gathered over all pushes of a transaction, stored by one statement."""

import sqlite3
from typing import Any

from queue_core.backends._statements import statement
from queue_core.errors import InvalidValue


class Arrivals:
    """The new rows of one transaction. Whoever reads tasks calls ``store`` first."""

    __slots__ = ("_connection", "_newest", "_rows")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: list[dict[str, Any]] = []
        self._newest: int | None = None

    def next_seq(self) -> int:
        """The next place in the order of pushing; safe to count on, because SQLite serialises writers."""
        if self._newest is None:
            self._newest = int(self._connection.execute(statement("newest_seq", "sqlite")).fetchone()[0])
        self._newest += 1
        return self._newest

    def add(self, row: dict[str, Any]) -> None:
        """Store ``row`` with the others."""
        self._rows.append(row)

    def store(self) -> None:
        """Store what was gathered. Raises InvalidValue for an id that is taken."""
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        try:
            self._connection.executemany(statement("push", "sqlite"), rows)
        except sqlite3.IntegrityError as error:
            taken = self._taken(rows)
            raise InvalidValue(
                f"id must be new, but a task has the id {taken} already. Leave the id out, or use key= to push a task only once."
            ) from error

    def _taken(self, rows: list[dict[str, Any]]) -> str:
        """The id that stood in the way: one of an earlier task, or the second of two among ``rows``."""
        seen: set[str] = set()
        for row in rows:
            id: str = row["id"]
            stored = self._connection.execute(statement("find_id", "sqlite"), {"id": id}).fetchone()
            if id in seen or (stored and stored[0] < rows[0]["seq"]):
                return id
            seen.add(id)
        return "of another"
