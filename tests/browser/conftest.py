"""A store, a worker process, and a producer in yet another process, for pages to look at."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from queue_core.codec import JsonCodec
from queue_core.expose import Actor, Connected, QueueName, TaskId, connect
from queue_core.task import NewTask

ROOT = Path(__file__).parents[2]
Push = Callable[..., Awaitable[list[TaskId]]]
TESTER = Actor(name="tester")


@pytest_asyncio.fixture(loop_scope="session")
async def store(store_url: str) -> "AsyncIterator[Connected]":
    """The store of the page, seen by another connection than the board's."""
    connected = connect(store_url)
    await connected.backend.open()
    yield connected
    await connected.backend.close()


@pytest.fixture
def push(store: Connected) -> Push:
    """Push one task or several: ``await push("greet", name="Ann")``."""

    async def push(task: str, *, queue: str = "mail", times: int = 1, run_after: float | None = None, **args: object) -> list[TaskId]:
        encoded = JsonCodec().encode(args)
        new = [NewTask(name=task, queue=QueueName(queue), args=encoded, max_attempts=1, run_after=run_after) for _ in range(times)]
        return [pushed.task.id for pushed in await store.backend.push(new)]

    return push


@pytest.fixture
def worker(store_url: str, store: Connected, tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A worker process for the tasks of ``serve.py``."""
    environment = os.environ | {"BROWSER_STORE": store_url, "BROWSER_FOLDER": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "tests.browser.serve"], env=environment, cwd=ROOT, stdout=log, stderr=log)
    yield process
    process.terminate()
    process.wait(15)


async def live(page: Page, path: str) -> None:
    """Open a page and wait until its event stream is open, so that nothing depends on luck."""
    await page.goto(path)
    await page.wait_for_selector("[data-live-indicator][data-state=live]", state="attached")
