"""The store's own now is the only now."""

from datetime import UTC, datetime, timedelta

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import TTL, ask, beat, claim, counts_of, done, fetch, finish, push_one, registered, running
from queue_core.expose import Connected, connect
from queue_core.outcome import Deferred


async def test_now_is_the_stores_time(connected: Connected, clock: HandWoundClock) -> None:
    for _ in range(2):
        assert await connected.backend.now() == await connected.expose.now() == clock.now()
        clock.advance(3600)
    assert (await connected.backend.now()).utcoffset() == timedelta(0)


async def test_without_a_clock_the_store_has_the_systems_time(url: str) -> None:
    store = connect(url)
    await store.backend.open()
    before = datetime.now(UTC)
    now = await store.backend.now()
    assert before - timedelta(seconds=1) <= now <= datetime.now(UTC) + timedelta(seconds=1)
    await store.backend.close()


async def test_delays_begin_at_the_stores_now(connected: Connected, clock: HandWoundClock) -> None:
    clock.advance(-400 * 86_400)
    task = await push_one(connected, run_after=2)
    assert task.run_at == clock.now() + timedelta(seconds=2)
    runs = await running(connected, queue="other")
    await finish(connected, runs, Deferred(3))
    assert (await fetch(connected, runs.id)).run_at == clock.now() + timedelta(seconds=3)


async def test_a_clock_that_steps_back_makes_tasks_wait_and_loses_none(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    boot = await registered(connected)
    await ask(connected, boot, limit=0)
    clock.advance(-60)
    claims = await ask(connected, boot)
    assert (claims.tasks, claims.next_due) == ([], 60)
    clock.advance(60)
    assert [found.id for found in await claim(connected, boot)] == [task.id]


async def test_a_clock_that_steps_back_loses_no_worker(connected: Connected, clock: HandWoundClock) -> None:
    runs = await running(connected)
    clock.advance(-3600)
    assert (await connected.backend.rescue()).workers == ()
    assert connected.backend.heartbeat(beat(runs.lease.boot, running=1)).alive
    clock.advance(TTL)
    assert (await connected.backend.rescue()).workers == ()
    assert await finish(connected, runs)


async def test_a_task_done_before_a_step_back_is_still_sound(connected: Connected, clock: HandWoundClock) -> None:
    task = await done(connected)
    clock.advance(-3600)
    again = await done(connected)
    assert again.done_at is not None and task.done_at is not None and again.done_at < task.done_at
    assert (await counts_of(connected)).done == 2


async def test_a_microsecond_is_kept(connected: Connected, clock: HandWoundClock) -> None:
    clock.advance(0.000_001)
    task = await push_one(connected, run_at=clock.now() + timedelta(microseconds=7))
    stored = await fetch(connected, task.id)
    assert (stored.created_at, stored.run_at) == (clock.now(), clock.now() + timedelta(microseconds=7))
