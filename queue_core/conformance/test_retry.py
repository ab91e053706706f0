"""retry: a person lets a task run again."""

from datetime import timedelta

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    BOOM,
    FAILED,
    ME,
    claim,
    done,
    failed,
    fetch,
    finish,
    in_state,
    killed,
    lose_workers,
    push_one,
    registered,
    running,
    take,
)
from queue_core.errors import IllegalTransition, UnknownTask
from queue_core.expose import RETRYABLE, Connected
from queue_core.ids import TaskId
from queue_core.outcome import Aborted, Succeeded
from queue_core.status import KillReason, Status
from queue_core.task import MAX_CRASHES


@pytest.mark.parametrize("status", Status)
async def test_only_failed_killed_and_done_tasks_can_be_retried(connected: Connected, clock: HandWoundClock, status: Status) -> None:
    id = await in_state(connected, status)
    before = await fetch(connected, id)
    clock.advance(5)
    report = await connected.expose.retry([id], actor=ME)
    after = await fetch(connected, id)
    if status in RETRYABLE:
        assert (report.changed, report.skipped) == ((id,), ())
        assert (after.status, after.run_at, after.done_at, after.reason) == (Status.PENDING, clock.now(), None, None)
    else:
        assert after == before
        assert report.changed == () and report.skipped[0].status is status
        with pytest.raises(IllegalTransition, match=status.value):
            report.raise_if_skipped()


async def test_a_retried_task_runs_although_its_attempts_were_used_up(connected: Connected) -> None:
    task = await killed(connected, max_attempts=1)
    await connected.expose.retry([task.id], actor=ME)
    again = await take(connected, task.id, await registered(connected))
    assert (again.attempt, again.max_attempts) == (2, 2)
    assert await finish(connected, again, FAILED)
    assert (await fetch(connected, task.id)).reason is KillReason.EXHAUSTED


async def test_a_retried_task_keeps_the_attempts_that_it_has_left(connected: Connected) -> None:
    claim = await running(connected, max_attempts=4)
    await finish(connected, claim, Aborted(BOOM))
    await connected.expose.retry([claim.id], actor=ME)
    task = await fetch(connected, claim.id)
    assert (task.attempts, task.max_attempts) == (1, 4)


async def test_a_retried_done_task_forgets_its_result_and_keeps_its_history(connected: Connected) -> None:
    claim = await running(connected)
    await finish(connected, claim, Succeeded(b"old"))
    await connected.expose.retry([claim.id], actor=ME)
    assert (await fetch(connected, claim.id)).result is None
    assert [(attempt.number, attempt.outcome) for attempt in await connected.expose.attempts(claim.id)] == [(1, "succeeded")]
    await finish(connected, await take(connected, claim.id, claim.lease.boot), Succeeded(b"new"))
    assert (await fetch(connected, claim.id)).result == b"new"
    assert [attempt.number for attempt in await connected.expose.attempts(claim.id)] == [1, 2]


async def test_a_retry_forgets_crashes(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, max_attempts=99)
    for _ in range(MAX_CRASHES + 1):
        await take(connected, task.id, await registered(connected))
        await lose_workers(connected, clock)
    assert (await fetch(connected, task.id)).reason is KillReason.CRASHED
    await connected.expose.retry([task.id], actor=ME)
    assert (await fetch(connected, task.id)).crashes == 0


async def test_a_retry_forgets_the_expiry(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, expires_at=clock.now() + timedelta(seconds=1))
    clock.advance(2)
    assert await connected.backend.expire() == 1
    await connected.expose.retry([task.id], actor=ME)
    assert (await fetch(connected, task.id)).expires_at is None
    assert await connected.backend.expire() == 0
    assert len(await claim(connected, await registered(connected))) == 1


async def test_a_retry_forgets_that_a_kill_was_asked_for(connected: Connected) -> None:
    first = await running(connected)
    await connected.expose.kill([first.id], actor=ME)
    await finish(connected, first, FAILED)
    await connected.expose.retry([first.id], actor=ME)
    second = await take(connected, first.id, first.lease.boot)
    assert await connected.backend.kill_requests(first.lease.boot) == []
    await finish(connected, second, FAILED)
    assert (await fetch(connected, first.id)).status is Status.FAILED


async def test_a_retry_of_many_says_what_it_left_alone(connected: Connected) -> None:
    ended, waiting = await done(connected), await push_one(connected)
    report = await connected.expose.retry([TaskId("nobody"), ended.id, waiting.id, ended.id], actor=ME)
    assert report.changed == (ended.id,)
    assert [(skip.id, skip.status) for skip in report.skipped] == [("nobody", None), (waiting.id, Status.PENDING)]
    with pytest.raises(UnknownTask):
        report.raise_if_skipped()


async def test_a_failed_task_that_is_retried_waits_no_longer(connected: Connected) -> None:
    task = await failed(connected, retry_in=3600)
    await connected.expose.retry([task.id], actor=ME)
    assert len(await claim(connected, await registered(connected))) == 1
