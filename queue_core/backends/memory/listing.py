"""Pages of tasks, found by their place in the order of pushing."""

import itertools
from collections.abc import Callable, Iterator

from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import END, Row
from queue_core.errors import InvalidValue
from queue_core.expose import SEARCH_WINDOW, Cursor, Page, TaskFilter
from queue_core.ids import QueueName
from queue_core.status import Status

MAX_PAGE = 1000


def page(state: State, filter: TaskFilter, start: Cursor | None, limit: int) -> Page:
    """A page of tasks, newest pushed first."""
    direction, place = _parse(start)
    listing = Listing(state, filter)
    rows = listing.newer(place) if direction == _NEWER else listing.older(place)
    shown = list(itertools.islice(rows, max(1, min(limit, MAX_PAGE))))
    if direction == _NEWER:
        shown.reverse()
    return Page(
        tasks=[row.summary() for row in shown],
        older=_cursor(_OLDER, listing.older, shown[-1].task.seq if shown else place),
        newer=_cursor(_NEWER, listing.newer, shown[0].task.seq if shown else place),
        searched=SEARCH_WINDOW if listing.is_cut else None,
    )


# --- cursors -------------------------------------------------------------------------------------------------------

_OLDER, _NEWER = "o", "n"
_DIGITS = 18


def _parse(cursor: Cursor | None) -> tuple[str, int]:
    """Which way to go, and from where."""
    if cursor is None:
        return _OLDER, END
    direction, number = cursor[:1], cursor[1:]
    if direction not in {_OLDER, _NEWER} or not number.isascii() or not number.isdigit() or len(number) > _DIGITS:
        raise InvalidValue(f"The cursor {cursor[:40]!r} was not handed out by a page. Start again from the newest tasks.")
    return direction, int(number)


def _cursor(direction: str, rows: Callable[[int], Iterator[Row]], place: int) -> Cursor | None:
    """Where the page beyond ``place`` starts; None when there is nothing beyond."""
    return Cursor(f"{direction}{place}") if next(rows(place), None) else None


# --- filters -------------------------------------------------------------------------------------------------------


class Listing:
    """The tasks that fulfil a filter, walked in either direction from any place."""

    def __init__(self, state: State, filter: TaskFilter) -> None:
        self._state = state
        self._filter = filter
        self._statuses = tuple(dict.fromkeys(filter.statuses or Status))
        self._queues: list[QueueName] = list(state.pauses) if filter.queue is None else [filter.queue]
        self._floor = self._window_floor() if filter.name is not None or filter.text is not None else 0

    @property
    def is_cut(self) -> bool:
        """Whether there are tasks that are too old for the search to look at."""
        return self._floor > 0

    def older(self, place: int) -> Iterator[Row]:
        """Those pushed before ``place``, the latest first."""
        rows = itertools.takewhile(lambda row: row.task.seq > self._floor, self._older(place))
        return filter(self._is_wanted, rows)

    def newer(self, place: int) -> Iterator[Row]:
        """Those pushed after ``place``, the first of them first."""
        return filter(self._is_wanted, self._newer(max(place, self._floor)))

    def _window_floor(self) -> int:
        """The place of the newest task that a search does not look at."""
        beyond = next(itertools.islice(self._older(END), SEARCH_WINDOW, None), None)
        return beyond.task.seq if beyond else 0

    def _older(self, place: int) -> Iterator[Row]:
        if self._filter.boot is not None:
            return (row for row in reversed(self._held()) if row.task.seq < place)
        return self._state.tasks.newest_first(self._queues, self._statuses, place)

    def _newer(self, place: int) -> Iterator[Row]:
        if self._filter.boot is not None:
            return (row for row in self._held() if row.task.seq > place)
        return self._state.tasks.oldest_first(self._queues, self._statuses, place)

    def _held(self) -> list[Row]:
        """What the worker asked for holds, the first pushed first."""
        assert self._filter.boot is not None
        held = (row for row in self._state.tasks.leased(self._filter.boot) if row.task.status in self._statuses)
        return sorted((row for row in held if row.task.queue in self._queues), key=lambda row: row.task.seq)

    def _is_wanted(self, row: Row) -> bool:
        name, text = self._filter.name, self._filter.text
        return name in {None, row.task.name} and (text is None or _has_text(row, text.casefold()))


def _has_text(row: Row, text: str) -> bool:
    task = row.task
    places = (task.args.decode(errors="replace"), task.error or "", task.id, task.key or "", *task.tags)
    return any(text in place.casefold() for place in places)
