"""What becomes of a key that a task has already when another is pushed with it. Shared by all backends, so that they decide alike."""

from datetime import datetime, timedelta
from enum import Enum, auto

from queue_core.status import Status
from queue_core.task import NewTask, Task


class Verdict(Enum):
    """What a push does about the task that has its key."""

    KEEP = auto()
    """Nothing: the push stores nothing."""
    REPLACE = auto()
    """That task takes over what is pushed, and waits again."""
    RELEASE = auto()
    """It gives its key away; the push stores a task of its own."""


def verdict(new: NewTask, holder: Task, now: datetime) -> Verdict:
    """What the push of ``new`` does about ``holder``, which has its key."""
    if new.debounce is not None:
        return Verdict.REPLACE if holder.status is Status.PENDING and holder.attempts == 0 else Verdict.RELEASE
    match new.unique:
        case "ever":
            is_over = False
        case "live":
            is_over = holder.status.is_final
        case seconds:
            is_over = (now - holder.created_at).total_seconds() >= seconds
    return Verdict.RELEASE if is_over else Verdict.KEEP


def debounced_until(new: NewTask, holder: Task, now: datetime) -> datetime:
    """When ``holder`` is due once the debounced ``new`` has replaced its arguments."""
    due = now + timedelta(seconds=new.debounce or 0.0)
    return due if new.debounce_max is None else min(due, holder.created_at + timedelta(seconds=new.debounce_max))
