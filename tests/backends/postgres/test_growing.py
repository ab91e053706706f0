"""A store that was empty when its plans were first made is as good when it is full."""

from collections.abc import AsyncIterator

import pytest

from queue_core.conformance.helpers import ack_of, claim, new_task, push_one, registered
from queue_core.expose import Connected, connect
from queue_core.ids import BootId
from queue_core.outcome import Succeeded

pytestmark = pytest.mark.postgres

MANY = 10_000
AT_ONCE = 50
ENTRIES = 100 * AT_ONCE
"""How many index entries leasing and recording so many tasks may read; each of them is found by a handful."""


@pytest.fixture
async def connected(fresh_postgres_store: str) -> AsyncIterator[Connected]:
    store = connect(fresh_postgres_store)
    await store.backend.open()
    yield store
    await store.backend.close()


async def test_claims_and_acks_read_no_more_once_many_tasks_have_come(connected: Connected) -> None:
    boot = await registered(connected)
    for number in range(30):  # more often than a server takes to settle on a plan
        await push_one(connected)
        if number == 15:
            await analyze(connected)  # as autovacuum may do at any time
        await work(connected, boot, 1)
    await connected.backend.push([new_task() for _ in range(2 * MANY)])
    runs = await claim(connected, boot, limit=MANY, start=MANY)
    assert len(await claim(connected, boot, limit=AT_ONCE, start=AT_ONCE)) == AT_ONCE  # walks over what was taken, for the last time
    before = await entries_read(connected)
    assert all(await connected.backend.ack([ack_of(each, Succeeded()) for each in runs[:AT_ONCE]]))
    assert len(await claim(connected, boot, limit=AT_ONCE, start=AT_ONCE)) == AT_ONCE
    assert await entries_read(connected) - before < ENTRIES


async def work(connected: Connected, boot: BootId, n: int) -> None:
    claims = await claim(connected, boot, limit=n, start=n)
    assert len(claims) == n
    assert all(await connected.backend.ack([ack_of(each, Succeeded()) for each in claims]))


async def analyze(connected: Connected) -> None:
    store = connected.backend._store.here
    async with store._desk.raw() as connection:
        await connection.execute(f'ANALYZE "{store.address.schema}".tasks')


async def entries_read(connected: Connected) -> int:
    """How many entries of the indexes of tasks claims and acks have read; counted by their own sessions, and published by them now."""
    query = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = $1 AND relname = 'tasks'"
    store = connected.backend._store.here
    for line in (store._claims, store._acks):
        async with line.raw() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            read = int(await connection.fetchval(query, store.address.schema))
    return read
