"""The read-and-act contract, in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from queue_core.backends import _logs
from queue_core.backends._statistics import HOURS_SINCE, MINUTES_SINCE, STALE_AFTER, Facts, statistics
from queue_core.backends.memory import listing, managing, producing, scheduling
from queue_core.backends.memory.backend import CAPABILITIES
from queue_core.backends.memory.bells import Bell
from queue_core.backends.memory.history import attempts
from queue_core.backends.memory.limiting import room_of
from queue_core.backends.memory.session import Session
from queue_core.backends.memory.state import State
from queue_core.capabilities import Capabilities
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
from queue_core.limits import Limits
from queue_core.status import Status
from queue_core.task import Attempt, NewTask, Pushed, Task, TaskChange, TaskSummary, check_aware
from queue_core.worker_info import WorkerInfo

MAX_FETCHED = 1000


class MemoryExpose:
    """``Expose`` on a store in this process's memory."""

    def __init__(self, session: Session, codecs: Mapping[str, Codec], capabilities: Capabilities = CAPABILITIES, *, kind: str = "Memory") -> None:
        self.kind: Final = kind
        self.capabilities: Final = capabilities
        self._session = session
        self._codecs = codecs

    @property
    def location(self) -> str:
        """The store's URL."""
        return self._session.location

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs with which payloads are shown."""
        return self._codecs

    async def open(self) -> None:
        """Allow access."""
        self._session.open()

    async def close(self) -> None:
        """End access."""
        self._session.close()

    async def now(self) -> datetime:
        """The store's time."""
        with self._session.transaction() as state:
            return state.now

    # --- queues and workers ------------------------------------------------------------------------------

    async def list_queues(self) -> list[QueueInfo]:
        """Every queue, by name."""
        with self._session.transaction() as state:
            return [_queue(state, queue) for queue in sorted(state.pauses)]

    async def fetch_queue(self, queue: QueueName) -> QueueInfo | None:
        """One queue."""
        with self._session.transaction() as state:
            return _queue(state, queue) if queue in state.pauses else None

    async def list_workers(self, queue: QueueName | None = None, *, limit: int = 200) -> list[WorkerInfo]:
        """Workers, the living first."""
        with self._session.transaction() as state:
            return state.workers.listed(state.now, queue, limit)

    async def list_schedules(self, *, limit: int = 1_000) -> list[ScheduleInfo]:
        """Every schedule, by name."""
        with self._session.transaction() as state:
            return scheduling.listed(state, limit)

    async def fetch_schedule(self, name: str) -> ScheduleDetail | None:
        """One schedule, whole."""
        with self._session.transaction() as state:
            return scheduling.fetched(state, name)

    # --- tasks -------------------------------------------------------------------------------------------

    async def list_tasks(self, filter: TaskFilter, *, start: Cursor | None = None, limit: int = 50) -> Page:
        """A page of tasks, newest pushed first."""
        with self._session.transaction() as state:
            return listing.page(state, filter, start, limit)

    async def fetch(self, id: TaskId) -> Task | None:
        """One task, whole."""
        found = await self.fetch_many([id])
        return found[0] if found else None

    async def fetch_many(self, ids: Sequence[TaskId]) -> list[Task]:
        """Those of ``ids`` that are stored, whole."""
        with self._session.transaction() as state:
            return [row.task for id in ids[:MAX_FETCHED] if (row := state.tasks.get(id))]

    async def summaries(self, ids: Sequence[TaskId]) -> list[TaskSummary]:
        """Those of ``ids`` that are stored, without payload but the beginning of the arguments."""
        with self._session.transaction() as state:
            return [row.summary() for id in ids[:MAX_FETCHED] if (row := state.tasks.get(id))]

    async def attempts(self, id: TaskId) -> list[Attempt]:
        """The attempts of a task, oldest first."""
        with self._session.transaction() as state:
            row = state.tasks.get(id)
            return attempts(row) if row else []

    async def room(self, id: TaskId) -> Room:
        """What the limits of its queue and its group count just now."""
        with self._session.transaction() as state:
            row = state.tasks.get(id)
            return room_of(state, row.task) if row else Room()

    async def list_logs(self, filter: LogFilter, *, start: Cursor | None = None, limit: int = 100) -> LogPage:
        """A page of what handlers logged, oldest line first."""
        question = _logs.asked(filter, start, limit)
        with self._session.transaction() as state:
            return _logs.page(question, state.logs.find(question))

    # --- numbers -----------------------------------------------------------------------------------------

    async def counts(self) -> dict[QueueName, Counts]:
        """Exact numbers by queue and state."""
        with self._session.transaction() as state:
            return {queue: state.tasks.counts(queue) for queue in sorted(state.pauses)}

    async def series(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> list[Bucket]:
        """What happened between two times."""
        check_aware("since", since)
        check_aware("until", until)
        with self._session.transaction() as state:
            return state.rollups.series(span, since.astimezone(UTC), until.astimezone(UTC), queue)

    async def durations(self, span: Span, *, since: datetime, until: datetime, queue: QueueName | None = None) -> Durations:
        """How long things took between two times."""
        check_aware("since", since)
        check_aware("until", until)
        with self._session.transaction() as state:
            return state.rollups.durations(span, since.astimezone(UTC), until.astimezone(UTC), queue)

    async def statistics(self, queue: QueueName | None = None) -> list[Statistic]:
        """The seed's titled statistics."""
        with self._session.transaction() as state:
            queues = [name for name in state.pauses if queue in {None, name}]
            return statistics(
                now=state.now,
                queues=[_queue(state, name) for name in queues],
                minutes=state.rollups.series(Span.MINUTE, state.now - MINUTES_SINCE, state.now, queue),
                hours=state.rollups.series(Span.HOUR, state.now - HOURS_SINCE, state.now, queue),
                run=state.rollups.durations(Span.HOUR, state.now - HOURS_SINCE, state.now, queue).run,
                facts=_facts(state, queues),
            )

    async def last_claim(self) -> datetime | None:
        """When a worker last claimed a task."""
        with self._session.transaction() as state:
            return state.last_claim

    # --- acting ------------------------------------------------------------------------------------------

    async def push(self, tasks: Sequence[NewTask], *, actor: Actor) -> list[Pushed]:
        """Store tasks, recorded in the audit."""
        with self._session.transaction() as state:
            pushed = producing.push(state, tasks)
            record_push(state, actor, pushed)
            return pushed

    async def retry(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Failed, Killed, Done → Pending."""
        return self._act(Action.RETRY, ids, actor, managing.retry)

    async def kill(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """→ Killed, at once or by the worker."""
        return self._act(Action.KILL, ids, actor, managing.kill)

    async def run_now(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Waiting tasks are due now."""
        return self._act(Action.RUN_NOW, ids, actor, managing.run_now)

    async def reschedule(self, ids: Sequence[TaskId], run_at: datetime, *, actor: Actor) -> Report:
        """Waiting tasks are due at ``run_at``."""
        check_aware("run_at", run_at)
        return self._act(Action.RESCHEDULE, ids, actor, managing.due_at(run_at.astimezone(UTC)))

    async def update(self, ids: Sequence[TaskId], change: TaskChange, *, actor: Actor) -> Report:
        """Waiting tasks become as ``change`` says."""
        return self._act(Action.UPDATE, ids, actor, managing.changed(change))

    async def delete(self, ids: Sequence[TaskId], *, actor: Actor) -> Report:
        """Finished tasks are removed."""
        return self._act(Action.DELETE, ids, actor, managing.delete)

    async def pause(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """Let no worker claim from a queue."""
        with self._session.transaction() as state:
            managing.pause(state, queue, actor)
            return _queue(state, queue)

    async def resume(self, queue: QueueName, *, actor: Actor) -> QueueInfo:
        """End the pause of a queue."""
        with self._session.transaction() as state:
            managing.resume(state, queue, actor)
            return _queue(state, queue)

    async def pause_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """Let no tick of a schedule push a task."""
        with self._session.transaction() as state:
            return scheduling.pause(state, name, actor)

    async def resume_schedule(self, name: str, *, actor: Actor) -> ScheduleInfo:
        """End the pause of a schedule."""
        with self._session.transaction() as state:
            return scheduling.resume(state, name, actor)

    async def run_schedule(self, name: str, *, actor: Actor) -> Pushed:
        """Push one task of a schedule now."""
        with self._session.transaction() as state:
            return scheduling.run(state, name, actor)

    async def delete_schedule(self, name: str, *, actor: Actor) -> None:
        """Forget a schedule."""
        with self._session.transaction() as state:
            scheduling.delete(state, name, actor)

    async def list_audit(self, *, task: TaskId | None = None, limit: int = 100) -> list[AuditEntry]:
        """The latest actions, newest first."""
        with self._session.transaction() as state:
            found = [entry for entry in reversed(state.audit) if task is None or task in entry.task_ids]
            return found[: max(0, limit)]

    def _act(self, action: Action, ids: Sequence[TaskId], actor: Actor, change: managing.Change) -> Report:
        with self._session.transaction() as state:
            return managing.act(state, action, ids, actor, change)

    # --- learning of changes -----------------------------------------------------------------------------

    async def watch(self) -> AsyncIterator[frozenset[Topic]]:
        """Yield what changed, until the store is closed."""
        with self._session.listening(Bell(), None) as bell:
            yield frozenset({ALL_TOPICS})
            while not bell.closed:
                changed = await bell.wait()
                if changed:
                    yield cast("frozenset[Topic]", frozenset(changed))


def record_push(state: State, actor: Actor, pushed: Sequence[Pushed]) -> None:
    """Enter a push into the audit."""
    created = [push.task for push in pushed if push.created]
    queues = {task.queue for task in created}
    state.record(actor, Action.PUSH, [task.id for task in created], queues.pop() if len(queues) == 1 else None)


def _queue(state: State, queue: QueueName) -> QueueInfo:
    workers = state.workers.living(state.now, queue)
    return QueueInfo(
        name=queue,
        counts=state.tasks.counts(queue),
        scheduled=state.tasks.scheduled(queue, state.now),
        pause=state.pauses[queue],
        oldest_due=state.tasks.oldest_due(queue, state.now),
        workers=tuple(worker.name for worker in workers),
        slots=sum(worker.concurrency for worker in workers),
        limits=state.limits.get(queue, Limits()),
    )


def _facts(state: State, queues: Sequence[QueueName]) -> Facts:
    newest = next(state.tasks.newest_first(queues, Status), None)
    started = [row.task.started_at for row in state.tasks.newest_first(queues, [Status.RUNNING]) if row.task.started_at]
    return Facts(
        newest=newest.task.created_at if newest else None,
        running_since=min(started, default=None),
        stale_running=sum(state.now - moment > STALE_AFTER for moment in started),
    )
