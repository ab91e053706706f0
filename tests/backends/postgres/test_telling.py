"""Other processes hear of a push although the event loop of its producer stands still from then on."""

import asyncio

import pytest

from queue_core.conformance.helpers import PATIENCE, new_task, settle_down
from queue_core.expose import connect
from queue_core.ids import QueueName, new_boot_id

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("pushes", [1, 3])
async def test_a_push_is_told_before_it_returns(postgres_store: str, pushes: int) -> None:
    listener = connect(postgres_store)
    await listener.backend.open()
    async with listener.backend.wakeups(new_boot_id(), [QueueName("default")]) as wakeups:
        while not await wakeups.wait(0.05):  # it listens once it was rung for what it may have missed
            pass
        await settle_down(wakeups)
        loop = await asyncio.to_thread(_push_and_stand_still, postgres_store, pushes)
        assert await wakeups.wait(PATIENCE)
        await asyncio.to_thread(_end, *loop)
    await listener.backend.close()


def _push_and_stand_still(url: str, pushes: int) -> "tuple[asyncio.AbstractEventLoop, object]":
    loop = asyncio.new_event_loop()
    store = connect(url)
    loop.run_until_complete(store.backend.open())
    for _ in range(pushes):
        loop.run_until_complete(store.backend.push([new_task()]))
    return loop, store


def _end(loop: asyncio.AbstractEventLoop, store: object) -> None:
    loop.run_until_complete(store.backend.close())  # type: ignore[attr-defined]  # a Connected
    loop.close()
