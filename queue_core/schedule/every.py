"""Intervals."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from queue_core.clock import Clock, SystemClock, from_us, to_us
from queue_core.errors import InvalidValue
from queue_core.schedule.tick import Tick, ticks
from queue_core.task import check_aware

ANCHOR: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday, at midnight."""
LONGEST: Final = 10_000 * 366 * 86_400
"""Seconds that may lie between two ticks at most."""
_UNITS: Final = (("week", 604_800_000_000), ("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000))
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Ticks again and again, ``weeks`` + ``days`` + ``hours`` + ``minutes`` + ``seconds`` apart, counted from ``anchor``.

    Because it is counted from one moment for all, every process agrees on the ticks: ``Every(minutes=10)`` is at :00, :10, :20 and so on. The
    anchor is a Monday at midnight in UTC, unless another (aware) is given. A day is 24 hours; for a time of the day in a time zone take ``Cron``.

    Raises InvalidValue for less than one second or more than 10,000 years in all, and for a number that is negative.

    >>> Every(minutes=10).next_after(datetime(2026, 1, 1, 12, 3, tzinfo=UTC))
    datetime.datetime(2026, 1, 1, 12, 10, tzinfo=datetime.timezone.utc)
    >>> Every(hours=1, minutes=30).english
    'Every 1 hour and 30 minutes'
    """

    seconds: float = 0
    minutes: float = 0
    hours: float = 0
    days: float = 0
    weeks: float = 0
    anchor: datetime = ANCHOR

    def __post_init__(self) -> None:
        for name in ("seconds", "minutes", "hours", "days", "weeks"):
            _check_amount(name, getattr(self, name))
        if self._total > LONGEST:
            raise InvalidValue(f"Every must be at most 10,000 years in all, got {self._total:g} seconds. Write Every(minutes=10).")
        if self.period_us < _SECOND:
            raise InvalidValue(f"Every must be at least 1 second in all, got {self.period_us / _SECOND:g}. Write Every(minutes=10).")
        if not isinstance(self.anchor, datetime):
            raise InvalidValue(f"anchor must be an aware datetime, got {self.anchor!r}.")
        check_aware("anchor", self.anchor)

    @property
    def period_us(self) -> int:
        """Microseconds between two ticks."""
        return round(self._total * _SECOND)

    @property
    def _total(self) -> float:
        """Seconds between two ticks."""
        return self.seconds + 60 * self.minutes + 3_600 * self.hours + 86_400 * self.days + 604_800 * self.weeks

    @property
    def timezone(self) -> None:
        """It has none."""
        return None

    def __str__(self) -> str:
        return self.english.lower()

    @property
    def english(self) -> str:
        """In words for people."""
        since = "" if self.anchor == ANCHOR else f", counted from {self.anchor.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"Every {_span(self.period_us)}{since}"

    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick later than ``moment`` (aware), in UTC; None beyond the calendar's end."""
        check_aware("moment", moment)
        anchor = to_us(self.anchor.astimezone(UTC))
        count = (to_us(moment.astimezone(UTC)) - anchor) // self.period_us + 1
        try:
            return from_us(anchor + count * self.period_us)
        except OverflowError:
            return None

    def ticks(self, clock: Clock | None = None) -> AsyncIterator[Tick]:
        """Wait for each tick from now on and yield it, as ``Cron.ticks`` does."""
        return ticks(self, clock or SystemClock())


def _check_amount(unit: str, amount: object) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= sys.float_info.max:
        raise InvalidValue(f"{unit} must be a number, and not negative, got {amount!r}. Write Every(minutes=10).")


def _span(us: int) -> str:
    """``10 minutes``, ``day``, ``1 hour and 30 minutes``."""
    parts: list[tuple[float, str]] = []
    for unit, width in _UNITS:
        if count := us // width:
            parts.append((count, unit))
            us -= count * width
    if us:
        parts.append((us / _SECOND if us % _SECOND else us // _SECOND, "second"))
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    words = [f"{count:,} {unit}{'' if count == 1 else 's'}" for count, unit in parts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
