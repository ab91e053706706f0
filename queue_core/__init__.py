"""Prinia's queue: durable background tasks for Python."""

from typing import TYPE_CHECKING

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
from queue_core.schedule import Cron, Every, Schedule, Tick
from queue_core.schemes import register_backend
from queue_core.status import KillReason, Status
from queue_core.task import NewTask, Task, TaskChange

if TYPE_CHECKING:
    from queue_core.monitor import Monitor
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


if not TYPE_CHECKING:  # so that type checkers still report names that are not there

    def __getattr__(name: str) -> object:
        """Import the worker and the monitor when somebody asks for them: programs that only push do not pay for it."""
        if name == "Worker":
            from queue_core.worker import Worker

            return Worker
        if name == "Monitor":
            from queue_core.monitor import Monitor

            return Monitor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
