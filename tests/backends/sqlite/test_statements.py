"""Every statement has one file, one purpose and one user."""

import re
import sqlite3
from pathlib import Path

import pytest

import queue_core.backends
from queue_core.backends import _statements
from queue_core.backends._statements import migrations, numbered, positional, statement
from queue_core.backends.sqlite.schema import migrate

HOME = Path(queue_core.backends.__file__).parent
FILES = sorted([*(HOME / "sql/shared").glob("*.sql"), *(HOME / "sql/sqlite").glob("*.sql")])
SOURCES = "".join(source.read_text() for source in sorted([*(HOME / "sqlite").glob("*.py"), *(HOME / "relational").glob("*.py")]))
COMPOSED = {"list_tasks_older", "list_tasks_newer", "list_all_older", "list_all_newer", "window_of_tasks", "window_of_all"}


@pytest.fixture(scope="module")
def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    connection.create_function("prinia_contains", -1, lambda *texts: False)
    connection.create_function("prinia_head", 1, lambda seq: b"")
    return connection


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_statement_begins_by_saying_what_it_does(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first.startswith("-- ")
    assert first.endswith((".", ","))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_statement_is_one_and_sqlite_understands_it(file: Path, empty: sqlite3.Connection) -> None:
    text = statement(file.stem, "sqlite")
    assert ";" not in re.sub(r"--.*", "", text)
    values = dict.fromkeys(re.findall(r":(\w+)", re.sub(r"--.*", "", text)))
    empty.execute("EXPLAIN " + text, values)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_statement_is_used(file: Path) -> None:
    assert f'"{file.stem}"' in SOURCES or file.stem in COMPOSED


def test_a_statement_is_shared_or_sqlites_own_and_never_both() -> None:
    assert len({file.stem for file in FILES}) == len(FILES)


def test_an_unknown_statement_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        statement("no such thing", "sqlite")


def test_parameters_are_numbered_in_the_order_of_first_use() -> None:
    text, names = positional("request_kill", "postgres")
    assert re.findall(r"\$\d", text) == ["$1", "$2"]
    assert names == ("now", "id")
    assert "?2" in positional("request_kill", "sqlite")[0]


def test_a_parameter_that_a_statement_names_twice_has_one_number() -> None:
    text, names = positional("trim_attempts", "postgres")
    assert re.findall(r"\$\d", text) == ["$1", "$1", "$2"]
    assert names == ("task", "keep")


def test_what_only_looks_like_a_parameter_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """-- Now :not.\nSELECT ':no', ":neither", :yes::text, "it''s :no" -- nor :here"""
    monkeypatch.setattr(_statements, "statement", lambda name, dialect: text)
    assert positional("made up for this test", "postgres") == (text.replace(":yes", "$1"), ("yes",))


def test_a_parameter_without_a_field_is_an_error() -> None:
    with pytest.raises(LookupError):
        numbered("request_kill", "sqlite", ("now",))


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [number for number, _, _ in migrations("sqlite")]
    assert numbers == list(range(1, len(numbers) + 1))
