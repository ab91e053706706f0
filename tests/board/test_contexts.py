"""What templates may see is documented, plain and frozen; and the pure helpers tell the truth."""

import ast
import dataclasses
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from board import charts, contexts, filters
from board.paths import located
from board.urls import name_of, segment
from queue_core.expose import Bucket

CLASSES = [one for _, one in inspect.getmembers(contexts, inspect.isclass) if one.__module__ == contexts.__name__]


@pytest.mark.parametrize("context", CLASSES, ids=lambda context: context.__name__)
def test_every_context_is_a_frozen_dataclass_with_every_field_documented(context: type) -> None:
    assert dataclasses.is_dataclass(context) and context.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert context.__doc__ and not context.__doc__.startswith(context.__name__ + "(")
    body = next(
        node.body
        for node in ast.parse(Path(contexts.__file__).read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == context.__name__
    )
    for here, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(here, ast.AnnAssign):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
            assert documented, f"{context.__name__}.{ast.unparse(here.target)} has no docstring"


@pytest.mark.parametrize("name", ["a/b", "100%", "..", ".", "~..", "~~.", "rows", "~rows", "~x", "a b", "ü🐦", "?#&=+"])
def test_a_name_survives_its_address(name: str) -> None:
    assert name_of(segment(name)) == name
    assert "/" not in segment(name) and segment(name) not in {".", "..", "rows"}


@pytest.mark.parametrize(
    ("scope", "root", "path"),
    [
        ({"path": "/tasks"}, "", "/tasks"),
        ({"path": ""}, "", "/"),
        ({"path": "/ops/q", "root_path": "/ops/q"}, "/ops/q", "/"),
        ({"path": "/ops/q/a/b", "root_path": "/ops/q", "raw_path": b"/ops/q/a%2Fb"}, "/ops/q", "/a%2Fb"),
        ({"path": "/a/b", "root_path": "/ops/q", "raw_path": b"/ops/q/a%2Fb?x=1"}, "/ops/q", "/a%2Fb"),
        ({"path": "/ops/q/x", "root_path": "/p/ops/q", "app_root_path": "/p", "raw_path": b"/ops/q/x"}, "/p/ops/q", "/x"),
        ({"path": "/öps/x", "root_path": "/öps", "raw_path": b"/%C3%B6ps/x"}, "/%C3%B6ps", "/x"),
        ({"path": "/opsx", "root_path": "/ops"}, "/ops", "/opsx"),
    ],
)
def test_a_path_is_split_at_the_prefix(scope: dict[str, object], root: str, path: str) -> None:
    found = located(scope)
    assert (found.root, found.path) == (root, path)


def bucket(minute: int, done: int = 0, failed: int = 0, killed: int = 0) -> Bucket:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=minute)
    return Bucket(start=start, done=done, failed=failed, killed=killed)


def test_bars_stand_on_one_another_within_the_chart() -> None:
    chart = charts.throughput([bucket(minute, done=minute, failed=minute % 3, killed=1) for minute in range(60)])
    for bar in chart.bars:
        lower = 100.0
        for piece in bar.segments:
            assert abs(piece.y + piece.height - lower) < 0.02
            lower = piece.y
        assert lower >= 0 and bar.x >= 0 and bar.x + bar.width <= 100.0
    assert [bar.partial for bar in chart.bars] == [False] * 59 + [True]
    assert chart.summary == "In the last hour: 1,770 done, 60 failed attempts, 60 killed."


def test_no_label_of_the_time_axis_leaves_the_chart() -> None:
    for first in range(10):
        ticks = charts.throughput([bucket(minute) for minute in range(first, first + 60)]).ticks
        assert len(ticks) >= 5 and ticks[-1].x <= 90


def test_a_quiet_hour_is_an_empty_chart() -> None:
    buckets = [bucket(minute) for minute in range(60)]
    assert charts.throughput(buckets).empty and charts.spark(buckets).empty and charts.spark(buckets).line == ""


def test_a_spark_draws_failures_only_where_there_were_some() -> None:
    drawn = charts.spark([bucket(minute, done=4, failed=int(minute in {10, 40})) for minute in range(60)]).failures
    assert [len(peak.split(" L")) for peak in drawn.split(" M")] == [3, 3], "each is a peak of three points, and nothing lies between them"
    assert charts.spark([bucket(minute, done=4) for minute in range(60)]).failures == ""


def test_an_address_may_go_on_in_the_next_line_before_each_part_and_stays_text() -> None:
    assert filters.breakable("db<1>:5432/shop?schema=mail") == "db&lt;1&gt;:5432<wbr>/shop<wbr>?schema=mail"


@pytest.mark.parametrize("highest", [0, 1, 3, 9, 10, 11, 99, 4_999, 10**9])
def test_the_scale_of_a_chart_holds_its_highest_bar(highest: int) -> None:
    chart = charts.throughput([bucket(0, done=highest), bucket(1)])
    assert highest <= chart.top <= max(highest * 10, 1)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "< 1 ms"),
        (0.0004, "< 1 ms"),
        (0.25, "250 ms"),
        (3, "3 s"),
        (59.94, "59.9 s"),
        (60, "1 m"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert filters.duration(seconds) == words


def test_nothing_invisible_is_left() -> None:
    shown = filters.visible("".join(map(chr, range(0x100))) + "\u202e\u2066\ud800")
    assert shown.isprintable() or set(shown) - {"\n", "\t", "\xa0", "\xad"} == {letter for letter in shown if letter.isprintable()}
    shown.encode()
