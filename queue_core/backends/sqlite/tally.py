"""What one transaction changes in the numbers and for the listeners: collected while it runs, written once at its end."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from queue_core.expose import Span, Topic, queue_topic
from queue_core.histogram import BOUNDS, bucket_of
from queue_core.status import Status

if TYPE_CHECKING:
    from queue_core.backends.sqlite.transaction import Transaction

WORKERS: Final = Topic("workers")
QUEUES: Final = Topic("queues")
AUDIT: Final = Topic("audit")

_WAIT: Final = tuple(f"wait:{bucket}" for bucket in range(len(BOUNDS) + 1))
_RUN: Final = tuple(f"run:{bucket}" for bucket in range(len(BOUNDS) + 1))
_WIDTHS: Final = tuple((span.value, int(span.width.total_seconds()) * 1_000_000) for span in Span)


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

    known_queues: Set[str]
    """Queues that need not be named again."""
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    metrics: dict[tuple[str, str], int] = field(default_factory=dict)
    topics: set[Topic] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    work: set[str] = field(default_factory=set)
    boots: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    versions: dict[Topic, int] = field(default_factory=dict)

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

    def waited(self, queue: str, us: int) -> None:
        """A task started after it had been due for ``us``."""
        self.count(queue, _WAIT[bucket_of(us / 1_000_000)])

    def ran(self, queue: str, us: int) -> None:
        """An attempt ended after ``us``."""
        self.count(queue, _RUN[bucket_of(us / 1_000_000)])

    def changes(self) -> Changes:
        """What to tell the listeners once the transaction is committed."""
        return Changes(self.versions, frozenset(self.work), frozenset(self.boots), frozenset(self.ended))

    def flush(self, tx: "Transaction") -> None:
        """Write everything collected."""
        self._name_queues(tx)
        self._add_counts(tx)
        self._add_metrics(tx)
        if self.claimed:
            tx.many("note_claim", [{"queue": queue, "now": tx.now} for queue in self.claimed])
        self._raise_versions(tx)

    def _name_queues(self, tx: "Transaction") -> None:
        for queue in self.named - self.known_queues:
            if tx.run("name_queue", queue=queue, now=tx.now):
                self.topics.add(QUEUES)

    def _add_counts(self, tx: "Transaction") -> None:
        moved = [{"queue": queue, "status": status, "n": n} for (queue, status), n in self.counts.items() if n]
        if moved:
            tx.many("add_count", moved)

    def _add_metrics(self, tx: "Transaction") -> None:
        if self.metrics:
            tx.many(
                "add_metric",
                [
                    {"span": span, "start": tx.now - tx.now % width, "queue": queue, "metric": metric, "n": n}
                    for span, width in _WIDTHS
                    for (queue, metric), n in self.metrics.items()
                ],
            )

    def _raise_versions(self, tx: "Transaction") -> None:
        self.topics.update(queue_topic(queue) for queue, _ in self.counts)
        for topic in self.topics:
            row = tx.row("raise_version", topic=topic)
            assert row is not None
            self.versions[topic] = row[0]
