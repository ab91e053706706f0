"""However much there is to remove, no transaction of retention is a long one."""

from collections.abc import AsyncIterator
from dataclasses import replace
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


async def _asked(connected: Connected, monkeypatch: pytest.MonkeyPatch, retention: Retention) -> set[str]:
    """The statements of one pruning."""
    store = connected.backend._store
    asked: set[str] = set()

    def noted(ask: Any) -> Any:
        def asking(name: str, /, **values: Any) -> Any:
            asked.add(name)
            return ask(name, **values)

        return asking

    async def write(operation: Any, *arguments: Any) -> Any:
        async def noting(tx: Any) -> Any:
            return await operation(Noting(tx, asked), *arguments)

        return await original(noting)

    original = store.write
    with monkeypatch.context() as patched:
        patched.setattr(store, "rows", noted(store.rows))
        patched.setattr(store, "write", write)
        await connected.backend.prune(retention)
    return asked


class Noting:
    """A transaction whose statements are noted."""

    def __init__(self, tx: Any, asked: set[str]) -> None:
        self._tx, self._asked = tx, asked

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tx, name)
        if name not in {"run", "many", "row", "rows"}:
            return found

        def asking(statement: str, /, *rows: Any, **values: Any) -> Any:
            self._asked.add(statement)
            return found(statement, *rows, **values)

        return asking


AGE_ONLY = Retention(done=None, killed=None)


async def test_a_retention_without_a_number_asks_nothing_that_one_with_a_number_asks(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of these statements goes through which index, test_plans.py of each store says."""
    await _done_with_a_log(connected)
    usual = await _asked(connected, monkeypatch, AGE_ONLY)
    assert await _asked(connected, monkeypatch, replace(AGE_ONLY, most_done=1)) - usual == {"counts"}
    assert await _asked(connected, monkeypatch, replace(AGE_ONLY, most_done=0)) - usual == {
        "counts", "ended_tasks", "prunable", "delete_some_logs", "delete_attempts", "delete_logs", "delete",
    }  # fmt: skip


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
