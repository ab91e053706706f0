"""When tasks are due: run_at, run_after, run now, reschedule."""

from datetime import datetime, timedelta

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, claim, failed, fetch, in_state, push_one, queue_info, registered
from queue_core.errors import IllegalTransition, InvalidValue, UnknownTask
from queue_core.expose import RESCHEDULABLE, Connected
from queue_core.ids import TaskId
from queue_core.status import Status


async def test_a_delayed_task_is_claimed_at_its_moment_and_not_before(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected, run_after=60)
    boot = await registered(connected)
    clock.advance(59.999_999)
    assert await claim(connected, boot) == []
    clock.advance(0.000_001)
    assert len(await claim(connected, boot)) == 1


async def test_a_delay_below_a_second_counts(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, run_after=0.25)
    assert task.run_at == clock.now() + timedelta(milliseconds=250)
    boot = await registered(connected)
    assert await claim(connected, boot) == []
    clock.advance(0.25)
    assert len(await claim(connected, boot)) == 1


async def test_a_time_in_the_past_is_due_at_once(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, run_at=clock.now() - timedelta(days=400))
    assert task.run_at == clock.now() - timedelta(days=400)
    assert len(await claim(connected, await registered(connected))) == 1


async def test_a_time_that_is_now_is_due(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected, run_at=clock.now())
    assert len(await claim(connected, await registered(connected))) == 1


async def test_scheduled_tasks_are_counted_apart(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected, run_after=60)
    await push_one(connected)
    info = await queue_info(connected)
    assert (info.counts.pending, info.scheduled) == (2, 1)
    clock.advance(60)
    info = await queue_info(connected)
    assert info.scheduled == 0


async def test_run_now_makes_a_scheduled_task_due(connected: Connected) -> None:
    task = await push_one(connected, run_after=3600)
    report = await connected.expose.run_now([task.id], actor=ME)
    assert report.changed == (task.id,) and report.skipped == ()
    assert len(await claim(connected, await registered(connected))) == 1


async def test_run_now_makes_a_failed_task_due_and_leaves_it_failed(connected: Connected, clock: HandWoundClock) -> None:
    task = await failed(connected, retry_in=3600)
    await connected.expose.run_now([task.id], actor=ME)
    stored = await fetch(connected, task.id)
    assert (stored.status, stored.run_at, stored.attempts) == (Status.FAILED, clock.now(), 1)


async def test_reschedule_moves_a_task_either_way(connected: Connected, clock: HandWoundClock) -> None:
    later = clock.now() + timedelta(hours=1)
    task = await push_one(connected)
    boot = await registered(connected)
    await connected.expose.reschedule([task.id], later, actor=ME)
    assert (await fetch(connected, task.id)).run_at == later
    assert await claim(connected, boot) == []
    await connected.expose.reschedule([task.id], clock.now() - timedelta(hours=1), actor=ME)
    assert len(await claim(connected, boot)) == 1


async def test_a_naive_time_is_refused(connected: Connected) -> None:
    task = await push_one(connected)
    with pytest.raises(InvalidValue, match="naive"):
        await connected.expose.reschedule([task.id], datetime(2030, 1, 1), actor=ME)
    assert (await fetch(connected, task.id)).run_at == task.run_at


@pytest.mark.parametrize("status", Status)
async def test_only_waiting_tasks_can_be_moved(connected: Connected, clock: HandWoundClock, status: Status) -> None:
    id = await in_state(connected, status)
    before = await fetch(connected, id)
    for report in (
        await connected.expose.run_now([id], actor=ME),
        await connected.expose.reschedule([id], clock.now() + timedelta(days=1), actor=ME),
    ):
        if status in RESCHEDULABLE:
            assert report.changed == (id,) and report.skipped == ()
        else:
            assert report.changed == () and report.skipped[0].status is status
            assert status.value in report.skipped[0].why
            with pytest.raises(IllegalTransition, match=status.value):
                report.raise_if_skipped()
            assert await fetch(connected, id) == before


async def test_an_unknown_task_cannot_be_moved(connected: Connected) -> None:
    report = await connected.expose.run_now([TaskId("nobody")], actor=ME)
    with pytest.raises(UnknownTask, match="nobody"):
        report.raise_if_skipped()
