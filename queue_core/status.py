"""The states of a task, which of them are final, and which requests each state allows."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a task is in its life. The names and their meaning are the seed system's.

    *Scheduled* (Pending, due later), *retrying* (Failed) and *orphaned* (leased by a dead worker) are
    words for people, derived from these and never stored.

    >>> Status.FAILED.is_final, Status.KILLED.is_final
    (False, True)
    """

    PENDING = "Pending"
    """Stored and waiting: for its ``run_at``, or for a free worker."""
    QUEUED = "Queued"
    """Claimed by a worker; its handler has not started."""
    RUNNING = "Running"
    """Its handler has started."""
    DONE = "Done"
    """Its handler succeeded. Final."""
    FAILED = "Failed"
    """An attempt failed and another will follow at ``run_at``."""
    KILLED = "Killed"
    """No further attempt will be made; ``KillReason`` says why. Final."""

    @property
    def is_final(self) -> bool:
        """Whether nothing but a person's retry moves the task again."""
        return self in FINAL

    @property
    def is_leased(self) -> bool:
        """Whether a worker holds the task."""
        return self in LEASED


class KillReason(StrEnum):
    """Why a Killed task will not be attempted again.

    >>> task = await greet.push("Ada")
    >>> report = await task.kill()
    >>> (await task.fetch()).reason
    <KillReason.KILLED: 'killed'>
    """

    EXHAUSTED = "exhausted"
    """Its last allowed attempt failed."""
    ABORTED = "aborted"
    """Its handler raised AbortError, or its arguments could not be decoded."""
    KILLED = "killed"
    """A person or a program killed it."""
    CRASHED = "crashed"
    """Too many of the workers that ran it died."""
    EXPIRED = "expired"
    """Its ``expires_at`` passed before it started."""
    UPSTREAM = "upstream"
    """A task that it depends on was killed."""


FINAL: Final = frozenset({Status.DONE, Status.KILLED})
LEASED: Final = frozenset({Status.QUEUED, Status.RUNNING})
WAITING: Final = frozenset({Status.PENDING, Status.FAILED})

RETRYABLE: Final = frozenset({Status.FAILED, Status.KILLED, Status.DONE})
"""States from which ``retry`` moves a task to Pending."""
KILLABLE: Final = WAITING | LEASED
"""States from which ``kill`` ends a task."""
RESCHEDULABLE: Final = WAITING
"""States in which ``run_now`` and ``reschedule`` change ``run_at``."""
DELETABLE: Final = FINAL
"""States in which ``delete`` and retention may remove a task."""
