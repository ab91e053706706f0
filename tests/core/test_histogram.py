"""Durations in buckets: percentiles to a known accuracy."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_core.histogram import BOUNDS, bucket_of, merge, percentile
from tests.core.steady import steady

GROWTH = 1.5
DURATIONS = st.lists(st.floats(0, BOUNDS[-1]), min_size=1, max_size=60)


def _histogram(durations: list[float]) -> dict[int, int]:
    return merge([{bucket_of(duration): 1} for duration in durations])


@given(DURATIONS, st.floats(0.01, 1))
@steady
def test_a_percentile_is_at_most_one_bucket_above_the_truth(durations: list[float], share: float) -> None:
    truth = sorted(durations)[ceil(share * len(durations) - 1e-9) - 1]
    told = percentile(_histogram(durations), share)
    assert told is not None
    assert truth <= told <= max(truth * GROWTH * 1.001, BOUNDS[0])


@given(DURATIONS, DURATIONS)
@steady
def test_merging_is_the_histogram_of_all(one: list[float], other: list[float]) -> None:
    assert merge([_histogram(one), _histogram(other)]) == _histogram(one + other)


@given(DURATIONS)
@steady
def test_a_higher_share_is_never_a_shorter_duration(durations: list[float]) -> None:
    told = [percentile(_histogram(durations), share) or 0.0 for share in (0.1, 0.5, 0.9, 0.99, 1)]
    assert told == sorted(told)


def test_bounds_belong_to_their_own_bucket() -> None:
    assert [bucket_of(bound) for bound in BOUNDS] == list(range(len(BOUNDS)))
    assert bucket_of(0) == 0
    assert bucket_of(1e9) == len(BOUNDS)


def test_what_is_beyond_the_last_bound_is_told_as_that_bound() -> None:
    assert percentile({bucket_of(1e9): 3}, 0.5) == BOUNDS[-1]


@pytest.mark.parametrize("empty", [{}, {3: 0}])
def test_nothing_has_no_percentile(empty: dict[int, int]) -> None:
    assert percentile(empty, 0.5) is None


def test_merging_nothing_is_nothing() -> None:
    assert merge([]) == {}
