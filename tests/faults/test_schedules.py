"""Several processes push the tasks of one schedule, some are killed in the midst of it: one task for each tick, and none is missing."""

import asyncio
import collections
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from queue_core.conformance.helpers import listed
from queue_core.expose import Connected, TaskFilter
from tests.faults.test_crashes import opened
from tests.faults.workers import Site, site
from tests.stores import ON_EVERY_SERVED_STORE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
SECOND = timedelta(seconds=1)
KILLS = 3


@ON_EVERY_SERVED_STORE
async def test_each_tick_is_one_task_though_workers_are_killed(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        steady = place.ticking_worker("steady")
        for life in range(KILLS):
            victim = place.ticking_worker(f"victim-{life}")
            await more_ticks(connected, place)
            victim.send_signal(signal.SIGKILL)
            victim.wait(10)
        steady.send_signal(signal.SIGKILL)
        steady.wait(10)
        heir = place.ticking_worker("heir")
        await more_ticks(connected, place)
        heir.terminate()
        assert heir.wait(15) == 0, place.logs()
        await account(connected)
        await connected.backend.close()


async def more_ticks(connected: Connected, place: Site) -> None:
    """Wait until two more ticks have come."""
    before = len(await listed(connected))
    async with asyncio.timeout(40):
        while len(await listed(connected)) < before + 2:
            assert all(process.poll() in {None, -signal.SIGKILL} for process in place.processes), place.logs()
            await asyncio.sleep(0.05)


async def account(connected: Connected) -> None:
    tasks = [task for summary in await listed(connected, TaskFilter(name="note")) if (task := await connected.expose.fetch(summary.id))]
    ticks = collections.Counter(datetime.fromisoformat(task.metadata["tick"]) for task in tasks)
    assert set(ticks.values()) == {1}, "a tick has two tasks"
    first, last = min(ticks), max(ticks)
    assert set(ticks) == {first + number * SECOND for number in range(round((last - first) / SECOND) + 1)}, "a tick has no task"
