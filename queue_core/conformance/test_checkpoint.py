"""checkpoint: what an attempt keeps for the next one."""

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import FAILED, ME, claimed, fetch, finish, lose_workers, registered, running, take
from queue_core.errors import InvalidValue
from queue_core.expose import Connected
from queue_core.outcome import Released
from queue_core.task import MAX_CHECKPOINT, Lease

pytestmark = pytest.mark.needs("checkpoints")


async def test_the_next_attempt_gets_what_was_kept_last(connected: Connected) -> None:
    claim = await running(connected)
    assert claim.checkpoint is None
    assert await connected.backend.checkpoint(claim.lease, b'"page 1"')
    assert await connected.backend.checkpoint(claim.lease, b'"page 2"')
    assert (await fetch(connected, claim.id)).checkpoint == b'"page 2"'
    await finish(connected, claim, FAILED)
    again = await take(connected, claim.id, claim.lease.boot)
    assert again.checkpoint == b'"page 2"'
    assert (await connected.expose.fetch_many([claim.id]))[0].checkpoint == b'"page 2"'


async def test_a_claim_that_does_not_start_its_task_at_once_brings_it_too(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.checkpoint(claim.lease, b"1")
    await finish(connected, claim, FAILED)
    assert (await take(connected, claim.id, claim.lease.boot, start=0)).checkpoint == b"1"


async def test_none_forgets_what_was_kept(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.checkpoint(claim.lease, b"1")
    assert await connected.backend.checkpoint(claim.lease, None)
    assert (await fetch(connected, claim.id)).checkpoint is None


async def test_it_survives_the_death_of_a_worker(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await connected.backend.checkpoint(claim.lease, b"7")
    await lose_workers(connected, clock)
    boot = await registered(connected)
    assert (await take(connected, claim.id, boot)).checkpoint == b"7"


async def test_it_survives_a_stop_a_kill_and_a_retry(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.checkpoint(claim.lease, b"7")
    await finish(connected, claim, Released())
    claim = await take(connected, claim.id, claim.lease.boot)
    assert claim.checkpoint == b"7"
    await connected.expose.kill([claim.id], actor=ME)
    await finish(connected, claim, FAILED)
    assert (await fetch(connected, claim.id)).checkpoint == b"7"
    await connected.expose.retry([claim.id], actor=ME)
    assert (await take(connected, claim.id, claim.lease.boot)).checkpoint == b"7"


async def test_a_done_task_keeps_none_so_that_a_retry_begins_anew(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.checkpoint(claim.lease, b"7")
    await finish(connected, claim)
    assert (await fetch(connected, claim.id)).checkpoint is None
    await connected.expose.retry([claim.id], actor=ME)
    assert (await take(connected, claim.id, claim.lease.boot)).checkpoint is None


async def test_only_the_attempt_that_runs_may_keep_something(connected: Connected, clock: HandWoundClock) -> None:
    queued = await claimed(connected)
    assert not await connected.backend.checkpoint(queued.lease, b"1")
    claim = await running(connected, queue="other")
    assert not await connected.backend.checkpoint(Lease(claim.id, claim.lease.boot, 99), b"1")
    await lose_workers(connected, clock)
    assert not await connected.backend.checkpoint(claim.lease, b"1")
    assert (await fetch(connected, claim.id)).checkpoint is None


async def test_it_may_be_large_but_not_too_large(connected: Connected) -> None:
    claim = await running(connected)
    large = bytes(range(256)) * (MAX_CHECKPOINT // 256)
    assert await connected.backend.checkpoint(claim.lease, large)
    with pytest.raises(InvalidValue, match="A checkpoint may take 1,048,576 bytes, got 1,048,577"):
        await connected.backend.checkpoint(claim.lease, large + b"x")
    assert (await fetch(connected, claim.id)).checkpoint == large
