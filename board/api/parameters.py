"""The query parameters of the JSON API: what each route takes. Anything else is refused, because a filter that is ignored answers wrongly."""

from typing import Any, Final

from board.params import Query, short
from queue_core.expose import SEARCH_WINDOW, InvalidValue

Parameters = dict[str, tuple[dict[str, Any], str]]
"""Name to schema and meaning."""

_WHOLE: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_FILTER: Final = {"type": "string", "maxLength": 200}
_OF_ONE_QUEUE: Final[Parameters] = {
    "status": ({"type": "string", "default": "Pending"}, "Pending, Queued, Running, Done, Failed, Killed, or all; may repeat."),
    "name": (_FILTER, f"The task's name, exactly. Looked for among the newest {SEARCH_WINDOW:,} tasks that fulfil the rest."),
    "text": (_FILTER, "Text in the arguments, the error line, the id, the key or a tag, in any case. Looked for among as many."),
    "page": ({**_WHOLE, "minimum": 1, "default": 1}, "Reaches the first 10,000 tasks; beyond them use cursor."),
    "page_size": ({**_WHOLE, "minimum": 1, "maximum": 1000, "default": 10}, "Tasks a page."),
    "cursor": (_TEXT, "Where the page starts, from the Link header (rel=next) of the page before."),
}
QUERIES: Final[dict[tuple[str, str], Parameters]] = {
    ("GET", "/tasks"): {"queue": (_FILTER, "The queue, exactly."), **_OF_ONE_QUEUE},
    ("GET", "/queues/{queue}/tasks"): _OF_ONE_QUEUE,
    ("GET", "/tasks/{id}/logs"): {
        "attempt": ({**_WHOLE, "minimum": 1}, "Only what this attempt logged."),
        "level": (_TEXT, "Only this level and higher ones: debug, info, warning, error or critical."),
        "page_size": ({**_WHOLE, "minimum": 1, "maximum": 1000, "default": 100}, "Lines a page; with attempt or level fewer, while there are more."),
        "cursor": (_TEXT, "Where the page starts, from the Link header: rel=next leads to older lines, rel=prev to those stored since."),
    },
    ("GET", "/audit"): {"limit": ({**_WHOLE, "minimum": 1, "maximum": 1000, "default": 100}, "Lines.")},
    ("PUT", "/queues/{queue}/tasks"): {
        "name": (_TEXT, "The task's name; the queue's when left out."),
        "run_after": ({**_WHOLE, "minimum": 0}, "Seconds from now."),
        "priority": ({**_WHOLE, "default": 0}, "Higher runs first."),
        "max_attempts": ({**_WHOLE, "minimum": 1, "default": 5}, "How often its handler may start."),
        "key": (_TEXT, "A second push with the same key in the same queue stores nothing and returns the first task."),
    },
}
"""The parameters of each route that has some, by method and path."""


def check(method: str, path: str, query: Query) -> None:
    """Raise InvalidValue for a parameter that the route does not have."""
    known = QUERIES.get((method, path), {})
    unknown = ", ".join(short(name) for name in dict.fromkeys(name for name, _ in query.pairs) if name not in known)
    if unknown and known:
        raise InvalidValue(f"The query parameters of {method} {path} are {', '.join(known)}, got {unknown}.")
    if unknown:
        raise InvalidValue(f"{method} {path} takes no query parameters, got {unknown}.")
