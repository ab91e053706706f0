"""The big tables of a memory store, which remember which of their rows changed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from queue_core.backends.memory.logs import LogTable
from queue_core.backends.memory.rollups import Rollups, Tally, round_down
from queue_core.backends.memory.tasks import Row, TaskTable
from queue_core.backends.memory.workers import WorkerRow, WorkerTable
from queue_core.expose import Span
from queue_core.ids import BootId, QueueName, TaskId
from queue_core.logs import LogEntry, LogLine
from queue_core.task import Lease, Task
from queue_core.worker_info import Registration

Place = tuple[Span, datetime, QueueName]
LoggedLine = tuple[LogEntry, datetime]


class FileTasks(TaskTable):
    """All tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._touched: dict[TaskId, None] = {}

    def add(self, task: Task) -> Row:
        """Store a new task."""
        self._touched[task.id] = None
        return super().add(task)

    def put(self, row: Row, changes: dict[str, Any]) -> None:
        """Store changed columns of a task."""
        self._touched[row.task.id] = None
        super().put(row, changes)

    def remove(self, row: Row) -> None:
        """Forget a task and its history."""
        self._touched[row.task.id] = None
        super().remove(row)

    def changed(self) -> dict[TaskId, Row | None]:
        """The rows that changed since ``settle``; None for those that are gone."""
        return {id: self.get(id) for id in self._touched}

    def settle(self) -> None:
        """What changed is stored."""
        self._touched.clear()

    def restore(self, id: TaskId, row: Row | None) -> None:
        """Have a row as the file says."""
        earlier = self.get(id)
        if earlier is not None:
            super().remove(earlier)
        if row is None:
            return
        self.last_seq = max(self.last_seq, row.task.seq)
        self._rows[id] = self._by_seq[row.task.seq] = row
        if row.task.key is not None:
            self._keys[row.task.queue, row.task.key] = row
        self._index(row)

    @property
    def last_seq(self) -> int:
        """The place of the last task in the order of pushing."""
        return self._last_seq

    @last_seq.setter
    def last_seq(self, seq: int) -> None:
        self._last_seq = seq

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())


class FileWorkers(WorkerTable):
    """All workers."""

    def __init__(self) -> None:
        super().__init__()
        self._touched: dict[BootId, None] = {}

    def add(self, worker: Registration, now: datetime) -> None:
        """Record a process life as running."""
        self._touched[worker.boot] = None
        super().add(worker, now)

    def put(self, row: WorkerRow, **changes: Any) -> None:
        """Store changed columns of a worker."""
        self._touched[row.info.boot] = None
        super().put(row, **changes)

    def remove(self, row: WorkerRow) -> None:
        """Forget a process life."""
        self._touched[row.info.boot] = None
        super().remove(row)

    def changed(self) -> dict[BootId, WorkerRow | None]:
        """The rows that changed since ``settle``; None for those that are gone."""
        return {boot: self.get(boot) for boot in self._touched}

    def settle(self) -> None:
        """What changed is stored."""
        self._touched.clear()

    def restore(self, boot: BootId, row: WorkerRow | None) -> None:
        """Have a row as the file says."""
        self._rows.pop(boot, None)
        if row is not None:
            self._rows[boot] = row

    def __iter__(self) -> Iterator[WorkerRow]:
        return iter(self._rows.values())


class FileLogs(LogTable):
    """All lines of handlers, and the last one of each task."""

    def __init__(self) -> None:
        super().__init__()
        self._touched: dict[int, None] = {}
        self._touched_tasks: dict[TaskId, None] = {}

    def add(self, task: Task, lease: Lease, lines: Sequence[LogLine], now: datetime) -> int:
        """Store those of ``lines`` that are not stored yet; how many."""
        self._touched_tasks[task.id] = None
        return super().add(task, lease, lines, now)

    def remove(self, task: TaskId) -> None:
        """Forget the lines of a task."""
        if task in self._latest:
            self._touched_tasks[task] = None
        super().remove(task)

    def changed(self) -> dict[int, LoggedLine | None]:
        """The lines that changed since ``settle``, by place; None for those that are gone."""
        return {place: self._lines.get(place) for place in self._touched}

    def changed_tasks(self) -> dict[TaskId, tuple[Lease, int] | None]:
        """The last lines that changed since ``settle``, by task."""
        return {task: self._latest.get(task) for task in self._touched_tasks}

    def settle(self) -> None:
        """What changed is stored."""
        self._touched.clear()
        self._touched_tasks.clear()

    def restore(self, place: int, line: LoggedLine | None) -> None:
        """Have a line as the file says."""
        if place in self._lines:
            super()._remove(place)
        if line is None:
            return
        self.last_place = max(self.last_place, place)
        self._lines[place] = line
        for keys in self._indexes(line[0]):
            keys.add(place)

    def restore_task(self, task: TaskId, latest: tuple[Lease, int] | None) -> None:
        """Have the last line of a task as the file says."""
        self._latest.pop(task, None)
        if latest is not None:
            self._latest[task] = latest

    @property
    def last_place(self) -> int:
        """The place of the last line."""
        return self._last_place

    @last_place.setter
    def last_place(self, place: int) -> None:
        self._last_place = place

    @property
    def latest(self) -> dict[TaskId, tuple[Lease, int]]:
        """The last line of each task."""
        return self._latest

    def __iter__(self) -> Iterator[LoggedLine]:
        return iter(self._lines.values())

    def _put(self, task: Task, line: LogLine, now: datetime) -> None:
        super()._put(task, line, now)
        self._touched[self._last_place] = None

    def _remove(self, place: int) -> None:
        super()._remove(place)
        self._touched[place] = None


class FileRollups(Rollups):
    """All tallies."""

    def __init__(self) -> None:
        super().__init__()
        self._touched: dict[Place, None] = {}
        self.pruned: dict[Span, datetime] = {}
        """Since ``settle``: those that began before are gone."""

    def prune(self, span: Span, before: datetime) -> None:
        """Forget the spans that began before a time."""
        if any(start < before for start in self._tallies[span]):
            self.pruned[span] = before
        super().prune(span, before)

    def changed(self) -> list[tuple[Span, datetime, QueueName, Tally]]:
        """The tallies that changed since ``settle``."""
        return [(*place, tally) for place in self._touched if (tally := self._tally(place)) is not None]

    def settle(self) -> None:
        """What changed is stored."""
        self._touched.clear()
        self.pruned = {}

    def restore(self, span: Span, start: datetime, queue: QueueName, tally: Tally) -> None:
        """Have a tally as the file says."""
        self._tallies[span].setdefault(start, {})[queue] = tally

    def __iter__(self) -> Iterator[tuple[Span, datetime, QueueName, Tally]]:
        return ((span, start, queue, tally) for span, starts in self._tallies.items() for start, by in starts.items() for queue, tally in by.items())

    def _at(self, queue: QueueName, at: datetime) -> Iterator[Tally]:
        self._touched.update({(span, round_down(at, span), queue): None for span in Span})
        return super()._at(queue, at)

    def _tally(self, place: Place) -> Tally | None:
        span, start, queue = place
        return self._tallies[span].get(start, {}).get(queue)
