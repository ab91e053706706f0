"""What people do to tasks and queues: each action checks every task, says what it did, and is recorded."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from queue_core.backends._refusals import refusal
from queue_core.backends._rows import to_json
from queue_core.backends.relational.held import Held, give_back
from queue_core.backends.relational.history import keep_attempt
from queue_core.backends.relational.stage import DUE, DUE_LATER
from queue_core.backends.relational.tally import AUDIT, QUEUES
from queue_core.backends.relational.transaction import Transaction
from queue_core.clock import to_us
from queue_core.errors import InvalidValue
from queue_core.expose import Action, Actor, Pushed, Report, Skipped
from queue_core.ids import QueueName, TaskId
from queue_core.status import Status
from queue_core.task import AttemptOutcome, TaskChange

AUDITED_IDS: Final = 100
"""How many task ids one audit entry names."""


@dataclass(frozen=True, slots=True)
class Target:
    """A task that an action is about."""

    held: Held
    done_at: int | None
    ran_us: int | None


class Finished(NamedTuple):
    """A finished task, as far as removing it needs."""

    id: str
    seq: int
    queue: str
    status: str


Change = Callable[[Transaction, Sequence[Target]], Awaitable[None]]


async def act(tx: Transaction, action: Action, ids: Sequence[TaskId], actor: Actor, change: Change) -> Report:
    """Make ``change`` to those of ``ids`` whose state allows ``action``."""
    asked = list(dict.fromkeys(ids))
    found = await _targets(tx, asked)
    refused = {id: _refusal(action, id, found.get(id)) for id in asked}
    changed = [found[id] for id in asked if refused[id] is None]
    await change(tx, changed)
    for target in changed:
        tx.tally.touch(target.held.queue)
        tx.tally.moved_in(target.held.queue, target.held.group)
    report = Report(action, tuple(id for id in asked if refused[id] is None), tuple(skip for skip in refused.values() if skip))
    await record(tx, actor, action, report.changed, _one({target.held.queue for target in changed}))
    return report


async def _targets(tx: Transaction, ids: Sequence[TaskId]) -> dict[TaskId, Target]:
    rows = await tx.rows("targets", ids=ids)
    return {row[0]: Target(Held(*row[:-2]), *row[-2:]) for row in rows}


def _refusal(action: Action, id: TaskId, target: Target | None) -> Skipped | None:
    return refusal(action, id, Status(target.held.status) if target else None)


def _one(queues: set[str]) -> str | None:
    return queues.pop() if len(queues) == 1 else None


# --- tasks -----------------------------------------------------------------------------------------------


async def retry(tx: Transaction, targets: Sequence[Target]) -> None:
    """Pending, due now, with an attempt left and a clean slate."""
    for target in targets:
        if target.held.status == Status.DONE:  # its success is read from the task itself, which forgets it now
            await keep_attempt(tx, target.held, AttemptOutcome.SUCCEEDED, ran_us=target.ran_us, finished_at=target.done_at)
        _become(tx, target, Status.PENDING)
    await _each(tx, "retry", targets, now=tx.now)


async def kill(tx: Transaction, targets: Sequence[Target]) -> None:
    """Killed at once; a running task is asked to stop."""
    running = [target for target in targets if target.held.status == Status.RUNNING]
    others = [target for target in targets if target.held.status != Status.RUNNING]
    await _each(tx, "request_kill", running, now=tx.now)
    await _each(tx, "kill", others, now=tx.now)
    for target in others:
        tx.tally.move(target.held.queue, target.held.status, Status.KILLED)
        tx.tally.ended.add(target.held.id)
        if target.held.status == Status.QUEUED:  # the limit of its queue may let in another
            tx.tally.work.add(target.held.queue)
    tx.tally.boots.update(target.held.boot for target in targets if target.held.boot)


async def run_now(tx: Transaction, targets: Sequence[Target]) -> None:
    """Due now; one that is due already keeps its place."""
    for target in targets:
        await tx.run("reschedule", id=target.held.id, run_at=min(target.held.run_at, tx.now), stage=DUE)
        tx.tally.work.add(target.held.queue)


def due_at(moment: datetime) -> Change:
    """Due at ``moment``."""
    run_at = to_us(moment)

    async def reschedule(tx: Transaction, targets: Sequence[Target]) -> None:
        await _each(tx, "reschedule", targets, run_at=run_at, stage=DUE if run_at <= tx.now else DUE_LATER)
        tx.tally.work.update(target.held.queue for target in targets)

    return reschedule


def changed(change: TaskChange) -> Change:
    """As ``change`` says."""
    values = _stored(change)

    async def update(tx: Transaction, targets: Sequence[Target]) -> None:
        run_at = values["run_at"]
        stage = None if run_at is None else DUE if run_at <= tx.now else DUE_LATER
        await _each(tx, "update", targets, stage=stage, **values)
        tx.tally.work.update(target.held.queue for target in targets)

    return update


def _stored(change: TaskChange) -> dict[str, Any]:
    """``change`` as ``update.sql`` takes it. ``sets_x``: whether x changes, where None is a value too. Raises InvalidValue."""
    given = change.given()
    values: dict[str, Any] = {name: given.get(name) for name in ("args", "codec", "priority", "max_attempts", "timeout")}
    values |= {name: None if given.get(name) is None else to_us(given[name]) for name in ("run_at", "expires_at")}
    values |= {name: to_json(given[name]) if given.get(name) else None for name in ("retry", "tags", "metadata")}
    return values | {f"sets_{name}": name in given for name in ("timeout", "expires_at", "retry", "tags", "metadata")}


async def delete(tx: Transaction, targets: Sequence[Target]) -> None:
    """Removed, with their history."""
    await remove(tx, [Finished(target.held.id, target.held.seq, target.held.queue, target.held.status) for target in targets])


async def remove(tx: Transaction, rows: Sequence[Finished]) -> None:
    """Forget finished tasks, with their history and their log."""
    await tx.many("delete_attempts", [{"seq": row.seq} for row in rows])
    await tx.many("delete_logs", [{"id": row.id} for row in rows])
    await tx.many("delete", [{"id": row.id} for row in rows])
    for row in rows:
        tx.tally.move(row.queue, row.status, None)


def _become(tx: Transaction, target: Target, status: Status) -> None:
    tx.tally.move(target.held.queue, target.held.status, status)
    tx.tally.work.add(target.held.queue)


async def _each(tx: Transaction, statement: str, targets: Sequence[Target], **values: Any) -> None:
    await tx.many(statement, [{"id": target.held.id, **values} for target in targets])


# --- queues ----------------------------------------------------------------------------------------------


async def pause(tx: Transaction, queue: QueueName, actor: Actor) -> None:
    """Let nothing be claimed from a queue; what is Queued goes back."""
    await _check_known(tx, queue)
    if await tx.run("pause", queue=queue, by=actor.name, reason=actor.reason, now=tx.now):
        queued = [Held(*row) for row in await tx.rows("queued_in", queue=queue)]
        await give_back(tx, queued)
        tx.tally.boots.update(held.boot for held in queued)
        tx.tally.topics.add(QUEUES)
    await record(tx, actor, Action.PAUSE, (), queue)


async def resume(tx: Transaction, queue: QueueName, actor: Actor) -> None:
    """Let a queue be claimed from again."""
    await _check_known(tx, queue)
    if await tx.run("resume", queue=queue):
        tx.tally.work.add(queue)
        tx.tally.topics.add(QUEUES)
    await record(tx, actor, Action.RESUME, (), queue)


async def _check_known(tx: Transaction, queue: QueueName) -> None:
    if await tx.row("find_queue", queue=queue) is None:
        raise InvalidValue(f"There is no queue {queue!r}. A queue exists from its first push or worker on.")


# --- audit -----------------------------------------------------------------------------------------------


async def record_push(tx: Transaction, actor: Actor, pushed: Sequence[Pushed]) -> None:
    """Enter a push into the audit."""
    created = [push.task for push in pushed if push.created]
    await record(tx, actor, Action.PUSH, [task.id for task in created], _one({task.queue for task in created}))


async def record(tx: Transaction, actor: Actor, action: Action, ids: Sequence[TaskId], queue: str | None, *, schedule: str | None = None) -> None:
    """Enter an action into the audit."""
    named = list(ids[:AUDITED_IDS])
    row = await tx.row(
        "record_action",
        now=tx.now,
        actor=actor.name,
        action=action.value,
        queue=queue,
        task_ids=to_json(named),
        count=len(ids),
        reason=actor.reason,
        schedule=schedule,
    )
    assert row is not None
    await tx.many("record_action_task", [{"task": id, "audit": row[0]} for id in named])
    tx.tally.topics.add(AUDIT)
