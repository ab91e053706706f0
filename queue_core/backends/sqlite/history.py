"""The kept history of a task: the attempts that did not simply succeed."""

from typing import Final

from queue_core.backends._rows import clean
from queue_core.backends.sqlite.transaction import Transaction
from queue_core.task import AttemptOutcome, ErrorInfo

KEPT_ATTEMPTS: Final = 100
"""How many attempts of one task are kept; the latest."""


def keep_attempt(
    tx: Transaction,
    *,
    task: int,
    number: int,
    worker: str | None,
    started_at: int | None,
    finished_at: int | None,
    ran_us: int | None,
    outcome: AttemptOutcome,
    error: ErrorInfo | None = None,
) -> None:
    """Add an attempt to the history of the task whose place in the order of pushing is ``task``. Times are in microseconds."""
    tx.run(
        "record_attempt",
        task=task,
        number=number,
        worker=worker,
        started_at=started_at,
        finished_at=finished_at,
        ran_us=ran_us,
        outcome=outcome.value,
        error_type=error and clean(error.type),
        message=error and clean(error.message),
        traceback=error and clean(error.traceback),
    )
    tx.run("trim_attempts", task=task, keep=KEPT_ATTEMPTS)
