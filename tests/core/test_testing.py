"""The tools for the tests of users."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest

from queue_core import (
    INJECTED,
    AbortError,
    App,
    Data,
    DeferredError,
    Depends,
    HandWoundClock,
    InvalidValue,
    ResultTimeout,
    Retry,
    RetryAfterError,
    Status,
    TaskKilled,
    TaskTimeout,
    WorkerContext,
)
from queue_core.errors import HandlerReturnedFalse
from queue_core.middleware import Call, Next
from queue_core.testing import assert_pushed, drain, eager, pushed, run_inline
from tests.core.steps import PATIENCE


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


async def test_drain_gives_up_on_tasks_that_push_one_another_into_ever_new_queues(app: App) -> None:
    @app.task
    async def hop(n: int) -> None:
        await hop.using(queue=f"queue-{n + 1}").push(n + 1)

    await hop.push(0)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ResultTimeout, match="Do they push one another for ever"):
            await drain(app, timeout=0.5)


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


# --- drain, in part --------------------------------------------------------------------------------------


async def test_drain_serves_the_queues_that_are_named_and_no_other(stored_app: App) -> None:
    @stored_app.task(queue="a")
    async def first() -> None:
        await second.push()

    @stored_app.task(queue="b")
    async def second() -> None: ...

    await first.push()
    assert [task.name for task in await drain(stored_app, queues=["a"])] == ["first"]
    assert [task.name for task in await drain(stored_app, queues=["b"])] == ["second"]


async def test_drain_starts_no_more_attempts_than_its_limit(stored_app: App) -> None:
    ran: list[int] = []

    @stored_app.task
    async def note(n: int) -> None:
        ran.append(n)

    await note.push_many({"n": n} for n in range(5))
    assert len(await drain(stored_app, limit=2)) == 2
    assert ran == [0, 1]
    assert len(await drain(stored_app, limit=10)) == 3
    assert ran == [0, 1, 2, 3, 4]


async def test_the_limit_of_drain_counts_attempts_and_also_those_that_never_reach_a_handler(app: App) -> None:
    @app.task(retry=Retry(backoff="constant", min=0, max=0, jitter=0), max_attempts=5)
    async def fail() -> None:
        raise ValueError

    handle = await fail.push()
    assert len(await drain(app, limit=3)) == 1
    assert (await handle.fetch()).attempts == 3
    await handle.kill()

    @app.task
    async def typed(n: int) -> None: ...

    wrong = [await typed.push(n) for n in range(3)]
    for task in wrong:
        await app.expose.update([task.id], _unreadable(), actor=_actor())
    assert len(await drain(app, limit=2)) == 2
    assert len(await drain(app, limit=2)) == 1


def _unreadable() -> Any:
    from queue_core import TaskChange

    return TaskChange(args=b"no json", codec="json")


def _actor() -> Any:
    from queue_core.expose import Actor

    return Actor(name="test")


async def test_a_limit_that_runs_nothing_is_refused(memory_app: App) -> None:
    with pytest.raises(InvalidValue, match="limit must be at least 1, got 0"):
        await drain(memory_app, limit=0)


# --- what was pushed -------------------------------------------------------------------------------------


async def test_what_was_pushed_is_told_in_order_with_arguments_as_the_handler_takes_them(stored_app: App) -> None:
    @stored_app.task
    async def remind(day: datetime) -> None: ...

    @stored_app.task(queue="other", codec="msgpack")
    async def other(data: bytes) -> None: ...

    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 4)]
    await remind.push_many({"day": day} for day in days)
    await other.push(b"x")
    assert [task.arguments for task in await pushed(stored_app, remind)] == [{"day": day} for day in days]
    assert [task.task.name for task in await pushed(stored_app)] == ["remind"] * 3 + ["other"]
    await drain(stored_app)
    assert [task.task.status for task in await pushed(stored_app, remind)] == [Status.DONE] * 3


async def test_more_tasks_than_a_page_holds_are_all_told(app: App) -> None:
    @app.task
    async def note(n: int) -> None: ...

    await note.push_many({"n": n} for n in range(1_205))
    assert [task.arguments["n"] for task in await pushed(app, note)] == list(range(1_205))


async def test_an_assertion_finds_the_newest_task_with_these_arguments(stored_app: App) -> None:
    @stored_app.task
    async def send(user: int, subject: str = "Welcome") -> None: ...

    await send.push(1)
    await send.using(priority=3).push(2, subject="Hello")
    newest = await send.using(priority=7).push(2)
    assert (await assert_pushed(stored_app, send, user=2)).task.id == newest.id
    assert (await assert_pushed(stored_app, send, user=2, subject="Hello")).task.priority == 3
    assert (await assert_pushed(stored_app, send)).task.id == newest.id


async def test_a_failed_assertion_says_what_was_pushed_instead(app: App) -> None:
    @app.task
    async def send(user: int) -> None: ...

    @app.task
    async def unsent() -> None: ...

    with pytest.raises(AssertionError, match=r"No send was pushed with user=1\. Nothing was pushed\."):
        await assert_pushed(app, send, user=1)
    await send.push_many({"user": user} for user in range(2, 15))
    with pytest.raises(AssertionError, match=r"No send was pushed with user=1\. Pushed were: send\(user=5\), .*send\(user=14\) and 3 more\."):
        await assert_pushed(app, send, user=1)
    with pytest.raises(AssertionError, match=r"No unsent was pushed\. Pushed were: send"):
        await assert_pushed(app, unsent)
    with pytest.raises(InvalidValue, match="send takes no argument 'usr'"):
        await assert_pushed(app, send, usr=1)


# --- pushes that run what they store ---------------------------------------------------------------------


async def test_an_eager_push_returns_when_its_task_and_what_that_pushed_have_run(stored_app: App) -> None:
    ran: list[str] = []

    @stored_app.task
    async def parent() -> str:
        ran.append("parent begins")
        child_of_mine = await child.push()
        ran.append(f"child is {await child_of_mine.status()}")
        return "done"

    @stored_app.task(queue="elsewhere")
    async def child() -> None:
        ran.append("child")

    with eager(stored_app):
        task = await parent.push()
        assert await task.result() == "done"
    assert ran == ["parent begins", "child", "child is Done"]
    later = await parent.push()
    assert await later.status() is Status.PENDING


async def test_an_eager_task_has_its_middleware_dependencies_data_and_codec(app: App) -> None:
    seen: list[str] = []

    async def layer(call: Call, next: Next) -> Any:
        seen.append(f"before {call.context.name}")
        return await next(call)

    def opened() -> Any:
        seen.append("opened")
        yield 7
        seen.append("closed")

    app.middleware = (layer,)
    app.provide("a text")

    @app.task(codec="msgpack")
    async def use(day: datetime, text: Annotated[str, Data()] = INJECTED, number: Annotated[int, Depends(opened)] = INJECTED) -> str:
        return f"{day.year} {text} {number}"

    with eager(app):
        task = await use.push(datetime(2026, 1, 1, tzinfo=UTC))
    assert await task.result() == "2026 a text 7"
    assert seen == ["before use", "opened", "closed"]
    assert app.middleware == (layer,)


async def test_an_eager_push_raises_what_its_task_raised_and_the_task_is_as_a_worker_leaves_it(stored_app: App) -> None:
    @stored_app.task
    async def fail() -> None:
        raise ZeroDivisionError("by zero")

    @stored_app.task
    async def abort() -> None:
        raise AbortError("never")

    @stored_app.task(timeout=0.02)
    async def hang() -> None:
        await asyncio.Event().wait()

    with eager(stored_app):
        with pytest.raises(ZeroDivisionError, match="by zero"):
            await fail.push()
        with pytest.raises(AbortError, match="never"):
            await abort.push()
        with pytest.raises(TaskTimeout, match=r"0\.02 s"):
            await hang.push()
    assert [task.task.status for task in await pushed(stored_app)] == [Status.FAILED, Status.KILLED, Status.FAILED]


async def test_an_eager_push_that_does_not_raise_leaves_the_failure_in_the_store(app: App) -> None:
    @app.task
    async def fail() -> None:
        raise ZeroDivisionError

    with eager(app, raising=False):
        task = await fail.push()
    assert await task.status() is Status.FAILED


async def test_to_be_run_later_is_no_failure_of_an_eager_push(app: App) -> None:
    @app.task
    async def again() -> None:
        raise RetryAfterError("busy", delay=60)

    @app.task
    async def later() -> None:
        raise DeferredError(delay=60)

    @app.task
    async def planned() -> None: ...

    with eager(app):
        tasks = [await again.push(), await later.push(), await planned.using(run_after=60).push()]
    assert [await task.status() for task in tasks] == [Status.FAILED, Status.PENDING, Status.PENDING]


async def test_a_task_that_was_killed_without_an_exception_is_a_failure_of_an_eager_push(app: App) -> None:
    @app.task
    async def end_oneself(ctx: WorkerContext = INJECTED) -> None:
        await app.expose.kill([ctx.task_id], actor=_actor())
        await asyncio.Event().wait()

    with eager(app), pytest.raises(TaskKilled, match="end_oneself"):
        await end_oneself.push()


async def test_an_eager_push_works_in_the_thread_of_a_plain_handler(app: App) -> None:
    threads: list[int] = []

    @app.task
    def parent() -> None:
        asyncio.run(_push_and_close())

    async def _push_and_close() -> None:
        async with app:
            await child.push()

    @app.task
    async def child() -> None:
        threads.append(threading.get_ident())

    with eager(app):
        await parent.push()
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


# --- another store ---------------------------------------------------------------------------------------


async def test_an_app_is_stored_elsewhere_within_a_block_and_where_it_was_after_it(stored_app: App) -> None:
    @stored_app.task
    async def note(n: int) -> int:
        return n

    await note.push(1)
    clock = HandWoundClock()
    with stored_app.stored_in("memory://", clock=clock):
        assert await pushed(stored_app) == []
        inside = await note.using(run_after=60).push(2)
        clock.advance(60)
        assert [task.id for task in await drain(stored_app)] == [inside.id]
    assert [task.arguments for task in await pushed(stored_app)] == [{"n": 1}]
    assert stored_app.url != "memory://" or await note.push(3)


async def test_the_limits_of_queues_hold_on_the_other_store_too(app: App) -> None:
    limits = app.queue("email", concurrency=1)
    async with app:
        with app.stored_in("memory://"):
            await app.open()
            assert [queue.limits for queue in await app.expose.list_queues() if queue.name == "email"] == [limits]
