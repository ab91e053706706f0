"""When things happen again and again: cron expressions and intervals, their ticks, and what stores keep of them. Knows no store."""

from queue_core.schedule.cron import Cron
from queue_core.schedule.entry import DueSchedule, DueSchedules, Entry, Missed, Schedule, as_when, tick_in
from queue_core.schedule.every import Every
from queue_core.schedule.plan import Plan, plan
from queue_core.schedule.tick import Tick, When

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
