"""Whoever waits for a task goes on waiting while the file cannot be read."""

import asyncio

import pytest

from queue_core.backends.relational import waiting
from queue_core.backends.sqlite import reader
from queue_core.conformance.helpers import PATIENCE, finish, running
from queue_core.errors import StoreUnavailable
from queue_core.expose import Connected
from queue_core.status import Status


async def test_who_waits_for_a_task_waits_out_reads_that_fail(connected: Connected, another: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN", 0.01)
    failures = 0
    rows = reader.Reader.rows

    async def failing(self: reader.Reader, name: str, /, **values: object) -> object:
        nonlocal failures
        if name in {"fetch_final", "stored_ids"} and failures < 5:
            failures += 1
            raise StoreUnavailable("The file cannot be read now.")
        return await rows(self, name, **values)

    runs = await running(connected)
    monkeypatch.setattr(reader.Reader, "rows", failing)
    ended = asyncio.ensure_future(anext(another.backend.wait_for([runs.id], timeout=PATIENCE)))
    await asyncio.sleep(0)
    assert await finish(connected, runs)
    assert (await ended).status is Status.DONE
    assert failures == 5
