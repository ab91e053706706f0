"""What workers do to tasks: claim, start, ack, release, and the rescue of what lost workers held."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from queue_core.backend import Claims, Rescued
from queue_core.backends.memory.limiting import let_in, room_later
from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row
from queue_core.backends.memory.workers import WorkerRow
from queue_core.ids import BootId, QueueName
from queue_core.outcome import Ack, after_crash, worker_lost
from queue_core.status import KillReason, Status
from queue_core.task import AttemptOutcome, Claim, Lease, Task
from queue_core.worker_info import WorkerState

EXPIRED_AT_ONCE: Final = 500
"""How many expired tasks one claim ends at most."""


# --- claim ---------------------------------------------------------------------------------------------------


def claim(state: State, worker: WorkerRow, queues: Sequence[QueueName], names: Collection[str] | None, limit: int, start: int) -> Claims:
    """Lease due tasks to a worker, in order; kill the expired ones that are met on the way."""
    expire(state, EXPIRED_AT_ONCE)
    found, more = _due(state, queues, names, limit)
    for row in found:
        _lease(state, row, worker)
    for row in found[:start]:
        _start(state, row)
    if found:
        state.last_claim = state.now
    return Claims([_claim(row) for row in found], None if more else _next_due(state, queues))


def _due(state: State, queues: Sequence[QueueName], names: Collection[str] | None, limit: int) -> tuple[list[Row], bool]:
    """The due tasks that a claim takes, and whether it leaves more behind."""
    alive: list[Row] = []
    expired: list[Row] = []
    for row in let_in(state, state.open_queues(queues), names):
        (expired if _has_expired(row.task, state) else alive).append(row)
        if len(alive) > limit:
            break
    for row in expired:
        state.kill(row, KillReason.EXPIRED)
    return alive[:limit], len(alive) > limit


def _has_expired(task: Task, state: State) -> bool:
    return task.expires_at is not None and task.expires_at <= state.now


def _lease(state: State, row: Row, worker: WorkerRow) -> None:
    row.token += 1
    state.change(row, status=Status.QUEUED, worker=worker.info.name, boot=worker.info.boot, queued_at=state.now)
    state.note_start(row.task)


def _start(state: State, row: Row) -> None:
    state.rollups.time(row.task.queue, state.now, "wait", (state.now - row.task.run_at).total_seconds())
    started = {"attempts": row.task.attempts + 1, "started_at": state.now, "progress": None, "progress_note": None}
    state.change(row, status=Status.RUNNING, **started)


def _next_due(state: State, queues: Sequence[QueueName]) -> float | None:
    open_queues = state.open_queues(queues)
    later = [next(state.tasks.later(queue, state.now), None) for queue in open_queues]
    times = [first[0] for first in later if first is not None] + room_later(state, open_queues)
    return (min(times) - state.now).total_seconds() if times else None


def _claim(row: Row) -> Claim:
    task, lease = row.task, row.lease
    assert lease is not None
    started = task.status is Status.RUNNING
    return Claim(
        lease=lease,
        queue=task.queue,
        name=task.name,
        args=task.args,
        codec=task.codec,
        attempt=task.attempts if started else task.attempts + 1,
        max_attempts=task.max_attempts,
        priority=task.priority,
        run_at=task.run_at,
        created_at=task.created_at,
        timeout=task.timeout,
        retry=task.retry,
        metadata=task.metadata,
        started=started,
        crashes=task.crashes,
        checkpoint=task.checkpoint,
        group=task.group,
    )


# --- start, ack, release, progress -----------------------------------------------------------------------------


def held(state: State, lease: Lease, status: Status) -> Row | None:
    """The task that ``lease`` holds in ``status``; None when the lease is stale."""
    row = state.tasks.get(lease.id)
    return row if row is not None and row.task.status is status and row.lease == lease else None


def start(state: State, lease: Lease) -> bool:
    """Queued → Running. Whether the lease held."""
    row = held(state, lease, Status.QUEUED)
    if row is not None:
        _start(state, row)
    return row is not None


def ack(state: State, ack: Ack) -> bool:
    """Store how an attempt ended. Whether its lease held."""
    row = held(state, ack.lease, Status.RUNNING)
    if row is None:
        return False
    state.rollups.time(row.task.queue, state.now, "run", ack.ran_for)
    if ack.outcome is not AttemptOutcome.SUCCEEDED:
        state.remember(row, ack.outcome, ack.error, ack.ran_for)
    _settle(state, row, ack)
    return True


def _settle(state: State, row: Row, ack: Ack) -> None:
    changes = _ended(row.task, ack)
    if ack.status is Status.DONE:
        state.change(row, status=Status.DONE, done_at=state.now, result=ack.result, checkpoint=None, **changes)
    elif ack.status is Status.KILLED:
        state.kill(row, ack.reason or KillReason.KILLED, **changes)
    elif row.task.kill_requested_at is not None:
        state.kill(row, KillReason.KILLED, **changes)
    else:
        state.change(row, status=ack.status, run_at=state.now + timedelta(seconds=ack.delay), **changes)


def _ended(task: Task, ack: Ack) -> dict[str, Any]:
    """The columns that every ack sets."""
    attempts = task.attempts if ack.uses_attempt else task.attempts - 1
    changes: dict[str, Any] = {"attempts": attempts, "ran_for": ack.ran_for}
    if ack.error is not None or ack.status is Status.DONE:
        changes["error"] = ack.error.line if ack.error else None
    return changes


def release(state: State, lease: Lease) -> bool:
    """Give back a Queued task. Whether the lease held."""
    row = held(state, lease, Status.QUEUED)
    if row is not None:
        state.give_back(row)
    return row is not None


def release_all(state: State, boot: BootId) -> None:
    """Give back all that a worker which ended properly still holds; a started attempt does not count."""
    for row in state.tasks.leased(boot):
        if row.task.status is Status.RUNNING:
            state.remember(row, AttemptOutcome.RELEASED)
            state.give_back(row, attempts=row.task.attempts - 1)
        else:
            state.give_back(row)


def expire(state: State, limit: int) -> int:
    """Kill waiting tasks whose ``expires_at`` has passed. How many."""
    expired = state.tasks.expired(state.now, limit)
    for row in expired:
        state.kill(row, KillReason.EXPIRED)
    return len(expired)


# --- rescue ------------------------------------------------------------------------------------------------------


def rescue(state: State) -> Rescued:
    """Take back what lost workers held."""
    lost = state.workers.lapsed(state.now)
    declare_lost(state, lost)
    orphaning = [boot for boot in state.tasks.holders() if not state.workers.holds_leases(boot)]
    return take_back(state, orphaning, lost)


def declare_lost(state: State, workers: Sequence[WorkerRow]) -> None:
    """Mark workers as lost."""
    for worker in workers:
        state.workers.put(worker, state=WorkerState.LOST, stopped_at=state.now)
    if workers:
        state.announce_workers()


def take_back(state: State, boots: Sequence[BootId], lost: Sequence[WorkerRow]) -> Rescued:
    """Rescue the tasks of process lives that no longer hold leases."""
    orphans = [row for boot in boots for row in state.tasks.leased(boot)]
    for row in orphans:
        _rescue(state, row)
    killed = sum(row.task.status is Status.KILLED for row in orphans)
    return Rescued(pending=len(orphans) - killed, killed=killed, workers=tuple(worker.info.name for worker in lost))


def _rescue(state: State, row: Row) -> None:
    task, crashes, told = row.task, row.task.crashes + 1, row.task.error
    if task.status is Status.RUNNING:
        error = worker_lost(task.worker, task.attempts)
        told = error.line
        state.remember(row, AttemptOutcome.CRASHED, error)
    reason = after_crash(crashes=crashes, attempts=task.attempts, max_attempts=task.max_attempts, kill_requested=task.kill_requested_at is not None)
    if reason is None:
        state.give_back(row, crashes=crashes, error=told)
    else:
        state.kill(row, reason, crashes=crashes, error=told)
