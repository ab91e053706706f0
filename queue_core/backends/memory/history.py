"""The attempts of a task as people read them."""

from datetime import datetime

from queue_core.backends.memory.tasks import Row
from queue_core.status import Status
from queue_core.task import Attempt, AttemptOutcome


def attempts(row: Row) -> list[Attempt]:
    """The kept history, then the running or successful attempt, which the task itself tells."""
    match row.task.status:
        case Status.RUNNING:
            return [*row.history, _latest(row, None, None, None)]
        case Status.DONE:
            return [*row.history, _latest(row, row.task.done_at, row.task.ran_for, AttemptOutcome.SUCCEEDED)]
        case Status.PENDING | Status.QUEUED | Status.FAILED | Status.KILLED:
            return list(row.history)


def _latest(row: Row, finished_at: datetime | None, ran_for: float | None, outcome: AttemptOutcome | None) -> Attempt:
    task = row.task
    return Attempt(
        task_id=task.id,
        number=task.attempts,
        worker=task.worker,
        started_at=task.started_at,
        finished_at=finished_at,
        ran_for=ran_for,
        outcome=outcome,
    )
