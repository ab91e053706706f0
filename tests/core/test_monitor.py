"""The monitor: many workers as one."""

import asyncio
import os
import signal
from typing import Any

import pytest

from queue_core import App, InvalidValue, Monitor, Retry, Status, StoreUnavailable, Worker, WorkerStateError
from queue_core.events import Event, Start, StopReason, Success, WorkerFailed
from queue_core.worker_info import WorkerState
from tests.core.steps import PATIENCE, eventually

AT_ONCE = Retry(backoff="constant", min=0, max=0)


class Unstartable(Worker):
    """A worker whose run raises ``error``."""

    error: BaseException = StoreUnavailable("no store today")

    async def run(self, *, signals: bool = False) -> None:
        raise self.error


def unstartable(app: App, error: BaseException, name: str | None = None) -> Worker:
    worker = Unstartable(name, app.backend, app.registry)
    worker.error = error
    return worker


def counted(app: App) -> tuple[Any, list[int]]:
    ran: list[int] = []

    @app.task
    async def work(n: int = 0) -> int:
        ran.append(n)
        return n

    return work, ran


async def alive(app: App) -> set[str]:
    return {info.name for info in await app.expose.list_workers() if info.state is WorkerState.RUNNING}


# --- many workers -----------------------------------------------------------------------------------------


async def test_many_workers_run_and_stop_as_one(app: App) -> None:
    events: list[Event] = []
    work, _ = counted(app)
    monitor = Monitor(on_event=events.append)
    for name in ("one", "two", "three"):
        monitor.register(lambda run, name=name: app.worker(name), name=name)  # type: ignore[misc]

    async def use(monitor: Monitor) -> Any:
        await eventually(lambda: sum(isinstance(event, Start) for event in events) == 3)
        assert await alive(app) == {"one", "two", "three"}
        return await (await work.push(7)).result(timeout=PATIENCE)

    assert await monitor.run_until(use) == 7
    assert await alive(app) == set()
    assert {event.worker for event in events} == {"one", "two", "three"}
    assert sum(isinstance(event, Success) for event in events) == 1


async def test_workers_come_and_go_while_the_monitor_runs(app: App) -> None:
    work, _ = counted(app)
    async with Monitor() as monitor:
        assert monitor.workers == {}
        monitor.add(app.worker("anna"))
        with pytest.raises(InvalidValue, match="has a worker 'anna' already"):
            monitor.add(app.worker("anna"))
        await (await work.push()).result(timeout=PATIENCE)
        monitor.register(lambda run: app.worker("bert"), name="bert")
        await eventually(lambda: _alive(app, {"anna", "bert"}))
        await monitor.remove("anna")
        assert await alive(app) == {"bert"}
        await (await work.push()).result(timeout=PATIENCE)
        await monitor.remove("bert")
        with pytest.raises(InvalidValue, match="has no worker 'bert'; it has none"):
            await monitor.remove("bert")
        monitor.add(app.worker("anna"))  # the last one was removed and did not end: the monitor waits for others
        await (await work.push()).result(timeout=PATIENCE)
    assert await alive(app) == set()


async def _alive(app: App, names: set[str]) -> bool:
    return await alive(app) == names


async def test_a_monitor_ends_with_its_last_worker(app: App) -> None:
    counted(app)
    monitor = Monitor()
    workers = [app.worker(name) for name in ("one", "two")]
    for worker in workers:
        monitor.add(worker)
    running = asyncio.create_task(monitor.run())
    for worker in workers:
        await asyncio.wait_for(worker.ready(), PATIENCE)
        assert not running.done()
        worker.stop()
    await asyncio.wait_for(running, PATIENCE)


async def test_a_monitor_runs_again_and_not_twice_at_once(app: App) -> None:
    work, _ = counted(app)
    monitor = Monitor()
    monitor.register(lambda run: app.worker("w"), name="w")
    for n in range(2):
        handle = await work.push(n)
        assert await monitor.run_until(handle.result(timeout=PATIENCE)) == n
    async with monitor:
        with pytest.raises(WorkerStateError, match="The monitor runs already"):
            await monitor.run()
        with pytest.raises(WorkerStateError, match="The monitor runs already"):
            await monitor.run_until(asyncio.sleep(0))
        with pytest.raises(WorkerStateError, match="The monitor runs already"):
            async with monitor:
                raise AssertionError("It was entered twice.")
        handle = await work.push(7)
        assert await handle.result(timeout=PATIENCE) == 7, "the attempts stopped it"


async def test_a_worker_that_has_run_its_tasks_is_replaced_at_once(app: App) -> None:
    runs: list[int] = []
    work, ran = counted(app)

    def fresh(run: int) -> Worker:
        runs.append(run)
        return app.worker(max_tasks=2, concurrency=1)

    handles = await work.push_many({"n": n} for n in range(7))
    monitor = Monitor(backoff=Retry(min=3_600, max=3_600))
    monitor.register(fresh, name="w")
    async with monitor:
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert sorted(ran) == list(range(7))
    assert runs == [0, 0, 0, 0]


async def test_a_worker_that_has_outgrown_its_memory_is_not_replaced_in_this_process(app: App) -> None:
    runs: list[int] = []
    counted(app)

    def large(run: int) -> Worker:
        runs.append(run)
        return app.worker(max_memory=1, heartbeat_every=0.02)

    monitor = Monitor()
    monitor.register(large, name="w")
    await asyncio.wait_for(monitor.run(), PATIENCE)
    assert runs == [0]


# --- failures ---------------------------------------------------------------------------------------------


async def test_a_failed_worker_is_made_anew_with_the_index_of_its_run(app: App) -> None:
    runs: list[int] = []
    asked: list[tuple[str, str, int]] = []
    work, _ = counted(app)

    def third_time_lucky(run: int) -> Worker:
        runs.append(run)
        return app.worker() if run == 2 else unstartable(app, StoreUnavailable(f"failure {run}"))

    def note(name: str, error: BaseException, run: int) -> bool:
        asked.append((name, str(error), run))
        return True

    monitor = Monitor(should_restart=note, backoff=AT_ONCE)
    monitor.register(third_time_lucky, name="w")
    async with monitor:
        await (await work.push()).result(timeout=PATIENCE)
    assert runs == [0, 1, 2]
    assert asked == [("w", "failure 0", 0), ("w", "failure 1", 1)]


async def test_a_worker_that_is_given_up_stops_no_other_and_is_told_at_the_end(app: App, caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    work, _ = counted(app)
    monitor = Monitor(should_restart=lambda name, error, run: run < 2, backoff=AT_ONCE, on_event=events.append)
    monitor.register(lambda run: unstartable(app, StoreUnavailable("no store today")), name="bad")
    monitor.register(lambda run: _fail_to_make(), name="worse")
    monitor.add(app.worker("good"))

    async def use() -> None:
        await eventually(lambda: sum(isinstance(event, WorkerFailed) and event.again_in is None for event in events) == 2)
        await (await work.push()).result(timeout=PATIENCE)

    with pytest.raises(ExceptionGroup, match="Workers of the monitor failed") as raised:
        await monitor.run_until(use())
    errors = {str(error): error.__notes__ for error in raised.value.exceptions}
    assert errors == {"no store today": ["This was worker bad of the monitor."], "no such thing": ["This was worker worse of the monitor."]}
    failed = [(event.run, event.again_in) for event in events if isinstance(event, WorkerFailed) and event.worker == "bad"]
    assert failed == [(0, 0.0), (1, 0.0), (2, None)]
    assert "Worker bad failed in run 2, and is not started again: StoreUnavailable: no store today" in caplog.text


def _fail_to_make() -> Worker:
    raise LookupError("no such thing")


async def _wants(*_: Any) -> bool:
    return True


async def test_what_is_no_worker_is_named() -> None:
    app = App("memory://")

    async def coming(run: int) -> Worker:
        raise AssertionError("Nobody awaits it.")

    monitor = Monitor(should_restart=lambda *_: False)
    with pytest.raises(InvalidValue, match="factory must be a plain function, got the async coming"):
        monitor.register(coming, name="coming")  # type: ignore[arg-type]
    monitor.register(lambda run: app, name="an app")  # type: ignore[arg-type,return-value]
    with pytest.raises(ExceptionGroup) as raised:
        await monitor.run()
    assert "The factory of worker an app must give a Worker, as lambda run: app.worker(), got <queue_core.app.App" in str(raised.value.exceptions[0])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"should_restart": "always"}, "should_restart must be a function, got 'always'."),
        ({"should_restart": _wants}, "should_restart must be a plain function, got the async _wants, which nobody awaits."),
        ({"backoff": 5}, "backoff must be a Retry"),
    ],
)
def test_settings_that_break_a_rule_are_refused_at_once(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        Monitor(**settings)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseExceptionGroup("two", [SystemExit(1)])], ids=type
)
async def test_whatever_the_core_of_a_worker_raises_is_contained(error: BaseException) -> None:
    async with App("memory://") as app:
        work, _ = counted(app)
        monitor = Monitor(should_restart=lambda name, error, run: False)
        monitor.register(lambda run: unstartable(app, error), name="bad")
        monitor.add(app.worker("good"))

        async def use() -> Any:
            return await (await work.push(5)).result(timeout=PATIENCE)

        with pytest.raises(BaseExceptionGroup) as raised:
            await monitor.run_until(use())
    assert raised.value.exceptions == (error,)


async def test_restarts_wait_longer_each_time_and_end_by_default_after_the_sixth_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def delay(self: Retry, attempt: int) -> float:
        asked.append(attempt)
        return 0.0

    monkeypatch.setattr(Retry, "delay", delay)
    async with App("memory://") as app:
        counted(app)
        monitor = Monitor()
        monitor.register(lambda run: unstartable(app, ValueError(f"failure {run}")), name="bad")
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(monitor.run(), PATIENCE)
    assert asked == [1, 2, 3, 4, 5]
    assert [str(error) for error in raised.value.exceptions] == ["failure 5"]


async def test_a_run_that_lasted_is_a_new_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_core.monitor.HEALTHY", 0.001)
    runs: list[int] = []
    async with App("memory://") as app:
        counted(app)

        class Lasting(Unstartable):
            async def run(self, *, signals: bool = False) -> None:
                await asyncio.sleep(0.02)
                raise self.error

        def make(run: int) -> Worker:
            runs.append(run)
            return Lasting(None, app.backend, app.registry)

        monitor = Monitor(should_restart=lambda name, error, run: len(runs) < 4, backoff=Retry(min=0, max=0.001))
        monitor.register(make, name="w")
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(monitor.run(), PATIENCE)
    assert runs == [0, 1, 1, 1]


async def test_a_should_restart_that_fails_gives_the_worker_up(caplog: pytest.LogCaptureFixture) -> None:
    async with App("memory://") as app:
        counted(app)
        monitor = Monitor(should_restart=lambda name, error, run: 1 / 0)  # type: ignore[arg-type, return-value]
        monitor.register(lambda run: unstartable(app, ValueError("bad worker")), name="bad")
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(monitor.run(), PATIENCE)
    assert [str(error) for error in raised.value.exceptions] == ["bad worker"]
    assert "should_restart failed, so worker bad is not started again" in caplog.text


async def test_a_stop_does_not_wait_for_a_pause_between_two_runs() -> None:
    async with App("memory://") as app:
        counted(app)
        events: list[Event] = []
        monitor = Monitor(backoff=Retry(min=3_600, max=3_600), on_event=events.append)
        monitor.register(lambda run: unstartable(app, ValueError("bad worker")), name="bad")
        async with asyncio.timeout(PATIENCE):
            async with monitor:
                await eventually(lambda: bool(events))
                assert monitor.workers == {"bad": None}


# --- shutting down ----------------------------------------------------------------------------------------


@pytest.fixture
def endless(app: App) -> Any:
    """A task that runs until it is cancelled; ``started`` counts its runs."""
    started: list[int] = []

    @app.task
    async def endless() -> None:
        started.append(1)
        await asyncio.sleep(3_600)

    endless.started = started  # type: ignore[attr-defined]
    return endless


async def test_the_shutdown_timeout_is_shared_and_then_the_end_is_forced(app: App, endless: Any) -> None:
    handles = await endless.push_many({} for _ in range(2))
    monitor = Monitor(shutdown_timeout=0.05)
    for name in ("one", "two"):
        monitor.add(app.worker(name, concurrency=1, shutdown_timeout=3_600))
    async with asyncio.timeout(PATIENCE):
        async with monitor:
            await eventually(lambda: len(endless.started) == 2)
    assert {(task.status, task.attempts) for task in [await handle.fetch() for handle in handles]} == {(Status.PENDING, 0)}


async def test_a_worker_that_does_not_end_even_so_is_left_behind_and_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("queue_core.monitor.FORCED", 0.05)
    started = asyncio.Event()

    class Hanging(Worker):
        async def run(self, *, signals: bool = False) -> None:
            started.set()
            await asyncio.sleep(3_600)

    async with App("memory://") as app:
        counted(app)
        monitor = Monitor(shutdown_timeout=0.05)
        monitor.add(Hanging("stuck", app.backend, app.registry))
        with pytest.raises(ExceptionGroup) as raised:
            await monitor.run_until(started.wait())
    assert "Worker stuck did not end within 0.05 s of being stopped at once" in str(raised.value.exceptions[0])
    assert "it is left behind" in caplog.text


async def test_one_signal_stops_all_gracefully_and_a_second_one_forces(app: App, endless: Any) -> None:
    handles = await endless.push_many({} for _ in range(2))
    monitor = Monitor(shutdown_timeout=3_600)
    workers = [app.worker(name, concurrency=1, shutdown_timeout=3_600) for name in ("one", "two")]
    for worker in workers:
        monitor.add(worker)
    running = asyncio.create_task(monitor.run(signals=True))
    await eventually(lambda: len(endless.started) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    await eventually(lambda: {worker.phase for worker in workers} == {"stopping"})
    assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, PATIENCE)
    assert {(await handle.fetch()).status for handle in handles} == {Status.PENDING}
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_cancelling_a_monitor_gives_everything_back(app: App, endless: Any) -> None:
    handle = await endless.push()
    monitor = Monitor()
    monitor.add(app.worker("w"))
    running = asyncio.create_task(monitor.run())
    await eventually(lambda: len(endless.started) == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await handle.fetch()).status is Status.PENDING
    assert await alive(app) == set()


# --- events -----------------------------------------------------------------------------------------------


async def test_several_listeners_hear_all_workers_and_come_and_go(app: App) -> None:
    work, _ = counted(app)
    one: list[Event] = []
    other: list[Event] = []
    slow: list[Event] = []
    hear_one, hear_other = one.append, other.append

    async def hear_slowly(event: Event) -> None:
        await asyncio.sleep(0)
        slow.append(event)

    monitor = Monitor(on_event=[hear_one, hear_slowly])
    monitor.add(app.worker("anna"))
    async with monitor:
        await (await work.push()).result(timeout=PATIENCE)
        monitor.listen(hear_other)
        monitor.unlisten(hear_one)
        heard = len(one)
        await (await work.push()).result(timeout=PATIENCE)
        await eventually(lambda: any(isinstance(event, Success) for event in other))
    assert len(one) == heard
    assert sum(isinstance(event, Success) for event in slow) == 2


async def test_a_listener_that_comes_late_hears_a_worker_that_had_none(app: App) -> None:
    work, _ = counted(app)
    events: list[Event] = []
    monitor = Monitor()
    worker = app.worker("anna")
    monitor.add(worker)
    async with monitor:
        await (await work.push()).result(timeout=PATIENCE)
        monitor.listen(events.append)
        await (await work.push()).result(timeout=PATIENCE)
        await eventually(lambda: any(isinstance(event, Success) for event in events))
    assert {event.worker for event in events} == {"anna"}


# --- workers that are elsewhere ---------------------------------------------------------------------------


class Elsewhere:
    """Stands for a worker in another process: its first run fails, its second is replaced, and its third waits to be stopped."""

    def __init__(self) -> None:
        self.is_working = False
        self.stop_reason: StopReason | None = None
        self.runs = 0
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        self.is_working = True
        try:
            if self.runs == 1:
                raise StoreUnavailable("the process died")
            if self.runs == 3:
                await self.stopped.wait()
        finally:
            self.is_working = False
        self.stop_reason = StopReason.RESTART if self.runs == 2 else StopReason.ASKED

    def stop(self, *, at_once: bool = False) -> None:
        self.stopped.set()


async def test_what_stands_for_a_worker_elsewhere_is_started_anew_and_stopped_like_one() -> None:
    runner = Elsewhere()
    events: list[Event] = []
    monitor = Monitor(backoff=AT_ONCE, on_event=events.append)
    monitor.register(lambda run: runner, name="ada")

    async def third(monitor: Monitor) -> None:
        await eventually(lambda: runner.runs == 3)
        assert monitor.workers == {"ada": None}

    await asyncio.wait_for(monitor.run_until(third), PATIENCE)
    assert (runner.runs, runner.is_working, runner.stop_reason) == (3, False, StopReason.ASKED)
    assert [type(event) for event in events] == [WorkerFailed]
