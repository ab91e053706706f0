"""prune and delete: what ended goes, by age and queue; nothing else ever."""

import pytest

from queue_core.backend import Retention
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, counts_of, done, failed, fetch, in_state, killed, listed, new_task, push_one, registered, running
from queue_core.errors import IllegalTransition
from queue_core.expose import DELETABLE, Connected, Span
from queue_core.ids import QueueName
from queue_core.outcome import Succeeded, settle
from queue_core.status import Status

HOUR = 3600.0
KEEP = Retention(done=None, killed=None, workers=None, minutes=None, audit=None)
AT_ONCE = Retention(done=0, killed=0)


async def _prune(connected: Connected, retention: Retention) -> int:
    total = 0
    while number := await connected.backend.prune(retention):
        total += number
    return total


async def test_done_and_killed_tasks_have_ages_of_their_own(connected: Connected, clock: HandWoundClock) -> None:
    good, bad = await done(connected), await killed(connected)
    retention = Retention(done=HOUR, killed=2 * HOUR)
    clock.advance(HOUR - 1)
    assert await _prune(connected, retention) == 0
    clock.advance(1)
    assert await _prune(connected, retention) == 1
    assert [task.id for task in await listed(connected)] == [bad.id]
    clock.advance(HOUR)
    assert await _prune(connected, retention) == 1
    assert await connected.expose.fetch(good.id) is await connected.expose.fetch(bad.id) is None


async def test_age_counts_from_the_end_and_not_from_the_push(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    clock.advance(10 * HOUR)
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=1)])
    assert await _prune(connected, Retention(done=HOUR)) == 0


async def test_a_task_that_has_not_ended_is_never_pruned(connected: Connected, clock: HandWoundClock) -> None:
    for status in (Status.PENDING, Status.QUEUED, Status.RUNNING, Status.FAILED):
        await in_state(connected, status, queue=status.value)
    clock.advance(10_000 * HOUR)
    assert await _prune(connected, AT_ONCE) == 0
    assert len(await listed(connected)) == 4


async def test_retention_that_is_off_keeps_everything(connected: Connected, clock: HandWoundClock) -> None:
    await done(connected)
    await killed(connected)
    clock.advance(10_000 * HOUR)
    assert await _prune(connected, KEEP) == 0


async def test_a_queue_can_have_its_own_retention(connected: Connected, clock: HandWoundClock) -> None:
    kept, gone = await done(connected, queue="books"), await done(connected, queue="noise")
    usual = await done(connected)
    clock.advance(2 * HOUR)
    retention = Retention(done=HOUR * 5, queues={QueueName("noise"): AT_ONCE, QueueName("books"): KEEP})
    assert await _prune(connected, retention) == 1
    assert {task.id for task in await listed(connected)} == {kept.id, usual.id}
    assert await connected.expose.fetch(gone.id) is None


async def test_a_batch_is_bounded_and_the_rest_follows(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    await connected.backend.push([new_task() for _ in range(1200)])
    claims = await connected.backend.claim(boot, ["default"], names=None, limit=1200, start=1200)
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0) for claim in claims.tasks])
    first = await connected.backend.prune(AT_ONCE)
    assert 0 < first < 1200
    assert first + await _prune(connected, AT_ONCE) == 1200
    assert (await counts_of(connected)).total == 0


async def test_history_goes_with_its_task(connected: Connected) -> None:
    task = await killed(connected)
    assert await _prune(connected, AT_ONCE) == 1
    assert await connected.expose.attempts(task.id) == []


async def test_a_queue_stays_known_when_its_tasks_are_gone(connected: Connected) -> None:
    await done(connected)
    await _prune(connected, AT_ONCE)
    assert [queue.name for queue in await connected.expose.list_queues()] == ["default"]


async def test_records_of_ended_workers_go_and_living_ones_stay(connected: Connected, clock: HandWoundClock) -> None:
    ended, living = await registered(connected), await registered(connected, lease_ttl=1e6)
    await connected.backend.deregister(ended)
    clock.advance(HOUR)
    await connected.backend.prune(Retention(workers=HOUR / 2))
    assert [worker.boot for worker in await connected.expose.list_workers()] == [living]


async def test_old_rollups_go_the_minutes_first(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected)
    start = clock.now()
    clock.advance(3 * HOUR)
    await connected.backend.prune(Retention(minutes=HOUR))
    [minute] = await connected.expose.series(Span.MINUTE, since=start, until=start)
    [hour] = await connected.expose.series(Span.HOUR, since=start, until=start)
    assert (minute.pushed, hour.pushed) == (0, 1)


async def test_old_audit_entries_go(connected: Connected, clock: HandWoundClock) -> None:
    await connected.expose.push([new_task()], actor=ME)
    clock.advance(HOUR)
    await connected.expose.push([new_task()], actor=ME)
    await connected.backend.prune(Retention(audit=HOUR / 2))
    assert len(await connected.expose.list_audit()) == 1


# --- delete ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
async def test_only_what_has_ended_can_be_deleted(connected: Connected, status: Status) -> None:
    id = await in_state(connected, status)
    before = await fetch(connected, id)
    report = await connected.expose.delete([id], actor=ME)
    if status in DELETABLE:
        assert report.changed == (id,)
        assert await connected.expose.fetch(id) is None
        assert await connected.expose.attempts(id) == []
    else:
        assert report.skipped[0].status is status
        with pytest.raises(IllegalTransition, match=status.value):
            report.raise_if_skipped()
        assert await fetch(connected, id) == before


async def test_a_deleted_task_is_deleted_once(connected: Connected) -> None:
    task = await done(connected)
    assert (await connected.expose.delete([task.id, task.id], actor=ME)).changed == (task.id,)
    report = await connected.expose.delete([task.id], actor=ME)
    assert (report.changed, report.skipped[0].status) == ((), None)


async def test_a_retryable_task_is_kept_by_delete_and_retention(connected: Connected) -> None:
    task = await failed(connected)
    await connected.expose.delete([task.id], actor=ME)
    await _prune(connected, AT_ONCE)
    assert await connected.expose.fetch(task.id) == task
