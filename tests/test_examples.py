"""Every example runs as it stands, in a process and a folder of its own."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import httpx2
import pytest

from queue_core import App, Status
from queue_core.expose import TaskFilter
from tests.served import BoardServer

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "hello": ["Hello, Ada!"],
    "monitor": ["files failed in run 1: StoreUnavailable: the disk is not mounted yet", "A letter to Ada", "holiday.jpg, smaller"],
    "deque_backend": ["Hello, Ada.", "Hello, Grace."],
    "schedules": ["the report of schedule often", "paused", "pushed by hand"],
    "middleware": ["Oslo: 3 runs so far, attempt 1", "Atlantis: 4 runs so far, attempt 1", "Oslo: sunny", "AbortError: NotFound: Atlantis"],
    "retries": ["https://example.com answered 200 on attempt 3", "ftp://example.com is not a web address"],
    "transaction": ["a nest box: order 1", "we have no unicorns; neither order nor task was stored", "1 task stored for 1 order"],
}
SAYS["transaction_postgres"] = SAYS["transaction"]
ON_POSTGRES = {"transaction_postgres"}
SERVED = {"fastapi_app"}


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SAYS.keys() | SERVED


@pytest.mark.parametrize("name", [name for name in SAYS if name not in ON_POSTGRES])
def test_the_example_says_what_it_promises(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, os.environ)


@pytest.mark.parametrize("name", sorted(ON_POSTGRES))
def test_the_example_says_what_it_promises_on_a_real_server(name: str, tmp_path: Path, postgres_store: str) -> None:
    check(name, tmp_path, {**os.environ, "DATABASE_URL": postgres_store})


def check(name: str, folder: Path, env: Mapping[str, str]) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Warning" not in ran.stderr
    for line in SAYS[name]:
        assert line in ran.stdout


@pytest.mark.parametrize("name", SAYS)
def test_the_example_fits_one_screen(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 55


async def test_the_web_app_pushes_runs_and_shows_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "fastapi_app", raising=False)
    from fastapi_app import web

    with BoardServer(web, lifespan="on") as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as client:
            answer = await client.post("/users", params={"address": "ada@example.com"})
            assert answer.status_code == 202
            page = await client.get(f"/ops/queue/tasks/{answer.json()['task']}")
            assert page.status_code == 200
            assert "send_welcome" in page.text


@pytest.mark.parametrize("worker", ["in the web process", "elsewhere"])
async def test_the_service_stores_users_and_their_welcome_together_and_drains_at_its_end(
    worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKER", worker)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in ("service", "service.state", "service.tasks", "service.web"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from service.web import web

    with BoardServer(web, lifespan="on") as server, working(tmp_path) if worker == "elsewhere" else nullcontext():
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as client:
            signed_up = await client.post("/users", params={"name": "Ada", "address": "ada@example.com"})
            assert signed_up.status_code == 201
            assert (await client.post("/users", params={"name": "Ada", "address": "ada@example.com"})).status_code == 409
            assert (await client.post("/users", params={"name": "Eve", "address": "nowhere"})).status_code == 422
            assert (await client.get("/users/count")).json() == 1
            assert "send_welcome" in (await client.get(f"/ops/queue/tasks/{signed_up.json()['task']}")).text
    with closing(sqlite3.connect(tmp_path / "service.db")) as database:
        assert database.execute("SELECT name, welcomed FROM users").fetchall() == [("Ada", 1)]
    async with App(f"sqlite:///{tmp_path / 'service.db'}") as app:
        page = await app.expose.list_tasks(TaskFilter())
        assert sorted((task.name, task.status) for task in page.tasks) == [("count_users", Status.DONE), ("send_welcome", Status.DONE)]


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """A worker of the service in a process of its own, which is asked to stop and waited for."""
    command = [sys.executable, "-m", "board.cli", "worker", "service.tasks:queue"]
    paths = os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
