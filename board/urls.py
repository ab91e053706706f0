"""Addresses of everything on the board, under whatever prefix it is mounted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlencode

ODD: Final = re.compile(r"~*(\.{1,2}|rows)")
"""Names that browsers would resolve away as path segments, also when percent-encoded, or that are pages; a ``~`` before them keeps them."""

Pairs = Iterable[tuple[str, str]]


def segment(name: str) -> str:
    """One name as one path segment: ``a/b`` becomes ``a%2Fb``.

    >>> segment("a/b"), segment("..")
    ('a%2Fb', '~..')
    """
    return quote("~" + name if ODD.fullmatch(name) else name, safe="")


def name_of(raw: str) -> str:
    """The name that ``segment`` encoded.

    >>> name_of("a%2Fb"), name_of("~.."), name_of("~x")
    ('a/b', '..', '~x')
    """
    name = unquote(raw)
    return name[1:] if name.startswith("~") and ODD.fullmatch(name) else name


def with_query(path: str, pairs: Pairs) -> str:
    """``path`` and its query, without the pairs whose value is empty."""
    query = urlencode([(key, value) for key, value in pairs if value])
    return f"{path}?{query}" if query else path


@dataclass(frozen=True, slots=True)
class Urls:
    """Addresses within one store's part of the board."""

    root: str
    """Prefix of the store's pages, percent-encoded, without a slash at its end."""

    def overview(self) -> str:
        """The first page."""
        return f"{self.root}/"

    def queues(self) -> str:
        """All queues."""
        return f"{self.root}/queues"

    def queue(self, queue: str, query: Pairs = ()) -> str:
        """One queue."""
        return with_query(f"{self.root}/queues/{segment(queue)}", query)

    def queue_act(self, queue: str, verb: str) -> str:
        """Where ``pause`` and ``resume`` are posted."""
        return f"{self.root}/queues/{segment(queue)}/{verb}"

    def tasks(self, query: Pairs = ()) -> str:
        """A list of tasks."""
        return with_query(f"{self.root}/tasks", query)

    def task(self, id: str) -> str:
        """One task."""
        return f"{self.root}/tasks/{segment(id)}"

    def task_part(self, id: str, part: str) -> str:
        """``arguments``, ``result`` or ``metadata`` of a task as plain text."""
        return f"{self.root}/tasks/{segment(id)}/{part}"

    def tasks_act(self, verb: str) -> str:
        """Where an action on tasks is posted."""
        return f"{self.root}/tasks/{verb}"

    def rows(self) -> str:
        """Where single rows are asked for."""
        return f"{self.root}/tasks/rows"

    def workers(self) -> str:
        """All workers."""
        return f"{self.root}/workers"

    def worker(self, boot: str) -> str:
        """One process life of a worker."""
        return f"{self.root}/workers/{segment(boot)}"

    def live(self, here: str) -> str:
        """The event stream of the page at ``here`` (path and query, relative to the root)."""
        return with_query(f"{self.root}/live", [("view", here)])

    def at(self, here: str) -> str:
        """The address of ``here`` (path and query, relative to the root)."""
        return f"{self.root}{here}"
