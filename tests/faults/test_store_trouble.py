"""A store that is locked while a worker uses it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.faults.test_crashes import new, opened, push, until
from tests.faults.workers import eventually, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def test_a_worker_waits_out_a_locked_file_and_loses_nothing(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected = await opened(place)
        await push(connected, *(new("step", number=number) for number in range(200)))
        process = place.worker("patient", lease_ttl=30)
        eventually("work going on", lambda: len(place.events("end")) >= 20, site=place)

        intruder = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(3)
        assert process.poll() is None, place.logs()
        intruder.execute("ROLLBACK")
        intruder.close()

        await until(connected, "every task done", lambda counts: counts.done == 200, place)
        assert set(place.runs().values()) == {1}, "a lock is no crash: nothing ran twice"
        await connected.backend.close()
