"""Pages of log lines. Shared by all backends, so that they page alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from queue_core.errors import InvalidValue
from queue_core.expose import LOG_WINDOW, Cursor, LogEntry, LogFilter, LogPage

Direction = Literal["older", "newer"]
NEWEST: Final = (1 << 63) - 1
"""A place that is newer than every line."""
MAX_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for."""

    filter: LogFilter
    direction: Direction
    place: int
    """Lines on one side of it are looked at, nearest first."""
    limit: int

    @property
    def is_sifting(self) -> bool:
        """Whether lines are looked at that do not fit."""
        return bool(self.filter.level or self.filter.text or self.filter.attempt is not None)

    @property
    def window(self) -> int:
        """How many lines are looked at, at most."""
        return LOG_WINDOW if self.is_sifting else self.limit + 1


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at."""

    lines: Sequence[LogEntry]
    """Those that fit, nearest first; one more than asked for when there are more."""
    nearest: int | None
    """The place of the first that was looked at; None when there was none."""
    edge: int | None
    """The place of the last, when the window ended there."""


def asked(filter: LogFilter, start: Cursor | None, limit: int) -> Asked:
    """The question that the arguments of ``list_logs`` mean. Raises InvalidValue for a cursor that no page handed out."""
    if start is None:
        return Asked(filter, "older", NEWEST, _bounded(limit))
    letter, number = start[:1], start[1:]
    if letter not in {"o", "n"} or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise InvalidValue(f"The cursor {start[:40]!r} was not handed out by a page. Start again from the newest lines.")
    return Asked(filter, "older" if letter == "o" else "newer", int(number), _bounded(limit))


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def page(asked: Asked, found: Found) -> LogPage:
    """The page that answers ``asked``."""
    lines, more = found.lines[: asked.limit], len(found.lines) > asked.limit
    cut = asked.is_sifting and not more and found.edge is not None
    beyond = found.edge if cut else lines[-1].place if more else None
    searched = LOG_WINDOW if cut else None
    if asked.direction == "newer":
        last = beyond or (lines[-1].place if lines else asked.place)
        return LogPage(list(lines), older=Cursor(f"o{lines[0].place if lines else last + 1}"), newer=Cursor(f"n{last}"), searched=searched)
    newest = (found.nearest or 0) if asked.place == NEWEST else asked.place - 1
    newer = Cursor(f"n{max(newest, 0)}")
    return LogPage(list(reversed(lines)), older=None if beyond is None else Cursor(f"o{beyond}"), newer=newer, searched=searched)
