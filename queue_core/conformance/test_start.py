"""start: Queued → Running, one attempt begun."""

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import FAILED, ME, ack_of, claim, claimed, fetch, finish, lose_workers, new_task, registered, running
from queue_core.expose import Connected
from queue_core.outcome import Released
from queue_core.status import Status
from queue_core.task import Lease


async def test_a_started_task_runs_and_has_used_one_attempt(connected: Connected, clock: HandWoundClock) -> None:
    claim = await claimed(connected)
    clock.advance(3)
    assert await connected.backend.start([claim.lease]) == [True]
    stored = await fetch(connected, claim.id)
    assert (stored.status, stored.attempts, stored.started_at) == (Status.RUNNING, 1, clock.now())


async def test_a_task_starts_only_once(connected: Connected) -> None:
    claim = await claimed(connected)
    assert await connected.backend.start([claim.lease, claim.lease]) == [True, False]
    assert await connected.backend.start([claim.lease]) == [False]
    assert (await fetch(connected, claim.id)).attempts == 1


async def test_each_lease_is_answered_in_order(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    one, two, three = [task.lease for task in await claim(connected, boot)]
    stale = Lease(two.id, two.boot, two.token + 1)
    assert await connected.backend.start([three, stale, one]) == [True, False, True]
    assert (await fetch(connected, two.id)).status is Status.QUEUED


async def test_nothing_starts_under_another_workers_boot(connected: Connected) -> None:
    claim = await claimed(connected)
    other = await registered(connected)
    assert await connected.backend.start([Lease(claim.id, other, claim.lease.token)]) == [False]
    assert (await fetch(connected, claim.id)).status is Status.QUEUED


async def test_a_released_task_does_not_start(connected: Connected) -> None:
    claim = await claimed(connected)
    await connected.backend.release([claim.lease])
    assert await connected.backend.start([claim.lease]) == [False]
    assert (await fetch(connected, claim.id)).status is Status.PENDING


async def test_a_killed_task_does_not_start(connected: Connected) -> None:
    claim = await claimed(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await connected.backend.start([claim.lease]) == [False]
    assert (await fetch(connected, claim.id)).status is Status.KILLED


async def test_a_rescued_task_does_not_start_under_its_old_lease(connected: Connected, clock: HandWoundClock) -> None:
    claim = await claimed(connected)
    await lose_workers(connected, clock)
    assert await connected.backend.start([claim.lease]) == [False]
    assert (await fetch(connected, claim.id)).attempts == 0


async def test_the_second_attempt_is_number_two(connected: Connected) -> None:
    first = await running(connected)
    await finish(connected, first, FAILED)
    [second] = await claim(connected, first.lease.boot, start=1)
    assert second.attempt == 2
    assert (await fetch(connected, first.id)).attempts == 2


async def test_an_attempt_that_was_given_back_is_counted_again(connected: Connected) -> None:
    first = await running(connected)
    await connected.backend.ack([ack_of(first, Released())])
    [second] = await claim(connected, first.lease.boot, start=1)
    assert second.attempt == 1


async def test_a_task_that_is_gone_does_not_start(connected: Connected) -> None:
    claim = await claimed(connected)
    await connected.expose.kill([claim.id], actor=ME)
    await connected.expose.delete([claim.id], actor=ME)
    assert await connected.backend.start([claim.lease]) == [False]
