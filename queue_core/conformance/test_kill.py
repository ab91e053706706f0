"""kill: nothing more happens to a task; a running one is asked to stop."""

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    BOOM,
    FAILED,
    ME,
    claim,
    claimed,
    done,
    fetch,
    finish,
    in_state,
    lose_workers,
    push_one,
    registered,
    running,
)
from queue_core.errors import IllegalTransition
from queue_core.expose import KILLABLE, Connected
from queue_core.outcome import Aborted, Deferred, Released, Stopped, Succeeded
from queue_core.status import KillReason, Status


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED, Status.QUEUED])
async def test_a_task_that_does_not_run_is_killed_at_once(connected: Connected, clock: HandWoundClock, status: Status) -> None:
    id = await in_state(connected, status)
    report = await connected.expose.kill([id], actor=ME)
    assert (report.changed, report.skipped) == ((id,), ())
    task = await fetch(connected, id)
    assert (task.status, task.reason, task.done_at) == (Status.KILLED, KillReason.KILLED, clock.now())
    assert await claim(connected, await registered(connected)) == []


@pytest.mark.parametrize("status", sorted(set(Status) - KILLABLE))
async def test_a_finished_task_cannot_be_killed(connected: Connected, status: Status) -> None:
    id = await in_state(connected, status)
    before = await fetch(connected, id)
    report = await connected.expose.kill([id], actor=ME)
    assert report.changed == () and report.skipped[0].status is status
    with pytest.raises(IllegalTransition, match=status.value):
        report.raise_if_skipped()
    assert await fetch(connected, id) == before


async def test_a_killed_queued_task_is_no_longer_its_workers(connected: Connected) -> None:
    claim = await claimed(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await connected.backend.leases(claim.lease.boot) == []
    assert await connected.backend.release([claim.lease]) == 0
    assert (await fetch(connected, claim.id)).status is Status.KILLED


async def test_the_kill_of_a_running_task_is_asked_seen_and_acked(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    report = await connected.expose.kill([claim.id], actor=ME)
    assert (report.changed, report.skipped) == ((claim.id,), ())
    asked = await fetch(connected, claim.id)
    assert (asked.status, asked.kill_requested_at) == (Status.RUNNING, clock.now())
    assert await connected.backend.kill_requests(claim.lease.boot) == [claim.lease]
    assert await finish(connected, claim, Stopped())
    ended = await fetch(connected, claim.id)
    assert (ended.status, ended.reason) == (Status.KILLED, KillReason.KILLED)
    assert await connected.backend.kill_requests(claim.lease.boot) == []


async def test_asking_twice_changes_nothing(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    before = await fetch(connected, claim.id)
    clock.advance(5)
    report = await connected.expose.kill([claim.id], actor=ME)
    assert report.skipped == ()
    assert await fetch(connected, claim.id) == before


async def test_only_the_worker_that_runs_it_is_asked(connected: Connected) -> None:
    claim, other = await running(connected), await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await connected.backend.kill_requests(other.lease.boot) == []


@pytest.mark.parametrize("outcome", [FAILED, Deferred(5), Released()])
async def test_a_task_whose_kill_was_asked_for_does_not_come_back(connected: Connected, clock: HandWoundClock, outcome: object) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await finish(connected, claim, outcome)  # type: ignore[arg-type]
    task = await fetch(connected, claim.id)
    assert (task.status, task.reason, task.done_at) == (Status.KILLED, KillReason.KILLED, clock.now())


async def test_a_task_that_succeeds_before_it_is_stopped_is_done(connected: Connected) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    assert await finish(connected, claim, Succeeded(b"42"))
    task = await fetch(connected, claim.id)
    assert (task.status, task.reason, task.result) == (Status.DONE, None, b"42")


async def test_an_abort_keeps_its_own_reason(connected: Connected) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    await finish(connected, claim, Aborted(BOOM))
    assert (await fetch(connected, claim.id)).reason is KillReason.ABORTED


async def test_the_kill_of_a_task_whose_worker_died_is_done_by_the_rescuer(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await connected.expose.kill([claim.id], actor=ME)
    rescued = await lose_workers(connected, clock)
    assert (rescued.pending, rescued.killed) == (0, 1)
    task = await fetch(connected, claim.id)
    assert (task.status, task.reason) == (Status.KILLED, KillReason.KILLED)
    assert not await finish(connected, claim)


async def test_many_are_killed_in_one_call(connected: Connected) -> None:
    waiting, runs, ended = await push_one(connected, run_after=9), await running(connected), await done(connected)
    report = await connected.expose.kill([waiting.id, runs.id, ended.id], actor=ME)
    assert report.changed == (waiting.id, runs.id)
    assert [skip.id for skip in report.skipped] == [ended.id]
