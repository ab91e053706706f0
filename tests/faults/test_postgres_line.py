"""A line that carries nothing and says nothing, and messages that nobody hears."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

from queue_core import App, NewTask, Status, StoreUnavailable
from queue_core.backends.postgres import line as connections
from queue_core.backends.postgres import pulse, pusher, reader, signals
from queue_core.backends.relational import waiting
from queue_core.errors import NotConnected
from queue_core.events import StoreLost
from queue_core.expose import ALL_TOPICS, Actor
from queue_core.ids import TaskId, new_boot_id
from queue_core.outcome import Succeeded, settle
from queue_core.task import DEFAULT_QUEUE, Lease
from queue_core.worker_info import Beat, WorkerState
from tests.core.steps import PATIENCE, becomes, eventually, working
from tests.faults.postgres import Outsider, own_database
from tests.line import Line

pytestmark = pytest.mark.postgres
ME = Actor(name="olga")
LONG = 3_600.0


@pytest.fixture
async def outsider(pg_url: str) -> AsyncIterator[Outsider]:
    async with own_database(pg_url) as outsider:
        yield outsider


@pytest.fixture
def line(outsider: Outsider) -> Iterator[Line]:
    with Line(outsider.url) as line:
        yield line


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits are tenths of what they are."""
    monkeypatch.setattr(connections, "CONNECT_LIMIT", 0.5)
    monkeypatch.setattr(connections.Line.__init__, "__kwdefaults__", {"limit": 0.5, "lock_limit": None})
    monkeypatch.setattr(pulse, "BEAT_LIMIT", 0.4)
    monkeypatch.setattr(reader, "WAIT_LIMIT", 0.5)
    monkeypatch.setattr(pusher, "PATIENCE", 0.5)
    monkeypatch.setattr(signals, "PING_EVERY", 0.5)
    monkeypatch.setattr(signals, "ANSWER_LIMIT", 0.3)


async def listeners(outsider: Outsider) -> set[int]:
    found = await outsider.connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'prinia signals'"
    )
    return {row[0] for row in found}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("cut", [False, True], ids=["delivered late", "lost"])
async def test_a_worker_goes_on_after_a_line_that_was_half_open(outsider: Outsider, line: Line, cut: bool) -> None:
    troubles: list[str] = []
    async with App(outsider.url) as producer, App(line.url) as app:

        async def work(number: int) -> int:
            return number

        app.task(work)
        step = producer.task(work)
        async with working(
            app,
            poll=LONG,
            lease_ttl=60,
            housekeeping=0.3,
            on_event=lambda event: troubles.append(event.error) if isinstance(event, StoreLost) else None,
        ):
            assert await (await step.push(1)).result(timeout=PATIENCE) == 1
            line.hold()
            handle = await step.push(2)
            await eventually(lambda: any("did not answer in time" in trouble for trouble in troubles), what="the worker noticing")
            if cut:
                line.refuse()
                await listeners(outsider)  # a moment in which no connection remains half accepted
                line.cut()
            line.go_on()
            assert await handle.result(timeout=PATIENCE) == 2


@pytest.mark.usefixtures("hasty")
async def test_a_listener_whose_line_is_half_open_is_replaced(outsider: Outsider, line: Line) -> None:
    async with App(line.url) as app, app.backend.wakeups(new_boot_id(), [DEFAULT_QUEUE]) as wakeups:
        assert await wakeups.wait(PATIENCE), "it listens"
        before = await listeners(outsider)
        line.hold()
        pinged = asyncio.Event()

        async def end(connection: connections.Connection) -> None:
            pinged.set()
            await connections.end(connection)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signals, "end", end)
            await asyncio.wait_for(pinged.wait(), PATIENCE)
        line.go_on()

        async def replaced() -> bool:
            return bool(after := await listeners(outsider)) and before.isdisjoint(after)

        await eventually(replaced, what="another listener")
        async with App(outsider.url) as producer:
            while await wakeups.wait(0.1):
                pass
            await producer.push([NewTask(name="work", args=b"{}")])
            assert await wakeups.wait(PATIENCE), "it hears"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("query", ["", "?mode=poll"])
async def test_every_call_and_the_end_of_the_store_take_a_bounded_time_on_a_half_open_line(line: Line, query: str) -> None:
    boot = new_boot_id()

    def calls(app: App) -> list[Awaitable[object]]:
        return [
            app.push([NewTask(name="work", args=b"{}")]),
            app.backend.claim(boot, [DEFAULT_QUEUE], names=None, limit=1),
            app.backend.ack([settle(Lease(TaskId("nobody's"), boot, 1), Succeeded(), attempt=1, max_attempts=1, ran_for=0.0)]),
            app.backend.rescue(),
            app.expose.counts(),
            asyncio.to_thread(app.backend.heartbeat, Beat(boot=boot, state=WorkerState.RUNNING, running=0)),
        ]

    async with App(line.url + query) as app:
        await asyncio.gather(*calls(app))
        line.hold()
        for outcome in await asyncio.wait_for(asyncio.gather(*calls(app), return_exceptions=True), PATIENCE):
            assert isinstance(outcome, StoreUnavailable) and "in time" in str(outcome)
        with pytest.raises(StoreUnavailable, match="in time"):
            await asyncio.wait_for(App(line.url).open(), PATIENCE)
        unfinished = asyncio.gather(*calls(app), return_exceptions=True)
        await asyncio.wait_for(app.close(), PATIENCE)
        assert not [outcome for outcome in await asyncio.wait_for(unfinished, PATIENCE) if not isinstance(outcome, (StoreUnavailable, NotConnected))]
        line.cut()


# --- messages that nobody hears --------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def deaf(outsider: Outsider, line: Line) -> AsyncIterator[None]:
    """Let whoever is behind the line hear nothing, while all its other connections go on."""
    line.refuse()
    before = await listeners(outsider)
    await outsider.terminate("signals")

    async def gone() -> bool:
        return before.isdisjoint(await listeners(outsider))

    await eventually(gone, what="the end of the listener")
    yield
    line.go_on()


async def test_a_worker_that_missed_messages_finds_new_work_and_kill_requests(outsider: Outsider, line: Line) -> None:
    started = asyncio.Event()
    async with App(outsider.url) as producer, App(line.url) as app:

        async def work(number: int) -> int:
            if number == 1:
                started.set()
                await asyncio.sleep(LONG)
            return number

        app.task(work)
        step = producer.task(work)
        async with working(app, poll=LONG, lease_ttl=4 * LONG, heartbeat_every=LONG):
            running = await step.push(1)
            await asyncio.wait_for(started.wait(), PATIENCE)
            async with deaf(outsider, line):
                await running.kill()
                waiting = await step.push(2)
                await producer.expose.pause(DEFAULT_QUEUE, actor=ME)
                await producer.expose.resume(DEFAULT_QUEUE, actor=ME)
            await becomes(running, Status.KILLED)
            assert await waiting.result(timeout=PATIENCE) == 2


async def test_whoever_watches_or_waits_and_missed_messages_looks_at_everything(
    outsider: Outsider, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN", LONG)
    async with App(outsider.url) as elsewhere, App(line.url) as app:
        [pushed] = await elsewhere.push([NewTask(name="work", args=b"{}")])
        watch: Any = app.expose.watch()
        assert await asyncio.wait_for(anext(watch), PATIENCE) == {ALL_TOPICS}
        ended = asyncio.ensure_future(anext(app.backend.wait_for([pushed.task.id])))
        async with deaf(outsider, line):
            await elsewhere.expose.kill([pushed.task.id], actor=ME)
        while ALL_TOPICS not in await asyncio.wait_for(anext(watch), PATIENCE):
            pass
        assert (await asyncio.wait_for(ended, PATIENCE)).status is Status.KILLED
        await watch.aclose()
