"""Several worker processes, one of them killed: never more tasks at once than the limits allow, and in order where that is asked for."""

import collections
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from queue_core.ids import QueueName
from queue_core.limits import Limits
from tests.faults.test_crashes import new, opened, push, until
from tests.faults.workers import Site, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
GROUPS = 4


async def test_two_processes_on_a_file_keep_to_the_limits_of_groups(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        await drain(place, tasks=120, workers=("one", "two"))


async def test_four_processes_on_a_server_keep_to_the_limits_of_groups(fresh_postgres_store: str, tmp_path: Path) -> None:
    with site(fresh_postgres_store, tmp_path) as place:
        await drain(place, tasks=200, workers=("one", "two", "three", "four"))


async def drain(place: Site, *, tasks: int, workers: tuple[str, ...]) -> None:
    connected = await opened(place)
    await connected.backend.declare(QueueName("work"), Limits(ordered=True, concurrency=3))
    await push(connected, *(replace(new("step", number=number, pause=0.01), group=f"g{number % GROUPS}") for number in range(tasks)))
    processes = [place.worker(name, lease_ttl=2.0) for name in workers]
    await until(connected, "some tasks done", lambda counts: counts.done > tasks // 4, place)
    processes[0].kill()
    await until(connected, "every task done", lambda counts: counts.live == 0, place)
    for process in processes[1:]:
        process.terminate()
    for process in processes:
        process.wait(15)

    lines = [line.split() for line in place.diary.read_text().splitlines()]
    check_order(lines, dead="one")
    assert collections.Counter(int(number) for event, number, *_ in lines if event == "end") == collections.Counter(range(tasks))
    await connected.backend.close()


def check_order(lines: list[list[str]], dead: str) -> None:
    """The diary is one file that all processes append to, so its order is that of what happened."""
    running: dict[int, int] = {}
    orders: dict[int, list[int]] = {}
    for event, number, _, worker in lines:
        group = int(number) % GROUPS
        if event == "start":
            assert group not in running or worker != dead, "only what the dead worker held is started again"
            running[group] = int(number)
            orders.setdefault(group, []).append(int(number))
            assert len(running) <= 3 + 1, "the dead worker's places are given away after its lease"
        else:
            running.pop(group, None)
    for order in orders.values():
        distinct = [number for number, _ in groupby(order)]
        assert distinct == sorted(distinct), order
