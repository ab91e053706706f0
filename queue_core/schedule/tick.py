"""A tick: one moment of a schedule."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from queue_core.clock import Clock, HandWoundClock
from queue_core.errors import InvalidValue
from queue_core.task import check_aware

RESOLUTION: Final = timedelta(microseconds=1)
LONGEST_REST: Final = 60.0
"""Seconds after which one who waits for a tick looks at the clock again, for it may have been set."""
OF_THE_TICK: Final = ("schedule", "tick")
"""What the metadata of every task of a schedule tell."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One moment at which a schedule was due. A handler of a scheduled task gets it with ``tick: Tick = INJECTED``.

    A task that was pushed by hand has none: with ``tick: Tick | None = INJECTED`` its handler gets None, and with plain ``Tick`` the task ends
    Killed, saying so. ``at`` is aware and kept in UTC, whatever the time zone of the schedule.

    >>> Tick(datetime(2026, 1, 1, 6, tzinfo=UTC), "nightly").at.isoformat()
    '2026-01-01T06:00:00+00:00'
    """

    at: datetime
    schedule: str
    """The schedule's name; of ``ticks()``, which have none, its expression."""

    def __post_init__(self) -> None:
        if not isinstance(self.at, datetime):
            raise InvalidValue(f"The moment of a tick must be an aware datetime, got {self.at!r}.")
        check_aware("The moment of a tick", self.at)
        object.__setattr__(self, "at", self.at.astimezone(UTC))


def tick_in(metadata: Mapping[str, Any]) -> Tick | None:
    """The tick that ``metadata`` of a task tell; None for those of a task that no schedule pushed."""
    name, at = (metadata.get(key) for key in OF_THE_TICK)
    if not isinstance(name, str) or not isinstance(at, str):
        return None
    try:
        return Tick(datetime.fromisoformat(at), name)
    except (ValueError, InvalidValue):
        return None


class When(Protocol):
    """Moments that come again and again."""

    @property
    def english(self) -> str:
        """In words for people."""
        ...

    def next_after(self, moment: datetime) -> datetime | None:
        """The first of them later than ``moment``, in UTC; None after the last."""
        ...


async def ticks(when: When, clock: Clock) -> AsyncIterator[Tick]:
    """Yield the ticks of ``when`` as they come; of those that a slow reader missed, the newest. A clock that is set back repeats none."""
    last = clock.now()
    while (due := when.next_after(last)) is not None:
        await _until(due, clock)
        last = last_before(when, clock.now() + RESOLUTION, due) or due
        yield Tick(last, str(when))


async def _until(moment: datetime, clock: Clock) -> None:
    while (left := (moment - clock.now()).total_seconds()) > 0:
        if isinstance(clock, HandWoundClock):
            await clock.advanced()
        else:
            await asyncio.sleep(min(left, LONGEST_REST))


def last_before(when: When, end: datetime, floor: datetime) -> datetime | None:
    """The newest tick from ``floor`` on and before ``end``. Looks back in steps that double, so it costs little however many ticks lie between."""
    step, low = timedelta(seconds=1), end
    while low > floor:
        low = max(floor, end - step)
        found = when.next_after(low - RESOLUTION)
        if found is not None and found < end:
            return _newest(when, found, end)
        step *= 2
    return None


def _newest(when: When, tick: datetime, end: datetime) -> datetime:
    """The newest tick before ``end``, where ``tick`` is one."""
    high = end
    while (following := when.next_after(tick)) is not None and following < end:
        tick, middle = following, following + (high - following) / 2
        found = when.next_after(middle)
        if found is not None and found < end:
            tick = found
        else:
            high = middle
    return tick
