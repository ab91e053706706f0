"""The table of tasks and its indexes: every question that a store asks has its own, so that none needs a scan."""

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

from queue_core.backends.memory.line import Line, Place
from queue_core.backends.memory.sorted_keys import SortedKeys
from queue_core.expose import COUNT_CAP, Counts
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.status import Status
from queue_core.task import Attempt, Lease, Task, TaskSummary

END: Final = 1 << 62
"""A place in the order of pushing behind every task."""


class Group:
    """The tasks of one group that wait or are held."""

    __slots__ = ("held", "line", "waiting")

    def __init__(self) -> None:
        self.line = Line()
        self.waiting: SortedKeys[int] = SortedKeys()
        """The places of those that wait, in the order of pushing."""
        self.held = 0
        """How many workers hold."""


@dataclass(slots=True, eq=False)
class Row:
    """One stored task. ``task`` is replaced, never changed, so that it can be handed out as it is."""

    task: Task
    token: int = 0
    history: list[Attempt] = field(default_factory=list)

    @property
    def lease(self) -> Lease | None:
        """The lease under which it is held; None when nobody holds it."""
        if self.task.boot is None or not self.task.status.is_leased:
            return None
        return Lease(self.task.id, self.task.boot, self.token)

    def summary(self) -> TaskSummary:
        """The task without its payload but for the beginning of its arguments."""
        return TaskSummary(**{name: getattr(self.task, name) for name in _SUMMARY})


_SUMMARY = tuple(column.name for column in fields(TaskSummary))


class TaskTable:
    """All tasks of a store. ``put`` and ``remove`` keep every index in step with the rows."""

    def __init__(self) -> None:
        self._rows: dict[TaskId, Row] = {}
        self._by_seq: dict[int, Row] = {}
        self._keys: dict[tuple[QueueName, str], Row] = {}
        self._listed: dict[tuple[QueueName, Status], SortedKeys[int]] = {}
        self._lines: dict[QueueName, Line] = {}
        self._groups: dict[QueueName, dict[str, Group]] = {}
        self._expiring: SortedKeys[tuple[datetime, int]] = SortedKeys()
        self._leased: dict[BootId, dict[TaskId, Row]] = {}
        self._ended: dict[tuple[QueueName, Status], SortedKeys[tuple[datetime, int]]] = {}
        self._last_seq = 0

    # --- writing ---------------------------------------------------------------------------------------

    def add(self, task: Task) -> Row:
        """Store a new task, at the end of the order of pushing."""
        self._last_seq += 1
        task = replace(task, seq=self._last_seq)
        row = Row(task)
        self._rows[task.id] = row
        self._by_seq[task.seq] = row
        if task.key is not None:
            self._keys[task.queue, task.key] = row
        self._index(row)
        return row

    def put(self, row: Row, changes: dict[str, Any]) -> None:
        """Store changed columns of a task."""
        self._unindex(row)
        if "key" in changes and row.task.key is not None:
            del self._keys[row.task.queue, row.task.key]
        row.task = replace(row.task, **changes)
        self._index(row)

    def remove(self, row: Row) -> None:
        """Forget a task and its history."""
        self._unindex(row)
        del self._rows[row.task.id]
        del self._by_seq[row.task.seq]
        if row.task.key is not None:
            del self._keys[row.task.queue, row.task.key]

    # --- asking ----------------------------------------------------------------------------------------

    def get(self, id: TaskId) -> Row | None:
        """The row of an id."""
        return self._rows.get(id)

    def with_key(self, queue: QueueName, key: str | None) -> Row | None:
        """The row that has a key in a queue."""
        return None if key is None else self._keys.get((queue, key))

    def counts(self, queue: QueueName) -> Counts:
        """How many tasks of a queue are in each state."""
        return Counts.from_mapping({status: len(self._list(queue, status)) for status in Status})

    def line(self, queue: QueueName) -> Line:
        """The waiting tasks of a queue that belong to no group."""
        return self._lines.setdefault(queue, Line())

    def groups(self, queue: QueueName) -> dict[str, Group]:
        """The groups of a queue by name."""
        return self._groups.get(queue, {})

    def live(self, queue: QueueName, name: str) -> list[Task]:
        """The tasks of a group that have not ended."""
        group = self.groups(queue).get(name)
        waiting = [self.at(seq) for seq in group.waiting] if group else []
        held = [row for boot in self.holders() for row in self.leased(boot) if (row.task.queue, row.task.group) == (queue, name)]
        return [row.task for row in [*waiting, *held]]

    def lines(self, queue: QueueName) -> list[Line]:
        """All waiting tasks of a queue."""
        return [self.line(queue), *(group.line for group in self.groups(queue).values())]

    def due(self, line: Line, now: datetime) -> Iterator[Place]:
        """The due tasks of a line that can be claimed, in the order of claims."""
        return line.due(now)

    def is_here(self, id: TaskId) -> bool:
        """Whether a waiting task can be claimed."""
        return True

    def at(self, seq: int) -> Row:
        """The row at a place in the order of pushing."""
        return self._by_seq[seq]

    def later(self, queue: QueueName, now: datetime) -> Iterator[tuple[datetime, int]]:
        """The tasks of a queue that are not due, as (run_at, place in the order of pushing), the next one first."""
        return heapq.merge(*[line.later(now) for line in self.lines(queue)])

    def oldest_due(self, queue: QueueName, now: datetime) -> datetime | None:
        """``run_at`` of the due task of a queue that waits longest."""
        return min((moment for line in self.lines(queue) if (moment := line.oldest_due(now))), default=None)

    def scheduled(self, queue: QueueName, now: datetime) -> int:
        """How many Pending tasks of a queue wait for a later time, up to ``COUNT_CAP``."""
        pending = (seq for _, seq in self.later(queue, now) if self._by_seq[seq].task.status is Status.PENDING)
        return sum(1 for _ in itertools.islice(pending, COUNT_CAP))

    def expired(self, now: datetime, limit: int) -> list[Row]:
        """Waiting tasks whose ``expires_at`` has passed, the longest passed first."""
        return [self._by_seq[seq] for _, seq in _while_at_most(self._expiring, now, limit)]

    def leased(self, boot: BootId) -> list[Row]:
        """The tasks that a process life holds, in the order in which it got them."""
        return list(self._leased.get(boot, {}).values())

    def holders(self) -> list[BootId]:
        """The process lives that hold tasks."""
        return list(self._leased)

    def ended(self, queue: QueueName, status: Status, before: datetime, limit: int) -> list[Row]:
        """Tasks that reached a final state at ``before`` or earlier, the earliest first."""
        return [self._by_seq[seq] for _, seq in _while_at_most(self._ended.get((queue, status), ()), before, limit)]

    def newest_first(self, queues: Sequence[QueueName], statuses: Iterable[Status], below: int = END) -> Iterator[Row]:
        """Tasks of some queues and states that were pushed before place ``below``, the latest pushed first."""
        places = [self._list(queue, status).below(below) for status in statuses for queue in queues]
        return (self._by_seq[seq] for seq in heapq.merge(*places, reverse=True))

    def oldest_first(self, queues: Sequence[QueueName], statuses: Iterable[Status], above: int) -> Iterator[Row]:
        """Tasks of some queues and states that were pushed after place ``above``, the first pushed first."""
        places = [self._list(queue, status).above(above) for status in statuses for queue in queues]
        return (self._by_seq[seq] for seq in heapq.merge(*places))

    # --- indexes ---------------------------------------------------------------------------------------

    def _index(self, row: Row) -> None:
        task = row.task
        self._list(task.queue, task.status).add(task.seq)
        match task.status:
            case Status.PENDING | Status.FAILED:
                self._wait(task)
                if task.expires_at is not None:
                    self._expiring.add((task.expires_at, task.seq))
            case Status.QUEUED | Status.RUNNING if task.boot is not None:
                self._leased.setdefault(task.boot, {})[task.id] = row
                self._hold(task, 1)
            case Status.DONE | Status.KILLED if task.done_at is not None:
                self._ended.setdefault((task.queue, task.status), SortedKeys()).add((task.done_at, task.seq))

    def _unindex(self, row: Row) -> None:
        task = row.task
        self._list(task.queue, task.status).discard(task.seq)
        match task.status:
            case Status.PENDING | Status.FAILED:
                self._wait_no_more(task)
                if task.expires_at is not None:
                    self._expiring.discard((task.expires_at, task.seq))
            case Status.QUEUED | Status.RUNNING if task.boot is not None:
                self._drop_lease(task.boot, task.id)
                self._hold(task, -1)
            case Status.DONE | Status.KILLED if task.done_at is not None:
                self._ended[task.queue, task.status].discard((task.done_at, task.seq))

    def _wait(self, task: Task) -> None:
        if task.group is None:
            return self.line(task.queue).add(task)
        group = self._groups.setdefault(task.queue, {}).setdefault(task.group, Group())
        group.line.add(task)
        return group.waiting.add(task.seq)

    def _wait_no_more(self, task: Task) -> None:
        if task.group is None:
            return self.line(task.queue).discard(task)
        group = self._groups[task.queue][task.group]
        group.line.discard(task)
        group.waiting.discard(task.seq)
        return self._drop_group(task.queue, task.group)

    def _hold(self, task: Task, n: int) -> None:
        if task.group is not None:
            self._groups.setdefault(task.queue, {}).setdefault(task.group, Group()).held += n
            self._drop_group(task.queue, task.group)

    def _drop_group(self, queue: QueueName, name: str) -> None:
        group = self._groups[queue][name]
        if not group.held and group.waiting.first() is None:
            del self._groups[queue][name]

    def _drop_lease(self, boot: BootId, id: TaskId) -> None:
        held = self._leased[boot]
        del held[id]
        if not held:
            del self._leased[boot]

    def _list(self, queue: QueueName, status: Status) -> SortedKeys[int]:
        return self._listed.setdefault((queue, status), SortedKeys())


def _while_at_most(keys: Iterable[tuple[datetime, int]], bound: datetime, limit: int) -> Iterator[tuple[datetime, int]]:
    for key in keys:
        if key[0] > bound or limit <= 0:
            return
        limit -= 1
        yield key
