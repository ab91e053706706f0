"""What handlers logged: by task, by queue, and in the order of storing."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from queue_core.backends._logs import Asked, Found
from queue_core.backends._rows import clean
from queue_core.backends.memory.sorted_keys import SortedKeys
from queue_core.expose import LogFilter
from queue_core.ids import QueueName, TaskId
from queue_core.logs import KEPT_LINES, LogEntry, LogLine
from queue_core.task import Lease, Task


class LogTable:
    """The lines of a store."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[LogEntry, datetime]] = {}
        self._places: SortedKeys[int] = SortedKeys()
        self._by_task: dict[TaskId, SortedKeys[int]] = {}
        self._by_queue: dict[QueueName, SortedKeys[int]] = {}
        self._latest: dict[TaskId, tuple[Lease, int]] = {}
        """Of each task the lease and the number of its last line."""
        self._last_place = 0

    def add(self, task: Task, lease: Lease, lines: Sequence[LogLine], now: datetime) -> int:
        """Store those of ``lines`` that are not stored yet; how many."""
        under, number = self._latest.get(task.id, (None, 0))
        new = [line for line in lines if under != lease or line.number > number]
        for line in new:
            self._put(task, line, now)
        if new:
            self._latest[task.id] = lease, new[-1].number
        if under != lease:
            self._trim(task.id)
        return len(new)

    def _put(self, task: Task, line: LogLine, now: datetime) -> None:
        self._last_place += 1
        entry = LogEntry(
            place=self._last_place,
            task_id=task.id,
            queue=task.queue,
            attempt=task.attempts,
            number=line.number,
            at=line.at,
            level=line.level,
            logger=clean(line.logger),
            message=clean(line.message),
        )
        self._lines[entry.place] = entry, now
        for keys in self._indexes(entry):
            keys.add(entry.place)

    def remove(self, task: TaskId) -> None:
        """Forget the lines of a task."""
        for place in list(self._by_task.get(task, ())):
            self._remove(place)
        self._by_task.pop(task, None)
        self._latest.pop(task, None)

    def prune(self, queue: QueueName, before: datetime, limit: int) -> None:
        """Forget some lines of a queue that were stored at ``before`` or earlier."""
        for place in list(itertools.islice(self._by_queue.get(queue, ()), limit)):
            if self._lines[place][1] <= before:
                self._remove(place)

    def find(self, asked: Asked) -> Found:
        """What answers a question."""
        looked_at = list(itertools.islice(self._near(asked), asked.window))
        fitting = [entry for place in looked_at if _fits(entry := self._lines[place][0], asked)]
        return Found(fitting[: asked.limit + 1], looked_at[0] if looked_at else None, looked_at[-1] if len(looked_at) == asked.window else None)

    def _trim(self, task: TaskId) -> None:
        """Forget all but the latest lines of a task."""
        for place in list(itertools.islice(self._by_task.get(task, SortedKeys()).below(self._last_place + 1), KEPT_LINES, None)):
            self._remove(place)

    def _near(self, asked: Asked) -> Iterator[int]:
        keys = self._asked_for(asked.filter)
        return keys.below(asked.place) if asked.direction == "older" else keys.above(asked.place)

    def _asked_for(self, filter: LogFilter) -> SortedKeys[int]:
        if filter.task is not None:
            return self._by_task.get(filter.task, SortedKeys())
        return self._places if filter.queue is None else self._by_queue.get(filter.queue, SortedKeys())

    def _indexes(self, entry: LogEntry) -> Sequence[SortedKeys[int]]:
        by_task = self._by_task.setdefault(entry.task_id, SortedKeys())
        return self._places, by_task, self._by_queue.setdefault(entry.queue, SortedKeys())

    def _remove(self, place: int) -> None:
        entry, _ = self._lines.pop(place)
        for keys in self._indexes(entry):
            keys.discard(place)


def _fits(entry: LogEntry, asked: Asked) -> bool:
    filter = asked.filter
    words = (filter.text or "").casefold()
    return (
        entry.level >= filter.level
        and filter.attempt in {None, entry.attempt}
        and filter.queue in {None, entry.queue}
        and (words in entry.message.casefold() or words in entry.logger.casefold())
    )
