"""The seed's titled statistics, computed rightly. One pure function, shared by all backends.

The seed measures everything by ``run_at``, calls the time since then a duration, and divides by all rows. Here a job counts when it *ended*
(Done or Killed), a duration is how long its attempt ran, and rates are shares of what ended. Days are UTC days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from queue_core.clock import EPOCH
from queue_core.expose import Bucket, Counts, QueueInfo, Statistic, StatType
from queue_core.histogram import BOUNDS, Histogram

MINUTES_SINCE: Final = timedelta(minutes=59)
"""Ask ``series`` for minutes since now minus this: 60 buckets, the running minute included."""
HOURS_SINCE: Final = timedelta(hours=7 * 24 - 1)
"""Ask ``series`` for hours since now minus this: 168 buckets, the running hour included."""
STALE_AFTER: Final = timedelta(hours=1)
"""A task that has run for longer is STALE_RUNNING."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The size of the file that a store lives in."""

    page_size: int
    """Bytes."""
    page_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What only the store knows, of the queue or queues in question."""

    newest: datetime | None = None
    """``created_at`` of the newest stored task."""
    running_since: datetime | None = None
    """``started_at`` of the task that has run longest."""
    stale_running: int = 0
    """How many Running tasks started longer than ``STALE_AFTER`` ago."""
    database: DatabaseFacts | None = None


def statistics(
    *, now: datetime, queues: Sequence[QueueInfo], minutes: Sequence[Bucket], hours: Sequence[Bucket], run: Histogram, facts: Facts
) -> list[Statistic]:
    """Every title of the seed's list, by priority.

    ``minutes`` and ``hours`` are the series since ``MINUTES_SINCE`` and ``HOURS_SINCE``, ``run`` is how long attempts ran in those hours.
    """
    counts = sum((queue.counts for queue in queues), Counts())
    past_day, today = hours[-24:], [hour for hour in hours if hour.start >= _midnight(now)]
    return [
        *_now(counts, facts),
        *_lately(minutes, today),
        *_stored(counts),
        *_durations(now, run, queues, facts),
        *_past_days(past_day, hours),
        *_moments(queues, past_day, facts),
        *_database(facts.database),
    ]


def _now(counts: Counts, facts: Facts) -> list[Statistic]:
    return [
        _number("RUNNING_JOBS", 1, counts.running),
        _number("PENDING_JOBS", 1, counts.pending),
        _number("FAILED_JOBS", 2, counts.failed),
        _number("ACTIVE_JOBS", 2, counts.pending + counts.queued + counts.running),
        _number("STALE_RUNNING_JOBS", 2, facts.stale_running),
        _share("KILL_RATE", 2, counts.killed, counts.done + counts.killed),
    ]


def _lately(minutes: Sequence[Bucket], today: Sequence[Bucket]) -> list[Statistic]:
    return [
        _number("JOBS_PAST_HOUR", 3, _ended(minutes)),
        _number("JOBS_TODAY", 3, _ended(today)),
        _number("KILLED_JOBS_TODAY", 3, _killed(today)),
        _decimal("AVG_JOBS_PER_MINUTE_PAST_HOUR", 3, _ended(minutes) / 60),
    ]


def _stored(counts: Counts) -> list[Statistic]:
    ended = counts.done + counts.killed
    return [
        _number("TOTAL_JOBS", 4, counts.total),
        _number("DONE_JOBS", 4, counts.done),
        _number("COMPLETED_JOBS", 4, ended),
        _number("KILLED_JOBS", 4, counts.killed),
        _share("SUCCESS_RATE", 4, counts.done, ended),
    ]


def _durations(now: datetime, run: Histogram, queues: Sequence[QueueInfo], facts: Facts) -> list[Statistic]:
    longest = now - facts.running_since if facts.running_since else timedelta()
    return [
        _decimal("AVG_JOB_DURATION_MINS", 5, _mean(run) / 60),
        _decimal("LONGEST_RUNNING_JOB_MINS", 5, longest / timedelta(minutes=1)),
        _number("QUEUE_BACKLOG", 5, sum(queue.counts.pending - queue.scheduled for queue in queues)),
    ]


def _past_days(past_day: Sequence[Bucket], past_week: Sequence[Bucket]) -> list[Statistic]:
    done = sum(hour.done for hour in past_day)
    return [
        _number("JOBS_PAST_24_HOURS", 6, _ended(past_day)),
        _number("JOBS_PAST_7_DAYS", 6, _ended(past_week)),
        _number("KILLED_JOBS_PAST_7_DAYS", 6, _killed(past_week)),
        _share("SUCCESS_RATE_PAST_24H", 6, done, _ended(past_day)),
        _decimal("AVG_JOBS_PER_HOUR_PAST_24H", 7, _ended(past_day) / 24),
        _decimal("AVG_JOBS_PER_DAY_PAST_7D", 7, _ended(past_week) / 7),
    ]


def _moments(queues: Sequence[QueueInfo], past_day: Sequence[Bucket], facts: Facts) -> list[Statistic]:
    oldest = min((queue.oldest_due for queue in queues if queue.oldest_due), default=None)
    return [
        _timestamp("MOST_RECENT_JOB", 8, facts.newest),
        _timestamp("OLDEST_PENDING_JOB", 8, oldest),
        _number("PEAK_HOUR_JOBS", 8, max((_ended([hour]) for hour in past_day), default=0)),
    ]


def _database(facts: DatabaseFacts | None) -> list[Statistic]:
    if facts is None:
        return []
    return [
        _number("DB_PAGE_SIZE", 9, facts.page_size),
        _number("DB_PAGE_COUNT", 9, facts.page_count),
        _number("DB_SIZE", 9, facts.page_size * facts.page_count),
    ]


# --- arithmetic ----------------------------------------------------------------------------------------------


def _ended(buckets: Iterable[Bucket]) -> int:
    return sum(bucket.done + bucket.killed for bucket in buckets)


def _killed(buckets: Iterable[Bucket]) -> int:
    return sum(bucket.killed for bucket in buckets)


def _midnight(now: datetime) -> datetime:
    return now - (now - EPOCH) % timedelta(days=1)


def _mean(histogram: Histogram) -> float:
    """The mean duration in seconds, to the bucket's accuracy; 0 when there is none."""
    total = sum(histogram.values())
    return sum(_middle(bucket) * count for bucket, count in histogram.items()) / total if total else 0.0


def _middle(bucket: int) -> float:
    high = BOUNDS[min(bucket, len(BOUNDS) - 1)]
    return high if bucket == 0 or bucket >= len(BOUNDS) else (BOUNDS[bucket - 1] + high) / 2


# --- the seed's shapes -----------------------------------------------------------------------------------------


def _number(title: str, priority: int, value: int) -> Statistic:
    return Statistic(title, StatType.NUMBER, str(value), priority)


def _decimal(title: str, priority: int, value: float) -> Statistic:
    return Statistic(title, StatType.DECIMAL, f"{value:.2f}", priority)


def _share(title: str, priority: int, part: int, whole: int) -> Statistic:
    return Statistic(title, StatType.PERCENTAGE, f"{100 * part / whole if whole else 0.0:.2f}", priority)


def _timestamp(title: str, priority: int, moment: datetime | None) -> Statistic:
    """Unix seconds; empty when there is no such moment."""
    return Statistic(title, StatType.TIMESTAMP, str(int(moment.timestamp())) if moment else "", priority)
