"""Hooks that see how an attempt ended before that is stored."""

import asyncio
from typing import Any

import pytest

from queue_core import AbortError, App, DeferredError, Retry, RetryAfterError, Status
from queue_core.events import Error, Event, GivenBack, Success, TaskEnded
from queue_core.testing import drain
from tests.core.steps import PATIENCE, becomes, working


async def test_a_hook_sees_every_kind_of_end_before_it_is_stored(app: App) -> None:
    seen: dict[str, tuple[type[TaskEnded], Status, Status]] = {}

    async def look(ended: TaskEnded) -> None:
        task = await app.expose.fetch(ended.task_id)
        assert task is not None
        seen.setdefault(task.name, (type(ended), ended.ack.status, task.status))

    @app.task
    async def fine() -> str:
        return "fine"

    @app.task(max_attempts=2, retry=Retry(min=60, max=60))
    async def broken() -> None:
        raise ValueError

    @app.task
    async def put_off() -> None:
        raise DeferredError(delay=60)

    for definition in (fine, broken, put_off):
        await definition.push()
    async with working(app, on_ack=look):
        while len(seen) < 3:
            await asyncio.sleep(0.005)
    assert seen == {
        "fine": (Success, Status.DONE, Status.RUNNING),
        "broken": (Error, Status.FAILED, Status.RUNNING),
        "put_off": (GivenBack, Status.PENDING, Status.RUNNING),
    }


async def test_what_a_hook_raises_turns_a_success_into_that_failure(app: App) -> None:
    events: list[Event] = []

    async def refuse(ended: TaskEnded) -> None:
        if ended.task.name == "never":
            raise AbortError("the auditor said no")
        raise RetryAfterError("the auditor is out", delay=60)

    @app.task
    async def never() -> str:
        return "done"

    @app.task
    async def later() -> str:
        return "done"

    aborted, delayed = await never.push(), await later.push()
    async with working(app, on_ack=refuse, on_event=events.append):
        task = await becomes(aborted, Status.KILLED)
        assert (task.error, task.result) == ("AbortError: the auditor said no", None)
        assert "the auditor is out" in str((await becomes(delayed, Status.FAILED)).error)
    assert not any(isinstance(event, Success) for event in events)


async def test_a_hook_that_fails_at_a_failure_changes_nothing_about_it(app: App, caplog: pytest.LogCaptureFixture) -> None:
    async def stumble(ended: TaskEnded) -> None:
        raise RuntimeError("and I too")

    @app.task
    async def broken() -> None:
        raise AbortError("as it happens")

    handle = await broken.push()
    async with working(app, on_ack=stumble):
        assert (await becomes(handle, Status.KILLED)).error == "AbortError: as it happens"
    assert any("The on_ack hook stumble failed at task" in message and "RuntimeError: and I too" in message for message in caplog.messages)


async def test_hooks_are_called_in_order_those_of_the_app_first_and_later_ones_see_what_earlier_ones_made_of_it(url: str) -> None:
    told: list[str] = []

    def hook(name: str, error: Exception | None = None) -> Any:
        async def note(ended: TaskEnded) -> None:
            told.append(f"{name} {type(ended).__name__}")
            if error is not None:
                raise error

        return note

    async with App(url, on_ack=hook("app")) as app:

        @app.task
        async def work() -> None: ...

        await work.push()
        async with working(app, on_ack=[hook("first", AbortError("no")), hook("second")]):
            while len(told) < 3:
                await asyncio.sleep(0.005)
        assert told == ["app Success", "first Success", "second Error"]
        await work.push()
        await drain(app)
        assert told[3:] == ["app Success"]


async def test_a_hook_that_hangs_is_ended_by_the_time_limit(app: App) -> None:
    async def hang(ended: TaskEnded) -> None:
        if isinstance(ended, Success):
            await asyncio.sleep(3_600)

    @app.task(timeout=0.05, max_attempts=1)
    async def quick() -> str:
        return "done"

    handle = await quick.push()
    async with working(app, on_ack=hang):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)


async def test_a_hook_that_the_stopping_worker_interrupts_gives_the_task_back(app: App) -> None:
    hanging = asyncio.Event()

    async def hang(ended: TaskEnded) -> None:
        hanging.set()
        await asyncio.sleep(3_600)

    @app.task
    async def quick() -> str:
        return "done"

    handle = await quick.push()
    async with working(app, on_ack=hang, shutdown_timeout=0):
        await asyncio.wait_for(hanging.wait(), PATIENCE)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)
