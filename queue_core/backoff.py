"""How long to wait before the next attempt. Pure arithmetic; the waiting is done by the store."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

from queue_core.errors import InvalidValue, not_negative

Curve = Literal["constant", "linear", "exponential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The pause between attempts of one task.

    ``backoff`` is the curve: ``constant`` (always ``min``), ``linear`` (``min`` × attempt) or ``exponential``
    (``min`` × 2^(attempt - 1)). ``min`` and ``max`` are seconds. ``jitter`` is the share of the pause that is
    drawn at random, 0 to 1, so that tasks which failed together do not return together.

    Raises InvalidValue when a number is out of range.

    >>> Retry(min=1, max=300, jitter=0).delay(4)
    8.0
    """

    backoff: Curve = "exponential"
    min: float = 1.0
    max: float = 300.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.backoff not in get_args(Curve):
            raise InvalidValue(f"backoff must be one of {', '.join(get_args(Curve))}, got {self.backoff!r}.")
        not_negative("min", self.min)
        not_negative("max", self.max)
        if self.max < self.min:
            raise InvalidValue(f"max must not be less than min, got min={self.min:g} and max={self.max:g}.")
        if not 0 <= self.jitter <= 1:
            raise InvalidValue(f"jitter must be between 0 and 1, got {self.jitter!r}.")

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number ``attempt`` (1 for the first)."""
        pause = clamp(_growth(self.backoff, attempt) * self.min, self.min, self.max)
        return spread(pause, self.jitter)


def _growth(curve: Curve, attempt: int) -> float:
    match curve:
        case "constant":
            return 1.0
        case "linear":
            return float(attempt)
        case "exponential":
            return 2.0 ** min(attempt - 1, 60)


def clamp(value: float, low: float, high: float) -> float:
    """``value``, but not below ``low`` nor above ``high``."""
    return max(low, min(value, high))


def spread(pause: float, jitter: float) -> float:
    """``pause`` moved at random by at most ``jitter`` × ``pause`` either way."""
    return pause * (1 + jitter * random.uniform(-1, 1)) if jitter else pause  # noqa: S311 - not a secret
