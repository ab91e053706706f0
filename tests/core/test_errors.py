"""Errors are sentences: the thing, the rule, the value, the cure."""

import inspect

import pytest

from queue_core import errors
from queue_core.errors import (
    AbortError,
    ChildDied,
    DeferredError,
    HandlerReturnedFalse,
    InvalidValue,
    PriniaError,
    ResultTimeout,
    RetryAfterError,
    StoreUnavailable,
    TaskTimeout,
    UnknownTask,
    not_negative,
    verdict_of,
)


def test_every_error_is_one_of_prinias_and_says_what_it_means() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert all(issubclass(each, PriniaError) and each.__doc__ for each in classes)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidValue, ValueError),
        (UnknownTask, LookupError),
        (StoreUnavailable, ConnectionError),
        (ResultTimeout, TimeoutError),
        (TaskTimeout, TimeoutError),
    ],
)
def test_errors_can_be_caught_as_what_python_calls_them(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)


def test_one_unknown_task_is_named() -> None:
    assert str(UnknownTask(["a1"])) == "No stored task has the id a1. It was never pushed here, or retention removed it."


def test_of_many_unknown_tasks_five_are_named_and_all_are_kept() -> None:
    error = UnknownTask([str(number) for number in range(9)])
    assert "tasks have the ids 0, 1, 2, 3, 4, …." in str(error)
    assert len(error.ids) == 9


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), "5", None, True])
def test_a_delay_must_be_a_number_of_seconds(delay: float) -> None:
    for make in (lambda: RetryAfterError("x", delay=delay), lambda: DeferredError(delay=delay), lambda: not_negative("delay", delay)):
        with pytest.raises(InvalidValue, match=r"delay must be a number of seconds, zero or more, got"):
            make()


def test_a_handlers_wish_has_a_message_of_its_own_or_a_plain_one() -> None:
    assert str(RetryAfterError("rate limit", delay=1.5)) == "rate limit"
    assert str(RetryAfterError(delay=1.5)) == "retry after 1.5 s"
    assert str(DeferredError()) == "deferred"
    assert DeferredError(delay=3).delay == 3.0


def test_a_timeout_names_its_limit() -> None:
    assert str(TaskTimeout(2.5)) == "The attempt was stopped after its time limit of 2.5 s."


def test_false_is_explained() -> None:
    assert "Return None for success" in str(HandlerReturnedFalse())


@pytest.mark.parametrize(("code", "said"), [(-9, "signal 9"), (3, "exit code 3"), (None, "exit code None")])
def test_the_death_of_a_child_says_how(code: int | None, said: str) -> None:
    assert said in str(ChildDied("resize", code))
    assert ("memory" in str(ChildDied("resize", code))) == (code == -9)


def wrapped(cause: Exception) -> Exception:
    error = ValueError("something else")
    error.__cause__ = cause
    return error


ABORT, SOON, LATE, NOT_NOW, ORDINARY = (
    AbortError("never"),
    RetryAfterError(delay=1),
    RetryAfterError(delay=2),
    DeferredError(delay=3),
    ValueError("no"),
)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ORDINARY, None),
        (ABORT, ABORT),
        (ExceptionGroup("", [ABORT]), ABORT),
        (ExceptionGroup("", [ORDINARY, NOT_NOW, SOON, ABORT]), ABORT),
        (ExceptionGroup("", [ORDINARY, ExceptionGroup("", [SOON, LATE]), NOT_NOW]), LATE),
        (BaseExceptionGroup("", [NOT_NOW, BaseExceptionGroup("", [DeferredError()])]), NOT_NOW),
        (ExceptionGroup("", [NOT_NOW, ORDINARY]), None),
        (ExceptionGroup("", [ORDINARY, ORDINARY]), None),
        (wrapped(ABORT), None),
    ],
    ids=repr,
)
def test_a_group_of_errors_has_the_verdict_that_weighs_most_in_it(error: BaseException, verdict: PriniaError | None) -> None:
    assert verdict_of(error) is verdict
