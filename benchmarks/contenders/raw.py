"""SQLite itself, by plain ``sqlite3`` calls in a loop: the yardstick that says what this machine and disk can do today.

No queue: one table, two partial indexes, no handlers, no processes that wait for one another. Variants are the values of ``synchronous``.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from suite.contender import RESULT, Contender, payload
from suite.trace import Trace

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
  id INTEGER PRIMARY KEY, queue TEXT NOT NULL, args TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,
  priority INTEGER NOT NULL DEFAULT 0, run_at REAL NOT NULL, done_at REAL, result TEXT
);
CREATE INDEX IF NOT EXISTS ready ON tasks (queue, priority DESC, run_at, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS held ON tasks (id) WHERE state = 1;
"""
INSERT = "INSERT INTO tasks (queue, args, run_at) VALUES ('default', ?, ?)"
CLAIM = """
UPDATE tasks SET state = 1 WHERE id IN (
  SELECT id FROM tasks WHERE queue = 'default' AND state = 0 AND run_at <= ? ORDER BY priority DESC, run_at, id LIMIT 100
) RETURNING id, args
"""
ACK = "UPDATE tasks SET state = 2, done_at = ?, result = ? WHERE id = ? AND state = 1"


class Raw(Contender):
    """The same work without a queue around it."""

    note = "plain sqlite3 in a loop; claims 100 and acknowledges the 100 before in one transaction"

    def __init__(self, folder: Path, variant: str = "") -> None:
        super().__init__(folder, variant)
        self.durability = variant or "FULL"

    def connect(self) -> sqlite3.Connection:
        """A connection in autocommit mode, with the schema there."""
        connection = sqlite3.connect(self.folder / "raw.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self.durability}")
        connection.executescript(SCHEMA)
        return connection

    def push_one(self, tasks: int) -> float:
        connection, since = self.connect(), time.perf_counter()
        for _ in range(tasks):
            connection.execute(INSERT, (payload(0.0), time.time()))
        return time.perf_counter() - since

    def push_bulk(self, tasks: int) -> float:
        connection, since = self.connect(), time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, ((payload(0.0), time.time()) for _ in range(tasks)))
        connection.execute("COMMIT")
        return time.perf_counter() - since

    def finished(self) -> Callable[[], int]:
        connection = self.connect()
        return lambda: connection.execute("SELECT count(*) FROM tasks WHERE state = 2").fetchone()[0]

    def work(self, trace: Trace) -> None:
        connection = self.connect()
        held: list[int] = []
        while True:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(ACK, [(time.time(), RESULT, id) for id in held])
            rows = connection.execute(CLAIM, (time.time(),)).fetchall()
            connection.execute("COMMIT")
            for _ in rows:
                trace.hit(0.0)
            held = [id for id, _ in rows]
            if not held:
                time.sleep(0.005)


CONTENDER = Raw
