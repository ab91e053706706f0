"""Functions around every run."""

import asyncio
from typing import Any

from queue_core import App, Call, Next, Retry, Status
from queue_core.middleware import compose
from tests.core.steps import PATIENCE, becomes, working


async def test_the_first_is_outermost_and_sees_call_and_result(app: App) -> None:
    told: list[str] = []

    async def outer(call: Call, next: Next) -> Any:
        told.append(f"outer before {call.context.name} {dict(call.arguments)} {call.context.attempt}")
        result = await next(call)
        told.append(f"outer after {result}")
        return result

    class Inner:
        async def __call__(self, call: Call, following: Next) -> Any:
            told.append("inner before")
            try:
                return await following(call) * 10
            finally:
                told.append("inner after")

    @app.task
    async def double(n: int) -> int:
        told.append("handler")
        return 2 * n

    handle = await double.push(4)
    async with working(app, middleware=[outer, Inner()]):
        assert await handle.result(timeout=PATIENCE) == 80
        (info,) = await app.expose.list_workers()
        assert info.middleware == ("outer", "Inner")
    assert told == ["outer before double {'n': 4} 1", "inner before", "handler", "inner after", "outer after 80"]


async def test_what_a_middleware_raises_fails_the_attempt_like_the_handler(app: App) -> None:
    async def refuse(call: Call, next: Next) -> Any:
        raise PermissionError("not on Sundays")

    async def forget(call: Call, next: Next) -> Any:
        asyncio.get_running_loop()  # never calls next
        return "nothing ran"

    @app.task(max_attempts=1, retry=Retry(min=0, max=0))
    async def work() -> str:
        raise AssertionError("must not run")

    handle = await work.push()
    async with working(app, middleware=[refuse]):
        assert "PermissionError: not on Sundays" in str((await becomes(handle, Status.KILLED)).error)
    other = await work.push()
    async with working(app, middleware=[forget]):
        assert await other.result(timeout=PATIENCE) == "nothing ran"


async def test_a_time_limit_counts_the_middleware_and_cancels_it(app: App) -> None:
    cancelled = asyncio.Event()

    async def dawdle(call: Call, next: Next) -> Any:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    @app.task(timeout=0.05, max_attempts=1)
    def work() -> None: ...

    handle = await work.push()
    async with working(app, middleware=[dawdle]):
        assert "TaskTimeout" in str((await becomes(handle, Status.KILLED)).error)
    assert cancelled.is_set()


async def test_middleware_wraps_thread_handlers_and_injection_too(app: App) -> None:
    async def upper(call: Call, next: Next) -> Any:
        return await next(Call(call.context, {"text": str(call.arguments["text"]).upper()}))

    @app.task
    def echo(text: str) -> str:
        return text

    handle = await echo.push("hi")
    async with working(app, middleware=[upper]):
        assert await handle.result(timeout=PATIENCE) == "HI"


async def test_composing_nothing_is_the_innermost() -> None:
    async def innermost(call: Call) -> str:
        return "in"

    assert compose([], innermost) is innermost
