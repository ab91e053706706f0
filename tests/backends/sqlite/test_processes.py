"""Several processes share one file."""

import asyncio
import json
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from queue_core.backends.relational import waiting
from queue_core.backends.sqlite import signals
from queue_core.backends.sqlite.datagrams import folder_of
from queue_core.expose import ALL_TOPICS, Connected, connect, queue_topic
from queue_core.ids import new_boot_id
from queue_core.status import Status
from queue_core.task import DEFAULT_QUEUE, Task
from tests.backends.sqlite.helpers import PATIENCE, new_task, python, registered

OPEN = """
import asyncio, sys
from queue_core.expose import connect

async def main():
    store = connect(sys.argv[1])
    await store.backend.open()
    print(len(await store.expose.counts()))
    await store.backend.close()

asyncio.run(main())
"""

WORK = """
import asyncio, json, os, socket, sys
from queue_core.expose import connect
from queue_core.ids import new_boot_id
from queue_core.outcome import Succeeded, settle
from queue_core.worker_info import Registration

async def main():
    store = connect(sys.argv[1], synchronous="normal")
    await store.backend.open()
    boot = new_boot_id()
    await store.backend.register(Registration(
        boot=boot, name=sys.argv[2], queues=("default",), names=None, host=socket.gethostname(), pid=os.getpid(), process=sys.argv[2],
        version="1", middleware=(), concurrency=7, lease_ttl=30))
    ran = []
    while claims := (await store.backend.claim(boot, ["default"], names=None, limit=7, start=7)).tasks:
        acks = [settle(claim.lease, Succeeded(), attempt=1, max_attempts=5, ran_for=0.0) for claim in claims]
        assert all(await store.backend.ack(acks))
        ran += [claim.id for claim in claims]
    await store.backend.deregister(boot)
    await store.backend.close()
    print(json.dumps(ran))

asyncio.run(main())
"""

PUSH = """
import asyncio, sys
from queue_core.expose import connect
from queue_core.task import NewTask

async def main():
    store = connect(sys.argv[1])
    await store.backend.open()
    await store.backend.push([NewTask(name="work", args=b"", queue=sys.argv[2])])
    await store.backend.close()

asyncio.run(main())
"""


async def test_eight_processes_may_make_the_same_store_at_once(url: str, path: Path) -> None:
    assert set(await asyncio.gather(*(python(OPEN, url) for _ in range(8)))) == {"0\n"}
    assert sqlite3.connect(path).execute("SELECT count(*) FROM prinia_migrations").fetchone()[0] >= 1


async def test_two_processes_run_each_task_once(connected: Connected, url: str) -> None:
    tasks = [new_task() for _ in range(1_000)]
    await connected.backend.push(tasks)
    outputs = await asyncio.gather(*(python(WORK, url, f"worker {number}") for number in range(2)))
    ran = Counter(id for output in outputs for id in json.loads(output))
    assert ran == Counter(task.id for task in tasks)
    assert (await connected.expose.counts())[DEFAULT_QUEUE].done == len(tasks)


@pytest.fixture(params=["datagrams", "polling"])
def link(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By what processes hear of one another."""
    if request.param == "polling":
        monkeypatch.setattr(signals, "AVAILABLE", False)
    return str(request.param)


async def test_a_push_elsewhere_wakes_the_workers_of_its_queue(link: str, url: str) -> None:
    store = connect(url)
    await store.backend.open()
    async with store.backend.wakeups(new_boot_id(), ["default"]) as wakeups:
        while await wakeups.wait(0.05):
            pass
        waiting = asyncio.ensure_future(wakeups.wait(PATIENCE))
        await python(PUSH, url, "default")
        assert await waiting
    await store.backend.close()


async def test_a_push_elsewhere_is_seen_by_watchers_with_its_topic(link: str, url: str) -> None:
    store = connect(url)
    await store.backend.open()
    watch = store.expose.watch()
    await anext(watch)
    await python(PUSH, url, "letters")
    seen = set(await asyncio.wait_for(anext(watch), PATIENCE))
    while queue_topic("letters") not in seen:
        seen |= await asyncio.wait_for(anext(watch), PATIENCE)
    await store.backend.close()


async def test_somebodys_own_sql_wakes_workers_and_watchers(connected: Connected, path: Path) -> None:
    async with connected.backend.wakeups(new_boot_id(), ["default"]) as wakeups:
        watch = connected.expose.watch()
        await anext(watch)
        first = asyncio.ensure_future(anext(watch))
        while await wakeups.wait(0.05):
            pass
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (id INTEGER)")
        other.commit()
        other.close()
        assert await wakeups.wait(PATIENCE)
        assert ALL_TOPICS in await asyncio.wait_for(first, PATIENCE)


async def test_one_commit_is_told_once(connected: Connected) -> None:
    watch = connected.expose.watch()
    await anext(watch)
    await connected.backend.push([new_task()])
    seen = set(await asyncio.wait_for(anext(watch), PATIENCE))
    again = asyncio.ensure_future(anext(watch))
    done, _ = await asyncio.wait([again], timeout=2 * signals.SLOW_POLL)
    assert queue_topic("default") in seen
    assert not done
    again.cancel()


async def test_sockets_are_private_and_go_with_the_store(url: str, path: Path) -> None:
    store = connect(url)
    await store.backend.open()
    folder = folder_of(path)
    async with store.backend.wakeups(new_boot_id(), ["default"]):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(list(folder.iterdir())) == 1
    await store.backend.close()
    assert not folder.exists()


async def test_a_socket_of_a_dead_process_is_swept(connected: Connected, path: Path) -> None:
    folder = folder_of(path)
    folder.mkdir(mode=0o700, exist_ok=True)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(folder / "dead.work"))
    dead.close()
    await connected.backend.push([new_task()])
    async with connected.backend.wakeups(new_boot_id(), ["default"]):
        await connected.backend.push([new_task()])
    assert not (folder / "dead.work").exists()


async def test_the_journal_stays_bounded_with_a_reader_open(connected: Connected, path: Path) -> None:
    boot = await registered(connected)
    for _ in range(20):
        await connected.backend.push([new_task(args=b"x" * 2_000) for _ in range(500)])
        await connected.backend.claim(boot, ["default"], names=None, limit=1)
        await connected.expose.counts()
    assert path.with_name(path.name + "-wal").stat().st_size < 64 * 1024 * 1024


async def test_a_task_that_ends_elsewhere_is_heard_of_by_whoever_waits_for_it(link: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN", PATIENCE)
    store = connect(url)
    await store.backend.open()
    [pushed] = await store.backend.push([new_task()])
    [ended], _ = await asyncio.gather(_all(store.backend.wait_for([pushed.task.id], timeout=PATIENCE)), python(WORK, url, "worker"))
    assert ended.status is Status.DONE
    await store.backend.close()


async def _all(tasks: AsyncIterator[Task]) -> list[Task]:
    return [task async for task in tasks]


FORGET = """
import asyncio, sys
from queue_core.expose import connect

async def main():
    await connect(sys.argv[1]).backend.open()

asyncio.run(main())
"""


async def test_a_program_that_forgets_to_close_the_store_ends(url: str) -> None:
    await python(FORGET, url)
