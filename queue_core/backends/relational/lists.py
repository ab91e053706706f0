"""Lists of tasks, newest pushed first, page by page from a place in the order of pushing."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from queue_core.backends import _rows
from queue_core.backends._rows import Row
from queue_core.backends.relational.transaction import Store
from queue_core.errors import InvalidValue
from queue_core.expose import SEARCH_WINDOW, Cursor, Page, TaskFilter
from queue_core.ids import BootId
from queue_core.status import Status

Direction = Literal["older", "newer"]
NEWEST: Final = (1 << 63) - 1
"""A place that is newer than every task."""


async def page(store: Store, filter: TaskFilter, start: Cursor | None, limit: int) -> Page:
    """A page of the tasks that fulfil ``filter``, from ``start`` on."""
    direction, place = _parse(start)
    if filter.boot is not None:
        return await _held_page(store, filter, filter.boot, direction, place, max(limit, 1))
    listing = await _listing(store, filter)
    return await _page(listing, direction, place, max(limit, 1), whole=start is None)


def _parse(cursor: Cursor | None) -> tuple[Direction, int]:
    if cursor is None:
        return "older", NEWEST
    letter, number = cursor[:1], cursor[1:]
    if letter not in {"o", "n"} or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise InvalidValue(f"The cursor {cursor!r} was not handed out by a page. Start again from the newest tasks.")
    return ("older" if letter == "o" else "newer"), int(number)


# --- lists by queue and state ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Listing:
    """Which statements answer a filter, with which values."""

    store: Store
    kind: str
    values: dict[str, Any]
    searched: int | None

    async def rows(self, direction: Direction, place: int, limit: int) -> list[Row]:
        """Up to ``limit`` rows on one side of ``place``, nearest first."""
        return await self.store.rows(f"{self.kind}_{direction}", **self.values, place=place, limit=limit)


async def _listing(store: Store, filter: TaskFilter) -> _Listing:
    kind, scope = await _scope(store, filter)
    floor, searched = await _window(store, filter, kind, scope)
    text = filter.text.casefold() if filter.text else None
    return _Listing(store, kind, {**scope, "floor": floor, "name": filter.name, "text": text}, searched)


async def _scope(store: Store, filter: TaskFilter) -> tuple[str, dict[str, Any]]:
    """All tasks in the order of pushing, where there is an index for it; or those of some queues and states."""
    if store.indexes_places and filter.queue is None and not filter.statuses:
        return "list_all", {}
    queues = [filter.queue] if filter.queue else [name for (name,) in await store.rows("queue_names")]
    return "list_tasks", {"queues": queues, "statuses": list(dict.fromkeys(filter.statuses or Status))}


async def _window(store: Store, filter: TaskFilter, kind: str, scope: dict[str, Any]) -> tuple[int, int | None]:
    """Behind which place a search looks no further, and how many tasks that leaves, if not all."""
    if filter.name is None and not filter.text:
        return 0, None
    if await _count(store, filter) <= SEARCH_WINDOW:
        return 0, None
    row = await store.row(f"window_of_{kind.removeprefix('list_')}", **scope, window=SEARCH_WINDOW)
    return (row[0], SEARCH_WINDOW) if row else (0, None)


async def _count(store: Store, filter: TaskFilter) -> int:
    """How many tasks of the queue and states of a filter there are, from the counters."""
    statuses = filter.statuses or tuple(Status)
    rows = await store.rows("counts")
    return sum(n for queue, status, n in rows if status in statuses and filter.queue in {None, queue})


async def _page(listing: _Listing, direction: Direction, place: int, limit: int, *, whole: bool) -> Page:
    """One page, and whether there is more on either side."""
    rows = await listing.rows(direction, place, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    if direction == "older":
        before = bool(not whole and await listing.rows("newer", rows[0][1] if rows else place - 1, 1))
        return _shown(rows, older=more, newer=before, edge=place, searched=listing.searched)
    rows.reverse()
    after = bool(await listing.rows("older", rows[-1][1] if rows else place + 1, 1))
    return _shown(rows, older=after, newer=more, edge=place, searched=listing.searched)


def _shown(rows: list[Row], *, older: bool, newer: bool, edge: int, searched: int | None) -> Page:
    """A page of ``rows``; ``edge`` is where it would have begun, for pages that turn out empty."""
    first, last = (rows[0][1], rows[-1][1]) if rows else (edge - 1, edge + 1)
    return Page(
        tasks=[_rows.summary(row) for row in rows],
        older=Cursor(f"o{last}") if older else None,
        newer=Cursor(f"n{first}") if newer else None,
        searched=searched,
    )


# --- what one worker holds -------------------------------------------------------------------------------


async def _held_page(store: Store, filter: TaskFilter, boot: BootId, direction: Direction, place: int, limit: int) -> Page:
    """A page of what a worker holds; never many, so they are sifted here."""
    rows = [row for row in await store.rows("list_held", boot=boot) if _wanted(filter, row)]
    older, newer = [row for row in rows if row[1] < place], [row for row in rows if row[1] > place]
    if direction == "older":
        newer = [row for row in rows if row[1] >= place]
        return _shown(older[:limit], older=len(older) > limit, newer=bool(newer), edge=place, searched=None)
    older = [row for row in rows if row[1] <= place]
    return _shown(newer[-limit:], older=bool(older), newer=len(newer) > limit, edge=place, searched=None)


def _wanted(filter: TaskFilter, row: Row) -> bool:
    return (not filter.statuses or row[4] in filter.statuses) and filter.queue in {None, row[2]}
