"""However much there is to remove, no transaction of retention is a long one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from queue_core.backend import Retention
from queue_core.backends.relational import retaining
from queue_core.conformance.helpers import running
from queue_core.conformance.test_logs import line
from queue_core.expose import Connected, LogFilter, connect
from queue_core.outcome import Succeeded, settle
from tests.stores import kinds, url_of

FULL = 7
"""Lines that each task logged."""


@pytest.fixture(params=kinds("sqlite", "postgres"))
def url(request: pytest.FixtureRequest) -> str:
    return url_of(request)


@pytest.fixture
async def connected(url: str) -> AsyncIterator[Connected]:
    store = connect(url)
    await store.backend.open()
    await store.expose.open()
    yield store
    await store.expose.close()
    await store.backend.close()


async def _done_with_a_log(connected: Connected) -> None:
    claim = await running(connected)
    await connected.backend.log([(claim.lease, line(number)) for number in range(1, FULL + 1)])
    await connected.backend.ack([settle(claim.lease, Succeeded(), attempt=1, max_attempts=1, ran_for=0)])


async def _lines(connected: Connected) -> int:
    return len((await connected.expose.list_logs(LogFilter(), limit=1_000)).lines)


async def test_the_logs_of_many_tasks_go_in_many_transactions(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retaining, "BATCH", 5)
    for _ in range(4):
        await _done_with_a_log(connected)
    store = connected.backend._store
    write, removed = store.write, list[int]()

    async def counted(*operation: Any) -> Any:
        before = await _lines(connected)
        result = await write(*operation)
        removed.append(before - await _lines(connected))
        return result

    monkeypatch.setattr(store, "write", counted)
    assert await connected.backend.prune(Retention(done=0, logs=None)) == 4
    assert sum(removed) == 4 * FULL
    assert max(removed) <= 5
    assert await connected.backend.prune(Retention(done=0, logs=None)) == 0
