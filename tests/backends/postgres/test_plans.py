"""With a million tasks or few, each statement that meets many rows goes through the index made for it, and a claim touches few pages."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.schema import qualified
from queue_core.status import Status
from tests.backends.postgres import connected, migrated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NOW: Final = 1_800_000_000_000_000
QUEUES: Final = [f"queue {number}" for number in range(5)]
GROWING: Final = {"tasks", "attempts", "rollups", "changes", "audit_tasks", "logs"}

WORKERS: Final = f"""
    INSERT INTO prinia_workers (
      boot, name, queues, host, pid, process, version, middleware, concurrency, lease_us, state, started_at, last_heartbeat
    )
    SELECT 'boot ' || n, 'worker ' || n, '["queue 1"]', 'here', n, '', '1', '[]', 50, 60000000, 'running', {NOW}, {NOW}
    FROM generate_series(1, 4) AS n
    """

FILL: Final = (
    "INSERT INTO prinia_queues (name, created_at) SELECT 'queue ' || n, 0 FROM generate_series(0, 4) AS n",
    f"""
    INSERT INTO prinia_tasks (
      id, queue, name, status, stage, priority, created_at, run_at, started_at, done_at, max_attempts, boot, lease, expires_at, codec, args
    )
    SELECT
      md5(n::text), 'queue ' || n % 5, 'work', state.status, state.stage, n % 3, {NOW} - 2000000 + n, {NOW} - 2000000 + n + state.later,
      CASE WHEN state.status IN ('Running', 'Done') THEN {NOW} END, CASE WHEN state.stage IS NULL THEN {NOW} END, 5,
      CASE WHEN state.stage = 2 THEN 'boot ' || n % 4 END, 1, CASE WHEN n % 100 = 0 THEN {NOW} + n END, 'json', '{{}}'
    FROM generate_series(1, 1000000, {{step}}) AS n
    JOIN (
      VALUES
        (1, 860000, 'Done', NULL, 0),
        (860001, 919800, 'Killed', NULL, 0),
        (919801, 929800, 'Failed', 0, 3600000000),
        (929801, 949800, 'Pending', 0, 3600000000),
        (949801, 999800, 'Pending', 1, 0),
        (999801, 1000000, 'Running', 2, 0)
    ) AS state (first, last, status, stage, later) ON n BETWEEN state.first AND state.last
    """,
    "INSERT INTO prinia_attempts (task, number, outcome) SELECT n % 100000, 1, 'failed' FROM generate_series(1, 100000) AS n",
    f"""
    INSERT INTO prinia_rollups (span, queue, start, metric, n)
    SELECT 'minute', 'queue ' || queue, {NOW} - minute::bigint * 60000000, metric, 1
    FROM generate_series(0, 4) AS queue
    CROSS JOIN generate_series(0, 1500) AS minute
    CROSS JOIN unnest('{{pushed,done,failed,killed,run:1,run:2,run:3,wait:1,wait:2,wait:3}}'::text[]) AS metric
    """,
    f"INSERT INTO prinia_changes (at, n, queue, what) SELECT {NOW}, 1, 'queue ' || n % 5, 'Done' FROM generate_series(1, 5000) AS n",
    WORKERS,
    f"""
    INSERT INTO prinia_logs (at, stored_at, lease, number, attempt, level, task, queue, logger, message)
    SELECT
      {NOW}, {NOW}, 1, 1 + n / 5000, 1, 20, md5((n % 5000)::text), CASE WHEN n % 5000 = 7 THEN 'rare' ELSE 'queue ' || n % 5 END,
      'shop', 'line ' || n
    FROM generate_series(1, 200000) AS n
    """,
    "INSERT INTO prinia_audit_tasks (task_id, audit) SELECT md5(n::text), n FROM generate_series(1, 10000) AS n",
)

SPAN: Final = {"span": "minute", "since": NOW - 3_600_000_000, "until": NOW}
PLACE: Final = {"place": NOW, "floor": 0, "name": None, "text": None, "limit": 51}
SOME: Final = {"queues": QUEUES, "statuses": [status.value for status in Status]}
LINES: Final = {"attempt": None, "level": 0, "text": None, "place": NOW, "window": 101, "limit": 103}
IDS: Final = {"ids": [f"task {number}" for number in range(500)]}

STATEMENTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "attempts": ("attempts_task", {"task": 7}),
    "audit_of_task": ("audit_tasks_pkey", {"task": "a", "limit": 100}),
    "counts": ("changes_xid", {}),
    "delete": ("tasks_pkey", {"id": "a"}),
    "delete_attempts": ("attempts_task", {"seq": 7}),
    "delete_logs": ("logs_task", {"id": "a"}),
    "delete_some_logs": ("logs_task", {**IDS, "limit": 500}),
    "durations": ("rollups_pkey", {**SPAN, "queue": None}),
    "ended": ("tasks_pkey", IDS),
    "ended_tasks": ("tasks_list", {"queue": "queue 1", "status": "Done", "place": 0, "limit": 1_000}),
    "expirable": ("tasks_expires", {"now": NOW, "limit": 500}),
    "expire": ("tasks_pkey", {"id": "a", "now": NOW}),
    "facts": ("tasks_list", {**SOME, "stale": NOW}),
    "fetch": ("tasks_pkey", IDS),
    "fetch_final": ("tasks_pkey", IDS),
    "give_back": ("tasks_pkey", {**IDS, "now": NOW}),
    "held": ("tasks_pkey", IDS),
    "kill": ("tasks_pkey", {"id": "a", "now": NOW}),
    "kill_requests": ("tasks_leased", {"boot": "boot 1"}),
    "last_line": ("logs_task", {"task": "a", "lease": 1}),
    "last_claim": ("changes_xid", {}),
    "leased_by": ("tasks_leased", {"boot": "boot 1"}),
    "leases": ("tasks_leased", {"boot": "boot 1"}),
    "list_held": ("tasks_leased", {"boot": "boot 1"}),
    "list_tasks_newer": ("tasks_list", {**PLACE, **SOME}),
    "list_tasks_older": ("tasks_list", {**PLACE, **SOME}),
    "logs_newer": ("logs_task", {**LINES, "task": "a", "queue": None}),
    "logs_older": ("logs_queue", {**LINES, "task": None, "queue": "rare"}),
    "orphans": ("tasks_leased", {"now": NOW, "limit": 500}),
    "progress": ("tasks_pkey", {"id": "a", "boot": "b", "token": 1, "fraction": 0.5, "note": None}),
    "prunable": ("tasks_pkey", {**IDS, "status": "Done", "before": NOW}),
    "prune_logs": ("logs_queue", {"queue": "rare", "before": NOW, "limit": 500}),
    "prune_rollups": ("rollups_pkey", {"span": "minute", "before": NOW, "limit": 500}),
    "queued_in": ("tasks_list", {"queue": "queue 1"}),
    "queues": ("tasks_claim", {"queue": None, "now": NOW, "cap": 10_001}),
    "request_kill": ("tasks_pkey", {"id": "a", "now": NOW}),
    "reschedule": ("tasks_pkey", {"id": "a", "run_at": NOW, "stage": 1}),
    "rescue": ("tasks_pkey", {"id": "a", "status": "Pending", "reason": None, "stage": 1, "done_at": None, "error": None}),
    "retry": ("tasks_pkey", {"id": "a", "now": NOW}),
    "series": ("rollups_pkey", {**SPAN, "queue": None}),
    "start": ("tasks_pkey", {**IDS, "now": NOW}),
    "stored_ids": ("tasks_pkey", IDS),
    "summaries": ("tasks_pkey", IDS),
    "targets": ("tasks_pkey", IDS),
    "trim_attempts": ("attempts_task", {"task": 7, "keep": 100}),
    "trim_logs": ("logs_task", {"task": "a", "keep": 10_000}),
    "versions": ("changes_xid", {}),
    "window_of_tasks": ("tasks_list", {**SOME, "window": 100_000}),
}
"""Which index a statement is made for, and values as the store asks with."""

IN_ORDER: Final = ["ended_tasks", "list_tasks_newer", "list_tasks_older"]
ASKED_AGAIN_AND_AGAIN: Final = ["facts", "queues", "series", *IN_ORDER]
PAGES: Final = 3_000
"""How many pages of 8 KiB such a statement may touch, and a claim of fifty; of the many thousands that a million tasks take."""

DEEP: Final = f"""
    INSERT INTO prinia_tasks (seq, id, queue, name, stage, created_at, run_at, max_attempts, codec, args)
    SELECT n, 'deep ' || n, 'deep', 'work', 1, {NOW}, {NOW}, 5, 'json', '{{}}'
    FROM generate_series(2000001, 2200100) AS n
"""

GROWN: Final = f"""
    INSERT INTO prinia_tasks (id, queue, name, stage, created_at, run_at, max_attempts, codec, args)
    SELECT n, 'queue ' || n % 5, 'work', CASE WHEN n > 200000 THEN 1 ELSE 0 END, {NOW}, {NOW} + 200000 - n, 5, 'json', '{{}}'
    FROM generate_series(1, 201000) AS n
"""


@pytest.fixture(scope="module")
def full(pg_url: str) -> Iterator[Address]:
    """A store with a million tasks, most of them finished."""
    with migrated(pg_url) as address:
        asyncio.run(_fill(address, 1))
        yield address


async def _fill(address: Address, step: int) -> None:
    async with connected(address) as connection:
        for table in GROWING:  # what the server knows of them is what the test says, however long it takes
            await connection.execute(qualified(f"ALTER TABLE prinia_{table} SET (autovacuum_enabled = off)", address.schema))
        for statement in FILL:
            await connection.execute(qualified(statement, address.schema).replace("{step}", str(step)))
        if step == 1:
            await connection.execute(qualified("ANALYZE " + ", ".join(f"prinia_{table}" for table in sorted(GROWING)), address.schema))


@pytest.fixture(scope="module")
def young(pg_url: str) -> Iterator[Address]:
    """A store with some thousand tasks, of which the server has no statistics yet."""
    with migrated(pg_url) as address:
        asyncio.run(_fill(address, 251))
        yield address


@pytest.fixture
def empty(pg_url: str) -> Iterator[Address]:
    """A store without tasks."""
    with migrated(pg_url) as address:
        yield address


@pytest.fixture(params=["full", "young"])
def address(request: pytest.FixtureRequest) -> Address:
    """Either of them."""
    found: Address = request.getfixturevalue(request.param)
    return found


@pytest_asyncio.fixture(params=["force_custom_plan", "force_generic_plan"])
async def connection(request: pytest.FixtureRequest, address: Address) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """Plans are made for the values, or once for all."""
    async with connected(address, plan_cache_mode=request.param) as connection:
        yield connection


# --- plans -----------------------------------------------------------------------------------------------

Node = dict[str, Any]


async def plan(connection: "asyncpg.Connection[Any]", address: Address, name: str, options: str = "FORMAT JSON") -> Node:
    """How the server would answer a statement."""
    sql, parameters = compiled(name, address.schema)
    values = ", ".join(_literal(value) for value in arguments(parameters, STATEMENTS[name][1]))
    await connection.execute(f"PREPARE asked AS {sql}")
    return await explained(connection, f"EXECUTE asked{values and f'({values})'}", options)


async def explained(connection: "asyncpg.Connection[Any]", sql: str, options: str) -> Node:
    [answer] = json.loads(await connection.fetchval(f"EXPLAIN ({options}) {sql}"))
    found: Node = answer["Plan"]
    return found


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return f"'{value}'"
        case list():
            return f"ARRAY[{', '.join(_literal(item) for item in value)}]::text[]"
    return str(value)


def walk(node: Node, parent: Node | None = None) -> Iterator[tuple[Node, Node]]:
    """Every node below, with the one above it."""
    yield node, parent or {}
    for child in node.get("Plans", ()):
        yield from walk(child, node)


def lookups(root: Node) -> Iterator[tuple[Node, Node]]:
    """The nodes that read tables which grow, with those above them."""
    for node, parent in walk(root):
        if node.get("Relation Name") in GROWING or node.get("Index Name", "").rpartition("_")[0] in GROWING:
            yield node, parent


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_goes_through_its_index(connection: "asyncpg.Connection[Any]", address: Address, name: str) -> None:
    root = await plan(connection, address, name)
    assert STATEMENTS[name][0] in {node.get("Index Name") for node, _ in walk(root)}, json.dumps(root, indent=1)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_more_than_it_looks_for(connection: "asyncpg.Connection[Any]", address: Address, name: str) -> None:
    root = await plan(connection, address, name)
    aimless = [
        node
        for node, _ in lookups(root)
        if node["Node Type"] not in {"ModifyTable", "Bitmap Heap Scan", "Tid Scan"}
        and "Index Cond" not in node
        and node.get("Index Name") != "tasks_leased"  # what is held is never much
    ]
    assert not aimless, json.dumps(root, indent=1)


@pytest.mark.parametrize("name", IN_ORDER)
async def test_a_long_list_comes_in_order_and_is_not_sorted(connection: "asyncpg.Connection[Any]", address: Address, name: str) -> None:
    root = await plan(connection, address, name)
    lists = [parent["Node Type"] for node, parent in lookups(root) if "seq" not in _equal(node)]
    assert lists == ["Limit"], json.dumps(root, indent=1)


@pytest.mark.parametrize("name", ["held", "leased_by", "queued_in", "targets"])
async def test_a_statement_locks_tasks_in_the_order_of_their_ids(connection: "asyncpg.Connection[Any]", address: Address, name: str) -> None:
    locks = await plan(connection, address, name)
    assert locks["Node Type"] == "LockRows"
    [rows] = locks["Plans"]
    assert rows.get("Index Name") == "tasks_pkey" or rows["Sort Key"][0].startswith("id"), json.dumps(locks, indent=1)


def _equal(node: Node) -> str:
    """The columns that an index is asked for one value of."""
    return " ".join(part.split()[0] for part in node.get("Index Cond", "").split("(") if " = " in part)


# --- pages -----------------------------------------------------------------------------------------------


def pages(root: Node) -> int:
    """How many pages were touched, in memory or on disk."""
    found: int = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
    return found


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", ASKED_AGAIN_AND_AGAIN)
async def test_what_the_board_asks_again_and_again_touches_few_pages(full: Address, name: str, mode: str) -> None:
    async with connected(full, plan_cache_mode=mode) as connection:
        root = await plan(connection, full, name, "ANALYZE, BUFFERS, FORMAT JSON")
    assert pages(root) < PAGES, json.dumps(root, indent=1)


async def claim(connection: "asyncpg.Connection[Any]", address: Address, queues: list[str], **values: int) -> tuple[int, int]:
    """How many tasks a claim of fifty leases, and how many pages it touches; it is undone."""
    sql, parameters = compiled("claim", address.schema)
    asked: dict[str, Any] = {"now": NOW, "boot": "boot 1", "queues": queues, "limit": 50, "start": 50, **values}
    literals = [_literal(asked.get(name)) for name in parameters]
    undone = connection.transaction()
    await undone.start()
    root = await explained(connection, re.sub(r"\$(\d+)", lambda mark: literals[int(mark[1]) - 1], sql), "ANALYZE, BUFFERS, FORMAT JSON")
    await undone.rollback()
    return root["Actual Rows"] - 1, pages(root)


async def test_a_claim_touches_few_pages(full: Address) -> None:
    async with connected(full) as connection:
        leased, touched = await claim(connection, full, QUEUES)
    assert leased == 50
    assert touched < PAGES


async def test_a_claim_that_knows_where_the_last_one_stood_does_not_walk_over_what_was_taken(full: Address) -> None:
    """While somebody holds an old snapshot, what was taken stays in the index."""
    async with connected(full) as reader, connected(full) as connection:
        await connection.execute(qualified(DEEP, full.schema))
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            await reader.fetchval("SELECT 1")
            await connection.execute(qualified("UPDATE prinia_tasks SET stage = NULL WHERE queue = 'deep' AND seq <= 2200000", full.schema))
            leased, touched = await claim(connection, full, ["deep"], low_rank=0, low_run_at=NOW, low_seq=2_200_001)
            assert leased == 50
            assert touched < PAGES
            assert (await claim(connection, full, ["deep"]))[1] > 3 * PAGES


async def test_a_claim_whose_plan_was_made_in_an_empty_table_touches_few_pages_once_that_has_grown(empty: Address) -> None:
    async with connected(empty) as connection:
        await connection.execute(qualified(WORKERS, empty.schema))
        assert (await claim(connection, empty, QUEUES))[0] == 0
        await connection.execute(qualified(GROWN, empty.schema))
        leased, touched = await claim(connection, empty, QUEUES)
        assert leased == 50
        assert touched < PAGES / 2
        leased, touched = await claim(connection, empty, QUEUES, now=NOW - 1_000_000)
        assert leased == 0
        assert touched < PAGES / 2
