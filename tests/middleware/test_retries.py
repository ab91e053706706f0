"""Retries: several tries within one attempt of the store."""

import asyncio
import threading
from typing import Any

import pytest

from queue_core import (
    INJECTED,
    AbortError,
    App,
    AttemptNumber,
    Call,
    DeferredError,
    InvalidValue,
    Next,
    Retry,
    RetryAfterError,
    Status,
    WorkerContext,
)
from queue_core.middleware import Retries, Timeout
from queue_core.testing import run_inline
from tests.core.steps import PATIENCE, attempts, becomes, working

AT_ONCE = Retry(min=0, max=0)


def failing(app: App, error: Exception, **options: Any) -> tuple[Any, list[int]]:
    """A task that always fails, and a list that grows with each run."""
    runs: list[int] = []

    @app.task(retry=AT_ONCE, **options)
    async def fail(attempt: AttemptNumber = INJECTED) -> None:
        runs.append(attempt)
        raise error

    return fail, runs


async def test_n_retries_are_n_plus_one_runs_in_one_attempt(app: App) -> None:
    fail, runs = failing(app, ConnectionError("away"), max_attempts=1)
    handle = await fail.push()
    async with working(app, middleware=[Retries(3, retry=AT_ONCE)]):
        task = await becomes(handle, Status.KILLED)
    assert runs == [1] * 4
    assert task.attempts == 1
    assert len(await attempts(app, handle)) == 1


async def test_the_limits_of_retries_and_of_the_store_add_up_and_do_not_multiply(app: App) -> None:
    fail, runs = failing(app, ConnectionError("away"), max_attempts=3)
    handle = await fail.push()
    async with working(app, middleware=[Retries(2, retry=AT_ONCE)]):
        task = await becomes(handle, Status.KILLED)
    assert runs == [1, 1, 1, 2, 3]
    assert task.attempts == 3


async def test_the_limits_multiply_for_who_says_so(app: App) -> None:
    fail, runs = failing(app, ConnectionError("away"), max_attempts=2)
    handle = await fail.push()
    async with working(app, middleware=[Retries(1, retry=AT_ONCE, every_attempt=True)]):
        await becomes(handle, Status.KILLED)
    assert runs == [1, 1, 2, 2]


async def test_a_task_may_have_its_own_number_of_retries(app: App) -> None:
    fail, runs = failing(app, ConnectionError("away"), max_attempts=1)
    eager, wrong = await fail.using(metadata={"retries": 5}).push(), await fail.using(metadata={"retries": "many"}, queue="other").push()
    async with working(app, middleware=[Retries(1, retry=AT_ONCE)]):
        await becomes(eager, Status.KILLED)
    assert len(runs) == 6
    async with working(app, queues=["other"], middleware=[Retries(1, retry=AT_ONCE)]):
        error = (await becomes(wrong, Status.KILLED)).error
    assert str(error) == "InvalidValue: the retries in the metadata of fail must be a whole number, zero or more, got 'many'."
    assert len(runs) == 6


async def test_a_try_that_succeeds_is_the_result_and_the_failures_before_it_leave_no_trace(app: App) -> None:
    runs: list[int] = []

    @app.task
    async def second_time_lucky() -> str:
        runs.append(1)
        if len(runs) < 2:
            raise ConnectionError("away")
        return "there"

    handle = await second_time_lucky.push()
    async with working(app, middleware=[Retries(3, retry=AT_ONCE)]):
        assert await handle.result(timeout=PATIENCE) == "there"
    (attempt,) = await attempts(app, handle)
    assert attempt.error is None


async def test_between_two_tries_the_row_is_running_and_nobody_else_can_take_it(app: App, url: str) -> None:
    failed, go_on = asyncio.Event(), asyncio.Event()

    async def between(call: Call, next: Next) -> Any:
        try:
            return await next(call)
        except ConnectionError:
            failed.set()
            await asyncio.wait_for(go_on.wait(), PATIENCE)
            raise

    runs: list[str] = []

    @app.task
    async def once(ctx: WorkerContext = INJECTED) -> str:
        runs.append(ctx.worker)
        if len(runs) < 2:
            raise ConnectionError("away")
        return "there"

    handle = await once.push()
    async with App(url) as other, working(app, name="first", concurrency=1, middleware=[Retries(1, retry=AT_ONCE), between]):
        other.task(once.function)
        await asyncio.wait_for(failed.wait(), PATIENCE)
        async with working(other, name="second", poll=0.02):
            (seen,) = await other.expose.fetch_many([handle.id])
            assert (seen.status, seen.attempts, seen.worker) == (Status.RUNNING, 1, "first")
            marker = await other.tasks["once"].using(queue="default", priority=-1).push()
            await marker.result(timeout=PATIENCE)  # the other worker has looked, and has found only this
            go_on.set()
            assert await handle.result(timeout=PATIENCE) == "there"
    assert runs == ["first", "second", "first"]


@pytest.mark.parametrize(
    ("error", "status", "used"),
    [
        (AbortError("never"), Status.KILLED, 1),
        (DeferredError("not now", delay=3_600), Status.PENDING, 0),
        (RetryAfterError("much later", delay=3_600), Status.FAILED, 1),
        (ExceptionGroup("two at once", [ValueError("no"), AbortError("never")]), Status.KILLED, 1),
    ],
)
async def test_a_handler_that_decides_about_its_task_is_not_run_again(app: App, error: Exception, status: Status, used: int) -> None:
    fail, runs = failing(app, error)
    handle = await fail.push()
    ended = asyncio.Event()

    async def note(_: object) -> None:
        ended.set()

    async with working(app, middleware=[Retries(5, retry=AT_ONCE)], on_ack=note):
        await asyncio.wait_for(ended.wait(), PATIENCE)
    task = await handle.fetch()
    assert (task.status, task.attempts, len(runs)) == (status, used, 1)


async def test_a_short_retry_after_is_waited_for_and_decides_the_pause(memory_app: App) -> None:
    fail, runs = failing(memory_app, RetryAfterError("soon", delay=0.01))
    with pytest.raises(RetryAfterError):
        await run_with(memory_app, fail, Retries(2, retry=Retry(min=3_600, max=3_600)))
    assert len(runs) == 3


async def test_only_failures_that_another_try_may_mend_are_tried_again(memory_app: App) -> None:
    for when in (ConnectionError, (ConnectionError, OSError), lambda error: "away" in str(error)):
        fail, runs = failing(memory_app, ConnectionError("away"), name=f"mended by {when}")
        wrong, wrongs = failing(memory_app, ValueError("no"), name=f"not mended by {when}")
        for task in (fail, wrong):
            with pytest.raises((ConnectionError, ValueError)):
                await run_with(memory_app, task, Retries(2, retry=AT_ONCE, when=when))
        assert (len(runs), len(wrongs)) == (3, 1)
    both = ExceptionGroup("two at once", [ConnectionError("away"), ValueError("no")])
    mixed, runs = failing(memory_app, both, name="mixed")
    with pytest.raises(ExceptionGroup):
        await run_with(memory_app, mixed, Retries(2, retry=AT_ONCE, when=ConnectionError))
    assert len(runs) == 1


async def run_with(app: App, task: Any, *middleware: Any) -> Any:
    app.middleware = middleware
    return await run_inline(task)


async def test_a_pause_that_outlasts_the_time_limit_is_not_begun(memory_app: App) -> None:
    fail, runs = failing(memory_app, ConnectionError("away"), max_attempts=1, timeout=30)
    handle = await fail.push()
    async with working(memory_app, middleware=[Retries(2, retry=Retry(min=60, max=60))]):
        task = await becomes(handle, Status.KILLED)
    assert "ConnectionError: away" in str(task.error)
    assert len(runs) == 1


async def test_a_worker_that_stops_tries_no_more_and_the_store_keeps_the_failure(app: App) -> None:
    @app.task(max_attempts=1)
    async def fail(ctx: WorkerContext = INJECTED) -> None:
        assert not runs
        runs.append(1)
        ctx.stop_worker()
        await asyncio.sleep(0)
        raise ConnectionError("away")

    runs: list[int] = []
    handle = await fail.push()
    await app.worker(middleware=[Retries(9, retry=Retry(min=60, max=60))]).run()
    task = await handle.fetch()
    assert (task.status, str(task.error)) == (Status.KILLED, "ConnectionError: away")


async def test_a_worker_that_is_stopped_during_a_pause_does_not_try_again(memory_app: App) -> None:
    stop: list[Any] = []

    class Stopping(Retry):
        def delay(self, attempt: int) -> float:
            asyncio.get_running_loop().call_soon(stop[0])
            return 0.01

    fail, runs = failing(memory_app, ConnectionError("away"), max_attempts=1)
    handle = await fail.push()
    worker = memory_app.worker(middleware=[Retries(5, retry=Stopping())])
    stop.append(worker.stop)
    await worker.run()
    assert (await handle.fetch()).status is Status.KILLED
    assert len(runs) == 1


async def test_a_pause_ends_with_the_run(app: App) -> None:
    paused = asyncio.Event()

    class Noted(Retry):
        def delay(self, attempt: int) -> float:
            paused.set()
            return 3_600.0

    fail, runs = failing(app, ConnectionError("away"))
    handle = await fail.push()
    async with working(app, middleware=[Retries(3, retry=Noted(max=3_600))]):
        await asyncio.wait_for(paused.wait(), PATIENCE)
        await handle.kill()
        await becomes(handle, Status.KILLED)
    assert len(runs) == 1


async def test_a_thread_that_cannot_be_stopped_is_not_joined_by_a_second_one(memory_app: App) -> None:
    release, runs = threading.Event(), []

    @memory_app.task(max_attempts=1)
    def stubborn() -> None:
        runs.append(1)
        release.wait(PATIENCE)  # in C, where nothing can be raised

    handle = await stubborn.push()
    try:
        async with working(memory_app, middleware=[Retries(3, retry=AT_ONCE), Timeout(0.05)], stop_grace=0.05):
            task = await becomes(handle, Status.KILLED)
            release.set()
    finally:
        release.set()
    assert "TaskTimeout" in str(task.error)
    assert len(runs) == 1


async def test_next_itself_does_not_run_a_handler_beside_its_stuck_thread(memory_app: App) -> None:
    release, runs = threading.Event(), []

    async def insist(call: Call, next: Next) -> Any:
        try:
            return await Timeout(0.05)(call, next)
        except TimeoutError:
            return await next(call)

    @memory_app.task(max_attempts=1)
    def stubborn() -> None:
        runs.append(1)
        release.wait(PATIENCE)

    handle = await stubborn.push()
    try:
        async with working(memory_app, middleware=[insist], stop_grace=0.05):
            task = await becomes(handle, Status.KILLED)
            release.set()
    finally:
        release.set()
    assert "The thread of an earlier try of stubborn still runs" in str(task.error)
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"times": -1}, "times must be a whole number, zero or more, got -1."),
        ({"times": True}, "times must be a whole number, zero or more, got True."),
        ({"times": 1, "longest": -1}, "longest must be a number of seconds, zero or more, got -1."),
        ({"times": 1, "when": "away"}, "when must be an exception type, a tuple of them, or a function of an error, got 'away'."),
        ({"times": 1, "when": (ValueError, 3)}, "when must be an exception type"),
        ({"times": 1, "when": int}, "when must be an exception type"),
        ({"times": 1, "retry": 3}, "retry must be a Retry"),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Retries(**settings)
    assert sentence in str(refused.value)
