"""A server that stops, crashes, turns read-only or runs out of connections under everything that uses it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from board import Board
from queue_core import App, NewTask, StoreUnavailable
from queue_core.backend import Retention
from queue_core.backends.postgres import pusher
from queue_core.events import Event, LeaseLost, StoreLost
from queue_core.expose import Counts
from queue_core.handle import PROGRAM
from queue_core.task import DEFAULT_QUEUE
from tests import pg
from tests.core.steps import PATIENCE, eventually, working
from tests.faults.postgres import Outsider, own_database
from tests.faults.watching import Watcher
from tests.line import Line
from tests.served import BoardServer

pytestmark = pytest.mark.postgres
SHOWN_DONE = r'id="overview-counts".*?data-status="done".*?class="stat-value">([\d,]+)<'


@contextmanager
def watching(url: str) -> Iterator[Watcher]:
    """Somebody who has the board's first page open."""
    with BoardServer(Board(url)) as board:
        watcher = Watcher(board.url, "/")
        watcher.start()
        yield watcher
    watcher.join()


@pytest.mark.parametrize("crash", [False, True], ids=["stopped and started", "crashed and started"])
async def test_everybody_goes_on_after_the_server_was_away(crash: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "PATIENCE", PATIENCE)
    with pg.Server(durable=True) as server, watching(server.url) as watcher:
        async with App(server.url) as producer, App(server.url) as app:
            runs: Counter[int] = Counter()
            lost: list[Event] = []
            back = asyncio.Event()

            async def work(number: int) -> int:
                runs[number] += 1
                if number < 0:
                    await back.wait()
                return number

            app.task(work)
            step = producer.task(work)
            async with working(app, lease_ttl=60, on_event=lambda event: lost.append(event) if isinstance(event, LeaseLost) else None):
                handles = [await step.push(number) for number in (-1, -2)]
                waiting = [asyncio.create_task(handle.result(timeout=3 * PATIENCE)) for handle in handles]
                await eventually(lambda: len(runs) == 2)
                await producer.push([NewTask(name="later", args=b"{}", run_after=3_600)])  # so that the two claims are on the disk as well
                if crash:
                    await asyncio.to_thread(server.kill)
                starting = asyncio.create_task(asyncio.to_thread(server.restart))
                pushes = [asyncio.create_task(step.push(number)) for number in range(50)]
                await starting
                handles += await asyncio.gather(*pushes)
                back.set()
                assert await asyncio.gather(*waiting) == [-1, -2]
                for number, handle in enumerate(handles[2:]):
                    assert await handle.result(timeout=PATIENCE) == number
            assert runs == Counter(range(-2, 50))
            assert not lost
            assert (await producer.expose.counts())[DEFAULT_QUEUE] == Counts(done=52, pending=1)
            await eventually(lambda: watcher.numbers(SHOWN_DONE)[-1:] == [52], what="the board showing the end")


# --- a server that takes no writes -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def scarce() -> Iterator[pg.Server]:
    """A server that few may use at once, and whose settings a test may change."""
    with pg.Server(settings={"max_connections": "25"}) as server:
        yield server


@pytest.fixture
async def outsider(scarce: pg.Server) -> AsyncIterator[Outsider]:
    async with own_database(scarce.url) as outsider:
        yield outsider


@asynccontextmanager
async def read_only(outsider: Outsider) -> AsyncIterator[None]:
    """Let the server take no writes, in the sessions that are there as well."""
    await outsider.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await outsider.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await outsider.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await outsider.execute("SELECT pg_reload_conf()")


async def test_pushes_and_workers_wait_while_the_server_takes_no_writes(outsider: Outsider, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles: list[str] = []
    async with App(outsider.url) as producer, App(outsider.url) as app:

        async def work(number: int) -> int:
            return number

        app.task(work)
        step = producer.task(work)
        async with working(app, on_event=lambda event: troubles.append(event.error) if isinstance(event, StoreLost) else None):
            assert await (await step.push(1)).result(timeout=PATIENCE) == 1
            async with read_only(outsider):
                await eventually(lambda: any("takes no writes" in trouble for trouble in troubles), what="the worker noticing")
                monkeypatch.setattr(pusher, "PATIENCE", 0.3)
                with pytest.raises(StoreUnavailable, match="takes no writes"):
                    await step.push(2)
                monkeypatch.setattr(pusher, "PATIENCE", PATIENCE)
                patient = asyncio.create_task(step.push(3))
                await asyncio.wait([patient], timeout=0.1)
                assert not patient.done()
            assert await (await patient).result(timeout=PATIENCE) == 3
        assert (await producer.expose.counts())[DEFAULT_QUEUE] == Counts(done=2)


async def test_of_several_hosts_the_one_that_takes_writes_holds_the_store(outsider: Outsider, pg_url: str) -> None:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(own_database(pg_url, outsider.database))
        await stack.enter_async_context(read_only(outsider))
        app = await stack.enter_async_context(App(both(outsider.url, second.url)))

        @app.task
        async def work(number: int) -> int:
            return number

        async with working(app):
            assert await (await work.push(1)).result(timeout=PATIENCE) == 1
        assert await second.value("SELECT count(*) FROM prinia_tasks WHERE status = 'Done'") == 1


async def test_when_the_first_host_is_gone_the_second_is_used(outsider: Outsider) -> None:
    with Line(outsider.url) as first, Line(outsider.url) as second:
        async with App(both(first.url, second.url)) as app:

            @app.task
            async def work(number: int) -> int:
                return number

            async with working(app):
                assert await (await work.push(1)).result(timeout=PATIENCE) == 1
                first.refuse()
                first.cut()
                assert await (await work.push(2)).result(timeout=PATIENCE) == 2


def both(one: str, other: str) -> str:
    """A URL that names the hosts of two others."""
    parts = urlsplit(one)
    return parts._replace(netloc=f"{parts.netloc},{urlsplit(other).netloc.rpartition('@')[2]}").geturl()


# --- a server without a connection to spare --------------------------------------------------------------

DEAD_WORKER = """
INSERT INTO prinia_workers (boot, name, queues, host, pid, process, version, middleware, concurrency, lease_us, state, started_at, last_heartbeat)
VALUES ('dead', 'dead', '[]', 'elsewhere', 1, 'x', '1', '[]', 1, 1, 'running', 1, 1);
UPDATE prinia_tasks SET stage = 2, status = 'Running', attempts = 1, boot = 'dead', worker = 'dead', started_at = 1
WHERE id = '{}'
"""
LATE = "UPDATE prinia_tasks SET expires_at = 1 WHERE id = $1"
OLD = "UPDATE prinia_tasks SET created_at = 1, done_at = 1 WHERE id = $1"


@asynccontextmanager
async def crowded(outsider: Outsider) -> AsyncIterator[None]:
    """Take every connection that the server has left."""
    taken: list[Any] = []
    try:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(outsider.url))
        yield
    finally:
        for connection in taken:
            connection.terminate()


async def test_a_worker_goes_on_when_others_have_taken_every_connection(outsider: Outsider) -> None:
    async with App(outsider.url) as producer, App(outsider.url) as app:

        async def work(number: int) -> int:
            if number == 2:
                await asyncio.sleep(3_600)
            return number

        app.task(work)
        step = producer.task(work)
        old = await step.push(0)
        async with working(app, lease_ttl=4, heartbeat_every=1.5, housekeeping=0.2, retention=Retention(done=60)) as worker:
            await old.result(timeout=PATIENCE)
            async with crowded(outsider):
                with pytest.raises(StoreUnavailable, match=r"the server has no connection left\. Raise max_connections"):
                    await App(outsider.url).open()
                running = await step.push(2)
                await eventually(lambda: worker.running == 1, what="a claim")
                worker.pause()
                late, orphan, fresh = [await step.push(number) for number in (3, 4, 5)]
                await outsider.execute(LATE, late.id)
                await outsider.execute(OLD, old.id)
                await outsider.execute(DEAD_WORKER.format(orphan.id))
                worker.resume()
                await eventually(lambda: outsider.is_in(fresh.id, "Done"), what="a task's run")
                await eventually(lambda: outsider.is_in(orphan.id, "Done"), what="the rescue")
                await eventually(lambda: outsider.is_in(late.id, "Killed"), what="the expiry")
                await eventually(lambda: outsider.is_in(old.id, None), what="the pruning")
                beat = await outsider.value("SELECT max(last_heartbeat) FROM prinia_workers")

                async def has_beaten() -> bool:
                    return bool(await outsider.value("SELECT max(last_heartbeat) FROM prinia_workers") > beat)

                await eventually(has_beaten, what="a heartbeat")
                await app.expose.kill([running.id], actor=PROGRAM)
                await eventually(lambda: outsider.is_in(running.id, "Killed"), what="the kill")
