"""Workers that run again, are recycled, steered from inside, and look after work beside their tasks."""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from queue_core import INJECTED, App, InvalidValue, ResultTimeout, Retry, Status, Worker, WorkerContext, WorkerStateError
from queue_core.errors import OperationTimeout
from queue_core.events import Custom, Event, HeartBeat, Idle, Start, Stop, StopReason, Success
from queue_core.middleware import Call, Next
from queue_core.testing import run_inline, run_next
from queue_core.worker_info import WorkerState
from tests.core.steps import PATIENCE, becomes, eventually, working


def pid() -> int:
    return os.getpid()


def told(kind: type[Event], events: list[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)


# --- running again ----------------------------------------------------------------------------------------


async def test_a_stopped_worker_runs_again_with_a_new_life(app: App) -> None:
    @app.task
    async def work(n: int) -> int:
        return n

    worker = app.worker("w")
    for n in range(3):
        handle = await work.push(n)
        assert await worker.run_until(handle.result(timeout=PATIENCE)) == n
        assert (worker.phase, worker.stop_reason) == ("stopped", StopReason.ASKED)
    lives = [info for info in await app.expose.list_workers() if info.name == "w"]
    assert {info.state for info in lives} == {WorkerState.STOPPED}


async def test_a_worker_that_failed_to_start_can_be_run_again(app: App) -> None:
    @app.task
    async def work() -> None: ...

    second = app.worker("anna")
    async with working(app, name="anna"):
        with pytest.raises(Exception, match="anna"):
            await second.run()
        assert second.stop_reason is StopReason.FAILED
    handle = await work.push()
    await second.run_until(handle.result(timeout=PATIENCE))


async def test_a_restart_lets_running_tasks_end_and_begins_anew(app: App) -> None:
    entered: list[str] = []
    events: list[Event] = []
    started, gate = asyncio.Event(), asyncio.Event()

    class Lifespan:
        async def __aenter__(self) -> None:
            entered.append("in")

        async def __aexit__(self, *exc: object) -> None:
            entered.append("out")

        async def __call__(self, call: Call, next: Next) -> Any:
            return await next(call)

    @app.task
    async def work() -> str:
        started.set()
        await gate.wait()
        return "finished"

    first = await work.push()
    async with working(app, middleware=[Lifespan()], on_event=events.append) as worker:
        await asyncio.wait_for(started.wait(), PATIENCE)
        worker.pause()
        worker.restart()
        with pytest.raises(WorkerStateError, match="cannot restart: it is stopping"):
            worker.restart()
        gate.set()
        assert await first.result(timeout=PATIENCE) == "finished"
        await eventually(lambda: told(Start, events) == 2)
        await (await work.push()).result(timeout=PATIENCE)
        assert worker.phase == "running"
    assert entered == ["in", "out", "in", "out"]
    assert [event.reason for event in events if isinstance(event, Stop)] == [StopReason.RESTART, StopReason.ASKED]
    assert {(await first.fetch()).attempts} == {1}


async def test_a_stop_during_a_restart_is_a_stop(app: App) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    @app.task
    async def work() -> None:
        started.set()
        await gate.wait()

    events: list[Event] = []
    handle = await work.push()
    async with working(app, on_event=events.append) as worker:
        await asyncio.wait_for(started.wait(), PATIENCE)
        worker.restart()
        worker.stop()
        gate.set()
        await handle.result(timeout=PATIENCE)
    assert (told(Start, events), told(Stop, events)) == (1, 1)


async def test_run_until_takes_a_function_of_the_worker(app: App) -> None:
    @app.task
    async def work() -> int:
        return 7

    async def two_results(worker: Worker) -> int:
        assert worker.phase == "running"
        return sum([await (await work.push()).result(timeout=PATIENCE) for _ in range(2)])

    worker = app.worker()
    assert await worker.run_until(two_results) == 14

    async def stop_early(worker: Worker) -> None:
        worker.stop()
        await asyncio.Event().wait()

    with pytest.raises(WorkerStateError, match="was stopped before"):
        await worker.run_until(stop_early)


# --- recycling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_worker_starts_no_more_tasks_than_it_may(app: App, concurrency: int, caplog: pytest.LogCaptureFixture) -> None:
    ran = 0

    @app.task
    async def work() -> None:
        nonlocal ran
        ran += 1
        await asyncio.sleep(0)

    handles = await work.push_many({} for _ in range(9))
    events: list[Event] = []
    worker = app.worker("w", concurrency=concurrency, max_tasks=5, on_event=events.append)
    await asyncio.wait_for(worker.run(), PATIENCE)
    assert ran == 5
    assert worker.stop_reason is StopReason.MAX_TASKS
    assert isinstance(events[-1], Stop)
    assert events[-1].reason is StopReason.MAX_TASKS
    assert "Worker w stops, to be replaced: it has started 5 tasks (max_tasks)" in caplog.text
    tasks = [await handle.fetch() for handle in handles]
    assert sorted((task.status, task.attempts) for task in tasks) == [(Status.DONE, 1)] * 5 + [(Status.PENDING, 0)] * 4


async def test_a_worker_whose_process_has_grown_stops_after_what_runs(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.task
    async def work() -> str:
        await asyncio.sleep(0.1)
        return "finished"

    handle = await work.push()
    worker = app.worker("w", max_memory=1, heartbeat_every=0.02)
    await asyncio.wait_for(worker.run(), PATIENCE)
    assert worker.stop_reason is StopReason.MAX_MEMORY
    assert "more than 1 (max_memory)" in caplog.text
    task = await handle.fetch()
    assert (task.status, task.attempts) in {(Status.DONE, 1), (Status.PENDING, 0)}
    large = app.worker("w", max_memory=1 << 50, heartbeat_every=0.02)
    await large.run_until(handle.result(timeout=PATIENCE))
    assert large.stop_reason is StopReason.ASKED


async def test_a_child_process_is_replaced_after_its_tasks() -> None:
    async with App("memory://") as app:
        whose = app.task(executor="process")(pid)
        async with working(app, concurrency=1, max_tasks_per_child=2):
            pids = [await (await whose.push()).result(timeout=60) for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


async def test_limits_that_are_none_get_a_sentence(memory_app: App) -> None:
    @memory_app.task
    async def work() -> None: ...

    for setting in ("max_tasks", "max_memory", "max_tasks_per_child"):
        for wrong in (0, 1.5, True, "many"):
            options: dict[str, Any] = {setting: wrong}
            with pytest.raises(InvalidValue, match=f"{setting} must be a whole number of at least 1, or None for no limit, got"):
                memory_app.worker(**options)


async def test_run_next_runs_exactly_one_task(app: App) -> None:
    ran: list[int] = []

    @app.task(retry=Retry(min=0, max=0))
    async def work(n: int) -> int:
        ran.append(n)
        if n == 3:
            raise ValueError("no three")
        return n

    assert await run_next(app) is None
    await work.using(priority=1).push(2)
    await work.using(priority=9, queue="elsewhere").push(1)
    await work.using(priority=0).push(3)
    first, second, third = [await run_next(app) for _ in range(3)]
    assert first is not None
    assert second is not None
    assert third is not None
    assert ran == [1, 2, 3]
    assert [first.status, second.status, third.status] == [Status.DONE, Status.DONE, Status.FAILED]
    assert third.attempts == 1


async def test_run_next_gives_up_after_its_timeout(app: App) -> None:
    @app.task
    async def endless() -> None:
        await asyncio.sleep(3_600)

    handle = await endless.push()
    with pytest.raises(ResultTimeout, match=r"After 0\.05 s"):
        await run_next(app, timeout=0.05)
    assert (await handle.fetch()).status is Status.PENDING


# --- from inside a handler ----------------------------------------------------------------------------------


async def test_a_handler_pauses_and_resumes_its_worker(app: App) -> None:
    paused, gate = asyncio.Event(), asyncio.Event()

    @app.task
    async def steer(*, ctx: WorkerContext = INJECTED) -> None:
        ctx.resume_worker()  # of no effect: it is not paused
        ctx.pause_worker()
        ctx.pause_worker()
        paused.set()
        await gate.wait()
        ctx.resume_worker()

    @app.task
    async def work() -> None: ...

    await steer.push()
    async with working(app) as worker:
        await asyncio.wait_for(paused.wait(), PATIENCE)
        await eventually(lambda: worker.phase == "paused")
        handle = await work.push()
        await becomes(handle, Status.PENDING)  # what a claim brings that was under way is given back
        gate.set()
        await handle.result(timeout=PATIENCE)


async def test_a_thread_steers_and_emits_too(app: App) -> None:
    @app.task
    def last(*, ctx: WorkerContext = INJECTED) -> str:
        ctx.emit("almost", {"left": 0})
        ctx.stop_worker()
        return threading.current_thread().name

    events: list[Event] = []
    handle = await last.push()
    await asyncio.wait_for(app.worker(on_event=events.append).run(), PATIENCE)
    assert await handle.result(timeout=0) != threading.current_thread().name
    assert [(event.name, event.payload) for event in events if isinstance(event, Custom)] == [("almost", {"left": 0})]


async def test_a_part_of_a_handler_may_have_a_limit_of_its_own(app: App) -> None:
    @app.task(max_attempts=1)
    async def slow(*, ctx: WorkerContext = INJECTED) -> None:
        async with ctx.limit(3_600):
            await asyncio.sleep(0)
        async with ctx.limit(0.02):
            await asyncio.sleep(3_600)

    @app.task
    async def careful(*, ctx: WorkerContext = INJECTED) -> str:
        with pytest.raises(TimeoutError, match=r"^their own$"):
            async with ctx.limit(3_600):
                raise TimeoutError("their own")
        with pytest.raises(InvalidValue, match="limit must be a number of seconds"):
            ctx.limit(-1)
        try:
            async with ctx.limit(0.02):
                await asyncio.sleep(3_600)
        except OperationTimeout as error:
            return f"{error} ({error.limit:g})"
        return "never"

    failed, fine = await slow.push(), await careful.push()
    async with working(app):
        assert await fine.result(timeout=PATIENCE) == "A part of the attempt was stopped after its limit of 0.02 s. (0.02)"
        assert "OperationTimeout: A part of the attempt was stopped" in str((await becomes(failed, Status.KILLED)).error)


# --- side work ----------------------------------------------------------------------------------------------


async def test_a_stop_waits_for_tracked_work_and_its_failure_is_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()
    finished: list[str] = []

    async def follow_up(name: str) -> None:
        await gate.wait()
        finished.append(name)

    async def fail() -> None:
        raise ValueError("side work gone wrong")

    async def leave() -> None:
        raise SystemExit(3)

    @app.task
    async def work(*, ctx: WorkerContext = INJECTED) -> None:
        ctx.track(follow_up("from a handler"))
        ctx.track(fail())
        ctx.track(leave())

    @app.task
    def threaded(*, ctx: WorkerContext = INJECTED) -> None:
        ctx.track(follow_up("from a thread"))

    handles = [await work.push(), await threaded.push()]
    async with working(app) as worker:
        for handle in handles:
            await handle.result(timeout=PATIENCE)
        worker.track(follow_up("from outside"))
        worker.track(asyncio.ensure_future(follow_up("a task")))
        worker.stop()
        asyncio.get_running_loop().call_later(0.05, gate.set)
    assert sorted(finished) == ["a task", "from a handler", "from a thread", "from outside"]
    assert "side work gone wrong" in caplog.text
    assert "asked the program to exit with 3" in caplog.text


@pytest.mark.parametrize("at_once", [True, False])
async def test_tracked_work_never_outlives_its_worker_silently(app: App, at_once: bool, caplog: pytest.LogCaptureFixture) -> None:
    cancelled: list[str] = []
    stubborn_may_end = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.append("endless")
            raise

    async def stubborn() -> None:
        while not stubborn_may_end.is_set():
            try:
                await asyncio.wait_for(stubborn_may_end.wait(), 3_600)
            except asyncio.CancelledError:
                continue

    @app.task
    async def work() -> None: ...

    async with working(app, shutdown_timeout=3_600 if at_once else 0.05, stop_grace=0.05) as worker:
        worker.track(endless())
        worker.track(stubborn())
        await asyncio.sleep(0)
        worker.stop(at_once=at_once)
        worker.track(endless())  # cancelled before its first step, or after
    assert cancelled
    assert "cancels side work that goes on" in caplog.text
    assert "Side work outlives worker" in caplog.text
    stubborn_may_end.set()


async def test_a_second_stop_waits_for_tracked_work_no_longer(app: App) -> None:
    cancelled = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    @app.task
    async def work() -> None: ...

    worker = app.worker(shutdown_timeout=3_600)
    running = asyncio.create_task(worker.run())
    await worker.ready()
    worker.track(endless())
    worker.stop()
    await eventually(lambda: _is_stopping(app))
    worker.stop(at_once=True)
    await asyncio.wait_for(running, PATIENCE)
    assert cancelled.is_set()


async def _is_stopping(app: App) -> bool:
    return [info.state for info in await app.expose.list_workers()] == [WorkerState.STOPPING]


async def test_work_is_tracked_only_while_somebody_would_wait_for_it(app: App) -> None:
    @app.task
    async def work() -> None: ...

    async def follow_up() -> None: ...

    worker = app.worker("w")
    with pytest.raises(WorkerStateError, match="Worker w does not run, so nobody would wait"):
        worker.track(follow_up())
    async with working(app) as worker:
        with pytest.raises(InvalidValue, match="track takes a coroutine, a task or a future, got <function"):
            worker.track(follow_up)  # type: ignore[arg-type]
    with pytest.raises(WorkerStateError):
        worker.track(follow_up())


async def test_what_an_inline_run_tracks_is_awaited() -> None:
    app = App("memory://")
    finished: list[int] = []

    async def follow_up() -> None:
        finished.append(1)

    @app.task
    async def work(*, ctx: WorkerContext = INJECTED) -> None:
        ctx.track(follow_up())

    await run_inline(work)
    assert finished == [1]


# --- events -------------------------------------------------------------------------------------------------


async def test_idleness_is_told_after_each_busy_time_and_only_then(app: App) -> None:
    @app.task
    async def work() -> None: ...

    events: list[Event] = []
    async with working(app, on_event=events.append, poll=0.01):
        for n in range(1, 4):
            await eventually(lambda n=n: told(Idle, events) == n)  # type: ignore[misc]
            await (await work.push()).result(timeout=PATIENCE)
        await eventually(lambda: told(Idle, events) == 4)
        await asyncio.sleep(0.05)  # several polls that find nothing
    kinds = [type(event) for event in events if isinstance(event, Idle | Success)]
    assert kinds == [Idle, Success, Idle, Success, Idle, Success, Idle]


async def test_a_listener_can_stop_to_listen(app: App) -> None:
    @app.task
    async def work() -> None: ...

    one: list[Event] = []
    other: list[Event] = []
    hear_one, hear_other = one.append, other.append
    async with working(app, on_event=[hear_one, hear_other]) as worker:
        worker.unlisten(hear_one)
        worker.emit("after")
        with pytest.raises(InvalidValue, match="does not listen"):
            worker.unlisten(hear_one)
    assert told(Custom, one) == 0
    assert told(Custom, other) == 1


async def test_an_async_listener_hears_everything_in_order_and_never_two_at_once(app: App, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []
    inside = 0

    async def listen(event: Event) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0.001)
        heard.append(event.payload if isinstance(event, Custom) else type(event))
        inside -= 1
        if heard[-1] == 3:
            raise RuntimeError("bad listener")

    @app.task
    async def work() -> None: ...

    async with working(app, on_event=listen) as worker:
        for n in range(20):
            worker.emit("count", n)
    assert [payload for payload in heard if isinstance(payload, int)] == list(range(20))
    assert heard[-1] is Stop
    assert "bad listener" in caplog.text


async def test_an_async_listener_that_hangs_holds_up_no_shutdown(app: App, caplog: pytest.LogCaptureFixture) -> None:
    async def hang(event: Event) -> None:
        await asyncio.sleep(3_600)

    @app.task
    async def work() -> None: ...

    async with working(app, on_event=hang, stop_grace=0.05):
        await (await work.push()).result(timeout=PATIENCE)
    assert "still busy after 0.05 s" in caplog.text


async def test_heartbeats_go_on_while_a_worker_is_paused(app: App) -> None:
    @app.task
    async def work() -> None: ...

    events: list[Event] = []
    async with working(app, lease_ttl=0.5, heartbeat_every=0.05, on_event=events.append) as worker:
        worker.pause()
        await eventually(lambda: told(HeartBeat, events) >= 15)  # for longer than its lease
        assert [info.state for info in await app.expose.list_workers()] == [WorkerState.PAUSED]
        assert told(Start, events) == 1
        worker.resume()
        await (await work.push()).result(timeout=PATIENCE)


@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), ValueError("odd")], ids=lambda error: type(error).__name__
)
async def test_no_error_of_the_store_ends_the_core_of_a_worker(app: App, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.task
    async def work() -> None: ...

    real: Callable[..., Awaitable[Any]] = app.backend.claim
    failures = iter([error] * 3)

    async def claim(*args: Any, **options: Any) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await real(*args, **options)

    monkeypatch.setattr(app.backend, "claim", claim)
    logging.getLogger("prinia.worker").setLevel(logging.CRITICAL)
    try:
        async with working(app) as worker:
            await (await work.push()).result(timeout=PATIENCE)
            assert worker.phase == "running"
    finally:
        logging.getLogger("prinia.worker").setLevel(logging.NOTSET)
