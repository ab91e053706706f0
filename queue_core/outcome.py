"""What an attempt ends in, and what becomes of its task: one pure function, shared by every worker and backend."""

from dataclasses import dataclass
from typing import NamedTuple, assert_never

from queue_core.status import KillReason, Status
from queue_core.task import MAX_CRASHES, AttemptOutcome, ErrorInfo, Lease


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned. ``result`` is encoded, or None when the task keeps no result."""

    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class Errored:
    """The attempt failed. ``retry_in``: seconds until the next one, if any is left."""

    error: ErrorInfo
    retry_in: float = 0.0
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Aborted:
    """The handler said: never again."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Deferred:
    """The handler said: not now. ``delay``: seconds."""

    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """The attempt was cancelled because a person or a program killed its task."""


@dataclass(frozen=True, slots=True)
class Released:
    """The worker stopped before the handler ended. Not a failure, so the attempt is given back."""


Outcome = Succeeded | Errored | Aborted | Deferred | Stopped | Released


class Ack(NamedTuple):
    """One finished attempt as it goes to the store. Made by ``settle``."""

    lease: Lease
    status: Status
    """Done, Failed, Killed or Pending. A requested kill turns Failed and Pending into Killed while the store writes it."""
    reason: KillReason | None
    outcome: AttemptOutcome
    delay: float
    """Seconds from the store's now to the next ``run_at``; meaningful for Failed and Pending."""
    uses_attempt: bool
    """False gives the attempt back (deferred, released)."""
    ran_for: float
    """Seconds that the handler ran."""
    result: bytes | None = None
    error: ErrorInfo | None = None


def after_crash(*, crashes: int, attempts: int, max_attempts: int, kill_requested: bool) -> KillReason | None:
    """Why a task ends whose worker died under it for the ``crashes``-th time, after ``attempts`` were started; None when it waits again."""
    if kill_requested:
        return KillReason.KILLED
    if crashes > MAX_CRASHES:
        return KillReason.CRASHED
    return KillReason.EXHAUSTED if attempts >= max_attempts else None


def worker_lost(worker: str | None, attempt: int) -> ErrorInfo:
    """What the history says of an attempt whose worker died."""
    return ErrorInfo(type="WorkerLost", message=f"Worker {worker} died, or was silent for longer than its lease, during attempt {attempt}.")


def settle(lease: Lease, outcome: Outcome, *, attempt: int, max_attempts: int, ran_for: float) -> Ack:
    """Decide what becomes of a task whose attempt number ``attempt`` of ``max_attempts`` ended in ``outcome`` after ``ran_for`` seconds."""
    match outcome:
        case Succeeded(result):
            return Ack(lease, Status.DONE, None, AttemptOutcome.SUCCEEDED, 0.0, True, ran_for, result=result)
        case Errored(error, retry_in, timed_out):
            how = AttemptOutcome.TIMED_OUT if timed_out else AttemptOutcome.FAILED
            if attempt >= max_attempts:
                return Ack(lease, Status.KILLED, KillReason.EXHAUSTED, how, 0.0, True, ran_for, error=error)
            return Ack(lease, Status.FAILED, None, how, retry_in, True, ran_for, error=error)
        case Aborted(error):
            return Ack(lease, Status.KILLED, KillReason.ABORTED, AttemptOutcome.ABORTED, 0.0, True, ran_for, error=error)
        case Deferred(delay):
            return Ack(lease, Status.PENDING, None, AttemptOutcome.DEFERRED, delay, False, ran_for)
        case Stopped():
            return Ack(lease, Status.KILLED, KillReason.KILLED, AttemptOutcome.KILLED, 0.0, True, ran_for)
        case Released():
            return Ack(lease, Status.PENDING, None, AttemptOutcome.RELEASED, 0.0, False, ran_for)
        case _:
            assert_never(outcome)
