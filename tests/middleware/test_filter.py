"""Filter: which runs reach their handler."""

import asyncio
from typing import Any

import pytest

from queue_core import AbortError, App, Call, InvalidValue, KillReason, Status
from queue_core.middleware import Filter
from queue_core.testing import run_inline
from tests.core.steps import PATIENCE, becomes, working


def is_even(call: Call) -> bool:
    return int(call.arguments["n"]) % 2 == 0


async def is_even_asked_elsewhere(call: Call) -> bool:
    await asyncio.sleep(0)
    return is_even(call)


@pytest.mark.parametrize("predicate", [is_even, is_even_asked_elsewhere])
async def test_what_is_refused_ends_aborted_and_does_not_stay_queued(app: App, predicate: Any) -> None:
    ran: list[int] = []

    @app.task
    async def work(n: int) -> None:
        ran.append(n)

    odd, even = await work.push(1), await work.push(2)
    async with working(app, middleware=[Filter(predicate)]):
        await even.result(timeout=PATIENCE)
        task = await becomes(odd, Status.KILLED)
    assert (task.reason, task.attempts) == (KillReason.ABORTED, 1)
    assert str(task.error) == f"AbortError: work was refused by {predicate.__name__}."
    assert ran == [2]


async def test_what_is_put_off_goes_back_and_no_attempt_is_used(app: App) -> None:
    asked = asyncio.Event()

    def never(call: Call) -> bool:
        asked.set()
        return False

    @app.task
    async def work() -> None: ...

    handle = await work.push()
    async with working(app, middleware=[Filter(never, otherwise="defer", delay=3_600)]):
        await asyncio.wait_for(asked.wait(), PATIENCE)
        await becomes(handle, Status.PENDING)
    task = await handle.fetch()
    assert (task.status, task.attempts) == (Status.PENDING, 0)
    assert (task.run_at - task.created_at).total_seconds() > 3_000


async def test_a_predicate_that_fails_fails_the_attempt(memory_app: App) -> None:
    @memory_app.task
    async def work() -> None: ...

    memory_app.middleware = (Filter(is_even),)
    with pytest.raises(KeyError):
        await run_inline(work)
    memory_app.middleware = (Filter(lambda call: False),)
    with pytest.raises(AbortError, match="work was refused by <lambda>"):
        await run_inline(work)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"predicate": 3}, "Filter needs a function of a call, got 3."),
        ({"predicate": is_even, "otherwise": "skip"}, 'otherwise must be "abort" or "defer", got \'skip\'.'),
        ({"predicate": is_even, "delay": -1}, "delay must be a number of seconds"),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Filter(**settings)
    assert sentence in str(refused.value)
