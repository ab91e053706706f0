"""Limits how many runs start in a span of time in this process."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Hashable
from typing import Any, Final

from queue_core.clock import HandWoundClock
from queue_core.errors import DeferredError
from queue_core.middleware import Call, Gate, Next
from queue_core.middleware.sharing import Alarm, By, check_by, check_count, in_words, is_first_visit, key_of
from queue_core.task import check_period

TIDY_AT: Final = 1_000
"""Keys from which on those that have not been used for a while are forgotten."""


class RateLimit(Gate):
    """Lets at most ``most`` runs start in any span of ``per`` seconds, over all workers of this process that have the same object.

    ``by``: which runs share the limit; see Concurrency. What is over it stays in the store. Where it cannot be known before a claim, because
    the limit is not one over all, what was claimed beyond it goes back until it may start, and no attempt is used. A run that comes
    again, because Retries is further out, waits for its turn, and counts again. ``clock``: a hand-wound one for tests.

    Raises InvalidValue for settings that break a rule.

    >>> polite = RateLimit(10, per=1)
    """

    def __init__(self, most: int, *, per: float, by: By = None, clock: HandWoundClock | None = None) -> None:
        check_count("most", most)
        check_by(by)
        self._most, self._per = most, check_period("per", per)
        self._by: By = by
        self._lock = threading.Lock()
        self._starts: defaultdict[Hashable, deque[float]] = defaultdict(deque)
        """When each of the last runs started, the oldest first, by what they share the limit by."""
        self._alarm = Alarm(clock, self.changed)

    def room(self) -> int | None:
        """How many more may start, where one limit is over all."""
        if self._by is not None:
            return None
        with self._lock:
            wait = self._wait(None)
            room = self._most - len(self._starts[None])
        if wait:
            self._alarm.ring_in(wait)
        return room

    def closed_names(self) -> Collection[str]:
        """The names that have had their number, where each name has a limit."""
        if self._by != "name":
            return ()
        with self._lock:
            waits = {str(name): wait for name in self._starts if (wait := self._wait(name))}
        if waits:
            self._alarm.ring_in(min(waits.values()))
        return waits.keys()

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, when it may start."""
        key, first = key_of(call, self._by), is_first_visit(call, self)
        while wait := self._start(key):
            if first:
                raise DeferredError(f"{self._most} runs{in_words(key)} have started within {self._per:g} s.", delay=wait)
            await asyncio.sleep(wait)
        return await next(call)

    def _start(self, key: Hashable) -> float:
        """Count a start, if it is not too early. Seconds for which it is."""
        with self._lock:
            wait = self._wait(key)
            if not wait:
                self._starts[key].append(self._alarm.now())
            if len(self._starts) > TIDY_AT:
                self._tidy()
            return wait

    def _wait(self, key: Hashable) -> float:
        """Seconds until the next start; 0.0 for now."""
        starts, since = self._starts[key], self._alarm.now() - self._per
        while starts and starts[0] <= since:
            starts.popleft()
        return starts[0] - since if len(starts) >= self._most else 0.0

    def _tidy(self) -> None:
        since = self._alarm.now() - self._per
        for key in [key for key, starts in self._starts.items() if not starts or starts[-1] <= since]:
            del self._starts[key]
