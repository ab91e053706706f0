"""Prinia's queue: durable background tasks for Python."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from queue_core.app import App
from queue_core.backend import Retention
from queue_core.backoff import Retry
from queue_core.clock import HandWoundClock
from queue_core.codec import Codec, JsonCodec, MsgPackCodec
from queue_core.definition import TaskDefinition
from queue_core.errors import (
    AbortError,
    DecodeError,
    DeferredError,
    IllegalTransition,
    InvalidValue,
    MissingData,
    PriniaError,
    ResultTimeout,
    RetryAfterError,
    StoreUnavailable,
    TaskKilled,
    TaskTimeout,
    UnknownTask,
    UnknownTaskName,
    WorkerNameTaken,
    WorkerStateError,
)
from queue_core.handle import TaskHandle
from queue_core.ids import QueueName, TaskId
from queue_core.inject import INJECTED, AttemptNumber, Data, Depends, Ending, Meta, Metadata, Progress, WorkerContext
from queue_core.limits import Limits, Rate
from queue_core.middleware import AckHook, Call, Gate, Middleware, Next, PushHook
from queue_core.piping import pipe
from queue_core.schedule import Tick
from queue_core.schemes import register_backend
from queue_core.status import KillReason, Status
from queue_core.task import NewTask, Task, TaskChange

if TYPE_CHECKING:
    from queue_core.monitor import Monitor
    from queue_core.schedule import Cron, Every, Schedule
    from queue_core.worker import Worker

__all__ = [
    "INJECTED",
    "AbortError",
    "AckHook",
    "App",
    "AttemptNumber",
    "Call",
    "Codec",
    "Cron",
    "Data",
    "DecodeError",
    "DeferredError",
    "Depends",
    "Ending",
    "Every",
    "Gate",
    "HandWoundClock",
    "IllegalTransition",
    "InvalidValue",
    "JsonCodec",
    "KillReason",
    "Limits",
    "Meta",
    "Metadata",
    "Middleware",
    "MissingData",
    "Monitor",
    "MsgPackCodec",
    "NewTask",
    "Next",
    "PriniaError",
    "Progress",
    "PushHook",
    "QueueName",
    "Rate",
    "ResultTimeout",
    "Retention",
    "Retry",
    "RetryAfterError",
    "Schedule",
    "Status",
    "StoreUnavailable",
    "Task",
    "TaskChange",
    "TaskDefinition",
    "TaskHandle",
    "TaskId",
    "TaskKilled",
    "TaskTimeout",
    "Tick",
    "UnknownTask",
    "UnknownTaskName",
    "Worker",
    "WorkerContext",
    "WorkerNameTaken",
    "WorkerStateError",
    "pipe",
    "register_backend",
]


_HOMES: Final = {
    "Cron": "queue_core.schedule",
    "Every": "queue_core.schedule",
    "Monitor": "queue_core.monitor",
    "Schedule": "queue_core.schedule",
    "Worker": "queue_core.worker",
}
"""Names that are imported when somebody asks for them, and the modules they are in: programs that only push do not pay for them."""

if not TYPE_CHECKING:  # so that type checkers still report names that are not there

    def __getattr__(name: str) -> object:
        """Import what is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
