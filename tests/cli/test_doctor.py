"""The doctor finds what is wrong with a store, names the cure, and changes nothing."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from queue_core.cli.doctor.file import file_system
from tests.cli.conftest import Prinia, Ran


def wrong(ran: Ran) -> dict[str, str]:
    """What is not well, with its cure."""
    return {finding["what"]: finding["cure"] for finding in json.loads(ran.stdout) if not finding["well"]}


def harm(tmp_path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_fresh_store_is_well(store: Prinia) -> None:
    ran = store("doctor", "sqlite:///tasks.db")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "All is well." in ran.stdout
    assert "✗" not in ran.stdout
    for what in ("file", "disk", "file system", "WAL", "journal", "schema", "indexes", "counters", "leases", "clock", "workers", "serving"):
        assert f"✓ {what} " in ran.stdout


def test_tasks_that_no_worker_serves(store: Prinia) -> None:
    store("push", "mail", "greet")
    ran = store("doctor", "--json")
    assert ran.returncode == 1
    assert "prinia worker" in wrong(ran)["queue"]


def test_tasks_whose_time_has_not_come_need_no_worker(store: Prinia) -> None:
    store("push", "mail", "greet", "--run-after", "1h")
    assert store("doctor").returncode == 0


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP INDEX prinia_tasks_claim", "indexes"),
        ("UPDATE prinia_counters SET n = n + 7", "counters"),
        ("UPDATE prinia_tasks SET stage = 2, boot = 'a ghost'", "leases"),
        ("DELETE FROM prinia_migrations", "schema"),
        ("INSERT INTO prinia_migrations (number, name, applied_at) VALUES (999, 'later', 'tomorrow')", "schema"),
    ],
)
def test_what_somebody_broke_is_found(store: Prinia, tmp_path: Path, statement: str, what: str) -> None:
    store("push", "mail", "greet")
    harm(tmp_path, statement)
    ran = store("doctor", "--json")
    assert ran.returncode == 1
    assert wrong(ran)[what]


def test_a_worker_that_fell_silent(store: Prinia, tmp_path: Path) -> None:
    values = {
        "boot": "b1",
        "name": "ada",
        "queues": '["mail"]',
        "host": "h",
        "pid": 1,
        "process": "p",
        "version": "1",
        "middleware": "[]",
        "concurrency": 1,
        "lease_us": 1_000_000,
        "state": "running",
        "started_at": 0,
        "last_heartbeat": 0,
    }
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(f"INSERT INTO prinia_workers ({', '.join(values)}) VALUES ({marks})", values)
        connection.commit()
    ran = store("doctor", "--json")
    assert "Restart" in wrong(ran)["workers"]


def test_a_database_that_is_not_prinias(run: Prinia, tmp_path: Path) -> None:
    harm(tmp_path, "CREATE TABLE theirs (id INTEGER)")
    ran = run("doctor", "--json")
    assert ran.returncode == 1
    assert "right file" in wrong(ran)["schema"]
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


def test_a_file_that_is_no_database(run: Prinia, tmp_path: Path) -> None:
    (tmp_path / "tasks.db").write_text("these are only words\n" * 300)
    ran = run("doctor", "--json")
    assert ran.returncode == 1
    assert "backup" in wrong(ran)["file"]


def test_the_file_system_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:20 / / rw - ext4 /dev/sda rw\n30 22 0:40 / /srv rw - xfs /dev/sdb rw\n31 30 0:41 / /srv/shared\\040files rw - nfs4 server:/x rw\n"
    )
    assert file_system(Path("/srv/shared files/tasks.db"), mounts) == "nfs4"
    assert file_system(Path("/srv/tasks.db"), mounts) == "xfs"
    assert file_system(Path("/home/tasks.db"), mounts) == "ext4"


def test_a_cure_can_be_pasted_into_a_shell(store: Prinia) -> None:
    store("push", "it's; mail", "greet")
    assert """prinia worker module:app --queues 'it'"'"'s; mail'""" in store("doctor").stdout
