"""Connections that end at any moment: what was acknowledged is there, once, and everything goes on by itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from queue_core import App, NewTask, StoreUnavailable
from queue_core.events import Event, LeaseLost
from queue_core.expose import Counts
from queue_core.task import DEFAULT_QUEUE
from tests.core.steps import PATIENCE, eventually, working
from tests.faults.postgres import Outsider, own_database
from tests.line import Line

BLOWS = 12
IN_BETWEEN = 20
"""How many tasks are pushed and done between two blows."""
GATE = """
CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(4711);
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON prinia_tasks DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass_gate();
"""
"""Lets pushes commit only while nobody holds an advisory lock."""
CLOSED = "SELECT pg_advisory_xact_lock(4711)"


@pytest.fixture
async def outsider(pg_url: str) -> AsyncIterator[Outsider]:
    async with own_database(pg_url) as outsider:
        yield outsider


@pytest.fixture
def line(outsider: Outsider) -> Iterator[Line]:
    with Line(outsider.url) as line:
        yield line


async def test_nothing_is_lost_or_doubled_while_all_connections_are_ended_again_and_again(outsider: Outsider) -> None:
    runs: Counter[int] = Counter()
    acknowledged: set[int] = set()
    enough = asyncio.Event()
    async with App(outsider.url) as app:

        @app.task
        async def step(number: int) -> None:
            runs[number] += 1

        async def produce() -> None:
            number = 0
            while not enough.is_set():
                number += 1
                try:
                    await step.push(number)
                    acknowledged.add(number)
                except StoreUnavailable:
                    pass  # it may be stored, or not
                await asyncio.sleep(0.002)

        async with working(app):
            producing = asyncio.create_task(produce())
            for _ in range(BLOWS):
                pushed, done = len(acknowledged) + IN_BETWEEN, len(runs) + IN_BETWEEN
                await eventually(lambda: len(acknowledged) >= pushed and len(runs) >= done, what="work going on")  # noqa: B023
                assert await outsider.terminate()
            enough.set()
            await producing

            async def nothing_waits() -> bool:
                return not (await app.expose.counts())[DEFAULT_QUEUE].live

            await eventually(nothing_waits, what="the end of all tasks")
        assert acknowledged <= set(runs)
        assert set(runs.values()) == {1}
        assert (await app.expose.counts())[DEFAULT_QUEUE] == Counts(done=len(runs))


# --- answers that are lost -------------------------------------------------------------------------------


def tasks(number: int, **changes: str) -> list[NewTask]:
    return [NewTask(name="work", args=b"{}", **changes) for _ in range(number)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "batch",
    [[tasks(1)], [tasks(1), tasks(1), tasks(3)], [tasks(1, key="only"), tasks(1)], [tasks(2_500)]],
    ids=["one", "several together", "one with a key", "copied"],
)
async def test_a_push_whose_answer_is_lost_returns_and_is_stored_once(outsider: Outsider, line: Line, batch: list[list[NewTask]]) -> None:
    total = sum(len(each) for each in batch)
    async with App(line.url) as app:
        await app.push(tasks(1))
        await outsider.execute(GATE)
        async with outsider.blocking(CLOSED):
            pushes = [asyncio.create_task(app.push(each)) for each in batch]
            await outsider.see_blocked("pushes")
            line.hold()

        async def stored() -> bool:
            return bool(await outsider.value("SELECT count(*) FROM prinia_tasks") == 1 + total)

        await eventually(stored, what="the commit")
        line.cut()
        line.go_on()
        pushed = [one for each in await asyncio.wait_for(asyncio.gather(*pushes), PATIENCE) for one in each]
        assert [one.task.id for one in pushed] == [task.id for each in batch for task in each]
        assert all(one.created for one in pushed)
        assert (await app.expose.counts())[DEFAULT_QUEUE] == Counts(pending=1 + total)


async def test_an_ack_whose_answer_is_lost_is_not_taken_for_a_lost_lease(outsider: Outsider, line: Line) -> None:
    runs: list[int] = []
    lost: list[Event] = []
    go = asyncio.Event()
    async with App(line.url) as app:

        @app.task
        async def work(number: int) -> int:
            runs.append(number)
            await go.wait()
            return number

        async with working(app, on_event=lambda event: lost.append(event) if isinstance(event, LeaseLost) else None):
            handle = await work.push(7)
            await eventually(lambda: bool(runs))
            async with outsider.blocking("SELECT FROM prinia_tasks FOR UPDATE"):
                go.set()
                await outsider.see_blocked("acks")
                line.hold()

            async def committed() -> bool:
                return bool(await outsider.value("SELECT status FROM prinia_tasks") == "Done")

            await eventually(committed, what="the commit")
            line.cut()
            line.go_on()
            assert await handle.result(timeout=PATIENCE) == 7
            after = await work.push(8)
            assert await after.result(timeout=PATIENCE) == 8
        assert (runs, lost) == ([7, 8], [])


async def test_a_claim_whose_answer_is_lost_runs_once_all_the_same(outsider: Outsider, line: Line) -> None:
    runs: list[int] = []
    async with App(line.url) as app:

        @app.task
        async def work(number: int) -> int:
            runs.append(number)
            return number

        async with working(app) as worker:
            assert await (await work.push(1)).result(timeout=PATIENCE) == 1
            worker.pause()
            handle = await work.push(2)
            async with outsider.blocking("LOCK TABLE prinia_changes IN SHARE MODE"):
                worker.resume()
                await outsider.see_blocked("claims")
                line.hold()

            async def leased() -> bool:
                return bool(await outsider.value("SELECT status FROM prinia_tasks WHERE id = $1", handle.id) == "Running")

            await eventually(leased, what="the commit")
            line.cut()
            line.go_on()
            assert await handle.result(timeout=PATIENCE) == 2
            assert (await handle.fetch()).crashes == 0
        assert runs == [1, 2]


async def test_a_read_succeeds_though_connections_broke_while_nobody_used_them(outsider: Outsider) -> None:
    async with App(outsider.url) as app:
        for _ in range(60):
            await asyncio.gather(*(app.expose.counts() for _ in range(3)))
            await outsider.terminate("reads")
            await asyncio.gather(*(app.expose.counts() for _ in range(3)))
