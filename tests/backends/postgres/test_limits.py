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


async def pages_of_a_claim(connection: "asyncpg.Connection[Any]", address: Address, boot: str) -> int:
    """How many pages a claim touches that has to look at the group and finds it full."""
    await connection.execute(qualified("SELECT prinia_turn(ARRAY['mail'], ARRAY['big'], 0)", address.schema))
    asked = f"SELECT * FROM prinia_claim(NULL, '{boot}', ARRAY['mail'], NULL, 50, 50, NULL, NULL, NULL)"
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
