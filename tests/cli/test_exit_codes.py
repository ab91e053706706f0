"""Exit codes mean the same everywhere: 2 for what was typed wrongly, 1 for a store that fails."""

from pathlib import Path

import pytest

from tests.cli.commands import commands
from tests.cli.conftest import Prinia

USAGE, FAILED = 2, 1
ID = "01a2035b-9b95-7002-b322-6048fc864901"
WITHOUT_A_STORE = {"demo"}
NAMING_A_STORE = {
    "board": ["board"],
    "doctor": ["doctor"],
    "migrate": ["migrate", "--store"],
    "prune": ["prune", "--store"],
    "push": ["push", "mail", "greet", "--store"],
    "queues list": ["queues", "list", "--store"],
    "queues pause": ["queues", "pause", "mail", "--store"],
    "queues resume": ["queues", "resume", "mail", "--store"],
    "schedules delete": ["schedules", "delete", "nightly", "--store"],
    "schedules list": ["schedules", "list", "--store"],
    "schedules pause": ["schedules", "pause", "nightly", "--store"],
    "schedules resume": ["schedules", "resume", "nightly", "--store"],
    "schedules run": ["schedules", "run", "nightly", "--store"],
    "schedules show": ["schedules", "show", "nightly", "--store"],
    "tasks delete": ["tasks", "delete", ID, "--store"],
    "tasks kill": ["tasks", "kill", ID, "--store"],
    "tasks list": ["tasks", "list", "--store"],
    "tasks logs": ["tasks", "logs", ID, "--store"],
    "tasks retry": ["tasks", "retry", ID, "--store"],
    "tasks run-now": ["tasks", "run-now", ID, "--store"],
    "tasks show": ["tasks", "show", ID, "--store"],
    "worker": ["worker"],
    "workers list": ["workers", "list", "--store"],
}
"""The words of each command, but for the store at their end."""
MISTYPED = [
    "postgresql://u:secret@h:99999/db",
    "postgresql://u:secret@h:abc/db",
    "postgresql://u:sec@ret@h/db",
    "postgresql://h/db?wat=1",
    "postgresql://h/db?schema=a&schema=b",
    "mysql://u:secret@h/db",
    "postgresql:",
    "sqlite:///nowhere/tasks.db",
    "sqlite:///tasks.db?schema=a",
    "sqlite://host/tasks.db",
]
ON_EVERY_COMMAND = pytest.mark.parametrize("command", NAMING_A_STORE)


def test_the_table_has_every_command() -> None:
    assert NAMING_A_STORE.keys() | WITHOUT_A_STORE == set(commands())


@pytest.fixture(autouse=True)
def in_its_folder(run: Prinia) -> None:
    """What a test writes is beside what ``run`` finds."""


def app_on(url: str) -> str:
    """An app in a module of its own: what ``worker`` is given, and what every other command may be."""
    Path("mistyped.py").write_text(f"from queue_core import App\napp = App({url!r})\n@app.task\ndef greet() -> None: ...\n")
    return "mistyped:app"


def store_of(command: str, url: str) -> str:
    return app_on(url) if command == "worker" else url


@ON_EVERY_COMMAND
@pytest.mark.parametrize("url", MISTYPED)
def test_a_mistyped_url_ends_with_2(run: Prinia, command: str, url: str) -> None:
    ran = run(*NAMING_A_STORE[command], store_of(command, url))
    assert (ran.returncode, ran.stdout) == (USAGE, ""), ran.stderr
    assert "Nobody foresaw" not in ran.stderr and "secret" not in ran.stderr


@ON_EVERY_COMMAND
def test_an_app_on_a_mistyped_url_ends_with_2(run: Prinia, command: str) -> None:
    ran = run(*NAMING_A_STORE[command], app_on("postgresql://h:99999/db"))
    assert (ran.returncode, ran.stdout) == (USAGE, ""), ran.stderr
    assert "In mistyped: The store URL must have a host and a port" in ran.stderr


@ON_EVERY_COMMAND
@pytest.mark.parametrize("words", [["--no-such-option"], ["--json=yes", "--no"]])
def test_an_unknown_option_ends_with_2(run: Prinia, command: str, words: list[str]) -> None:
    ran = run(*NAMING_A_STORE[command], "sqlite:///tasks.db", *words)
    assert (ran.returncode, ran.stdout) == (USAGE, "")


@pytest.mark.parametrize("command", sorted(NAMING_A_STORE.keys() - {"board"}))  # a board is served, and shows when its server comes back
def test_a_server_that_does_not_answer_ends_with_1(run: Prinia, command: str) -> None:
    ran = run(*NAMING_A_STORE[command], store_of(command, "postgresql://u:secret@127.0.0.1:1/db"))
    assert ran.returncode == FAILED
    assert "nothing answers there" in ran.stdout + ran.stderr and "secret" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("command", sorted(NAMING_A_STORE.keys() - {"worker", "migrate"}))  # these make the store
def test_a_file_that_is_missing_ends_with_1(run: Prinia, tmp_path: Path, command: str) -> None:
    ran = run(*NAMING_A_STORE[command], "sqlite:///typo.db")
    assert (ran.returncode, ran.stdout) == (FAILED, "")
    assert "There is no store at typo.db" in ran.stderr
    assert not (tmp_path / "typo.db").exists()


def test_a_worker_says_nothing_of_running_before_its_store_can_be_used(run: Prinia) -> None:
    ran = run("worker", app_on("postgresql://u:secret@127.0.0.1:1/db"))
    assert (ran.returncode, ran.stdout) == (FAILED, "")
