"""rescue: what lost workers held goes back, its crash counted, and capped."""

from datetime import timedelta

from queue_core.backend import Rescued
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    FAILED,
    TTL,
    beat,
    claim,
    claimed,
    fetch,
    finish,
    lose_workers,
    new_task,
    push_one,
    registered,
    running,
    status_of,
    take,
)
from queue_core.expose import Connected
from queue_core.outcome import Errored
from queue_core.status import KillReason, Status
from queue_core.task import MAX_CRASHES, AttemptOutcome
from queue_core.worker_info import WorkerState


async def test_a_lost_workers_task_goes_back_to_its_queue(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    rescued = await lose_workers(connected, clock)
    assert (rescued.pending, rescued.killed) == (1, 0)
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.crashes, task.run_at) == (Status.PENDING, 1, 1, claim.run_at)
    assert (await take(connected, claim.id, await registered(connected))).attempt == 2


async def test_a_queued_task_comes_back_without_an_attempt(connected: Connected, clock: HandWoundClock) -> None:
    claim = await claimed(connected)
    await lose_workers(connected, clock)
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.crashes) == (Status.PENDING, 0, 1)
    assert await connected.expose.attempts(claim.id) == []


async def test_the_rescue_names_the_lost_workers_and_marks_them(connected: Connected, clock: HandWoundClock) -> None:
    await registered(connected, "idle")
    await registered(connected, "busy")
    rescued = await lose_workers(connected, clock)
    assert sorted(rescued.workers) == ["busy", "idle"]
    assert {worker.state for worker in await connected.expose.list_workers()} == {WorkerState.LOST}
    assert await connected.backend.rescue() == Rescued()


async def test_a_lease_lasts_until_its_last_moment(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    clock.advance(TTL)
    assert await connected.backend.rescue() == Rescued()
    clock.advance(0.001)
    assert (await connected.backend.rescue()).pending == 1
    assert await status_of(connected, claim.id) is Status.PENDING


async def test_a_heartbeat_keeps_the_lease(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    for _ in range(5):
        clock.advance(TTL - 1)
        assert connected.backend.heartbeat(beat(claim.lease.boot, running=1)).alive
        assert await connected.backend.rescue() == Rescued()
    assert await finish(connected, claim)


async def test_each_worker_has_its_own_lease_time(connected: Connected, clock: HandWoundClock) -> None:
    await registered(connected, "hasty", lease_ttl=1)
    await registered(connected, "patient", lease_ttl=1000)
    clock.advance(10)
    assert (await connected.backend.rescue()).workers == ("hasty",)


async def test_a_worker_that_wakes_up_after_its_lease_changes_nothing(connected: Connected, clock: HandWoundClock) -> None:
    asleep = await running(connected)  # as if stopped by SIGSTOP here …
    await lose_workers(connected, clock)
    other = await take(connected, asleep.id, await registered(connected))
    assert await finish(connected, other)
    before = await fetch(connected, asleep.id)
    # … and continued here: everything it does next must fail
    assert not connected.backend.heartbeat(beat(asleep.lease.boot, running=1)).alive
    assert not await connected.backend.progress(asleep.lease, 0.5)
    assert not await finish(connected, asleep, FAILED)
    assert await connected.backend.start([asleep.lease]) == [False]
    assert await connected.backend.release([asleep.lease]) == 0
    assert await connected.backend.leases(asleep.lease.boot) == []
    assert await claim(connected, asleep.lease.boot) == []
    await connected.backend.deregister(asleep.lease.boot)
    assert await fetch(connected, asleep.id) == before


async def test_a_worker_that_wakes_up_before_anyone_noticed_goes_on(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    clock.advance(TTL * 3)
    assert connected.backend.heartbeat(beat(claim.lease.boot, running=1)).alive
    assert await connected.backend.rescue() == Rescued()
    assert await finish(connected, claim)


async def test_a_poison_task_does_not_loop(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected, max_attempts=100)
    for crash in range(1, MAX_CRASHES + 2):
        await take(connected, task.id, await registered(connected))
        await lose_workers(connected, clock)
        assert (await fetch(connected, task.id)).crashes == crash
    stored = await fetch(connected, task.id)
    assert (stored.status, stored.reason, stored.done_at) == (Status.KILLED, KillReason.CRASHED, clock.now())


async def test_crashes_before_the_start_are_capped_too(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    for _ in range(MAX_CRASHES + 1):
        await take(connected, task.id, await registered(connected), start=0)
        await lose_workers(connected, clock)
    stored = await fetch(connected, task.id)
    assert (stored.reason, stored.attempts) == (KillReason.CRASHED, 0)


async def test_a_crash_in_the_last_attempt_is_final(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected, max_attempts=1)
    rescued = await lose_workers(connected, clock)
    assert (rescued.pending, rescued.killed) == (0, 1)
    task = await fetch(connected, claim.id)
    assert (task.status, task.reason, task.crashes) == (Status.KILLED, KillReason.EXHAUSTED, 1)


async def test_a_crashed_attempt_is_kept_in_the_history(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await lose_workers(connected, clock)
    [attempt] = await connected.expose.attempts(claim.id)
    assert (attempt.number, attempt.outcome, attempt.finished_at) == (1, AttemptOutcome.CRASHED, clock.now())


async def test_tasks_that_wait_are_left_alone(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    await finish(connected, claim, Errored(FAILED.error, retry_in=9999))
    await push_one(connected, run_after=9999)
    rescued = await lose_workers(connected, clock)
    assert (rescued.pending, rescued.killed) == (0, 0)


async def test_only_the_lost_workers_tasks_are_rescued(connected: Connected, clock: HandWoundClock) -> None:
    lost, kept = await running(connected), await running(connected)
    clock.advance(TTL + 1)
    connected.backend.heartbeat(beat(kept.lease.boot, running=1))
    assert (await connected.backend.rescue()).pending == 1
    assert await status_of(connected, lost.id) is Status.PENDING
    assert await status_of(connected, kept.id) is Status.RUNNING


async def test_the_rescue_happens_once(connected: Connected, another: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected)
    clock.advance(TTL + 1)
    assert (await another.backend.rescue()).pending == 1
    assert (await connected.backend.rescue()).pending == 0
    assert (await fetch(connected, claim.id)).crashes == 1


async def test_many_tasks_are_rescued_at_once(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.push([new_task() for _ in range(700)])
    await claim(connected, await registered(connected), limit=700, start=300)
    rescued = await lose_workers(connected, clock)
    while (more := await connected.backend.rescue()).pending:
        rescued = Rescued(pending=rescued.pending + more.pending)
    assert rescued.pending == 700


async def test_a_rescued_task_that_was_pushed_for_the_past_is_due_at_once(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected, run_at=clock.now() - timedelta(hours=1))
    await lose_workers(connected, clock)
    assert (await fetch(connected, claim.id)).run_at == claim.run_at


async def test_the_task_and_its_history_say_that_the_worker_was_lost(connected: Connected, clock: HandWoundClock) -> None:
    claim = await running(connected, max_attempts=1)
    clock.advance(3600)
    await connected.backend.rescue()
    task = await fetch(connected, claim.id)
    assert task.reason is KillReason.EXHAUSTED
    assert task.error is not None and task.error.startswith("WorkerLost: Worker ") and task.error.endswith("during attempt 1.")
    [attempt] = await connected.expose.attempts(claim.id)
    assert attempt.error is not None and attempt.error.line == task.error
