"""What goes wrong with a server is said in one sentence with a cure, and only what may be stored is taken for stored."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from queue_core.backends.postgres import pusher, reader
from queue_core.conformance.helpers import PATIENCE, ack_of, new_task, registration, running
from queue_core.errors import InvalidValue, StoreUnavailable
from queue_core.expose import Connected, connect
from queue_core.outcome import Succeeded
from queue_core.task import DEFAULT_QUEUE
from queue_core.worker.settings import Settings
from tests.line import Line

pytestmark = pytest.mark.postgres


@pytest.fixture
def line(postgres_store: str) -> Iterator[Line]:
    with Line(postgres_store) as line:
        yield line


@pytest.fixture
async def distant(line: Line) -> AsyncIterator[Connected]:
    """A store behind an unreliable line."""
    store = connect(line.url)
    await store.backend.open()
    yield store
    line.go_on()
    await store.backend.close()


def close(line: Line) -> None:
    line.refuse()
    line.cut()


async def test_every_call_says_once_that_nobody_answers(distant: Connected, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "PATIENCE", 0.1)
    claim = await running(distant)
    close(line)
    calls = (
        distant.backend.push([new_task()]),
        distant.backend.ack([ack_of(claim, Succeeded())]),
        distant.backend.claim(claim.lease.boot, [claim.queue], names=None, limit=1),
        distant.backend.rescue(),
        distant.expose.counts(),
        connect(line.url).backend.open(),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            await call
        said = str(caught.value)
        assert said.startswith("The store postgresql://")
        assert said.count("cannot be used: nothing answers there. Start the server, or correct the URL (") == 1
        assert said.count("The store") == 1


async def test_an_id_that_is_taken_is_refused_after_an_outage_too(distant: Connected, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    [first] = await distant.backend.push([new_task()])
    close(line)
    monkeypatch.setattr(pusher, "PATIENCE", 0.1)
    with pytest.raises(StoreUnavailable):
        await distant.backend.push([new_task()])
    monkeypatch.setattr(pusher, "PATIENCE", PATIENCE)
    push = asyncio.ensure_future(distant.backend.push([new_task("another", id=first.task.id)]))
    await asyncio.wait([push], timeout=0.1)
    assert not push.done()
    line.go_on()
    with pytest.raises(InvalidValue, match="id must be new"):
        await push


def test_a_worker_that_prunes_as_often_as_usual_keeps_a_connection_to_read_with() -> None:
    longest_pause = 1.2 * Settings(name="usual", queues=(DEFAULT_QUEUE,), concurrency=1).housekeeping
    assert longest_pause < reader.IDLE


async def test_of_two_workers_of_one_name_that_register_at_the_same_moment_one_is_refused(postgres_store: str) -> None:
    stores = [connect(postgres_store) for _ in range(2)]
    for store in stores:
        await store.backend.open()
    for round in range(10):
        twins = [registration(f"twin-{round}") for _ in range(2)]
        outcomes = await asyncio.gather(*(store.backend.register(twin) for store, twin in zip(stores, twins, strict=True)), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Rescued", "WorkerNameTaken"], outcomes
    for store in stores:
        await store.backend.close()


@pytest.mark.parametrize("moment", range(12))
async def test_a_store_whose_closing_is_cancelled_leaves_no_connection_behind(postgres_store: str, moment: int) -> None:
    store = connect(postgres_store)
    await store.backend.open()
    await store.backend.push([new_task()])
    here = store.backend._store.here
    closing = asyncio.ensure_future(store.backend.close())
    for _ in range(moment):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await store.backend.close()
    assert [line._connection for line in (here._desk, here._pushes, here._claims, here._acks)] == [None] * 4
    assert not here._signals._background


async def test_a_push_whose_key_is_in_an_open_transaction_lets_the_others_go_first(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "PATIENCE", 1.0)
    async with opened(postgres_store) as store, holding_key(postgres_store, store, "K3"):
        same = [asyncio.ensure_future(store.backend.push([new_task(key="K3")])) for _ in range(3)]
        others = [asyncio.ensure_future(store.backend.push([new_task(key=key)])) for key in (None, "K4", None)]
        for [pushed] in await asyncio.gather(*others):
            assert pushed.created
        assert not any(push.done() for push in same)
        for refused in await asyncio.gather(*same, return_exceptions=True):
            assert isinstance(refused, StoreUnavailable)
            assert "another session holds a lock" in str(refused)


@pytest.mark.parametrize("mode", ["listen", "poll"])
async def test_a_push_whose_key_becomes_free_is_stored_or_finds_its_twin(postgres_store: str, mode: str) -> None:
    async with opened(f"{postgres_store}&mode={mode}" if "?" in postgres_store else f"{postgres_store}?mode={mode}") as store:
        async with holding_key(postgres_store, store, "K3") as first:
            waiting = asyncio.ensure_future(store.backend.push([new_task(key="K3")]))
            [other] = await store.backend.push([new_task()])
            assert other.created
            assert not waiting.done()
            await first.commit()
        [pushed] = await asyncio.wait_for(waiting, PATIENCE)
        assert not pushed.created


async def test_closing_waits_for_a_push_that_waits_for_a_key(postgres_store: str) -> None:
    async with opened(postgres_store) as store, holding_key(postgres_store, store, "K3") as first:
        waiting = asyncio.ensure_future(store.backend.push([new_task(key="K3")]))
        await store.backend.push([new_task()])
        closing = asyncio.ensure_future(store.backend.close())
        await asyncio.sleep(0)
        await first.commit()
        await asyncio.wait_for(closing, PATIENCE)
        assert not (await waiting)[0].created


async def test_a_read_has_its_whole_time_however_long_it_waited_for_a_connection(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def noted(connection: object, seconds: float) -> contextlib.AbstractContextManager[None]:
        given.append(seconds)
        return contextlib.nullcontext()

    async with opened(postgres_store) as store:
        pool = store.backend._store.here._reader._pool
        taken = [await pool.acquire() for _ in range(reader.READERS)]
        monkeypatch.setattr(reader, "limited", noted)
        waiting = asyncio.ensure_future(store.expose.counts())
        await asyncio.sleep(0.2)
        for connection in taken:
            await pool.release(connection)
        await waiting
    assert given == [reader.ANSWER_LIMIT]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connected]:
    store = connect(url)
    await store.backend.open()
    try:
        yield store
    finally:
        await store.backend.close()


@asynccontextmanager
async def holding_key(url: str, store: Connected, key: str) -> AsyncIterator[Any]:
    """A transaction, not yet committed, that pushed a task with this key into a queue that is known."""
    await store.backend.push([new_task()])
    connection: Any = await asyncpg.connect(url.partition("?")[0])
    transaction = connection.transaction()
    await transaction.start()
    try:
        await store.backend.push_in(connection, [new_task(key=key)])
        yield transaction
    finally:
        await connection.close()
