"""Clocks, and moments as they are stored."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from queue_core.clock import HandWoundClock, SystemClock, from_us, to_us
from tests.core.steady import steady

MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))]))


def test_the_systems_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
    assert SystemClock().now() <= SystemClock().now()


def test_a_hand_wound_clock_moves_only_when_told() -> None:
    clock = HandWoundClock()
    before = clock.now()
    assert clock.now() == before
    clock.advance(1.5)
    assert clock.now() - before == timedelta(seconds=1.5)
    clock.advance(-2)
    assert clock.now() < before


def test_a_hand_wound_clock_can_start_anywhere() -> None:
    moment = datetime(1999, 12, 31, tzinfo=UTC)
    assert HandWoundClock(moment).now() == moment


def test_listeners_see_the_new_time() -> None:
    clock, seen = HandWoundClock(), []
    clock.on_advance(lambda: seen.append(clock.now()))
    clock.advance(1)
    assert seen == [clock.now()]


@given(MOMENTS)
@steady
def test_a_moment_survives_storing_to_the_microsecond(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment
    assert from_us(to_us(moment)).utcoffset() == timedelta(0)


@given(MOMENTS, MOMENTS)
@steady
def test_stored_moments_sort_as_moments_do(one: datetime, other: datetime) -> None:
    assert (one < other) == (to_us(one) < to_us(other))


def test_moments_before_1970_are_negative() -> None:
    assert to_us(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
