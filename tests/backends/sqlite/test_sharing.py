"""Shared operations are coroutines, and the writer runs them without an event loop."""

import asyncio

import pytest

from queue_core.backends.relational.transaction import Transaction
from queue_core.backends.sqlite.sharing import drive
from queue_core.backends.sqlite.store import Store
from queue_core.expose import Connected


@pytest.fixture
def store(connected: Connected) -> Store:
    found: Store = connected.backend._store
    return found


async def answer() -> int:
    return 42


def test_a_coroutine_that_never_waits_is_run_to_its_end_at_once() -> None:
    assert drive(answer()) == 42


async def test_what_an_operation_raises_is_raised_to_its_caller(store: Store) -> None:
    async def fail(tx: Transaction) -> None:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        await store.write(fail)


async def test_an_operation_that_waits_for_something_else_is_an_error_and_stores_nothing(store: Store) -> None:
    async def dawdle(tx: Transaction) -> None:
        await tx.run("name_queue", queue="slow", now=tx.now)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="Await that before the operation"):
        await store.write(dawdle)
    assert await store.rows("queue_names") == []


async def test_a_list_is_looked_in_and_a_text_that_utf8_cannot_hold_is_shown(store: Store) -> None:
    async def name(tx: Transaction) -> list[str]:
        await tx.many("name_queue", [{"queue": queue, "now": tx.now} for queue in ("a", "b\udcff")])
        await tx.run("pause", queue="b\udcff", by="tester", reason=None, now=tx.now)
        return [name for name, *_ in await tx.rows("special_queues", queues=("a", "b\udcff"))]

    assert await store.write(name) == [r"b\udcff"]
    assert await store.rows("special_queues", queues=["a"]) == []
