"""heartbeat: a worker says that it lives, from any thread."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import TTL, beat, counts_of, new_task, registered
from queue_core.expose import Connected
from queue_core.ids import new_boot_id
from queue_core.worker_info import WorkerState


async def test_a_heartbeat_reports_the_worker(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    clock.advance(5)
    assert connected.backend.heartbeat(beat(boot, running=3, rss=123_456_789, cpu=0.25)).alive
    [worker] = await connected.expose.list_workers()
    assert (worker.last_heartbeat, worker.running, worker.rss, worker.cpu) == (clock.now(), 3, 123_456_789, 0.25)
    assert worker.started_at < worker.last_heartbeat


async def test_a_paused_worker_beats_on(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected)
    for state in (WorkerState.PAUSED, WorkerState.STOPPING, WorkerState.RUNNING):
        clock.advance(TTL - 1)
        assert connected.backend.heartbeat(beat(boot, state)).alive
        [worker] = await connected.expose.list_workers()
        assert worker.state is state
        assert worker.is_live(clock.now())


async def test_an_unknown_worker_is_told_so(connected: Connected) -> None:
    assert not connected.backend.heartbeat(beat(new_boot_id())).alive
    assert await connected.expose.list_workers() == []


async def test_a_worker_that_ended_cannot_come_back_by_a_heartbeat(connected: Connected) -> None:
    boot = await registered(connected)
    await connected.backend.deregister(boot)
    assert not connected.backend.heartbeat(beat(boot)).alive
    [worker] = await connected.expose.list_workers()
    assert worker.state is WorkerState.STOPPED


async def test_a_lost_worker_is_told_and_may_register_anew(connected: Connected, clock: HandWoundClock) -> None:
    boot = await registered(connected, "anna")
    clock.advance(TTL + 1)
    await connected.backend.rescue()
    assert not connected.backend.heartbeat(beat(boot)).alive
    again = await registered(connected, "anna")
    assert connected.backend.heartbeat(beat(again)).alive


async def test_a_heartbeat_gets_through_from_a_thread_while_the_loop_is_busy(connected: Connected) -> None:
    boot = await registered(connected)
    with ThreadPoolExecutor(1) as pool:  # result() blocks this loop, as a handler that computes does
        assert pool.submit(connected.backend.heartbeat, beat(boot)).result(timeout=20).alive


async def test_heartbeats_from_many_threads_and_pushes_do_not_disturb_one_another(connected: Connected) -> None:
    boots = [await registered(connected) for _ in range(4)]
    beats = [asyncio.to_thread(connected.backend.heartbeat, beat(boot)) for boot in boots * 5]
    pushes = [connected.backend.push([new_task()]) for _ in range(20)]
    answers = await asyncio.gather(*beats, *pushes)
    assert all(reply.alive for reply in answers[: len(beats)])
    assert (await counts_of(connected)).pending == 20
