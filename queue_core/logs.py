"""What handlers log: a line as it is captured, and as it is stored."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from queue_core.ids import QueueName, TaskId

KEPT_LINES: Final = 10_000
"""How many lines of one task are kept, give or take those of one attempt; the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line as a handler logged it."""

    number: int
    """Its place among the lines of its attempt, 1 for the first. Lines that were dropped leave a gap."""
    at: datetime
    """When it was logged, by the clock of the host where that was; aware, UTC."""
    level: int
    """As ``logging`` numbers levels: 20 is INFO."""
    logger: str
    """Name of the logger."""
    message: str
    """The message with its values filled in, and with the traceback where an error was logged."""

    @property
    def level_name(self) -> str:
        """The level as a word: ``INFO``."""
        return logging.getLevelName(self.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry(LogLine):
    """A stored line."""

    place: int
    """Its place in the order of storing. Lines of one task are stored in the order in which they were logged."""
    task_id: TaskId
    queue: QueueName
    attempt: int
    """Number of the attempt that logged it."""
