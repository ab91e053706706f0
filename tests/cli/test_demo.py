"""``prinia demo``: alive within moments, honest about failures, and gone without a trace."""

import json
import re
import signal
import time
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import Prinia
from tests.cli.test_worker import PATIENCE, process, read_until

pytestmark = pytest.mark.slow


def test_the_demo_lives_and_ends(run: Prinia, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'demo' / 'tasks.db'}"
    with process(tmp_path, "demo", "--port", "0", "--no-browser", "--dir", "demo") as demo:
        said = read_until(demo, "Ctrl-C")
        address = re.search(r"http://\S+", said)
        assert address is not None
        eventually_in_states(run, store, {"Done", "Failed", "Pending"})
        for path in ("", "queues", "tasks", "workers"):
            assert httpx2.get(f"{address[0]}{path}").status_code == 200
        queues = {queue["name"]: queue for queue in json.loads(run("queues", "list", "--json", "--store", store).stdout)}
        assert queues["newsletter"]["pause"]["by"] == "demo"
        assert {worker["name"] for worker in json.loads(run("workers", "list", "--json", "--store", store).stdout)} == {"ada", "grace"}
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) == 0
    workers = json.loads(run("workers", "list", "--json", "--store", store).stdout)
    assert {worker["state"] for worker in workers} == {"stopped"}
    assert list((tmp_path / "demo" / "files").glob("thumbnail-*.png"))


def eventually_in_states(run: Prinia, store: str, wanted: set[str]) -> None:
    """Wait until the demo has tasks in each of these states, and something that failed for its own reason."""
    deadline = time.monotonic() + PATIENCE
    while True:
        tasks = json.loads(run("tasks", "list", "--json", "--limit", 1000, "--store", store).stdout or '{"tasks": []}')["tasks"]
        if wanted <= {task["status"] for task in tasks} and any(task.get("error") for task in tasks):
            return
        assert time.monotonic() < deadline, tasks
        time.sleep(0.1)


def test_the_demos_children_end_with_it_even_when_it_is_killed(run: Prinia, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'demo' / 'tasks.db'}"
    with process(tmp_path, "demo", "--port", "0", "--no-browser", "--dir", "demo") as demo:
        read_until(demo, "Ctrl-C")
        eventually_in_states(run, store, {"Done"})
        demo.kill()
        demo.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while any(worker["state"] != "stopped" for worker in json.loads(run("workers", "list", "--json", "--store", store).stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_temporary_demo_leaves_nothing_behind_even_for_the_impatient(tmp_path: Path) -> None:
    with process(tmp_path, "demo", "--port", "0", "--no-browser") as demo:
        folder = re.search(r"files\s+(\S+)", read_until(demo, "Ctrl-C"))
        assert folder is not None
        assert Path(folder[1]).exists()
        demo.send_signal(signal.SIGTERM)
        read_until(demo, "Stopping")
        demo.send_signal(signal.SIGINT)  # impatience
        assert demo.wait(PATIENCE) == 0
        assert not Path(folder[1]).exists()
