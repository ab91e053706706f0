"""The nouns between asking and showing: who asks for which page (Ask), and what there is to see (Screen of Fragments)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from board.params import Here, Query
from board.urls import Urls
from queue_core.expose import ALL_TOPICS, Action, Expose, TaskId, Topic

Redact = Callable[[str, Any], Any]
"""From a task's name and a decoded value to the value that may be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question to the board: a page of a store, for readers with these permissions."""

    store: Expose
    urls: Urls
    may: frozenset[Action]
    here: Here
    back: str
    """The page as ``/path?query``, relative to the store's root."""
    redact: Redact | None = None

    @property
    def query(self) -> Query:
        """The fields of the page's address."""
        return self.here.query


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part of a page with a place of its own: what is shown there, and by which template."""

    id: str
    """The id of its root element."""
    template: str
    context: object
    """What the template sees as ``it``."""
    row: TaskId | None = None
    """For a row of a list of tasks: which."""


Follow = Callable[[Sequence[TaskId]], Awaitable[list[Fragment]]]
"""Rows that left a list, as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A page as values: all that is needed to render it, whole or in part."""

    template: str
    page: object
    """What the page's template sees as ``page``."""
    title: str
    nav: str
    """The entry of the navigation that it belongs to."""
    fragments: tuple[Fragment, ...]
    topics: frozenset[Topic] | None = None
    """What it depends on; None: everything."""
    follow: Follow | None = None
    """For lists of tasks."""
    gone: tuple[Fragment, ...] = ()
    """What is shown in their places once the thing itself is no longer stored."""

    def depends_on(self, changed: frozenset[Topic]) -> bool:
        """Whether these changes can change it."""
        return self.topics is None or ALL_TOPICS in changed or not self.topics.isdisjoint(changed)


View = Callable[[Ask, Mapping[str, str]], Awaitable[Screen]]
"""One page: asks the store, and says what there is to see. Raises NotFound for a thing that is not there."""


class NotFound(Exception):
    """There is no such page, task, queue, worker or store. The message is a sentence for people."""
