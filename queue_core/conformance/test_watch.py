"""watch: whoever looks learns that something changed, in every connection."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from queue_core.backend import Retention
from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import (
    FAILED,
    ME,
    PATIENCE,
    beat,
    claimed,
    done,
    finish,
    killed,
    lose_workers,
    new_task,
    pause,
    push_one,
    registered,
    resume,
    running,
    soon,
    watching,
)
from queue_core.expose import ALL_TOPICS, Connected
from queue_core.task import Claim, Task

Act = Callable[[Connected, Claim], Awaitable[object]]

WITH_A_CLAIM: dict[str, Act] = {
    "start": lambda store, claim: store.backend.start([claim.lease]),
    "release": lambda store, claim: store.backend.release([claim.lease]),
    "kill": lambda store, claim: store.expose.kill([claim.id], actor=ME),
    "deregister": lambda store, claim: store.backend.deregister(claim.lease.boot),
}
WITH_A_RUN: dict[str, Act] = {
    "success": finish,
    "failure": lambda store, claim: finish(store, claim, FAILED),
    "progress": lambda store, claim: store.backend.progress(claim.lease, 0.5),
    "asked kill": lambda store, claim: store.expose.kill([claim.id], actor=ME),
}
WITH_AN_END: dict[str, Callable[[Connected, Task], Awaitable[object]]] = {
    "retry": lambda store, task: store.expose.retry([task.id], actor=ME),
    "delete": lambda store, task: store.expose.delete([task.id], actor=ME),
    "prune": lambda store, task: store.backend.prune(Retention(done=0, killed=0)),
}


@pytest.mark.parametrize("act", WITH_A_CLAIM.values(), ids=WITH_A_CLAIM)
async def test_what_happens_to_a_claimed_task_is_announced(connected: Connected, act: Act) -> None:
    claim = await claimed(connected, queue="mail")
    async with watching(connected) as seen:
        await act(connected, claim)
        await seen.wait_for("queue:mail")


@pytest.mark.parametrize("act", WITH_A_RUN.values(), ids=WITH_A_RUN)
async def test_what_happens_to_a_running_task_is_announced(connected: Connected, act: Act) -> None:
    claim = await running(connected, queue="mail")
    async with watching(connected) as seen:
        await act(connected, claim)
        await seen.wait_for("queue:mail")


@pytest.mark.parametrize("act", WITH_AN_END.values(), ids=WITH_AN_END)
async def test_what_happens_to_an_ended_task_is_announced(connected: Connected, act: Callable[[Connected, Task], Awaitable[object]]) -> None:
    task = await done(connected, queue="mail")
    async with watching(connected) as seen:
        await act(connected, task)
        await seen.wait_for("queue:mail")


async def test_pushes_claims_and_moves_are_announced(connected: Connected) -> None:
    boot = await registered(connected, queues=("a", "b", "c"))
    later = await push_one(connected, queue="c", run_after=9)
    await push_one(connected, queue="b")
    async with watching(connected) as seen:
        await push_one(connected, queue="a")
        await connected.backend.claim(boot, ["b"], names=None, limit=1)
        await connected.expose.run_now([later.id], actor=ME)
        await seen.wait_for("queue:a", "queue:b", "queue:c")


async def test_a_rescue_and_an_expiry_are_announced(connected: Connected, clock: HandWoundClock) -> None:
    await running(connected, queue="mail")
    await push_one(connected, queue="late", expires_at=clock.now())
    async with watching(connected) as seen:
        await lose_workers(connected, clock)
        await connected.backend.expire()
        await seen.wait_for("queue:mail", "queue:late", "workers")


async def test_pauses_and_new_queues_are_announced(connected: Connected) -> None:
    await push_one(connected)
    for act in (
        lambda: pause(connected),
        lambda: resume(connected),
        lambda: push_one(connected, queue="never seen"),
        lambda: registered(connected, queues=("never heard",)),
    ):
        async with watching(connected) as seen:
            await act()
            await seen.wait_for("queues")


async def test_the_life_of_a_worker_is_announced(connected: Connected) -> None:
    async with watching(connected) as seen:
        boot = await registered(connected)
        await seen.wait_for("workers")
    async with watching(connected) as seen:
        connected.backend.heartbeat(beat(boot))
        await seen.wait_for("workers")
    async with watching(connected) as seen:
        await connected.backend.deregister(boot)
        await seen.wait_for("workers")


async def test_actions_are_announced(connected: Connected) -> None:
    task = await killed(connected)
    async with watching(connected) as seen:
        await connected.expose.retry([task.id], actor=ME)
        await seen.wait_for("audit", "queue:default")


async def test_changes_reach_every_connection(connected: Connected, another: Connected) -> None:
    async with watching(connected, through=another) as far, watching(another, through=connected) as near:
        await push_one(connected, queue="from here")
        await push_one(another, queue="from there")
        for seen in (far, near):
            await seen.wait_for("queue:from here", "queue:from there")


async def test_a_watch_begins_with_everything_as_soon_as_it_listens(connected: Connected) -> None:
    watch = connected.expose.watch()
    assert await soon(watch) == {ALL_TOPICS}
    await push_one(connected, queue="mail")
    while not {"queue:mail", ALL_TOPICS} & await soon(watch):
        pass


async def test_a_watcher_who_is_slow_misses_nothing(connected: Connected) -> None:
    topics: set[str] = set()
    watch = connected.expose.watch()
    await soon(watch)
    for number in range(20):
        await connected.backend.push([new_task(queue=f"q{number}")])
    while not topics >= {f"queue:q{number}" for number in range(20)} and "*" not in topics:
        topics |= await soon(watch)


async def test_a_watch_ends_when_the_store_is_closed(connected: Connected, another: Connected) -> None:
    async def look() -> None:
        async for _ in another.expose.watch():
            began.set()

    began = asyncio.Event()
    task = asyncio.create_task(look())
    await asyncio.wait_for(began.wait(), PATIENCE)
    await another.expose.close()
    await asyncio.wait_for(task, PATIENCE)
