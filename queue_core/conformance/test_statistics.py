"""statistics: the seed's titles, computed rightly."""

import pytest

from queue_core.clock import HandWoundClock
from queue_core.conformance.helpers import done, failed, finish, killed, lose_workers, push_one, registered, running, take
from queue_core.expose import Connected, StatType
from queue_core.ids import QueueName

NUMBER, DECIMAL, SHARE, TIME = StatType.NUMBER, StatType.DECIMAL, StatType.PERCENTAGE, StatType.TIMESTAMP
TITLES = [
    ("RUNNING_JOBS", 1, NUMBER),
    ("PENDING_JOBS", 1, NUMBER),
    ("FAILED_JOBS", 2, NUMBER),
    ("ACTIVE_JOBS", 2, NUMBER),
    ("STALE_RUNNING_JOBS", 2, NUMBER),
    ("KILL_RATE", 2, SHARE),
    ("JOBS_PAST_HOUR", 3, NUMBER),
    ("JOBS_TODAY", 3, NUMBER),
    ("KILLED_JOBS_TODAY", 3, NUMBER),
    ("AVG_JOBS_PER_MINUTE_PAST_HOUR", 3, DECIMAL),
    ("TOTAL_JOBS", 4, NUMBER),
    ("DONE_JOBS", 4, NUMBER),
    ("COMPLETED_JOBS", 4, NUMBER),
    ("KILLED_JOBS", 4, NUMBER),
    ("SUCCESS_RATE", 4, SHARE),
    ("AVG_JOB_DURATION_MINS", 5, DECIMAL),
    ("LONGEST_RUNNING_JOB_MINS", 5, DECIMAL),
    ("QUEUE_BACKLOG", 5, NUMBER),
    ("JOBS_PAST_24_HOURS", 6, NUMBER),
    ("JOBS_PAST_7_DAYS", 6, NUMBER),
    ("KILLED_JOBS_PAST_7_DAYS", 6, NUMBER),
    ("SUCCESS_RATE_PAST_24H", 6, SHARE),
    ("AVG_JOBS_PER_HOUR_PAST_24H", 7, DECIMAL),
    ("AVG_JOBS_PER_DAY_PAST_7D", 7, DECIMAL),
    ("MOST_RECENT_JOB", 8, TIME),
    ("OLDEST_PENDING_JOB", 8, TIME),
    ("PEAK_HOUR_JOBS", 8, NUMBER),
]
DATABASE = {"DB_PAGE_SIZE", "DB_PAGE_COUNT", "DB_SIZE"}
HOUR = 3600.0
DAY = 24 * HOUR


async def _values(connected: Connected, queue: str | None = None) -> dict[str, str]:
    return {found.title: found.value for found in await connected.expose.statistics(None if queue is None else QueueName(queue))}


@pytest.mark.parametrize("queue", [None, "default", "nobody"])
async def test_every_title_is_there_with_its_priority_and_type(connected: Connected, queue: QueueName | None) -> None:
    found = [stat for stat in await connected.expose.statistics(queue) if stat.title not in DATABASE]
    assert [(stat.title, stat.priority, stat.stat_type) for stat in found] == TITLES


async def test_the_database_is_described_as_a_whole_or_not_at_all(connected: Connected) -> None:
    values = {title: int(value) for title, value in (await _values(connected)).items() if title in DATABASE}
    assert not values or values["DB_SIZE"] == values["DB_PAGE_SIZE"] * values["DB_PAGE_COUNT"] > 0


async def test_an_empty_store_divides_nothing_by_zero(connected: Connected) -> None:
    for stat in await connected.expose.statistics():
        if stat.title not in DATABASE:
            assert stat.value == ("" if stat.stat_type is TIME else "0" if stat.stat_type is NUMBER else "0.00")


async def test_states_are_counted_as_they_are(connected: Connected) -> None:
    await done(connected)
    await killed(connected)
    await failed(connected)
    await running(connected)
    await push_one(connected, run_after=9999)
    await push_one(connected)
    values = await _values(connected)
    expected = {"RUNNING_JOBS": 1, "PENDING_JOBS": 2, "FAILED_JOBS": 1, "ACTIVE_JOBS": 3, "TOTAL_JOBS": 6, "DONE_JOBS": 1}
    expected |= {"KILLED_JOBS": 1, "COMPLETED_JOBS": 2, "QUEUE_BACKLOG": 1}
    assert {title: int(values[title]) for title in expected} == expected


async def test_rates_are_shares_of_what_ended(connected: Connected) -> None:
    for _ in range(3):
        await done(connected)
    await killed(connected)
    await push_one(connected)
    await failed(connected, queue="other")
    values = await _values(connected)
    assert (values["SUCCESS_RATE"], values["KILL_RATE"], values["SUCCESS_RATE_PAST_24H"]) == ("75.00", "25.00", "75.00")


async def test_periods_count_what_ended_in_them_and_not_what_was_due(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected, run_after=10 * DAY)
    await done(connected, queue="old")
    clock.advance(3 * DAY)
    await killed(connected, queue="yesterday")
    clock.advance(13 * HOUR)  # past midnight
    await done(connected, queue="before")
    clock.advance(2 * HOUR)
    await done(connected, queue="today")
    await killed(connected, queue="today")
    values = await _values(connected)
    expected = {"JOBS_PAST_HOUR": 2, "JOBS_TODAY": 3, "KILLED_JOBS_TODAY": 1, "JOBS_PAST_24_HOURS": 4, "JOBS_PAST_7_DAYS": 5}
    expected |= {"KILLED_JOBS_PAST_7_DAYS": 2, "PEAK_HOUR_JOBS": 2}
    assert {title: int(values[title]) for title in expected} == expected
    assert values["AVG_JOBS_PER_MINUTE_PAST_HOUR"] == "0.03"
    assert values["AVG_JOBS_PER_HOUR_PAST_24H"] == "0.17"
    assert values["AVG_JOBS_PER_DAY_PAST_7D"] == "0.71"


async def test_durations_are_run_times_and_leave_out_the_waiting(connected: Connected, clock: HandWoundClock) -> None:
    task = await push_one(connected)
    boot = await registered(connected, lease_ttl=1e6)
    clock.advance(6 * HOUR)
    await finish(connected, await take(connected, task.id, boot), ran_for=120)
    assert float((await _values(connected))["AVG_JOB_DURATION_MINS"]) == pytest.approx(2, rel=0.3)


async def test_a_task_that_runs_for_more_than_an_hour_is_stale(connected: Connected, clock: HandWoundClock) -> None:
    await push_one(connected)
    boot = await registered(connected, lease_ttl=1e6)
    clock.advance(2 * HOUR)
    await connected.backend.claim(boot, ["default"], names=None, limit=1, start=1)
    assert (await _values(connected))["STALE_RUNNING_JOBS"] == "0"
    clock.advance(HOUR + 60)
    values = await _values(connected)
    assert (values["STALE_RUNNING_JOBS"], values["LONGEST_RUNNING_JOB_MINS"]) == ("1", "61.00")


async def test_moments_are_unix_seconds(connected: Connected, clock: HandWoundClock) -> None:
    oldest = await push_one(connected, run_after=5)
    await push_one(connected, run_after=50)
    clock.advance(20)
    newest = await push_one(connected, run_after=DAY)
    values = await _values(connected)
    assert values["MOST_RECENT_JOB"] == str(int(newest.created_at.timestamp()))
    assert values["OLDEST_PENDING_JOB"] == str(int(oldest.run_at.timestamp()))


async def test_a_queue_has_its_own_numbers(connected: Connected, clock: HandWoundClock) -> None:
    await done(connected, queue="a")
    await running(connected, queue="b")
    clock.advance(600)
    one, two = await _values(connected, "a"), await _values(connected, "b")
    assert (one["DONE_JOBS"], one["RUNNING_JOBS"], one["JOBS_TODAY"], one["LONGEST_RUNNING_JOB_MINS"]) == ("1", "0", "1", "0.00")
    assert (two["DONE_JOBS"], two["RUNNING_JOBS"], two["JOBS_TODAY"], two["LONGEST_RUNNING_JOB_MINS"]) == ("0", "1", "0", "10.00")


async def test_an_orphan_that_went_back_no_longer_runs(connected: Connected, clock: HandWoundClock) -> None:
    await running(connected)
    await lose_workers(connected, clock)
    values = await _values(connected)
    assert (values["RUNNING_JOBS"], values["LONGEST_RUNNING_JOB_MINS"], values["QUEUE_BACKLOG"]) == ("0", "0.00", "1")
