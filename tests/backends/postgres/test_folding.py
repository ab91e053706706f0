"""The numbers stay exact, whoever adds them up, and whatever goes on beside it; and a claim stays cheap under a snapshot that is held."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from queue_core.backends.postgres import claiming, folding
from queue_core.backends.postgres.schema import qualified
from queue_core.conformance.helpers import PATIENCE, check_books, claim, counts_of, finish, new_task, registered
from queue_core.expose import Connected, connect
from queue_core.task import DEFAULT_QUEUE

pytestmark = pytest.mark.postgres
COME_AND_GO = """
INSERT INTO prinia_changes (at, n, queue, what)
SELECT 1, step.n, 'default', $1
FROM generate_series(1, $2::int)
CROSS JOIN (VALUES (1), (-1)) AS step (n)
"""


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url.partition("?")[0])
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def connected(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    """A store that adds nothing up by itself. After the test its books must balance, before and after the last of it is added up."""
    monkeypatch.setattr(folding, "EVERY", 3_600.0)
    store = connect(postgres_store)
    await store.backend.open()
    yield store
    await check_books(store)
    await fold(store)
    await check_books(store)
    await store.backend.close()


def sql(store: Connected, text: str) -> str:
    return qualified(text, store.backend._store.address.schema)


async def fold(store: Connected) -> None:
    await store.backend._store.here.folding.fold()


async def unfolded(store: Connected, connection: Any) -> int:
    return int(await connection.fetchval(sql(store, "SELECT count(*) FROM prinia_changes")))


async def work(store: Connected, tasks: int) -> None:
    """Push, claim and end some tasks, a transaction each."""
    boot = await registered(store)
    await asyncio.gather(*(store.backend.push([new_task()]) for _ in range(tasks)))
    for one in await claim(store, boot, limit=tasks, start=tasks):
        await finish(store, one)
    await store.backend.deregister(boot)


async def test_several_add_up_at_once_while_tasks_come_and_go(connected: Connected, postgres_store: str) -> None:
    others = [connect(postgres_store) for _ in range(3)]
    for store in others:
        await store.backend.open()
    working = asyncio.gather(*(work(store, 40) for store in others))
    while not working.done():
        await asyncio.gather(*(fold(store) for store in (connected, *others)))
        await check_total(connected, most=120)
    await working
    for store in others:
        await store.backend.close()
    assert (await counts_of(connected)).done == 120


async def check_total(store: Connected, *, most: int) -> None:
    counts = (await store.expose.counts()).get(DEFAULT_QUEUE)
    assert counts is None or 0 <= counts.total <= most


async def test_a_long_transaction_that_writes_keeps_nothing_out_of_the_numbers(connected: Connected, postgres_store: str) -> None:
    async with session(postgres_store) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(sql(connected, "INSERT INTO prinia_changes (at, n, queue, what) VALUES (1, 0, 'default', 'Done')"))
        for _ in range(3):
            await work(connected, 10)
            await fold(connected)
            await check_books(connected)
        await transaction.commit()
        assert await unfolded(connected, connection) == 1, "what committed late is still to be added up"
        await fold(connected)
        assert await unfolded(connected, connection) == 0


async def test_a_snapshot_that_is_held_changes_no_number(connected: Connected, postgres_store: str) -> None:
    async with session(postgres_store) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval(sql(connected, "SELECT count(*) FROM prinia_tasks"))
        for _ in range(3):
            await work(connected, 10)
            await fold(connected)
            await check_books(connected)


async def test_a_folder_that_dies_in_the_middle_changes_no_number(connected: Connected, postgres_store: str) -> None:
    await work(connected, 10)
    async with session(postgres_store) as blocker, session(postgres_store) as folder, blocker.transaction():
        await blocker.execute(sql(connected, "LOCK TABLE prinia_rollups IN SHARE MODE"))
        pid = folder.get_server_pid()
        dying = asyncio.ensure_future(folder.fetchval(sql(connected, "SELECT prinia_fold(20000)")))
        await blocked(blocker, pid)
        await fold(connected)  # gives way to the one that is at it
        await check_books(connected)
        await blocker.fetchval("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await asyncio.wait_for(dying, PATIENCE)
    await check_books(connected)
    await fold(connected)
    async with session(postgres_store) as connection:
        assert await unfolded(connected, connection) == 0


async def blocked(connection: Any, pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):
            await asyncio.sleep(0.005)


async def test_more_than_one_transaction_takes_is_added_up(connected: Connected, postgres_store: str) -> None:
    async with session(postgres_store) as connection:
        await connected.backend.push([new_task()])
        for what, n in (("Pending", 30_000), ("Done", 30_000)):
            await connection.execute(sql(connected, COME_AND_GO), what, n // 2)
        assert await unfolded(connected, connection) > folding.AT_ONCE
        await check_books(connected)
        await fold(connected)
        assert await unfolded(connected, connection) == 0


async def test_a_claim_stays_cheap_under_a_snapshot_that_is_held(connected: Connected, postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "LOW_FOR", 3_600.0)
    async with session(postgres_store) as holder, holder.transaction(isolation="repeatable_read"):
        await holder.fetchval(sql(connected, "SELECT count(*) FROM prinia_tasks"))
        await connected.backend.push([new_task() for _ in range(6_000)])
        boot = await registered(connected)
        costs = []
        for _ in range(40):
            before = await entries_read(connected)
            assert len(await claim(connected, boot, limit=100, start=100)) == 100
            costs.append(await entries_read(connected) - before)
        await connected.backend.deregister(boot)
    assert min(costs) >= 100, "every claim is counted"
    assert max(costs[20:]) <= max(costs[1:5]) + 100, costs


async def entries_read(store: Connected) -> int:
    """How many entries of the index of due tasks claims have read; counted by the session that claims, and published by it now."""
    query = """
        SELECT idx_tup_read
        FROM pg_stat_user_indexes
        WHERE schemaname = $1
          AND indexrelname = 'tasks_claim'
    """
    async with store.backend._store.here._claims.raw() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return int(await connection.fetchval(query, store.backend._store.address.schema))
