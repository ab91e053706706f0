"""Every statement that the store runs is understood, answers like SQLite's of the same name, and tells numbers exactly while they are added up."""

import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

import queue_core.backends
from queue_core.backends._statements import positional, statement
from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.binding import arguments, compiled
from queue_core.backends.postgres.schema import qualified
from queue_core.histogram import BOUNDS, bucket_of
from tests.backends.postgres import connected, migrated

HOME = Path(queue_core.backends.__file__).parent
FILES = sorted([*(HOME / "sql/shared").glob("*.sql"), *(HOME / "sql/postgres").glob("*.sql")])
OWN = [file for file in FILES if file.parent.name == "postgres"]
SQLITES = {file.stem for folder in ("shared", "sqlite") for file in (HOME / "sql" / folder).glob("*.sql")}
TWINS = sorted({file.stem for file in OWN} & SQLITES - {"push", "ack"})  # which are about many tasks at once here
MINUTE: Final = 60_000_000
NOW: Final = 1_800_000_000_000_000
NO_LIMITS: Final = (None, None, None, None, None, None, 0)


@pytest.fixture(scope="module")
def address(pg_url: str) -> Iterator[Address]:
    with migrated(pg_url) as address:
        yield address


class Store:
    """Statements by name, in a transaction that is undone after the test."""

    def __init__(self, connection: "asyncpg.Connection[Any]", schema: str) -> None:
        self.connection = connection
        self.schema = schema

    async def rows(self, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
        sql, parameters = compiled(name, self.schema)
        return [tuple(row) for row in await self.connection.fetch(sql, *arguments(parameters, values))]

    async def ask(self, sql: str, /, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.connection.fetch(qualified(sql, self.schema), *values)]

    async def push(self, id: str, /, **columns: Any) -> None:
        """Store a task, and log it as a push does."""
        row: dict[str, Any] = {"id": id, "queue": "mail", "name": "work", "status": "Pending", "stage": 1, "created_at": NOW, "run_at": NOW} | columns
        row = {"max_attempts": 5, "codec": "json", "args": b"{}"} | row
        marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.ask(f"INSERT INTO prinia_tasks ({', '.join(row)}) VALUES ({marks})", *row.values())
        await self.rows("name_queue", queue=row["queue"], now=NOW)
        await self.change(row["queue"], row["status"])

    async def change(self, queue: Any, what: Any, n: int = 1, at: int = NOW) -> None:
        await self.rows("record_changes", now=at, queues=[queue], whats=[what], ns=[n])

    async def fold(self) -> None:
        await self.rows("fold", most=1_000)

    async def register(self, boot: str, **columns: Any) -> None:
        usual = {"name": boot, "queues": "[]", "names": None, "host": "here", "pid": 1, "process": "this", "version": "1", "middleware": "[]"}
        await self.rows("register", boot=boot, **{**usual, "concurrency": 4, "lease_us": 30_000_000, "now": NOW, **columns})


@pytest_asyncio.fixture
async def store(address: Address) -> AsyncIterator[Store]:
    async with connected(address) as connection:
        undone = connection.transaction()
        await undone.start()
        yield Store(connection, address.schema)
        await undone.rollback()


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_a_statement_begins_by_saying_what_it_does(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first.startswith("-- ")
    assert first.endswith((".", ",", ":", ";"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_statement_is_one_and_postgresql_understands_it(file: Path, store: Store) -> None:
    assert ";" not in re.sub(r"--.*", "", statement(file.stem, "postgres"))
    await store.connection.prepare(compiled(file.stem, store.schema)[0])


@pytest.mark.parametrize("name", TWINS)
def test_a_statement_takes_what_its_twin_takes(name: str) -> None:
    assert set(positional(name, "postgres")[1]) >= set(positional(name, "sqlite")[1])


@pytest.mark.parametrize("name", TWINS)
async def test_a_statement_answers_whole_numbers_and_no_decimals(name: str, store: Store) -> None:
    prepared = await store.connection.prepare(compiled(name, store.schema)[0])
    assert "numeric" not in {column.type.name for column in prepared.get_attributes()}


# --- functions -------------------------------------------------------------------------------------------


async def test_durations_fall_into_the_buckets_that_python_knows(store: Store) -> None:
    bounds = [round(bound * 1_000_000) for bound in BOUNDS]
    spans = [-5, 0, 1, *(us + step for us in bounds for step in (-1, 0, 1)), 10**12]
    rows = await store.ask("SELECT us, prinia_bucket(us) FROM unnest($1::bigint[]) AS us", spans)
    assert dict(rows) == {us: bucket_of(us / 1_000_000) for us in spans}


async def test_any_bytes_can_be_searched(store: Store) -> None:
    letters = random.Random(7)
    stored = [b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"a\x00b", bytes(range(256)), *(letters.randbytes(size) for size in range(200))]
    rows = await store.ask("SELECT prinia_readable(stored) FROM unnest($1::bytea[]) AS stored", stored)
    assert all(isinstance(text, str) for (text,) in rows)
    assert await store.ask("SELECT prinia_readable($1)", "Grüße 🦀".encode()) == [("Grüße 🦀",)]


# --- numbers that are added up later ---------------------------------------------------------------------


async def numbers(store: Store) -> list[list[tuple[Any, ...]]]:
    """Everything that adds up, in an order of its own."""
    span = {"span": "minute", "since": NOW - NOW % MINUTE, "until": NOW + MINUTE}
    return [
        sorted(row for row in await store.rows("counts") if row[2] != 0),
        sorted(await store.rows("series", **span, queue=None)),
        sorted(await store.rows("series", **span, queue="mail")),
        sorted(await store.rows("durations", **span, queue=None)),
        sorted(await store.rows("durations", **span, queue="mail")),
        await store.rows("last_claim"),
    ]


async def test_numbers_are_the_same_before_while_and_after_they_are_added_up(store: Store) -> None:
    for queue in ("mail", "post"):
        await store.rows("name_queue", queue=queue, now=NOW)
    for at, queue, what, n in (
        (NOW, "mail", "Pending", 5),
        (NOW, "mail", "pushed", 5),
        (NOW, "post", "Pending", 2),
        (NOW, "post", "pushed", 2),
        (NOW + 1, "mail", "claimed", 1),
        (NOW + 1, "mail", "Pending", -1),
        (NOW + 1, "mail", "Done", 1),
        (NOW + MINUTE, "mail", "done", 1),
        (NOW + MINUTE, "mail", "killed", 1),
        (NOW + MINUTE, "post", "failed", 4),
        (NOW - MINUTE, "mail", "failed", 9),
        (NOW, "mail", "run:3", 1),
        (NOW, "mail", "wait:4", 2),
        (NOW, "post", "wait:4", 2),
        (NOW, "mail", "touched", 1),
    ):
        await store.change(queue, what, n, at)
    before = await numbers(store)
    assert before == [
        [("mail", "Done", 1), ("mail", "Pending", 4), ("post", "Pending", 2)],
        [(NOW, 7, None, None, None), (NOW + MINUTE, None, 1, 4, 1)],
        [(NOW, 5, None, None, None), (NOW + MINUTE, None, 1, None, 1)],
        [("run:3", 1), ("wait:4", 4)],
        [("run:3", 1), ("wait:4", 2)],
        [(NOW + 1,)],
    ]
    for _ in range(3):
        await store.rows("fold", most=6)
        assert await numbers(store) == before
    assert await store.ask("SELECT count(*) FROM prinia_changes") == [(0,)]


async def test_an_empty_queue_is_counted_too(store: Store) -> None:
    await store.rows("name_queue", queue="idle", now=NOW)
    assert await store.rows("counts") == [("idle", None, None)]
    assert await store.rows("last_claim") == [(None,)]


async def test_a_topic_looks_different_after_each_change_whether_or_not_it_was_added_up(store: Store) -> None:
    looks = []
    for number in range(6):
        await store.change("mail", "Pending" if number % 3 else "touched")
        looks.append(dict(await store.rows("versions"))["queue:mail"])
        if number % 2:
            await store.fold()
    assert len(set(looks)) == 6


async def test_a_topic_looks_the_same_while_only_others_change(store: Store) -> None:
    for queue, topic in ((None, "workers"), ("post", "touched")):
        await store.change(queue, topic)
    await store.fold()
    before = dict(await store.rows("versions"))
    await store.change("mail", "touched")
    await store.fold()
    after = dict(await store.rows("versions"))
    assert {topic: after[topic] for topic in before} == before
    assert after.keys() - before.keys() == {"queue:mail"}


# --- lists -----------------------------------------------------------------------------------------------


SOME: Final = {"queues": ["mail", "post"], "statuses": ["Pending", "Done"]}


async def found(store: Store, text: str | None, **values: Any) -> list[str]:
    """Ids, through both lists, which must agree."""
    values = {"floor": 0, "name": None, "text": text and text.casefold(), "limit": 100, **SOME, **values}
    older = await store.rows("list_tasks_older", place=2**62, **values)
    newer = await store.rows("list_tasks_newer", place=0, **values)
    assert newer[::-1] == older
    return [row[0] for row in older]


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("Order", "oRDER"),
        ("Grüße", "GRÜßE"),
        ("GRÜSSE", "Grüße"),
        ("οδός", "ΟΔΌ"),
        ("Ёлка", "ёЛКА"),
        ("🦀", "🦀"),
        ("100 %", "%"),
        ("a\\b", "\\"),
        ("a.*b", ".*"),
    ],
)
async def test_text_is_found_in_large_and_small_letters_of_any_script(store: Store, stored: str, text: str) -> None:
    places: list[dict[str, Any]] = [{"args": stored.encode()}, {"error": stored}, {"key": stored}, {"tags": f'["x","{stored}"]'}]
    for number, place in enumerate(places):
        await store.push(f"task {number}", **place)
    await store.push(f"5 {stored}")
    await store.push("other", args=b"[1]")
    assert await found(store, text) == [f"5 {stored}", "task 3", "task 2", "task 1", "task 0"]


async def test_text_is_not_looked_for_across_what_a_task_is_made_of(store: Store) -> None:
    await store.push("one", key="two", args=b"\xff\x00")
    assert await found(store, "onetwo") == []
    assert await found(store, "x" * 100_000) == []


async def test_lists_merge_queues_and_states_in_the_order_of_pushing(store: Store) -> None:
    for number in range(12):
        finished = number % 3 == 0
        status: dict[str, Any] = {"status": "Done", "stage": None} if finished else {}
        await store.push(str(number), queue="mail" if number % 2 else "post", name=f"work {number % 2}", **status)
    seqs = dict(await store.ask("SELECT id, seq FROM prinia_tasks"))
    assert await found(store, None) == [str(number) for number in reversed(range(12))]
    assert await found(store, None, floor=seqs["8"]) == ["11", "10", "9"]
    assert await found(store, None, name="work 1", floor=seqs["4"]) == ["11", "9", "7", "5"]
    older = await store.rows("list_tasks_older", place=seqs["5"], floor=0, name=None, text=None, limit=2, **SOME)
    newer = await store.rows("list_tasks_newer", place=seqs["5"], floor=0, name=None, text=None, limit=2, **SOME)
    assert [row[0] for row in (*older, *newer)] == ["4", "3", "6", "7"]
    assert await store.rows("window_of_tasks", window=3, **SOME) == [(seqs["8"],)]
    assert await store.rows("window_of_tasks", window=12, **SOME) == []
    assert await store.rows("window_of_tasks", window=1, queues=["mail"], statuses=["Done"]) == [(seqs["3"],)]


async def test_the_beginning_of_the_arguments_is_bytes(store: Store) -> None:
    await store.push("large", args=bytes(range(256)) * 1_000)
    rows = await store.rows("summaries", ids=["large"])
    rows += await store.rows("list_tasks_older", place=2**62, floor=0, name=None, text=None, limit=1, **SOME)
    assert [row[24] for row in rows] == [bytes(range(200))] * 2


async def test_ids_are_answered_in_the_order_of_the_question(store: Store) -> None:
    for id in ("a", "b", "c"):
        await store.push(id)
    for name in ("fetch", "summaries"):
        assert [row[0] for row in await store.rows(name, ids=["c", "nobody", "a"])] == ["c", "a"]


# --- queues and workers ----------------------------------------------------------------------------------


async def test_a_queue_tells_what_is_scheduled_and_since_when_the_oldest_task_waits(store: Store) -> None:
    await store.push("due", run_at=NOW - 5, priority=3)
    await store.push("due longer", run_at=NOW - 9, priority=-3)
    await store.push("due before the clock stepped back", run_at=NOW + 5)
    await store.push("later", run_at=NOW + 5, stage=0)
    await store.push("not yet among the due", run_at=NOW - 7, stage=0)
    await store.push("to be retried", run_at=NOW - 8, stage=0, status="Failed")
    assert await store.rows("queues", queue=None, now=NOW, cap=10) == [("mail", None, None, None, 1, 1, NOW - 9, NOW - 8, None, *NO_LIMITS)]
    assert [row[4:6] for row in await store.rows("queues", queue="mail", now=NOW - 10, cap=2)] == [(2, 2)]
    assert await store.rows("queues", queue="nobody", now=NOW, cap=10) == []


async def test_a_row_that_somebody_spoiled_hides_no_other_worker(store: Store) -> None:
    strange = 'a,"b\\c'
    await store.register("good", queues='["mail","a,\\"b\\\\c"]')
    for number, spoiled in enumerate(["", "{", "[1]", '["mail"', '["mail",]', '["\\ud800"]', '["\\u0000"]', '["\n"]', '{"mail": 1}', "null"]):
        await store.register(f"spoiled {number}", queues=spoiled)
    assert sorted(await store.rows("living_workers", now=NOW)) == [(strange, "good", 4), ("mail", "good", 4)]
    for queue in ("mail", strange):
        assert [row[0] for row in await store.rows("workers", queue=queue, now=NOW, limit=10)] == ["good"]
    assert len(await store.rows("workers", queue=None, now=NOW, limit=100)) == 11


async def test_the_living_come_by_name_and_then_those_that_ended_latest(store: Store) -> None:
    for boot, beat in (("c", NOW), ("a", NOW), ("silent", NOW - 40_000_000), ("ended first", NOW), ("ended last", NOW)):
        await store.register(boot, now=beat)
    await store.rows("end_worker", boot="ended first", state="stopped", now=NOW + 1)
    await store.rows("end_worker", boot="ended last", state="stopped", now=NOW + 2)
    assert [row[0] for row in await store.rows("workers", queue=None, now=NOW + 3, limit=10)] == ["a", "c", "ended last", "ended first", "silent"]
    assert await store.rows("silent_workers", now=NOW + 3) == [("silent",)]


async def test_facts_are_those_of_the_queues_asked_for(store: Store) -> None:
    await store.push("old", queue="post", created_at=NOW - 9)
    await store.push("new", queue="mail", created_at=NOW - 1)
    await store.push("runs", queue="post", created_at=NOW - 20, status="Running", stage=2, boot="b", started_at=NOW - 3)
    statuses = ["Pending", "Running"]
    [(newest, since, stale, page_size, pages)] = await store.rows("facts", queues=["mail", "post"], statuses=statuses, stale=NOW)
    assert (newest, since, stale) == (NOW - 20, NOW - 3, 1)
    assert page_size >= 1024 and pages > 10
    assert (await store.rows("facts", queues=["mail"], statuses=statuses, stale=NOW))[0][:3] == (NOW - 1, None, 0)
    assert (await store.rows("facts", queues=[], statuses=statuses, stale=NOW))[0][:3] == (None, None, 0)


# --- changes ---------------------------------------------------------------------------------------------


async def test_tasks_held_are_given_back_or_end_where_that_was_asked_for(store: Store) -> None:
    held: dict[str, Any] = {"stage": 2, "boot": "b", "lease": 1, "attempts": 1}
    await store.push("queued", status="Queued", **held)
    await store.push("running", status="Running", **held)
    await store.push("to be killed", status="Running", **held, kill_requested_at=NOW)
    assert [row[0] for row in await store.rows("leased_by", boot="b")] == ["queued", "running", "to be killed"]
    assert [row[0] for row in await store.rows("orphans", now=NOW, limit=2)] == ["queued", "running"]
    await store.rows("give_back", ids=["queued", "running", "to be killed"], now=NOW)
    rows = await store.ask("SELECT id, status, reason, stage, attempts, lease, done_at FROM prinia_tasks ORDER BY seq")
    assert rows == [
        ("queued", "Pending", None, 1, 1, 2, None),
        ("running", "Pending", None, 1, 0, 2, None),
        ("to be killed", "Killed", "killed", None, 0, 2, NOW),
    ]


async def test_pruning_forgets_batches(store: Store) -> None:
    for number in range(3):
        await store.change("post" if number % 2 else "mail", "pushed", at=NOW - number * MINUTE)
        await store.register(f"b{number}")
        await store.rows("end_worker", boot=f"b{number}", state="stopped", now=NOW)
    for queue in ("mail", "post"):
        await store.rows("name_queue", queue=queue, now=NOW)
    await store.fold()
    for name, left in (("prune_rollups", 1), ("prune_workers", 1)):
        values = {"span": "minute", "before": NOW + 1, "limit": 2}
        await store.rows(name, **{key: values[key] for key in positional(name, "postgres")[1]})
        table = {"prune_rollups": "prinia_rollups WHERE span = 'minute'", "prune_workers": "prinia_workers"}[name]
        assert await store.ask(f"SELECT count(*) FROM {table}") == [(left,)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("expirable", {"now": NOW, "limit": 10}),
        ("orphans", {"now": NOW, "limit": 10}),
        ("prunable", {"ids": ["waits", "held", "done"], "status": "Done", "before": NOW}),
        ("old_actions", {"before": NOW, "limit": 10}),
    ],
)
async def test_what_one_transaction_takes_up_the_next_one_neither_takes_nor_waits_for(address: Address, name: str, values: dict[str, Any]) -> None:
    async with connected(address) as first, connected(address) as second:
        one, other = Store(first, address.schema), Store(second, address.schema)
        await one.push("waits", expires_at=NOW - 1)
        await one.push("held", status="Queued", stage=2, boot="unknown")
        await one.push("done", status="Done", stage=None, done_at=NOW)
        await one.rows("record_action", now=NOW, actor="me", action="kill", queue="mail", task_ids="[]", count=0, reason=None, schedule=None)
        try:
            async with first.transaction(), second.transaction():
                assert len(await one.rows(name, **values)) == 1
                assert await other.rows(name, **values) == []
        finally:
            await first.execute(qualified("TRUNCATE prinia_tasks, prinia_changes, prinia_queues, prinia_audit", address.schema))
