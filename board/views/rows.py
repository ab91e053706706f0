"""Tasks, queues and workers as rows of lists: what the store says of them, in words and links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from board.charts import spark
from board.contexts import Button, GoneRow, Link, QueueRow, StateCount, TaskRow, WorkerRow
from board.filters import dom_id, plural, short_id, visible
from board.payloads import redacted_text
from board.previews import preview
from board.screen import Ask, Fragment
from queue_core.expose import (
    COUNT_CAP,
    DELETABLE,
    KILLABLE,
    RESCHEDULABLE,
    RETRYABLE,
    Action,
    BootId,
    Bucket,
    Counts,
    Durations,
    QueueInfo,
    Span,
    Status,
    TaskId,
    TaskSummary,
    WorkerInfo,
    WorkerState,
)

PEOPLES: Final = {Status.FAILED: "Retrying"}
"""States that people know by another word: a Failed task is one that is attempted again."""
HOUR: Final = timedelta(minutes=59)
"""Back from now: with the running minute that makes 60 buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """An action on tasks, as people meet it."""

    action: Action
    path: str
    """Last part of the address that it is posted to."""
    label: str
    done: str
    """``retried``."""
    told: str
    """What it did, with a place for the number of tasks."""
    title: str
    states: frozenset[Status]
    """Where it is allowed."""
    danger: bool = False


VERBS: Final = (
    Verb(
        action=Action.RETRY,
        path="retry",
        label="Retry",
        done="retried",
        told="Retried {}: Pending again and due now",
        title="Run it again, now, with one more attempt where needed.",
        states=RETRYABLE,
    ),
    Verb(
        action=Action.RUN_NOW,
        path="run-now",
        label="Run now",
        done="made due now",
        told="Made {} due now",
        title="Make it due now instead of later.",
        states=RESCHEDULABLE,
    ),
    Verb(
        action=Action.KILL,
        path="kill",
        label="Kill",
        done="killed",
        told="Killed {}",
        title="Stop it and make no further attempt.",
        states=KILLABLE,
        danger=True,
    ),
    Verb(
        action=Action.DELETE,
        path="delete",
        label="Delete",
        done="deleted",
        told="Deleted {}",
        title="Remove it and its history for good.",
        states=DELETABLE,
        danger=True,
    ),
)
"""Every action on tasks, in the order of buttons."""


def verb_at(path: str) -> Verb | None:
    """The action that is posted to this path."""
    return next((verb for verb in VERBS if verb.path == path), None)


# --- tasks ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of a store at one moment."""

    workers: tuple[WorkerInfo, ...]
    now: datetime

    @classmethod
    async def of(cls, ask: Ask) -> "Crew":
        """Ask the store."""
        return cls(tuple(await ask.store.list_workers()), await ask.store.now())

    @property
    def live(self) -> tuple[WorkerInfo, ...]:
        """Those that are alive."""
        return tuple(worker for worker in self.workers if worker.is_live(self.now))

    def serving(self, queue: str) -> tuple[WorkerInfo, ...]:
        """The living ones that serve a queue."""
        return tuple(worker for worker in self.live if queue in worker.queues)

    def holds_dead(self, boot: BootId | None) -> bool:
        """Whether this process life is known to be over."""
        return any(worker.boot == boot and not worker.is_live(self.now) for worker in self.workers)


def task_row(ask: Ask, task: TaskSummary, crew: Crew) -> TaskRow:
    """One task in a list."""
    waits = task.status in RESCHEDULABLE
    due_later = waits and task.run_at > crew.now
    return TaskRow(
        id=task.id,
        dom_id=dom_id("task", task.id),
        short_id=short_id(task.id),
        seq=task.seq,
        href=ask.urls.task(task.id),
        name=visible(task.name),
        queue=Link(label=visible(task.queue), href=ask.urls.queue(task.queue)),
        status=task.status.value.lower(),
        label=label_of(task, crew),
        reason=task.reason.value if task.reason else None,
        priority=task.priority,
        created_at=task.created_at,
        due_at=task.run_at if due_later else None,
        waiting_since=task.run_at if waits and not due_later else task.queued_at if task.status is Status.QUEUED else None,
        running_since=task.started_at if task.status is Status.RUNNING else None,
        finished_at=task.done_at,
        ran_for=task.ran_for if task.status is not Status.RUNNING else None,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        worker=Link(label=visible(task.worker), href=ask.urls.worker(task.boot) if task.boot else None) if task.worker else None,
        error=redacted_text(task.name, task.error, ask.redact),
        preview=preview(task.args_head, task.codec, name=task.name, codecs=ask.store.codecs, redact=ask.redact),
        progress=round(min(max(task.progress, 0.0), 1.0) * 100) if task.progress is not None else None,
        progress_note=redacted_text(task.name, task.progress_note, ask.redact),
        tags=tuple(visible(tag) for tag in task.tags),
        buttons=task_buttons(ask, task.id, task.status),
        selectable=any(verb.action in ask.may for verb in VERBS),
    )


def label_of(task: TaskSummary, crew: Crew) -> str:
    """A task's state in a word for people."""
    match task.status:
        case Status.PENDING if task.run_at > crew.now:
            return "Scheduled"
        case Status.FAILED:
            return PEOPLES[task.status]
        case Status.QUEUED | Status.RUNNING if crew.holds_dead(task.boot):
            return "Orphaned"
        case Status.RUNNING if task.kill_requested_at:
            return "Stopping"
        case _:
            return task.status.value


def task_buttons(ask: Ask, id: TaskId, status: Status) -> tuple[Button, ...]:
    """What these readers may do to a task in this state."""
    fields = (("id", str(id)), ("back", ask.back))
    return tuple(
        Button(
            action=verb.path,
            label="Run again" if verb.action is Action.RETRY and status is Status.DONE else verb.label,
            title=verb.title,
            url=ask.urls.tasks_act(verb.path),
            fields=fields,
            danger=verb.danger,
            confirms=verb.danger,
        )
        for verb in VERBS
        if verb.action in ask.may and status in verb.states
    )


def row_fragment(ask: Ask, task: TaskSummary, crew: Crew) -> Fragment:
    """A task's row with its own place on the page."""
    row = task_row(ask, task, crew)
    return Fragment(id=row.dom_id, template="tasks/_task.html", context=row, row=task.id)


def gone_fragment(id: TaskId) -> Fragment:
    """What stands in the place of a task that was deleted."""
    place = dom_id("task", id)
    return Fragment(id=place, template="tasks/_gone.html", context=GoneRow(id=id, dom_id=place), row=id)


async def rows_of(ask: Ask, ids: Sequence[TaskId]) -> list[Fragment]:
    """These tasks' rows as they are now; deleted ones as gone."""
    crew = await Crew.of(ask)
    found = {task.id: task for task in await ask.store.summaries(ids)}
    return [row_fragment(ask, found[id], crew) if id in found else gone_fragment(id) for id in ids]


# --- states ------------------------------------------------------------------------------------------------


def state_counts(counts: Counts, href: Mapping[Status, str], current: frozenset[Status] = frozenset()) -> tuple[StateCount, ...]:
    """One count a state, in the order of a task's life."""
    return tuple(
        StateCount(
            status=status.value.lower(),
            label=PEOPLES.get(status, status.value),
            count=counts.of(status),
            href=href[status],
            current=current == {status},
        )
        for status in Status
    )


# --- queues --------------------------------------------------------------------------------------------


async def queue_row(ask: Ask, queue: QueueInfo, crew: Crew) -> QueueRow:
    """One queue in a list, with its last hour."""
    series = await last_hour(ask, crew.now, queue)
    serving = crew.serving(queue.name)
    slots = sum(worker.concurrency for worker in serving)
    return QueueRow(
        name=visible(queue.name),
        dom_id=dom_id("queue-row", queue.name),
        href=ask.urls.queue(queue.name),
        states=state_counts(queue.counts, {status: ask.urls.queue(queue.name, [("status", status.value)]) for status in Status}),
        waiting=queue.counts.waiting,
        scheduled=min(queue.scheduled, COUNT_CAP - 1),
        scheduled_capped=queue.scheduled >= COUNT_CAP,
        oldest_due=queue.oldest_due,
        spark=spark(series),
        workers=len(serving),
        slots=slots,
        busy=min(queue.counts.running / slots, 1.0) if slots else None,
        paused_by=visible(queue.pause.by) if queue.pause else None,
        paused_at=queue.pause.since if queue.pause else None,
        paused_why=visible(queue.pause.reason) if queue.pause and queue.pause.reason else None,
        problem=queue_problem(queue, crew),
        buttons=queue_buttons(ask, queue),
    )


async def last_hour(ask: Ask, now: datetime, queue: QueueInfo | None = None) -> list[Bucket]:
    """Sixty minutes of one queue or all, the running one last."""
    return await ask.store.series(Span.MINUTE, since=now - HOUR, until=now, queue=queue.name if queue else None)


async def last_durations(ask: Ask, now: datetime, queue: QueueInfo | None = None) -> Durations:
    """How long things took in these sixty minutes."""
    return await ask.store.durations(Span.MINUTE, since=now - HOUR, until=now, queue=queue.name if queue else None)


def queue_problem(queue: QueueInfo, crew: Crew) -> str | None:
    """Why tasks that are due are not taken, if nobody takes them."""
    if not queue.counts.waiting or queue.pause or crew.serving(queue.name):
        return None
    silent = [worker.name for worker in crew.workers if queue.name in worker.queues and worker.state.is_live]
    return f"No live worker serves this queue; {visible(silent[0])} is silent." if silent else "No live worker serves this queue."


def queue_buttons(ask: Ask, queue: QueueInfo) -> tuple[Button, ...]:
    """Pause or Resume, for those who may."""
    action, path, title = (
        (Action.RESUME, "resume", "Let workers take tasks from this queue again.")
        if queue.pause
        else (Action.PAUSE, "pause", "Let no worker take tasks from this queue; what runs goes on.")
    )
    if action not in ask.may:
        return ()
    url = ask.urls.queue_act(queue.name, path)
    return (Button(action=path, label=path.capitalize(), title=title, url=url, fields=(("back", ask.back),), danger=False, confirms=False),)


# --- workers -----------------------------------------------------------------------------------------------


def worker_row(ask: Ask, worker: WorkerInfo, now: datetime) -> WorkerRow:
    """One process life of a worker in a list."""
    level = heartbeat_level(worker, now)
    state = "silent" if level == "silent" else worker.state.value
    return WorkerRow(
        name=visible(worker.name),
        dom_id=dom_id("worker-row", worker.boot),
        href=ask.urls.worker(worker.boot),
        boot=worker.boot,
        state=state,
        label=state.capitalize(),
        live=worker.is_live(now),
        level=level,
        last_heartbeat=worker.last_heartbeat,
        started_at=worker.started_at,
        stopped_at=worker.stopped_at,
        queues=tuple(Link(label=visible(queue), href=ask.urls.queue(queue)) for queue in worker.queues),
        running=worker.running if worker.state.is_live else 0,
        slots=worker.concurrency,
        busy=min(worker.running / worker.concurrency, 1.0) if worker.concurrency and worker.state.is_live else 0.0,
        host=visible(worker.host),
        pid=worker.pid,
        version=visible(worker.version),
        rss=worker.rss,
        cpu=worker.cpu,
    )


def heartbeat_level(worker: WorkerInfo, now: datetime) -> str:
    """How fresh a worker's last sign of life is."""
    if not worker.state.is_live:
        return "ended"
    age = (now - worker.last_heartbeat).total_seconds()
    return "silent" if age > worker.lease_ttl else "late" if age > worker.lease_ttl / 2 else "fresh"


def worker_sentence(worker: WorkerInfo, now: datetime, runs: str) -> str:
    """A worker's condition in words. ``runs``: how many tasks, as the store knows."""
    match worker.state:
        case WorkerState.STOPPED:
            return "It stopped properly."
        case WorkerState.LOST:
            return "It was lost without a word; its tasks went back to their queues."
        case _ if heartbeat_level(worker, now) == "silent":
            return f"Its last heartbeat is older than its lease of {worker.lease_ttl:g} s; its tasks go back to their queues."
        case WorkerState.PAUSED:
            return "It is paused: it finishes what it has and takes nothing new."
        case WorkerState.STOPPING:
            return "It is stopping: it finishes what it has, then ends."
        case WorkerState.RUNNING:
            return f"It runs {runs} and has {plural(worker.concurrency, 'slot')}."
