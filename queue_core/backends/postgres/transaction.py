"""One write transaction: statements by name, the store's now, and the tally of what it changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from queue_core.backends._rows import Row
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.line import Connection
from queue_core.backends.relational.tally import QUEUES, Changes, Tally


class Transaction:
    """``queue_core.backends.relational.transaction.Transaction`` on an open transaction of PostgreSQL."""

    __slots__ = ("connection", "now", "schema", "tally")

    def __init__(self, connection: Connection, schema: str, now: int) -> None:
        self.connection = connection
        self.schema = schema
        self.now = now
        self.tally = Tally()

    async def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows that the statement ``name`` returns."""
        sql, parameters = compiled(name, self.schema)
        found: list[Row] = await self.connection.fetch(sql, *arguments(parameters, values))
        return found

    async def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row that the statement ``name`` returns."""
        found = await self.rows(name, **values)
        return found[0] if found else None

    async def run(self, name: str, /, **values: Any) -> int:
        """Execute the statement ``name``; how many rows it changed."""
        sql, parameters = compiled(name, self.schema)
        said = await self.connection.execute(sql, *arguments(parameters, values))
        return int(said.rpartition(" ")[2])

    async def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement ``name`` for each of ``rows``."""
        sql, parameters = compiled(name, self.schema)
        if bound := [arguments(parameters, row) for row in rows]:
            await self.connection.executemany(sql, bound)

    async def flush(self) -> Changes:
        """Write what was gathered; the last thing before the commit. What to tell the listeners after it."""
        for queue in sorted(self.tally.named):
            if await self.run("name_queue", queue=queue, now=self.now):
                self.tally.topics.add(QUEUES)
        if self.tally.turns:
            queues, groups = zip(*sorted(self.tally.turns), strict=True)
            await self.run("turns", queues=queues, groups=groups, now=self.now)
        if changes := self._changes():
            queues, whats, numbers = zip(*changes, strict=True)
            await self.run("record_changes", now=self.now, queues=queues, whats=whats, ns=numbers)
        return self.tally.changes(dict.fromkeys(self.tally.changed_topics(), 0))

    def _changes(self) -> list[tuple[str | None, str, int]]:
        """Rows of the log: queue, what, and how many."""
        tally = self.tally
        numbers: dict[tuple[str, str], int] = {key: n for key, n in (*tally.counts.items(), *tally.metrics.items()) if n}
        rows: list[tuple[str | None, str, int]] = [(queue, what, n) for (queue, what), n in numbers.items()]
        rows += [(queue, "claimed", 1) for queue in tally.claimed]
        rows += [_touched(topic) for topic in tally.topics]
        return rows


def _touched(topic: str) -> tuple[str | None, str, int]:
    kind, colon, queue = topic.partition(":")
    return (queue, "touched", 1) if colon else (None, kind, 1)
