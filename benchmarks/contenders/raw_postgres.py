"""PostgreSQL itself, by plain asyncpg calls in a loop: the yardstick that says what this machine, disk and server can do today.

No queue: one table, two partial indexes, no handlers, no processes that hear of one another. Many callers share ten connections.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
from suite.contender import RESULT, payload
from suite.on_postgres import Client, Finished, OnPostgres
from suite.trace import Trace

SCHEMA = """
CREATE TABLE tasks (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, queue text NOT NULL, args text NOT NULL, state smallint NOT NULL DEFAULT 0,
  priority smallint NOT NULL DEFAULT 0, run_at timestamptz NOT NULL DEFAULT now(), done_at timestamptz, result text
);
CREATE INDEX ready ON tasks (queue, priority DESC, run_at, id) WHERE state = 0;
CREATE INDEX held ON tasks (id) WHERE state = 1;
"""
INSERT = "INSERT INTO tasks (queue, args) VALUES ('default', $1)"
INSERT_MANY = "INSERT INTO tasks (queue, args) SELECT 'default', unnest($1::text[])"
TURN = """
WITH acked AS (
  UPDATE tasks SET state = 2, done_at = now(), result = $2 FROM unnest($1::bigint[]) AS held (id) WHERE tasks.id = held.id AND state = 1
), next AS (
  SELECT id FROM tasks WHERE queue = 'default' AND state = 0 AND run_at <= now() ORDER BY priority DESC, run_at, id LIMIT 100 FOR UPDATE SKIP LOCKED
)
UPDATE tasks SET state = 1 FROM next WHERE tasks.id = next.id RETURNING tasks.id, tasks.args
"""
LOT = 1_000
"""Rows of one insert."""


class Raw(OnPostgres):
    """The same work without a queue around it."""

    note = "plain asyncpg in a loop; inserts 1,000 rows at a time; claims 100 and acknowledges the 100 before in one statement"
    OPEN = "SELECT count(*) FROM tasks WHERE state IN (0, 1)"
    FINISHED = Finished("tasks", "state = 2")

    async def install(self) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute(SCHEMA)
        await connection.close()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with asyncpg.create_pool(self.url, min_size=10, max_size=10) as pool:

            async def push_many(tasks: int) -> None:
                for lot in _lots(tasks):
                    await pool.execute(INSERT_MANY, [payload(0.0)] * lot)

            yield Client(lambda sent: pool.execute(INSERT, payload(sent)), push_many)

    async def serve(self, trace: Trace) -> None:
        connection, held = await asyncpg.connect(self.url), list[int]()
        while True:
            rows = await connection.fetch(TURN, held, RESULT)
            for _ in rows:
                trace.hit(0.0)
            held = [id for id, _ in rows]
            if not held:
                await asyncio.sleep(0.02)


def _lots(tasks: int) -> Iterator[int]:
    for start in range(0, tasks, LOT):
        yield min(LOT, tasks - start)


CONTENDER = Raw
