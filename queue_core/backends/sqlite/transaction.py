"""One write transaction: statements by name, the store's now, and the tally of what it changes."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from queue_core.backends._rows import Row
from queue_core.backends._statements import statement
from queue_core.backends.sqlite.tally import Tally
from queue_core.clock import from_us

sql = partial(statement, dialect="sqlite")


class Transaction:
    """What an operation is given to work with. ``now`` is in microseconds."""

    __slots__ = ("connection", "now", "tally")

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self.connection = connection
        self.now = now
        self.tally = Tally()

    def run(self, name: str, /, **values: Any) -> int:
        """Execute the statement ``name``; how many rows it changed."""
        return self.connection.execute(sql(name), values).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, Any]] | Sequence[Sequence[Any]]) -> None:
        """Execute the statement ``name`` for each of ``rows``."""
        self.connection.executemany(sql(name), rows)

    def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns."""
        return self.connection.execute(sql(name), values).fetchall()

    def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the statement ``name`` returns."""
        found: Row | None = self.connection.execute(sql(name), values).fetchone()
        return found

    def flush(self) -> None:
        """Write the tally; the last thing before the commit."""
        self.tally.flush(self)

    @property
    def moment(self) -> Any:
        """``now`` as a datetime."""
        return from_us(self.now)
