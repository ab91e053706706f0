"""What middleware with limits has in common: what a limit is shared by, who has been there, and when to look again."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Literal, TypeAlias
from weakref import WeakKeyDictionary

from queue_core.clock import HandWoundClock, to_us
from queue_core.errors import InvalidValue, plain
from queue_core.middleware import Call, Gate

By: TypeAlias = Literal["name", "queue"] | Callable[[Call], Hashable] | None
"""Which runs share a limit: None for all, ``"name"`` or ``"queue"`` for those of each, or a function of the call whose value they share."""


def key_of(call: Call, by: By) -> Hashable:
    """What the run of ``call`` shares its limit by."""
    match by:
        case None:
            return None
        case "name":
            return call.context.name
        case "queue":
            return call.context.queue
        case _:
            return by(call)


def check_by(by: object) -> None:
    """Raise InvalidValue unless ``by`` says which runs share a limit."""
    if by not in (None, "name", "queue") and not callable(by):
        raise InvalidValue(f'by must be "name", "queue", a function of a call, or None for one limit over all, got {by!r}.')
    if callable(by):
        plain("by", by)


def check_count(what: str, count: object) -> None:
    """Raise InvalidValue unless ``count`` is a whole number of at least 1."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidValue(f"{what} must be a whole number from 1, got {count!r}.")


class Visited(set[int]):
    """The gates that a run has come to, in ``call.extensions``."""


def is_first_visit(call: Call, gate: Gate) -> bool:
    """Whether this run comes to ``gate`` for the first time. Later it has a try behind it, which going back without an attempt would hide."""
    visited = call.extensions.setdefault(Visited, Visited())
    if id(gate) in visited:
        return False
    visited.add(id(gate))
    return True


class Alarm:
    """Tells seconds, and calls ``ring`` when some are over: by the system's monotonic clock, or by a hand-wound one whenever that is moved."""

    def __init__(self, clock: HandWoundClock | None, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._lock = threading.Lock()
        self._next: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()
        """When it rings next in each loop, by the loop's time."""
        if clock is not None:
            clock.on_advance(ring)

    def now(self) -> float:
        """Seconds since whenever."""
        return time.monotonic() if self._clock is None else to_us(self._clock.now()) / 1e6

    def ring_in(self, seconds: float) -> None:
        """Ring at the latest then, in the event loop that runs; it may be asked for again and again."""
        if self._clock is not None:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, seconds)
        with self._lock:
            if self._next.get(loop, math.inf) <= at:
                return
            self._next[loop] = at
        loop.call_at(at, self._rung, loop, at)

    def _rung(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        with self._lock:
            if self._next.get(loop) == at:
                del self._next[loop]
        self._ring()


def in_words(key: Hashable) -> str:
    """Which limit an error speaks of."""
    return "" if key is None else f" of {key}"
