"""A store in one file of JSON lines: what is stored stays, however the process ends, and nothing is half stored."""

import itertools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from queue_core import App, InvalidValue, Status, StoreUnavailable
from queue_core.backends.jsonfile import journal
from queue_core.conformance.helpers import ME, claim, done, failed, fetch, finish, listed, new_task, pause, push_one, registered, running
from queue_core.errors import StoreMissing
from queue_core.expose import Connected, connect
from queue_core.testing import drain
from tests.journals import check_file

PUSHER = """
import asyncio, sys
from queue_core import App

app = App(sys.argv[1])

@app.task
async def work(n: int) -> None: ...

async def main():
    async with app:
        for n in range(1_000_000):
            print((await work.push(n=n)).id, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.jsonl"


@pytest.fixture
def url(path: Path) -> str:
    return f"jsonfile:///{path}"


async def opened(url: str) -> Connected:
    store = connect(url)
    await store.backend.open()
    return store


async def filled(url: str) -> None:
    """A store with something in every table, closed."""
    store = await opened(url)
    await done(store, key="a", metadata={"x": [1]})
    await failed(store)
    await running(store, priority=5)
    await store.expose.delete([(await done(store)).id], actor=ME)
    await pause(store)
    await store.backend.close()


# --- what stays ---------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_it_was_closed_and_opened(url: str, path: Path) -> None:
    await filled(url)
    store = await opened(url)
    tasks = await listed(store)
    assert {task.status for task in tasks} == {Status.DONE, Status.FAILED, Status.RUNNING}
    assert [entry.action.value for entry in await store.expose.list_audit()] == ["pause", "delete"]
    assert (await store.expose.list_queues())[0].pause is not None
    again = await push_one(store)
    assert again.seq > max(task.seq for task in tasks)
    check_file(path)
    await store.backend.close()


async def test_a_worker_of_an_earlier_process_is_rescued_from(url: str) -> None:
    store = await opened(url)
    held = await running(store)
    await store.backend.close()
    store = await opened(url)
    assert await finish(store, held), "its lease holds across the gap"
    await store.backend.close()


def test_what_was_pushed_survives_a_kill_in_the_midst_of_pushing(url: str, path: Path) -> None:
    import asyncio

    for _ in range(3):
        pushing = subprocess.Popen([sys.executable, "-c", PUSHER, url], stdout=subprocess.PIPE, text=True)
        assert pushing.stdout is not None
        said = [pushing.stdout.readline().strip() for _ in range(40)]
        pushing.send_signal(signal.SIGKILL)
        said += [line.strip() for line in pushing.stdout if line.endswith("\n")]
        pushing.wait(10)
        pushing.stdout.close()

        async def stored() -> set[str]:
            store = await opened(url)
            ids = {str(task.id) for task in await listed(store)}
            await store.backend.close()
            return ids

        assert set(said) <= asyncio.run(stored())


@pytest.mark.parametrize("cut", [1, 7, 40])
async def test_a_last_line_that_is_torn_is_dropped_whole(url: str, path: Path, cut: int) -> None:
    store = await opened(url)
    kept = await push_one(store)
    await store.backend.push([new_task(), new_task()])
    await store.backend.close()
    path.write_bytes(path.read_bytes()[:-cut])
    store = await opened(url)
    assert [task.id for task in await listed(store)] == [kept.id]
    later = await push_one(store)
    await store.backend.close()
    store = await opened(url)
    assert [task.id for task in await listed(store)] == [later.id, kept.id]
    await store.backend.close()


async def test_a_last_line_that_the_disk_wrote_wrong_is_dropped_and_one_in_the_middle_is_not_passed_over(url: str, path: Path) -> None:
    await filled(url)
    good = path.read_bytes()
    path.write_bytes(good + b'{"tasks":\0\0\0\0}\n')
    store = await opened(url)
    await store.backend.close()
    assert path.read_bytes() == good
    lines = good.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b'{"tasks":\0}\n', *lines[3:]]))
    with pytest.raises(InvalidValue, match=r"damaged in line 4, and lines follow it\. Restore it from a copy\."):
        await opened(url)


@pytest.mark.parametrize("begun", [b"", journal.HEADER[:5], journal.HEADER])
async def test_a_file_whose_making_was_cut_short_is_made_anew(url: str, path: Path, begun: bytes) -> None:
    path.write_bytes(begun)
    store = await opened(url)
    await push_one(store)
    await store.backend.close()
    assert path.read_bytes().startswith(journal.HEADER)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["jsonfile://", "jsonfile:///", "jsonfile://tasks.jsonl", "jsonfile:///tasks.jsonl?mode=ro", "jsonfile:///a\n"])
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="store URL"):
        connect(url)


def test_a_folder_a_missing_folder_and_an_unknown_option_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="is a folder"):
        connect(f"jsonfile:///{tmp_path}")
    with pytest.raises(InvalidValue, match="does not exist"):
        connect(f"jsonfile:///{tmp_path}/nowhere/tasks.jsonl")
    with pytest.raises(InvalidValue, match="only the option clock, got colour"):
        connect(f"jsonfile:///{tmp_path}/tasks.jsonl", colour="red")


async def test_a_file_of_something_else_is_left_as_it_is(url: str, path: Path) -> None:
    path.write_text("my notes\n")
    with pytest.raises(InvalidValue, match="is not a store of Prinia's"):
        await opened(url)
    assert path.read_text() == "my notes\n"


async def test_one_that_is_not_to_be_made_is_not_made(url: str, path: Path) -> None:
    with pytest.raises(StoreMissing, match="There is no store at"):
        await connect(url, create=False).backend.open()
    assert not path.exists()


async def test_a_second_process_is_refused_and_told_who_has_it(url: str) -> None:
    store = await opened(url)
    code = "import asyncio, sys; from queue_core.expose import connect; asyncio.run(connect(sys.argv[1]).backend.open())"
    refused = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
    assert f"StoreUnavailable: The store {Path(url.removeprefix('jsonfile:///'))} is open in another process (pid {os.getpid()})" in refused.stderr
    await store.backend.close()
    assert subprocess.run([sys.executable, "-c", code, url], capture_output=True, timeout=60).returncode == 0


async def test_all_of_one_process_share_it_and_the_last_lets_it_go(url: str, path: Path) -> None:
    one, two = await opened(url), await opened(url)
    task = await push_one(one)
    await one.backend.close()
    assert (await fetch(two, task.id)).id == task.id
    await two.backend.close()
    path.write_bytes(journal.HEADER)
    again = await opened(url)
    assert not await listed(again), "it was let go, and is read anew"
    await again.backend.close()


# --- a full disk ---------------------------------------------------------------------------------------------------------


@contextmanager
def full_disk(path: Path, room: int) -> Iterator[None]:
    """The system lets no file of this process grow further than ``room`` bytes beyond that of the store."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 10, 200])
async def test_on_a_full_disk_nothing_is_half_done(url: str, path: Path, room: int) -> None:
    store = await opened(url)
    boot = await registered(store)
    earlier = await push_one(store)
    before = path.read_bytes()
    with full_disk(path, room):
        with pytest.raises(StoreUnavailable, match="cannot be written: File too large"):
            await store.backend.push([new_task() for _ in range(3)])
        with pytest.raises(StoreUnavailable):
            await claim(store, boot, start=1)
        assert [task.id for task in await listed(store)] == [earlier.id]
        assert (await fetch(store, earlier.id)).status is Status.PENDING
    assert path.read_bytes() == before
    assert [task.id for task in await claim(store, boot, start=1)] == [earlier.id]
    check_file(path)
    await store.backend.close()


async def test_a_store_that_could_not_even_cut_back_does_so_before_anything_else(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(url)
    earlier = await push_one(store)

    def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        patched.setattr(os, "ftruncate", broken)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="Input/output error"):
                await push_one(store)
    assert [task.id for task in await listed(store)] == [earlier.id]
    await push_one(store)
    check_file(path)
    await store.backend.close()


# --- growth ---------------------------------------------------------------------------------------------------------------


async def test_a_file_that_grew_is_written_anew_and_holds_the_same(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "GROWTH", 20_000)
    store, sizes = await opened(url), [0]
    for _ in range(60):
        await done(store)
        sizes.append(path.stat().st_size)
    boot = await registered(store)
    for _ in range(20):
        await push_one(store)
    assert any(after < before for before, after in itertools.pairwise(sizes))
    check_file(path)
    await claim(store, boot)
    await store.backend.close()
    store = await opened(url)
    assert len(await listed(store)) == 80
    await store.backend.close()
    assert not list(path.parent.glob("*.new"))


async def test_where_there_is_no_room_for_a_fresh_file_the_grown_one_goes_on(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(url)
    await push_one(store)
    monkeypatch.setattr(journal, "GROWTH", 0)
    monkeypatch.setattr(os, "replace", _full)
    ids = [(await push_one(store)).id for _ in range(5)]
    monkeypatch.undo()
    check_file(path)
    await store.backend.close()
    store = await opened(url)
    assert {task.id for task in await listed(store)} > set(ids)
    await store.backend.close()
    assert not list(path.parent.glob("*.new"))


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


# --- the whole way ------------------------------------------------------------------------------------------------------


async def test_an_app_works_on_it_and_a_fork_does_not(url: str) -> None:
    async with App(url) as app:

        @app.task
        async def double(n: int) -> int:
            return 2 * n

        handle = await double.push(21)
        await drain(app)
        assert await handle.result(0) == 42
        monkey = os.getpid
        os.getpid = lambda: 1
        try:
            with pytest.raises(StoreUnavailable, match="belongs to the process that this one was forked from"):
                await double.push(1)
        finally:
            os.getpid = monkey
