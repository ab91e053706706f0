"""The read-and-act contract on a relational store, as far as all of them do it in the same way."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar

from queue_core.backends import _rows
from queue_core.backends._schedules import unknown
from queue_core.backends.relational import lists, logs, managing, numbers, scheduling
from queue_core.backends.relational.history import KEPT_ATTEMPTS
from queue_core.backends.relational.hub import Watcher
from queue_core.backends.relational.transaction import Store
from queue_core.clock import from_us, to_us
from queue_core.codec import Codec
from queue_core.expose import (
    ALL_TOPICS,
    Action,
    Actor,
    AuditEntry,
    Bucket,
    Counts,
    Cursor,
    Durations,
    LogFilter,
    LogPage,
    Page,
    QueueInfo,
    Report,
    Room,
    ScheduleDetail,
    ScheduleInfo,
    Span,
    Statistic,
    TaskFilter,
    Topic,
)
from queue_core.ids import QueueName, TaskId
from queue_core.status import Status
from queue_core.task import Attempt, AttemptOutcome, Task, TaskChange, TaskSummary, check_aware
from queue_core.worker_info import WorkerInfo

MAX_FETCHED: Final = 1_000

S = TypeVar("S", bound=Store)


class RelationalExpose(Generic[S]):
    """``queue_core.expose.Expose`` but for kind, location and what pushes; the contract says what each method does."""

    def __init__(self, store: S, backend: str, codecs: Mapping[str, Codec]) -> None:
        self._store = store
        self._backend = backend
        self._codecs = codecs

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs with which payloads are shown."""
        return self._codecs

    async def now(self) -> datetime:
        """The store's time."""
        return await self._store.now()

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        await self._store.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._store.close()

    # --- queues and workers ----------------------------------------------------------------------------

    async def list_queues(self) -> list[QueueInfo]:
        """Every queue, by name."""
        return await numbers.queue_infos(self._store)

    async def fetch_queue(self, queue: QueueName) -> QueueInfo | None:
        """One queue."""
        found = await numbers.queue_infos(self._store, queue)
        return found[0] if found else None

    async def list_workers(self, queue: QueueName | None = None, *, limit: int = 200) -> list[WorkerInfo]:
        """Workers, the living first."""
        rows = await self._store.rows("workers", queue=queue, now=to_us(await self._store.now()), limit=max(limit, 0))
        return [_rows.worker(row, self._backend) for row in rows]

    async def list_schedules(self, *, limit: int = 1_000) -> list[ScheduleInfo]:
        """Every schedule, by name."""
        return await scheduling.listed(self._store, limit)

    async def fetch_schedule(self, name: str) -> ScheduleDetail | None:
        """One schedule, whole."""
        return await scheduling.fetched(self._store, name)

    # --- tasks -----------------------------------------------------------------------------------------

    async def list_tasks(self, filter: TaskFilter, *, start: Cursor | None = None, limit: int = 50) -> Page:
        """A page of tasks, newest pushed first."""
        return await lists.page(self._store, filter, start, limit)

    async def fetch(self, id: TaskId) -> Task | None:
        """One task, whole."""
        found = await self.fetch_many([id])
        return found[0] if found else None

    async def fetch_many(self, ids: Sequence[TaskId]) -> list[Task]:
        """Those of ``ids`` that are stored, whole."""
        return [_rows.task(row) for row in await self._store.rows("fetch", ids=ids[:MAX_FETCHED])]

    async def summaries(self, ids: Sequence[TaskId]) -> list[TaskSummary]:
        """Those of ``ids`` that are stored, without payload but the beginning of the arguments."""
        return [_rows.summary(row) for row in await self._store.rows("summaries", ids=ids[:MAX_FETCHED])]

    async def attempts(self, id: TaskId) -> list[Attempt]:
        """The attempts of a task, oldest first."""
        found = await self.summaries([id])
        if not found:
            return []
        kept = [_rows.attempt(id, row) for row in await self._store.rows("attempts", task=found[0].seq)]
        return [*kept, *_latest(found[0])][-KEPT_ATTEMPTS:]

    async def room(self, id: TaskId) -> Room:
        """What the limits of its queue and its group count just now."""
        return await numbers.room(self._store, id)

    async def list_logs(self, filter: LogFilter, *, start: Cursor | None = None, limit: int = 100) -> LogPage:
        """A page of what handlers logged, oldest line first."""
        return await logs.list_logs(self._store, filter, start, limit)

    # --- numbers ---------------------------------------------------------------------------------------

    async def counts(self) -> dict[QueueName, Counts]:
        """Exact numbers by queue and state."""
        return await numbers.counts(self._store)

    async def series(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> list[Bucket]:
        """What happened between two times."""
        return await numbers.series(self._store, span, since, until, queue)

    async def durations(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> Durations:
        """How long things took between two times."""
        return await numbers.durations(self._store, span, since, until, queue)

    async def statistics(self, queue: QueueName | None = None) -> list[Statistic]:
        """The seed's titled statistics."""
        return await numbers.seed_statistics(self._store, queue)

    async def last_claim(self) -> datetime | None:
        """When a worker last claimed a task."""
        row = await self._store.row("last_claim")
        return _rows.moment(row[0]) if row else None

    # --- acting ----------------------------------------------------------------------------------------

    async def retry(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Failed, Killed, Done → Pending."""
        return await self._store.write(managing.act, Action.RETRY, ids, actor, managing.retry)

    async def kill(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """→ Killed, at once or by the worker."""
        return await self._store.write(managing.act, Action.KILL, ids, actor, managing.kill)

    async def run_now(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Waiting tasks are due now."""
        return await self._store.write(managing.act, Action.RUN_NOW, ids, actor, managing.run_now)

    async def reschedule(self, ids: Sequence[TaskId], run_at: datetime, *, actor: Actor) -> Report:
        """Waiting tasks are due at ``run_at``."""
        check_aware("run_at", run_at)
        return await self._store.write(managing.act, Action.RESCHEDULE, ids, actor, managing.due_at(run_at))

    async def update(self, ids: Sequence[TaskId], change: TaskChange, *, actor: Actor) -> Report:
        """Waiting tasks become as ``change`` says."""
        return await self._store.write(managing.act, Action.UPDATE, ids, actor, managing.changed(change))

    async def delete(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Finished tasks are removed."""
        return await self._store.write(managing.act, Action.DELETE, ids, actor, managing.delete)

    async def pause(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """Let no worker claim from a queue."""
        await self._store.write(managing.pause, queue, actor)
        return await self._known(queue)

    async def resume(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """End the pause of a queue."""
        await self._store.write(managing.resume, queue, actor)
        return await self._known(queue)

    async def _known(self, queue: QueueName) -> QueueInfo:
        info = await self.fetch_queue(queue)
        assert info is not None
        return info

    async def pause_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """Let no tick of a schedule push a task."""
        await self._store.write(scheduling.pause, name, actor)
        return await self._scheduled(name)

    async def resume_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """End the pause of a schedule."""
        await self._store.write(scheduling.resume, name, actor)
        return await self._scheduled(name)

    async def delete_schedule(self, name: str, *, actor: Actor) -> None:
        """Forget a schedule."""
        await self._store.write(scheduling.delete, name, actor)

    async def _scheduled(self, name: str) -> ScheduleInfo:
        found = await self.fetch_schedule(name)
        if found is None:
            raise unknown(name)
        return found

    async def list_audit(self, *, task: TaskId | None = None, limit: int = 100) -> list[AuditEntry]:
        """The latest actions, newest first."""
        if task is None:
            rows = await self._store.rows("audit", limit=max(limit, 0))
        else:
            rows = await self._store.rows("audit_of_task", task=task, limit=max(limit, 0))
        return [_entry(row) for row in rows]

    # --- learning of changes ---------------------------------------------------------------------------

    async def watch(self) -> AsyncIterator[frozenset[Topic]]:
        """Yield what changed, until the store is closed."""
        self._store.check_open()
        with Watcher(self._store.hub) as watcher:
            yield frozenset({ALL_TOPICS})
            while not watcher.closed:
                if topics := await watcher.wait():
                    yield topics


def _latest(task: TaskSummary) -> list[Attempt]:
    """The running or successful attempt, which the task itself tells."""
    if task.status not in {Status.RUNNING, Status.DONE}:
        return []
    done = task.status is Status.DONE
    return [
        Attempt(
            task_id=task.id,
            number=task.attempts,
            worker=task.worker,
            started_at=task.started_at,
            finished_at=task.done_at if done else None,
            ran_for=task.ran_for if done else None,
            outcome=AttemptOutcome.SUCCEEDED if done else None,
        )
    ]


def _entry(row: _rows.Row) -> AuditEntry:
    id, at, actor, action, queue, task_ids, count, reason, schedule = row
    return AuditEntry(
        id=id,
        at=from_us(at),
        actor=actor,
        action=Action(action),
        queue=queue,
        task_ids=tuple(TaskId(task) for task in _rows.texts(task_ids)),
        count=count,
        reason=reason,
        schedule=schedule,
    )
