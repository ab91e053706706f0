"""Timeout: a limit for each try."""

import asyncio
from typing import Any

import pytest

from queue_core import App, InvalidValue, Retry, Status, TaskTimeout
from queue_core.middleware import Retries, Timeout
from queue_core.task import AttemptOutcome
from tests.core.steps import PATIENCE, attempts, becomes, working


async def forever() -> None:
    await asyncio.sleep(3_600)


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize("function", [forever, spin], ids=["async", "thread"])
async def test_a_try_that_takes_too_long_is_stopped_and_reaches_the_store_as_timed_out(app: App, function: Any) -> None:
    handle = await app.task(max_attempts=1)(function).push()
    async with working(app, middleware=[Timeout(0.05)]):
        task = await becomes(handle, Status.KILLED)
        assert str(task.error) == "TaskTimeout: The attempt was stopped after its time limit of 0.05 s."
    (attempt,) = await attempts(app, handle)
    assert attempt.outcome is AttemptOutcome.TIMED_OUT


async def test_each_try_has_the_whole_limit(app: App) -> None:
    runs: list[int] = []

    @app.task
    async def slow_at_first() -> int:
        runs.append(1)
        if len(runs) < 3:
            await asyncio.sleep(3_600)
        return len(runs)

    handle = await slow_at_first.push()
    async with working(app, middleware=[Retries(2, retry=Retry(min=0, max=0)), Timeout(0.05)]):
        assert await handle.result(timeout=PATIENCE) == 3


async def test_one_limit_outside_counts_all_tries(memory_app: App) -> None:
    runs: list[int] = []

    @memory_app.task(max_attempts=1)
    async def fail() -> None:
        runs.append(1)
        raise ConnectionError("away")

    handle = await fail.push()
    async with working(memory_app, middleware=[Timeout(0.1), Retries(1_000, retry=Retry(min=3_600, max=3_600))]):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
    assert len(runs) == 1


async def test_what_a_stopped_handler_returns_or_raises_does_not_count(memory_app: App) -> None:
    @memory_app.task(max_attempts=1)
    async def swallow(how: str) -> str:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            if how == "raise":
                raise ValueError("something else") from None
        return "as if nothing had been"

    for how in ("return", "raise"):
        handle = await swallow.push(how)
        async with working(memory_app, name=how, middleware=[Timeout(0.05)]):
            assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)


async def test_a_timeout_of_the_handlers_own_is_not_ours(memory_app: App) -> None:
    @memory_app.task(max_attempts=1)
    async def own() -> None:
        raise TimeoutError("the printer does not answer")

    handle = await own.push()
    async with working(memory_app, middleware=[Timeout(60)]):
        assert str((await becomes(handle, Status.KILLED)).error) == "TimeoutError: the printer does not answer"


async def test_a_kill_passes_through(app: App) -> None:
    started = asyncio.Event()

    @app.task
    async def endless() -> None:
        started.set()
        await asyncio.sleep(3_600)

    handle = await endless.push()
    async with working(app, middleware=[Retries(3), Timeout(60)]):
        await asyncio.wait_for(started.wait(), PATIENCE)
        await handle.kill()
        task = await becomes(handle, Status.KILLED)
    assert task.reason == "killed"


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), "5", True])
def test_a_wrong_limit_gets_a_sentence(seconds: Any) -> None:
    with pytest.raises(InvalidValue, match="seconds must be a number of seconds above zero"):
        Timeout(seconds)


def test_the_error_says_the_limit() -> None:
    assert TaskTimeout(Timeout(1.5).seconds).limit == 1.5
