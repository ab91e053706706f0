"""Examining what any store tells: its workers, its queues, its clock."""

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from queue_core.cli.doctor.finding import Finding, Waiting
from queue_core.cli.words import duration, many, relative
from queue_core.expose import Expose, QueueInfo, StoreUnavailable, WorkerInfo

SKEW: Final = 2.0
"""Seconds that a record may seem to come from the future."""


async def examine(store: Expose, waiting: Sequence[Waiting]) -> list[Finding]:
    """Everything that the read contract tells."""
    try:
        now, queues, workers = await _told(store)
    except StoreUnavailable as error:
        return [Finding("questions", str(error), "Mend that first: queues and workers could not be looked at.")]
    return [_clock(workers, now), _silent(workers, now), *_unserved(queues, workers, waiting, now), *_paused(queues, now)]


async def _told(store: Expose) -> tuple[datetime, list[QueueInfo], list[WorkerInfo]]:
    await store.open()
    try:
        return await store.now(), await store.list_queues(), await store.list_workers()
    finally:
        await store.close()


def _clock(workers: Sequence[WorkerInfo], now: datetime) -> Finding:
    ahead = max(((worker.last_heartbeat - now).total_seconds() for worker in workers), default=0.0)
    if ahead > SKEW:
        return Finding(
            "clock", f"a heartbeat is {duration(ahead)} ahead of now", "A host's clock is wrong or was set back. Let it follow a time server."
        )
    return Finding("clock", "no record comes from the future")


def _silent(workers: Sequence[WorkerInfo], now: datetime) -> Finding:
    silent = [worker for worker in workers if worker.state.is_live and not worker.is_live(now)]
    living = sum(worker.is_live(now) for worker in workers)
    if silent:
        heard = ", ".join(f"{worker.name} ({relative(worker.last_heartbeat, now)})" for worker in silent[:5])
        cure = "They hang or died. Restart them; any living worker takes their tasks back."
        return Finding("workers", f"{living} alive; no heartbeat from {heard}", cure)
    return Finding("workers", f"{living} alive")


def _unserved(queues: Iterable[QueueInfo], workers: Sequence[WorkerInfo], waiting: Sequence[Waiting], now: datetime) -> list[Finding]:
    living = [worker for worker in workers if worker.is_live(now)]
    lonely = [queue.name for queue in queues if queue.oldest_due and not any(queue.name in worker.queues for worker in living)]
    findings = [
        Finding("queue", f"{name}: tasks are due and no live worker serves it", f"Start one: prinia worker module:app --queues {shlex.quote(name)}")
        for name in lonely
    ]
    for group in waiting:
        if group.queue not in lonely and not any(_serves(worker, group) for worker in living):
            cure = "Deploy a worker whose app has a task of this name, or kill these tasks."
            findings.append(Finding("name", f"{many(group.tasks, 'task')} {group.name} in {group.queue}: no live worker knows the name", cure))
    return findings or [Finding("serving", "every due task has a worker that serves it")]


def _serves(worker: WorkerInfo, group: Waiting) -> bool:
    return group.queue in worker.queues and (worker.names is None or group.name in worker.names)


def _paused(queues: Iterable[QueueInfo], now: datetime) -> list[Finding]:
    """A pause is somebody's wish and nothing to mend, but worth a line."""
    return [
        Finding("paused", f"{queue.name} by {queue.pause.by} {relative(queue.pause.since, now)}; {many(queue.counts.waiting, 'task')} waiting")
        for queue in queues
        if queue.pause is not None
    ]
