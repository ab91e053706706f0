"""What a person or program wrote in an address, made into typed questions. Raises InvalidValue with a sentence for what cannot be meant."""

import logging
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from board.filters import visible
from queue_core.expose import Cursor, InvalidValue, QueueName, Status, TaskFilter, TaskId

MAX_FIELDS: Final = 2_000
MAX_TEXT: Final = 200
MAX_REASON: Final = 500
MAX_IDS: Final = 1_000
MAX_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Query:
    """The fields of a query string or form, in order."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """From ``a=1&b=2``. Raises InvalidValue for more than 2,000 fields."""
        try:
            return cls(tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)))
        except ValueError:
            raise InvalidValue(f"An address may have at most {MAX_FIELDS:,} query fields.") from None

    def get(self, name: str) -> str:
        """The last value of ``name``, without blanks around it; empty when there is none."""
        return next((value.strip() for key, value in reversed(self.pairs) if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of ``name`` that is not empty, each once."""
        return tuple(dict.fromkeys(value for key, value in self.pairs if key == name and value))

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The pairs whose name is none of these, without empty ones."""
        return tuple((key, value) for key, value in self.pairs if key not in names and value)


@dataclass(frozen=True, slots=True)
class Here:
    """A page, relative to its store's root: what is on the screen, apart from who looks."""

    path: str
    """Percent-encoded, begins with a slash."""
    query: Query = Query(())

    @classmethod
    def parse(cls, address: str) -> "Here":
        """From ``/tasks?status=Done``. Raises InvalidValue for anything that leads out of the board."""
        check_local(address)
        parts = urlsplit(address)
        return cls(parts.path or "/", Query.parse(parts.query))


def check_local(address: str) -> str:
    """``address`` if it is a path of this board. Raises InvalidValue otherwise, so that no redirect leads elsewhere."""
    if not address.startswith("/") or address.startswith("//") or "\\" in address or not address.isprintable():
        raise InvalidValue(f"The page to return to must be a path of this board, as /tasks, got {short(address)}.")
    return address


def short(value: str) -> str:
    """A value as a message may quote it."""
    text = visible(value)
    return f"{text[:60]}…" if len(text) > 60 else text or "nothing"


def status_named(word: str) -> Status:
    """The state of this name, in any case. Raises InvalidValue."""
    for status in Status:
        if status.value.lower() == word.strip().lower():
            return status
    raise InvalidValue(f"status must be one of {', '.join(Status)}, got {short(word)}.")


def level_named(word: str) -> int:
    """The number of the level that ``logging`` knows by this name, in any case. Raises InvalidValue."""
    number = logging.getLevelName(word.upper())
    if not isinstance(number, int):
        raise InvalidValue(f"level must be debug, info, warning, error or critical, got {short(word)}.")
    return number


def task_filter(query: Query, queue: QueueName | None = None) -> TaskFilter:
    """Which tasks a list shows; ``queue`` is given where the page belongs to one."""
    chosen = queue or QueueName(bounded("queue", query.get("queue")))
    return TaskFilter(
        queue=chosen or None,
        statuses=tuple(dict.fromkeys(status_named(word) for word in query.all("status") if word.strip())),
        name=bounded("name", query.get("name")) or None,
        text=bounded("text", query.get("text")) or None,
    )


def bounded(field: str, value: str, limit: int = MAX_TEXT) -> str:
    """``value`` unless it is too long. Raises InvalidValue."""
    if len(value) > limit:
        raise InvalidValue(f"{field} must have at most {limit} characters, got {len(value):,}: {short(value)}")
    return value


def cursor(query: Query) -> Cursor | None:
    """Where a list starts."""
    return Cursor(query.get("start")) if query.get("start") else None


def ids(values: tuple[str, ...]) -> list[TaskId]:
    """The tasks of a selection. Raises InvalidValue for none or too many."""
    if not values:
        raise InvalidValue("No task is chosen. Tick at least one.")
    if len(values) > MAX_IDS:
        raise InvalidValue(f"At most {MAX_IDS:,} tasks can be chosen at once, got {len(values):,}. Choose fewer.")
    return [TaskId(value) for value in values]


def whole_number(query: Query, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number of a query. Raises InvalidValue with the range."""
    text = query.get(name)
    if not text:
        return default
    if not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit() or len(text) > 18 or not low <= int(text) <= high:
        raise InvalidValue(f"{name} must be a whole number from {low:,} to {high:,}, got {short(text)}.")
    return int(text)
