"""A claim costs the same however much the limits hold back."""

import sqlite3
from collections.abc import Iterator

import pytest

from queue_core.backends.relational.limiting import declare
from queue_core.backends.sqlite import leasing
from queue_core.backends.sqlite.schema import migrate
from queue_core.backends.sqlite.sharing import perform
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.ids import BootId, QueueName
from queue_core.limits import Limits, Rate
from queue_core.task import Claim

QUEUE, BOOT = QueueName("mail"), BootId("boot")
BACKLOG = 100_000
STEPS = 20
"""Thousands of steps of SQLite's machine that a claim may take; to walk over the backlog takes many hundreds."""


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    """One group with a long backlog, and a worker."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    connection.execute("BEGIN")
    connection.execute(
        f"""
        WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {BACKLOG})
        INSERT INTO prinia_tasks (seq, id, queue, name, stage, group_name, created_at, run_at, max_attempts, codec, args)
        SELECT n, 'id ' || n, '{QUEUE}', 'work', 3, 'big', 0, 0, 5, 'json', x'' FROM number
        """
    )
    connection.execute(
        """
        INSERT INTO prinia_workers (
          boot, name, queues, host, pid, process, version, middleware, concurrency, lease_us, state, started_at, last_heartbeat
        )
        VALUES ('boot', 'w', '[]', 'here', 1, '', '1', '[]', 9, 1000000000, 'running', 0, 0)
        """
    )
    yield connection
    connection.close()


def steps_of_a_claim(store: sqlite3.Connection) -> tuple[list[Claim], int]:
    """What a claim takes, and how many thousands of steps it needs."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    store.set_progress_handler(count, 1_000)
    tx = Transaction(store, 1_000_000)
    found = leasing.claim(tx, BOOT, [QUEUE], None, 50, 50)
    tx.flush()
    store.set_progress_handler(None, 0)
    return found.tasks, steps


@pytest.mark.parametrize("limits", [Limits(group_concurrency=3), Limits(ordered=True), Limits(group_rate=Rate(3, per=60))], ids=str)
def test_a_claim_does_not_walk_over_what_is_held_back(store: sqlite3.Connection, limits: Limits) -> None:
    tx = Transaction(store, 1_000_000)
    perform(tx, declare, QUEUE, limits)
    tx.flush()
    tasks, steps = steps_of_a_claim(store)
    assert len(tasks) == (limits.at_once or 3)
    assert steps < STEPS
    store.execute("INSERT INTO prinia_turns (queue, group_name, due_at) VALUES ('mail', 'big', 0) ON CONFLICT DO NOTHING")
    tasks, steps = steps_of_a_claim(store)
    assert tasks == []
    assert steps < STEPS
