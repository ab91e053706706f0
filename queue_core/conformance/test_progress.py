"""progress: how far a running attempt is."""

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import FAILED, ME, claimed, fetch, finish, lose_workers, running, take
from queue_core.errors import InvalidValue
from queue_core.expose import Connected
from queue_core.task import Lease


async def test_progress_is_shown_while_it_runs(connected: Connected) -> None:
    claim = await running(connected)
    assert await connected.backend.progress(claim.lease, 0.25, "page 1 of 4")
    task = await fetch(connected, claim.id)
    assert (task.progress, task.progress_note) == (0.25, "page 1 of 4")
    assert await connected.backend.progress(claim.lease, 1)
    assert (await fetch(connected, claim.id)).progress == 1


async def test_progress_may_go_back_and_be_none_at_all(connected: Connected) -> None:
    claim = await running(connected)
    assert (await fetch(connected, claim.id)).progress is None
    await connected.backend.progress(claim.lease, 0.9)
    await connected.backend.progress(claim.lease, 0)
    assert (await fetch(connected, claim.id)).progress == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), float("inf")])
async def test_progress_is_between_none_and_all(connected: Connected, fraction: float) -> None:
    claim = await running(connected)
    with pytest.raises(InvalidValue, match=r"progress|fraction"):
        await connected.backend.progress(claim.lease, fraction)
    assert (await fetch(connected, claim.id)).progress is None


async def test_only_a_running_task_makes_progress(connected: Connected) -> None:
    queued = await claimed(connected)
    assert not await connected.backend.progress(queued.lease, 0.5)
    runs = await running(connected, queue="other")
    await finish(connected, runs)
    assert not await connected.backend.progress(runs.lease, 0.5)
    assert not await connected.backend.progress(Lease(queued.id, runs.lease.boot, 99), 0.5)


async def test_a_lost_worker_cannot_report_progress(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await lose_workers(connected, clock)
    assert not await connected.backend.progress(claim.lease, 0.5)
    assert (await fetch(connected, claim.id)).progress is None


async def test_the_next_attempt_begins_at_nothing(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.progress(claim.lease, 0.75, "almost")
    await finish(connected, claim, FAILED)
    await take(connected, claim.id, claim.lease.boot)
    task = await fetch(connected, claim.id)
    assert (task.progress, task.progress_note) == (None, None)


async def test_progress_of_a_task_that_is_to_be_killed_is_still_taken(connected: Connected) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await connected.backend.progress(claim.lease, 0.5)
    assert await connected.backend.kill_requests(claim.lease.boot) == [claim.lease]
