"""Concurrency: how many runs go on at once."""

import asyncio
from typing import Any

import pytest

from queue_core import INJECTED, App, Call, InvalidValue, Next, Retry, Status, WorkerContext
from queue_core.middleware import Concurrency, Retries
from queue_core.task import DEFAULT_QUEUE
from tests.core.steps import PATIENCE, eventually, working


class Busy:
    """Handlers that go on until they are let go, and how many do at once, by what they say of themselves."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.go_on = asyncio.Event()

    async def work(self, key: str) -> None:
        self.now[key] = self.now.get(key, 0) + 1
        self.most[key] = max(self.most.get(key, 0), self.now[key])
        try:
            await self.go_on.wait()
        finally:
            self.now[key] -= 1


async def test_what_is_over_the_limit_stays_in_the_store(app: App) -> None:
    busy = Busy()

    @app.task
    async def work() -> None:
        await busy.work("all")

    handles = await work.push_many({} for _ in range(10))
    async with working(app, concurrency=8, middleware=[Concurrency(3)], poll=3_600):
        await eventually(lambda: busy.now == {"all": 3})
        counts = (await app.expose.counts())[DEFAULT_QUEUE]
        assert (counts.running, counts.queued, counts.pending) == (3, 0, 7)
        busy.go_on.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert busy.most == {"all": 3}
    assert {(await handle.fetch()).attempts for handle in handles} == {1}


async def test_what_one_worker_may_not_start_is_not_kept_from_another(app: App, url: str) -> None:
    busy, ran_by = Busy(), set[str]()

    @app.task
    async def work(ctx: WorkerContext = INJECTED) -> None:
        ran_by.add(ctx.worker)
        if ctx.worker == "narrow":
            await busy.work("narrow")

    async with App(url) as other, working(app, name="narrow", middleware=[Concurrency(1)]):
        other.task(work.function)
        handles = await work.push_many({} for _ in range(6))
        await eventually(lambda: busy.now == {"narrow": 1})
        async with working(other, name="wide"):
            await eventually(lambda: done(handles, 5), what="the other five")
        busy.go_on.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert ran_by == {"narrow", "wide"}


async def done(handles: list[Any], count: int) -> bool:
    return [(await handle.fetch()).status for handle in handles].count(Status.DONE) == count


async def test_each_name_may_have_a_limit_and_does_not_stop_the_others(app: App) -> None:
    busy = Busy()

    @app.task
    async def slow() -> None:
        await busy.work("slow")

    @app.task
    async def other() -> str:
        return "passed"

    slows = await slow.using(priority=1).push_many({} for _ in range(6))
    async with working(app, concurrency=4, middleware=[Concurrency(2, by="name", back=0)], poll=3_600):
        await eventually(lambda: busy.now == {"slow": 2})
        assert await (await other.push()).result(timeout=PATIENCE) == "passed"
        busy.go_on.set()
        for handle in slows:
            await handle.result(timeout=PATIENCE)
    assert busy.most == {"slow": 2}
    assert {(await handle.fetch()).attempts for handle in slows} == {1}


async def test_runs_may_share_a_limit_by_what_a_function_says_and_others_go_back_without_an_attempt(app: App) -> None:
    busy = Busy()

    @app.task
    async def serve(customer: str) -> None:
        await busy.work(customer)

    handles = await serve.push_many({"customer": name} for name in ("Ada", "Ada", "Ada", "Bo"))
    by_customer = Concurrency(1, by=lambda call: call.arguments["customer"], back=0.02)
    async with working(app, middleware=[by_customer], poll=0.02):
        await eventually(lambda: busy.now == {"Ada": 1, "Bo": 1})
        busy.go_on.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert busy.most == {"Ada": 1, "Bo": 1}
    assert {(await handle.fetch()).attempts for handle in handles} == {1}
    assert not by_customer._lines, "what nobody uses is forgotten"


async def test_workers_of_a_process_share_the_limit_of_one_object(app: App) -> None:
    busy = Busy()

    @app.task
    async def work() -> None:
        await busy.work("all")

    handles = await work.push_many({} for _ in range(8))
    shared = Concurrency(2, back=0.02)
    async with working(app, name="a", middleware=[shared], poll=0.02), working(app, name="b", middleware=[shared], poll=0.02):
        await eventually(lambda: busy.now == {"all": 2})
        busy.go_on.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert busy.most == {"all": 2}


async def test_a_run_that_tries_again_waits_for_its_turn_and_keeps_its_attempt(app: App) -> None:
    busy, failed, tried = Busy(), asyncio.Event(), asyncio.Event()
    runs: list[str] = []

    async def between(call: Call, next: Next) -> Any:
        if call.context.name == "flaky" and runs:
            tried.set()
        return await next(call)

    @app.task
    async def flaky() -> str:
        runs.append("flaky")
        if len(runs) == 1:
            failed.set()
            raise ConnectionError("away")
        return "there"

    @app.task
    async def work() -> None:
        await busy.work("work")

    async with working(app, middleware=[Retries(1, retry=Retry(min=0.05, max=0.05)), between, Concurrency(1)], poll=0.01):
        handle = await flaky.push()
        await asyncio.wait_for(failed.wait(), PATIENCE)
        filler = await work.push()
        await asyncio.wait_for(tried.wait(), PATIENCE)
        await eventually(lambda: busy.now.get("work") == 1 or len(runs) == 2)
        busy.go_on.set()
        assert await handle.result(timeout=PATIENCE) == "there"
        await filler.result(timeout=PATIENCE)
    assert (await handle.fetch()).attempts == 1


async def test_who_waits_for_a_turn_and_is_ended_takes_no_place_with_it() -> None:
    limit = Concurrency(1)
    call, other = coming(limit), coming(limit)
    inside, leave = asyncio.Event(), asyncio.Event()

    async def stay(_: Call) -> str:
        inside.set()
        await leave.wait()
        return "left"

    async def at_once(_: Call) -> str:
        return "left"

    first = asyncio.ensure_future(limit(call, stay))
    await inside.wait()
    ended, next_in_line = (asyncio.ensure_future(limit(other, at_once)) for _ in range(2))
    await asyncio.sleep(0)
    ended.cancel()
    leave.set()
    assert [await first, await next_in_line] == ["left", "left"]
    assert ended.cancelled()
    leave.clear()
    late, turned = asyncio.ensure_future(limit(call, stay)), asyncio.ensure_future(limit(other, at_once))
    await asyncio.sleep(0)
    assert limit.room() == 0
    leave.set()
    await late
    turned.cancel()  # when it is its turn already
    await asyncio.gather(turned, return_exceptions=True)
    assert limit.room() == 1


def coming(limit: Concurrency) -> Call:
    """A call that has been at ``limit`` before."""
    from queue_core.middleware.sharing import Visited
    from queue_core.testing.inline import Inline

    hooks = Inline(App("memory://").codec)
    hooks.extensions[Visited] = Visited({id(limit)})
    context: Any = type("Context", (), {"hooks": hooks, "name": "work", "queue": "default"})()
    return Call(context, {})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"most": 0}, "most must be a whole number from 1, got 0."),
        ({"most": True}, "most must be a whole number from 1, got True."),
        ({"most": 1, "by": "customer"}, 'by must be "name", "queue", a function of a call, or None for one limit over all, got \'customer\'.'),
        ({"most": 1, "back": -1}, "back must be a number of seconds, zero or more, got -1."),
    ],
)
def test_wrong_settings_get_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Concurrency(**settings)
    assert sentence in str(refused.value)
