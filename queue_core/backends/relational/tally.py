"""What one transaction changes in the numbers and for the listeners: collected while it runs, and written once, at its end."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from queue_core.expose import Topic, queue_topic
from queue_core.histogram import BOUNDS, bucket_of
from queue_core.status import Status

WORKERS: Final = Topic("workers")
QUEUES: Final = Topic("queues")
AUDIT: Final = Topic("audit")
SCHEDULES: Final = Topic("schedules")

_WAIT: Final = tuple(f"wait:{bucket}" for bucket in range(len(BOUNDS) + 1))
_RUN: Final = tuple(f"run:{bucket}" for bucket in range(len(BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a committed transaction means for those who listen."""

    versions: dict[Topic, int]
    """What changed, and how often it did before and now."""
    work: frozenset[str] = frozenset()
    """Queues whose workers should look again."""
    boots: frozenset[str] = frozenset()
    """Process lives of workers that should look again."""
    ended: frozenset[str] = frozenset()
    """Ids of tasks that reached a final state."""

    def __bool__(self) -> bool:
        return bool(self.versions or self.work or self.boots)


@dataclass(slots=True)
class Tally:
    """Deltas of one transaction; dropped with it when it rolls back."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    metrics: dict[tuple[str, str], int] = field(default_factory=dict)
    topics: set[Topic] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    work: set[str] = field(default_factory=set)
    boots: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    turns: set[tuple[str, str]] = field(default_factory=set)
    """Queue and name of groups that the next claim is to look at, because a task of them came, went or moved."""

    def moved_in(self, queue: str, group: str | None) -> None:
        """A task of ``group`` came, went or moved; None: it is in none."""
        if group is not None:
            self.turns.add((queue, group))
            self.work.add(queue)

    def move(self, queue: str, was: str | None, becomes: str | None, n: int = 1) -> None:
        """``n`` tasks of ``queue`` went from one state to another; None: they were not stored before, or are no more."""
        counts = self.counts
        if was is not None:
            counts[queue, was] = counts.get((queue, was), 0) - n
        if becomes is not None:
            counts[queue, becomes] = counts.get((queue, becomes), 0) + n
        if becomes == Status.KILLED:
            self.count(queue, "killed", n)

    def touch(self, queue: str) -> None:
        """Something about a task of ``queue`` changed that is not counted."""
        self.topics.add(queue_topic(queue))

    def count(self, queue: str, metric: str, n: int = 1) -> None:
        """``metric`` happened ``n`` times in ``queue``."""
        metrics = self.metrics
        metrics[queue, metric] = metrics.get((queue, metric), 0) + n

    def waited(self, waits: Iterable[tuple[str, int]]) -> None:
        """Tasks started: of which queue each is, and for how many microseconds it had been due."""
        self._time(_WAIT, waits)

    def ran(self, runs: Iterable[tuple[str, int]]) -> None:
        """Attempts ended: of which queue each task is, and how many microseconds it took."""
        self._time(_RUN, runs)

    def _time(self, metrics: Sequence[str], durations: Iterable[tuple[str, int]]) -> None:
        for (queue, bucket), n in Counter((queue, bucket_of(us / 1_000_000)) for queue, us in durations).items():
            self.count(queue, metrics[bucket], n)

    def changed_topics(self) -> set[Topic]:
        """What changed, for those who watch."""
        return self.topics | {queue_topic(queue) for queue, _ in self.counts}

    def changes(self, versions: dict[Topic, int]) -> Changes:
        """What to tell the listeners once the transaction is committed; ``versions`` is how often each changed topic has changed now."""
        return Changes(versions, frozenset(self.work), frozenset(self.boots), frozenset(self.ended))
