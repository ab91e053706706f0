"""Intervals, the ephemeral stream of ticks, and what is planned for ticks that came late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from queue_core import Cron, Every, HandWoundClock, InvalidValue, NewTask, Retry, Tick
from queue_core.schedule import Entry, Schedule, plan, tick_in

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_every_ten_minutes_is_ten_minutes() -> None:
    every, moment = Every(minutes=10), NOON
    for number in range(1, 10):
        moment = every.next_after(moment) or moment
        assert moment == NOON + number * timedelta(minutes=10)


def test_processes_that_start_at_different_moments_agree_on_the_ticks() -> None:
    every = Every(minutes=7)
    assert every.next_after(NOON) == every.next_after(NOON + timedelta(seconds=17)) == datetime(2026, 1, 1, 12, 7, tzinfo=UTC)
    assert Every(weeks=1).next_after(NOON) == datetime(2026, 1, 5, tzinfo=UTC), "a Monday"
    assert Every(days=1, anchor=NOON).next_after(NOON) == NOON + timedelta(days=1)


def test_moments_before_the_anchor_have_ticks_too() -> None:
    assert Every(hours=1, anchor=NOON).next_after(NOON - timedelta(hours=2, minutes=1)) == NOON - timedelta(hours=2)
    assert Every(days=1).next_after(datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("every", "english"),
    [
        (Every(minutes=10), "Every 10 minutes"),
        (Every(days=1), "Every day"),
        (Every(seconds=90), "Every 1 minute and 30 seconds"),
        (Every(seconds=1.5), "Every 1.5 seconds"),
        (Every(weeks=2), "Every 2 weeks"),
        (Every(hours=1, anchor=datetime(2026, 1, 1, 0, 5, tzinfo=UTC)), "Every hour, counted from 2026-01-01 00:05:00 UTC"),
    ],
)
def test_an_interval_is_told_in_english(every: Every, english: str) -> None:
    assert every.english == english


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"seconds": 0.5},
        {"minutes": -1},
        {"hours": "1"},
        {"days": 1, "anchor": datetime(2026, 1, 1)},
        {"weeks": True},
        {"weeks": 1e300},
        {"seconds": 10**400},
    ],
)
def test_a_wrong_interval_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Every(**wrong)


# --- ticks -------------------------------------------------------------------------------------------------------


async def test_ticks_come_when_they_are_due_and_not_before() -> None:
    clock = HandWoundClock(NOON)
    ticks = Every(minutes=10).ticks(clock)
    waiting = asyncio.ensure_future(anext(ticks))
    await asyncio.sleep(0)
    clock.advance(599)
    assert not (await asyncio.wait([waiting], timeout=0.01))[0]
    clock.advance(1)
    assert await waiting == Tick(NOON + timedelta(minutes=10), "every 10 minutes")


async def test_a_reader_that_is_late_gets_the_newest_tick_and_neither_an_error_nor_a_flood() -> None:
    clock = HandWoundClock(NOON)
    ticks = Cron("*/10 * * * *").ticks(clock)
    first = asyncio.ensure_future(anext(ticks))
    await asyncio.sleep(0)
    clock.advance(600)
    assert (await first).at == NOON + timedelta(minutes=10)
    clock.advance(7 * 86_400 + 42)
    assert (await anext(ticks)).at == NOON + timedelta(days=7, minutes=10)
    clock.advance(-3_600)
    again = asyncio.ensure_future(anext(ticks))
    await asyncio.sleep(0)
    clock.advance(3_600 + 558)
    assert (await again).at == NOON + timedelta(days=7, minutes=20), "a clock that is set back repeats no tick"


async def test_ticks_end_after_the_last() -> None:
    assert [tick async for tick in Cron("0 0 0 1 1 * 2000").ticks(HandWoundClock(NOON))] == []


def test_a_tick_keeps_its_instant_in_any_time_zone_and_through_a_codec() -> None:
    local = Tick(datetime.fromisoformat("2026-07-01T06:00:00+02:00"), "nightly")
    assert local.at.utcoffset() == timedelta(0)
    assert msgspec.json.decode(msgspec.json.encode(local), type=Tick) == local
    with pytest.raises(InvalidValue, match="time zone"):
        Tick(datetime(2026, 7, 1, 6), "nightly")


# --- plans -------------------------------------------------------------------------------------------------------

LATE_BY_AN_HOUR: Final = {"due": NOON, "now": NOON + timedelta(minutes=61)}
LAST: Final = NOON + timedelta(minutes=60)
NEXT: Final = NOON + timedelta(minutes=70)


def test_latest_makes_one_task_for_the_newest_missed_tick() -> None:
    planned = plan(Every(minutes=10), "latest", **LATE_BY_AN_HOUR)
    assert (planned.ticks, planned.next) == ((LAST,), NEXT)


def test_all_makes_one_for_each() -> None:
    planned = plan(Every(minutes=10), "all", **LATE_BY_AN_HOUR)
    assert planned.ticks == tuple(NOON + timedelta(minutes=10 * number) for number in range(7))
    assert planned.next == NEXT


def test_all_makes_up_for_the_newest_hundred_at_most() -> None:
    planned = plan(Cron("* * * * * *"), "all", due=NOON, now=NOON + timedelta(days=30))
    assert planned.ticks == tuple(NOON + timedelta(days=30, seconds=number - 99) for number in range(100))


def test_skip_makes_none_for_a_tick_that_is_more_than_seconds_late() -> None:
    planned = plan(Every(minutes=10), "skip", **LATE_BY_AN_HOUR)
    assert (planned.ticks, planned.next) == ((), NEXT)
    assert plan(Every(minutes=10), "skip", due=NOON, now=NOON + timedelta(seconds=10)).ticks == (NOON,)


@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
def test_a_tick_in_time_makes_one_task_whatever_the_policy(missed: Any) -> None:
    assert plan(Cron("0 12 * * *"), missed, due=NOON, now=NOON).ticks == (NOON,)


def test_the_newest_tick_of_an_uneven_schedule_is_found() -> None:
    burst = Cron("0-59 0 0 1 1 *")
    planned = plan(burst, "latest", due=datetime(2020, 1, 1, tzinfo=UTC), now=NOON)
    assert (planned.ticks, planned.next) == ((datetime(2026, 1, 1, 0, 0, 59, tzinfo=UTC),), datetime(2027, 1, 1, tzinfo=UTC))


# --- what is kept ------------------------------------------------------------------------------------------------


def scheduled(**changes: Any) -> Schedule:
    task = NewTask(name="report", args=b"{}", priority=3, tags=("a",), retry=Retry(min=2.0), timeout=5.0, metadata={"who": "olga"})
    return Schedule(**{"name": "nightly", "when": Cron("0 6 * * *", "Europe/Berlin"), "task": task, **changes})


@pytest.mark.parametrize("when", [Cron("0 6 * * *", "Europe/Berlin"), Every(minutes=10, anchor=NOON), Every(seconds=1.000_001)])
def test_what_is_kept_of_a_schedule_is_all_that_is_needed(when: Any) -> None:
    entry = Entry.of(scheduled(when=when, missed="all"))
    again = entry.schedule()
    assert Entry.of(again) == entry
    assert again.when.next_after(NOON) == when.next_after(NOON)
    pushed = again.at(NOON)
    assert (pushed.name, pushed.priority, pushed.tags, pushed.retry, pushed.timeout) == ("report", 3, ("a",), Retry(min=2), 5)
    assert pushed.id != again.at(NOON).id
    assert pushed.metadata == {"who": "olga", "schedule": "nightly", "tick": "2026-01-01T12:00:00+00:00"}
    assert tick_in(pushed.metadata) == Tick(NOON, "nightly")


@pytest.mark.parametrize(
    "metadata", [{}, {"schedule": "a"}, {"tick": "x", "schedule": "a"}, {"tick": "2026-01-01T12:00:00", "schedule": "a"}, {"tick": 5}]
)
def test_metadata_that_tell_no_tick_are_no_tick(metadata: dict[str, Any]) -> None:
    assert tick_in(metadata) is None


@pytest.mark.parametrize("option", [{"key": "k"}, {"run_at": NOON}, {"expires_at": NOON}, {"metadata": {"tick": 1}}])
def test_what_would_be_the_same_for_every_tick_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="The schedule nightly"):
        scheduled(task=NewTask(name="report", args=b"{}", **option))


@pytest.mark.parametrize("change", [{"missed": "some"}, {"name": " "}])
def test_a_schedule_that_breaks_a_rule_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        scheduled(**change)


@pytest.mark.parametrize(
    "change", [{"kind": "lunar"}, {"options": "{"}, {"options": '{"timeout": "x"}'}, {"timezone": "Mars/Base"}, {"missed": "some"}]
)
def test_what_this_machine_cannot_read_is_a_sentence(change: dict[str, str]) -> None:
    from dataclasses import replace

    with pytest.raises(InvalidValue):
        replace(Entry.of(scheduled()), **change).schedule()  # type: ignore[arg-type]  # each is a text
