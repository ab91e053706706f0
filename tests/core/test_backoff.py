"""Retry: how long to wait before the next attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_core.backoff import Curve, Retry, clamp, spread
from queue_core.errors import InvalidValue
from tests.core.steady import steady

CURVES = st.sampled_from(["constant", "linear", "exponential"])
SECONDS = st.floats(0, 1e6)


def _retries(jitter: st.SearchStrategy[float]) -> st.SearchStrategy[Retry]:
    def make(curve: Curve, bounds: tuple[float, float], jitter: float) -> Retry:
        return Retry(backoff=curve, min=min(bounds), max=max(bounds), jitter=jitter)

    return st.builds(make, CURVES, st.tuples(SECONDS, SECONDS), jitter)


@pytest.mark.parametrize(
    ("curve", "pauses"),
    [("constant", [2, 2, 2, 2, 2]), ("linear", [2, 4, 6, 8, 10]), ("exponential", [2, 4, 8, 16, 20])],
)
def test_each_curve_grows_in_its_own_way(curve: Curve, pauses: list[float]) -> None:
    retry = Retry(backoff=curve, min=2, max=20, jitter=0)
    assert [retry.delay(attempt) for attempt in range(1, 6)] == pauses


@given(_retries(st.just(0.0)), st.integers(1, 32_767))
@steady
def test_a_pause_is_between_min_and_max(retry: Retry, attempt: int) -> None:
    assert retry.min <= retry.delay(attempt) <= retry.max


@given(_retries(st.just(0.0)), st.integers(1, 32_766))
@steady
def test_pauses_never_shrink(retry: Retry, attempt: int) -> None:
    assert retry.delay(attempt) <= retry.delay(attempt + 1)


@given(_retries(st.floats(0, 1)), st.integers(1, 100))
@steady
def test_jitter_moves_a_pause_by_at_most_its_share(retry: Retry, attempt: int) -> None:
    plain = Retry(backoff=retry.backoff, min=retry.min, max=retry.max, jitter=0).delay(attempt)
    assert plain * (1 - retry.jitter) <= retry.delay(attempt) * (1 + 1e-9)
    assert retry.delay(attempt) <= plain * (1 + retry.jitter) * (1 + 1e-9)
    assert retry.delay(attempt) >= 0


def test_jitter_parts_tasks_that_failed_together() -> None:
    retry = Retry(min=10, jitter=0.5)
    assert len({retry.delay(1) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"backoff": "cubic"}, "backoff must be one of constant, linear, exponential, got 'cubic'"),
        ({"min": -1}, "min must be a number of seconds"),
        ({"max": float("inf")}, "max must be a number of seconds"),
        ({"min": 5, "max": 4}, "max must not be less than min, got min=5 and max=4"),
        ({"jitter": 1.1}, "jitter must be between 0 and 1, got 1.1"),
        ({"jitter": float("nan")}, "jitter must be between 0 and 1"),
    ],
)
def test_a_wrong_number_gets_a_sentence(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        Retry(**wrong)  # type: ignore[arg-type]


def test_the_small_helpers_do_what_they_say() -> None:
    assert (clamp(5, 1, 3), clamp(0, 1, 3), clamp(2, 1, 3)) == (3, 1, 2)
    assert spread(7, 0) == 7
