"""A row that somebody wrote by hand, or another program, stops neither claims nor lists."""

import sqlite3
from pathlib import Path

import pytest

from queue_core.backend import Claims
from queue_core.conformance.helpers import registration
from queue_core.expose import Connected, TaskFilter
from queue_core.task import DEFAULT_QUEUE
from tests.backends.sqlite.helpers import new_task


@pytest.mark.parametrize("column", ["retry", "metadata", "tags"])
@pytest.mark.parametrize("text", ["3", '"x"', "{", '{"min": -1}', "[1]", "\x00"])
async def test_a_column_that_cannot_be_read_concerns_nobody_else(connected: Connected, path: Path, column: str, text: str) -> None:
    pushed = await connected.backend.push([new_task() for _ in range(3)])
    spoiled = pushed[0].task.id
    with sqlite3.connect(path) as by_hand:
        by_hand.execute(f"UPDATE prinia_tasks SET {column} = ? WHERE id = ?", (text, spoiled))
    by_hand.close()
    assert len((await connected.expose.list_tasks(TaskFilter())).tasks) == 3
    assert await connected.expose.fetch(spoiled) is not None
    worker = registration()
    await connected.backend.register(worker)
    claims: Claims = await connected.backend.claim(worker.boot, [DEFAULT_QUEUE], names=None, limit=3, start=3)
    assert [claim.id for claim in claims.tasks] == [one.task.id for one in pushed]
