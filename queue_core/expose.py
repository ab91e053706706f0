"""The read-and-act contract: everything that a board, a command line or a script may ask of a store, and do to it.

A third party that implements ``Expose`` gets the whole board. Reads are bounded: no answer needs a scan of finished tasks, none returns
payloads unless it says so (a summary holds the first ``ARGS_HEAD`` bytes of the arguments), and each may raise StoreUnavailable. This module
re-exports the nouns that its answers are made of, so that the board has one door.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NewType, Protocol

from queue_core.capabilities import Capabilities
from queue_core.codec import CODECS, Codec, codec_named
from queue_core.errors import (
    DecodeError,
    IllegalTransition,
    InvalidValue,
    NotConnected,
    PriniaError,
    StoreUnavailable,
    UnknownScheme,
    UnknownTask,
)
from queue_core.histogram import Histogram, merge, percentile
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits, Rate
from queue_core.logs import LogEntry
from queue_core.outage import Outage
from queue_core.schemes import connected_by, factory_of, known_schemes, register_backend
from queue_core.status import DELETABLE, FINAL, KILLABLE, LEASED, RESCHEDULABLE, RETRYABLE, WAITING, KillReason, Status
from queue_core.task import ARGS_HEAD, Attempt, AttemptOutcome, ErrorInfo, NewTask, Pushed, Task, TaskChange, TaskSummary
from queue_core.worker_info import WorkerInfo, WorkerState

# --- what is asked for -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list shows; None and empty mean any. All given conditions must hold."""

    queue: QueueName | None = None
    statuses: tuple[Status, ...] = ()
    name: str | None = None
    """The task's name, exactly. Looked for among the newest ``SEARCH_WINDOW`` tasks that fulfil the other conditions."""
    text: str | None = None
    """Text in the arguments, the error line, the id, the key or a tag, without regard to case. Looked for in the same window."""
    boot: BootId | None = None
    """Held now by this process life of a worker. Combines with statuses only."""


SEARCH_WINDOW: Final = 100_000
Cursor = NewType("Cursor", str)
"""A place in a list, as a page handed it out. Opaque."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list of tasks, newest first."""

    tasks: list[TaskSummary]
    older: Cursor | None = None
    """Where the next, older page starts; None at the end."""
    newer: Cursor | None = None
    """Where the page before starts; None at the newest end."""
    searched: int | None = None
    """For name and text filters: how many of the newest tasks were looked at, when that was not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log lines a page shows; None, 0 and empty mean any. All given conditions must hold.

    ``attempt``, ``level`` and ``text`` are looked for among ``LOG_WINDOW`` lines of the task, of the queue or of all; a page says when it
    stopped there.
    """

    task: TaskId | None = None
    attempt: int | None = None
    queue: QueueName | None = None
    level: int = 0
    """This level and higher ones, as ``logging`` numbers them: 30 is WARNING."""
    text: str | None = None
    """Text in the message or the logger's name, without regard to case."""


LOG_WINDOW: Final = 10_000
"""How many lines one page looks at, at most."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Part of a log, oldest line first."""

    lines: list[LogEntry]
    newer: Cursor
    """Where lines are that are stored later: ask again from here to follow a log."""
    older: Cursor | None = None
    """Where the lines before these are; None when there are none."""
    searched: int | None = None
    """How many lines were looked at, when that was not all; the page beyond goes on looking."""


# --- what is answered ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tasks are in each state; exact."""

    pending: int = 0
    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    killed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.queued + self.running + self.done + self.failed + self.killed

    @property
    def waiting(self) -> int:
        """Not finished and not held by a worker."""
        return self.pending + self.failed

    @property
    def live(self) -> int:
        """Not finished."""
        return self.pending + self.queued + self.running + self.failed

    def of(self, status: Status) -> int:
        """The count of one state."""
        return int(getattr(self, status.value.lower()))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{status.value.lower(): self.of(status) + other.of(status) for status in Status})

    @classmethod
    def from_mapping(cls, counts: Mapping[str, int]) -> "Counts":
        """From status value to number, as ``{"Done": 3}``."""
        return cls(**{Status(status).value.lower(): number for status, number in counts.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """That a queue is paused: workers claim nothing from it; what runs goes on."""

    by: str
    since: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """One queue as lists show it. A queue exists from its first push or worker on, also when empty."""

    name: QueueName
    counts: Counts
    scheduled: int
    """Of the Pending: how many wait for a later time. Exact up to ``COUNT_CAP``; that value means as many or more."""
    pause: Pause | None
    oldest_due: datetime | None
    """``run_at`` of the due task that waits longest. Of those that limits hold back, the most urgent ones of a thousand groups are looked at."""
    workers: tuple[str, ...]
    """Names of the living workers that serve it."""
    slots: int
    """Their concurrency together."""
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen
    """What its workers keep to, as it was declared last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is under way in the queue and the group of a task that their limits count. Without a rate, or a group, nothing counts."""

    starts: int = 0
    """How many tasks of its queue started in the time that the queue's rate looks back."""
    again_at: datetime | None = None
    """When the first of these will count no more."""
    group_held: int = 0
    """How many tasks of its group workers hold."""
    group_starts: int = 0
    """How many tasks of its group started in the time that the rate of groups looks back."""
    group_again_at: datetime | None = None
    """When the first of these will count no more."""
    group_first: TaskId | None = None
    """The task of its group that was pushed first, of those that have not ended: in an ordered group, whose turn it is."""


COUNT_CAP: Final = 10_001


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """One schedule as lists show it."""

    name: str
    english: str
    """When its ticks are, in words; what is wrong, if this machine cannot read it."""
    expression: str
    """The cron expression; ``every 10 minutes`` for an interval."""
    timezone: str | None
    """None for an interval, which has none."""
    task: str
    """The name of its tasks."""
    queue: QueueName
    missed: str
    """``latest``, ``all`` or ``skip``: what becomes of ticks that came while no worker lived."""
    pause: Pause | None
    declared_at: datetime
    """When it was stored first, or changed last."""
    last_tick: datetime | None
    """The newest tick that a task was pushed for."""
    last_task: TaskId | None
    """That task, which retention may have removed."""
    next_ticks: tuple[datetime, ...]
    """The next five; none while it is paused, and after the last."""
    codec: str
    args_head: bytes
    """The first ``ARGS_HEAD`` bytes of the arguments of its tasks."""


@dataclass(frozen=True, slots=True)
class FiredTick:
    """A tick that a task was pushed for."""

    at: datetime
    """When it was due."""
    task: TaskId
    fired_at: datetime
    """When its task was pushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDetail(ScheduleInfo):
    """One schedule, whole."""

    args: bytes
    """The arguments of its tasks, encoded by ``codec``."""
    options: Mapping[str, Any]
    """What else its tasks are given: ``priority``, ``timeout``, ``tags`` and so on, where they are not the usual ones."""
    ticks: tuple[FiredTick, ...]
    """The newest 100, newest first."""


class Span(StrEnum):
    """The width of one bucket of a series."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def width(self) -> timedelta:
        """As a duration."""
        return _WIDTHS[self]


_WIDTHS: Final = {Span.MINUTE: timedelta(minutes=1), Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What happened in one span of time, by when it happened."""

    start: datetime
    pushed: int = 0
    done: int = 0
    failed: int = 0
    """Attempts that failed and will be followed by another."""
    killed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long things took in some period."""

    run: Histogram
    """How long the attempts that ended in it ran."""
    wait: Histogram
    """How long the tasks that started in it had been due."""


class StatType(StrEnum):
    """How the value of a Statistic is to be read; the seed's words."""

    NUMBER = "Number"
    DECIMAL = "Decimal"
    PERCENTAGE = "Percentage"
    TIMESTAMP = "Timestamp"


@dataclass(frozen=True, slots=True)
class Statistic:
    """One titled number, in the seed board's shape."""

    title: str
    stat_type: StatType
    value: str
    priority: int | None = None


class Action(StrEnum):
    """What a person can do, one permission each."""

    VIEW = "view"
    PUSH = "push"
    RETRY = "retry"
    KILL = "kill"
    RUN_NOW = "run_now"
    RESCHEDULE = "reschedule"
    UPDATE = "update"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    PAUSE_SCHEDULE = "pause_schedule"
    RESUME_SCHEDULE = "resume_schedule"
    RUN_SCHEDULE = "run_schedule"
    DELETE_SCHEDULE = "delete_schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and why; kept in the audit."""

    name: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A task that an action left alone."""

    id: TaskId
    status: Status | None
    """Its state; None when there is no such task."""
    why: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an action on tasks did."""

    action: Action
    changed: tuple[TaskId, ...]
    """For ``kill`` of a Running task: that its kill was asked for; its worker stops it next."""
    skipped: tuple[Skipped, ...] = ()

    def raise_if_skipped(self) -> "Report":
        """This report, if nothing was skipped. Raises UnknownTask or IllegalTransition otherwise."""
        missing = [skip.id for skip in self.skipped if skip.status is None]
        if missing:
            raise UnknownTask(missing)
        if self.skipped:
            raise IllegalTransition(self.skipped[0].why)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One action of a person or program, as it was recorded."""

    id: int
    at: datetime
    actor: str
    action: Action
    queue: QueueName | None
    task_ids: tuple[TaskId, ...]
    """At most the first 100."""
    count: int
    """How many tasks it changed."""
    reason: str | None
    schedule: str | None = None
    """The schedule that it was about."""


Topic = NewType("Topic", str)
"""What changed: ``queue:NAME`` (tasks and numbers of one), ``queues`` (one is paused, resumed or new), ``workers``, ``schedules``, ``audit``."""
ALL_TOPICS: Final = Topic("*")
"""Anything may have changed; ask again about everything."""


def queue_topic(queue: str) -> Topic:
    """The topic of one queue's tasks and numbers."""
    return Topic(f"queue:{queue}")


# --- the contract ----------------------------------------------------------------------------------------


class ListQueues(Protocol):
    """Reading queues."""

    async def list_queues(self) -> list[QueueInfo]:
        """Every queue, by name."""
        ...

    async def fetch_queue(self, queue: QueueName) -> QueueInfo | None:
        """One queue, or None when nobody ever named it."""
        ...


class ListWorkers(Protocol):
    """Reading workers."""

    async def list_workers(self, queue: QueueName | None = None, *, limit: int = 200) -> list[WorkerInfo]:
        """Workers that serve ``queue`` (None: any): the living by name, then those that ended, latest first."""
        ...


class ListSchedules(Protocol):
    """Reading schedules."""

    async def list_schedules(self, *, limit: int = 1_000) -> list[ScheduleInfo]:
        """Every schedule, by name, with its last tick and its next ones."""
        ...

    async def fetch_schedule(self, name: str) -> ScheduleDetail | None:
        """One schedule, whole; None when it is not stored."""
        ...


class ListTasks(Protocol):
    """Reading the tasks of a queue; and with ``ListAllTasks`` those of all queues."""

    async def list_tasks(self, filter: TaskFilter, *, start: Cursor | None = None, limit: int = 50) -> Page:
        """A page of tasks, newest pushed first, from ``start`` on. Costs the same at any depth.

        Raises InvalidValue for a cursor that no page handed out.
        """
        ...


class ListAllTasks(ListTasks, Protocol):
    """The seed's name for ``list_tasks`` without a queue."""


class FetchById(Protocol):
    """Reading single tasks."""

    async def fetch(self, id: TaskId) -> Task | None:
        """One task, whole; None when it is not stored."""
        ...

    async def fetch_many(self, ids: Sequence[TaskId]) -> list[Task]:
        """Those of ``ids`` that are stored, whole, in the given order; at most 1,000 are looked at."""
        ...

    async def summaries(self, ids: Sequence[TaskId]) -> list[TaskSummary]:
        """As ``fetch_many``, without payload but the beginning of the arguments."""
        ...

    async def attempts(self, id: TaskId) -> list[Attempt]:
        """The attempts of a task, oldest first: the kept history, then the running or successful one. At most the latest 100."""
        ...

    async def room(self, id: TaskId) -> Room:
        """What the limits of its queue and its group count just now, for a task that may wait for them. Nothing for one that is not stored."""
        ...


class ListLogs(Protocol):
    """Reading what handlers logged."""

    async def list_logs(self, filter: LogFilter, *, start: Cursor | None = None, limit: int = 100) -> LogPage:
        """The newest ``limit`` lines that fit, or those beside ``start``, oldest first; at most 1,000. Costs the same at any depth.

        Following one task (asking again from ``newer``) passes over none of its lines. Following many may pass over a line that another
        process stores at the same moment; the newest page has it. Raises InvalidValue for a cursor that no page handed out.
        """
        ...


class Metrics(Protocol):
    """Numbers."""

    async def counts(self) -> dict[QueueName, Counts]:
        """Exact numbers by queue and state; costs the same for any number of tasks."""
        ...

    async def series(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> list[Bucket]:
        """What happened between two times, a bucket a span, oldest first, without gaps: ``since`` is rounded down, ``until`` is included."""
        ...

    async def durations(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> Durations:
        """How long things took in the buckets that ``series`` tells of, all together."""
        ...

    async def statistics(self, queue: QueueName | None = None) -> list[Statistic]:
        """The seed's titled statistics of one queue or all (its section 3.5), computed rightly."""
        ...

    async def last_claim(self) -> datetime | None:
        """When a worker last claimed a task successfully, within the rollups kept; for health checks."""
        ...


class Manage(Protocol):
    """Acting. Each call is atomic, checks the state of each task, records itself in the audit, and says what it did."""

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """As ``Backend.push``, recorded in the audit."""
        ...

    async def retry(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Failed, Killed, Done → Pending, due now. Attempts stay as history; ``max_attempts`` is raised where needed so that one is left; crashes,
        expiry and a requested kill are forgotten.
        """
        ...

    async def kill(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Pending, Failed, Queued → Killed at once; a worker that holds one finds its lease gone. Running: asked; the worker cancels the handler
        and acks Killed, or the lease rules do it for it. Asking twice changes nothing and is not an error.
        """
        ...

    async def run_now(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Pending, Failed: due now."""
        ...

    async def reschedule(self, ids: Sequence[TaskId], run_at: datetime, *, actor: Actor) -> Report:
        """Pending, Failed: due at ``run_at`` (aware)."""
        ...

    async def update(self, ids: Sequence[TaskId], change: TaskChange, *, actor: Actor) -> Report:
        """Pending, Failed: as ``change`` says. A task that runs, or has ended, is left alone."""
        ...

    async def delete(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Done, Killed: removed, with their history and their log."""
        ...

    async def pause(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """Let no worker claim from ``queue``; what is Queued goes back, what runs goes on. Pausing twice keeps the first pause.

        Raises InvalidValue for an unknown queue.
        """
        ...

    async def resume(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """End the pause and wake the workers. Resuming an active queue changes nothing. Raises InvalidValue for an unknown queue."""
        ...

    async def pause_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """Let no tick of a schedule push a task. Pausing twice keeps the first pause. Raises InvalidValue for an unknown schedule."""
        ...

    async def resume_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """End the pause: its next tick is the first after now, and those that came meanwhile are left out, whatever ``missed`` says.

        Resuming an active schedule changes nothing. Raises InvalidValue for an unknown schedule, and for one that this machine cannot read.
        """
        ...

    async def run_schedule(self, name: str, *, actor: Actor) -> Pushed:
        """Push one task of a schedule now, also while it is paused; its tick is now. The ticks to come stay as they are.

        Raises InvalidValue for an unknown schedule, and for one that this machine cannot read.
        """
        ...

    async def delete_schedule(self, name: str, *, actor: Actor) -> None:
        """Forget a schedule and its ticks; the tasks that it pushed stay. A worker that starts with an app that declares it stores it anew.

        Raises InvalidValue for an unknown schedule.
        """
        ...

    async def list_audit(self, *, task: TaskId | None = None, limit: int = 100) -> list[AuditEntry]:
        """The latest actions (on one task), newest first."""
        ...


class Watch(Protocol):
    """Learning that something changed."""

    def watch(self) -> AsyncIterator[frozenset[Topic]]:
        """Yield what changed since the last yield, in any process, soon after it was committed. May say too much, never too little.

        Begins with ``ALL_TOPICS`` as soon as it listens: whoever reads after that misses nothing.
        Ends when the store is closed; while the store is unavailable it waits, then says ``ALL_TOPICS``.
        """
        ...


class Expose(ListQueues, ListWorkers, ListSchedules, ListAllTasks, FetchById, ListLogs, Metrics, Manage, Watch, Protocol):
    """All of it: what the board needs of a store."""

    @property
    def kind(self) -> str:
        """What sort of store this is, for people: ``SQLite``."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for people, without passwords: ``tasks.db``."""
        ...

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs by name with which stored payloads are shown."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do; the same before and after it is opened. Nobody calls what belongs to parts that it lacks."""
        ...

    async def now(self) -> datetime:
        """The store's time: aware, UTC."""
        ...

    async def open(self) -> None:
        """Connect. Safe to call again when open."""
        ...

    async def close(self) -> None:
        """Disconnect. Safe to call twice."""
        ...


# --- finding the store of a URL ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """Both contracts of one store, not yet opened. They share its connections: opening or closing one does so for both."""

    backend: Any
    """A ``queue_core.backend.Backend``; not named by its type, because the board must not know it."""
    expose: Expose


def without_password(url: str) -> str:
    """``url`` as it may be shown."""
    before, separator, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{before}{separator}{user}{colon}{'…' if colon else ''}{at}{re.sub('(?<=[?&]password=)[^&]*', '…', host)}"


def connect(url: str, *, create: bool = True, codecs: Mapping[str, Codec] = CODECS, **options: Any) -> Connected:
    """The store at ``url`` (``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``postgresql://host/database``, ``memory://``), not yet opened.

    ``create``: opening it makes it where there is none; without that it raises StoreUnavailable, so that a mistyped name is not answered from a
    fresh, empty store. ``codecs``: what stored payloads are shown with, by name. ``options`` go to the backend. Other backends come by
    ``register_backend``, and with packages that offer one. Raises UnknownScheme for a URL that no backend serves.
    """
    scheme, separator, _ = str(url).partition("://")
    factory = factory_of(scheme) if separator else None
    if factory is None:
        known = ", ".join(f"{name}://" for name in known_schemes())
        raise UnknownScheme(f"The store URL must start with one of {known}, got {without_password(str(url))!r}. A SQLite file is sqlite:///tasks.db.")
    connected = connected_by(factory, scheme, url, create=create, codecs=codecs, **options)
    if not isinstance(connected, Connected):
        raise InvalidValue(f"The backend of {scheme}:// must return a Connected, got {type(connected).__name__}.")
    return connected


__all__ = [
    "ALL_TOPICS",
    "ARGS_HEAD",
    "CODECS",
    "COUNT_CAP",
    "DELETABLE",
    "FINAL",
    "KILLABLE",
    "LEASED",
    "LOG_WINDOW",
    "RESCHEDULABLE",
    "RETRYABLE",
    "SEARCH_WINDOW",
    "WAITING",
    "Action",
    "Actor",
    "Attempt",
    "AttemptOutcome",
    "AuditEntry",
    "BootId",
    "Bucket",
    "Capabilities",
    "Codec",
    "Connected",
    "Counts",
    "Cursor",
    "DecodeError",
    "Durations",
    "ErrorInfo",
    "Expose",
    "FetchById",
    "FiredTick",
    "Histogram",
    "IllegalTransition",
    "InvalidValue",
    "KillReason",
    "Limits",
    "ListAllTasks",
    "ListLogs",
    "ListQueues",
    "ListSchedules",
    "ListTasks",
    "ListWorkers",
    "LogEntry",
    "LogFilter",
    "LogPage",
    "Manage",
    "Metrics",
    "NewTask",
    "NotConnected",
    "Outage",
    "Page",
    "Pause",
    "PriniaError",
    "Pushed",
    "QueueInfo",
    "QueueName",
    "Rate",
    "Report",
    "Room",
    "ScheduleDetail",
    "ScheduleInfo",
    "Skipped",
    "Span",
    "StatType",
    "Statistic",
    "Status",
    "StoreUnavailable",
    "Task",
    "TaskFilter",
    "TaskId",
    "TaskSummary",
    "Topic",
    "UnknownScheme",
    "UnknownTask",
    "Watch",
    "WorkerInfo",
    "WorkerState",
    "codec_named",
    "connect",
    "merge",
    "percentile",
    "queue_topic",
    "register_backend",
]
