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
from queue_core.backends.jsonfile import journal, lines
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


@pytest.mark.parametrize("cut", [2, 7, 40])
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


async def test_a_last_line_whose_end_an_editor_took_away_stays(url: str, path: Path) -> None:
    await filled(url)
    good = path.read_bytes()
    path.write_bytes(good.rstrip(b"\n"))
    store = await opened(url)
    assert len(await listed(store)) == 3
    assert path.read_bytes() == good
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
    with pytest.raises(
        InvalidValue, match=r"is damaged in line 4: lines follow it\. It is left as it is; restore it from a copy, or take the line out"
    ):
        await opened(url)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\xff\xfe",
        b"[]",
        b'{"tasks":{"x":5}}',
        b'{"last_seq":"many"}',
        b'{"schedules":{"nightly":{}}}',
        b'{"tasks":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b"x" * 5_000_000,
    ],
    ids=lambda line: line[:20].decode("ascii", "replace"),
)
@pytest.mark.parametrize("is_last", [True, False])
async def test_a_line_that_says_nothing_known_is_told_of_and_nothing_is_dropped(url: str, path: Path, line: bytes, is_last: bool) -> None:
    await filled(url)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    lines = [first, *rest, line + b"\n"] if is_last else [first, line + b"\n", *rest]
    path.write_bytes(b"".join(lines))
    with pytest.raises(InvalidValue, match=rf"The store {path} is damaged in line {len(lines) if is_last else 2}: .* It is left as it is") as told:
        await opened(url)
    assert len(str(told.value)) < 600
    assert path.read_bytes() == b"".join(lines)
    path.write_bytes(b"".join([first, *rest]))
    store = await opened(url)
    assert len(await listed(store)) == 3, "mended, it opens in the same process"
    await store.backend.close()


async def test_a_very_long_line_is_read_like_any_other(url: str, path: Path) -> None:
    store = await opened(url)
    await store.backend.push([new_task(args=b"x" * 1_000_000) for _ in range(20)])
    await store.backend.close()
    assert max(map(len, path.read_bytes().splitlines())) > 20_000_000
    store = await opened(url)
    assert len(await listed(store)) == 20
    await store.backend.close()


async def test_a_change_that_cannot_be_written_is_undone_and_holds_up_no_other(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(url)
    earlier = await push_one(store)
    with monkeypatch.context() as patched:
        patched.setattr(lines, "encoded", _refuse)
        with pytest.raises(TypeError, match="no way to write that"):
            await push_one(store)
    assert [task.id for task in await listed(store)] == [earlier.id]
    await push_one(store)
    check_file(path)
    await store.backend.close()


def _refuse(*_: Any) -> None:
    raise TypeError("no way to write that")


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


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b'{"prinia":"store","version":2}\n', r"was written by another version of Prinia, in format 2, and this one knows format 1\. It is left"),
        (b'{"prinia":"store","version":1}\r\n', r"The first line of the store .* is not .* any more\. Write it anew\."),
        (b'{"prinia":"board","version":1}\n', "is not a store of Prinia's"),
        (b"\xff" * 200, "is not a store of Prinia's"),
        (b"{" * 200, "is not a store of Prinia's"),
    ],
)
async def test_a_file_that_begins_otherwise_is_told_apart_and_left_as_it_is(url: str, path: Path, header: bytes, sentence: str) -> None:
    path.write_bytes(header + b"{}\n")
    with pytest.raises(InvalidValue, match=sentence):
        await opened(url)
    assert path.read_bytes() == header + b"{}\n"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for device in (f"{tmp_path}/pipe", os.devnull):
        with pytest.raises(InvalidValue, match=r"is a device, a pipe or a socket\. Name a file"):
            connect(f"jsonfile:///{device}")
    with pytest.raises(InvalidValue, match="names no usable file: File name too long"):
        connect(f"jsonfile:///{tmp_path}/{'x' * 300}")


async def test_a_link_to_itself_and_a_folder_that_came_later_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StoreUnavailable, match="cannot be opened: Too many levels of symbolic links"):
        await opened(f"jsonfile:///{tmp_path}/a")
    store = connect(f"jsonfile:///{tmp_path}/later")
    (tmp_path / "later").mkdir()
    with pytest.raises(StoreUnavailable, match="later cannot be opened: Is a directory"):
        await store.backend.open()


async def test_a_file_has_one_lock_by_whatever_name_it_is_reached(url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    through = await opened(f"jsonfile:///{link}")
    task = await push_one(through)
    code = "import asyncio, sys; from queue_core.expose import connect; asyncio.run(connect(sys.argv[1]).backend.open())"
    refused = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
    assert "is open in another process" in refused.stderr
    monkeypatch.setattr(journal, "GROWTH", 0)
    await done(through, queue="other")
    assert link.is_symlink(), "a fresh file takes the place of the file, not of what leads to it"
    store = await opened(url)
    assert (await fetch(store, task.id)).id == task.id
    await through.backend.close()
    await store.backend.close()


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


async def test_a_full_disk_does_not_keep_a_store_from_being_opened_and_read(url: str, path: Path) -> None:
    await filled(url)
    path.with_name(f"{path.name}.lock").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        store = await opened(url)
        assert len(await listed(store)) == 3
        with pytest.raises(StoreUnavailable, match="cannot be written"):
            await push_one(store)
        await store.backend.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store = await opened(url)
    assert len(await listed(store)) == 3
    await store.backend.close()


# --- what others do to the file --------------------------------------------------------------------------------------------


async def test_nothing_is_stored_in_a_file_that_was_removed_or_replaced(url: str, path: Path) -> None:
    store = await opened(url)
    kept = await push_one(store)
    copy = path.read_bytes()
    path.unlink()
    for put_back in (False, True):
        if put_back:
            path.write_bytes(copy)  # another file of the same name and content
        with pytest.raises(StoreUnavailable, match=r"was removed, or another file is in its place\. Restart the programs that have it open"):
            await push_one(store)
    await store.backend.close()
    assert path.read_bytes() == copy
    store = await opened(url)
    assert [task.id for task in await listed(store)] == [kept.id]
    await push_one(store)
    await store.backend.close()


async def test_nothing_is_stored_after_something_else_has_written_to_the_file(url: str, path: Path) -> None:
    store = await opened(url)
    await push_one(store)
    with path.open("ab") as other:
        other.write(b'{"last_seq":70}\n')
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="Something else than Prinia has written to"):
            await push_one(store)
    assert path.read_bytes().endswith(b'{"last_seq":70}\n')
    await store.backend.close()
    store = await opened(url)
    assert (await push_one(store)).seq == 71
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


async def test_a_fresh_file_whose_place_is_not_on_the_disk_takes_no_line(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(url)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "GROWTH", 0)
        patched.setattr(journal, "_sync_folder", _full)
        first = await push_one(store)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be written: No space left on device"):
                await push_one(store)
    second = await push_one(store)
    check_file(path)
    await store.backend.close()
    store = await opened(url)
    assert [task.id for task in await listed(store)] == [second.id, first.id]
    await store.backend.close()


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
