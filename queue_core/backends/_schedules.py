"""What is shown of a stored schedule, and what is said of one that is not there. Shared by all backends, so that they say the same."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import msgspec

from queue_core.errors import InvalidValue
from queue_core.expose import ARGS_HEAD, FiredTick, Pause, ScheduleDetail, ScheduleInfo
from queue_core.ids import TaskId
from queue_core.schedule import Entry

KEPT_TICKS: Final = 100
"""How many ticks of a schedule are kept."""
SHOWN_TICKS: Final = 5
"""How many ticks to come are shown."""
SUSPICIOUS: Final = 60.0
"""Seconds between two declarations that differ, below which they may be those of two programs."""
_log = logging.getLogger("prinia.schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A schedule in a store."""

    entry: Entry
    version: int
    declared_at: datetime
    pause: Pause | None
    last_tick: datetime | None
    last_task: TaskId | None
    next_tick: datetime | None


def unknown(name: str) -> InvalidValue:
    """What is said of a schedule that is not there."""
    return InvalidValue(f"There is no schedule {name!r}. A schedule exists once a worker of an app that declares it has started.")


def first_tick(entry: Entry, now: datetime, last_tick: datetime | None = None) -> datetime | None:
    """Its first tick after now, and after the last one: a clock that was set back repeats none. Raises InvalidValue."""
    return entry.when.next_after(now if last_tick is None else max(now, last_tick))


def warn_of_rival(stored: Stored, now: datetime) -> None:
    """Log that a schedule is declared otherwise than a moment before, as by two programs that do not know of one another."""
    ago = (now - stored.declared_at).total_seconds()
    if 0 <= ago < SUSPICIOUS:
        _log.warning(
            "The schedule %s was declared otherwise %.0f s ago, and the last declaration counts. If two programs declare it, rename one of theirs.",
            stored.entry.name,
            ago,
        )


def next_tick(stored: Stored, entry: Entry, now: datetime) -> datetime | None:
    """When a stored schedule that is now declared as ``entry`` is due next."""
    was = stored.entry
    same = (was.kind, was.spec, was.timezone) == (entry.kind, entry.spec, entry.timezone)
    return stored.next_tick if same else first_tick(entry, now, stored.last_tick)


def info(stored: Stored, now: datetime) -> ScheduleInfo:
    """As lists show it."""
    return ScheduleInfo(**_shown(stored, now))


def detail(stored: Stored, now: datetime, ticks: Sequence[FiredTick]) -> ScheduleDetail:
    """Whole."""
    return ScheduleDetail(**_shown(stored, now), args=stored.entry.args, options=_options(stored.entry), ticks=tuple(ticks))


def entry_values(entry: Entry) -> dict[str, Any]:
    """Its columns by name."""
    return {column.name: getattr(entry, column.name) for column in fields(Entry)}


def _shown(stored: Stored, now: datetime) -> dict[str, Any]:
    entry = stored.entry
    return {
        **_ticks(stored, now),
        "name": entry.name,
        "timezone": entry.timezone,
        "task": entry.task,
        "queue": entry.queue,
        "missed": entry.missed,
        "pause": stored.pause,
        "declared_at": stored.declared_at,
        "last_tick": stored.last_tick,
        "last_task": stored.last_task,
        "codec": entry.codec,
        "args_head": entry.args[:ARGS_HEAD],
    }


def _ticks(stored: Stored, now: datetime) -> dict[str, Any]:
    """What it says of its ticks; one that this machine cannot read stops no list."""
    try:
        when = stored.entry.when
    except InvalidValue as error:
        known = () if stored.pause or stored.next_tick is None else (stored.next_tick,)
        return {"english": str(error), "expression": stored.entry.spec, "next_ticks": known}
    ticks: list[datetime] = []
    moment = None if stored.pause else stored.next_tick
    while moment is not None and len(ticks) < SHOWN_TICKS:
        ticks.append(moment)
        moment = when.next_after(moment)
    return {"english": when.english, "expression": str(when), "next_ticks": tuple(ticks)}


def _options(entry: Entry) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(entry.options, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return {"unreadable": entry.options}
