"""NewTask: checked when it is made. And what people read of a task."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_core.errors import InvalidValue
from queue_core.task import MAX_ARGS, ErrorInfo, NewTask, check_name
from tests.core.steady import steady

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAIVE = datetime(2026, 1, 1)


def _task(**changes: Any) -> NewTask:
    return NewTask(**{"name": "work", "args": b"{}", **changes})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "task name must not be blank"),
        ({"name": "  \u00a0"}, "task name must not be blank"),
        ({"name": "a\nb"}, "task name must not contain control characters, got 'a\\\\nb'"),
        ({"name": 5}, "task name must be text, got int"),
        ({"queue": ""}, "queue must not be blank"),
        ({"queue": "x" * 201}, "queue must have at most 200 characters, got 201"),
        ({"queue": "a\x00"}, "queue must not contain control characters"),
        ({"queue": "\ud800"}, "queue must not contain half of a character"),
        ({"key": " "}, "key must not be blank"),
        ({"id": ""}, "id must not be blank"),
        ({"tags": ("ok", "")}, "tag must not be blank"),
        ({"run_at": NAIVE}, "run_at must know its time zone, got the naive 2026-01-01T00:00:00. Pass datetime.now"),
        ({"run_at": "tomorrow"}, "run_at must be a datetime, got str"),
        ({"expires_at": NAIVE}, "expires_at must know its time zone"),
        ({"run_at": NOW, "run_after": 5}, "run_at and run_after were both given; pass one of them"),
        ({"run_after": -1}, "run_after must be a number of seconds, zero or more, got -1"),
        ({"run_after": float("nan")}, "run_after must be a number of seconds"),
        ({"run_after": "5"}, "run_after must be a number of seconds"),
        ({"timeout": 0}, "timeout must be more than 0 seconds, got 0. Leave it out"),
        ({"timeout": float("inf")}, "timeout must be a number of seconds"),
        ({"max_attempts": 0}, "max_attempts must be a whole number from 1 to 32767, got 0"),
        ({"max_attempts": 2.0}, "max_attempts must be a whole number"),
        ({"max_attempts": True}, "max_attempts must be a whole number"),
        ({"max_attempts": 32_768}, "max_attempts must be a whole number"),
        ({"priority": 40_000}, "priority must be a whole number from -32768 to 32767, got 40000"),
        ({"priority": "high"}, "priority must be a whole number"),
        ({"priority": 1.5}, "priority must be a whole number"),
        ({"args": bytes(MAX_ARGS + 1)}, "at most 16,777,216 are stored. Store the data elsewhere"),
    ],
)
def test_a_wrong_value_gets_a_sentence(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        _task(**wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"priority": -32_768},
        {"priority": 32_767},
        {"max_attempts": 1},
        {"max_attempts": 32_767},
        {"run_after": 0},
        {"run_after": 0.001},
        {"timeout": 0.001},
        {"queue": "x" * 200},
        {"queue": "🦀/'%"},
        {"args": b""},
        {"run_at": NOW - timedelta(days=365 * 100)},
    ],
)
def test_the_edge_of_what_is_allowed_is_allowed(right: dict[str, object]) -> None:
    task = _task(**right)
    assert all(getattr(task, name) == value for name, value in right.items())


def test_a_moment_outside_the_calendar_in_utc_is_refused() -> None:
    edge = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))
    with pytest.raises(InvalidValue, match="run_at is outside the years 1 to 9999 in UTC"):
        _task(run_at=edge)


def test_every_task_has_an_id_of_its_own() -> None:
    assert _task().id != _task().id


def test_the_same_task_again_has_a_fresh_id_and_other_arguments() -> None:
    first = _task(queue="mail", priority=3, tags=("a",))
    again, third = first.again([b"[1]", b"[2]"])
    assert (again.queue, again.priority, again.tags, again.args) == ("mail", 3, ("a",), b"[1]")
    assert first.id < again.id < third.id
    assert third.args == b"[2]"
    with pytest.raises(InvalidValue):
        first.again([bytes(MAX_ARGS + 1)])


@given(st.text(max_size=250))
@steady
def test_a_name_is_taken_or_refused_with_a_sentence(name: str) -> None:
    said = ""
    try:
        check_name("queue", name)
    except InvalidValue as error:
        said = str(error)
    if said:
        assert said.startswith("queue must ")
    else:
        assert name.strip() and len(name) <= 200
        name.encode()  # whatever is taken can be stored


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ErrorInfo(type="shop.OutOfStock", message="no apples\nno pears"), "OutOfStock: no apples"),
        (ErrorInfo(type="builtins.KeyError", message=""), "builtins.KeyError"),
        (ErrorInfo(type="Plain", message="  x "), "Plain: x"),
    ],
)
def test_an_error_has_one_line(error: ErrorInfo, line: str) -> None:
    assert error.line == line


def test_the_line_of_a_long_error_is_short() -> None:
    assert len(ErrorInfo(type="E", message="x" * 10_000).line) == 500


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("retry", 3, "retry must be a Retry, as Retry(min=1, max=300), got 3."),
        ("retry", "exponential", "retry must be a Retry"),
        ("metadata", "x", "metadata must be a mapping"),
        ("metadata", [1], "metadata must be a mapping"),
        ("priority", 1.5, "priority must be a whole number"),
        ("priority", True, "priority must be a whole number"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_before_anything_is_stored(field: str, value: object, sentence: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        NewTask(name="n", args=b"", **{field: value})  # type: ignore[arg-type]
    assert sentence in str(refusal.value)


# --- the rules of a key --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"unique": "live"}, "none was given"),
        ({"debounce": 5}, "none was given"),
        ({"key": "k", "unique": "always"}, '"ever", "live" or a number'),
        ({"key": "k", "unique": 0}, "above zero"),
        ({"key": "k", "unique": -1.5}, "above zero"),
        ({"key": "k", "unique": True}, "above zero"),
        ({"key": "k", "unique": float("nan")}, "above zero"),
        ({"key": "k", "unique": 1e10}, "100 years"),
        ({"key": "k", "debounce": 0}, "above zero"),
        ({"key": "k", "debounce": 5, "unique": "live"}, "must be left out"),
        ({"key": "k", "debounce": 5, "run_after": 6}, "leave run_at and run_after out"),
        ({"key": "k", "debounce_max": 5}, "Pass debounce="),
        ({"key": "k", "debounce": 5, "debounce_max": 4}, "at least the debounce"),
    ],
)
def test_rules_of_a_key_that_make_no_sense_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        NewTask(name="work", args=b"", **fields)


def test_copies_of_a_debounced_task_are_debounced() -> None:
    [copy] = NewTask(name="work", args=b"", key="k", debounce=5).again([b"1"])
    assert (copy.debounce, copy.run_after, copy.is_ruled) == (5, 5.0, True)
