"""Every row of docs/coming-from-apalis.md, and every fault that we know of, has tests that hold it, on every store that can have it."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.reach import kinds_of, names_in

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "docs" / "coming-from-apalis.md"
EVERY: Final = frozenset({"memory", "functions", "jsonfile", "sqlite", "postgres"})
PLACES: Final = {"every": EVERY, "served": frozenset({"sqlite", "postgres"}), "code": frozenset[str]()} | {kind: frozenset({kind}) for kind in EVERY}
"""How promises.toml calls the stores that a test runs on."""


@dataclass(frozen=True)
class Promise:
    """An entry of promises.toml."""

    section: str
    row: str | None
    fault: str | None
    tests: tuple[tuple[str, str], ...]
    """Where each runs, and its file and name."""
    because: str | None

    def __str__(self) -> str:
        return f"{self.section}: {self.row or self.fault}"

    @property
    def places(self) -> set[str]:
        return {place for place, _ in self.tests}


def promises() -> Iterator[Promise]:
    for section, entries in tomllib.loads((HERE / "promises.toml").read_text()).items():
        for entry in entries:
            row, fault, because = (entry.pop(key, None) for key in ("row", "fault", "because"))
            tests = tuple((place, test) for place, tests in entry.items() for test in tests)
            yield Promise(section, row, fault, tests, because)


def rows_of(page: str) -> Iterator[tuple[str, str]]:
    """The section and the first cell of each row of each table."""
    section, table = "", False
    for line in page.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if not line.startswith("|"):
            table = False
        elif re.fullmatch(r"\|[-|]+\|", line):
            table = True
        elif table:
            yield section, re.split(r"(?<!\\)\|", line)[1].strip()


PROMISES: Final = list(promises())
each_promise: Final = pytest.mark.parametrize("promise", PROMISES, ids=str)


def test_every_row_of_the_page_has_its_tests_here_and_nothing_else_has() -> None:
    promised = Counter((promise.section, promise.row) for promise in PROMISES if promise.row is not None)
    assert promised == Counter(rows_of(PAGE.read_text()))
    assert set(promised.values()) == {1}


def test_every_fault_is_named_once() -> None:
    faults = Counter(promise.fault for promise in PROMISES if promise.row is None)
    assert set(faults.values()) == {1}
    assert None not in faults


@each_promise
def test_each_test_of_a_promise_exists_and_runs_where_the_promise_says(promise: Promise) -> None:
    for place, test in promise.tests:
        path, _, name = test.partition("::")
        assert name in names_in(path), f"there is no test {test}"
        assert _place_of(kinds_of(test)) == place, f"{test} runs on {sorted(kinds_of(test)) or 'no store'}"


@each_promise
def test_a_promise_is_held_on_every_store_or_says_why_not(promise: Promise) -> None:
    is_held = "every" in promise.places or promise.places == {"code"}
    assert is_held == (promise.because is None), "say why it is not held on every store, and only then"


def _place_of(kinds: frozenset[str]) -> str:
    """The name of the largest place that ``kinds`` fill."""
    filled = [place for place, needed in PLACES.items() if needed <= kinds]
    return max(filled, key=lambda place: len(PLACES[place]))


# --- how the source is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "kinds"),
    [
        ("conformance/test_ack.py::test_acking_nothing_is_allowed", EVERY),
        ("conformance/test_loops.py::test_each_call_may_run_in_an_event_loop_of_its_own", EVERY),
        ("core/test_worker.py::test_a_handler_decides_its_own_fate", EVERY),
        ("core/test_schedules.py::test_drain_runs_what_schedules_have_due", EVERY),
        ("middleware/test_retries.py::test_n_retries_are_n_plus_one_runs_in_one_attempt", EVERY),
        ("middleware/test_retries.py::test_a_short_retry_after_is_waited_for_and_decides_the_pause", {"memory"}),
        ("core/test_executors.py::test_errors_come_back_from_a_child_as_they_were", {"memory"}),
        ("core/test_monitor.py::test_whatever_the_core_of_a_worker_raises_is_contained", {"memory"}),
        ("core/test_cron.py::test_there_is_no_tick_after_the_last_year", set()),
        ("board/test_api.py::test_a_pushed_task_is_answered_whole", {"sqlite", "postgres"}),
        ("cli/test_commands.py::test_kill_retry_and_delete_do_what_they_say", {"sqlite", "postgres"}),
        ("cli/test_bad_input.py::test_an_unknown_task", {"sqlite"}),
        ("faults/test_crashes.py::test_a_frozen_worker_changes_nothing_when_it_continues", {"sqlite", "postgres"}),
        ("faults/test_store_trouble.py::test_a_worker_waits_out_a_locked_file_and_loses_nothing", {"sqlite"}),
        ("faults/test_postgres_server.py::test_everybody_goes_on_after_the_server_was_away", {"postgres"}),
        ("backends/test_jsonfile.py::test_a_second_process_is_refused_and_told_who_has_it", {"jsonfile"}),
        ("backends/postgres/test_joining.py::test_the_task_appears_with_the_commit", {"postgres"}),
    ],
)
def test_where_a_test_runs_is_read_from_its_source(test: str, kinds: set[str]) -> None:
    assert kinds_of(test) == kinds


def test_a_row_is_read_from_a_table_and_from_nothing_else() -> None:
    page = """
| no | section |

## One

| Theirs | Ours |
|---|---|
| `a \\| b` | c |
| d | |

text | with | bars

## Two

| x |
|-|
| y |
"""
    assert list(rows_of(page)) == [("One", r"`a \| b`"), ("One", "d"), ("Two", "y")]
