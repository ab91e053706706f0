"""A store whose file is deleted or replaced while it is open: nothing more goes into a file that nobody else can find."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from queue_core import App, StoreUnavailable
from tests.core.steps import PATIENCE, eventually, working


async def noticed(app: App) -> None:
    """Wait until a reader is told that the file is not in place."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await app.expose.list_workers()
            except StoreUnavailable as error:
                assert "tasks.db was deleted, or replaced by another file" in str(error)  # noqa: PT017 - it is waited for
                return
            await asyncio.sleep(0.01)


def tasks_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM prinia_tasks").fetchone()[0])


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_nothing_goes_into_a_file_that_is_not_in_place_until_it_is_back(tmp_path: Path, is_replaced: bool) -> None:
    path, aside = tmp_path / "tasks.db", tmp_path / "aside.db"
    app = App(f"sqlite:///{path}")

    @app.task
    async def work() -> None: ...

    async with app:
        await work.push()
        path.rename(aside)
        if is_replaced:
            path.write_bytes(b"")
        await noticed(app)
        with pytest.raises(StoreUnavailable, match="start this program again"):
            await work.push()
        aside.replace(path)
        await work.push()
        assert len(await app.expose.list_workers()) == 0
    assert tasks_in(path) == 2


async def test_a_store_whose_file_is_gone_can_be_closed_and_opened_on_what_is_there_then(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    app = App(f"sqlite:///{path}")

    @app.task
    async def work() -> None: ...

    async with app:
        await work.push()
        for file in tmp_path.glob("tasks.db*"):
            file.unlink()
        await noticed(app)
    async with app:
        await work.push()
    assert tasks_in(path) == 1


async def test_a_worker_says_that_its_file_is_gone_and_goes_on_when_it_is_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "prinia.worker")
    path, aside = tmp_path / "tasks.db", tmp_path / "aside.db"
    app = App(f"sqlite:///{path}")

    @app.task
    async def work() -> str:
        return "done"

    async with app, working(app, poll=0.05, heartbeat_every=0.05):
        path.rename(aside)
        await eventually(lambda: "cannot use the store, and tries again until it can: The store tasks.db was deleted" in caplog.text)
        aside.rename(path)
        await eventually(lambda: "can use the store again" in caplog.text)
        assert await (await work.push()).result(timeout=PATIENCE) == "done"
