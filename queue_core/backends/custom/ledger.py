"""What one process knows of the tasks that it pushed or took out of a store of functions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from queue_core.backends.memory import producing
from queue_core.backends.memory.line import Line, Place
from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row, TaskTable
from queue_core.clock import Clock, SystemClock
from queue_core.ids import QueueName, TaskId
from queue_core.status import WAITING
from queue_core.task import NewTask, Pushed, Task


class Ledger(State):
    """A memory store, some of whose waiting tasks are away: in the place that the functions speak to. Share one among several connections."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or SystemClock())
        self.tasks: LedgerTable = LedgerTable()
        self.finished: list[Task] = []
        """Final tasks of which the place has not been told."""
        self.returning: set[TaskId] = set()
        """Final tasks that are being put there again, because somebody retries them."""

    def send_away(self, pushed: Sequence[Pushed]) -> set[TaskId]:
        """Count new tasks as away. Their ids."""
        created = {push.task.id for push in pushed if push.created}
        for id in created:
            self.tasks.mark(id, away=True)
        return created

    def forget(self, ids: Iterable[TaskId]) -> None:
        """Undo the push of tasks that did not arrive there."""
        for id in ids:
            row = self.tasks.get(id)
            if self.tasks.mark(id, away=False) and row is not None:
                self.tasks.remove(row)
                self.rollups.count(row.task.queue, row.task.created_at, "pushed", by=-1)

    def send_back(self, ids: Iterable[TaskId]) -> list[Task]:
        """Count final tasks that are here as away: they are about to be put there again. The tasks."""
        rows = [row for id in dict.fromkeys(ids) if (row := self.tasks.get(id)) and row.task.status.is_final and self.tasks.is_here(id)]
        for row in rows:
            self.tasks.mark(row.task.id, away=True)
            self.returning.add(row.task.id)
        return [row.task for row in rows]

    def keep(self, tasks: Iterable[Task]) -> None:
        """Undo ``send_back`` of tasks that did not arrive there."""
        for task in tasks:
            self.tasks.mark(task.id, away=False)
            self.returning.discard(task.id)

    def take_in(self, new: NewTask) -> None:
        """Let a task wait here that was taken out there. One that ended meanwhile is told of instead; one that is known is not doubled."""
        row, was_away = self.tasks.get(new.id), self.tasks.mark(new.id, away=False)
        if row is not None:
            if row.task.status.is_final:
                self.finished += [row.task] if new.id not in self.returning else []
            elif was_away:
                self._announce_task(row.task)
        elif new.id in self.tasks.removed:
            self.finished.append(self.tasks.removed.pop(new.id))
        else:
            [pushed] = producing.push(self, [new])
            if not pushed.created:  # its key belongs to another task
                self.finished.append(replace(pushed.task, id=new.id))

    def take_back_waiting(self) -> list[Task]:
        """The waiting tasks that are here; from now on they count as away."""
        here = [row.task for row in self.tasks.waiting_here()]
        for task in here:
            self.tasks.mark(task.id, away=True)
        return here

    def _announce_task(self, task: Task) -> None:
        super()._announce_task(task)
        if task.status.is_final:
            self.finished.append(task)


class LedgerTable(TaskTable):
    """All tasks of a ledger, and which of them are away."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[TaskId] = set()
        self.here: Counter[QueueName] = Counter()
        """How many tasks of each queue wait here."""
        self.removed: dict[TaskId, Task] = {}
        """Tasks that were removed here while they were away."""

    def remove(self, row: Row) -> None:
        """Forget a task and its history; it may still come."""
        super().remove(row)
        if row.task.id in self.away:
            self.away.discard(row.task.id)
            self.removed[row.task.id] = row.task

    def mark(self, id: TaskId, *, away: bool) -> bool:
        """Let a task be away, or here. Whether that is a change."""
        if (id in self.away) is away:
            return False
        row = self.get(id)
        if row is not None:
            self._unindex(row)
        (self.away.add if away else self.away.discard)(id)
        if row is not None:
            self._index(row)
        return True

    def due(self, line: Line, now: datetime) -> Iterator[Place]:
        """The due tasks of a line that are here, in the order of claims."""
        return (place for place in super().due(line, now) if self.is_here(self.at(place[2]).task.id))

    def is_here(self, id: TaskId) -> bool:
        """Whether a waiting task is here."""
        return id not in self.away

    def waiting_here(self) -> Iterator[Row]:
        """The tasks that wait here, in the order of pushing."""
        return (row for row in self._by_seq.values() if self._waits_here(row))

    def _index(self, row: Row) -> None:
        super()._index(row)
        self.here[row.task.queue] += self._waits_here(row)

    def _unindex(self, row: Row) -> None:
        super()._unindex(row)
        self.here[row.task.queue] -= self._waits_here(row)

    def _waits_here(self, row: Row) -> bool:
        return row.task.status in WAITING and row.task.id not in self.away
