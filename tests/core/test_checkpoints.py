"""Checkpoints: an attempt goes on from where the one before it was."""

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from queue_core import INJECTED, App, DecodeError, InvalidValue, Retry, Status, WorkerContext
from queue_core.errors import EncodeError
from queue_core.events import Custom, Event
from queue_core.testing import run_inline
from tests.core.steps import PATIENCE, becomes, working

AT_ONCE = Retry(backoff="constant", min=0, max=0, jitter=0)

children = App("memory://checkpoints")


@dataclass
class Place:
    page: int
    seen: list[str]


@children.task(executor="process", retry=AT_ONCE, max_attempts=3)
def in_a_child(folder: str, ctx: WorkerContext = INJECTED) -> list[object]:
    """Says what it found; dies once after it kept something."""
    before = ctx.last_checkpoint(Place)
    ctx.checkpoint(Place(ctx.attempt, ["a"]))
    with contextlib.suppress(EncodeError):
        ctx.checkpoint(object)
    if ctx.attempt == 1:
        os._exit(3)
    return [before.page if before else None, ctx.last_checkpoint(Place).page]  # type: ignore[union-attr]  # just kept


go = threading.Event()
left: list[threading.Thread] = []


@children.task(executor="process", max_attempts=1)
def leaves_a_thread(ctx: WorkerContext = INJECTED) -> None:
    """Returns, while a thread of it goes on."""
    left.append(threading.Thread(target=speak_late, args=(ctx,), daemon=True))
    left[0].start()


def speak_late(ctx: WorkerContext) -> None:
    go.wait(PATIENCE)
    ctx.progress(0.9, "late")
    ctx.emit("late")
    ctx.checkpoint("late")


@children.task(executor="process", max_attempts=1)
def comes_after(ctx: WorkerContext = INJECTED) -> None:
    """Runs in the same child, and keeps what is kept by failing."""
    go.set()
    left[0].join(PATIENCE)
    raise ValueError("the end")


async def test_a_thread_that_outlives_its_task_in_a_child_says_nothing_about_the_next_one() -> None:
    emitted: list[Event] = []
    async with children, working(children, concurrency=1, on_event=lambda event: emitted.append(event) if isinstance(event, Custom) else None):
        await (await leaves_a_thread.push()).result(timeout=PATIENCE)
        task = await becomes(await comes_after.push(), Status.KILLED)
    assert (task.error, task.progress, task.checkpoint, emitted) == ("ValueError: the end", None, None, [])


async def test_an_attempt_goes_on_from_where_the_last_one_was(stored_app: App) -> None:
    found: list[Place | None] = []

    @stored_app.task(retry=AT_ONCE, max_attempts=3)
    async def read(*, ctx: WorkerContext = INJECTED) -> str:
        found.append(ctx.last_checkpoint(Place))
        page = found[-1].page + 1 if found[-1] else 1
        assert await ctx.checkpoint(Place(page, ["x"] * page))
        if page < 3:
            raise ValueError("the connection broke")
        return "all read"

    handle = await read.push()
    async with working(stored_app):
        assert await handle.result(timeout=PATIENCE) == "all read"
    assert found == [None, Place(1, ["x"]), Place(2, ["x", "x"])]
    assert (await handle.fetch()).checkpoint is None


async def test_it_is_there_after_a_timeout(app: App) -> None:
    import asyncio

    @app.task(retry=AT_ONCE, timeout=0.1)
    async def read(*, ctx: WorkerContext = INJECTED) -> int:
        if place := ctx.last_checkpoint(int):
            return place
        await ctx.checkpoint(41)
        await asyncio.sleep(PATIENCE)
        return 0

    handle = await read.push()
    async with working(app):
        assert await handle.result(timeout=PATIENCE) == 41


async def test_plain_functions_just_call_it_and_it_is_stored_once_it_returns(stored_app: App) -> None:
    @stored_app.task(retry=AT_ONCE)
    def read(*, ctx: WorkerContext = INJECTED) -> object:
        if ctx.attempt == 1:
            ctx.checkpoint({"page": 4})
            raise ValueError("broken")
        return ctx.last_checkpoint()

    handle = await read.push()
    async with working(stored_app):
        assert await handle.result(timeout=PATIENCE) == {"page": 4}


async def test_a_child_process_keeps_it_too_also_when_it_dies(tmp_path: Path) -> None:
    async with children:
        handle = await in_a_child.push(str(tmp_path))
        async with working(children):
            assert await handle.result(timeout=PATIENCE) == [1, 2]


async def test_what_cannot_be_kept_is_refused_at_once(app: App) -> None:
    said: list[str] = []

    @app.task
    async def keep(*, ctx: WorkerContext = INJECTED) -> None:
        for value in (object(), "x" * 2_000_000):
            with pytest.raises(InvalidValue) as refusal:
                await ctx.checkpoint(value)
            said.append(str(refusal.value))

    async with working(app):
        await (await keep.push()).result(timeout=PATIENCE)
    assert "object cannot be stored as json" in said[0]
    assert "A checkpoint may take 1,048,576 bytes, got 2,000,002" in said[1]


async def test_what_is_of_another_shape_than_asked_for_is_an_error_of_the_attempt(app: App) -> None:
    @app.task(retry=AT_ONCE, max_attempts=2)
    async def keep(*, ctx: WorkerContext = INJECTED) -> None:
        if ctx.attempt == 1:
            await ctx.checkpoint({"page": "four", "seen": []})
            raise ValueError("broken")
        with pytest.raises(DecodeError, match="page"):
            ctx.last_checkpoint(Place)

    handle = await keep.push()
    async with working(app):
        await handle.result(timeout=PATIENCE)
    assert (await handle.fetch()).status is Status.DONE


async def test_run_inline_keeps_it_for_the_run(memory_app: App) -> None:
    @memory_app.task
    async def keep(*, ctx: WorkerContext = INJECTED) -> list[object]:
        before = ctx.last_checkpoint()
        assert await ctx.checkpoint(Place(1, []))
        return [before, ctx.last_checkpoint(), await ctx.checkpoint(None), ctx.last_checkpoint()]

    assert await run_inline(keep) == [None, {"page": 1, "seen": []}, True, None]
