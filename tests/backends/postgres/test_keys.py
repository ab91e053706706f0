"""Keys whose task is removed at the very moment at which it is pushed again."""

from collections.abc import AsyncIterator, Sequence

import pytest

from queue_core.backends.postgres import producing
from queue_core.backends.postgres.line import Connection
from queue_core.conformance.helpers import listed, new_task, push_one
from queue_core.expose import Connected, connect
from queue_core.task import Task

pytestmark = pytest.mark.postgres


@pytest.fixture
async def connected(postgres_store: str) -> AsyncIterator[Connected]:
    store = connect(postgres_store)
    await store.backend.open()
    yield store
    await store.backend.close()


@pytest.mark.parametrize("others", [0, 3])
async def test_a_key_that_becomes_free_is_taken(connected: Connected, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    twin = await push_one(connected, key="k")
    fetch = producing.fetch

    async def remove_then_fetch(connection: Connection, schema: str, ids: Sequence[str]) -> dict[str, Task]:
        await connection.execute(f'DELETE FROM "{schema}".tasks WHERE id = ANY($1)', list(ids))
        return await fetch(connection, schema, ids)

    monkeypatch.setattr(producing, "fetch", remove_then_fetch)
    new = new_task(key="k")
    pushed = await connected.backend.push([*(new_task() for _ in range(others)), new])
    assert pushed[-1].created
    assert pushed[-1].task.id == new.id
    stored = {task.id for task in await listed(connected)}
    assert stored == {push.task.id for push in pushed}
    assert twin.id not in stored
