"""A PostgreSQL database that a contender has to itself, and blocking calls to it from beside the queue."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

FILE = "postgres.json"


@dataclass(frozen=True, slots=True)
class Database:
    """Where it is, and the process of the server that it is in."""

    url: str
    postmaster: int

    @classmethod
    def of(cls, folder: Path) -> "Database | None":
        """The database that belongs to a folder; None where the measurement has none."""
        path = folder / FILE
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def belong_to(self, folder: Path) -> None:
        """Let the processes that are given ``folder`` find it."""
        (folder / FILE).write_text(json.dumps(asdict(self)))

    def session(self) -> "Session":
        """A connection of the measuring process."""
        return Session(self.url)


class Session:
    """One connection, with calls that block. A context manager."""

    def __init__(self, url: str) -> None:
        import asyncpg  # the queues on SQLite are measured without it

        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(url))

    def run(self, statements: str) -> None:
        """Execute what gives no rows."""
        self._loop.run_until_complete(self._connection.execute(statements))

    def value(self, query: str) -> Any:
        """The first column of the first row."""
        return self._loop.run_until_complete(self._connection.fetchval(query))

    def close(self) -> None:
        """End the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
