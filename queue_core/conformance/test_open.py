"""open and close: safe to repeat; nothing works outside."""

import asyncio

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import beat, listed, new_task, push_one, registered
from queue_core.errors import NotConnected
from queue_core.expose import Connected, connect


@pytest.fixture
def postgres_store(fresh_postgres_store: str) -> str:
    """Here whoever opens a store makes it."""
    return fresh_postgres_store


async def test_a_store_that_is_not_open_says_so(url: str, clock: HandWoundClock) -> None:
    store = connect(url, clock=clock)
    for call in (
        lambda: store.backend.push([new_task()]),
        lambda: store.expose.counts(),
        lambda: store.backend.claim("b", ["q"], names=None, limit=1),
    ):
        with pytest.raises(NotConnected):
            await call()
    with pytest.raises(NotConnected):
        store.backend.heartbeat(beat("b"))  # type: ignore[arg-type]


async def test_opening_and_closing_may_be_repeated(connected: Connected) -> None:
    await connected.backend.open()
    await connected.expose.open()
    task = await push_one(connected)
    await connected.backend.close()
    await connected.expose.close()
    with pytest.raises(NotConnected):
        await connected.expose.fetch(task.id)
    await connected.expose.open()
    assert await connected.expose.fetch(task.id) == task


async def test_many_may_open_one_store_at_once(url: str, clock: HandWoundClock) -> None:
    stores = [connect(url, clock=clock) for _ in range(6)]
    await asyncio.gather(*[store.backend.open() for store in stores])
    for store in stores:
        await push_one(store)
    assert len(await listed(stores[0])) == 6
    await asyncio.gather(*[store.backend.close() for store in stores])


async def test_closing_finishes_what_was_accepted(connected: Connected, another: Connected) -> None:
    pushes = [asyncio.ensure_future(another.backend.push([new_task()])) for _ in range(50)]
    await asyncio.sleep(0)
    await another.backend.close()
    accepted = [answer for answer in await asyncio.gather(*pushes, return_exceptions=True) if not isinstance(answer, BaseException)]
    assert len(await listed(connected)) == len(accepted)


async def test_workers_of_a_closed_connection_are_still_known(connected: Connected, another: Connected) -> None:
    await registered(another, "anna")
    await another.backend.close()
    assert [worker.name for worker in await connected.expose.list_workers()] == ["anna"]


async def test_a_store_says_what_and_where_it_is(connected: Connected) -> None:
    assert connected.expose.kind and connected.expose.location
    assert {"json", "msgpack"} <= set(connected.expose.codecs)
    assert isinstance(connected.backend.capabilities.persistent, bool)
    assert connected.expose.capabilities == connected.backend.capabilities
