"""Middleware that limits what may start: what it holds back stays in the store."""

import asyncio
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from queue_core import App, Call, Gate, InvalidValue, Next, Status
from queue_core.events import Event, Idle
from queue_core.task import DEFAULT_QUEUE
from tests.core.steps import PATIENCE, eventually, working


@dataclass
class AtMost(Gate):
    """A gate with room for so many; a dataclass, so that no ``super().__init__`` is needed."""

    most: int
    running: int = 0
    ever: int = 0

    def room(self) -> int:
        return self.most - self.running

    async def __call__(self, call: Call, next: Next) -> Any:
        self.running += 1
        self.ever = max(self.ever, self.running)
        try:
            return await next(call)
        finally:
            self.running -= 1
            self.changed()


@dataclass
class Closed(Gate):
    """A gate that lets some names not pass."""

    names: set[str] = field(default_factory=set)

    def closed_names(self) -> Collection[str]:
        return self.names

    def open(self) -> None:
        self.names.clear()
        self.changed()

    async def __call__(self, call: Call, next: Next) -> Any:
        return await next(call)


async def test_no_more_is_claimed_than_a_gate_has_room_for(app: App) -> None:
    done = asyncio.Event()

    @app.task
    async def work() -> None:
        await done.wait()

    async def dawdle(call: Call, next: Next) -> Any:
        await asyncio.sleep(0.01)  # so that some are on the way to the gate while the next claim is made
        return await next(call)

    gate = AtMost(3)
    handles = await work.push_many({} for _ in range(10))
    async with working(app, concurrency=8, middleware=[dawdle, gate], poll=3_600):
        await eventually(lambda: gate.running == 3)
        counts = (await app.expose.counts())[DEFAULT_QUEUE]
        assert (counts.running, counts.queued, counts.pending) == (3, 0, 7)
        done.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert gate.ever == 3


async def test_a_run_that_never_reaches_the_gate_takes_no_room_for_ever(app: App) -> None:
    async def refuse(call: Call, next: Next) -> Any:
        if call.arguments["n"] < 5:
            return "refused"
        return await next(call)

    @app.task
    async def work(n: int) -> str:
        return "worked"

    handles = await work.push_many({"n": n} for n in range(8))
    async with working(app, middleware=[refuse, AtMost(1)], poll=3_600):
        results = [await handle.result(timeout=PATIENCE) for handle in handles]
    assert results == ["refused"] * 5 + ["worked"] * 3


async def test_closed_names_stay_in_the_store_until_the_gate_opens_and_the_worker_is_not_idle_meanwhile(app: App) -> None:
    events: list[Event] = []

    @app.task
    async def fragile() -> None: ...

    @app.task
    async def sound() -> None: ...

    gate = Closed({"fragile", "unknown"})
    held, passed = await fragile.using(priority=9).push(), await sound.push()
    async with working(app, middleware=[gate], poll=3_600, on_event=events.append):
        await passed.result(timeout=PATIENCE)
        await (await sound.push()).result(timeout=PATIENCE)
        assert (await held.fetch()).status is Status.PENDING
        assert not any(isinstance(event, Idle) for event in events)
        gate.open()
        await held.result(timeout=PATIENCE)
        await eventually(lambda: any(isinstance(event, Idle) for event in events))


async def test_the_narrowest_gate_counts_and_one_without_a_limit_does_not(app: App) -> None:
    done = asyncio.Event()

    @app.task
    async def work() -> None:
        await done.wait()

    wide, narrow = AtMost(6), AtMost(2)
    handles = await work.push_many({} for _ in range(5))
    async with working(app, middleware=[wide, Closed(), narrow], poll=3_600):
        await eventually(lambda: narrow.running == 2)
        assert (await app.expose.counts())[DEFAULT_QUEUE].pending == 3
        done.set()
        for handle in handles:
            await handle.result(timeout=PATIENCE)
    assert (wide.ever, narrow.ever) == (2, 2)


async def test_a_gate_that_says_nothing_is_asked_again_after_a_while(app: App) -> None:
    @dataclass
    class Quiet(Gate):
        seats: int = 0

        def room(self) -> int:
            return self.seats

        async def __call__(self, call: Call, next: Next) -> Any:
            return await next(call)

    @app.task
    async def work() -> None: ...

    gate = Quiet()
    handle = await work.push()
    async with working(app, middleware=[gate], poll=0.02):
        await asyncio.sleep(0.05)
        gate.seats = 1
        await handle.result(timeout=PATIENCE)


async def test_a_gate_forgets_a_worker_that_has_ended_and_serves_the_next(app: App) -> None:
    @app.task
    async def work() -> None: ...

    gate = AtMost(1)
    for name in ("first", "second"):
        async with working(app, name=name, middleware=[gate], poll=3_600):
            for handle in await work.push_many({} for _ in range(3)):
                await handle.result(timeout=PATIENCE)
        assert gate._listeners == []


async def test_a_gate_that_is_listed_twice_is_refused_because_a_run_would_wait_behind_itself(app: App) -> None:
    gate = AtMost(1)
    app.middleware = (gate,)

    @app.task
    async def work() -> None: ...

    with pytest.raises(InvalidValue, match="The same AtMost is listed twice"):
        app.worker(middleware=[AtMost(1), gate])


async def test_a_worker_whose_loop_has_just_ended_fails_no_run_that_opens_a_shared_gate(app: App) -> None:
    @app.task
    async def work() -> None: ...

    gate = AtMost(1)
    heard: list[Callable[[], None]] = []

    async def work_there() -> None:
        async with app, working(app, name="there", middleware=[gate]):
            heard.extend(gate._listeners)

    await asyncio.to_thread(asyncio.run, work_there())
    gate.on_change(heard[0])  # as one finds it who began to tell all of them while it was there
    gate.changed()


async def test_a_gate_that_workers_in_two_threads_share_wakes_both(app: App) -> None:
    held = asyncio.Event()

    @app.task(queue="here")
    async def here() -> None:
        await held.wait()

    @app.task(queue="there")
    async def there() -> int:
        return threading.get_ident()

    gate = AtMost(1)
    stop = threading.Event()
    quiet: dict[str, Any] = {"middleware": [gate], "poll": 3_600, "lease_ttl": 3_600, "heartbeat_every": 600, "housekeeping": 600}

    async def work_there() -> None:
        async with app, working(app, name="there", queues=["there"], **quiet):
            await asyncio.to_thread(stop.wait, PATIENCE)

    async with working(app, name="here", queues=["here"], **quiet):
        first = await here.push()
        await eventually(lambda: gate.running == 1)
        thread = asyncio.create_task(asyncio.to_thread(asyncio.run, work_there(), debug=True))  # which refuses calls from other threads
        second = await there.push()
        await eventually(lambda: len(gate._listeners) == 2)
        held.set()
        assert await second.result(timeout=PATIENCE) != threading.get_ident()
        await first.result(timeout=PATIENCE)
        stop.set()
        await thread
