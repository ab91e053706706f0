"""The tools for the tests of users."""

from datetime import UTC, datetime
from typing import Any

import pytest

from queue_core import INJECTED, App, HandWoundClock, InvalidValue, ResultTimeout, Retry, Status, WorkerContext
from queue_core.errors import HandlerReturnedFalse
from queue_core.testing import drain, run_inline


async def test_drain_runs_what_is_due_and_what_that_pushes(stored_app: App) -> None:
    @stored_app.task(queue="a")
    async def parent() -> None:
        await child.using(queue="elsewhere").push(n=1)
        await child.using(run_after=3_600).push(n=2)

    @stored_app.task(queue="b")
    async def child(n: int) -> int:
        return n

    await parent.push()
    ran = await drain(stored_app)
    assert [(task.name, task.queue, task.status) for task in ran] == [("parent", "a", Status.DONE), ("child", "elsewhere", Status.DONE)]
    assert await drain(stored_app) == []


async def test_a_hand_wound_clock_brings_later_tasks() -> None:
    clock = HandWoundClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with App("memory://", clock=clock) as app:

        @app.task(max_attempts=2, retry=Retry(backoff="constant", min=60, max=60, jitter=0))
        async def fail() -> None:
            raise ValueError

        handle = await fail.using(run_after=3_600).push()
        assert await drain(app) == []
        clock.advance(3_600)
        assert [task.status for task in await drain(app)] == [Status.FAILED]
        clock.advance(59)
        assert await drain(app) == []
        clock.advance(1)
        assert [task.status for task in await drain(app)] == [Status.KILLED]
        assert (await handle.fetch()).attempts == 2


async def test_drain_gives_up_on_tasks_that_push_one_another_for_ever(app: App) -> None:
    @app.task
    async def again() -> None:
        await again.push()

    await again.push()
    with pytest.raises(ResultTimeout, match=r"After 0\.1 s tasks are still running or due"):
        await drain(app, timeout=0.1)


async def test_a_task_runs_inline_with_the_checks_of_a_push(app: App) -> None:
    @app.task
    async def when(day: datetime, ctx: WorkerContext = INJECTED) -> str:
        await ctx.progress(0.5)
        return f"{day.year} {ctx.attempt}"

    @app.task
    def no() -> bool:
        return False

    assert await run_inline(when, datetime(2026, 1, 1, tzinfo=UTC)) == "2026 1"
    with pytest.raises(HandlerReturnedFalse):
        await run_inline(no)
    untyped: Any = when
    with pytest.raises(InvalidValue, match="day must be datetime"):
        await run_inline(untyped, "yesterday")
    assert await app.expose.counts() == {}
