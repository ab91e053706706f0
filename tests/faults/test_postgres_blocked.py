"""A handler that blocks the event loop for longer than a lease lasts."""

import asyncio
import threading

import pytest

from queue_core import App
from queue_core.expose import connect
from tests.core.steps import PATIENCE, working

pytestmark = pytest.mark.postgres
LEASE = 0.8


async def test_a_worker_whose_event_loop_is_blocked_beyond_its_lease_is_not_rescued(postgres_store: str) -> None:
    rescued: list[str] = []
    runs: list[int] = []
    over = threading.Event()

    async def rescue_beyond_the_lease() -> None:
        store = connect(postgres_store)
        await store.backend.open()
        began = await store.backend.now()
        while (await store.backend.now() - began).total_seconds() < 2.5 * LEASE:
            rescued.extend((await store.backend.rescue()).workers)
            await asyncio.sleep(0.05)
        await store.backend.close()
        over.set()

    rescuer = threading.Thread(target=asyncio.run, args=(rescue_beyond_the_lease(),))
    async with App(postgres_store) as app:

        @app.task
        async def hog(number: int) -> int:
            runs.append(number)
            rescuer.start()
            assert over.wait(PATIENCE)
            return number

        async with working(app, lease_ttl=LEASE, heartbeat_every=0.2):
            handle = await hog.push(1)
            assert await handle.result(timeout=PATIENCE) == 1
            assert (await handle.fetch()).crashes == 0
    rescuer.join(PATIENCE)
    assert (runs, rescued) == ([1], [])
