"""Cron expressions in a time zone."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from queue_core.clock import Clock, SystemClock
from queue_core.errors import InvalidValue
from queue_core.schedule.tick import RESOLUTION, Tick, ticks
from queue_core.task import check_aware

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SHORTCUTS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS: Final = {
    "second": "from 0 to 59",
    "minute": "from 0 to 59",
    "hour": "from 0 to 23",
    "day-of-month": "from 1 to 31, L for the last day or LW for the last working day",
    "month": "from 1 to 12 or JAN to DEC",
    "day-of-week": "from 0 to 7 (both are Sunday) or SUN to SAT, with 5L for the last Friday and 1#2 for the second Monday of a month",
    "year": "from 1970 to 2199",
}
"""The fields of a full expression in their order, and what each may hold."""
YEARS: Final = range(1970, 2200)
LONGEST: Final = 1_000
_WEEKDAYS: Final = "Monday through Friday"


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks where the clock on the wall of ``timezone`` matches ``expression``.

    Five fields are minute, hour, day of month, month and day of week; six begin with the second, and seven end with the year too. Each takes
    ``*``, numbers, ranges ``1-5``, steps ``*/15`` and lists ``1,15``; months and days also names. ``@hourly``, ``@daily`` (or ``@midnight``),
    ``@weekly``, ``@monthly`` and ``@yearly`` (or ``@annually``) are short for the usual ones.

    *Days.* Where both the day of month and the day of week are given, either is enough: ``0 0 13 * 5`` is every 13th and every Friday. Where one
    of them begins with ``*``, both must hold: ``0 0 */2 * 1`` is Mondays with an odd date.

    *When clocks change.* If neither minute nor hour begins with ``*``, every wall time comes exactly once: one that is skipped in spring comes in
    the first moment after the gap, and one that is repeated in autumn comes the first time only. If one of them begins with ``*``, it is an
    interval: what the gap skips does not come, and what is repeated comes twice, so that ``*/15 * * * *`` goes on every fifteen minutes.

    ``timezone`` is a name as ``Europe/Berlin``. Raises InvalidValue with the field that is wrong, and for an unknown time zone.

    >>> Cron("0 6 * * MON-FRI", "Europe/Berlin").english
    'At 06:00 on weekdays, Europe/Berlin'
    >>> Cron("@daily").next_after(datetime(2026, 3, 1, 12, tzinfo=UTC))
    datetime.datetime(2026, 3, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """

    expression: str
    timezone: str = "UTC"
    _parts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Six fields, without the year."""
    _years: tuple[int, ...] | None = field(init=False, repr=False, compare=False)
    """In order; None: all."""
    _zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        *parts, year = _split(self.expression)
        for name, part in zip(FIELDS, parts, strict=False):
            _check_field(self.expression, name, part)
        _check_together(self.expression, parts)
        object.__setattr__(self, "_parts", tuple(parts))
        object.__setattr__(self, "_years", _years(self.expression, year))
        object.__setattr__(self, "_zone", _zone(self.timezone))

    def __str__(self) -> str:
        return self.expression

    @property
    def english(self) -> str:
        """In words for people."""
        from cronsim.explain import Expression

        said = Expression(list(self._parts)).explain().replace(f"on {_WEEKDAYS}", "on weekdays")
        years = "" if self._years is None else f" in {_spans(self._years)}"
        return f"{said}{years}, {self.timezone}"

    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick later than ``moment`` (aware), in UTC; None when there is none, or none within some 50 years."""
        check_aware("moment", moment)
        after = moment.astimezone(UTC)
        try:
            while (start := self._in_a_year(after)) is not None:
                found = self._next(start)
                if found is None or self._fits(found):
                    return found
                after = found
        except (OverflowError, ValueError):  # the calendar's end
            return None
        return None

    def ticks(self, clock: Clock | None = None) -> AsyncIterator[Tick]:
        """Wait for each tick from now on and yield it; nothing is stored, and every process that does so has ticks of its own.

        A reader that comes late gets the newest tick that it missed, once, and then goes on. Ends after the last tick.
        """
        return ticks(self, clock or SystemClock())

    def _fits(self, moment: datetime) -> bool:
        return self._years is None or moment.astimezone(self._zone).year in self._years

    def _in_a_year(self, after: datetime) -> datetime | None:
        """``after``, or the last moment before the next year that the expression names; None when it names no more."""
        if self._years is None:
            return after
        year = next((year for year in self._years if year >= after.astimezone(self._zone).year), None)
        if year is None:
            return None
        return max(after, datetime(year, 1, 1, tzinfo=self._zone).astimezone(UTC) - RESOLUTION)

    def _next(self, after: datetime) -> datetime | None:
        if self._zone is UTC or any(part.startswith("*") for part in self._parts[1:3]):
            return self._next_of_interval(after)
        walls = self._walls(after.astimezone(self._zone))
        return next((found for wall in walls if (found := _instant(wall, self._zone)) > after), None)

    def _next_of_interval(self, after: datetime) -> datetime | None:
        """Match the wall's time as it passes: with one offset from UTC up to where clocks change, then with the next."""
        since, offset = after, _offset(self._zone, after)
        while True:
            wall = next(self._walls(after + offset), None)
            if wall is None:
                return None
            found = wall.replace(tzinfo=UTC) - offset
            change = _change(self._zone, since, found)
            if change is None:
                return found
            since, after, offset = change, change - RESOLUTION, _offset(self._zone, change)

    def _walls(self, after: datetime) -> Iterator[datetime]:
        """The times later than ``after`` that match, as a wall shows them."""
        from cronsim import CronSim

        return CronSim(" ".join(self._parts), after.replace(tzinfo=None))


def _split(expression: object) -> list[str]:
    """Second, minute, hour, day of month, month, day of week and year. Raises InvalidValue."""
    if not isinstance(expression, str):
        raise InvalidValue(f"A cron expression is text, as '0 6 * * *', got {expression!r}.")
    if len(expression) > LONGEST:
        raise InvalidValue(f"A cron expression must have at most {LONGEST:,} characters, got {len(expression):,}.")
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in SHORTCUTS:
            raise InvalidValue(f"Cron {expression!r} is no shortcut; they are {', '.join(SHORTCUTS)}. For an interval write Every(minutes=10).")
        text = SHORTCUTS[text.lower()]
    parts = text.upper().split()
    match len(parts):
        case 5:
            return ["0", *parts, "*"]
        case 6:
            return [*parts, "*"]
        case 7:
            return parts
    raise InvalidValue(
        f"Cron {expression!r} must have 5 fields (minute, hour, day of month, month, day of week), 6 with the second first, or 7 with the year last; "
        f"it has {len(parts)}."
    )


def _check_field(expression: str, name: str, part: str) -> None:
    from cronsim import CronSim, CronSimError

    place = list(FIELDS).index(name)
    try:
        CronSim(" ".join(part if place == other else "*" for other in range(6)), datetime(2000, 1, 1))
    except (CronSimError, ValueError, AssertionError, TypeError):
        raise _wrong(expression, name, part) from None


def _wrong(expression: str, name: str, part: str) -> InvalidValue:
    return InvalidValue(
        f"Cron {expression!r}: the {name} must be {FIELDS[name]}; also *, a range, a step as */5, or a list with commas. It is {part!r}."
    )


def _check_together(expression: str, parts: list[str]) -> None:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join(parts), datetime(2000, 1, 1))
    except (CronSimError, ValueError):
        raise InvalidValue(f"Cron {expression!r} never comes: no such month ({parts[4]}) has a day {parts[3]}.") from None


_YEAR: Final = re.compile(r"(?:\*|(\d{4})(?:-(\d{4}))?)(?:/(\d{1,3}))?")


def _years(expression: str, part: str) -> tuple[int, ...] | None:
    if part == "*":
        return None
    years: set[int] = set()
    for term in part.split(","):
        found = _YEAR.fullmatch(term)
        span = _span(found) if found else range(0)
        if not span or span[0] not in YEARS or span[-1] not in YEARS:
            raise _wrong(expression, "year", part)
        years.update(span)
    return tuple(sorted(years))


def _span(found: "re.Match[str]") -> range:
    first, last, step = found.groups()
    if step is not None and int(step) == 0:
        return range(0)
    low = int(first or YEARS[0])
    high = int(last or (first if first and not step else YEARS[-1]))
    return range(low, high + 1, int(step or 1))


def _spans(years: tuple[int, ...]) -> str:
    """``2026``, ``2026 to 2028``, ``2026, 2030, 2034``."""
    if len(years) > 2 and years[-1] - years[0] == len(years) - 1:
        return f"{years[0]} to {years[-1]}"
    shown = ", ".join(str(year) for year in years[:5])
    return shown if len(years) <= 5 else f"{shown} … {years[-1]}"


def _zone(name: object) -> "tzinfo | ZoneInfo":
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)  # type: ignore[arg-type]  # what it is, is found out here
    except (KeyError, ValueError, TypeError, OSError):
        raise InvalidValue(
            f"timezone must be a name that this machine knows, as 'Europe/Berlin' or 'UTC', got {name!r}. If it is right: pip install tzdata"
        ) from None


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    """The first moment at which the wall shows ``wall``; where clocks skip it, the first moment after the gap."""
    while True:
        found = wall.replace(tzinfo=zone).astimezone(UTC)
        if found.astimezone(zone).replace(tzinfo=None) == wall:
            return found
        wall = wall.replace(second=0) + timedelta(minutes=1)


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _change(zone: tzinfo, since: datetime, end: datetime) -> datetime | None:
    """The first moment up to ``end`` that has another offset from UTC than ``since``; None when all have the same."""
    low = since
    while low < end and zone is not UTC:
        high = min(low + timedelta(days=1), end)
        if _offset(zone, high) != _offset(zone, low):
            return _first_changed(zone, low, high)
        low = high
    return None


def _first_changed(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    while high - low > RESOLUTION:
        middle = low + (high - low) / 2
        if _offset(zone, middle) == _offset(zone, low):
            low = middle
        else:
            high = middle
    return high
