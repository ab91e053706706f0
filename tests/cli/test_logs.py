"""``prinia tasks logs``: what a task logged, now and as it comes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ON_EVERY_STORE, Prinia

pytestmark = ON_EVERY_STORE
ROOT = Path(__file__).parents[2]

TASKS = """
import asyncio, logging, os
from queue_core import App

app = App(os.environ["PRINIA_STORE"])
log = logging.getLogger("shop")

@app.task(queue="mail", max_attempts=1)
async def greet(name: str, goes_on: bool = False):
    log.info("Hello, %s.", name)
    log.error("Two\\nlines \\x1b[31m")
    while goes_on and not os.path.exists("enough"):
        await asyncio.sleep(0.02)
    log.warning("Good bye.")

async def work():
    async with app, app.running(shutdown_timeout=0):
        [task] = (await app.expose.list_tasks(__import__("queue_core.expose", fromlist=["*"]).TaskFilter())).tasks
        async for _ in app.backend.wait_for([task.id], timeout=30):
            pass

if __name__ == "__main__":
    asyncio.run(work())
"""


@pytest.fixture
def folder(store: Prinia, tmp_path: Path) -> Path:
    (tmp_path / "greeting.py").write_text(TASKS)
    return tmp_path


def begin(folder: Path, url: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PRINIA_STORE": url, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "greeting.py"], cwd=folder, env=environment, text=True)


def test_a_log_is_shown_and_chosen_from(store: Prinia, url: str, folder: Path) -> None:
    id = store("push", "mail", "greet", '{"name": "Ada"}').stdout.split()[0]
    assert store("tasks", "logs", id).stdout == "Nothing was logged.\n"
    with begin(folder, url) as worker:
        assert worker.wait(30) == 0
    first, second, third, fourth = store("tasks", "logs", id).stdout.splitlines()
    assert first.endswith("#1  INFO    shop: Hello, Ada.")
    assert second.endswith("#1  ERROR   shop: Two")
    assert third.startswith("    lines ") and "\x1b" not in third
    assert fourth.endswith("Good bye.")
    assert "Hello" not in store("tasks", "logs", id, "--level", "warning").stdout
    assert "The latest 1 lines are shown." in store("tasks", "logs", id, "--limit", 1).stdout
    assert json.loads(store("tasks", "logs", id, "--json").stdout)["lines"][0]["message"] == "Hello, Ada."
    assert store("tasks", "logs", id, "--attempt", 2).stdout == "Nothing was logged.\n"


def test_a_log_is_followed_until_its_task_has_ended(store: Prinia, url: str, folder: Path) -> None:
    id = store("push", "mail", "greet", '{"name": "Ada", "goes_on": true}').stdout.split()[0]
    command = [sys.executable, "-m", "board.cli", "tasks", "logs", id, "--follow", "--store", url]
    with (
        begin(folder, url) as worker,
        subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True) as follower,
    ):
        assert follower.stdout is not None
        assert follower.stdout.readline().rstrip().endswith("Hello, Ada.")
        (folder / "enough").touch()
        rest = follower.stdout.read()
        assert rest.rstrip().endswith("Good bye.")
        assert follower.wait(30) == 0 == worker.wait(30)


def test_what_makes_no_sense_is_said(store: Prinia) -> None:
    assert "No stored task has the id none" in store("tasks", "logs", "none").stderr
    assert "--level must be debug" in store("tasks", "logs", "x", "--level", "loud").stderr
    assert "--limit must be from 1 to 1000" in store("tasks", "logs", "x", "--limit", 0).stderr
