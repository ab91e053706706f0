"""LoadShed: nothing starts while there is too much to do."""

import asyncio
from typing import Any

import pytest

from queue_core import App, InvalidValue, Status
from queue_core.middleware import LoadShed
from tests.core.steps import PATIENCE, eventually, working


async def test_nothing_is_claimed_while_there_is_too_much_to_do(app: App) -> None:
    overloaded, asked = True, asyncio.Event()

    def is_overloaded() -> bool:
        asked.set()
        return overloaded

    @app.task
    async def work() -> str:
        return "worked"

    handle = await work.push()
    shed = LoadShed(is_overloaded)
    async with working(app, middleware=[shed], poll=3_600):
        await asyncio.wait_for(asked.wait(), PATIENCE)
        assert (await handle.fetch()).status is Status.PENDING
        overloaded = False
        shed.changed()
        assert await handle.result(timeout=PATIENCE) == "worked"


async def test_what_was_claimed_just_before_goes_back_and_no_attempt_is_used(app: App) -> None:
    answers = [False]

    @app.task
    async def work() -> None: ...

    handle = await work.push()
    shed = LoadShed(lambda: not answers or answers.pop(), delay=3_600)
    async with working(app, middleware=[shed]):
        await eventually(lambda: went_back(handle))


async def went_back(handle: Any) -> bool:
    task = await handle.fetch()
    return bool(task.status is Status.PENDING and task.attempts == 0 and (task.run_at - task.created_at).total_seconds() > 1_000)


async def is_overloaded() -> bool:
    return False


def test_wrong_settings_get_a_sentence() -> None:
    with pytest.raises(InvalidValue, match=r"overloaded must be a function, got 0\.9"):
        LoadShed(0.9)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="overloaded must be a plain function, got the async is_overloaded, which nobody awaits"):
        LoadShed(is_overloaded)  # type: ignore[arg-type]  # its coroutine would shed everything, for ever
    with pytest.raises(InvalidValue, match="delay must be a number of seconds"):
        LoadShed(lambda: False, delay=-1)
