"""What a worker tells about itself while it runs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from queue_core.ids import QueueName, TaskId
from queue_core.outcome import Ack
from queue_core.task import Claim, ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in the worker called ``worker``."""

    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Event):
    """The worker is registered and begins to claim. It happens again after a lost lease and after a restart, with a new life."""

    queues: tuple[QueueName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Event):
    """Nothing runs, everything that ended is stored, and nothing is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartBeat(Event):
    """The worker's leases were renewed."""

    running: int


class StopReason(StrEnum):
    """Why a worker ended."""

    ASKED = "asked"
    """By ``stop``, a signal, or a handler."""
    RESTART = "restart"
    """By ``restart``: another Start follows."""
    MAX_TASKS = "max_tasks"
    """It has run as many tasks as it may."""
    MAX_MEMORY = "max_memory"
    """Its process uses more memory than it may."""
    FAILED = "failed"
    """Its ``run`` raised, or was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Event):
    """The worker has ended."""

    reason: StopReason = StopReason.ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFailed(Event):
    """Said by a Monitor: the run of a worker raised ``error``. ``worker`` is its name in the monitor."""

    error: str
    run: int
    """How many runs in a row had failed before this one."""
    again_in: float | None
    """Seconds until the next run; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLost(Event):
    """The store cannot be used; the worker tries again after a pause."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent(Event):
    """Something that happened to a task in a worker."""

    task: Claim

    @property
    def task_id(self) -> TaskId:
        """The id of the task."""
        return self.task.lease.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(TaskEvent):
    """The handler of a task is about to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded(TaskEvent):
    """An attempt ended: ``ack`` is what the store is told, soon after this. What loses its lease meanwhile is not stored."""

    ack: Ack


@dataclass(frozen=True, slots=True, kw_only=True)
class Success(TaskEnded):
    """The handler succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(TaskEnded):
    """The attempt failed, was aborted, ran out of time or was killed."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack(TaskEnded):
    """The attempt does not count: the handler deferred it, or the worker stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost(TaskEvent):
    """The task is no longer this worker's; what it did for it is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Event):
    """Said by a program through ``Worker.emit``."""

    name: str
    payload: Any = None
