"""Workers whose store goes away, whose lease is lost, or whose acks are refused."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from queue_core import App, HandWoundClock, KillReason, Retry, Status, StoreUnavailable, WorkerContext
from queue_core.backend import Retention
from queue_core.events import Event, LeaseLost, Start, StoreLost
from queue_core.expose import Actor
from queue_core.ids import TaskId, new_boot_id
from queue_core.task import DEFAULT_QUEUE, AttemptOutcome
from queue_core.worker import loop
from queue_core.worker_info import Registration
from tests.core.faulty import FaultyBackend
from tests.core.steps import PATIENCE, attempts, becomes, eventually, working


@pytest.fixture
def faulty(app: App) -> Iterator[FaultyBackend]:
    backend: Any = FaultyBackend(app.backend)
    app.backend = backend
    yield backend
    backend.recover()


async def test_a_worker_waits_while_its_store_is_away_and_goes_on_by_itself(app: App, faulty: FaultyBackend) -> None:
    @app.task
    async def work(n: int) -> int:
        return n

    events: list[Event] = []
    async with working(app, on_event=events.append) as worker:
        await (await work.push(0)).result(timeout=PATIENCE)
        handles = [await work.push(n) for n in range(5)]
        faulty.break_down("claim", "ack", "heartbeat", "rescue", "expire", "prune", "kill_requests", "leases")
        await eventually(lambda: len(faulty.failed) >= 5)
        assert worker.phase == "running"
        faulty.recover()
        for n, handle in enumerate(handles):
            assert await handle.result(timeout=PATIENCE) == n
    assert any(isinstance(event, StoreLost) for event in events)
    assert {(await handle.fetch()).attempts for handle in handles} == {1}


async def test_acks_are_kept_while_the_store_is_away(app: App, faulty: FaultyBackend) -> None:
    ran = 0

    @app.task
    async def work() -> None:
        nonlocal ran
        ran += 1
        faulty.break_down("ack")

    handle = await work.push()
    async with working(app):
        await eventually(lambda: faulty.failed.count("ack") >= 2)
        faulty.recover()
        await handle.result(timeout=PATIENCE)
    assert ran == 1


async def test_a_claim_whose_answer_was_lost_is_given_back(app: App, faulty: FaultyBackend) -> None:
    real = app.backend._backend.claim  # type: ignore[attr-defined]
    lost = False

    async def forgetful(*args: Any, **kwargs: Any) -> Any:
        nonlocal lost
        claims = await real(*args, **kwargs)
        if claims.tasks and not lost:
            lost = True
            raise StoreUnavailable("the answer got lost")
        return claims

    faulty.claim = forgetful  # type: ignore[attr-defined]

    @app.task
    async def work(*, ctx: WorkerContext) -> int:
        return ctx.attempt

    untyped: Any = work
    handle = await untyped.push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == 1
    assert lost


async def test_an_ack_that_the_store_refuses_fails_one_task_and_not_its_neighbours(app: App, faulty: FaultyBackend) -> None:
    real = app.backend._backend.ack  # type: ignore[attr-defined]

    async def picky(acks: Any) -> Any:
        if any(ack.result == b'"bad"' for ack in acks):
            raise OverflowError("too much")
        return await real(acks)

    faulty.ack = picky  # type: ignore[attr-defined]

    @app.task
    async def work(text: str) -> str:
        return text

    good, bad, fine = [await work.push(text) for text in ("good", "bad", "fine")]
    async with working(app):
        assert [await good.result(timeout=PATIENCE), await fine.result(timeout=PATIENCE)] == ["good", "fine"]
        assert "OverflowError: too much" in str((await becomes(bad, Status.KILLED)).error)


async def test_a_worker_that_was_declared_lost_drops_its_work_and_starts_anew(url: str) -> None:
    clock = HandWoundClock()
    async with App(url, clock=clock) as app:
        cancelled = asyncio.Event()
        events: list[Event] = []
        ran: list[int] = []

        @app.task
        async def work(*, ctx: WorkerContext) -> str:
            ran.append(ctx.attempt)
            if len(ran) == 1:
                try:
                    await asyncio.sleep(3_600)
                except asyncio.CancelledError:
                    cancelled.set()
                    raise
            return "second"

        untyped: Any = work
        handle = await untyped.push()
        async with working(app, lease_ttl=10, heartbeat_every=0.3, on_event=events.append, name="w"):
            await eventually(lambda: len(ran) == 1)
            clock.advance(60)
            await app.backend.rescue()  # another worker finds it lost
            await asyncio.wait_for(cancelled.wait(), PATIENCE)
            assert await handle.result(timeout=PATIENCE) == "second"
        assert len([event for event in events if isinstance(event, Start)]) == 2
        assert [event.task_id for event in events if isinstance(event, LeaseLost)] == [handle.id]
        assert (await handle.fetch()).crashes == 1
        assert [attempt.outcome for attempt in await attempts(app, handle)] == [AttemptOutcome.CRASHED, AttemptOutcome.SUCCEEDED]


async def test_the_result_of_a_run_whose_lease_is_lost_is_dropped(url: str) -> None:
    clock = HandWoundClock()
    async with App(url, clock=clock) as app:
        gate = asyncio.Event()
        started = asyncio.Event()
        lost: list[Event] = []

        @app.task
        async def work() -> str:
            started.set()
            await gate.wait()
            return "too late"

        handle = await work.push()
        async with working(app, lease_ttl=10, heartbeat_every=5, on_event=lambda event: lost.append(event) if isinstance(event, LeaseLost) else None):
            await asyncio.wait_for(started.wait(), PATIENCE)
            clock.advance(60)
            await app.backend.rescue()
            await app.expose.kill([handle.id], actor=Actor(name="olga"))
            gate.set()
            await eventually(lambda: bool(lost))
            task = await handle.fetch()
        assert (task.status, task.result) == (Status.KILLED, None)


async def test_progress_under_a_lost_lease_cancels_the_run(url: str) -> None:
    clock = HandWoundClock()
    async with App(url, clock=clock) as app:
        gate, started, held = asyncio.Event(), asyncio.Event(), []

        @app.task
        async def work(*, ctx: WorkerContext) -> None:
            started.set()
            await gate.wait()
            held.append(await ctx.progress(0.5))
            await asyncio.sleep(3_600)

        untyped: Any = work
        await untyped.push()
        async with working(app, lease_ttl=10, heartbeat_every=5) as worker:
            await asyncio.wait_for(started.wait(), PATIENCE)
            clock.advance(60)
            await app.backend.rescue()
            gate.set()
            await eventually(lambda: worker.running == 0)
        assert held == [False]


async def test_a_worker_that_cannot_begin_says_so(app: App, faulty: FaultyBackend) -> None:
    @app.task
    async def work() -> None: ...

    faulty.break_down("register")
    with pytest.raises(StoreUnavailable, match="no register now"):
        await app.worker().run()


async def test_a_store_that_is_away_at_the_end_does_not_keep_the_worker(app: App, faulty: FaultyBackend) -> None:
    @app.task
    async def work() -> None:
        faulty.break_down()

    await work.push()
    worker = app.worker(shutdown_timeout=0.1, stop_grace=0.1)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: "ack" in faulty.failed)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)


async def test_a_second_stop_does_not_wait_for_a_store_that_is_away(app: App, faulty: FaultyBackend) -> None:
    @app.task
    async def work() -> None:
        faulty.break_down()

    await work.push()
    worker = app.worker(shutdown_timeout=3_600, stop_grace=0.1)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: "ack" in faulty.failed)
    worker.stop()
    await asyncio.sleep(0)
    worker.stop(at_once=True)
    await asyncio.wait_for(running, PATIENCE)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_store_that_fails_at_random_loses_no_task(app: App, faulty: FaultyBackend, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # nine failures in a row are to be expected now and then, and would last for longer than the patience of the test
    monkeypatch.setattr(loop, "TROUBLE", replace(loop.TROUBLE, max=0.1))
    dice = random.Random(seed)
    runs: Counter[int] = Counter()

    @app.task(max_attempts=3, retry=Retry(min=0, max=0))
    async def work(n: int) -> int:
        runs[n] += 1
        await asyncio.sleep(dice.random() * 0.002)
        if dice.random() < 0.1:
            raise ValueError(n)
        return n

    @app.task
    def threaded(n: int) -> int:
        runs[n] += 1
        return n

    handles = await work.push_many({"n": n} for n in range(150))
    handles += await threaded.push_many({"n": n} for n in range(150, 200))
    faulty.fail = lambda verb: StoreUnavailable(verb) if verb in {"claim", "ack", "heartbeat", "leases", "rescue"} and dice.random() < 0.3 else None
    async with working(app, concurrency=13, heartbeat_every=0.05, lease_ttl=30, shutdown_timeout=PATIENCE):
        tasks = [await becomes(handle, Status.DONE, Status.KILLED) for handle in handles]
    assert {task.crashes for task in tasks} == {0}
    assert all(task.attempts == runs[n] for n, task in enumerate(tasks))
    assert "claim" in faulty.failed
    assert "ack" in faulty.failed


async def test_of_tasks_that_workers_died_under_one_runs_at_a_time(url: str) -> None:
    clock = HandWoundClock()
    async with App(url, clock=clock) as app:
        running = 0
        most = 0
        gate = asyncio.Event()

        @app.task
        async def suspect() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1

        @app.task
        async def other() -> None: ...

        handles = await suspect.push_many({} for _ in range(3))
        for life in range(2):
            await crash_a_worker(app, clock, f"dead-{life}")
            await app.backend.rescue()
        fresh = await other.push()
        async with working(app, concurrency=10, lease_ttl=3_600, heartbeat_every=60) as worker:
            await fresh.result(timeout=PATIENCE)
            await eventually(lambda: worker.running == 1)
            gate.set()

            async def all_done() -> bool:
                clock.advance(5)  # past the pause of those that were put off
                return all([(await handle.fetch()).status is Status.DONE for handle in handles])

            await eventually(all_done)
            tasks = [await becomes(handle, Status.DONE) for handle in handles]
        assert most == 1
        assert {(task.crashes, task.attempts) for task in tasks} == {(2, 3)}


async def crash_a_worker(app: App, clock: HandWoundClock, name: str) -> None:
    """Let a worker claim everything and never be heard of again."""
    registration = Registration(
        boot=new_boot_id(), name=name, queues=(DEFAULT_QUEUE,), names=None, host="elsewhere", pid=1, process="x", version="0",
        middleware=(), concurrency=10, lease_ttl=1,
    )  # fmt: skip
    await app.backend.register(registration)
    await app.backend.claim(registration.boot, [DEFAULT_QUEUE], names=None, limit=10, start=10)
    clock.advance(60)


async def test_a_worker_rescues_expires_and_prunes_by_itself(url: str) -> None:
    clock = HandWoundClock()
    async with App(url, clock=clock) as app:

        @app.task
        async def work() -> int:
            return 7

        orphan = await work.push()
        await crash_a_worker(app, clock, "dead")
        old = await work.using(queue="elsewhere").push()
        await old.kill()
        clock.advance(60)
        async with working(app, lease_ttl=3_600, heartbeat_every=600, housekeeping=0.02, retention=Retention(killed=60)) as worker:
            assert await orphan.result(timeout=PATIENCE) == 7
            await eventually(lambda: _is_gone(app, old.id), what="the pruning")
            worker.pause()  # a claim would end what is expired as well
            late = await work.using(expires_at=await app.expose.now()).push()
            assert (await becomes(late, Status.KILLED)).reason is KillReason.EXPIRED
        assert (await orphan.fetch()).crashes == 1
        assert (await late.fetch()).status is Status.KILLED, "it is not old enough"


async def _is_gone(app: App, id: TaskId) -> bool:
    return await app.expose.fetch(id) is None


class Broken(Retry):
    """A policy of the user's own, with a mistake in it."""

    def delay(self, attempt: int) -> float:
        if attempt == 1:
            raise ZeroDivisionError("a mistake")
        return float("nan")


async def test_a_retry_policy_that_fails_does_not_keep_the_task_from_its_ack(url: str) -> None:
    clock = HandWoundClock()
    app = App(url, clock=clock)

    @app.task(max_attempts=3, retry=Broken())
    async def fail() -> None:
        raise ValueError("the handler's own")

    async with app, working(app, poll=0.01):
        handle = await fail.push()
        for attempt in (1, 2):
            task = await becomes(handle, Status.FAILED)
            assert task.attempts == attempt and task.error == "ValueError: the handler's own"
            clock.advance(60)
            await eventually(lambda: _has_started(handle, attempt + 1))  # noqa: B023 - awaited in this round
        assert (await becomes(handle, Status.KILLED)).attempts == 3


async def _has_started(handle: Any, attempt: int) -> bool:
    return bool((await handle.fetch()).attempts >= attempt)
