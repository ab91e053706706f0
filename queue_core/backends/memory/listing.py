"""Pages of tasks."""

import itertools
from collections.abc import Iterator

from queue_core.backends.memory.state import State
from queue_core.backends.memory.tasks import Row
from queue_core.errors import InvalidValue
from queue_core.expose import SEARCH_WINDOW, Cursor, Page, TaskFilter
from queue_core.status import Status

MAX_PAGE = 1000


def page(state: State, filter: TaskFilter, start: Cursor | None, limit: int) -> Page:
    """A page of tasks, newest pushed first."""
    limit = max(1, min(limit, MAX_PAGE))
    direction, bound = _parse(start)
    matching = list(_matching(state, filter))
    if direction == _NEWER:
        place = sum(1 for row in matching if row.task.seq > bound)
        first = max(0, place - limit)
        shown = matching[first:place]
    else:
        first = 0 if start is None else sum(1 for row in matching if row.task.seq >= bound)
        shown = matching[first : first + limit]
    return Page(
        tasks=[row.summary() for row in shown],
        older=_older(matching, first + len(shown)),
        newer=_newer(matching, first),
        searched=_searched(state, filter),
    )


_OLDER, _NEWER = "o", "n"
_DIGITS = 18


def _parse(cursor: Cursor | None) -> tuple[str, int]:
    if cursor is None:
        return _OLDER, 0
    direction, number = cursor[:1], cursor[1:]
    if direction not in {_OLDER, _NEWER} or not number.isascii() or not number.isdigit() or len(number) > _DIGITS:
        raise InvalidValue(f"The cursor {cursor!r} was not handed out by a page. Start again from the newest tasks.")
    return direction, int(number)


def _older(matching: list[Row], end: int) -> Cursor | None:
    """Where the tasks from place ``end`` on start."""
    return Cursor(f"{_OLDER}{matching[end - 1].task.seq}") if 0 < end < len(matching) else None


def _newer(matching: list[Row], first: int) -> Cursor | None:
    """Where the tasks before place ``first`` end."""
    return Cursor(f"{_NEWER}{matching[first - 1].task.seq - 1}") if first > 0 else None


# --- filters -------------------------------------------------------------------------------------------------------


def _matching(state: State, filter: TaskFilter) -> Iterator[Row]:
    rows = _selected(state, filter)
    if filter.name is None and filter.text is None:
        return rows
    return (row for row in itertools.islice(rows, SEARCH_WINDOW) if _found(row, filter))


def _selected(state: State, filter: TaskFilter) -> Iterator[Row]:
    """The tasks of the queue, states and worker asked for."""
    statuses = filter.statuses or tuple(Status)
    if filter.boot is not None:
        held = sorted(state.tasks.leased(filter.boot), key=lambda row: row.task.seq, reverse=True)
        return (row for row in held if row.task.status in statuses and filter.queue in {None, row.task.queue})
    queues = list(state.pauses) if filter.queue is None else [filter.queue]
    return state.tasks.newest_first(queues, dict.fromkeys(statuses))


def _found(row: Row, filter: TaskFilter) -> bool:
    return filter.name in {None, row.task.name} and (filter.text is None or _has_text(row, filter.text.casefold()))


def _has_text(row: Row, text: str) -> bool:
    task = row.task
    places = (task.args.decode(errors="replace"), task.error or "", task.id, task.key or "", *task.tags)
    return any(text in place.casefold() for place in places)


def _searched(state: State, filter: TaskFilter) -> int | None:
    if filter.name is None and filter.text is None:
        return None
    more = next(itertools.islice(_selected(state, filter), SEARCH_WINDOW, None), None)
    return None if more is None else SEARCH_WINDOW
