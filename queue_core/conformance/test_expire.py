"""expire: what did not start in time is not started at all."""

from datetime import timedelta
from typing import Any

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ask, claim, claimed, failed, fetch, new_task, push_one, registered, status_of
from queue_core.expose import Connected
from queue_core.status import KillReason, Status


@pytest.fixture
def soon(clock: HandWoundClock) -> dict[str, Any]:
    return {"expires_at": clock.now() + timedelta(seconds=10)}


async def test_a_task_that_waited_too_long_is_killed(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    task = await push_one(connected, **soon)
    clock.advance(10)
    assert await connected.backend.expire() == 1
    stored = await fetch(connected, task.id)
    assert (stored.status, stored.reason, stored.done_at, stored.attempts) == (Status.KILLED, KillReason.EXPIRED, clock.now(), 0)
    assert await connected.backend.expire() == 0


async def test_a_task_whose_time_has_not_come_stays(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    task = await push_one(connected, **soon)
    clock.advance(9.999)
    assert await connected.backend.expire() == 0
    assert await status_of(connected, task.id) is Status.PENDING
    assert len(await claim(connected, await registered(connected))) == 1


async def test_a_claim_never_hands_out_an_expired_task(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    expired = await push_one(connected, priority=9, **soon)
    fresh = await push_one(connected)
    clock.advance(10)
    assert [task.id for task in await claim(connected, await registered(connected), limit=1)] == [fresh.id]
    assert (await fetch(connected, expired.id)).reason is KillReason.EXPIRED


async def test_a_failed_task_expires_too(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    task = await failed(connected, retry_in=3600, **soon)
    clock.advance(10)
    assert await connected.backend.expire() == 1
    assert (await fetch(connected, task.id)).reason is KillReason.EXPIRED


async def test_a_scheduled_task_expires_before_it_is_due(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    await push_one(connected, run_after=3600, **soon)
    clock.advance(10)
    assert await connected.backend.expire() == 1


async def test_a_claim_names_no_time_for_a_scheduled_task_that_it_ended(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    task = await push_one(connected, run_after=3600, **soon)
    clock.advance(10)
    next_due = (await ask(connected, await registered(connected))).next_due
    assert (next_due is None) == (await status_of(connected, task.id) is Status.KILLED)


async def test_a_task_in_a_workers_hands_does_not_expire(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    queued = await claimed(connected, **soon)
    clock.advance(20)
    assert await connected.backend.expire() == 0
    assert await connected.backend.start([queued.lease]) == [True]
    assert await connected.backend.expire() == 0


async def test_a_task_that_was_given_back_expires(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    queued = await claimed(connected, **soon)
    clock.advance(20)
    await connected.backend.release([queued.lease])
    assert await claim(connected, queued.lease.boot) == []
    await connected.backend.expire()
    assert (await fetch(connected, queued.id)).reason is KillReason.EXPIRED


async def test_many_expired_tasks_go_in_batches_until_none_is_left(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    await connected.backend.push([new_task(**soon) for _ in range(1200)])
    clock.advance(10)
    total = 0
    while number := await connected.backend.expire():
        total += number
    assert total == 1200


async def test_many_expired_tasks_in_front_do_not_hide_a_fresh_one(connected: Connected, clock: HandWoundClock, soon: dict[str, Any]) -> None:
    await connected.backend.push([new_task(priority=1, **soon) for _ in range(1200)])
    fresh = await push_one(connected)
    clock.advance(10)
    boot = await registered(connected)
    claims = [task.id for _ in range(20) for task in await claim(connected, boot, limit=1)]  # a store may clear them away in batches
    assert claims == [fresh.id]
