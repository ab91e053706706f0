"""prune and delete: what ended goes, by age, number and queue; nothing else ever."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from queue_core.backend import Retention
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, counts_of, done, failed, fetch, in_state, killed, listed, new_task, push_one, registered, running
from queue_core.errors import IllegalTransition, InvalidValue
from queue_core.expose import DELETABLE, Connected, Counts, Span
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


# --- how many may stay -----------------------------------------------------------------------------------


async def test_of_each_queue_and_state_those_stay_that_were_pushed_last(connected: Connected) -> None:
    good = {queue: [(await done(connected, queue=queue)).id for _ in range(4)] for queue in ("books", "noise")}
    bad = [(await killed(connected, queue="books")).id for _ in range(4)]
    assert await _prune(connected, replace(KEEP, most_done=3, most_killed=1)) == 5
    assert {task.id for task in await listed(connected)} == {*good["books"][1:], *good["noise"][1:], *bad[3:]}
    assert (await connected.expose.counts())[QueueName("books")] == Counts(done=3, killed=1)
    assert await _prune(connected, replace(KEEP, most_done=3, most_killed=1)) == 0


async def test_a_task_that_has_not_ended_neither_goes_nor_takes_the_place_of_another(connected: Connected) -> None:
    ended = await done(connected)
    for status in (Status.FAILED, Status.RUNNING, Status.QUEUED, Status.PENDING):
        await in_state(connected, status)
    assert await _prune(connected, replace(KEEP, most_done=1, most_killed=0)) == 0
    assert await _prune(connected, replace(KEEP, most_done=0, most_killed=0)) == 1
    assert ended.id not in {task.id for task in await listed(connected)}
    assert len(await listed(connected)) == 4


async def test_a_queue_can_have_a_number_of_its_own(connected: Connected) -> None:
    for queue in ("books", "books", "noise", "noise", "other", "other"):
        await done(connected, queue=queue)
    retention = replace(KEEP, most_done=1, queues={QueueName("books"): KEEP, QueueName("noise"): replace(KEEP, most_done=0)})
    assert await _prune(connected, retention) == 3
    assert {queue: counts.done for queue, counts in (await connected.expose.counts()).items()} == {"books": 2, "noise": 0, "other": 1}
    assert await _prune(connected, replace(KEEP, queues={QueueName("books"): replace(KEEP, most_done=1)})) == 1


async def test_age_and_number_hold_together(connected: Connected, clock: HandWoundClock) -> None:
    for _ in range(2):
        await done(connected)
    clock.advance(HOUR)
    young = [(await done(connected)).id for _ in range(3)]
    assert await _prune(connected, replace(KEEP, done=HOUR, most_done=2)) == 3
    assert {task.id for task in await listed(connected)} == {*young[1:]}


async def test_a_batch_of_what_is_too_much_is_bounded_and_the_rest_follows(connected: Connected) -> None:
    pushed = await connected.backend.push([new_task() for _ in range(1200)])
    boot = await registered(connected)
    claims = await connected.backend.claim(boot, ["default"], names=None, limit=1200, start=1200)
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0) for claim in claims.tasks])
    retention = replace(KEEP, most_done=50)
    first = await connected.backend.prune(retention)
    assert 0 < first < 1150
    assert first + await _prune(connected, retention) == 1150
    assert {task.id for task in await listed(connected, limit=100)} == {one.task.id for one in pushed[1150:]}


async def test_however_many_prune_at_once_no_more_go_than_are_too_many(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(1200)])
    boot = await registered(connected)
    claims = await connected.backend.claim(boot, ["default"], names=None, limit=1200, start=1200)
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0) for claim in claims.tasks])
    retention = replace(KEEP, most_done=550)
    for _ in range(3):
        await asyncio.gather(*(connected.backend.prune(retention) for _ in range(8)))
    await _prune(connected, retention)
    assert (await counts_of(connected)).done == 550


@pytest.mark.parametrize("most", [-1, 1.5, True, "7"])
def test_a_number_that_is_none_is_refused(most: Any) -> None:
    with pytest.raises(InvalidValue, match="most_done must be a whole number of tasks, zero or more, or None for any number, got"):
        Retention(most_done=most)
    with pytest.raises(InvalidValue, match="most_killed must"):
        Retention(most_killed=most)


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
