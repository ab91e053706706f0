"""Numbers, times and tables as a person reads them."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from queue_core.cli.table import Column, render
from queue_core.cli.words import cut, duration, harmless, many, moment, octets, relative, seconds, size, width
from queue_core.cli.worker import HarmlessFormatter
from queue_core.errors import InvalidValue

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "words"),
    [(0.0, "0 ms"), (0.34, "340 ms"), (1.25, "1.2 s"), (59.9, "59 s"), (60.0, "1 m"), (3_599.0, "59 m"), (7_200.0, "2 h"), (200_000.0, "2 d")],
)
def test_a_duration_is_told_in_its_largest_unit(span: float, words: str) -> None:
    assert duration(span) == words


@pytest.mark.parametrize(("away", "words"), [(-3, "3 s ago"), (0, "now"), (0.4, "now"), (9.6, "in 9 s"), (120, "in 2 m"), (-90_000, "1 d ago")])
def test_a_moment_is_told_from_now(away: float, words: str) -> None:
    assert relative(NOW + timedelta(seconds=away), NOW) == words


def test_no_moment_is_a_dash() -> None:
    assert relative(None, NOW) == "–"


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("90s", 90.0), ("5m", 300.0), ("1.5h", 5_400.0), (" 2 w ", 1_209_600.0), ("250ms", 0.25)])
def test_a_span_is_read(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-5", "5 years", "1e9", "5m5s"])
def test_a_span_that_is_none(text: str) -> None:
    with pytest.raises(InvalidValue, match="number and a unit"):
        seconds(text)


def test_a_moment_needs_its_zone() -> None:
    assert moment("2026-01-01T12:00:00Z") == NOW
    with pytest.raises(InvalidValue, match="time zone"):
        moment("2026-01-01T12:00:00")


@pytest.mark.parametrize(("amount", "words"), [(None, "–"), (0, "0 B"), (999, "999 B"), (45_000_000, "45 MB"), (5e15, "5000.0 TB")])
def test_a_size(amount: float | None, words: str) -> None:
    assert size(amount) == words


def test_one_and_many() -> None:
    assert [many(number, "task") for number in (0, 1, 14_302)] == ["0 tasks", "1 task", "14,302 tasks"]


@pytest.mark.parametrize("text", ["\x1b[2J", "\x00", "\u202e", "\x9b31m", "line\nbreak"])
def test_control_characters_are_shown_and_not_obeyed(text: str) -> None:
    assert harmless(text).isprintable()


def test_wide_letters_are_counted_and_cut_by_columns() -> None:
    assert width("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert cut("plain", 5) == "plain"


def test_a_table_is_aligned_and_fits_where_its_columns_give() -> None:
    columns = (Column("NAME"), Column("N", right=True), Column("ERROR", gives=True))
    rows = [("a", "1", "short"), ("longer", "1,000", "x" * 200)]
    lines = render(columns, rows, limit=40)
    assert lines[1].startswith("a           1  short")
    assert all(width(line) <= 40 for line in lines)
    assert lines[2].endswith("…")
    assert len(render(columns, rows, limit=None)[2]) > 200


def test_a_table_leaves_out_what_can_be_spared_where_the_terminal_is_too_narrow() -> None:
    columns = (Column("NAME", gives=True), Column("A", spare=True), Column("B", right=True), Column("C", spare=True, gives=True))
    rows = [("a name of some length", "first", "10,000", "last of all")]
    assert render(columns, rows, limit=60)[1] == "a name of some length  first  10,000  last of all"
    assert render(columns, rows, limit=40)[1] == "a name of some…  first  10,000  last of…"
    assert render(columns, rows, limit=25)[1] == "a name of…  first  10,000"
    assert render(columns, rows, limit=20)[1] == "a name of s…  10,000"
    assert render(columns, rows, limit=5)[1] == "a name …  10,000"


def test_what_a_stranger_wrote_cannot_steer_the_terminal_of_the_worker() -> None:
    record = logging.LogRecord("prinia.worker", logging.WARNING, "", 0, "It said %s", ("a\x00b\x1b[2J\u202e\ud800\nand more",), None)
    assert HarmlessFormatter("%(levelname)s %(message)s").format(record) == "WARNING It said a␀b␛[2J\\u202e\\ud800\nand more"


@pytest.mark.parametrize(("text", "value"), [("1000", 1_000), ("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("64k", 64_000), ("7B", 7)])
def test_sizes_that_are_typed_are_read(text: str, value: int) -> None:
    assert octets(text) == value


@pytest.mark.parametrize("text", ["", "much", "-5MB", "5 parsecs", "1,5GB"])
def test_what_is_no_size_gets_a_sentence(text: str) -> None:
    with pytest.raises(InvalidValue, match="as 500MB or "):
        octets(text)
