"""What one process tells the others: little, soon, and again after the connection that carried it broke."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from queue_core.backends.postgres import signals
from queue_core.backends.postgres.signals import Message
from queue_core.backends.relational.tally import Changes
from queue_core.conformance.helpers import PATIENCE, new_task, settle_down
from queue_core.expose import Connected, Topic, connect, queue_topic
from queue_core.ids import QueueName, new_boot_id
from tests.core.steps import eventually

MAIL, ETL = QueueName("mail"), QueueName("etl")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connected]:
    store = connect(url)
    await store.backend.open()
    yield store
    await store.backend.close()


def below(store: Connected) -> Any:
    """What its contract stands on."""
    backend: Any = store.backend
    return backend._store.here


@asynccontextmanager
async def listening(url: str) -> "AsyncIterator[tuple[Any, Any]]":
    """The signals of a store that hears, and the wake-ups of a worker of the queue mail on it, which is quiet."""
    async with opened(url) as store, store.backend.wakeups(new_boot_id(), [MAIL]) as wakeups:
        while not await wakeups.wait(0.05):  # it is rung once, for what it may have missed
            pass
        await settle_down(wakeups)
        yield below(store)._signals, wakeups


@asynccontextmanager
async def overhearing(url: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Every message of the store at ``url``, as it comes."""
    heard: list[dict[str, Any]] = []
    connection = await asyncpg.connect(url.partition("?")[0])
    await connection.add_listener(url.rpartition("schema=")[2], lambda *said: heard.append(json.loads(said[3])))
    yield heard
    await connection.close()


async def test_after_one_message_the_next_waits_and_names_each_queue_once(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "WORK_WINDOW", 2.0)
    async with opened(postgres_store) as producer, overhearing(postgres_store) as heard:
        await producer.backend.push([new_task(queue=MAIL)])
        await eventually(lambda: len(heard) == 1)
        for queue in (MAIL, ETL, MAIL, ETL, MAIL):
            await producer.backend.push([new_task(queue=queue)])
        await eventually(lambda: len(heard) == 2)
        await producer.backend.close()
    assert [message["w"] for message in heard] == [["mail"], ["etl", "mail"]]


async def test_a_push_to_another_queue_wakes_nobody(postgres_store: str) -> None:
    async with opened(postgres_store) as producer, listening(postgres_store) as (_, wakeups), overhearing(postgres_store) as heard:
        await producer.backend.push([new_task(queue=ETL)])
        await eventually(lambda: bool(heard))
        assert not await wakeups.wait(0.0)
        await producer.backend.push([new_task(queue=MAIL)])
        assert await wakeups.wait(PATIENCE)


async def test_what_was_missed_while_the_connection_was_lost_is_looked_for(postgres_store: str, pg_url: str) -> None:
    async with opened(postgres_store) as producer, listening(postgres_store) as (own, wakeups):
        for _ in range(2):
            pid = own._connection.get_server_pid()
            await terminate(pg_url, pid)
            assert await wakeups.wait(PATIENCE), "anything may have changed meanwhile"
            assert own._connection.get_server_pid() != pid
            await settle_down(wakeups)
        await producer.backend.push([new_task(queue=MAIL)])
        assert await wakeups.wait(PATIENCE)


async def test_what_could_not_be_told_is_told_on_the_next_connection(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(postgres_store) as (_, wakeups), listening(postgres_store) as (own, _), opened(postgres_store) as reader:
        real = signals.Signals._notify
        failed: list[str] = []

        async def lossy(self: signals.Signals, connection: Any, payload: str) -> None:
            if self is own and not failed:
                failed.append(payload)
                connection.terminate()
                raise ConnectionResetError("the connection was lost")
            await real(self, connection, payload)

        monkeypatch.setattr(signals.Signals, "_notify", lossy)
        own.tell(Changes({queue_topic(MAIL): 1}, frozenset([MAIL]), frozenset()), True)
        assert await wakeups.wait(PATIENCE)
        assert len(failed) == 1
        assert await reader.expose.counts() == {}


async def test_in_poll_mode_changes_are_looked_for_without_a_connection_to_listen_on(postgres_store: str) -> None:
    async with opened(postgres_store) as producer, opened(f"{postgres_store}&mode=poll") as store:
        async with store.backend.wakeups(new_boot_id(), [MAIL]) as wakeups:
            await producer.backend.push([new_task(queue=MAIL)])
            assert await wakeups.wait(PATIENCE)
        assert below(store)._signals._connection is None


async def terminate(url: str, pid: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)
    await connection.close()


# --- messages --------------------------------------------------------------------------------------------


def message_of(*queues: str, topics: tuple[str, ...] = ()) -> Message:
    message = Message()
    message.add(Changes(dict.fromkeys(map(Topic, topics), 1), frozenset(queues), frozenset()), True)
    return message


def test_a_message_is_read_as_it_was_meant() -> None:
    told = message_of("mail", topics=(queue_topic(MAIL), "workers"))
    told.add(Changes({}, frozenset(["etl"]), frozenset(["boot"])), False)
    heard = Message.decoded(told.encoded("me"))
    assert heard == Message("me", {"mail", "etl"}, {Topic("workers")}, {"boot"}, True)  # the topic of a queue with work goes without saying


def test_a_message_without_content_is_none_to_send() -> None:
    assert not Message()
    assert message_of("mail").is_work and not message_of(topics=("workers",)).is_work
    assert message_of(topics=("workers",))


def test_a_message_that_is_too_long_says_that_anything_may_have_changed() -> None:
    payload = message_of(*(f"queue {number} ü" * 10 for number in range(200))).encoded("me")
    assert len(payload.encode()) < 8_000
    assert Message.decoded(payload) is None


@pytest.mark.parametrize("payload", ["", "hello", "[]", "3", "null", '{"w": 3}', '{"w": [1], "t": 5}', "\x00"])
def test_somebody_elses_message_means_that_anything_may_have_changed(payload: str) -> None:
    assert Message.decoded(payload) is None
