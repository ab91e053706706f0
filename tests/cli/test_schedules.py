"""prinia schedules: what it shows and does."""

import asyncio
import json

import pytest

from queue_core.cli.schedules import COLUMNS, MOST
from queue_core.expose import connect
from queue_core.schedule import Cron, Schedule
from queue_core.task import NewTask
from tests.cli.conftest import ON_EVERY_STORE, Prinia


@pytest.fixture
def nightly(store: Prinia, url: str) -> Prinia:
    """A store with a schedule."""

    async def declare() -> None:
        backend = connect(url).backend
        await backend.open()
        task = NewTask(name="report", args=b'{"kind": "long"}', priority=3)
        await backend.declare_schedules([Schedule(name="nightly", when=Cron("0 0 0 1 1 * 2199"), task=task)])
        await backend.close()

    asyncio.run(declare())
    return store


def test_a_store_without_schedules_teaches(store: Prinia) -> None:
    assert "app.schedule" in store("schedules", "list").stdout
    assert json.loads(store("schedules", "list", "--json").stdout) == []


@ON_EVERY_STORE
def test_schedules_are_listed_and_shown(nightly: Prinia) -> None:
    listed = nightly("schedules", "list").stdout
    assert all(column.title in listed for column in COLUMNS)
    assert "nightly" in listed and "report" in listed
    shown = nightly("schedules", "show", "nightly").stdout
    assert "in 2199, UTC" in shown and '"kind": "long"' in shown and '"priority":3' in shown and "2199-01-01 00:00:00" in shown
    assert json.loads(nightly("schedules", "show", "nightly", "--json").stdout)["args"] == {"kind": "long"}


@ON_EVERY_STORE
def test_a_list_that_leaves_schedules_out_says_so(store: Prinia, url: str) -> None:
    async def declare() -> None:
        backend = connect(url).backend
        await backend.open()
        task, never = NewTask(name="report", args=b"{}"), Cron("0 0 0 1 1 * 2199")
        await backend.declare_schedules([Schedule(name=f"number {number:04}", when=never, task=task) for number in range(MOST + 1)])
        await backend.close()

    asyncio.run(declare())
    listed = store("schedules", "list").stdout
    assert "number 0999" in listed and "number 1000" not in listed
    assert "The first 1,000 by name are shown; --json gives all." in listed
    assert len(json.loads(store("schedules", "list", "--json").stdout)) == MOST + 1


@ON_EVERY_STORE
def test_a_schedule_is_run_paused_resumed_and_deleted(nightly: Prinia) -> None:
    assert "pushed: report in default" in nightly("schedules", "run", "nightly", "--reason", "a test").stdout
    assert "nightly is paused" in nightly("schedules", "pause", "nightly", "--reason", "enough").stdout
    assert "enough" in nightly("schedules", "list").stdout
    assert "nightly is active" in nightly("schedules", "resume", "nightly").stdout
    assert "nightly is deleted" in nightly("schedules", "delete", "nightly").stdout
    assert "report" in nightly("tasks", "list").stdout
    assert json.loads(nightly("schedules", "list", "--json").stdout) == []


@pytest.mark.parametrize(("action", "code"), [("show", 1), ("run", 2), ("pause", 2), ("resume", 2), ("delete", 2)])
def test_an_unknown_schedule_is_a_sentence(store: Prinia, action: str, code: int) -> None:
    ran = store("schedules", action, "nobody")
    assert ran.returncode == code
    assert "'nobody'" in ran.stderr and "Traceback" not in ran.stderr


def test_what_runs_is_told_as_json(nightly: Prinia) -> None:
    task = json.loads(nightly("schedules", "run", "nightly", "--json").stdout)
    assert (task["name"], task["args"], task["metadata"]["schedule"]) == ("report", {"kind": "long"}, "nightly")
    assert json.loads(nightly("schedules", "pause", "nightly", "--json").stdout)["pause"] is not None
    assert json.loads(nightly("schedules", "delete", "nightly", "--json").stdout) == {"deleted": "nightly"}
