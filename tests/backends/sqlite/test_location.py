"""What is said of a URL that names no usable file."""

import sqlite3
from pathlib import Path

import pytest

from queue_core.backends.sqlite.location import mode_of, path_of
from queue_core.errors import InvalidValue
from queue_core.expose import connect


def refused(url: str) -> str:
    with pytest.raises(InvalidValue) as refusal:
        path_of(url)
    return str(refusal.value)


@pytest.mark.parametrize("name", ["tasks.db\n", "a%00b.db", "a\x00b.db", "\ud800.db", "%1b.db"])
def test_a_file_must_have_a_printable_name(tmp_path: Path, name: str) -> None:
    said = refused(f"sqlite:///{tmp_path}/{name}")
    assert "must be printable text" in said and said.isprintable()


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert "names no usable file: File name too long. Write sqlite:///tasks.db" in refused(f"sqlite:///{tmp_path}/{'a' * 300}")


@pytest.mark.parametrize("name", ["tasks?.db", "tasks#1.db", "tasks.db?schema=a&schema=b"])
def test_a_file_with_a_question_mark_hears_how_it_is_written(tmp_path: Path, name: str) -> None:
    assert "In the name of a file a ? is written %3F, a # is %23." in refused(f"sqlite:///{tmp_path}/{name}")
    assert path_of(f"sqlite:///{tmp_path}/tasks%3F%231.db").name == "tasks?#1.db"


async def test_a_file_that_keeps_text_otherwise_than_as_utf_8_is_refused(path: Path, url: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA encoding = 'UTF-16le'; CREATE TABLE somebody_elses (a TEXT);")
    connection.close()
    with pytest.raises(InvalidValue, match="must keep its text as UTF-8, and this file keeps it as UTF-16le"):
        await connect(url).backend.open()


@pytest.mark.parametrize(("query", "mode"), [("", "listen"), ("?mode=listen", "listen"), ("?mode=poll", "poll")])
def test_a_url_may_say_how_processes_hear_of_one_another(tmp_path: Path, query: str, mode: str) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db{query}"
    assert (path_of(url).name, mode_of(url)) == ("tasks.db", mode)


@pytest.mark.parametrize("mode", ["ro", "", "POLL", "memory"])
def test_a_mode_that_is_none_is_refused(tmp_path: Path, mode: str) -> None:
    assert f"mode must be listen, or poll for processes that cannot reach one another's sockets, got {mode!r}." in refused(
        f"sqlite:///{tmp_path}/tasks.db?mode={mode}"
    )


@pytest.mark.parametrize("query", ["?", "?mode=poll&mode=poll", "?mode=poll&schema=a", "?mode=poll#1", "?synchronous=normal"])
def test_a_setting_that_a_store_in_a_file_does_not_have_is_refused(tmp_path: Path, query: str) -> None:
    assert "must have no setting but ?mode=poll, and that once" in refused(f"sqlite:///{tmp_path}/tasks.db{query}")
