"""list_workers: the living by name, then those that ended, latest first."""

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import TTL, registered
from queue_core.expose import Connected
from queue_core.ids import QueueName


async def _names(connected: Connected, queue: str | None = None, *, limit: int = 200) -> list[str]:
    asked = None if queue is None else QueueName(queue)
    return [worker.name for worker in await connected.expose.list_workers(asked, limit=limit)]


async def test_the_living_come_first_by_name(connected: Connected, clock: HandWoundClock) -> None:
    for name in ("ended first", "ended last"):
        await connected.backend.deregister(await registered(connected, name))
        clock.advance(1)
    for name in ("otto", "anna", "mia"):
        await registered(connected, name)
    assert await _names(connected) == ["anna", "mia", "otto", "ended last", "ended first"]


async def test_a_worker_whose_lease_ran_out_is_not_among_the_living(connected: Connected, clock: HandWoundClock) -> None:
    await registered(connected, "a silent one")
    clock.advance(TTL + 1)
    await registered(connected, "b")
    assert await _names(connected) == ["b", "a silent one"]


async def test_workers_of_one_queue_can_be_listed(connected: Connected) -> None:
    await registered(connected, "one", queues=("a", "b"))
    await registered(connected, "two", queues=("b",))
    await registered(connected, "three", queues=("ab",))
    assert await _names(connected, "a") == ["one"]
    assert await _names(connected, "b") == ["one", "two"]
    assert await _names(connected, "nobody") == []


async def test_the_list_is_bounded(connected: Connected) -> None:
    for name in "abcde":
        await registered(connected, name)
    assert await _names(connected, limit=2) == ["a", "b"]


async def test_every_life_of_a_worker_is_a_record_of_its_own(connected: Connected) -> None:
    for _ in range(3):
        await connected.backend.deregister(await registered(connected, "anna"))
    assert await _names(connected) == ["anna"] * 3
