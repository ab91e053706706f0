"""The Overview: is anything wrong now, and what is going on."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from board.charts import percentiles, throughput
from board.contexts import (
    BusyQueuesPart,
    Concern,
    CountsPart,
    FailuresPart,
    HealthPart,
    Link,
    OverviewPage,
    OverviewWorkersPart,
    ThroughputPart,
)
from board.filters import plural, utc, visible
from board.screen import Ask, Fragment, Screen
from board.views.rows import Crew, last_durations, last_hour, queue_problem, queue_row, state_counts, task_row, worker_row
from queue_core.expose import COUNT_CAP, Bucket, Counts, Durations, QueueInfo, Status, TaskFilter, WorkerInfo, WorkerState

SHOWN: Final = 8
"""Rows in each of its lists."""
BEHIND: Final = timedelta(minutes=5)
"""A due task that waits longer is worth a word."""
RECENT: Final = timedelta(hours=1)
FULL_MINUTES: Final = 5


async def overview(ask: Ask, _: Mapping[str, str]) -> Screen:
    """The page at the root of the board."""
    queues, crew = await asyncio.gather(ask.store.list_queues(), Crew.of(ask))
    hour, took, claimed, busiest, failures = await asyncio.gather(
        last_hour(ask, crew.now), last_durations(ask, crew.now), ask.store.last_claim(), _busiest(ask, queues, crew), _failures(ask, crew)
    )
    return Screen(
        template="overview/index.html",
        page=OverviewPage(heading="Overview"),
        title="Overview",
        nav="overview",
        fragments=(
            Fragment(id="overview-health", template="overview/_health.html", context=_health(ask, queues, crew, hour, claimed)),
            Fragment(id="overview-counts", template="overview/_counts.html", context=counts_of(ask, queues)),
            Fragment(id="overview-throughput", template="overview/_throughput.html", context=throughput_of(hour, took)),
            Fragment(id="overview-queues", template="overview/_queues.html", context=busiest),
            Fragment(id="overview-workers", template="overview/_workers.html", context=_workers(ask, crew)),
            Fragment(id="overview-failures", template="overview/_failures.html", context=failures),
        ),
    )


# --- is anything wrong ---------------------------------------------------------------------------------------


def _health(ask: Ask, queues: Sequence[QueueInfo], crew: Crew, hour: Sequence[Bucket], claimed: datetime | None) -> HealthPart:
    concerns = sorted(
        (
            *_unserved(ask, queues, crew),
            *_silent(ask, crew),
            *_behind(ask, queues, crew),
            *_paused(ask, queues),
            *_lost(ask, crew),
            *_killed(ask, hour),
        ),
        key=lambda concern: concern.level != "bad",
    )
    return HealthPart(
        level=concerns[0].level if concerns else "good" if queues else "new",
        sentence=_sentence(queues, crew, concerns),
        concerns=tuple(concerns),
        last_claim=claimed,
    )


def _sentence(queues: Sequence[QueueInfo], crew: Crew, concerns: Sequence[Concern]) -> str:
    if concerns:
        return concerns[0].text if len(concerns) == 1 else f"{plural(len(concerns), 'thing')} to look at."
    if not queues:
        return "Nothing was pushed yet. Push a task and it appears here by itself."
    counts = sum((queue.counts for queue in queues), Counts())
    return f"All is well: {plural(len(crew.live), 'worker')}, {counts.running:,} running, {counts.waiting:,} waiting."


def _unserved(ask: Ask, queues: Sequence[QueueInfo], crew: Crew) -> list[Concern]:
    return [
        Concern(
            level="bad",
            text=f"No live worker serves queue {visible(queue.name)}, where {plural(queue.counts.waiting, 'task waits', 'tasks wait')}.",
            href=ask.urls.queue(queue.name),
        )
        for queue in queues
        if queue_problem(queue, crew)
    ]


def _silent(ask: Ask, crew: Crew) -> list[Concern]:
    return [
        Concern(
            level="bad",
            text=f"Worker {visible(worker.name)} has been silent since {utc(worker.last_heartbeat)} UTC, longer than its lease.",
            href=ask.urls.worker(worker.boot),
        )
        for worker in crew.workers
        if worker.state.is_live and not worker.is_live(crew.now)
    ]


def _behind(ask: Ask, queues: Sequence[QueueInfo], crew: Crew) -> list[Concern]:
    return [
        Concern(
            level="warn",
            text=f"Queue {visible(queue.name)} is behind: its oldest task has been due since {utc(queue.oldest_due)} UTC.",
            href=ask.urls.queue(queue.name),
        )
        for queue in queues
        if queue.oldest_due and not queue.pause and crew.serving(queue.name) and crew.now - queue.oldest_due > BEHIND
    ]


def _paused(ask: Ask, queues: Sequence[QueueInfo]) -> list[Concern]:
    return [
        Concern(
            level="warn",
            text=f"Queue {visible(queue.name)} is paused by {visible(queue.pause.by)} since {utc(queue.pause.since)} UTC.",
            href=ask.urls.queue(queue.name),
        )
        for queue in queues
        if queue.pause
    ]


def _lost(ask: Ask, crew: Crew) -> list[Concern]:
    lost = [worker for worker in crew.workers if worker.state is WorkerState.LOST and crew.now - worker.last_heartbeat < RECENT]
    if not lost:
        return []
    names = ", ".join(list(dict.fromkeys(visible(worker.name) for worker in lost))[:3])
    return [Concern(level="warn", text=f"{plural(len(lost), 'worker was', 'workers were')} lost in the last hour: {names}.", href=ask.urls.workers())]


def _killed(ask: Ask, hour: Sequence[Bucket]) -> list[Concern]:
    killed = sum(bucket.killed for bucket in hour)
    if not killed:
        return []
    text = f"{plural(killed, 'task was', 'tasks were')} killed in the last hour."
    return [Concern(level="warn", text=text, href=ask.urls.tasks([("status", Status.KILLED.value)]))]


# --- numbers, shared with a queue's page -----------------------------------------------------------------------


def counts_of(ask: Ask, queues: Sequence[QueueInfo], *, one: bool = False) -> CountsPart:
    """Tasks by state of some queues together; ``one``: of the only one, with links to its own list."""
    counts = sum((queue.counts for queue in queues), Counts())
    scheduled = sum(queue.scheduled for queue in queues)
    oldest = min((queue for queue in queues if queue.oldest_due), key=_oldest_due, default=None)

    def href(status: Status) -> str:
        return ask.urls.queue(queues[0].name, [("status", status.value)]) if one else ask.urls.tasks([("status", status.value)])

    return CountsPart(
        states=state_counts(counts, {status: href(status) for status in Status}),
        total=counts.total,
        scheduled=min(scheduled, COUNT_CAP - 1) if one else scheduled,
        scheduled_capped=any(queue.scheduled >= COUNT_CAP for queue in queues),
        oldest_due=oldest.oldest_due if oldest else None,
        oldest_queue=Link(label=visible(oldest.name), href=ask.urls.queue(oldest.name)) if oldest else None,
    )


def _oldest_due(queue: QueueInfo) -> datetime:
    assert queue.oldest_due is not None
    return queue.oldest_due


def throughput_of(hour: Sequence[Bucket], took: Durations) -> ThroughputPart:
    """The last hour as a chart and in numbers."""
    recent = hour[-FULL_MINUTES - 1 : -1]
    return ThroughputPart(
        chart=throughput(hour),
        pushed=sum(bucket.pushed for bucket in hour),
        done=sum(bucket.done for bucket in hour),
        failed=sum(bucket.failed for bucket in hour),
        killed=sum(bucket.killed for bucket in hour),
        per_minute=sum(bucket.done for bucket in recent) / max(len(recent), 1),
        run=percentiles(took.run),
        wait=percentiles(took.wait),
    )


# --- short lists -------------------------------------------------------------------------------------------


async def _busiest(ask: Ask, queues: Sequence[QueueInfo], crew: Crew) -> BusyQueuesPart:
    busiest = sorted(queues, key=lambda queue: (-queue.counts.live, queue.name))[:SHOWN]
    rows = await asyncio.gather(*(queue_row(ask, queue, crew) for queue in busiest))
    return BusyQueuesPart(queues=tuple(rows), more=len(queues) - len(rows), href=ask.urls.queues())


def _workers(ask: Ask, crew: Crew) -> OverviewWorkersPart:
    live: tuple[WorkerInfo, ...] = crew.live
    return OverviewWorkersPart(
        workers=tuple(worker_row(ask, worker, crew.now) for worker in live[:SHOWN]),
        live=len(live),
        slots=sum(worker.concurrency for worker in live),
        running=sum(worker.running for worker in live),
        more=max(len(live) - SHOWN, 0),
        href=ask.urls.workers(),
    )


async def _failures(ask: Ask, crew: Crew) -> FailuresPart:
    wanted = (Status.FAILED, Status.KILLED)
    page = await ask.store.list_tasks(TaskFilter(statuses=wanted), limit=SHOWN)
    rows = tuple(task_row(ask, task, crew) for task in page.tasks)
    return FailuresPart(tasks=rows, href=ask.urls.tasks([("status", status.value) for status in wanted]))
