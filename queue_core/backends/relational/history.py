"""The kept history of a task: the attempts that did not simply succeed."""

from typing import Final

from queue_core.backends.relational.held import Held
from queue_core.backends.relational.transaction import Transaction
from queue_core.task import AttemptOutcome, ErrorInfo

KEPT_ATTEMPTS: Final = 100
"""How many attempts of one task are kept; the latest."""


async def keep_attempt(
    tx: Transaction,
    held: Held,
    outcome: AttemptOutcome,
    *,
    error: ErrorInfo | None = None,
    ran_us: int | None = None,
    finished_at: int | None = None,
) -> None:
    """Add the attempt that ends now, or ended at ``finished_at``, to the history of its task. Times are in microseconds."""
    await tx.run(
        "record_attempt",
        task=held.seq,
        number=held.attempts,
        worker=held.worker,
        started_at=held.started_at,
        finished_at=tx.now if finished_at is None else finished_at,
        ran_us=ran_us,
        outcome=outcome.value,
        error_type=error and error.type,
        message=error and error.message,
        traceback=error and error.traceback,
    )
    await tx.run("trim_attempts", task=held.seq, keep=KEPT_ATTEMPTS)
