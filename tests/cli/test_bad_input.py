"""Whatever one types wrongly is answered by one sentence on stderr with its cure, and by an exit code."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Prinia, Ran

USAGE, FAILED = 2, 1


def says(ran: Ran, code: int, *parts: str) -> None:
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for part in parts:
        assert part in ran.stderr


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("taks", "prinia: There is no command 'taks'. Did you mean tasks? See prinia --help"),
        ("tasks nonsense", "prinia tasks: There is no command 'nonsense'. The commands are list, show, logs,"),
        ("tasks show", "prinia tasks show: ID must be given. See prinia tasks show --help"),
        ("push", "prinia push: QUEUE and NAME must be given."),
        ("demo --port many", "--port must be a whole number, got 'many'."),
        ("tasks list --limit", "--limit needs a value after it."),
        ("tasks list --sotre x", "There is no --sotre. Did you mean --store?"),
        ("tasks list mail", "prinia tasks list: 'mail' is more than this command takes."),
        ("tasks list postgresql://u:secret@h/db", "A store is named by --store here, got postgresql://u:…@h/db without it."),
        (
            "worker sqlite:///tasks.db",
            "An app is written as module:name, as tasks:app, and names its store itself; got the URL 'sqlite:///tasks.db'.",
        ),
        ("doctor sqlite:/tasks.db", "The URL of a store has :// after its scheme"),
        ("migrate sqlite:///a.db --store sqlite:///b.db", "The store must be named once, got sqlite:///a.db and --store sqlite:///b.db."),
        ("workers list --limit 0", "--limit must be 1 or more, got 0."),
        ("tasks list --json=yes", "See prinia tasks list --help"),
    ],
)
def test_a_wrong_command_line_hears_the_cure_in_a_sentence(run: Prinia, line: str, cure: str) -> None:
    ran = run(*line.split())
    says(ran, USAGE, cure)
    assert "secret" not in ran.stderr


@pytest.mark.parametrize("words", [[], ["tasks"], ["queues"], ["workers"], ["schedules"]])
def test_half_a_command_is_answered_by_what_there_is(run: Prinia, words: list[str]) -> None:
    ran = run(*words)
    assert (ran.returncode, ran.stdout) == (USAGE, "")
    assert ran.stderr == run(*words, "--help").stdout


def test_no_store_named(run: Prinia) -> None:
    says(run("tasks", "list", PRINIA_STORE=""), USAGE, "--store sqlite:///tasks.db", "PRINIA_STORE")


def test_a_store_that_is_neither_a_url_nor_an_app_hears_of_both(run: Prinia) -> None:
    says(run("tasks", "list", "--store", "tasks.db"), USAGE, "sqlite:///tasks.db", "tasks:app", "got 'tasks.db'")


NAMING_A_STORE = pytest.mark.parametrize("words", [["tasks", "list", "--store"], ["board"], ["doctor"], ["migrate", "--store"]])


@NAMING_A_STORE
@pytest.mark.parametrize("login", ["u:secret", "u:se@secret/x", ":secret"])
@pytest.mark.parametrize("scheme", ["mysql", "sqlite"])
def test_a_password_is_not_repeated(run: Prinia, words: list[str], login: str, scheme: str) -> None:
    ran = run(*words, f"{scheme}://{login}@host/db")
    says(ran, USAGE, f"{scheme}://", "@host/db")
    assert "secret" not in ran.stderr


@NAMING_A_STORE
@pytest.mark.parametrize(
    "url", ["u:x/secret@host/db", "u:x#secret@host/db", "u:x:secret", "u:[secret@host/db", "u@host:secret/db", "u:x@host,h:secret/db"]
)
def test_a_url_that_the_password_spoils_is_not_repeated_at_all(run: Prinia, words: list[str], url: str) -> None:
    ran = run(*words, f"postgresql://{url}")
    says(ran, USAGE, "postgresql://user:password@host:5432/database")
    assert "secret" not in ran.stderr


@pytest.mark.parametrize("words", [["tasks", "list", "--store"], ["prune", "--store"], ["migrate", "--store"]])
@pytest.mark.parametrize("url", ["u:secret@127.0.0.1:1/db", "u@127.0.0.1:1/db?password=secret&schema=shop"])
def test_a_server_that_cannot_be_reached(run: Prinia, words: list[str], url: str) -> None:
    ran = run(*words, f"postgresql://{url}")
    says(ran, FAILED, "postgresql://u@127.0.0.1:1/db", "nothing answers there")
    assert "secret" not in ran.stderr


@pytest.mark.parametrize("url", ["redis://here", "sqlite://host/tasks.db", "sqlite:///", "sqlite:///tasks.db?mode=ro", "memory://"])
def test_a_url_that_is_no_shared_store(run: Prinia, url: str) -> None:
    says(run("tasks", "list", "--store", url), USAGE)


def test_a_mistyped_file_is_not_answered_from_a_fresh_store(run: Prinia, tmp_path: Path) -> None:
    says(run("queues", "list", "--store", "sqlite:///taks.db"), FAILED, "no store at taks.db", "prinia migrate")
    says(run("push", "mail", "greet", "--store", "sqlite:///taks.db"), FAILED, "no store at taks.db")
    assert not (tmp_path / "taks.db").exists()


def test_a_folder_that_does_not_exist(run: Prinia) -> None:
    says(run("migrate", "--store", "sqlite:///nowhere/tasks.db"), USAGE, "nowhere", "does not exist")


def test_a_file_that_is_no_database(run: Prinia, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are only words\n" * 300)
    ran = run("tasks", "list", "--store", "sqlite:///notes.db")
    assert ran.returncode in {USAGE, FAILED}
    says(ran, ran.returncode, "notes.db")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["push", "mail", "greet", "{"], ["JSON object"]),
        (["push", "mail", "greet", "[1]"], ["JSON object", "[1]"]),
        (["push", " ", "greet"], ["queue must not be blank"]),
        (["push", "mail", ""], ["task name must not be blank"]),
        (["push", "mail", "greet", "--run-after", "soon"], ["90s", "'soon'"]),
        (["push", "mail", "greet", "--run-after", "-5m"], ["never negative", "'-5m'", "90s"]),
        (["push", "mail", "greet", "--timeout=-1"], ["never negative"]),
        (["prune", "--done", "-1d"], ["never negative"]),
        (["prune", "--keep", "-1"], ["--keep must be 0 or more, got -1"]),
        (["tasks", "show", ""], ["id must not be blank", "prinia tasks list"]),
        (["tasks", "retry", " "], ["id must not be blank"]),
        (["push", "mail", "greet", "--run-at", "tomorrow"], ["2026-12-24T18:00:00", "'tomorrow'"]),
        (["push", "mail", "greet", "--run-at", "2026-12-24T18:00:00"], ["time zone"]),
        (["push", "mail", "greet", "--run-at", "2026-12-24T18:00:00Z", "--run-after", "5"], ["run_at and run_after"]),
        (["push", "mail", "greet", "--max-attempts", "0"], ["max_attempts", "got 0"]),
        (["push", "mail", "greet", "--priority", "99999"], ["priority", "99999"]),
        (["push", "mail", "greet", "--timeout", "0"], ["timeout"]),
        (["push", "mail", "greet", "-"], ["JSON object"]),
        (["tasks", "list", "--status", "Sleeping"], ["Pending", "'Sleeping'"]),
        (["tasks", "list", "--limit", "0"], ["--limit", "got 0"]),
        (["tasks", "list", "--limit", "1000000"], ["--limit"]),
        (["tasks", "list", "--start", "no-cursor"], ["cursor"]),
        (["queues", "pause", "never-named"], ["never-named"]),
        (["prune", "--done", "a while"], ["'a while'"]),
    ],
)
def test_a_value_that_breaks_a_rule(store: Prinia, words: list[str], parts: list[str]) -> None:
    says(store(*words), USAGE, *parts)


def test_an_unknown_task(store: Prinia) -> None:
    says(store("tasks", "show", "no-such-id"), FAILED, "no-such-id", "retention")
    says(store("tasks", "retry", "no-such-id"), FAILED, "no-such-id")


def test_an_illegal_request_names_the_state(store: Prinia) -> None:
    id = store("push", "mail", "greet").stdout.split()[0]
    says(store("tasks", "delete", id), FAILED, id, "Pending")


@pytest.mark.parametrize(
    ("spec", "code", "parts"),
    [
        ("shop", USAGE, ["module:name"]),
        ("shop:", USAGE, ["module:name"]),
        ("nowhere:app", USAGE, ["no module 'nowhere'"]),
        ("shop:queue", USAGE, ["no queue", "shop:app"]),
        ("shop:not_an_app", USAGE, ["int", "shop:app"]),
        ("placeless:app", USAGE, ["prinia: In placeless: The folder /nowhere of the store /nowhere/tasks.db does not exist. Create it first.\n"]),
        ("dotted:app", FAILED, ["dotted could not be imported: ValueError: It ends. Run `python"]),
        ("failing:app", FAILED, ["failing could not be imported", "ZeroDivisionError"]),
        ("needy:app", FAILED, ["needs the module 'not_installed'"]),
        ("empty:app", USAGE, ["no task to run", "@app.task"]),
    ],
)
def test_an_app_that_cannot_be_had(run: Prinia, app: Path, spec: str, code: int, parts: list[str]) -> None:
    (app.parent / "failing.py").write_text("1 / 0")
    (app.parent / "placeless.py").write_text("from queue_core import App\napp = App('sqlite:////nowhere/tasks.db')")
    (app.parent / "dotted.py").write_text("raise ValueError('It ends.')")
    (app.parent / "needy.py").write_text("import not_installed")
    (app.parent / "empty.py").write_text("from queue_core import App\napp = App('sqlite:///tasks.db')")
    says(run("worker", spec), code, *parts)


def test_a_worker_without_slots_or_with_a_foreign_queue(run: Prinia, app: Path) -> None:
    says(run("worker", "shop:app", "--concurrency", "0"), USAGE, "--concurrency", "got 0")
    says(run("worker", "shop:app", "--queues", "mail,post"), USAGE, "'post'", "files, mail, slow")
    for nothing in ("", " , "):
        says(run("worker", "shop:app", "--queues", nothing), USAGE, "names no queue", "files, mail, slow")


def test_a_port_that_is_taken(store: Prinia) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        says(store("board", "sqlite:///tasks.db", "--port", port), FAILED, f"Port {port}", "--port")


def test_a_port_that_is_none(store: Prinia) -> None:
    says(store("board", "sqlite:///tasks.db", "--port", "70000"), USAGE, "65535")


def test_two_stores_of_one_name(store: Prinia) -> None:
    says(store("board", "sqlite:///tasks.db", "sqlite:///tasks.db"), USAGE, "'tasks'", "mail=")


def test_an_error_that_nobody_foresaw_is_a_sentence_until_its_traceback_is_asked_for() -> None:
    code = "from queue_core.cli.failure import guarded\nraise SystemExit(guarded(lambda: 1 // 0))"
    short = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert short.returncode == FAILED
    assert "ZeroDivisionError" in short.stderr
    assert "Traceback" not in short.stderr
    long = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PRINIA_TRACEBACK": "1"})
    assert "Traceback" in long.stderr


def test_a_reader_that_leaves_is_no_error_worth_a_word(store: Prinia, tmp_path: Path) -> None:
    for _ in range(3):
        store("push", "mail", "greet")
    command = f"{sys.executable} -W error -m board.cli tasks list --json --store sqlite:///tasks.db | head -c 1"
    piped = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert (piped.stdout, piped.stderr) == ("[" if piped.stdout == "[" else "{", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--max-tasks", "0"], "--max-tasks must be 1 or more, got 0"),
        (["--max-memory", "much"], "--max-memory: a size of memory is a number with B, kB, MB, GB after it, as 500MB or 1.5GB, got 'much'"),
        (["--max-memory", "0MB"], "--max-memory must be more than nothing, got '0MB'"),
    ],
)
def test_limits_of_a_worker_that_are_none(run: Prinia, app: Path, words: list[str], sentence: str) -> None:
    says(run("worker", "shop:app", *words), USAGE, sentence)
