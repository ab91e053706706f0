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
from queue_core.outcome import Succeeded, settle
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


def one_claim(store: sqlite3.Connection, now: float) -> list[Claim]:
    """What a claim at ``now`` takes, acknowledged at once."""
    tx = Transaction(store, round(now * 1_000_000))
    found = leasing.claim(tx, BOOT, [QUEUE], None, 1, 1).tasks
    leasing.ack(tx, [settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0.0) for claim in found])
    tx.flush()
    return found


def count(store: sqlite3.Connection, table: str) -> int:
    return int(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("limits", [Limits(rate=Rate(100_000, per=100)), Limits(group_rate=Rate(100_000, per=100))], ids=str)
def test_a_rate_has_no_more_to_add_up_however_much_it_allows(store: sqlite3.Connection, limits: Limits) -> None:
    tx = Transaction(store, 1_000_000)
    perform(tx, declare, QUEUE, limits)
    tx.flush()
    for number in range(100):
        assert one_claim(store, 1 + number / 100)
    assert count(store, "prinia_starts") <= 11
    assert store.execute("SELECT sum(n) FROM prinia_starts").fetchone() == (100,)


def test_what_a_rate_of_groups_remembers_is_forgotten_in_time(store: sqlite3.Connection) -> None:
    store.execute("UPDATE prinia_tasks SET group_name = 'group ' || seq WHERE seq <= 50")
    store.execute("DELETE FROM prinia_tasks WHERE seq > 50")
    tx = Transaction(store, 1_000_000)
    perform(tx, declare, QUEUE, Limits(group_rate=Rate(3, per=10)))
    tx.flush()
    for _ in range(50):
        assert one_claim(store, 1)
    assert one_claim(store, 12) == []
    assert count(store, "prinia_starts") == count(store, "prinia_turns") == 0


def test_what_a_rate_that_is_removed_remembers_is_forgotten(store: sqlite3.Connection) -> None:
    for limits in (Limits(rate=Rate(3, per=10), group_rate=Rate(3, per=10)), Limits(group_rate=Rate(3, per=10)), Limits()):
        tx = Transaction(store, 1_000_000)
        perform(tx, declare, QUEUE, limits)
        tx.flush()
        one_claim(store, 1)
        assert count(store, "prinia_starts") == (limits.rate is not None) + (limits.group_rate is not None)
