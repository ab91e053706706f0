"""Cron expressions: what they mean, in every time zone and when clocks change, and what is said of wrong ones."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from queue_core import Cron, InvalidValue

NEW_YEAR: Final = datetime(2026, 1, 1, tzinfo=UTC)


def some(cron: Cron, after: datetime, count: int = 3) -> list[str]:
    """The next ticks, as the wall of the cron's zone shows them."""
    shown = []
    for _ in range(count):
        found = cron.next_after(after)
        if found is None:
            break
        shown.append(found.astimezone(ZoneInfo(cron.timezone)).isoformat())
        after = found
    return shown


@pytest.mark.parametrize(
    ("expression", "ticks"),
    [
        ("30 6 * * *", ["2026-01-01T06:30:00+00:00", "2026-01-02T06:30:00+00:00"]),
        ("15 30 6 * * *", ["2026-01-01T06:30:15+00:00", "2026-01-02T06:30:15+00:00"]),
        ("15 30 6 * * * 2027", ["2027-01-01T06:30:15+00:00", "2027-01-02T06:30:15+00:00"]),
        ("0 0 0 31 12 * 2026,2028", ["2026-12-31T00:00:00+00:00", "2028-12-31T00:00:00+00:00"]),
        ("0 0 0 1 1 * 2027/2", ["2027-01-01T00:00:00+00:00", "2029-01-01T00:00:00+00:00"]),
        ("0,20 8-9 * * *", ["2026-01-01T08:00:00+00:00", "2026-01-01T08:20:00+00:00", "2026-01-01T09:00:00+00:00"]),
        ("*/25 * * * *", ["2026-01-01T00:25:00+00:00", "2026-01-01T00:50:00+00:00", "2026-01-01T01:00:00+00:00"]),
        ("0 0 * FEB-MAR mon", ["2026-02-02T00:00:00+00:00", "2026-02-09T00:00:00+00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
        ("0 0 L * *", ["2026-01-31T00:00:00+00:00", "2026-02-28T00:00:00+00:00"]),
        ("0 0 * * 5L", ["2026-01-30T00:00:00+00:00", "2026-02-27T00:00:00+00:00"]),
        ("0 0 * * 1#2", ["2026-01-12T00:00:00+00:00", "2026-02-09T00:00:00+00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00:00+00:00", "2026-01-11T00:00:00+00:00"]),
        ("@yearly", ["2027-01-01T00:00:00+00:00"]),
        ("@annually", ["2027-01-01T00:00:00+00:00"]),
        ("@monthly", ["2026-02-01T00:00:00+00:00"]),
        ("@weekly", ["2026-01-04T00:00:00+00:00"]),
        ("@daily", ["2026-01-02T00:00:00+00:00"]),
        ("@midnight", ["2026-01-02T00:00:00+00:00"]),
        ("@Hourly", ["2026-01-01T01:00:00+00:00"]),
    ],
)
def test_an_expression_means_these_moments(expression: str, ticks: list[str]) -> None:
    assert some(Cron(expression), NEW_YEAR, len(ticks)) == ticks


def test_where_both_days_are_given_either_is_enough() -> None:
    assert [tick[:10] for tick in some(Cron("0 0 13 * 5"), NEW_YEAR, 4)] == ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]


def test_where_one_of_the_days_begins_with_a_star_both_must_hold() -> None:
    assert [tick[:10] for tick in some(Cron("0 0 */2 * 1"), NEW_YEAR, 3)] == ["2026-01-05", "2026-01-19", "2026-02-09"]


def test_the_next_tick_is_later_than_the_moment_even_at_a_tick_and_between_seconds() -> None:
    cron = Cron("* * * * * *")
    assert cron.next_after(NEW_YEAR) == NEW_YEAR + timedelta(seconds=1)
    assert cron.next_after(NEW_YEAR + timedelta(microseconds=999_999)) == NEW_YEAR + timedelta(seconds=1)


def test_there_is_no_tick_after_the_last_year() -> None:
    cron = Cron("0 0 0 1 1 * 2024-2026")
    assert cron.next_after(NEW_YEAR - timedelta(seconds=1)) == NEW_YEAR
    assert cron.next_after(NEW_YEAR) is None
    assert Cron("0 0 * * *").next_after(datetime.max.replace(tzinfo=UTC)) is None


def test_the_year_is_that_of_the_time_zone() -> None:
    assert some(Cron("0 0 0 1 1 * 2027", "Asia/Tokyo"), NEW_YEAR) == ["2027-01-01T00:00:00+09:00"]


# --- when clocks change ------------------------------------------------------------------------------------------

SPRING: Final = datetime(2026, 3, 28, 12, tzinfo=UTC)
AUTUMN: Final = datetime(2026, 10, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("expression", ["30 2 * * *", "0 30 2 * * *", "15 30 2 * * *", "0-59 2 * * *"])
def test_a_time_that_spring_skips_comes_once_in_the_first_moment_after_the_gap(expression: str) -> None:
    [first, second] = some(Cron(expression, "Europe/Berlin"), SPRING, 2)
    assert first == "2026-03-29T03:00:00+02:00"
    assert second.startswith("2026-03-30T02:")


def test_a_time_that_autumn_repeats_comes_the_first_time_only() -> None:
    assert some(Cron("30 2 * * *", "Europe/Berlin"), AUTUMN, 2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert some(Cron("30 2 * * *", "Europe/Berlin"), between, 1) == ["2026-10-26T02:30:00+01:00"]


def test_an_interval_goes_on_evenly_when_clocks_change() -> None:
    for start in (SPRING, AUTUMN):
        cron, moment = Cron("*/15 * * * *", "Europe/Berlin"), start
        for _ in range(24 * 4):
            following = cron.next_after(moment)
            assert following == moment + timedelta(minutes=15)
            moment = following


def test_a_day_without_a_midnight_begins_after_the_gap() -> None:
    before = datetime(2026, 9, 5, 12, tzinfo=UTC)
    assert some(Cron("@daily", "America/Santiago"), before, 2) == ["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"]


ZONES: Final = {
    "Europe/Berlin": [(2026, 3, 28), (2026, 10, 24)],
    "America/Santiago": [(2026, 4, 4), (2026, 9, 5)],
    "Africa/Cairo": [(2026, 4, 23), (2026, 10, 29)],
    "Australia/Lord_Howe": [(2026, 4, 3), (2026, 10, 2)],
    "Asia/Kathmandu": [(2026, 1, 1)],
}
"""Zones whose clocks change in the night, at midnight, by half an hour, or never, and the days before."""


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in ZONES.items() for day in days])
@pytest.mark.parametrize("expression", ["*/20 * * * *", "30 * * * *", "*/20 2 * * *", "0 */2 * * *", "0 */3 * * 0", "*/30 23 * * SAT,SUN"])
def test_an_interval_is_every_minute_at_which_the_wall_matches(expression: str, zone: str, day: tuple[int, int, int]) -> None:
    start = datetime(*day, tzinfo=UTC) - timedelta(minutes=1)
    fields = CronSim(f"0 {expression}", datetime(2000, 1, 1))
    minutes = [start + timedelta(minutes=minute) for minute in range(1, 3 * 24 * 60)]
    walls = {moment: moment.astimezone(ZoneInfo(zone)) for moment in minutes}
    wanted = [at for at, wall in walls.items() if wall.minute in fields.minutes and wall.hour in fields.hours and fields.match_day(wall.date())]
    found, cron = [start], Cron(expression, zone)
    while (following := cron.next_after(found[-1])) is not None and following <= minutes[-1]:
        found.append(following)
    assert found[1:] == wanted


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "english"),
    [
        (Cron("0 6 * * MON-FRI", "Europe/Berlin"), "At 06:00 on weekdays, Europe/Berlin"),
        (Cron("@hourly"), "At the start of every hour, UTC"),
        (Cron("*/15 * * * *"), "Every 15th minute of every hour, UTC"),
        (Cron("30 0 12 * * * 2027-2029"), "At 12:00:30 every day in 2027 to 2029, UTC"),
        (Cron("0 0 29 2 *"), "At 00:00 on February 29, UTC"),
    ],
)
def test_an_expression_is_told_in_english(cron: Cron, english: str) -> None:
    assert cron.english == english


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("61 * * * *", r"Cron '61 \* \* \* \*': the minute must be from 0 to 59; .* It is '61'\."),
        ("* 24 * * *", "the hour must be from 0 to 23"),
        ("* * 0 * *", "the day-of-month must be from 1 to 31"),
        ("* * * JAM *", "the month must be from 1 to 12 or JAN to DEC"),
        ("* * * * 8", "the day-of-week must be from 0 to 7"),
        ("60 * * * * *", "the second must be from 0 to 59"),
        ("* * * * * * 26", "the year must be from 1970 to 2199"),
        ("* * * * * * 2030-2020", "the year must be"),
        ("* * * * * * */0", "the year must be"),
        ("*/0 * * * *", "the minute must be"),
        ("5-1 * * * *", "the minute must be"),
        ("0 0 30 2 *", r"never comes: no such month \(2\) has a day 30"),
        ("* * * *", "must have 5 fields .* it has 4"),
        ("", "it has 0"),
        ("@reboot", "is no shortcut; they are @yearly"),
        ("* " * 600, "at most 1,000 characters"),
        (5, "is text"),
    ],
)
def test_a_wrong_expression_is_refused_at_once_with_its_field_and_the_cure(expression: Any, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        Cron(expression)


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "", "Europe", None, 5])
def test_an_unknown_time_zone_is_refused(zone: Any) -> None:
    with pytest.raises(InvalidValue, match="timezone must be a name that this machine knows"):
        Cron("* * * * *", zone)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(InvalidValue, match="time zone"):
        Cron("@daily").next_after(datetime(2026, 1, 1))
