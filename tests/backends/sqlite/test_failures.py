"""What goes wrong with a file is said in a sentence, and nothing of it is stored."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from queue_core.backends.sqlite import patience, reader, writer
from queue_core.errors import InvalidValue, NotConnected, StoreUnavailable
from queue_core.expose import Connected, TaskFilter, connect
from queue_core.task import DEFAULT_QUEUE
from tests.backends.sqlite.helpers import new_task, python


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://tasks.db", "sqlite:///tasks.db?mode=ro"])
def test_a_url_that_names_no_file_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"sqlite:///tasks\.db"):
        connect(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"nowhere of the store .*nowhere/tasks\.db does not exist"):
        connect(f"sqlite:///{tmp_path}/nowhere/tasks.db")


def test_a_folder_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="is a folder"):
        connect(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("options", [{"synchronous": "off"}, {"color": "red"}])
def test_an_unknown_option_is_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"synchronous"):
        connect(url, **options)


async def test_a_file_that_is_no_database_is_refused(path: Path, url: str) -> None:
    path.write_bytes(b"These are not the bytes of a database. " * 200)
    with pytest.raises(InvalidValue, match="not a SQLite database"):
        await connect(url).backend.open()


async def test_a_file_name_may_hold_anything(tmp_path: Path) -> None:
    store = connect(f"sqlite:///{tmp_path}/50%25 off %23 1.db")
    await store.backend.open()
    await store.backend.push([new_task()])
    assert (await store.expose.counts())[DEFAULT_QUEUE].pending == 1
    await store.backend.close()
    assert (tmp_path / "50% off # 1.db").exists()


async def test_a_store_that_is_not_open_says_so(url: str) -> None:
    store = connect(url)
    for call in (store.backend.push([new_task()]), store.expose.counts()):
        with pytest.raises(NotConnected, match="Open it first"):
            await call


async def test_a_lock_that_is_held_too_long_is_an_error_and_the_store_goes_on_afterwards(
    connected: Connected, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_LIMIT", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(connected.backend.push([new_task()]) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) and "lock" in str(outcome) for outcome in outcomes), outcomes
    other.execute("COMMIT")
    other.close()
    await connected.backend.push([new_task()])
    assert (await connected.expose.counts())[DEFAULT_QUEUE].pending == 1


async def test_a_short_lock_is_waited_for(connected: Connected, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    push = asyncio.ensure_future(connected.backend.push([new_task()]))
    await asyncio.wait([push], timeout=0.05)
    assert not push.done()
    other.execute("COMMIT")
    other.close()
    assert (await push)[0].created


async def test_a_full_disk_is_an_error_and_nothing_of_the_call_is_stored(connected: Connected) -> None:
    await connected.backend.push([new_task()])
    await _limit_pages(connected, 60)
    with pytest.raises(StoreUnavailable, match="full"):
        await connected.backend.push([new_task(args=b"x" * 100_000) for _ in range(10)])
    assert (await connected.expose.counts())[DEFAULT_QUEUE].total == 1
    await _limit_pages(connected, 100_000)
    await connected.backend.push([new_task(args=b"x" * 100_000) for _ in range(10)])
    assert (await connected.expose.counts())[DEFAULT_QUEUE].total == 11


async def _limit_pages(connected: Connected, pages: int) -> None:
    """Let the file grow to no more than some pages, as a full disk does."""
    await connected.backend._store.writer.submit(lambda tx: tx._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def test_a_read_that_takes_too_long_ends_with_a_cure(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    await connected.backend.push([new_task() for _ in range(3_000)])
    monkeypatch.setattr(reader._ReadingConnection, "limit", -1.0)
    with pytest.raises(StoreUnavailable, match="time limit"):
        await connected.expose.list_tasks(TaskFilter(text="nowhere"))
    monkeypatch.undo()
    assert (await connected.expose.list_tasks(TaskFilter(text="nowhere"))).tasks == []


async def test_a_broken_disk_is_not_taken_for_a_lock() -> None:
    calls = 0

    def fail() -> None:
        nonlocal calls
        calls += 1
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError):
        patience.patiently(fail)
    assert calls == 1


FORK = """
import asyncio, os, sys
from queue_core.errors import NotConnected
from queue_core.expose import connect
from queue_core.task import NewTask

async def main():
    store = connect(sys.argv[1])
    await store.backend.open()
    child = os.fork()
    if not child:
        refused = 0
        for call in (store.backend.push([NewTask(name="work", args=b"")]), store.expose.counts()):
            try:
                await call
            except NotConnected as error:
                refused += "fork" in str(error)
        await store.backend.close()
        os._exit(0 if refused == 2 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    await store.backend.push([NewTask(name="work", args=b"")])
    await store.backend.close()

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
async def test_a_forked_child_is_refused_and_its_parent_goes_on(url: str) -> None:
    assert (await python(FORK, url)).strip() == "0"
