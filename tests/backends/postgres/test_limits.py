"""A claim costs the same however much the limits hold back, and what another transaction holds keeps nobody waiting."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from queue_core.backends.postgres.address import Address
from queue_core.backends.postgres.schema import qualified
from queue_core.conformance.helpers import PATIENCE, claim, new_task, push_one, registered, settle_down
from queue_core.expose import Connected, connect
from queue_core.ids import QueueName
from queue_core.limits import Limits, Rate
from queue_core.task import DEFAULT_QUEUE
from tests.backends.postgres import connected as connection_to

pytestmark = pytest.mark.postgres

BACKLOG = 50_000
PAGES = 1_000
"""How many pages of 8 KiB a claim may touch; the backlog takes several times as many, and its indexes too."""


@pytest.fixture
async def store(postgres_store: str) -> AsyncIterator[Connected]:
    store = connect(postgres_store)
    await store.backend.open()
    yield store
    await store.backend.close()


@pytest.mark.parametrize("limits", [Limits(group_concurrency=3), Limits(ordered=True), Limits(group_rate=Rate(3, per=60))], ids=str)
async def test_a_claim_does_not_walk_over_what_is_held_back(fresh_postgres_store: str, limits: Limits) -> None:
    store, queue = connect(fresh_postgres_store), QueueName("mail")
    await store.backend.open()
    for _ in range(BACKLOG // 10_000):
        await store.backend.push([new_task(queue=queue, group="big") for _ in range(10_000)])
    boot = await registered(store, queues=(queue,))
    await store.backend.declare(queue, limits)
    assert len(await claim(store, boot, queue, limit=50)) == (limits.at_once or 3)
    address = store.backend._store.address
    async with connection_to(address) as connection:
        touched = [await pages_of_a_claim(connection, address, boot) for _ in range(4)]
    assert min(touched) < PAGES, "the first time, and after the server has looked at the tables, the catalogue is read too"
    await store.backend.close()


async def test_a_turn_does_not_walk_over_what_was_let_in_of_other_groups(fresh_postgres_store: str) -> None:
    store, queue = connect(fresh_postgres_store), QueueName("mail")
    await store.backend.open()
    await store.backend.declare(queue, Limits(group_concurrency=1))
    await store.backend.push([new_task(queue=queue, group=f"g{number}") for number in range(5_000)])
    await push_one(store, queue=queue, group="big", priority=-1)
    boot = await registered(store, queues=(queue,))
    for _ in range(6):
        assert await claim(store, boot, queue, limit=0) == []
    address = store.backend._store.address
    async with connection_to(address) as connection:
        touched = [await pages_of_a_claim(connection, address, boot, limit=0) for _ in range(4)]
    assert min(touched) < PAGES
    await store.backend.close()


async def pages_of_a_claim(connection: "asyncpg.Connection[Any]", address: Address, boot: str, limit: int = 50) -> int:
    """How many pages a claim touches that has to look at the group and finds it full."""
    await connection.execute(qualified("SELECT prinia_turn(ARRAY['mail'], ARRAY['big'], 0)", address.schema))
    asked = f"SELECT * FROM prinia_claim(NULL, '{boot}', ARRAY['mail'], NULL, {limit}, {limit}, NULL, NULL, NULL)"
    [answer] = json.loads(await connection.fetchval(qualified(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}", address.schema)))
    assert answer["Plan"]["Actual Rows"] == 2, "the two rows that say how it ended"
    return int(answer["Plan"]["Shared Hit Blocks"] + answer["Plan"]["Shared Read Blocks"])


async def test_a_row_that_another_transaction_holds_keeps_no_claim_waiting(store: Connected) -> None:
    await store.backend.declare(QueueName("default"), Limits(group_concurrency=1))
    first, second = await push_one(store, group="a"), await push_one(store, group="a")
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection, connection.transaction():
        await connection.execute(qualified(f"SELECT FROM prinia_tasks WHERE id = '{first.id}' FOR UPDATE", address.schema))
        found = await asyncio.wait_for(claim(store, boot), PATIENCE)
        assert [each.id for each in found] == [second.id]


async def test_a_push_that_is_not_committed_keeps_nobody_waiting_and_is_not_forgotten(store: Connected, postgres_store: str) -> None:
    await store.backend.declare(QueueName("default"), Limits(group_concurrency=1))
    first = await push_one(store, group="a")
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection:
        undone = connection.transaction()
        await undone.start()
        [later] = await store.backend.push_in(connection, [new_task(group="a", priority=1)])
        [held] = await asyncio.wait_for(claim(store, boot), PATIENCE)
        assert held.id == first.id
        await store.backend.release([held.lease])
        await undone.commit()
    [held] = await claim(store, boot)
    assert held.id == later.task.id


async def test_the_end_of_an_expired_task_wakes_workers_for_those_behind_it(store: Connected) -> None:
    await store.backend.declare(QueueName("default"), Limits(ordered=True))
    await push_one(store, group="a", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    later = await push_one(store, group="a")
    boot = await registered(store)
    async with store.backend.wakeups(boot, [DEFAULT_QUEUE]) as wakeups:
        await settle_down(wakeups)
        assert await claim(store, boot) == []
        assert await wakeups.wait(PATIENCE)
    assert [each.id for each in await claim(store, boot)] == [later.id]


# --- other sessions ------------------------------------------------------------------------------------------


async def until_somebody_waits(connection: "asyncpg.Connection[Any]", others: "asyncio.Future[Any]") -> None:
    """Until a session waits for a lock that ``connection`` has, or ``others`` are done without."""
    async with asyncio.timeout(PATIENCE):
        while not others.done() and not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0.01)


async def test_a_group_whose_task_another_transaction_held_and_left_is_not_forgotten(store: Connected) -> None:
    await store.backend.declare(QueueName("default"), Limits(ordered=True))
    task = await push_one(store, group="a")
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection:
        undone = connection.transaction()
        await undone.start()
        await connection.execute(qualified(f"SELECT FROM prinia_tasks WHERE id = '{task.id}' FOR UPDATE", address.schema))
        claims = await store.backend.claim(boot, [DEFAULT_QUEUE], names=None, limit=10)
        assert claims.tasks == []
        assert claims.next_due is not None and 0 < claims.next_due <= 1
        await undone.rollback()
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        while not found:
            found = await claim(store, boot)
    assert [each.id for each in found] == [task.id]


async def test_limits_change_between_claims_and_not_while_one_is_under_way(store: Connected) -> None:
    queue = QueueName("default")
    await store.backend.declare(queue, Limits(group_rate=Rate(1, per=86_400)))
    for _ in range(3):
        await push_one(store, group="a")
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection, connection.transaction():
        await connection.fetch(
            qualified(f"SELECT * FROM prinia_claim(NULL, '{boot}', ARRAY['default'], NULL, 9, 9, NULL, NULL, NULL)", address.schema)
        )
        declaring = asyncio.ensure_future(store.backend.declare(queue, Limits()))
        await until_somebody_waits(connection, declaring)
        assert not declaring.done()
    await declaring
    assert len(await claim(store, boot)) == 2


async def test_the_same_limits_again_wait_for_nobody(store: Connected) -> None:
    queue, limits = QueueName("default"), Limits(group_concurrency=1)
    await store.backend.declare(queue, limits)
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection, connection.transaction():
        await connection.fetch(
            qualified(f"SELECT * FROM prinia_claim(NULL, '{boot}', ARRAY['default'], NULL, 9, 9, NULL, NULL, NULL)", address.schema)
        )
        await asyncio.wait_for(store.backend.declare(queue, limits), PATIENCE)


async def test_a_start_counts_from_when_its_claim_had_its_turn(store: Connected) -> None:
    await store.backend.declare(QueueName("default"), Limits(rate=Rate(1, per=60)))
    await push_one(store)
    boot = await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock(hashtext('{address.schema}.limits'), hashtext('default'))")
            claiming = asyncio.ensure_future(claim(store, boot))
            await until_somebody_waits(connection, claiming)
            assert not claiming.done()
            until = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        assert len(await claiming) == 1
        assert await connection.fetchval(qualified("SELECT at FROM prinia_starts", address.schema)) >= until


async def test_a_claimer_that_freezes_before_its_commit_does_not_stop_the_others(store: Connected) -> None:
    await store.backend.declare(QueueName("default"), Limits(concurrency=5))
    task = await push_one(store)
    frozen, boot = await registered(store), await registered(store)
    address = store.backend._store.address
    async with connection_to(address) as connection:
        await connection.execute("BEGIN")
        await connection.fetch(
            qualified(f"SELECT * FROM prinia_claim(NULL, '{frozen}', ARRAY['default'], NULL, 9, 9, NULL, NULL, NULL)", address.schema)
        )
        assert [each.id for each in await asyncio.wait_for(claim(store, boot), PATIENCE)] == [task.id]
        connection.terminate()


@pytest.mark.parametrize("limits", [Limits(rate=Rate(100_000, per=100_000)), Limits(group_rate=Rate(100_000, per=100_000))], ids=str)
async def test_a_rate_has_no_more_to_add_up_however_much_it_allows(store: Connected, limits: Limits) -> None:
    await store.backend.declare(QueueName("default"), limits)
    await store.backend.push([new_task(group="a") for _ in range(20)])
    boot = await registered(store)
    while await claim(store, boot, limit=1):
        pass
    address = store.backend._store.address
    async with connection_to(address) as connection:
        n, rows = await connection.fetchrow(qualified("SELECT sum(n), count(*) FROM prinia_starts", address.schema))
    assert n == 20
    assert rows <= 2


async def test_what_a_rate_that_is_removed_remembers_is_forgotten(store: Connected) -> None:
    queue = QueueName("default")
    await store.backend.declare(queue, Limits(rate=Rate(3, per=1_000), group_rate=Rate(3, per=1_000)))
    await push_one(store, group="a")
    assert len(await claim(store, await registered(store))) == 1
    address = store.backend._store.address
    async with connection_to(address) as connection:
        for limits, left in ((Limits(group_rate=Rate(3, per=1_000)), 1), (Limits(), 0)):
            await store.backend.declare(queue, limits)
            assert await connection.fetchval(qualified("SELECT count(*) FROM prinia_starts", address.schema)) == left
