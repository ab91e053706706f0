"""Every statement that meets many tasks goes through its index; none scans them, and none that must be in order sorts them."""

import json
import re
import sqlite3
from pathlib import Path

import pytest

import queue_core.backends
from queue_core.backends._statements import statement
from queue_core.backends.sqlite.schema import migrate

HOME = Path(queue_core.backends.__file__).parent
NAMES = sorted(file.stem for file in [*HOME.glob("sql/shared/*.sql"), *HOME.glob("sql/sqlite/*.sql")])
STAGES = {"Pending": 1, "Failed": 0, "Queued": 2, "Running": 2, "Done": None, "Killed": None}

INDEXED = {
    "ack": "INTEGER PRIMARY KEY",
    "ack_done": "sqlite_autoindex_prinia_tasks_1",
    "add_starts": "prinia_starts_of",
    "attempts": "prinia_attempts_task",
    "audit_of_task": "PRIMARY KEY",
    "candidates": "prinia_tasks_claim",
    "date_back_starts": "prinia_starts_of",
    "delete": "sqlite_autoindex_prinia_tasks_1",
    "delete_attempts": "prinia_attempts_task",
    "due_of_group": "prinia_tasks_group",
    "due_schedules": "prinia_schedules_due",
    "delete_logs": "prinia_logs_task",
    "delete_some_logs": "prinia_logs_task",
    "ended": "sqlite_autoindex_prinia_tasks_1",
    "ended_tasks": "prinia_tasks_list",
    "expirable": "prinia_tasks_expires",
    "expire": "sqlite_autoindex_prinia_tasks_1",
    "facts": "prinia_tasks_list",
    "fetch": "sqlite_autoindex_prinia_tasks_1",
    "fetch_by_key": "prinia_tasks_key",
    "fetch_final": "sqlite_autoindex_prinia_tasks_1",
    "forget_all_starts": "prinia_starts_of",
    "give_back": "sqlite_autoindex_prinia_tasks_1",
    "held": "sqlite_autoindex_prinia_tasks_1",
    "held_back": "prinia_tasks_held",
    "held_of_group": "prinia_tasks_group",
    "hold_back": "prinia_tasks_group",
    "is_emptied": "prinia_tasks_group",
    "keep_result": "sqlite_autoindex_prinia_tasks_1",
    "kill": "sqlite_autoindex_prinia_tasks_1",
    "kill_requests": "prinia_tasks_leased",
    "lease": "INTEGER PRIMARY KEY",
    "leased_by": "prinia_tasks_leased",
    "leases": "prinia_tasks_leased",
    "last_line": "prinia_logs_task",
    "let_first_in": "prinia_tasks_group",
    "let_in": "prinia_tasks_held",
    "list_held": "prinia_tasks_leased",
    "list_tasks_newer": "prinia_tasks_list",
    "list_tasks_older": "prinia_tasks_list",
    "logs_newer": "prinia_logs_task",
    "logs_older": "prinia_logs_task",
    "namesakes": "prinia_workers_live",
    "next_due": "prinia_tasks_claim",
    "next_schedule": "prinia_schedules_due",
    "next_turn": "prinia_turns_due",
    "old_actions": "prinia_audit_at",
    "progress": "sqlite_autoindex_prinia_tasks_1",
    "promote": "prinia_tasks_scheduled",
    "promote_limited": "prinia_tasks_scheduled",
    "prunable": "sqlite_autoindex_prinia_tasks_1",
    "prune_logs": "prinia_logs_queue",
    "prune_rollups": "PRIMARY KEY",
    "prune_workers": "prinia_workers_ended",
    "queued_in": "prinia_tasks_list",
    "queues": "prinia_tasks_claim",
    "release_key": "INTEGER PRIMARY KEY",
    "replace": "INTEGER PRIMARY KEY",
    "request_kill": "sqlite_autoindex_prinia_tasks_1",
    "reschedule": "sqlite_autoindex_prinia_tasks_1",
    "rescue": "sqlite_autoindex_prinia_tasks_1",
    "retry": "sqlite_autoindex_prinia_tasks_1",
    "room": "prinia_tasks_group",
    "schedule_ticks": "PRIMARY KEY",
    "series": "PRIMARY KEY",
    "stage": "INTEGER PRIMARY KEY",
    "start": "sqlite_autoindex_prinia_tasks_1",
    "starts": "prinia_starts_of",
    "summaries": "sqlite_autoindex_prinia_tasks_1",
    "take_turns": "prinia_turns_due",
    "targets": "sqlite_autoindex_prinia_tasks_1",
    "trim_attempts": "prinia_attempts_task",
    "trim_ticks": "PRIMARY KEY",
    "trim_logs": "prinia_logs_task",
    "turn_all": "prinia_tasks_group",
    "update": "sqlite_autoindex_prinia_tasks_1",
    "window_of_tasks": "prinia_tasks_list",
}

IN_ORDER = ["candidates", "ended_tasks", "list_all_newer", "list_all_older", "window_of_all", "audit"]


@pytest.fixture(scope="module")
def full() -> sqlite3.Connection:
    """Some thousand tasks, mostly Done, and no statistics: as every store begins."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    connection.create_function("prinia_contains", -1, lambda *texts: False)
    connection.create_function("prinia_head", 1, lambda seq: b"")
    states = ["Done"] * 20 + list(STAGES)
    for number in range(4_000):
        status = states[number % len(states)]
        connection.execute(
            """
            INSERT INTO prinia_tasks (id, queue, name, status, stage, created_at, run_at, max_attempts, boot, codec, args)
            VALUES (?, ?, 'work', ?, ?, 0, 0, 5, 'boot', 'json', x'')
            """,
            (f"id {number}", f"queue {number % 3}", status, STAGES[status]),
        )
    return connection


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    text = statement(name, "sqlite")
    values: dict[str, object] = dict.fromkeys(re.findall(r":(\w+)", re.sub(r"--.*", "", text)), 1)
    values |= {name: json.dumps(["queue 1"]) for name in ("queues", "statuses", "ids", "seqs", "names", "acks") if name in values}
    return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + text, values)]


@pytest.mark.parametrize(("name", "index"), INDEXED.items(), ids=lambda value: value)
def test_a_statement_goes_through_its_index(full: sqlite3.Connection, name: str, index: str) -> None:
    steps = plan(full, name)
    assert any("SEARCH" in step and index in step for step in steps), steps


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_scans_the_tasks(full: sqlite3.Connection, name: str) -> None:
    allowed = {"window_of_all": "SCAN prinia_tasks", "newest_seq": "SEARCH", "orphans": "SCAN task USING INDEX prinia_tasks_leased"}
    large = r"SCAN (prinia_tasks|task|own|prinia_attempts|rollup|prinia_rollups|entry|prinia_logs|line|old)\b"
    scans = [step for step in plan(full, name) if re.match(large, step)]
    assert all(step.startswith(allowed.get(name, "-")) for step in scans), scans


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_long_list_comes_in_order_and_is_not_sorted(full: sqlite3.Connection, name: str) -> None:
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan(full, name)), plan(full, name)


def test_tasks_have_eight_indexes_and_all_but_the_one_of_lists_hold_some_tasks_only(full: sqlite3.Connection) -> None:
    found = full.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'prinia_tasks' AND sql IS NOT NULL")
    indexes = dict(found.fetchall())
    assert len(indexes) == 8
    assert [name for name, sql in indexes.items() if " WHERE " not in sql] == ["prinia_tasks_list"]


def test_choosing_what_to_claim_reads_the_claim_index_alone(full: sqlite3.Connection) -> None:
    assert any("COVERING INDEX prinia_tasks_claim" in step for step in plan(full, "candidates"))
