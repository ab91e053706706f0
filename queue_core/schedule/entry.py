"""A schedule: as an app declares it, and as stores keep it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, get_args

import msgspec

from queue_core.clock import from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.ids import QueueName, new_task_id
from queue_core.schedule.cron import Cron
from queue_core.schedule.every import Every
from queue_core.schedule.tick import OF_THE_TICK
from queue_core.task import NewTask, check_name

Missed = Literal["latest", "all", "skip"]
"""What becomes of ticks that came while no worker lived: one task for the newest, one for each (the newest 100), or none."""
OF_ITS_OWN: Final = ("id", "run_at", "key", "expires_at")
"""What a task of a schedule cannot be given in advance, because it would be the same for every tick."""
_APART: Final = {"name", "queue", "args", "codec", *OF_ITS_OWN}
_CRON, _EVERY = "cron", "every"


def as_when(when: object) -> Cron | Every:
    """``when``, where a text is a cron expression in UTC. Raises InvalidValue."""
    if isinstance(when, str):
        return Cron(when)
    if not isinstance(when, Cron | Every):
        raise InvalidValue(f"A schedule needs a Cron, an Every or the text of a cron expression, got {when!r}.")
    return when


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A task that is to be pushed again and again. ``App.schedule`` makes it. Raises InvalidValue for what breaks a rule.

    >>> Schedule(name="hourly", when=Every(hours=1), task=NewTask(name="greet", args=b"{}")).missed
    'latest'
    """

    name: str
    when: Cron | Every
    task: NewTask
    """What is pushed for each tick, but for its id and what it is told of the tick."""
    missed: Missed = "latest"

    def __post_init__(self) -> None:
        check_name("schedule name", self.name)
        if self.missed not in get_args(Missed):
            raise InvalidValue(f"missed must be one of {', '.join(get_args(Missed))}, got {self.missed!r}.")
        for name in OF_ITS_OWN[1:]:
            if getattr(self.task, name) is not None:
                raise InvalidValue(f"The schedule {self.name} cannot set {name}, which would be the same for every tick. Leave it out.")
        for name in OF_THE_TICK:
            if name in self.task.metadata:
                raise InvalidValue(f"The schedule {self.name} sets {name!r} in its tasks' metadata itself. Give yours another name.")

    def at(self, moment: datetime) -> NewTask:
        """The task for the tick at ``moment``."""
        tick = {"schedule": self.name, "tick": moment.isoformat()}
        return replace(self.task, id=new_task_id(), metadata={**self.task.metadata, **tick})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule as stores keep it: all that is needed to push its tasks, without the app that declared it."""

    name: str
    kind: str
    spec: str
    timezone: str | None
    task: str
    queue: QueueName
    args: bytes
    codec: str
    options: str
    """JSON: what else its tasks are given."""
    missed: str

    @classmethod
    def of(cls, schedule: Schedule) -> "Entry":
        """What is kept of ``schedule``. Raises InvalidValue for options that cannot be kept."""
        kind, spec, timezone = _kept(schedule.when)
        task = schedule.task
        return cls(
            name=schedule.name,
            kind=kind,
            spec=spec,
            timezone=timezone,
            task=task.name,
            queue=task.queue,
            args=bytes(task.args),
            codec=task.codec,
            options=_options(task),
            missed=schedule.missed,
        )

    @property
    def when(self) -> Cron | Every:
        """Its ticks. Raises InvalidValue when this machine cannot read them, as for want of a time zone."""
        if self.kind == _CRON:
            return Cron(self.spec, self.timezone or "UTC")
        found = [int(part) for part in self.spec.split()] if self.kind == _EVERY else []
        if len(found) != 2:
            raise InvalidValue(
                f"The schedule {self.name} is of the kind {self.kind!r} ({self.spec!r}), which this version cannot read. Update Prinia here."
            )
        return Every(seconds=found[0] / 1_000_000, anchor=from_us(found[1]))

    def schedule(self) -> Schedule:
        """The schedule that was kept. Raises InvalidValue when this machine cannot read it."""
        known = {"name": self.task, "queue": self.queue, "codec": self.codec}
        try:
            options = msgspec.json.decode(self.options, type=dict[str, Any])
            task = replace(msgspec.convert({**options, **known, "args": b""}, NewTask), args=self.args)
        except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
            raise InvalidValue(f"What the schedule {self.name} gives its tasks cannot be read: {error}. Let an app declare it anew.") from error
        return Schedule(name=self.name, when=self.when, task=task, missed=self.missed)  # type: ignore[arg-type]  # checked when it is made


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule that is due: since when, and what ``Backend.fire`` asks for to know that nothing has changed since."""

    entry: Entry
    due: datetime
    version: int


@dataclass(frozen=True, slots=True)
class DueSchedules:
    """What ``Backend.due_schedules`` answers."""

    due: list[DueSchedule]
    """Those longest due first."""
    now: datetime
    next_in: float | None = None
    """Seconds until another becomes due; None when there is none."""


def _kept(when: Cron | Every) -> tuple[str, str, str | None]:
    """Kind, spec and time zone."""
    match when:
        case Cron():
            return _CRON, when.expression, when.timezone
        case Every():
            return _EVERY, f"{when.period_us} {to_us(when.anchor)}", None


def _options(task: NewTask) -> str:
    given = {name: value for name, usual in _usual().items() if (value := getattr(task, name)) != usual}
    try:
        return msgspec.json.encode(given, order="sorted").decode()
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidValue(f"Only values that JSON can hold are stored beside a schedule, got {given!r}: {error}.") from error


@cache
def _usual() -> Mapping[str, Any]:
    """What a task is given where nobody says otherwise."""
    plain = NewTask(name="any", args=b"")
    return {each.name: getattr(plain, each.name) for each in fields(NewTask) if each.name not in _APART}
