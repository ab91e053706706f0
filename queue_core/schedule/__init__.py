"""When things happen again and again: cron expressions and intervals, their ticks, and what stores keep of them. Knows no store."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from queue_core.schedule.plan import Plan, plan
from queue_core.schedule.tick import Tick, When, tick_in

if TYPE_CHECKING:
    from queue_core.schedule.cron import Cron
    from queue_core.schedule.entry import DueSchedule, DueSchedules, Entry, Missed, Schedule, as_when
    from queue_core.schedule.every import Every

__all__ = [
    "Cron",
    "DueSchedule",
    "DueSchedules",
    "Entry",
    "Every",
    "Missed",
    "Plan",
    "Schedule",
    "Tick",
    "When",
    "as_when",
    "plan",
    "tick_in",
]

_HOMES: Final = {
    "Cron": "cron",
    "DueSchedule": "entry",
    "DueSchedules": "entry",
    "Entry": "entry",
    "Every": "every",
    "Missed": "entry",
    "Schedule": "entry",
    "as_when": "entry",
}
"""Names that are imported when somebody asks for them, and the modules they are in: programs without schedules do not pay for them."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
