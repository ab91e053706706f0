"""counts, series and last_claim: exact numbers, by when things happened."""

from datetime import timedelta

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    FAILED,
    ME,
    claim,
    counts_of,
    done,
    failed,
    finish,
    in_state,
    killed,
    lose_workers,
    new_task,
    pause,
    push_one,
    registered,
    resume,
    running,
    take,
)
from queue_core.errors import InvalidValue
from queue_core.expose import Bucket, Connected, Counts, Durations, Span
from queue_core.histogram import bucket_of
from queue_core.ids import QueueName
from queue_core.outcome import Aborted, Errored
from queue_core.status import Status

HOUR = timedelta(hours=1)


async def _total(connected: Connected, span: Span = Span.DAY, queue: QueueName | None = None) -> Bucket:
    now = await connected.expose.now()
    [bucket] = await connected.expose.series(span, since=now, until=now, queue=queue)
    return bucket


async def _took(connected: Connected, queue: QueueName | None = None) -> Durations:
    now = await connected.expose.now()
    took: Durations = await connected.expose.durations(Span.DAY, since=now, until=now, queue=queue)
    return took


async def test_an_empty_store_counts_nothing(connected: Connected) -> None:
    assert await connected.expose.counts() == {}


async def test_counts_are_by_queue_and_state(connected: Connected) -> None:
    for status in reversed(Status):
        await in_state(connected, status, queue="a")
    await push_one(connected, queue="b")
    assert await connected.expose.counts() == {"a": Counts(pending=1, queued=1, running=1, done=1, failed=1, killed=1), "b": Counts(pending=1)}


async def test_every_way_through_life_is_counted(connected: Connected, clock: HandWoundClock) -> None:
    lost = await running(connected, max_attempts=9)
    await lose_workers(connected, clock)
    boot = await registered(connected)
    await finish(connected, await take(connected, lost.id, boot), FAILED)
    await connected.expose.retry([lost.id], actor=ME)
    await pause(connected)
    await resume(connected)
    await finish(connected, await take(connected, lost.id, boot))
    await connected.expose.retry([lost.id], actor=ME)
    await connected.expose.kill([lost.id], actor=ME)
    assert await counts_of(connected) == Counts(killed=1)
    await connected.expose.delete([lost.id], actor=ME)
    assert await counts_of(connected) == Counts()
    bucket = await _total(connected)
    assert (bucket.pushed, bucket.done, bucket.failed, bucket.killed) == (1, 1, 1, 1)


async def test_events_are_counted_when_they_happen(connected: Connected, clock: HandWoundClock) -> None:
    start = clock.now()
    claim = await running(connected)
    clock.advance(60)
    await finish(connected, claim, FAILED)
    clock.advance(60)
    await finish(connected, await take(connected, claim.id, claim.lease.boot))
    series = await connected.expose.series(Span.MINUTE, since=start, until=clock.now())
    assert [(bucket.pushed, bucket.failed, bucket.done) for bucket in series] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


async def test_a_series_has_no_gaps_and_round_beginnings(connected: Connected, clock: HandWoundClock) -> None:
    clock.advance(30.5)
    since = clock.now()
    await push_one(connected)
    clock.advance(5 * 60)
    series = await connected.expose.series(Span.MINUTE, since=since, until=clock.now())
    first = since.replace(second=0, microsecond=0)
    assert [bucket.start for bucket in series] == [first + timedelta(minutes=minute) for minute in range(6)]
    assert [bucket.pushed for bucket in series] == [1, 0, 0, 0, 0, 0]


async def test_the_end_of_a_series_is_included(connected: Connected, clock: HandWoundClock) -> None:
    assert clock.now().minute == clock.now().second == 0
    series = await connected.expose.series(Span.HOUR, since=clock.now() - HOUR, until=clock.now())
    assert [bucket.start for bucket in series] == [clock.now() - HOUR, clock.now()]


async def test_a_series_that_ends_before_it_begins_is_empty(connected: Connected, clock: HandWoundClock) -> None:
    assert await connected.expose.series(Span.DAY, since=clock.now(), until=clock.now() - 48 * HOUR) == []


@pytest.mark.parametrize("span", Span)
async def test_every_span_counts_the_same_events(connected: Connected, span: Span) -> None:
    await done(connected)
    await killed(connected)
    await failed(connected)
    bucket = await _total(connected, span)
    assert (bucket.pushed, bucket.done, bucket.killed, bucket.failed) == (3, 1, 1, 1)


async def test_a_series_can_be_of_one_queue(connected: Connected) -> None:
    await done(connected, queue="a")
    await push_one(connected, queue="b")
    assert (await _total(connected, queue=QueueName("a"))).done == 1
    assert (await _total(connected, queue=QueueName("b"))).done == 0
    assert (await _total(connected, queue=QueueName("nobody"))).pushed == 0
    assert (await _total(connected)).pushed == 2


async def test_every_way_to_be_killed_is_counted(connected: Connected, clock: HandWoundClock) -> None:
    await killed(connected)
    await finish(connected, await running(connected), Aborted(FAILED.error))
    await connected.expose.kill([(await push_one(connected)).id], actor=ME)
    await push_one(connected, expires_at=clock.now() + timedelta(seconds=1))
    await running(connected, queue="crashes", max_attempts=1)
    clock.advance(1)
    await connected.backend.expire()
    await lose_workers(connected, clock)
    assert (await _total(connected)).killed == 5


async def test_run_times_are_how_long_attempts_ran(connected: Connected, clock: HandWoundClock) -> None:
    first = await running(connected)
    clock.advance(20)
    await finish(connected, first, Errored(FAILED.error), ran_for=3.0)
    await finish(connected, await take(connected, first.id, first.lease.boot), ran_for=0.004)
    assert dict((await _took(connected)).run) == {bucket_of(3.0): 1, bucket_of(0.004): 1}


async def test_wait_times_are_how_long_a_task_had_been_due(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected, run_after=100)
    boot = await registered(connected, lease_ttl=1e6)
    clock.advance(112)
    [queued] = await claim(connected, boot)
    assert dict((await _took(connected)).wait) == {}
    clock.advance(3)
    await connected.backend.start([queued.lease])
    assert dict((await _took(connected)).wait) == {bucket_of(15): 1}


async def test_durations_are_those_of_the_period_and_the_queue(connected: Connected, clock: HandWoundClock) -> None:
    start = clock.now()
    await finish(connected, await running(connected, queue="a"), ran_for=3.0)
    await finish(connected, await running(connected, queue="b"), ran_for=3.0)
    clock.advance(60)
    await finish(connected, await running(connected, queue="a"), ran_for=0.1)

    async def run_of(since: int, until: int, queue: str | None = None) -> dict[int, int]:
        period = {"since": start + timedelta(minutes=since), "until": start + timedelta(minutes=until)}
        return dict((await connected.expose.durations(Span.MINUTE, queue=None if queue is None else QueueName(queue), **period)).run)

    assert await run_of(0, 0) == {bucket_of(3.0): 2}
    assert await run_of(0, 1) == {bucket_of(3.0): 2, bucket_of(0.1): 1}
    assert await run_of(0, 1, "a") == {bucket_of(3.0): 1, bucket_of(0.1): 1}
    assert await run_of(1, 9, "b") == await run_of(2, 1) == await run_of(0, 1, "nobody's") == {}


async def test_numbers_survive_the_removal_of_their_tasks(connected: Connected) -> None:
    task = await done(connected)
    await connected.expose.delete([task.id], actor=ME)
    assert (await _total(connected)).done == 1


async def test_late_writes_are_not_counted(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await lose_workers(connected, clock)
    await finish(connected, claim)
    bucket = await _total(connected)
    assert (bucket.done, dict((await _took(connected)).run)) == (0, {})


async def test_a_bulk_push_is_counted_whole(connected: Connected) -> None:
    await connected.backend.push([new_task(queue="ab"[number % 2]) for number in range(200)])
    assert (await _total(connected)).pushed == 200
    assert (await _total(connected, queue=QueueName("a"))).pushed == 100


async def test_a_naive_time_is_refused(connected: Connected, clock: HandWoundClock) -> None:
    with pytest.raises(InvalidValue, match="since"):
        await connected.expose.series(Span.DAY, since=clock.now().replace(tzinfo=None), until=clock.now())
    with pytest.raises(InvalidValue, match="until"):
        await connected.expose.durations(Span.DAY, since=clock.now(), until=clock.now().replace(tzinfo=None))


async def test_the_last_claim_is_known_to_the_minute(connected: Connected, clock: HandWoundClock) -> None:
    assert await connected.expose.last_claim() is None
    boot = await registered(connected, lease_ttl=1e6)
    await claim(connected, boot)
    assert await connected.expose.last_claim() is None
    await push_one(connected)
    clock.advance(90)
    await claim(connected, boot)
    claimed_at = clock.now()
    clock.advance(500)
    await claim(connected, boot)
    last = await connected.expose.last_claim()
    assert last is not None and abs(claimed_at - last) <= timedelta(minutes=1)
