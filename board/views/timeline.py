"""Where the time of a task went, as bars on one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from board.contexts import Phase
from queue_core.expose import Action, Attempt, AuditEntry, Status, Task

TOGETHER: Final = timedelta(milliseconds=5)
"""Moments that are no further apart belong to one transaction."""
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


def phases(task: Task, attempts: Sequence[Attempt], audit: Sequence[AuditEntry], now: datetime) -> tuple[Phase, ...]:
    """The task's life from its push on: scheduled, waited, ran, backoff, ran … ``audit``: what people did to it, newest first."""
    acts = [entry for entry in reversed(audit) if entry.action in (Action.KILL, Action.RETRY)]
    return _placed([stretch for stretch in _stretches(task, attempts, acts, now) if stretch.seconds != 0])


def _stretches(task: Task, attempts: Sequence[Attempt], acts: Sequence[AuditEntry], now: datetime) -> list[Stretch]:
    """Gaps and runs in turn."""
    stretches: list[Stretch] = []
    at, early = task.created_at, "scheduled"
    for attempt in attempts:
        if attempt.started_at is None:
            continue
        over, at, early = _over(at, attempt.started_at, early, acts)
        end = _end(attempt)
        outcome = attempt.outcome.value if attempt.outcome else "running"
        ran = Stretch("ran", f"Attempt {attempt.number} ran", attempt.started_at, end, outcome)
        stretches += [*over, *_gap(task, at, attempt.started_at, early), ran]
        at, early = end or attempt.started_at, "backoff"
    over, at, early = _over(at, now, early, acts)
    stored = max((attempt.finished_at for attempt in attempts if attempt.finished_at), default=None)
    return stretches + over + _tail(task, at, now, early, ended_by_run=stored is not None and _same(stored, task.done_at))


def _end(attempt: Attempt) -> datetime | None:
    """When the handler ended, which is a little before that was stored; None while it runs."""
    if attempt.outcome is None or attempt.started_at is None:
        return None
    return attempt.started_at + timedelta(seconds=attempt.ran_for) if attempt.ran_for is not None else attempt.finished_at


def _over(start: datetime, end: datetime, early: str, acts: Sequence[AuditEntry]) -> tuple[list[Stretch], datetime, str]:
    """The times in which it was over until somebody retried it; from when on it waited again, and what it then waits for when it is not due."""
    stretches: list[Stretch] = []
    killed: datetime | None = None
    for act in (act for act in acts if start < act.at < end):
        if act.action is Action.KILL:
            killed = killed or act.at
            continue
        before = [_waiting(_unknown(early), start, killed)] if killed else []
        label = "Killed, until it was retried" if killed else "Until it was retried"
        stretches += [*before, Stretch("ended", label, killed or start, act.at)]
        start, early, killed = act.at, "scheduled", None
    return stretches, start, early


def _gap(task: Task, start: datetime, end: datetime, early: str) -> list[Stretch]:
    """Between two runs, or before the first. Only for the latest gap is it known when it was due."""
    if end != task.started_at:
        return [_waiting(_unknown(early), start, end)]
    return _until_due(task.run_at, start, end, early)


def _until_due(due: datetime, start: datetime, end: datetime, early: str) -> list[Stretch]:
    """Until it was due, and then until the end."""
    if due <= start or _same(due, start):
        return [_waiting(_unknown(early), start, end)]
    return [_waiting(early, start, min(due, end)), *([_waiting("waited", due, end)] if due < end else [])]


def _tail(task: Task, start: datetime, now: datetime, early: str, *, ended_by_run: bool) -> list[Stretch]:
    """What comes after the last run, until now or the end."""
    match task.status:
        case Status.PENDING | Status.FAILED if task.run_at > start and not _same(task.run_at, start):
            due = [_waiting("waited", task.run_at, None)] if task.run_at <= now else []
            return [_waiting(early, start, task.run_at), *due]
        case Status.PENDING | Status.FAILED:
            return [_waiting("waited", start, None)]
        case Status.QUEUED:
            claimed = task.queued_at or start
            return [_waiting("waited", start, claimed), Stretch("claimed", "In a worker, not started", claimed, None)]
        case Status.KILLED if task.done_at and task.done_at > start and not ended_by_run:
            return _until_due(task.run_at, start, task.done_at, early)
        case _:
            return []


def _unknown(early: str) -> str:
    """What a wait is called of which it is not known when it was due."""
    return "backoff" if early == "backoff" else "waited"


def _same(one: datetime, other: datetime | None) -> bool:
    """Whether two moments are of one transaction."""
    return other is not None and abs(one - other) <= TOGETHER


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
