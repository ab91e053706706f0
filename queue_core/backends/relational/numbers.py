"""Numbers about queues: counts, series, and the seed's statistics."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from queue_core.backends._rows import Row, moment
from queue_core.backends._statistics import HOURS_SINCE, MINUTES_SINCE, STALE_AFTER, DatabaseFacts, Facts, statistics
from queue_core.backends.relational.limiting import limits_of
from queue_core.backends.relational.transaction import Store
from queue_core.clock import from_us, to_us
from queue_core.expose import COUNT_CAP, Bucket, Counts, Durations, Pause, QueueInfo, Room, Span, Statistic
from queue_core.ids import QueueName, TaskId
from queue_core.status import Status
from queue_core.task import check_aware

# --- queues ----------------------------------------------------------------------------------------------


async def queue_infos(store: Store, queue: QueueName | None = None) -> list[QueueInfo]:
    """All queues, or one, by name."""
    now = to_us(await store.now())
    rows = await store.rows("queues", queue=queue, now=now, cap=COUNT_CAP)
    counted = await counts(store)
    serving = _serving(await store.rows("living_workers", now=now))
    return [_info(row, counted.get(row[0], Counts()), serving.get(row[0], [])) for row in rows]


def _serving(rows: Iterable[Row]) -> dict[str, list[tuple[str, int]]]:
    """Name and concurrency of the living workers, by queue."""
    serving: dict[str, list[tuple[str, int]]] = {}
    for queue, name, concurrency in rows:
        serving.setdefault(queue, []).append((name, concurrency))
    return serving


def _info(row: Row, counts: Counts, workers: Sequence[tuple[str, int]]) -> QueueInfo:
    name, paused_by, paused_at, reason, scheduled, stepped_back, oldest_due, oldest_unpromoted, oldest_held, *limits = row
    oldest = [us for us in (oldest_due, oldest_unpromoted, oldest_held) if us is not None]
    return QueueInfo(
        name=name,
        counts=counts,
        scheduled=min(scheduled + stepped_back, COUNT_CAP),
        pause=None if paused_at is None else Pause(by=paused_by, since=from_us(paused_at), reason=reason),
        oldest_due=moment(min(oldest, default=None)),
        workers=tuple(name for name, _ in workers),
        slots=sum(concurrency for _, concurrency in workers),
        limits=limits_of(limits),
    )


async def room(store: Store, id: TaskId) -> Room:
    """What the limits of a task's queue and group count just now."""
    row = await store.row("room", id=id, now=to_us(await store.now()))
    if row is None:
        return Room()
    starts, again_at, group_held, group_starts, group_again_at, group_first = row
    return Room(
        starts=int(starts),
        again_at=moment(again_at),
        group_held=group_held,
        group_starts=int(group_starts),
        group_again_at=moment(group_again_at),
        group_first=group_first,
    )


async def counts(store: Store) -> dict[QueueName, Counts]:
    """Exact numbers by queue and state."""
    found: dict[QueueName, dict[str, int]] = {}
    for queue, status, n in await store.rows("counts"):
        own = found.setdefault(queue, {})
        if status is not None:
            own[status] = n
    return {queue: Counts.from_mapping(own) for queue, own in found.items()}


# --- series ----------------------------------------------------------------------------------------------


async def series(store: Store, span: Span, since: datetime, until: datetime, queue: QueueName | None) -> list[Bucket]:
    """What happened between two times, without gaps."""
    first, last, width = _period(span, since, until)
    happened = {row[0]: row for row in await store.rows("series", span=span.value, since=first, until=last, queue=queue)}
    return [_bucket(happened.get(start) or (start, 0, 0, 0, 0)) for start in range(first, last + 1, width)]


def _period(span: Span, since: datetime, until: datetime) -> tuple[int, int, int]:
    """Start of the first bucket, end of the last, and their width, in microseconds."""
    check_aware("since", since)
    check_aware("until", until)
    width = int(span.width.total_seconds()) * 1_000_000
    return to_us(since) // width * width, to_us(until), width


def _bucket(row: Row) -> Bucket:
    start, pushed, done, failed, killed = row
    return Bucket(start=from_us(start), pushed=pushed or 0, done=done or 0, failed=failed or 0, killed=killed or 0)


async def durations(store: Store, span: Span, since: datetime, until: datetime, queue: QueueName | None) -> Durations:
    """How long things took between two times."""
    first, last, _ = _period(span, since, until)
    counted = await store.rows("durations", span=span.value, since=first, until=last, queue=queue)
    return Durations(run=_histogram(counted, "run:"), wait=_histogram(counted, "wait:"))


def _histogram(rows: Iterable[Row], prefix: str) -> dict[int, int]:
    return {int(metric.removeprefix(prefix)): n for metric, n in rows if metric.startswith(prefix)}


# --- statistics ------------------------------------------------------------------------------------------


async def seed_statistics(store: Store, queue: QueueName | None) -> list[Statistic]:
    """The seed's titled statistics of one queue or all."""
    now = await store.now()
    queues = await queue_infos(store, queue)
    return statistics(
        now=now.astimezone(UTC),
        queues=queues,
        minutes=await series(store, Span.MINUTE, now - MINUTES_SINCE, now, queue),
        hours=await series(store, Span.HOUR, now - HOURS_SINCE, now, queue),
        run=(await durations(store, Span.HOUR, now - HOURS_SINCE, now, queue)).run,
        facts=await _facts(store, now, [info.name for info in queues]),
    )


async def _facts(store: Store, now: datetime, queues: Sequence[QueueName]) -> Facts:
    row = await store.row("facts", queues=queues, statuses=list(Status), stale=to_us(now - STALE_AFTER))
    assert row is not None
    newest, running_since, stale_running, page_size, page_count = row
    return Facts(
        newest=moment(newest),
        running_since=moment(running_since),
        stale_running=stale_running,
        database=DatabaseFacts(page_size=page_size, page_count=page_count),
    )
