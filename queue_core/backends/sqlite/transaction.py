"""One write transaction: statements by name, the store's now, and the tally of what it changes."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from queue_core.backends._rows import Row
from queue_core.backends._statements import numbered, statement
from queue_core.backends.relational.tally import Changes, Tally
from queue_core.backends.sqlite.arrivals import Arrivals
from queue_core.backends.sqlite.flushing import flush, take_turns
from queue_core.clock import from_us
from queue_core.expose import Topic

sql = partial(statement, dialect="sqlite")
RowOf = TypeVar("RowOf", bound=NamedTuple)


class Transaction:
    """What an operation is given to work with. ``now`` is in microseconds."""

    __slots__ = ("_connection", "_known_queues", "_versions", "arrivals", "limited", "moment", "now", "tally")

    def __init__(self, connection: sqlite3.Connection, now: int, known_queues: Set[str] = frozenset(), limited: set[str] | None = None) -> None:
        self._connection = connection
        self.arrivals = Arrivals(connection)
        self.tally = Tally()
        self._known_queues = known_queues
        self._versions: dict[Topic, int] = {}
        self.limited: set[str] = set() if limited is None else limited
        """Queues with a limit of their own, as far as claims of this process have met them: an end there lets another task in."""
        self.now = now
        self.moment: datetime = from_us(now)

    def run(self, name: str, /, **values: Any) -> int:
        """Execute the statement ``name``; how many rows it changed."""
        return self._execute(name, values).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement ``name`` for each of ``rows``."""
        self.arrivals.store()
        self._connection.executemany(sql(name), rows)

    def each(self, name: str, kind: type[RowOf], rows: Sequence[RowOf]) -> None:
        """Execute the statement ``name`` for each of ``rows``, whose fields are its parameters. For the busiest statements."""
        self.arrivals.store()
        self._connection.executemany(numbered(name, "sqlite", kind._fields), rows)

    def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns."""
        return self._execute(name, values).fetchall()

    def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the statement ``name`` returns."""
        found: Row | None = self._execute(name, values).fetchone()
        return found

    def take_turns(self) -> None:
        """Let the next claim, which may come in this transaction, look at the groups that changed."""
        self.arrivals.store()
        take_turns(self, self._known_queues)

    def flush(self) -> None:
        """Write what was gathered; the last thing before the commit."""
        self.arrivals.store()
        self._versions = flush(self, self._known_queues)

    def changes(self) -> Changes:
        """What the commit means for those who listen; complete once ``flush`` was called."""
        return self.tally.changes(self._versions)

    def _execute(self, name: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        self.arrivals.store()
        return self._connection.execute(sql(name), values)
