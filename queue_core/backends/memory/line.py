"""The waiting tasks of one queue, in the order of claims."""

from collections.abc import Iterator
from datetime import UTC, datetime

from queue_core.backends.memory.sorted_keys import SortedKeys
from queue_core.task import Task

Place = tuple[int, datetime, int]
"""A place in the order of claims: higher priority first (so it is negated), then due earlier, then pushed earlier."""


class Line:
    """All waiting tasks by when they are due; those that have been due once also by their place, so that a claim meets no others."""

    def __init__(self) -> None:
        self._by_time: SortedKeys[tuple[datetime, int, int]] = SortedKeys()
        self._ready: SortedKeys[Place] = SortedKeys()
        self._ready_until = datetime.min.replace(tzinfo=UTC)

    def add(self, task: Task) -> None:
        """Let ``task`` wait."""
        self._by_time.add((task.run_at, task.seq, -task.priority))
        if task.run_at <= self._ready_until:
            self._ready.add((-task.priority, task.run_at, task.seq))

    def discard(self, task: Task) -> None:
        """Take ``task`` out."""
        self._by_time.discard((task.run_at, task.seq, -task.priority))
        self._ready.discard((-task.priority, task.run_at, task.seq))

    def due(self, now: datetime) -> Iterator[Place]:
        """The due tasks in the order of claims."""
        if now > self._ready_until:
            for run_at, seq, negated in self._by_time.between((self._ready_until, _AFTER_ALL), (now, _AFTER_ALL)):
                self._ready.add((negated, run_at, seq))
            self._ready_until = now
        return (place for place in self._ready if place[1] <= now)  # a clock that stepped back lets some wait again

    def oldest_due(self, now: datetime) -> datetime | None:
        """``run_at`` of the due task that waits longest."""
        first = self._by_time.first()
        return first[0] if first and first[0] <= now else None

    def later(self, now: datetime) -> Iterator[tuple[datetime, int]]:
        """The tasks that are not due, as (run_at, place in the order of pushing), the next one first."""
        return ((run_at, seq) for run_at, seq, _ in self._by_time.between((now, _AFTER_ALL), None))


_AFTER_ALL = 1 << 62
