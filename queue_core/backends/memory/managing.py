"""What people do to tasks and queues: each action checks every task, says what it did, and is recorded."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from queue_core.backends._refusals import refusal
from queue_core.backends.memory.producing import as_stored
from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row
from queue_core.errors import InvalidValue
from queue_core.expose import Action, Actor, Pause, Report, Skipped, Topic
from queue_core.ids import QueueName, TaskId
from queue_core.status import KillReason, Status
from queue_core.task import ARGS_HEAD, AttemptOutcome, TaskChange

Change = Callable[[State, Row], None]


def act(state: State, action: Action, ids: Sequence[TaskId], actor: Actor, change: Change) -> Report:
    """Make ``change`` to those of ``ids`` whose state allows ``action``."""
    changed: list[Row] = []
    skipped: list[Skipped] = []
    for id in dict.fromkeys(ids):
        row = state.tasks.get(id)
        refused = refusal(action, id, row.task.status if row else None)
        if refused is not None or row is None:
            skipped += [refused] if refused else []
            continue
        change(state, row)
        changed.append(row)
    report = Report(action, tuple(row.task.id for row in changed), tuple(skipped))
    state.record(actor, action, report.changed, _one_queue(changed))
    return report


def _one_queue(rows: Sequence[Row]) -> QueueName | None:
    queues = {row.task.queue for row in rows}
    return queues.pop() if len(queues) == 1 else None


# --- tasks -------------------------------------------------------------------------------------------------------


def retry(state: State, row: Row) -> None:
    """Pending, due now, with an attempt left and a clean slate."""
    task = row.task
    if task.status is Status.DONE:  # its success is read from the task itself, which forgets it now
        state.remember(row, AttemptOutcome.SUCCEEDED, ran_for=task.ran_for, finished_at=task.done_at)
    state.change(
        row,
        status=Status.PENDING,
        reason=None,
        run_at=state.now,
        max_attempts=max(task.max_attempts, task.attempts + 1),
        crashes=0,
        done_at=None,
        result=None,
        progress=None,
        progress_note=None,
        expires_at=None,
        kill_requested_at=None,
    )


def kill(state: State, row: Row) -> None:
    """Killed at once; a running task is asked to stop."""
    boot = row.task.boot if row.task.status.is_leased else None
    if row.task.status is not Status.RUNNING:
        state.kill(row, KillReason.KILLED)
    elif row.task.kill_requested_at is None:
        state.change(row, kill_requested_at=state.now)
    state.wake_worker(boot)


def run_now(state: State, row: Row) -> None:
    """Due now; one that is due already keeps its place."""
    state.change(row, run_at=min(row.task.run_at, state.now))


def due_at(run_at: datetime) -> Change:
    """Due at ``run_at``."""
    return lambda state, row: state.change(row, run_at=run_at)


def changed(change: TaskChange) -> Change:
    """As ``change`` says."""
    given = change.given()
    for moment in ("run_at", "expires_at"):
        if given.get(moment) is not None:
            given[moment] = given[moment].astimezone(UTC)
    if "args" in given:
        given["args_head"] = given["args"][:ARGS_HEAD]
    if "metadata" in given:
        given["metadata"] = as_stored(given["metadata"])

    def update(state: State, row: Row) -> None:
        most = {"max_attempts": max(given["max_attempts"], row.task.attempts + 1)} if "max_attempts" in given else {}
        state.change(row, **given | most)

    return update


def delete(state: State, row: Row) -> None:
    """Removed, with its history."""
    state.remove(row)


# --- queues ------------------------------------------------------------------------------------------------------


def pause(state: State, queue: QueueName, actor: Actor) -> None:
    """Let nothing be claimed from a queue; what is Queued goes back."""
    _check_known(state, queue)
    if state.pauses[queue] is None:
        state.pauses[queue] = Pause(by=actor.name, since=state.now, reason=actor.reason)
        _give_back_queued(state, queue)
        state.bells.announce(Topic("queues"))
    state.record(actor, Action.PAUSE, (), queue)


def resume(state: State, queue: QueueName, actor: Actor) -> None:
    """Let a queue be claimed from again."""
    _check_known(state, queue)
    if state.pauses[queue] is not None:
        state.pauses[queue] = None
        state.bells.announce(Topic("queues"))
        state.wake_workers_of(queue)
    state.record(actor, Action.RESUME, (), queue)


def _give_back_queued(state: State, queue: QueueName) -> None:
    for row in list(state.tasks.newest_first([queue], [Status.QUEUED])):
        boot = row.task.boot
        state.give_back(row)
        state.wake_worker(boot)


def _check_known(state: State, queue: QueueName) -> None:
    if queue not in state.pauses:
        raise InvalidValue(f"There is no queue {queue!r}. A queue exists from its first push or worker on.")
