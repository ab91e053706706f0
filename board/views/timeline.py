"""Where the time of a task went, as bars on one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from board.contexts import Phase
from queue_core.expose import Attempt, Status, Task

LEAST: Final = 0.5
"""Width in percent of the narrowest bar."""
OPEN_SHARE: Final = 0.15
"""How much of the line a phase that still goes on takes: it has no length yet, and the bars must not move while nothing happens."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase before it is placed on the line."""

    kind: str
    label: str
    start: datetime
    end: datetime | None
    outcome: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        return max((self.end - self.start).total_seconds(), 0.0) if self.end else None


def phases(task: Task, attempts: Sequence[Attempt], now: datetime) -> tuple[Phase, ...]:
    """The task's life from its push on: scheduled, waited, ran, backoff, ran …"""
    return _placed([stretch for stretch in _stretches(task, attempts, now) if stretch.seconds != 0])


def _stretches(task: Task, attempts: Sequence[Attempt], now: datetime) -> list[Stretch]:
    """Gaps and runs in turn."""
    stretches: list[Stretch] = []
    at = task.created_at
    for attempt in attempts:
        if attempt.started_at is None:
            continue
        stretches += _gap(task, at, attempt.started_at, first=not stretches)
        end = _end(attempt)
        outcome = attempt.outcome.value if attempt.outcome else "running"
        stretches.append(Stretch("ran", f"Attempt {attempt.number} ran", attempt.started_at, end, outcome))
        at = end or attempt.started_at
    return stretches + _tail(task, at, now, first=not stretches)


def _end(attempt: Attempt) -> datetime | None:
    """When the handler ended, which is a little before that was stored; None while it runs."""
    if attempt.outcome is None or attempt.started_at is None:
        return None
    return attempt.started_at + timedelta(seconds=attempt.ran_for) if attempt.ran_for is not None else attempt.finished_at


def _gap(task: Task, start: datetime, end: datetime, *, first: bool) -> list[Stretch]:
    """Between two runs, or before the first. Only for the latest gap is it known when it was due."""
    due = task.run_at if end == task.started_at else None
    early = "scheduled" if first else "backoff"
    if due and start < due < end:
        return [_waiting(early, start, due), _waiting("waited", due, end)]
    return [_waiting("waited" if first else "backoff", start, end)]


def _tail(task: Task, start: datetime, now: datetime, *, first: bool) -> list[Stretch]:
    """What comes after the last run, until now or the end."""
    match task.status:
        case Status.PENDING | Status.FAILED if task.run_at > start:
            due = [_waiting("waited", task.run_at, None)] if task.run_at <= now else []
            return [_waiting("scheduled" if first else "backoff", start, task.run_at), *due]
        case Status.PENDING | Status.FAILED:
            return [_waiting("waited", start, None)]
        case Status.QUEUED:
            claimed = task.queued_at or start
            return [_waiting("waited", start, claimed), Stretch("claimed", "In a worker, not started", claimed, None)]
        case Status.KILLED if task.done_at and task.done_at - start > timedelta(milliseconds=5):
            return [_waiting("waited", start, task.done_at)]
        case _:
            return []


def _waiting(kind: str, start: datetime, end: datetime | None) -> Stretch:
    label = {"scheduled": "Scheduled for later", "waited": "Waited for a worker", "backoff": "Waited for the next attempt"}[kind]
    return Stretch(kind, label, start, end)


def _placed(stretches: Sequence[Stretch]) -> tuple[Phase, ...]:
    """Each with its place on a line of 100."""
    known = sum(stretch.seconds or 0.0 for stretch in stretches)
    opened = known * OPEN_SHARE or 1.0
    weights = [opened if stretch.seconds is None else stretch.seconds for stretch in stretches]
    shares = _at_least(weights)
    return tuple(_phase(stretch, sum(shares[:place]), shares[place]) for place, stretch in enumerate(stretches))


def _at_least(weights: Sequence[float]) -> list[float]:
    """Shares of 100, none below what the eye can see."""
    total = sum(weights) or 1.0
    raised = [max(weight / total * 100, LEAST) for weight in weights]
    return [share / sum(raised) * 100 for share in raised]


def _phase(stretch: Stretch, x: float, width: float) -> Phase:
    return Phase(
        kind=stretch.kind,
        label=stretch.label,
        outcome=stretch.outcome,
        start=stretch.start,
        seconds=stretch.seconds,
        x=round(x, 2),
        width=round(width, 2),
    )
