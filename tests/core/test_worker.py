"""Workers: what design.md promises, with attempts to break it."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from typing import Any

import pytest

from queue_core import (
    AbortError,
    App,
    DeferredError,
    KillReason,
    Retry,
    RetryAfterError,
    Status,
    TaskHandle,
    Worker,
    WorkerContext,
    WorkerNameTaken,
    WorkerStateError,
)
from queue_core.backend import Claims
from queue_core.expose import Actor
from queue_core.task import DEFAULT_QUEUE, AttemptOutcome, NewTask
from queue_core.worker import acker
from queue_core.worker_info import WorkerState
from tests.core.steps import PATIENCE, attempts, becomes, eventually, working

SOON = Retry(backoff="constant", min=0.01, max=0.01, jitter=0)
ME = Actor(name="olga")


async def test_a_thousand_tasks_run_exactly_once(stored_app: App) -> None:
    ran: Counter[int] = Counter()

    @stored_app.task
    async def count(n: int) -> None:
        ran[n] += 1
        await asyncio.sleep(0)

    await count.push_many({"n": n} for n in range(1_000))
    async with working(stored_app, name="one", concurrency=7), working(stored_app, name="two", concurrency=20):
        await eventually(lambda: sum(ran.values()) >= 1_000)

        async def all_done() -> bool:
            return (await stored_app.expose.counts())[DEFAULT_QUEUE].done == 1_000

        await eventually(all_done)
    assert set(ran.values()) == {1}


async def test_concurrency_is_never_exceeded_and_nothing_is_hoarded(app: App) -> None:
    running = 0
    most = 0
    gate = asyncio.Event()

    @app.task
    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    handles = await work.push_many({} for _ in range(10))
    async with working(app, concurrency=3):
        await eventually(lambda: running == 3)
        counts = (await app.expose.counts())[DEFAULT_QUEUE]
        assert (counts.running, counts.queued, counts.pending) == (3, 0, 7)
        gate.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert most == 3


async def test_a_failure_is_retried_from_the_store_until_it_succeeds(stored_app: App) -> None:
    seen: list[int] = []

    @stored_app.task(max_attempts=5, retry=SOON)
    async def flaky(*, ctx: WorkerContext) -> str:
        seen.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ValueError(f"not at attempt {ctx.attempt}")
        return "at last"

    flaky_untyped: Any = flaky
    handle = await flaky_untyped.push()
    async with working(stored_app):
        assert await handle.result(timeout=PATIENCE) == "at last"
    assert seen == [1, 2, 3]
    history = await attempts(stored_app, handle)
    assert [attempt.outcome for attempt in history] == [AttemptOutcome.FAILED, AttemptOutcome.FAILED, AttemptOutcome.SUCCEEDED]
    assert history[0].error is not None
    assert history[0].error.type == "ValueError"
    first_frame = history[0].error.traceback.splitlines()[1]
    assert "test_worker.py" in first_frame


async def test_the_tasks_own_pause_counts_before_the_handlers(app: App) -> None:
    @app.task(retry=Retry(min=100, max=100))
    async def fail() -> None:
        raise ValueError

    own = await fail.using(retry=SOON, max_attempts=2).push()
    other = await fail.push()
    async with working(app):
        assert (await becomes(own, Status.KILLED)).reason is KillReason.EXHAUSTED
        task = await becomes(other, Status.FAILED)
    assert (task.run_at - await app.expose.now()).total_seconds() > 60


async def test_a_handler_decides_its_own_fate(app: App) -> None:
    deferred = 0

    @app.task
    async def abort() -> None:
        raise AbortError("never")

    @app.task
    async def later() -> None:
        raise RetryAfterError("in a minute", delay=60)

    @app.task
    async def defer(*, ctx: WorkerContext) -> int:
        nonlocal deferred
        deferred += 1
        if deferred < 3:
            raise DeferredError
        return ctx.attempt

    defer_untyped: Any = defer
    aborted, delayed, put_off = await abort.push(), await later.push(), await defer_untyped.push()
    async with working(app):
        task = await becomes(aborted, Status.KILLED)
        assert (task.reason, task.error) == (KillReason.ABORTED, "AbortError: never")
        task = await becomes(delayed, Status.FAILED)
        assert 50 < (task.run_at - await app.expose.now()).total_seconds() <= 60
        assert await put_off.result(timeout=PATIENCE) == 1


async def test_a_task_group_hides_nothing_of_what_was_decided_in_it(app: App) -> None:
    async def fail() -> None:
        raise ValueError

    async def abort() -> None:
        raise AbortError("never")

    async def defer() -> None:
        raise DeferredError(delay=60)

    @app.task(retry=SOON)
    async def aborts() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(abort())

    @app.task
    async def defers() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(defer())

    @app.task(max_attempts=1)
    async def replaces() -> None:
        try:
            await defer()
        except DeferredError as error:
            raise ValueError("and this is what counts") from error

    aborted, deferred, replaced = await aborts.push(), await defers.push(), await replaces.push()
    async with working(app):
        task = await becomes(aborted, Status.KILLED)
        assert (task.reason, task.attempts) == (KillReason.ABORTED, 1)
        assert (await becomes(replaced, Status.KILLED)).reason is KillReason.EXHAUSTED
        await eventually(lambda: _gave_back(app, deferred))


async def _gave_back(app: App, handle: TaskHandle[None]) -> bool:
    task = await handle.fetch()
    return task.status is Status.PENDING and (task.run_at - await app.expose.now()).total_seconds() > 30


async def test_false_is_a_failure_and_none_is_a_success(app: App) -> None:
    @app.task(max_attempts=1)
    async def no() -> bool:
        return False

    @app.task
    async def nothing() -> None: ...

    refused, fine = await no.push(), await nothing.push()
    async with working(app):
        await fine.result(timeout=PATIENCE)
        assert "HandlerReturnedFalse: The handler returned False" in str((await becomes(refused, Status.KILLED)).error)


async def test_a_payload_that_cannot_be_decoded_aborts_one_task_and_the_worker_lives(app: App) -> None:
    @app.task
    async def add(a: int, b: int) -> int:
        return a + b

    bad = [b"\xff\xfe", b"[1]", b'{"a": 1}', b'{"a": 1, "b": "x"}', b'{"a": 1, "b": 2, "c": 3}']
    pushed = await app.push([NewTask(name="add", args=args) for args in bad] + [NewTask(name="add", args=b"{}", codec="yaml")])
    good = await add.push(1, 2)
    async with working(app):
        assert await good.result(timeout=PATIENCE) == 3
        for one in pushed:
            await eventually(lambda one=one: _is(app, one.task.id, Status.KILLED))  # type: ignore[misc]
    tasks = await app.expose.fetch_many([one.task.id for one in pushed])
    assert {task.reason for task in tasks} == {KillReason.ABORTED}
    assert [task.args for task in tasks][: len(bad)] == bad
    sentences = [str(task.error) for task in tasks]
    assert all(sentence.startswith("DecodeError: ") for sentence in sentences)
    assert "add: the stored b must be int, got 'x'" in sentences[3]
    assert "lack b (int)" in sentences[2]


async def _is(app: App, id: Any, status: Status) -> bool:
    task = await app.expose.fetch(id)
    return task is not None and task.status is status


async def test_a_worker_made_by_hand_serves_the_queues_of_its_handlers_with_ten_slots(app: App) -> None:
    @app.task(queue="letters")
    async def write(text: str) -> str:
        return text.upper()

    @app.task(queue="numbers")
    async def count(n: int) -> int:
        return n + 1

    @app.task(queue="others")
    async def left_out() -> None: ...

    worker = Worker("by hand", app.backend, [write.handler, count.handler])
    written, counted, other = await write.push("a"), await count.push(1), await left_out.push()

    async def both(worker: Worker) -> list[Any]:
        (info,) = await app.expose.list_workers()
        assert (info.name, info.queues, info.concurrency) == ("by hand", ("letters", "numbers"), 10)
        return [await written.result(timeout=PATIENCE), await counted.result(timeout=PATIENCE)]

    assert await worker.run_until(both) == ["A", 2]
    assert (await other.fetch()).status is Status.PENDING


async def test_a_name_that_no_worker_knows_stays_pending(stored_app: App) -> None:
    @stored_app.task
    async def known() -> None: ...

    (strange,) = await stored_app.push([NewTask(name="unknown", args=b"{}", priority=100)])
    async with working(stored_app):
        await (await known.push()).result(timeout=PATIENCE)
    task = await stored_app.expose.fetch(strange.task.id)
    assert task is not None
    assert (task.status, task.attempts) == (Status.PENDING, 0)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), asyncio.CancelledError()])
async def test_no_exception_of_a_handler_escapes_or_leaves_its_row_running(app: App, error: BaseException) -> None:
    @app.task(max_attempts=1)
    async def odd() -> None:
        raise error

    handle = await odd.push()
    async with working(app):
        task = await becomes(handle, Status.KILLED)
    assert type(error).__name__ in str(task.error)


async def test_keyboard_interrupt_in_a_handler_gives_its_task_back_and_stops_the_worker(app: App) -> None:
    @app.task
    async def interrupt() -> None:
        raise KeyboardInterrupt

    handle = await interrupt.push()
    await asyncio.wait_for(app.worker().run(), PATIENCE)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)


async def test_a_due_task_starts_without_waiting_for_the_poll(stored_app: App) -> None:
    @stored_app.task
    async def work() -> None: ...

    async with working(stored_app, poll=3_600):
        await (await work.push()).result(timeout=PATIENCE)  # woken by the push
        await (await work.using(run_after=0.2).push()).result(timeout=PATIENCE)  # by the timer
        await (await work.push()).result(timeout=PATIENCE)


async def test_a_running_task_is_killed(stored_app: App) -> None:
    started = asyncio.Event()
    cancelled = asyncio.Event()

    @stored_app.task
    async def endless() -> None:
        started.set()
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    handle = await endless.push()
    async with working(stored_app, poll=3_600, heartbeat_every=7):
        await asyncio.wait_for(started.wait(), PATIENCE)
        await handle.kill(actor=ME)
        task = await becomes(handle, Status.KILLED)
    assert task.reason is KillReason.KILLED
    assert cancelled.is_set()
    assert (await attempts(stored_app, handle))[-1].outcome is AttemptOutcome.KILLED


async def test_an_attempt_that_exceeds_its_limit_is_stopped_and_retried(app: App) -> None:
    tries = 0

    @app.task(timeout=0.05, retry=SOON)
    async def slow_once() -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.sleep(3_600)
        return "quick"

    handle = await slow_once.push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == "quick"
    first = (await attempts(app, handle))[0]
    assert first.outcome is AttemptOutcome.TIMED_OUT
    assert first.error is not None
    assert "stopped after its time limit of 0.05 s" in first.error.message
    assert "test_worker.py" in first.error.traceback


async def test_a_task_may_have_its_own_limit_and_many_limits_are_kept(app: App) -> None:
    @app.task(max_attempts=1)
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)

    late = [await sleep.using(timeout=0.02 * n).push(seconds=3_600) for n in range(5, 0, -1)]
    fine = await sleep.using(timeout=60).push(seconds=0.15)
    async with working(app):
        for handle in late:
            assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
        await fine.result(timeout=PATIENCE)


async def test_the_time_that_a_task_waits_does_not_count_for_its_limit(app: App) -> None:
    started = asyncio.Event()

    @app.task(max_attempts=1)
    async def pass_time(seconds: float) -> None:
        started.set()
        await asyncio.sleep(seconds)

    first = await pass_time.push(seconds=0.6)
    async with working(app, concurrency=1):
        await asyncio.wait_for(started.wait(), PATIENCE)
        second = await pass_time.using(timeout=0.5).push(seconds=0.05)
        await first.result(timeout=PATIENCE)
        await second.result(timeout=PATIENCE)


async def test_a_handler_that_swallows_its_cancellation_is_timed_out_all_the_same(app: App) -> None:
    @app.task(timeout=0.05, max_attempts=1)
    async def stubborn() -> str:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            pass
        return "I am fine"

    handle = await stubborn.push()
    async with working(app):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)


async def test_heartbeats_go_on_while_a_handler_blocks_the_event_loop(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.task
    async def block() -> str:
        time.sleep(1.2)  # what nobody should do, and everybody does once
        return "done"

    handle = await block.push()
    async with working(app, lease_ttl=0.5, heartbeat_every=0.1, name="w"):
        assert await handle.result(timeout=PATIENCE) == "done"
    task = await handle.fetch()
    assert (task.crashes, task.attempts) == (0, 1)
    warning = next(message for message in caplog.messages if "has been blocked" in message)
    assert f"task {handle.id} (block) in block," in warning


async def test_a_stopping_worker_lets_running_tasks_end(stored_app: App) -> None:
    started = asyncio.Event()

    @stored_app.task
    async def work() -> str:
        started.set()
        await asyncio.sleep(0.2)
        return "finished"

    first = await work.push()
    async with working(stored_app, concurrency=1) as worker:
        await asyncio.wait_for(started.wait(), PATIENCE)
        second = await work.push()
        worker.stop()
        worker.stop()  # asking twice is harmless
    assert await first.result(timeout=0) == "finished"
    assert (await second.fetch()).status is Status.PENDING
    (info,) = await stored_app.expose.list_workers()
    assert info.state is WorkerState.STOPPED


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_does_not_end_in_time_is_given_back_without_using_an_attempt(stored_app: App, at_once: bool) -> None:
    started = asyncio.Event()

    @stored_app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    async with working(stored_app, shutdown_timeout=3_600 if at_once else 0.05) as worker:
        await asyncio.wait_for(started.wait(), PATIENCE)
        worker.stop()
        if at_once:
            worker.stop(at_once=True)
    task = await handle.fetch()
    assert (task.status, task.attempts, task.crashes) == (Status.PENDING, 0, 0)


async def test_a_handler_that_ignores_the_end_of_its_worker_does_not_hold_it_up(app: App) -> None:
    started = asyncio.Event()
    enough = asyncio.Event()

    @app.task
    async def ignore() -> None:
        started.set()
        while not enough.is_set():
            try:
                await asyncio.wait_for(enough.wait(), 3_600)
            except asyncio.CancelledError:
                continue

    handle = await ignore.push()
    async with working(app, shutdown_timeout=0.05, stop_grace=0.05):
        await asyncio.wait_for(started.wait(), PATIENCE)
    assert (await handle.fetch()).status is Status.PENDING
    enough.set()


@pytest.mark.parametrize("is_plain", [False, True])
async def test_a_second_stop_gives_back_at_once_what_ignores_it_and_says_so_truly(
    app: App, is_plain: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acker, "HURRY", 0.05)  # shorter than its grace, as in the life of a worker it is
    started = threading.Event()
    enough = threading.Event()

    @app.task
    async def deaf() -> None:
        started.set()
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)

    @app.task
    def blocked() -> None:
        started.set()
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                enough.wait(PATIENCE)

    handle = await (blocked if is_plain else deaf).push()
    async with asyncio.timeout(PATIENCE), working(app, shutdown_timeout=3_600, stop_grace=0.2) as worker:
        await asyncio.to_thread(started.wait, PATIENCE)
        worker.stop()
        await asyncio.sleep(0)
        worker.stop(at_once=True)
    task = await handle.fetch()
    enough.set()
    assert (task.status, task.attempts) == (Status.PENDING, 0)
    assert "could not be stored" not in caplog.text


async def test_cancelling_run_gives_everything_back(app: App) -> None:
    started = asyncio.Event()

    @app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    running = asyncio.create_task(app.worker().run())
    await asyncio.wait_for(started.wait(), PATIENCE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await handle.fetch()).status is Status.PENDING
    assert [info.state for info in await app.expose.list_workers()] == [WorkerState.STOPPED]


async def test_a_handler_can_stop_its_worker(app: App) -> None:
    @app.task
    async def last(*, ctx: WorkerContext) -> str:
        ctx.stop_worker()
        await asyncio.sleep(0.05)
        return "finished"

    untyped: Any = last
    handle = await untyped.push()
    await asyncio.wait_for(app.worker().run(), PATIENCE)
    assert await handle.result(timeout=0) == "finished"


async def test_a_worker_is_steered_only_where_that_makes_sense(app: App) -> None:
    @app.task
    async def work() -> None: ...

    worker = app.worker("w")
    for steer in (worker.stop, worker.pause, worker.resume):
        with pytest.raises(WorkerStateError, match="it is not started"):
            steer()
    working = asyncio.create_task(worker.run())
    await worker.ready()
    with pytest.raises(WorkerStateError, match="cannot run: it is running"):
        await worker.run()
    with pytest.raises(WorkerStateError, match="cannot resume: it is running, and must be paused"):
        worker.resume()
    worker.pause()
    with pytest.raises(WorkerStateError, match="cannot pause: it is paused"):
        worker.pause()
    worker.stop()
    await working
    for steer in (worker.stop, worker.pause, worker.resume):
        with pytest.raises(WorkerStateError, match=f"cannot {steer.__name__}: it is stopped"):
            steer()
    with pytest.raises(WorkerStateError, match="cannot restart: it is stopped, and must be running or paused"):
        worker.restart()


async def test_what_a_claim_brings_that_was_under_way_when_the_worker_was_paused_is_given_back(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    brought, go_on, claim = asyncio.Event(), asyncio.Event(), app.backend.claim

    async def slow(*args: Any, **options: Any) -> Claims:
        claims = await claim(*args, **options)
        if claims.tasks and not go_on.is_set():
            brought.set()
            await go_on.wait()
        return claims

    @app.task
    async def work() -> int:
        return 1

    monkeypatch.setattr(app.backend, "claim", slow)
    handle = await work.push()
    async with working(app) as worker:
        await asyncio.wait_for(brought.wait(), PATIENCE)
        worker.pause()
        go_on.set()
        task = await becomes(handle, Status.PENDING)
        assert (task.attempts, worker.running) == (0, 0)
        worker.resume()
        assert await handle.result(timeout=PATIENCE) == 1


async def test_a_paused_worker_claims_nothing_and_finishes_what_runs(app: App) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    @app.task
    async def work() -> None:
        started.set()
        await gate.wait()

    first = await work.push()
    async with working(app) as worker:
        await asyncio.wait_for(started.wait(), PATIENCE)
        worker.pause()
        await eventually(lambda: _state(app, WorkerState.PAUSED))
        second = await work.push()
        gate.set()
        await first.result(timeout=PATIENCE)
        await becomes(second, Status.PENDING)
        worker.resume()
        await second.result(timeout=PATIENCE)


async def _state(app: App, state: WorkerState) -> bool:
    return [info.state for info in await app.expose.list_workers()] == [state]


async def test_the_name_of_a_living_worker_is_refused(stored_app: App) -> None:
    @stored_app.task
    async def work() -> None: ...

    async with working(stored_app, name="anna"):
        with pytest.raises(WorkerNameTaken, match="anna"):
            await stored_app.worker("anna").run()
        with pytest.raises(WorkerNameTaken):
            async with stored_app.running("anna"):
                pytest.fail("it must not start")
    async with working(stored_app, name="anna"):
        await (await work.push()).result(timeout=PATIENCE)


async def test_run_until_stops_with_what_it_waits_for(app: App) -> None:
    @app.task
    async def work() -> int:
        return 7

    handle = await work.push()
    assert await app.worker().run_until(handle.result(timeout=PATIENCE)) == 7

    async def fail() -> None:
        raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        await app.worker().run_until(fail())


async def test_a_worker_without_queues_or_with_wrong_settings_is_refused(memory_app: App) -> None:
    from queue_core import InvalidValue

    with pytest.raises(InvalidValue, match="serves no queue"):
        memory_app.worker("w")

    @memory_app.task
    async def work() -> None: ...

    with pytest.raises(InvalidValue, match="concurrency must be a whole number of at least 1, got 0"):
        memory_app.worker(concurrency=0)
    with pytest.raises(InvalidValue, match="heartbeat_every must be at most half of lease_ttl"):
        memory_app.worker(lease_ttl=10, heartbeat_every=9)


async def test_progress_is_stored(stored_app: App) -> None:
    gate = asyncio.Event()

    @stored_app.task
    async def work(*, ctx: WorkerContext) -> None:
        assert await ctx.progress(0.4, "almost half")
        with pytest.raises(ValueError, match=r"fraction must be from 0 to 1, got 1\.5"):
            await ctx.progress(1.5)
        await gate.wait()

    untyped: Any = work
    handle = await untyped.push()
    async with working(stored_app):

        async def noted() -> bool:
            task = await handle.fetch()
            return (task.progress, task.progress_note) == (0.4, "almost half")

        await eventually(noted)
        gate.set()
        await handle.result(timeout=PATIENCE)


async def test_a_result_that_cannot_be_stored_is_not_tried_again(app: App) -> None:
    @app.task
    async def bad() -> object:
        return object()

    @app.task(keep_result=False)
    async def unkept() -> object:
        return object()

    wrong, fine = await bad.push(), await unkept.push()
    async with working(app):
        task = await becomes(wrong, Status.KILLED)
        assert task.reason is KillReason.ABORTED
        assert "its result cannot be stored" in str(task.error)
        assert await fine.result(timeout=PATIENCE) is None
