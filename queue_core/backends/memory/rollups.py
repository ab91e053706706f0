"""What happened when: counts and duration histograms by queue, per minute, hour and day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal

from queue_core.clock import EPOCH
from queue_core.expose import Bucket, Durations, Span
from queue_core.histogram import bucket_of, merge
from queue_core.ids import QueueName

Event = Literal["pushed", "done", "failed", "killed"]
Timing = Literal["run", "wait"]


@dataclass(slots=True)
class Tally:
    """What happened in one queue in one span of time."""

    pushed: int = 0
    done: int = 0
    failed: int = 0
    killed: int = 0
    run: dict[int, int] = field(default_factory=dict)
    wait: dict[int, int] = field(default_factory=dict)


class Rollups:
    """All tallies, by span, start and queue."""

    def __init__(self) -> None:
        self._tallies: dict[Span, dict[datetime, dict[QueueName, Tally]]] = {span: {} for span in Span}

    def count(self, queue: QueueName, at: datetime, event: Event, by: int = 1) -> None:
        """Count one ``event``; -1 takes it back."""
        for tally in self._at(queue, at):
            setattr(tally, event, getattr(tally, event) + by)

    def time(self, queue: QueueName, at: datetime, timing: Timing, seconds: float) -> None:
        """Enter one duration."""
        bucket = bucket_of(max(0.0, seconds))
        for tally in self._at(queue, at):
            histogram = tally.run if timing == "run" else tally.wait
            histogram[bucket] = histogram.get(bucket, 0) + 1

    def series(self, span: Span, since: datetime, until: datetime, queue: QueueName | None) -> list[Bucket]:
        """One bucket a span from ``since`` rounded down to ``until`` included, oldest first."""
        return [self._bucket(span, start, queue) for start in _starts(span, since, until)]

    def durations(self, span: Span, since: datetime, until: datetime, queue: QueueName | None) -> Durations:
        """How long things took in the buckets of that series together."""
        found = [tally for start in _starts(span, since, until) for tally in self._of(span, start, queue)]
        return Durations(run=merge([tally.run for tally in found]), wait=merge([tally.wait for tally in found]))

    def prune(self, span: Span, before: datetime) -> None:
        """Forget the spans that began before a time."""
        tallies = self._tallies[span]
        for start in [start for start in tallies if start < before]:
            del tallies[start]

    def _at(self, queue: QueueName, at: datetime) -> Iterator[Tally]:
        for span, tallies in self._tallies.items():
            yield tallies.setdefault(round_down(at, span), {}).setdefault(queue, Tally())

    def _bucket(self, span: Span, start: datetime, queue: QueueName | None) -> Bucket:
        return _sum(start, self._of(span, start, queue))

    def _of(self, span: Span, start: datetime, queue: QueueName | None) -> list[Tally]:
        by_queue = self._tallies[span].get(start, {})
        return [tally for name, tally in by_queue.items() if queue in {None, name}]


@lru_cache(maxsize=16)  # what happens at once is entered task by task, with the same time
def round_down(at: datetime, span: Span) -> datetime:
    """The start of the span that ``at`` lies in."""
    return at - (at - EPOCH) % span.width


def _starts(span: Span, since: datetime, until: datetime) -> Iterator[datetime]:
    start = round_down(since, span)
    while start <= until:
        yield start
        start += span.width


def _sum(start: datetime, found: Sequence[Tally]) -> Bucket:
    return Bucket(
        start=start,
        pushed=sum(tally.pushed for tally in found),
        done=sum(tally.done for tally in found),
        failed=sum(tally.failed for tally in found),
        killed=sum(tally.killed for tally in found),
    )
