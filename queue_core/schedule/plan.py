"""What to do about a schedule that is due: for which ticks to push a task, and when it is due again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from queue_core.schedule.tick import RESOLUTION, When, last_before

if TYPE_CHECKING:
    from queue_core.schedule.entry import Missed

MOST: Final = 100
"""How many missed ticks ``all`` makes up for, the newest."""
LATE: Final = timedelta(seconds=10)
"""How late a tick may be that ``skip`` does not skip."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ticks to push a task for, in order, and the next one; None: there is none."""

    ticks: tuple[datetime, ...]
    next: datetime | None


def plan(when: When, missed: "Missed", *, due: datetime, now: datetime) -> Plan:
    """What to do at ``now`` about a schedule that has been due since ``due``."""
    newest = last_before(when, now + RESOLUTION, due) or due
    following = when.next_after(newest)
    match missed:
        case "latest":
            return Plan((newest,), following)
        case "skip":
            return Plan((newest,) if now - newest <= LATE else (), following)
        case "all":
            return Plan(_all(when, due, newest), following)


def _all(when: When, due: datetime, newest: datetime) -> tuple[datetime, ...]:
    """Every tick from ``due`` to ``newest``, the last ``MOST`` of them."""
    found = [newest]
    while len(found) < MOST and found[-1] > due:
        earlier = last_before(when, found[-1], due)
        found.append(due if earlier is None else earlier)
    return tuple(reversed(found))
