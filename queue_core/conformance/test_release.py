"""release: a worker gives back what it will not start. And deregister, which does it for all it holds."""

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import ME, claim, claimed, fetch, finish, new_task, registered, running, take
from queue_core.expose import Connected
from queue_core.ids import new_boot_id
from queue_core.status import KillReason, Status
from queue_core.worker_info import WorkerState


async def test_a_released_task_waits_again_as_if_nothing_had_been(connected: Connected, clock: HandWoundClock) -> None:
    claim = await claimed(connected)
    clock.advance(3)
    assert await connected.backend.release([claim.lease]) == 1
    task = await fetch(connected, claim.id)
    assert (task.status, task.attempts, task.crashes, task.run_at) == (Status.PENDING, 0, 0, claim.run_at)
    assert await connected.expose.attempts(claim.id) == []


async def test_a_released_task_keeps_its_place(connected: Connected) -> None:
    await connected.backend.push([new_task("first"), new_task("second")])
    one, two = await registered(connected), await registered(connected)
    [first] = await claim(connected, one, limit=1)
    await connected.backend.release([first.lease])
    assert [task.name for task in await claim(connected, two)] == ["first", "second"]


async def test_only_held_leases_are_released_and_counted(connected: Connected) -> None:
    claim, runs = await claimed(connected), await running(connected)
    assert await connected.backend.release([claim.lease, claim.lease, runs.lease]) == 1
    assert (await fetch(connected, runs.id)).status is Status.RUNNING


async def test_a_worker_that_ends_leaves_nothing_behind(connected: Connected) -> None:
    await connected.backend.push([new_task() for _ in range(3)])
    boot = await registered(connected)
    tasks = await claim(connected, boot)
    await connected.backend.deregister(boot)
    assert await connected.backend.leases(boot) == []
    assert {(await fetch(connected, task.id)).status for task in tasks} == {Status.PENDING}
    assert len(await claim(connected, await registered(connected))) == 3


async def test_a_task_that_still_ran_when_its_worker_ended_lost_no_attempt(connected: Connected) -> None:
    runs = await running(connected, max_attempts=1)
    await connected.backend.deregister(runs.lease.boot)
    task = await fetch(connected, runs.id)
    assert (task.status, task.attempts, task.crashes) == (Status.PENDING, 0, 0)
    assert not await finish(connected, runs)
    assert (await take(connected, runs.id, await registered(connected))).attempt == 1


async def test_a_kill_that_was_asked_for_is_done_when_the_worker_ends(connected: Connected) -> None:
    runs = await running(connected)
    await connected.expose.kill([runs.id], actor=ME)
    await connected.backend.deregister(runs.lease.boot)
    assert (await fetch(connected, runs.id)).reason is KillReason.KILLED


async def test_a_worker_that_ended_is_listed_as_stopped(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    clock.advance(1)
    await connected.backend.deregister(boot)
    [worker] = await connected.expose.list_workers()
    assert (worker.state, worker.stopped_at, worker.running) == (WorkerState.STOPPED, clock.now(), 0)


async def test_ending_twice_or_never_having_begun_is_ignored(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    await connected.backend.deregister(boot)
    clock.advance(1)
    await connected.backend.deregister(boot)
    await connected.backend.deregister(new_boot_id())
    [worker] = await connected.expose.list_workers()
    assert worker.stopped_at is not None and worker.stopped_at < clock.now()
