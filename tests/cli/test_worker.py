"""``prinia worker`` and ``prinia board`` as processes: they say what runs, do their work, and end when they are asked to."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import ON_EVERY_STORE, Prinia, place_of

pytestmark = ON_EVERY_STORE

PATIENCE = 60.0


@contextmanager
def process(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """``prinia`` in a process of its own, which is gone at the end."""
    command = [sys.executable, "-u", "-m", "board.cli", *words]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def read_until(child: "subprocess.Popen[str]", pattern: str) -> str:
    """What the process said up to the first line that fits."""
    assert child.stdout is not None
    said = ""
    for line in child.stdout:
        said += line
        if re.search(pattern, line):
            return said
    raise AssertionError(f"{pattern!r} was never said: {said}")


def wait_for_state(run: Prinia, id: str, state: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while f'"status": "{state}"' not in (shown := run("tasks", "show", id, "--json").stdout):
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)


def test_a_worker_says_what_it_runs_and_runs_it(store: Prinia, app: Path, url: str) -> None:
    id = store("push", "mail", "greet", '{"name": "Ada"}').stdout.split()[0]
    with process(app.parent, "worker", "shop:app", "--name", "ada", "--concurrency", "3") as worker:
        banner = read_until(worker, "stop ")
        for words in ("shop:app", place_of(url), "files, mail, slow", "broken, greet, slow", "3"):
            assert words in banner
        wait_for_state(store, id, "Done")
        assert "ada" in store("workers", "list").stdout
        assert "Hello, Ada." in store("tasks", "show", id).stdout


def test_a_worker_ends_by_itself_after_its_tasks_for_a_supervisor_to_start_it_again(store: Prinia, app: Path) -> None:
    ids = [store("push", "mail", "greet", '{"name": "Ada"}').stdout.split()[0] for _ in range(3)]
    with process(app.parent, "worker", "shop:app", "--queues", "mail", "--max-tasks", "2", "--max-memory", "64GB") as worker:
        said = read_until(worker, "Stopped")
        assert worker.wait(PATIENCE) == 0
    assert "it has started 2 tasks (max_tasks)" in said
    for id, state in zip(ids, ("Done", "Done", "Pending"), strict=True):
        wait_for_state(store, id, state)


def test_a_failed_task_is_shown_with_its_traceback(store: Prinia, app: Path) -> None:
    id = store("push", "files", "broken", '{"path": "missing.txt"}', "--max-attempts", "1").stdout.split()[0]
    with process(app.parent, "worker", "shop:app"):
        wait_for_state(store, id, "Killed")
    shown = store("tasks", "show", id).stdout
    assert "Killed (exhausted)" in shown
    assert "FileNotFoundError" in shown
    assert "shop.py" in shown


def test_sigterm_lets_the_running_task_finish(store: Prinia, app: Path) -> None:
    id = store("push", "slow", "slow").stdout.split()[0]
    with process(app.parent, "worker", "shop:app", "--queues", "slow") as worker:
        read_until(worker, "slow has begun")
        worker.send_signal(signal.SIGTERM)
        rest = read_until(worker, "Stopped")
        assert worker.wait(PATIENCE) == 0
        assert "Traceback" not in rest
    wait_for_state(store, id, "Done")


@pytest.mark.parametrize("words", [(), ("--processes", "1")])
@pytest.mark.parametrize("is_plain", [False, True])
def test_what_ignores_a_second_signal_is_given_back_and_ends_with_the_process(
    store: Prinia, app: Path, is_plain: bool, words: tuple[str, ...]
) -> None:
    plain = DEAF.replace("async def", "def").replace("await asyncio", "time")
    app.write_text(app.read_text() + (plain if is_plain else DEAF))
    id = store("push", "deaf", "deaf").stdout.split()[0]
    with process(app.parent, "worker", "shop:app", "--queues", "deaf", *words) as worker:
        read_until(worker, "deaf has begun")
        worker.send_signal(signal.SIGINT)
        read_until(worker, "finishing what runs")
        worker.send_signal(signal.SIGINT)
        said = read_until(worker, "^Stopped")
        assert worker.wait(PATIENCE) == 0
    assert words or "ends with this process" in said
    assert "ERROR" not in said
    task = json.loads(store("tasks", "show", id, "--json").stdout)
    assert (task["status"], task["attempts"]) == ("Pending", 0)


def test_the_board_is_served_at_the_address_that_is_printed_and_ends_at_once(store: Prinia, url: str, tmp_path: Path) -> None:
    with process(tmp_path, "board", url, "--port", "0", "--environment", "test") as board:
        address = re.search(r"http://\S+", read_until(board, "http://"))
        assert address is not None
        page = httpx2.get(address[0])
        assert page.status_code == 200
        assert "test" in page.text
        with httpx2.stream("GET", f"{address[0]}live?view=%2F", timeout=PATIENCE) as stream:
            assert stream.status_code == 200
            board.send_signal(signal.SIGINT)
            assert board.wait(PATIENCE) == 0


def test_a_failure_is_logged_with_its_control_characters_visible(store: Prinia, app: Path) -> None:
    store("push", "files", "broken", json.dumps({"path": "a\x1b[2Jb"}), "--max-attempts", "1")
    with process(app.parent, "worker", "shop:app", "--queues", "files") as worker:
        said = read_until(worker, "no further attempt")
        assert "\x1b" not in said


def test_logs_are_captured_from_the_level_that_is_given(store: Prinia, app: Path) -> None:
    app.write_text(app.read_text() + TALKING)
    captured = {}
    for level in ("debug", "error", "off"):
        id = store("push", "talk", "talk").stdout.split()[0]
        with process(app.parent, "worker", "shop:app", "--queues", "talk", "--max-tasks", "1", "--capture-logs", level) as worker:
            said = read_until(worker, "Stopped")
        assert "so it goes" in said
        assert "who cares" not in said
        captured[level] = store("tasks", "logs", id).stdout
    assert "who cares" in captured["debug"] and "so it goes" in captured["debug"]
    assert "who cares" not in captured["error"] and "so it goes" in captured["error"]
    assert "so it goes" not in captured["off"]


DEAF = """
import contextlib
import time

@app.task(queue="deaf")
async def deaf() -> None:
    print("deaf has begun", flush=True)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(600)
"""
TALKING = """
import logging

@app.task(queue="talk")
async def talk() -> None:
    logging.getLogger("shop").debug("who cares")
    logging.getLogger("shop").error("so it goes")
"""


@pytest.mark.parametrize("level", ["loud", "", "20"])
def test_a_level_that_logging_does_not_know_is_refused(run: Prinia, app: Path, level: str) -> None:
    ran = run("worker", "shop:app", "--capture-logs", level)
    assert ran.returncode == 2
    assert ran.stderr == f"prinia: --capture-logs must be debug, info, warning, error, critical or off, got {level!r}.\n"
