"""wakeups: a worker learns that it should look again."""

import asyncio

from queue_core.backend import Wakeups
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    FAILED,
    ME,
    PATIENCE,
    ask,
    claim,
    claimed,
    failed,
    finish,
    killed,
    lose_workers,
    new_task,
    pause,
    push_one,
    registered,
    resume,
    running,
    settle_down,
    take,
)
from queue_core.expose import Connected
from queue_core.outcome import Deferred


async def _woken(wakeups: Wakeups) -> bool:
    return await wakeups.wait(PATIENCE)


async def test_a_push_wakes_a_worker_of_its_queue(connected: Connected) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        waiting = asyncio.ensure_future(_woken(wakeups))
        await asyncio.sleep(0)
        await push_one(connected)
        assert await waiting
        assert len(await claim(connected, boot)) == 1


async def test_a_push_through_another_connection_wakes_too(connected: Connected, another: Connected) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        await push_one(another)
        assert await _woken(wakeups)


async def test_a_push_between_two_waits_is_not_slept_through(connected: Connected) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        for _ in range(3):
            await push_one(connected)
            assert await _woken(wakeups)


async def test_patience_ends(connected: Connected) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)  # returns when a wait timed out


async def test_whatever_makes_work_due_wakes(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected, lease_ttl=1e6)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        for act in (_retry, _run_now, _reschedule, _release, _deferral, _failure, _resume, _rescue):
            await settle_down(wakeups)
            await act(connected, clock)
            assert await _woken(wakeups), act.__name__
            for task in (await ask(connected, boot, start=10)).tasks:
                await finish(connected, task)


async def _retry(connected: Connected, clock: HandWoundClock) -> None:
    await connected.expose.retry([(await killed(connected)).id], actor=ME)


async def _run_now(connected: Connected, clock: HandWoundClock) -> None:
    await connected.expose.run_now([(await push_one(connected, run_after=60)).id], actor=ME)


async def _reschedule(connected: Connected, clock: HandWoundClock) -> None:
    await connected.expose.reschedule([(await push_one(connected, run_after=60)).id], clock.now(), actor=ME)


async def _release(connected: Connected, clock: HandWoundClock) -> None:
    await connected.backend.release([(await claimed(connected)).lease])


async def _deferral(connected: Connected, clock: HandWoundClock) -> None:
    await finish(connected, await running(connected), Deferred())


async def _failure(connected: Connected, clock: HandWoundClock) -> None:
    await finish(connected, await running(connected), FAILED)


async def _resume(connected: Connected, clock: HandWoundClock) -> None:
    await pause(connected)
    await push_one(connected)
    await resume(connected)


async def _rescue(connected: Connected, clock: HandWoundClock) -> None:
    await running(connected)
    await lose_workers(connected, clock)


async def test_a_resume_alone_wakes(connected: Connected) -> None:
    boot = await registered(connected)
    await push_one(connected)
    await pause(connected)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        await resume(connected)
        assert await _woken(wakeups)


async def test_the_kill_of_a_running_task_wakes_its_worker(connected: Connected, another: Connected) -> None:
    runs = await running(connected)
    async with connected.backend.wakeups(runs.lease.boot, []) as wakeups:
        await settle_down(wakeups)
        await another.expose.kill([runs.id], actor=ME)
        assert await _woken(wakeups)
        assert await connected.backend.kill_requests(runs.lease.boot) == [runs.lease]


async def test_the_kill_of_a_queued_task_and_a_pause_wake_its_worker(connected: Connected) -> None:
    boot = await registered(connected)
    await connected.backend.push([new_task(), new_task()])
    first, _ = await claim(connected, boot)
    async with connected.backend.wakeups(boot, []) as wakeups:
        await settle_down(wakeups)
        await connected.expose.kill([first.id], actor=ME)
        assert await _woken(wakeups)
        await settle_down(wakeups)
        await pause(connected)
        assert await _woken(wakeups)


async def test_a_task_scheduled_earlier_than_all_others_wakes(connected: Connected) -> None:
    boot = await registered(connected)
    await push_one(connected, run_after=600)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        await push_one(connected, run_after=5)
        assert await _woken(wakeups)
        assert (await ask(connected, boot)).next_due == 5


async def test_a_move_of_the_clock_wakes_so_that_timers_can_look_again(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    task = await failed(connected, retry_in=60)
    async with connected.backend.wakeups(boot, ["default"]) as wakeups:
        await settle_down(wakeups)
        clock.advance(60)
        assert await _woken(wakeups)
        assert (await take(connected, task.id, boot)).attempt == 2


async def test_leaving_stops_the_listening_and_others_go_on(connected: Connected) -> None:
    boot = await registered(connected)
    async with connected.backend.wakeups(boot, ["default"]) as kept:
        async with connected.backend.wakeups(boot, ["default"]):
            pass
        await settle_down(kept)
        await push_one(connected)
        assert await _woken(kept)
