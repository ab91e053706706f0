"""Handlers in threads and in child processes."""

import asyncio
import contextvars
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from queue_core import INJECTED, AbortError, App, AttemptNumber, InvalidValue, KillReason, Status, WorkerContext
from queue_core.expose import Actor
from queue_core.task import AttemptOutcome
from tests.core.steps import PATIENCE, attempts, becomes, eventually, working

ME = Actor(name="olga")
current = contextvars.ContextVar("current", default="nothing")

# Functions for child processes stand at the top of a module, so that a child can import them.
children = App("memory://children")


@children.task(executor="process", max_attempts=1)
def where() -> int:
    return os.getpid()


@children.task(executor="process", max_attempts=1)
def add_many(numbers: list[int], ctx: WorkerContext = INJECTED, attempt: AttemptNumber = INJECTED) -> dict[str, Any]:
    ctx.progress(0.5, "half")
    return {"sum": sum(numbers), "attempt": attempt, "name": ctx.name}


@children.task(executor="process", max_attempts=1)
def fail(message: str) -> None:
    raise LookupError(message)


@children.task(executor="process")
def refuse() -> None:
    raise AbortError("not here")


@children.task(executor="process", max_attempts=1)
def die(code: int) -> None:
    os._exit(code)


@children.task(executor="process", max_attempts=1)
def leave() -> None:
    raise SystemExit(4)


@children.task(executor="process", max_attempts=1)
def spin(note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    while True:
        pass


@children.task(executor="process", max_attempts=1)
def unpicklable() -> Any:
    return lambda: None


@pytest.fixture
async def crew() -> Any:
    async with children:
        yield children
        ids = [task.id for task in (await children.expose.list_tasks(_any())).tasks]
        await children.expose.kill(ids, actor=ME)


def _any() -> Any:
    from queue_core.expose import TaskFilter

    return TaskFilter()


# --- threads ---------------------------------------------------------------------------------------------


async def test_a_plain_function_runs_in_a_thread_in_the_context_of_its_run(app: App) -> None:
    @app.task
    def look(x: str) -> list[str]:
        return [x, current.get(), str(threading.current_thread() is threading.main_thread())]

    handle = await look.push("a")
    current.set("outside")
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == ["a", "outside", "False"]


async def test_threads_run_beside_one_another_and_are_reused(app: App) -> None:
    barrier = threading.Barrier(3)
    threads: set[int] = set()

    @app.task
    def meet() -> None:
        threads.add(threading.get_ident())
        barrier.wait(PATIENCE)

    async with working(app, concurrency=3):
        for _ in range(3):
            for handle in await meet.push_many({} for _ in range(3)):
                await handle.result(timeout=PATIENCE)
    assert len(threads) <= 6


async def test_a_thread_is_stopped_at_its_time_limit(app: App) -> None:
    ended = threading.Event()

    @app.task(timeout=0.1, max_attempts=1)
    def spin() -> None:
        try:
            while True:
                time.sleep(0.001)
        finally:
            ended.set()

    handle = await spin.push()
    async with working(app, stop_grace=PATIENCE):
        task = await becomes(handle, Status.KILLED)
    assert ended.is_set()
    assert "time limit of 0.1 s" in str(task.error)
    assert "could not be stopped" not in str(task.error)


async def test_a_thread_sees_that_it_is_cancelled(app: App) -> None:
    started = threading.Event()

    @app.task
    def polite(ctx: WorkerContext = INJECTED) -> None:
        started.set()
        try:
            while not ctx.cancelled:
                time.sleep(0.001)
        except asyncio.CancelledError:
            assert ctx.cancelled
            raise

    handle = await polite.push()
    async with working(app, stop_grace=PATIENCE):
        await eventually(started.is_set)
        await handle.kill()
        assert (await becomes(handle, Status.KILLED)).reason is KillReason.KILLED


async def test_a_thread_that_cannot_be_stopped_is_said_so_and_keeps_its_slot(app: App) -> None:
    release = threading.Event()

    @app.task(timeout=0.05, max_attempts=1)
    def deaf() -> None:
        while True:
            try:
                release.wait()  # foreign code: no Python step until it returns
                return
            except asyncio.CancelledError:
                continue

    @app.task
    async def other() -> None: ...

    handle = await deaf.push()
    async with working(app, concurrency=1, stop_grace=0.1) as worker:
        task = await becomes(handle, Status.KILLED)
        assert "could not be stopped" in str(task.error)
        waiting = await other.push()
        assert worker.running == 1
        release.set()
        await waiting.result(timeout=PATIENCE)
        assert worker.running == 0


async def test_a_thread_reports_progress_by_a_plain_call(app: App) -> None:
    @app.task
    def work(ctx: WorkerContext = INJECTED) -> None:
        ctx.progress(0.25, "a quarter")

    handle = await work.push()
    async with working(app):
        await handle.result(timeout=PATIENCE)
    assert (await handle.fetch()).progress == 0.25


async def test_many_interrupted_threads_harm_no_later_ones(app: App) -> None:
    @app.task(timeout=0.005, max_attempts=1)
    def brief(n: int) -> None:
        end = time.monotonic() + 0.001 * n
        while time.monotonic() < end:
            pass

    @app.task
    def steady(n: int) -> int:
        return sum(range(n))

    async with working(app, concurrency=4, stop_grace=PATIENCE):
        hasty = await brief.push_many({"n": n % 10} for n in range(60))
        calm = await steady.push_many({"n": 1_000} for n in range(60))
        for steadily in calm:
            assert await steadily.result(timeout=PATIENCE) == 499_500
        for hastily in hasty:
            await becomes(hastily, Status.DONE, Status.KILLED)


# --- processes -------------------------------------------------------------------------------------------


async def test_a_process_handler_runs_elsewhere_and_its_child_is_kept(crew: App) -> None:
    async with working(crew, concurrency=1):
        first = await (await where.push()).result(timeout=60)
        second = await (await where.push()).result(timeout=60)
        assert first == second != os.getpid()
        handle = await add_many.push([1, 2, 3])
        assert await handle.result(timeout=60) == {"sum": 6, "attempt": 1, "name": "add_many"}
        assert (await handle.fetch()).progress == 0.5


async def test_errors_come_back_from_a_child_as_they_were(crew: App) -> None:
    failed, refused, left, strange = await fail.push("no such thing"), await refuse.push(), await leave.push(), await unpicklable.push()
    async with working(crew, concurrency=2):
        for handle in (failed, refused, left, strange):
            await becomes(handle, Status.KILLED)
    error = (await attempts(crew, failed))[0].error
    assert error is not None
    assert (error.type, error.message) == ("LookupError", "no such thing")
    assert "in fail" in error.traceback.splitlines()[1]
    assert (await refused.fetch()).reason is KillReason.ABORTED
    assert "SystemExit: 4" in str((await left.fetch()).error)
    assert "lambda" in str((await strange.fetch()).error)


async def test_a_child_that_dies_fails_its_attempt_and_leaves_its_neighbours_alone(crew: App) -> None:
    async with working(crew, concurrency=2):
        dead = await die.push(7)
        alive = await add_many.push([1])
        assert (await alive.result(timeout=60))["sum"] == 1
        task = await becomes(dead, Status.KILLED)
        assert str(task.error) == "ChildDied: The process that ran die ended with exit code 7 before the handler returned."
        assert (await (await add_many.push([2])).result(timeout=60))["sum"] == 2


@pytest.mark.parametrize("how", ["kill", "timeout"])
async def test_a_child_is_ended_by_a_kill_and_by_a_time_limit(crew: App, tmp_path: Path, how: str) -> None:
    note = tmp_path / "pid"
    pushing = spin.using(timeout=1.5) if how == "timeout" else spin
    async with working(crew, concurrency=1):
        await (await add_many.push([1])).result(timeout=60)  # its child is there: starting one counts for the time limit
        handle = await pushing.push(str(note))
        await eventually(lambda: note.exists() and bool(note.read_text()))
        if how == "kill":
            await handle.kill()
        await becomes(handle, Status.KILLED)
        assert (await (await add_many.push([3])).result(timeout=60))["sum"] == 3
    outcome = (await attempts(crew, handle))[-1].outcome
    assert outcome is (AttemptOutcome.KILLED if how == "kill" else AttemptOutcome.TIMED_OUT)
    await eventually(lambda: not _alive(int(note.read_text())))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()


async def test_arguments_that_cannot_travel_are_named(memory_app: App) -> None:
    with pytest.raises(InvalidValue, match="executor='process' needs a function at the top level"):

        @memory_app.task(executor="process")
        def inner() -> None: ...
