"""A pause waits for the claims that are under way, so that none of them leases a task after it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from queue_core.backends.postgres.address import address_of
from queue_core.backends.postgres.binding import compiled
from queue_core.backends.postgres.claiming import NO_LOW
from queue_core.conformance.helpers import PATIENCE, pause, push_one, registered, status_of
from queue_core.expose import Connected, connect
from queue_core.status import Status

pytestmark = pytest.mark.postgres


@pytest.fixture
async def connected(postgres_store: str) -> AsyncIterator[Connected]:
    store = connect(postgres_store)
    await store.backend.open()
    yield store
    await store.backend.close()


async def test_a_claim_that_is_under_way_is_given_back_by_the_pause(connected: Connected, postgres_store: str) -> None:
    task, boot = await push_one(connected), await registered(connected)
    address = address_of(postgres_store)
    claimer: Any = await asyncpg.connect(address.dsn)
    claim = claimer.transaction()
    await claim.start()
    await claimer.fetch(compiled("claim", address.schema)[0], None, boot, ["default"], None, 1, 0, *NO_LOW)
    pausing = asyncio.ensure_future(pause(connected))
    async with asyncio.timeout(PATIENCE):
        while not await claimer.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            await asyncio.sleep(0.01)
    await claim.commit()
    await claimer.close()
    await pausing
    assert await status_of(connected, task.id) is Status.PENDING
