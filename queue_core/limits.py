"""How many tasks of a queue, and of each group in it, may run at once or start in a time, whatever the number of workers and machines."""

from dataclasses import dataclass
from typing import Final

from queue_core.errors import InvalidValue

MOST: Final = 1_000_000
"""The largest number that a limit may have."""
LONGEST: Final = 366 * 86_400
"""Seconds that a rate may look back at most."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``n`` starts in any ``per`` seconds. Raises InvalidValue.

    >>> Rate(10, per=60)
    Rate(n=10, per=60)
    """

    n: int
    per: float = 1.0

    def __post_init__(self) -> None:
        _check_number("n", self.n)
        if isinstance(self.per, bool) or not isinstance(self.per, int | float) or not 0.001 <= self.per <= LONGEST:
            raise InvalidValue(f"per must be a number of seconds from 0.001 to a year, got {self.per!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a queue; None means none. Raises InvalidValue for a value that breaks a rule.

    ``concurrency``: how many of its tasks may be held by workers at once. ``rate``: how many may start in a time; each attempt counts, from the
    moment at which a worker takes the task. ``group_concurrency`` and ``group_rate``: the same for each group of tasks, as those of one customer.
    ``ordered``: tasks of a group run one at a time in the order in which they were pushed; one that waits, for its time or for its next attempt,
    holds back those behind it until it is Done or Killed.

    >>> Limits(concurrency=5, group_rate=Rate(10, per=60)).is_none
    False
    """

    concurrency: int | None = None
    rate: Rate | None = None
    group_concurrency: int | None = None
    group_rate: Rate | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        for name in ("concurrency", "group_concurrency"):
            if (limit := getattr(self, name)) is not None:
                _check_number(name, limit)
        for name in ("rate", "group_rate"):
            if not isinstance(rate := getattr(self, name), Rate | None):
                raise InvalidValue(f"{name} must be a Rate, as Rate(10, per=60), got {rate!r}.")
        if not isinstance(self.ordered, bool):
            raise InvalidValue(f"ordered must be True or False, got {self.ordered!r}.")
        if self.ordered and self.group_concurrency not in {None, 1}:
            raise InvalidValue(f"Tasks in order run one at a time, so group_concurrency must be left out, got {self.group_concurrency}.")

    @property
    def is_none(self) -> bool:
        """Whether it limits nothing."""
        return self == Limits()

    @property
    def at_once(self) -> int | None:
        """How many tasks of one group may be held at once."""
        return 1 if self.ordered else self.group_concurrency


def _check_number(what: str, number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
        raise InvalidValue(f"{what} must be a whole number from 1 to {MOST:,}, got {number!r}. Pause the queue to let nothing run.")
