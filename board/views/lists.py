"""A list of tasks with all that surrounds it: state chips, filter, rows, pages."""

from collections.abc import Sequence
from typing import Final

from board import params
from board.contexts import BulkAction, ChipsPart, Choice, EmptyPart, FilterForm, PagerPart, StateCount, TaskList
from board.filters import count, visible
from board.screen import Ask, Fragment
from board.urls import with_query
from board.views.rows import VERBS, Crew, row_fragment, rows_of, state_counts
from queue_core.expose import Counts, Page, QueueName, Status, TaskFilter, TaskId

LIMIT: Final = 50
"""Rows a page."""


class Listing:
    """One list: the filter of its page, and the answers that it is built from."""

    def __init__(self, ask: Ask, queue: QueueName | None = None) -> None:
        self._ask = ask
        self._queue = queue
        self.filter: Final[TaskFilter] = params.task_filter(ask.query, queue)
        self._start = params.cursor(ask.query)
        self._path = ask.urls.queue(queue) if queue else ask.urls.tasks()

    async def fragments(self, crew: Crew, counts: dict[QueueName, Counts]) -> list[Fragment]:
        """Chips, rows, what stands for no rows, and the links to other pages."""
        page = await self._ask.store.list_tasks(self.filter, start=self._start, limit=LIMIT)
        return [
            Fragment(id="tasks-chips", template="tasks/_chips.html", context=self._chips(counts)),
            *(row_fragment(self._ask, task, crew) for task in page.tasks),
            Fragment(id="tasks-empty", template="tasks/_empty.html", context=self._empty(page, counts)),
            Fragment(id="tasks-pager", template="tasks/_pager.html", context=self._pager(page)),
        ]

    def around(self, queues: list[QueueName]) -> TaskList:
        """What is around the rows and does not change with them."""
        return TaskList(
            form=self._form(queues),
            bulk=self._bulk(),
            back=self._ask.back,
            limit=LIMIT,
            live=self._start is None,
            show_queue=self._queue is None,
        )

    async def follow(self, ids: Sequence[TaskId]) -> list[Fragment]:
        """Rows that left the list."""
        return await rows_of(self._ask, ids)

    def _href(self, pairs: list[tuple[str, str]]) -> str:
        return with_query(self._path, pairs)

    def _kept(self, *dropped: str) -> list[tuple[str, str]]:
        """The fields of this page's filter without some."""
        names = {"status", "queue", "name", "text"} - set(dropped) - ({"queue"} if self._queue else set())
        return [(key, value) for key, value in self._ask.query.pairs if key in names and value]

    # --- chips

    def _chips(self, counts: dict[QueueName, Counts]) -> ChipsPart:
        wanted = self.filter.queue
        numbers = counts.get(wanted, Counts()) if wanted else sum(counts.values(), Counts())
        rest = self._kept("status")
        href = {status: self._href([("status", status.value), *rest]) for status in Status}
        every = StateCount(status="all", label="All", count=numbers.total, href=self._href(rest), current=not self.filter.statuses)
        chips = state_counts(numbers, href, frozenset(self.filter.statuses))
        return ChipsPart(chips=(every, *chips), scope=f"queue {visible(wanted)}" if wanted else "all queues")

    # --- in place of rows

    def _empty(self, page: Page, counts: dict[QueueName, Counts]) -> EmptyPart:
        filtered = bool(self._kept())
        return EmptyPart(
            shown=not page.tasks,
            filtered=filtered,
            text="" if page.tasks else self._empty_text(page, filtered, counts),
            clear_href=self._path if filtered else None,
        )

    def _empty_text(self, page: Page, filtered: bool, counts: dict[QueueName, Counts]) -> str:
        if self._start is not None:
            return "There are no tasks on this page any more."
        if page.searched is not None:
            return f"None of the newest {count(page.searched)} tasks fulfils this filter."
        if filtered:
            return "No task fulfils this filter now. One that does will appear here by itself."
        return "Nothing was pushed yet. The first task will appear here by itself." if not counts else "No tasks are stored here now."

    # --- other pages

    def _pager(self, page: Page) -> PagerPart:
        kept = self._kept()
        further = self._href([*kept, ("start", page.older)]) if page.older else None
        return PagerPart(
            newer_href=self._href([*kept, ("start", page.newer)]) if page.newer else None,
            older_href=further,
            newest_href=self._href(kept) if self._start is not None else None,
            note=f"Searched the newest {count(page.searched)} tasks." if page.searched is not None else None,
            note_href=further if page.searched is not None else None,
        )

    # --- the filter's form

    def _form(self, queues: list[QueueName]) -> FilterForm:
        return FilterForm(
            action=self._path,
            queues=() if self._queue else self._queue_choices(queues),
            statuses=tuple(Choice(value=status.value, label=status.value, selected=status in self.filter.statuses) for status in Status),
            name=self.filter.name or "",
            text=self.filter.text or "",
            clear_href=self._path if self._kept() else None,
        )

    def _queue_choices(self, queues: list[QueueName]) -> tuple[Choice, ...]:
        chosen = self.filter.queue
        known = [*queues, *([chosen] if chosen and chosen not in queues else [])]
        named = (Choice(value=queue, label=visible(queue), selected=queue == chosen) for queue in known)
        return (Choice(value="", label="Any queue", selected=chosen is None), *named)

    def _bulk(self) -> tuple[BulkAction, ...]:
        return tuple(
            BulkAction(action=verb.path, label=verb.label, url=self._ask.urls.tasks_act(verb.path), danger=verb.danger)
            for verb in VERBS
            if verb.action in self._ask.may
        )
