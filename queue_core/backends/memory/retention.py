"""Removing what retention no longer keeps."""

from datetime import datetime, timedelta
from itertools import islice

from queue_core.backend import Retention
from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row
from queue_core.expose import Span
from queue_core.ids import QueueName
from queue_core.status import Status

SPANS_KEPT = {Span.MINUTE: 1, Span.HOUR: 30, Span.DAY: 365}
"""How many times ``Retention.minutes`` the rollups of each span stay."""


def prune(state: State, retention: Retention, limit: int) -> int:
    """Remove one batch of finished tasks, and whatever else is too old. How many tasks went."""
    _prune_workers(state, retention)
    _prune_rollups(state, retention)
    _prune_audit(state, retention)
    _prune_logs(state, retention, 20 * limit)
    state.forget_starts()
    doomed: list[Row] = []
    for queue in state.pauses:
        doomed += _doomed(state, queue, retention.queues.get(queue, retention), limit - len(doomed))
    for queue in () if doomed else state.pauses:
        doomed += _beyond(state, queue, retention.queues.get(queue, retention), limit - len(doomed))
    for row in doomed:
        state.remove(row)
    return len(doomed)


def _doomed(state: State, queue: QueueName, retention: Retention, limit: int) -> list[Row]:
    done = _ended(state, queue, Status.DONE, retention.done, limit)
    return done + _ended(state, queue, Status.KILLED, retention.killed, limit - len(done))


def _ended(state: State, queue: QueueName, status: Status, age: float | None, limit: int) -> list[Row]:
    return [] if age is None else state.tasks.ended(queue, status, _ago(state, age), limit)


def _beyond(state: State, queue: QueueName, retention: Retention, limit: int) -> list[Row]:
    """Of what is more than may stay, the first that were pushed."""
    done = _surplus(state, queue, Status.DONE, retention.most_done, limit)
    return done + _surplus(state, queue, Status.KILLED, retention.most_killed, limit - len(done))


def _surplus(state: State, queue: QueueName, status: Status, most: int | None, limit: int) -> list[Row]:
    if most is None:
        return []
    surplus = state.tasks.counts(queue).of(status) - most
    return list(islice(state.tasks.oldest_first([queue], [status], above=-1), max(0, min(surplus, limit))))


def _prune_workers(state: State, retention: Retention) -> None:
    if retention.workers is None:
        return
    ended = state.workers.ended(_ago(state, retention.workers))
    for worker in ended:
        state.workers.remove(worker)
    if ended:
        state.announce_workers()


def _prune_rollups(state: State, retention: Retention) -> None:
    if retention.minutes is None:
        return
    for span, times in SPANS_KEPT.items():
        state.rollups.prune(span, _ago(state, retention.minutes * times))


def _prune_audit(state: State, retention: Retention) -> None:
    if retention.audit is None:
        return
    oldest = _ago(state, retention.audit)
    state.audit = [entry for entry in state.audit if entry.at > oldest]


def _prune_logs(state: State, retention: Retention, limit: int) -> None:
    for queue in state.pauses:
        age = retention.queues.get(queue, retention).logs
        if age is not None:
            state.logs.prune(queue, _ago(state, age), limit)


def _ago(state: State, seconds: float) -> datetime:
    return state.now - timedelta(seconds=seconds)
