"""Hears what is logged in this process, and passes it on to whoever's run it belongs to."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from queue_core.errors import InvalidValue

LONGEST: Final = 8 * 1024
"""How many characters of a message are kept; of a longer one the beginning and the end."""
LONGEST_NAME: Final = 200
"""How many characters of a logger's name are kept."""
HIGHEST: Final = 2**31 - 1
"""The highest level that every store can hold."""
_OWN: Final = "prinia"
_FORMATTER: Final = logging.Formatter()


class Said(NamedTuple):
    """What one record says."""

    at: datetime
    level: int
    logger: str
    message: str


def level_of(level: str | int | None) -> int | None:
    """The number of a level. Raises InvalidValue for one that ``logging`` does not know."""
    if level is None or (isinstance(level, int) and not isinstance(level, bool)):
        return level
    number = logging.getLevelName(level.upper()) if isinstance(level, str) else None
    if not isinstance(number, int):
        raise InvalidValue(f'capture_logs must be a level of logging, as "INFO" or 20, or None to capture nothing, got {level!r}.')
    return number


def said(record: logging.LogRecord) -> Said:
    """What ``record`` says, no longer than is kept."""
    parts = [_message(record)]
    if record.exc_info:
        parts.append(record.exc_text or _FORMATTER.formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    level = max(-HIGHEST, min(record.levelno, HIGHEST))
    return Said(datetime.fromtimestamp(record.created, UTC), level, record.name[:LONGEST_NAME], _shortened("\n".join(parts)))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # what does not fit its format is worth keeping too
        values = f" (its values {_shown(record.args, repr)} do not fit: {_shown(error, str)})" if record.args else ""
        return f"{_shown(record.msg, str)}{values}"


def _shown(value: object, show: Callable[[object], str]) -> str:
    try:
        return show(value)
    except Exception as error:  # it is the user's code
        return f"<a {type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2 - 20
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"


class _Ear(logging.Handler):
    """A handler without a lock: threads are interrupted at any point, and one that held it would silence the process."""

    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._hear = hear

    def handle(self, record: logging.LogRecord) -> bool:
        try:
            if record.name != _OWN and not record.name.startswith(f"{_OWN}."):
                self._hear(record)
        except Exception:
            self.handleError(record)
        self._stand_in(record)
        return True

    def _stand_in(self, record: logging.LogRecord) -> None:
        """Where nobody else handles anything, ``logging`` prints warnings to stderr, unless there is a handler: ours shall make no difference."""
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and logging.root.handlers == [self] and _is_unheard(record.name):
            last.handle(record)


def _is_unheard(name: str) -> bool:
    """Whether neither the logger nor those above it, but for the root, have handlers."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not logging.root:
        if logger.handlers:
            return False
        logger = logger.parent
    return True


class Tap:
    """At most one handler at the root of logging, there while somebody listens."""

    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        self._ear = _Ear(hear)
        self._levels: list[int] = []
        self._lowered: tuple[int, int] | None = None
        """The root's level before, and ours."""
        self._lock = threading.Lock()

    @contextmanager
    def open(self, level: int | None) -> Iterator[None]:
        """Hear what is logged at ``level`` and above, as far as the program's own settings let it through."""
        if level is None:
            yield
            return
        with self._lock:
            self._levels.append(level)
            self._adjust()
        try:
            yield
        finally:
            with self._lock:
                self._levels.remove(level)
                self._adjust()

    def _adjust(self) -> None:
        root = logging.getLogger()
        if self._lowered is not None and root.level == self._lowered[1]:
            root.setLevel(self._lowered[0])
        self._lowered = None
        if not self._levels:
            root.removeHandler(self._ear)
            return
        self._ear.setLevel(min(self._levels))
        if self._ear not in root.handlers:
            root.addHandler(self._ear)
        if root.handlers == [self._ear] and root.level > self._ear.level:  # nobody configured logging, so nobody minds
            self._lowered = root.level, self._ear.level
            root.setLevel(self._ear.level)
