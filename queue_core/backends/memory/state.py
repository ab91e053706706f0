"""All that one memory store holds. Every change of a task passes through here, so that each is counted and announced."""

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from queue_core.backends._schedules import Stored
from queue_core.backends.memory.bells import Switchboard
from queue_core.backends.memory.logs import LogTable
from queue_core.backends.memory.rollups import Rollups
from queue_core.backends.memory.tasks import Row, TaskTable
from queue_core.backends.memory.workers import WorkerTable
from queue_core.clock import Clock, HandWoundClock
from queue_core.expose import Action, Actor, AuditEntry, FiredTick, Pause, Topic, queue_topic
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.limits import Limits
from queue_core.logs import LogLine
from queue_core.status import WAITING, KillReason, Status
from queue_core.task import Attempt, AttemptOutcome, ErrorInfo, Lease, Task

HISTORY: int = 100
"""How many attempts of a task are kept, the latest."""
WHOLE: str = ""
"""Stands for the whole queue where a group could be named."""
AUDITED_IDS: int = 100
"""How many task ids one audit entry names."""


class State:
    """One store. Read and write it inside ``transaction`` only; ``now`` stands still there."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.now = clock.now()
        self.tasks = TaskTable()
        self.workers = WorkerTable()
        self.logs = LogTable()
        self.pauses: dict[QueueName, Pause | None] = {}
        self.schedules: dict[str, Stored] = {}
        self.ticks: dict[str, dict[datetime, FiredTick]] = {}
        self.limits: dict[QueueName, Limits] = {}
        self.taken: dict[QueueName, dict[str, list[datetime]]] = {}
        """When workers took tasks, by queue and group, for as long as a rate looks back."""
        self.rollups = Rollups()
        self.audit: list[AuditEntry] = []
        self.bells = Switchboard()
        self.last_claim: datetime | None = None
        self._audited = 0
        self._lock = threading.RLock()
        if isinstance(clock, HandWoundClock):
            clock.on_advance(self.bells.ring_everything)

    @contextmanager
    def transaction(self) -> Iterator[datetime]:
        """Have the store alone, at one moment. Check before you change: nothing is rolled back."""
        with self._lock:
            self.now = self.clock.now()
            yield self.now

    # --- tasks -----------------------------------------------------------------------------------------

    def add(self, task: Task) -> Row:
        """Store a new task."""
        self.name_queue(task.queue)
        row = self.tasks.add(task)
        self.rollups.count(task.queue, self.now, "pushed")
        self._announce_task(row.task)
        return row

    def change(self, row: Row, **changes: Any) -> None:
        """Store changed columns of a task; count and announce what that means."""
        before = row.task
        self.tasks.put(row, changes)
        self._count(before, row.task)
        self._announce_task(row.task)

    def kill(self, row: Row, reason: KillReason, **changes: Any) -> None:
        """Killed, for a reason; no lease survives it."""
        row.token += 1
        self.change(row, status=Status.KILLED, reason=reason, done_at=self.now, **changes)

    def give_back(self, row: Row, **changes: Any) -> None:
        """To Pending without its lease; to Killed ``killed`` if that was asked for."""
        if row.task.kill_requested_at is not None:
            return self.kill(row, KillReason.KILLED, **changes)
        row.token += 1
        self.change(row, status=Status.PENDING, **changes)
        return None

    def remove(self, row: Row) -> None:
        """Forget a task, its history and its log."""
        self.tasks.remove(row)
        self.logs.remove(row.task.id)
        self.bells.announce(queue_topic(row.task.queue))
        self.bells.ring(row.task.id)

    def log(self, row: Row, lease: Lease, lines: Sequence[LogLine]) -> int:
        """Keep what the running attempt of a task logged; how many lines."""
        stored = self.logs.add(row.task, lease, lines, self.now)
        if stored:
            self.bells.announce(queue_topic(row.task.queue))
        return stored

    def remember(
        self,
        row: Row,
        outcome: AttemptOutcome,
        error: ErrorInfo | None = None,
        ran_for: float | None = None,
        finished_at: datetime | None = None,
    ) -> None:
        """Keep the attempt that ends now, or ended at ``finished_at``, in the task's history."""
        task = row.task
        row.history.append(
            Attempt(
                task_id=task.id,
                number=task.attempts,
                worker=task.worker,
                started_at=task.started_at,
                finished_at=finished_at or self.now,
                ran_for=ran_for,
                outcome=outcome,
                error=error,
            )
        )
        del row.history[:-HISTORY]

    # --- queues, workers, audit ------------------------------------------------------------------------

    def name_queue(self, queue: QueueName) -> None:
        """Let a queue exist from now on."""
        if queue not in self.pauses:
            self.pauses[queue] = None
            self.bells.announce(Topic("queues"))

    def open_queues(self, queues: Sequence[QueueName]) -> list[QueueName]:
        """Those of ``queues`` that are not paused, each once."""
        return [queue for queue in dict.fromkeys(queues) if self.pauses.get(queue) is None]

    def put_schedule(self, stored: Stored) -> None:
        """Store a schedule, in place of an earlier one of its name."""
        self.schedules[stored.entry.name] = stored
        self._announce_schedules()

    def remove_schedule(self, name: str) -> None:
        """Forget a schedule and its ticks."""
        del self.schedules[name]
        self.ticks.pop(name, None)
        self._announce_schedules()

    def _announce_schedules(self) -> None:
        self.bells.announce(Topic("schedules"))
        self.bells.ring("schedules")

    def declare(self, queue: QueueName, limits: Limits) -> None:
        """Let these be the limits of a queue."""
        self.name_queue(queue)
        if self.limits.get(queue, Limits()) != limits:
            self.limits[queue] = limits
            self.bells.announce(Topic("queues"))
            self.wake_workers_of(queue)

    def note_start(self, task: Task) -> None:
        """Remember that a worker took a task, as far as a rate will ask."""
        limits = self.limits.get(task.queue)
        if limits and limits.rate:
            self.taken.setdefault(task.queue, {}).setdefault(WHOLE, []).append(self.now)
        if limits and limits.group_rate and task.group is not None:
            self.taken.setdefault(task.queue, {}).setdefault(task.group, []).append(self.now)

    def starts(self, queue: QueueName, group: str, per: float) -> list[datetime]:
        """When tasks of a group, or of a whole queue, were taken within the last ``per`` seconds."""
        starts = self.taken.get(queue, {}).get(group, [])
        if starts and starts[-1] > self.now:  # the clock stepped back
            starts[:] = [min(start, self.now) for start in starts]
        del starts[: bisect_right(starts, self.now - timedelta(seconds=per))]
        if not starts and queue in self.taken:
            self.taken[queue].pop(group, None)
        return starts

    def forget_starts(self) -> None:
        """Forget what no rate looks back to any more."""
        for queue, groups in self.taken.items():
            limits = self.limits.get(queue, Limits())
            for group in list(groups):
                rate = limits.rate if group == WHOLE else limits.group_rate
                self.starts(queue, group, rate.per if rate else 0.0)

    def announce_workers(self) -> None:
        """Say that workers changed."""
        self.bells.announce(Topic("workers"))

    def wake_worker(self, boot: BootId | None) -> None:
        """Let one worker look again: a lease of it was taken, or is asked for."""
        self.bells.ring(("worker", boot))

    def wake_workers_of(self, queue: QueueName) -> None:
        """Let the workers of a queue look again."""
        self.bells.ring(("work", queue))

    def record(self, actor: Actor, action: Action, ids: Sequence[TaskId], queue: QueueName | None, *, schedule: str | None = None) -> None:
        """Enter an action into the audit."""
        self._audited += 1
        entry = AuditEntry(
            id=self._audited,
            at=self.now,
            actor=actor.name,
            action=action,
            queue=queue,
            task_ids=tuple(ids[:AUDITED_IDS]),
            count=len(ids),
            reason=actor.reason,
            schedule=schedule,
        )
        self.audit.append(entry)
        self.bells.announce(Topic("audit"))

    # --- what a change means -----------------------------------------------------------------------------

    def _count(self, before: Task, after: Task) -> None:
        if before.status is after.status:
            return
        match after.status:
            case Status.DONE:
                self.rollups.count(after.queue, self.now, "done")
            case Status.FAILED:
                self.rollups.count(after.queue, self.now, "failed")
            case Status.KILLED:
                self.rollups.count(after.queue, self.now, "killed")
            case Status.PENDING | Status.QUEUED | Status.RUNNING:
                pass

    def _announce_task(self, task: Task) -> None:
        self.bells.announce(queue_topic(task.queue))
        if task.status in WAITING or task.group is not None or task.queue in self.limits:
            self.wake_workers_of(task.queue)
        if task.status.is_final:
            self.bells.ring(task.id)
