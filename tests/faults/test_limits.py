"""Several worker processes, one of them killed: never more tasks at once than the limits allow, and in order where that is asked for."""

import asyncio
import collections
import json
import subprocess
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from queue_core.expose import Connected
from queue_core.ids import QueueName
from queue_core.limits import Limits
from tests.faults.test_crashes import new, opened, push, until, work_counts
from tests.faults.workers import ROOT, Site, site
from tests.stores import ON_EVERY_SERVED_STORE

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


# --- keys ------------------------------------------------------------------------------------------------------

PUSHERS, EACH, WARM_UP = 4, 120, 5


async def race(place: Site, rules: dict[str, Any], *, kill: bool = False) -> tuple[Connected, int]:
    """Let four processes push one key, forty-eight at once, while two workers run what comes. How many tasks that made."""
    connected = await opened(place)
    workers = [place.worker(name, lease_ttl=2.0) for name in ("one", "two")]
    await push(connected, *(new("mark", number=10_000 + number) for number in range(WARM_UP)))
    await until(connected, "the workers working", lambda counts: counts.done == WARM_UP, place)
    words = [[str(number * EACH), str(EACH), json.dumps(rules)] for number in range(PUSHERS)]
    pushers = [
        subprocess.Popen([sys.executable, "-m", "tests.faults.pushing", *each], cwd=ROOT, env=place.environment(), stdout=subprocess.PIPE)
        for each in words
    ]
    place.processes += pushers
    if kill:
        await until(connected, "some tasks done", lambda counts: counts.done > WARM_UP, place)
        workers[0].kill()
    made = [await asyncio.to_thread(pusher.communicate, timeout=90) for pusher in pushers]
    await until(connected, "every task done", lambda counts: counts.live == 0, place)
    return connected, sum(int(out) for out, _ in made)


@ON_EVERY_SERVED_STORE
async def test_two_tasks_of_a_key_that_is_unique_while_live_never_run_at_once(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected, created = await race(place, {"unique": "live"})
        counts = await work_counts(connected)
        assert (counts.done, counts.killed) == (WARM_UP + created, 0) and created > 1
        events = [line.split()[:2] for line in place.diary.read_text().splitlines()[WARM_UP:]]
        assert [event for event, _ in events] == ["start", "end"] * created, "one ends before the next begins"
        assert all(start[1] == end[1] for start, end in zip(events[::2], events[1::2], strict=True))
        await connected.backend.close()


@ON_EVERY_SERVED_STORE
async def test_the_last_of_many_debounced_pushes_is_run_whoever_dies(store_url: str, tmp_path: Path) -> None:
    with site(store_url, tmp_path) as place:
        connected, created = await race(place, {"debounce": 0.02, "debounce_max": 0.05}, kill=True)
        last = replace(new("step", number=9_999, pause=0.0), key="k", debounce=0.02)
        [pushed] = await connected.backend.push([last])
        await until(connected, "every task done", lambda counts: counts.live == 0, place)
        counts = await work_counts(connected)
        assert (counts.done, counts.killed) == (WARM_UP + created + pushed.created, 0)
        assert place.runs("end")[9_999] == 1
        await connected.backend.close()
