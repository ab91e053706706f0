"""Many tasks, several worker processes, and nobody dies: each handler runs exactly once, and every number is exact."""

import collections
from pathlib import Path

import pytest

from queue_core.conformance.helpers import check_books
from queue_core.expose import Counts
from tests.faults.test_crashes import new, opened, push, until
from tests.faults.workers import Site, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
AT_ONCE = 1_000


async def test_two_processes_run_ten_thousand_tasks_exactly_once(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        await drain(place, tasks=10_000, workers=("one", "two"))


async def test_four_processes_on_a_server_run_fifty_thousand_tasks_exactly_once(fresh_postgres_store: str, tmp_path: Path) -> None:
    with site(fresh_postgres_store, tmp_path) as place:
        await drain(place, tasks=50_000, workers=("one", "two", "three", "four"))


async def drain(place: Site, *, tasks: int, workers: tuple[str, ...]) -> None:
    connected = await opened(place)
    for start in range(0, tasks, AT_ONCE):
        await push(connected, *(new("mark", number=number) for number in range(start, start + AT_ONCE)))
    processes = [place.prinia_worker(name) for name in workers]
    await until(connected, "every task done", lambda counts: counts.live == 0, place)
    for process in processes:
        process.terminate()
    assert [process.wait(15) for process in processes] == [0] * len(workers), place.logs()

    assert place.runs() == collections.Counter(range(tasks))
    assert {worker for _, _, worker in place.events("start")} == set(workers), "all of them took part"
    assert {attempt for _, attempt, _ in place.events("start")} == {1}
    [(_, counts)] = (await connected.expose.counts()).items()
    assert counts == Counts(done=tasks)
    await check_books(connected)
    await connected.backend.close()
